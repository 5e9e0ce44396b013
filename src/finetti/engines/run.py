"""Chains on threads of one process: who runs next, what is shown, and what happens at Ctrl-C.

Compiled chunks release the interpreter's lock, so threads run side by side. The chain that is least far goes next,
so that all stop at about the same draw; an interrupted run is brought to the same number of draws and loses none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from finetti.engines.nuts.chain import ChainLog, Goal

Life = Iterator[ChainLog]


def run_chains(
    lives: list[Life], logs: list[ChainLog], *, cores: int, goal: Goal, show: Callable[[list[ChainLog]], None]
) -> bool:
    """Run chains to their goal.

    Args:
        lives: one generator for each chain.
        logs: the chains' logs, in the same order.
        cores: threads at most.
        goal: draws for each chain; lowered at Ctrl-C to what the furthest chain has.
        show: called with the logs now and then.

    Returns:
        Whether the run was interrupted.

    Raises:
        KeyboardInterrupt: at Ctrl-C before any draw, and at a second Ctrl-C.
    """
    with ThreadPoolExecutor(cores, thread_name_prefix="finetti") as pool:
        queue = _Queue(pool, lives, logs, cores)
        try:
            queue.work_off(show)
            return False
        except KeyboardInterrupt:
            goal.draws = max(log.drawn for log in logs)
            if goal.draws == 0:
                queue.drop()
                raise
            queue.work_off(show)
            return True
        except BaseException:
            queue.drop()
            raise


class _Queue:
    """Chains that wait, and those that run."""

    def __init__(self, pool: ThreadPoolExecutor, lives: list[Life], logs: list[ChainLog], cores: int):
        self.pool, self.logs, self.cores = pool, logs, cores
        self.waiting = dict(enumerate(lives))
        self.running: dict[Future, tuple[int, Life]] = {}

    def work_off(self, show: Callable[[list[ChainLog]], None]) -> None:
        """Run until no chain is left."""
        while self.waiting or self.running:
            while self.waiting and len(self.running) < self.cores:
                number = min(self.waiting, key=lambda k: self.logs[k].done)
                life = self.waiting.pop(number)
                self.running[self.pool.submit(_breath, life)] = (number, life)
            finished, _ = wait(self.running, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in finished:
                number, life = self.running.pop(future)
                if future.result():
                    self.waiting[number] = life
            show(self.logs)

    def drop(self) -> None:
        """Start nothing more."""
        self.waiting.clear()
        for future in self.running:
            future.cancel()


def _breath(life: Life) -> Any:
    """Let a chain run for a moment; whether there is more to do."""
    import time

    from finetti.engines.nuts.chain import BREATH

    end = time.perf_counter() + BREATH
    for _ in life:
        if time.perf_counter() > end:
            return True
    return False
