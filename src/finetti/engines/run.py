"""Chains on threads of one process: who runs next, what is shown, and what happens at Ctrl-C.

Compiled chunks release the interpreter's lock, so threads run side by side. The chain that is least far goes next,
so that all stop at about the same draw; an interrupted run is brought to the same number of draws and loses none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait

from finetti.engines.nuts.chain import ChainLog, Goal
from finetti.interrupts import check

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
    with _threads(cores) as pool:
        try:
            _work_off(pool, lives, logs, cores, show)
            return False
        except KeyboardInterrupt:
            pool.shutdown()  # waits: a chunk under way still counts towards what the furthest chain has
            goal.draws = max(log.drawn for log in logs)
            if goal.draws == 0:
                raise
    with _threads(cores) as pool:
        _work_off(pool, lives, logs, cores, show)
    return True


def _threads(cores: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores, thread_name_prefix="finetti")


def _work_off(
    pool: Executor, lives: list[Life], logs: list[ChainLog], cores: int, show: Callable[[list[ChainLog]], None]
) -> None:
    """Run until no chain is left; a chain that has ended before ends again at once."""
    waiting = dict(enumerate(lives))
    running: dict[Future[bool], int] = {}
    while waiting or running:
        while waiting and len(running) < cores:
            number = min(waiting, key=lambda k: logs[k].done)
            running[pool.submit(_breath, waiting.pop(number))] = number
        finished, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
        for future in finished:
            number = running.pop(future)
            if future.result():
                waiting[number] = lives[number]
        show(logs)
        check()


def _breath(life: Life) -> bool:
    """Let a chain run for a moment; whether there is more to do."""
    import time

    from finetti.engines.nuts.chain import BREATH

    end = time.perf_counter() + BREATH
    return any(time.perf_counter() > end for _ in life)
