"""The course of warmup: when the metric is learned, from which draws, and how the step size is tuned meanwhile.

After nutpie (Seyboldt, Carlson, Carpenter 2026, arXiv 2603.18845): a foreground window, from which the metric is
estimated, and behind it a background window that will replace it, so that early draws are forgotten without ever
starting again from nothing. Estimation happens between short compiled chunks, with their draws and gradients at hand.

Where trajectories follow the metric's Gaussian (see `split`), warmup has settled when a window of the late part begins
and ends with that Gaussian trusted. What is left is left out, but for some transitions that tune the step size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from finetti.engines.nuts import metric as metrics
from finetti.engines.nuts.metric import Diagonal, LowRank, Metric
from finetti.engines.nuts.program import Purpose

EARLY_PART, LAST_PART = 0.3, 0.15
EARLY_WINDOW, FIRST_WINDOW, GROWTH = 10, 80, 1.5
ESTIMATE_EVERY = 40
RECENTRE_EVERY = 60  # transitions, in the early part
LOOK_EVERY = 50  # likewise, for directions of the metric
SHALLOW = 50  # transitions at the beginning
KEPT_STRETCHES = 6  # before the foreground, for recentring


@dataclass(frozen=True)
class Stretch:
    """A run of warmup transitions between two moments of learning.

    Args:
        mode: how the step size is tuned.
        length: transitions.
        learn: whether the metric is estimated afterwards.
        forget: whether, after that, the background window becomes the foreground.
        look: whether the metric's directions are looked for, too.
        recentre: whether the centring of latents is learned afterwards, from all draws kept.
        shallow: whether long trajectories would be wasted: the metric knows nothing yet.
    """

    mode: Purpose
    length: int
    learn: bool
    forget: bool
    look: bool = False
    recentre: bool = False
    shallow: bool = False

    @property
    def closes(self) -> bool:
        """Whether a window of the late part ends here."""
        return self.mode == Purpose.LATE and self.look

    def once_settled(self) -> Stretch:
        """What is left of it when there is nothing more to learn: half of the last stretch, for the step size."""
        length = 0 if self.learn else round(self.length / 2)
        return Stretch(self.mode, length, learn=False, forget=False)


def course(tune: int) -> Iterator[Stretch]:
    """The stretches of a warmup of `tune` transitions."""
    last = round(LAST_PART * tune)
    early = min(round(EARLY_PART * tune), tune - last)
    done = 0
    for length in _pieces(early, EARLY_WINDOW):
        done += length
        look, recentre = done % LOOK_EVERY == 0, done % RECENTRE_EVERY == 0
        yield Stretch(
            Purpose.EARLY, length, learn=True, forget=length == EARLY_WINDOW, look=look, recentre=recentre,
            shallow=done <= SHALLOW,
        )  # fmt: skip
    windows = list(_growing_windows(tune - last - early))
    for number, window in enumerate(windows, start=1):
        for left, length in _countdown(window, ESTIMATE_EVERY):
            ends = left == 0
            recentre = ends and number < len(windows)
            yield Stretch(Purpose.LATE, length, learn=True, forget=ends, look=ends, recentre=recentre)
    if last:
        yield Stretch(Purpose.LATE, last, learn=False, forget=False)


def _pieces(total: int, size: int) -> list[int]:
    return [size] * (total // size) + ([total % size] if total % size else [])


def _countdown(total: int, size: int) -> Iterator[tuple[int, int]]:
    """Pieces of a window, each with what is left after it."""
    for length in _pieces(total, size):
        total -= length
        yield total, length


def _growing_windows(total: int) -> Iterator[int]:
    """Window lengths that grow and add up to `total`; the last takes what would be too short for one of its own."""
    size = FIRST_WINDOW
    while total:
        grown = round(size * GROWTH)
        window = size if total >= size + grown else total
        yield window
        total, size = total - window, grown


class Windows(NamedTuple):
    """Draws and gradients of warmup, stretch by stretch.

    From `foreground` on they make the metric; from `background` on they belong to the window that will replace it.
    What lies before the foreground is kept for what needs more draws than a metric does. `failures` counts the
    estimates for which the numbers were too far apart: the metric then stays as it was.
    """

    draws: tuple[np.ndarray, ...] = ()
    gradients: tuple[np.ndarray, ...] = ()
    foreground: int = 0
    background: int = 0
    failures: int = 0

    def add(self, draws: np.ndarray, gradients: np.ndarray) -> Windows:
        """With the rows of a chunk behind the others."""
        return self._replace(draws=(*self.draws, draws), gradients=(*self.gradients, gradients))

    def estimate(self, present: Metric, *, directions: bool = False) -> tuple[Metric, Windows]:
        """The metric of the foreground window; the present one where that holds too little.

        Args:
            present: kept, if it has directions, until they are looked for again.
            directions: whether to look for them.
        """
        draws, gradients = (np.concatenate(kept[self.foreground :]) for kept in (self.draws, self.gradients))
        if len(draws) < 3 or (isinstance(present, LowRank) and not directions):
            return present, self
        with np.errstate(all="ignore"):
            diagonal = metrics.from_window(draws, gradients, Diagonal(*present[:3]))
        if not directions:
            return diagonal, self
        if len(draws) < metrics.MIN_DRAWS:
            draws, gradients = self.later_part()
        try:
            with np.errstate(all="ignore"):
                return metrics.with_directions(draws, gradients, diagonal), self
        except np.linalg.LinAlgError:
            return diagonal, self._replace(failures=self.failures + 1)

    def forget(self) -> Windows:
        """The background window in the foreground's place, and a new one opened behind it."""
        foreground, background = self.background, len(self.draws)
        unused = max(0, foreground - KEPT_STRETCHES)
        return Windows(
            self.draws[unused:], self.gradients[unused:], foreground - unused, background - unused, self.failures
        )  # fmt: skip

    def later_part(self) -> tuple[np.ndarray, np.ndarray]:
        """The later two thirds of what is kept: draws and gradients."""
        draws, gradients = np.concatenate(self.draws), np.concatenate(self.gradients)
        return draws[len(draws) // 3 :], gradients[len(draws) // 3 :]

    def cleared(self) -> Windows:
        """Nothing kept: a start in other coordinates."""
        return Windows(failures=self.failures)
