"""The course of warmup: when the metric is learned, from which draws, and how the step size is tuned meanwhile.

After nutpie (Seyboldt, Carlson, Carpenter 2026, arXiv 2603.18845): a foreground window, from which the metric is
estimated, and behind it a background window that will replace it, so that early draws are forgotten without ever
starting again from nothing. Estimation happens between short compiled chunks, with their draws and gradients at hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from finetti.engines.nuts import metric as metrics
from finetti.engines.nuts.metric import Diagonal
from finetti.engines.nuts.program import Mode

EARLY_PART, LAST_PART = 0.3, 0.15
EARLY_WINDOW, FIRST_WINDOW, GROWTH = 10, 80, 1.5
ESTIMATE_EVERY = 20


@dataclass(frozen=True)
class Stretch:
    """A run of warmup transitions between two moments of learning.

    Args:
        mode: how the step size is tuned.
        length: transitions.
        learn: whether the metric is estimated afterwards.
        forget: whether, after that, the background window becomes the foreground.
    """

    mode: Mode
    length: int
    learn: bool
    forget: bool


def course(tune: int) -> Iterator[Stretch]:
    """The stretches of a warmup of `tune` transitions."""
    last = round(LAST_PART * tune)
    early = min(round(EARLY_PART * tune), tune - last)
    for length in _pieces(early, EARLY_WINDOW):
        yield Stretch(Mode.EARLY, length, learn=True, forget=length == EARLY_WINDOW)
    for window in _growing_windows(tune - last - early):
        for left, length in _countdown(window, ESTIMATE_EVERY):
            yield Stretch(Mode.LATE, length, learn=True, forget=left == 0)
    if last:
        yield Stretch(Mode.LATE, last, learn=False, forget=False)


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


@dataclass
class Windows:
    """Draws and gradients of the foreground window and, from `background` on, of the window that will follow it."""

    draws: list[np.ndarray]
    gradients: list[np.ndarray]
    background: int = 0

    def add(self, draws: np.ndarray, gradients: np.ndarray) -> None:
        """Append the rows of a stretch."""
        self.draws.append(draws)
        self.gradients.append(gradients)

    def estimate(self, present: Diagonal) -> Diagonal:
        """The metric of the foreground window; the present one where that holds too little."""
        draws, gradients = np.concatenate(self.draws), np.concatenate(self.gradients)
        return present if len(draws) < 3 else metrics.from_window(draws, gradients, present)

    def forget(self) -> None:
        """Let the background window take the foreground's place and open a new one behind it."""
        del self.draws[: self.background], self.gradients[: self.background]
        self.background = len(self.draws)
