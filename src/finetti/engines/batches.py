"""A log density at many points, in NumPy: in batches that fit the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from finetti.density import Density
from finetti.interrupts import check
from finetti.model.graph import Node

BATCH = 700_000  # numbers that one batch's evaluation holds in its widest arrays, about
MOST_POINTS = 1024  # of a batch; more save no time

Evaluate = Callable[[np.ndarray], np.ndarray]


class Batches:
    """The log density (point,) of points (point, coordinate).

    On one thread: array operations are so short that two would wait for each other's turn as long as they would save.

    Args:
        density: of the model.
        arguments: others than its own.
    """

    def __init__(self, density: Density, arguments: Mapping[Node, np.ndarray] | None = None):
        self.density, self.width = density, _width(density)
        own = density.arguments if arguments is None else arguments
        self.arguments = {node: value[None] for node, value in own.items()}
        self.points = min(MOST_POINTS, max(1, BATCH // self.width))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        batches = [points[k : k + self.points] for k in range(0, len(points), self.points)]
        return np.concatenate([self._of(batch) for batch in batches])

    def _of(self, points: np.ndarray) -> np.ndarray:
        check()
        with np.errstate(all="ignore"):
            return np.broadcast_to(self.density(points, self.arguments, lead=1), len(points))


class TooMany(Exception):
    """More evaluations than allowed."""


class Counting:
    """The log density, -inf where it is not finite, with a count of its evaluations.

    Args:
        evaluate: points (point, coordinate) -> log density (point,).
        most: evaluations at most; beyond it `TooMany` is raised.
    """

    def __init__(self, evaluate: Evaluate, most: float = np.inf):
        self.evaluate, self.most, self.evaluations = evaluate, most, 0

    def __call__(self, points: np.ndarray) -> np.ndarray:
        self.evaluations += len(points)
        if self.evaluations > self.most:
            raise TooMany
        with np.errstate(all="ignore"):
            values = np.asarray(self.evaluate(points), float)
        return np.where(np.isfinite(values), values, -np.inf)


def _width(density: Density) -> int:
    """Numbers touched by one evaluation, about."""
    width = sum(argument.size for argument in density.arguments.values())
    if density.reductions:
        width = sum(reduction.width for reduction in density.reductions)
    return max(width, max((node.size for node in density.randoms), default=1), 1)
