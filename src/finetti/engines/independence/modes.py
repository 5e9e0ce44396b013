"""Modes of a log density of a few coordinates, from its values alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from finetti.engines.batches import Evaluate

STEP = 0.1  # of the differences
ROUNDS = 30
SHORTER = 0.3  # by how much, after a step that does not lead up
LONGEST = 3.0  # change of a coordinate in one step
FLATTEST = 1e-2  # curvature below which a direction counts as flat
CLOSE = 0.05  # expected gain in log density at which a climb ends


class Mode(NamedTuple):
    """A mode: its place (coordinate,), log density there, and a factor R of its inverse curvature RR'."""

    place: np.ndarray
    height: float
    root: np.ndarray


def modes_from(evaluate: Evaluate, starts: np.ndarray) -> list[Mode]:
    """The modes that climbs from some starts (start, coordinate) lead to, the highest first; each is named once.

    Newton's method with differences; all climb together, because a call costs more than the points in it.

    Args:
        evaluate: (point, coordinate) -> log density (point,).
        starts: those without a finite log density around them, or from where it rises without end, are left out.
    """
    d = starts.shape[1]
    offsets = STEP * _stencil(d)
    climbs = [_Climb(start) for start in starts]
    for _ in range(ROUNDS):
        going = [climb for climb in climbs if not climb.ended]
        if not going:
            break
        around = np.stack([climb.place + climb.step for climb in going])[:, None] + offsets
        values = evaluate(around.reshape(-1, d)).reshape(len(going), -1)
        for climb, seen in zip(going, values, strict=True):
            climb.go_on(seen)
    found = [climb.mode for climb in climbs if climb.ended and climb.mode is not None]
    return _distinct(sorted(found, key=lambda mode: -mode.height))


class _Climb:
    """One climb: where it is, and the step it tries next."""

    def __init__(self, start: np.ndarray):
        self.place, self.step = start, np.zeros_like(start)
        self.mode: Mode | None = None
        self.ended = False

    def go_on(self, seen: np.ndarray) -> None:
        """Take the step tried where it leads up, else a shorter one, after the values on the stencil there are seen."""
        if np.isfinite(seen).all() and (self.mode is None or seen[0] > self.mode.height):
            self.place = self.place + self.step
            gradient, root = _differences(seen, len(self.place))
            self.mode = Mode(self.place, float(seen[0]), root)
            self.step = root @ (root.T @ gradient)
            self.ended = bool(gradient @ self.step < CLOSE)
            self.step *= min(1.0, LONGEST / max(np.abs(self.step).max(), LONGEST))
        else:
            self.step = self.step * SHORTER
            self.ended = self.mode is None or np.abs(self.step).max() < STEP


def _stencil(d: int) -> np.ndarray:
    """Where differences are taken: the middle, either side of each coordinate, and of each pair."""
    one = np.eye(d)
    both = np.array([one[a] + one[b] for a, b in _pairs(d)]).reshape(-1, d)
    return np.concatenate([np.zeros((1, d)), one, -one, both, -both])


def _pairs(d: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(d) for b in range(a)]


def _differences(values: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Gradient, and a factor of the inverse of minus the second derivatives, from values on the stencil."""
    middle, up, down = values[0], values[1 : 1 + d], values[1 + d : 1 + 2 * d]
    gradient = (up - down) / (2 * STEP)
    hessian = np.diag((up + down - 2 * middle) / STEP**2)
    low, high = np.split(values[1 + 2 * d :], 2)
    for k, (a, b) in enumerate(_pairs(d)):
        both = (low[k] + high[k] - 2 * middle) / STEP**2
        hessian[a, b] = hessian[b, a] = 0.5 * (both - hessian[a, a] - hessian[b, b])
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
