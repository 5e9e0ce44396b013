"""A log density at many points, in NumPy: in batches that fit the cache, on threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from finetti.density import Density

BATCH = 1_000_000  # numbers that one batch's evaluation holds in its widest arrays, about
MOST_POINTS = 1024  # of a batch; more save no time


class Batches:
    """The log density of points (point, coordinate); -inf where it is not finite.

    Args:
        density: of the model.
        threads: for batches; values do not depend on how many there are.
    """

    def __init__(self, density: Density, threads: int = 1):
        self.density, self.threads, self.width = density, threads, _width(density)
        self.arguments = density.batched_arguments()
        self.points = min(MOST_POINTS, max(1, BATCH // self.width))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        batches = [points[k : k + self.points] for k in range(0, len(points), self.points)]
        if self.threads == 1 or len(batches) < 2:
            parts = [self._of(batch) for batch in batches]
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                parts = list(pool.map(self._of, batches))
        return np.concatenate(parts)

    def _of(self, points: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            values = np.broadcast_to(self.density(points, self.arguments, lead=1), len(points))
        return np.where(np.isfinite(values), values, -np.inf)


def _width(density: Density) -> int:
    """Numbers touched by one evaluation, about."""
    width = sum(argument.size for argument in density.arguments.values())
    if density.gaussian is not None:
        width = density.gaussian.layout.entries + max((n.size for n in density.gaussian.nodes), default=1)
        width += sum(rows.products.size for rows in density.gaussian.varying)
    return max(width, max((node.size for node in density.randoms), default=1), 1)
