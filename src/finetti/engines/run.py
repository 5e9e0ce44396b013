"""Strands on threads of one process: who runs next, who sees how far they are, and what happens at Ctrl-C.

Compiled chunks release the interpreter's lock, so threads run side by side. The strand that is least far goes next, so
that all stop at about the same draw. An interrupted run is brought to the same number of draws and loses none; at a
second Ctrl-C it ends at once, with the draws that every chain has.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from typing import Any

from finetti.engines.contract import Ready, Sink
from finetti.interrupts import check

BREATH = 0.05  # seconds between two moments at which a strand can be shown or stopped


def run(ready: Ready, states: Sequence[Any], sink: Sink, *, cores: int) -> tuple[tuple[Any, ...], bool]:
    """Step from state to state until every chain has as many draws as the sink wants.

    Args:
        ready: an engine made ready.
        states: of its strands; those it starts with, or others that were written down.
        sink: takes the draws.
        cores: threads at most.

    Returns:
        The states at the end, and whether the run was interrupted.

    Raises:
        KeyboardInterrupt: at Ctrl-C before every chain has a draw.
    """
    going = _Going(ready, states, sink)
    try:
        _work_off(going, cores)
        return tuple(going.states), False
    except KeyboardInterrupt:  # a chunk that was under way still counts towards what the furthest chain has
        going.most = max(going.drawn())
        if going.most == 0:
            raise
    try:
        _work_off(going, cores)
    except KeyboardInterrupt:
        if min(going.drawn()) == 0:
            raise
    return tuple(going.states), True


class _Going:
    """A run while it goes on.

    Args:
        ready, states, sink: see `run`.
    """

    def __init__(self, ready: Ready, states: Sequence[Any], sink: Sink):
        self.ready, self.states, self.sink = ready, list(states), sink
        self.most = float("inf")  # draws of each chain; lowered at Ctrl-C

    def drawn(self) -> list[int]:
        """Draws of every chain."""
        return [chain.drawn for state in self.states for chain in self.ready.shown(state)]

    def done(self, strand: int) -> int:
        """Transitions that the strand's last chain has behind it."""
        return min(chain.done for chain in self.ready.shown(self.states[strand]))

    def unfinished(self, strand: int) -> bool:
        """Whether draws are wanted that its chains don't have."""
        return min(chain.drawn for chain in self.ready.shown(self.states[strand])) < self._wanted()

    def breath(self, strand: int) -> bool:
        """Let a strand run for a moment; whether there is more to do."""
        end = time.perf_counter() + BREATH
        while self.unfinished(strand):
            self.states[strand], batches = self.ready.step(self.states[strand], self._wanted())
            for batch in batches:
                self.sink.take(batch)
            if time.perf_counter() > end:
                return self.unfinished(strand)
        return False

    def watched(self) -> None:
        """Show how far all chains are; a Ctrl-C is raised here."""
        self.sink.watch([chain for state in self.states for chain in self.ready.shown(state)])
        check()

    def _wanted(self) -> int:
        return int(min(self.sink.wanted, self.most))


def _work_off(going: _Going, cores: int) -> None:
    if len(going.states) == 1:  # no thread to wait for
        while going.breath(0):
            going.watched()
        going.watched()
        return
    with ThreadPoolExecutor(cores, thread_name_prefix="finetti") as pool:
        _in_turn(going, pool, cores)


def _in_turn(going: _Going, pool: Executor, cores: int) -> None:
    """Run until no strand is left; one that has ended before ends again at once."""
    waiting = set(range(len(going.states)))
    running: dict[Future[bool], int] = {}
    while waiting or running:
        while waiting and len(running) < cores:
            strand = min(waiting, key=lambda k: (going.done(k), k))
            waiting.remove(strand)
            running[pool.submit(going.breath, strand)] = strand
        finished, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
        for future in finished:
            strand = running.pop(future)
            if future.result():
                waiting.add(strand)
        going.watched()
