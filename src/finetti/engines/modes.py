"""Modes of a log density of a few coordinates, from its values alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

STEP = 0.1  # of the differences
ROUNDS = 30
TRIES = np.array([2.0, 1.0, 0.5, 0.25, 0.1, 0.03])  # of a Newton step
LONGEST = 3.0  # change of a coordinate in one step
FLATTEST = 1e-2  # curvature below which a direction counts as flat
CLOSE = 1e-2  # expected gain at which a climb ends

Evaluate = Callable[[np.ndarray], np.ndarray]


class Mode(NamedTuple):
    """A mode: place (coordinate,), log density, and a factor R (coordinate, coordinate) of the inverse curvature RR'."""

    place: np.ndarray
    height: float
    root: np.ndarray


def modes_from(evaluate: Evaluate, starts: np.ndarray) -> list[Mode]:
    """The modes that climbs from some starts (start, coordinate) lead to, the highest first; each is named once.

    Newton's method with second differences and the best of a few lengths along each step; all climb together,
    because a call costs more than the points in it.

    Args:
        evaluate: (point, coordinate) -> log density (point,).
        starts: those without a finite log density around them are left out.
    """
    d = starts.shape[1]
    offsets = _stencil(d)
    places, ended = starts.copy(), [False] * len(starts)
    modes: dict[int, Mode] = {}
    for _ in range(ROUNDS):
        going = [k for k in range(len(starts)) if not ended[k]]
        if not going:
            break
        around = evaluate((places[going, None] + STEP * offsets).reshape(-1, d)).reshape(len(going), -1)
        steps = np.zeros((len(going), d))
        for row, k in enumerate(going):
            if not np.isfinite(around[row]).all():
                ended[k] = True
                continue
            gradient, root = _differences(around[row], d)
            steps[row] = root @ (root.T @ gradient)
            modes[k] = Mode(places[k].copy(), float(around[row, 0]), root)
            ended[k] = bool(gradient @ steps[row] < CLOSE)
            steps[row] *= min(1.0, LONGEST / max(np.abs(steps[row]).max(), 1e-300))
        tried = places[going, None] + TRIES[:, None] * steps[:, None]
        values = evaluate(tried.reshape(-1, d)).reshape(len(going), -1)
        for row, k in enumerate(going):
            if not ended[k] and values[row].max() > modes[k].height:
                places[k] = tried[row, values[row].argmax()]
            else:
                ended[k] = True
    return _distinct(sorted(modes.values(), key=lambda mode: -mode.height))


def _stencil(d: int) -> np.ndarray:
    """Where differences are taken: the middle, either side of each coordinate, and of each pair."""
    one = np.eye(d)
    both = np.array([one[i] + one[j] for i in range(d) for j in range(i)]).reshape(-1, d)
    return np.concatenate([np.zeros((1, d)), one, -one, both, -both])


def _differences(values: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Gradient, and a factor of the inverse of minus the second derivatives, from values on the stencil."""
    middle, up, down = values[0], values[1 : 1 + d], values[1 + d : 1 + 2 * d]
    gradient = (up - down) / (2 * STEP)
    hessian = np.diag((up + down - 2 * middle) / STEP**2)
    low, high = np.split(values[1 + 2 * d :], 2)
    for k, (i, j) in enumerate((i, j) for i in range(d) for j in range(i)):
        both = (low[k] + high[k] - 2 * middle) / STEP**2
        hessian[i, j] = hessian[j, i] = 0.5 * (both - hessian[i, i] - hessian[j, j])
    curvature, vectors = np.linalg.eigh(-hessian)
    curvature = np.maximum(np.abs(curvature), FLATTEST)
    return gradient, np.linalg.cholesky(vectors / curvature @ vectors.T)


def _distinct(modes: list[Mode]) -> list[Mode]:
    """Those that are not within a standard deviation of a higher one."""
    kept: list[Mode] = []
    for mode in modes:
        if all(np.linalg.norm(np.linalg.solve(other.root, mode.place - other.place)) > 1.0 for other in kept):
            kept.append(mode)
    return kept
