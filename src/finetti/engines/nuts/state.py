"""The state of a chain of NUTS, warmup included: named tuples of numbers and arrays, and nothing else."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from finetti.engines.nuts.metric import Diagonal, LowRank, Metric
from finetti.engines.nuts.program import Chain, Chunk
from finetti.engines.nuts.step_size import StepSize
from finetti.engines.nuts.transition import Point
from finetti.engines.nuts.warmup import Windows


class Counts(NamedTuple):
    """What a chain has done so far.

    Args:
        done: transitions of warmup and draws together, those of warmup that were left out among them.
        left_out: how many those are.
        drawn: draws made.
        divergences: among the draws.
        tuning_gradients: gradient evaluations before the first draw.
        tuning_divergences: among the warmup transitions.
        fallbacks: how often warmup could not use what it saw, and kept what it knew.
    """

    done: int = 0
    left_out: int = 0
    drawn: int = 0
    divergences: int = 0
    tuning_gradients: int = 0
    tuning_divergences: int = 0
    fallbacks: int = 0

    def tuned(self, gradients: int) -> Counts:
        """With more gradients before the first draw."""
        return self._replace(tuning_gradients=self.tuning_gradients + gradients)

    def left(self, transitions: int) -> Counts:
        """With some transitions of warmup left out."""
        return self._replace(done=self.done + transitions, left_out=self.left_out + transitions)

    def warmed(self, chunk: Chunk) -> Counts:
        """With a chunk of warmup."""
        n, statistics = int(chunk.filled), chunk.rows.statistics
        return self.tuned(int(statistics.n_steps[:n].sum()))._replace(
            done=self.done + n, tuning_divergences=self.tuning_divergences + int(statistics.diverging[:n].sum())
        )

    def sampled(self, chunk: Chunk) -> Counts:
        """With a chunk of draws."""
        n = int(chunk.filled)
        divergences = self.divergences + int(chunk.rows.statistics.diverging[:n].sum())
        return self._replace(done=self.done + n, drawn=self.drawn + n, divergences=divergences)


class Warmup(NamedTuple):
    """How far warmup is.

    Args:
        stretch: which of its course is under way.
        within: transitions of it that are done.
        windows: draws and gradients kept.
        settled: whether there is nothing more to learn.
        trusted: whether the Gaussian that the metric stands for was good enough when it was last looked at.
    """

    stretch: int = 0
    within: int = 0
    windows: Windows = Windows()
    settled: bool = False
    trusted: bool = False


class ChainState(NamedTuple):
    """All that a chain goes on from.

    Args:
        number: which chain.
        chain: what one transition hands to the next.
        metric: that trajectories follow.
        learned: numbers of the coordinates that were learned.
        warmup: how far it is; None when it is over.
        counts: what was done so far.
        pace: transitions asked for at once; draws do not depend on it.
    """

    number: int
    chain: Chain
    metric: Metric
    learned: tuple[np.ndarray, ...] = ()
    warmup: Warmup | None = Warmup()
    counts: Counts = Counts()
    pace: int = 20

    @property
    def done(self) -> int:
        """Transitions done, or left out."""
        return self.counts.done

    @property
    def drawn(self) -> int:
        """Draws made."""
        return self.counts.drawn

    @property
    def divergences(self) -> int:
        """Among the draws."""
        return self.counts.divergences

    @property
    def step(self) -> float:
        """Step size now."""
        sizes = self.chain.step
        return float(np.exp(sizes.log_average if self.warmup is None else sizes.log_step))


# what a state is made of, for `written.from_arrays`
KINDS = (ChainState, Chain, Point, StepSize, Diagonal, LowRank, Warmup, Windows, Counts)
