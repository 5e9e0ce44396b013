"""Random walks from draws, to see what the distribution they were drawn from has missed.

If draws follow the posterior, steps of Metropolis's algorithm leave them where they are, as a whole. If a part was
missed that can be reached, say a ridge too narrow to be seen from outside, some of the walks lead into it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from finetti.engines.batches import Evaluate

WALKERS, STEPS = 128, 32
SIZES = (-3.0, 0.5)  # of the steps, powers of ten, in units of the distribution's own spread


class Walked(NamedTuple):
    """Where the walks went.

    Args:
        tried: (point, coordinate) all points that were looked at, with log densities `values` (point,).
        ends: (walker, coordinate) where the walkers are in the end, with log densities `end_values` (walker,).
    """

    tried: np.ndarray
    values: np.ndarray
    ends: np.ndarray
    end_values: np.ndarray


def walked(
    evaluate: Evaluate, starts: np.ndarray, values: np.ndarray, root: np.ndarray, rng: np.random.Generator
) -> Walked:
    """Walk from some draws, with steps of all sizes.

    Args:
        evaluate: (point, coordinate) -> log density (point,).
        starts: (walker, coordinate) draws, with log densities `values` (walker,).
        root: (coordinate, coordinate) a factor of their covariance, or of one like it.
        rng: of the steps.
    """
    place, height = starts, values
    tried, seen = [], []
    for _ in range(STEPS):
        size = 10.0 ** rng.uniform(*SIZES, (len(place), 1))
        new = place + size * rng.standard_normal(place.shape) @ root.T
        there = evaluate(new)
        with np.errstate(invalid="ignore"):
            taken = np.log(rng.random(len(place))) < there - height
        place, height = np.where(taken[:, None], new, place), np.where(taken, there, height)
        tried.append(new)
        seen.append(there)
    return Walked(np.concatenate(tried), np.concatenate(seen), place, height)
