"""Modes of a log density of a few coordinates, from its values alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from finetti.engines.batches import Evaluate

STEP = 0.1  # of the differences, in standard deviations as far as they are known
ROUNDS = 60
SHORTER, LONGER = 0.3, 4.0  # by how much, after a step that does not lead up, and where a longer one leads higher
LONGEST = 3.0  # change of a coordinate in a step that is tried first
FAR = 100.0  # standard deviations; where a step is longer, differences are taken over a share of it
SHORTEST = 1e-4  # of a step, in standard deviations, below which a climb that leads no higher has ended
FLATTEST = 1e-2  # curvature below which a direction counts as flat
CONDITION = 1e10  # largest curvature over the smallest, at most
CLOSE = 0.05  # expected gain in log density at which a climb ends
NEAR = 10.0  # standard deviations; of differences in wider units nothing is believed about the end of a climb


class Mode(NamedTuple):
    """A mode: its place (coordinate,), log density there, and a factor R of its inverse curvature RR'."""

    place: np.ndarray
    height: float
    root: np.ndarray


def modes_from(evaluate: Evaluate, starts: np.ndarray) -> list[Mode]:
    """The modes that climbs from some starts (start, coordinate) lead to, the highest first; each is named once.

    Newton's method with differences, taken along and across the ridge that was found last; all climb together, because
    a call costs more than the points in it.

    Args:
        evaluate: (point, coordinate) -> log density (point,).
        starts: those without a finite log density around them, or from where it rises without end, are left out.
    """
    d = starts.shape[1]
    offsets = STEP * _stencil(d)
    climbs = [_Climb(start) for start in starts]
    with np.errstate(all="ignore"):
        for _ in range(ROUNDS):
            going = [climb for climb in climbs if not climb.ended]
            if not going:
                break
            around = np.stack([climb.tried(offsets) for climb in going])
            values = evaluate(around.reshape(-1, d)).reshape(len(going), -1)
            for climb, seen in zip(going, values, strict=True):
                climb.go_on(seen)
    found = [climb.mode for climb in climbs if climb.ended and climb.mode is not None]
    return distinct(found)


class _Climb:
    """One climb: where it is, the step it tries next, and the units in which differences are taken there.

    Those are the factor of the curvature it comes from, made wider where the step is very long for it.
    """

    def __init__(self, start: np.ndarray):
        self.place, self.step, self.unit = start, np.zeros_like(start), np.eye(len(start))
        self.mode: Mode | None = None
        self.near = self.ended = False  # whether differences were taken within some standard deviations

    def tried(self, offsets: np.ndarray) -> np.ndarray:
        """Points around the end of the step, and one further on."""
        if self.mode is not None:
            self.unit = self.mode.root * max(1.0, self._length() / FAR)
        around = self.place + self.step + offsets @ self.unit.T
        return np.concatenate([around, [self.place + LONGER * self.step]])

    def go_on(self, seen: np.ndarray) -> None:
        """Take the step tried where it leads up, else a shorter one, or one that leads higher still."""
        around, further = seen[:-1], seen[-1]
        higher = self.mode is None or around[0] > self.mode.height or not self.step.any()
        if not (higher and np.isfinite(around).all()):
            self.step = self.step * (SHORTER if self.near else 0.0)  # or look again from here, from nearer by
            self.ended = self.mode is None or (self.near and self._length() < SHORTEST)
        elif further > around[0]:
            self.step = self.step * LONGER
        else:
            self.place = self.place + self.step
            gradient, root = _differences(around, self.unit)
            self.mode = Mode(self.place, float(around[0]), root)
            self.step = root @ (root.T @ gradient)
            self.near = bool(np.abs(np.linalg.solve(root, self.unit)).max() < NEAR)
            self.ended = self.near and bool(gradient @ self.step < CLOSE)
            self.step *= min(1.0, LONGEST / max(np.abs(self.step).max(), LONGEST))

    def _length(self) -> float:
        """Of the step, in standard deviations as the last curvature has them."""
        assert self.mode is not None
        return float(np.abs(np.linalg.solve(self.mode.root, self.step)).max())


def _stencil(d: int) -> np.ndarray:
    """Where differences are taken: the middle, either side of each coordinate, and of each pair."""
    one = np.eye(d)
    both = np.array([one[a] + one[b] for a, b in _pairs(d)]).reshape(-1, d)
    return np.concatenate([np.zeros((1, d)), one, -one, both, -both])


def _pairs(d: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(d) for b in range(a)]


def _differences(values: np.ndarray, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient, and a factor of the inverse of minus the second derivatives, from values on the stencil in some units.

    Args:
        values: (point,) on the stencil.
        unit: (coordinate, coordinate) columns along which the stencil is laid out.
    """
    d = len(unit)
    middle, up, down = values[0], values[1 : 1 + d], values[1 + d : 1 + 2 * d]
    gradient = (up - down) / (2 * STEP)
    hessian = np.diag((up + down - 2 * middle) / STEP**2)
    low, high = np.split(values[1 + 2 * d :], 2)
    for k, (a, b) in enumerate(_pairs(d)):
        both = (low[k] + high[k] - 2 * middle) / STEP**2
        hessian[a, b] = hessian[b, a] = 0.5 * (both - hessian[a, a] - hessian[b, b])
    back = np.linalg.inv(unit)
    curvature, vectors = np.linalg.eigh(-back.T @ hessian @ back)
    curvature = np.abs(curvature)
    curvature = np.maximum(curvature, max(FLATTEST, curvature.max() / CONDITION))
    return back.T @ gradient, np.linalg.cholesky(vectors / curvature @ vectors.T)


def distinct(modes: list[Mode]) -> list[Mode]:
    """Those that are not within a standard deviation of a higher one, the highest first."""
    kept: list[Mode] = []
    for mode in sorted(modes, key=lambda mode: -mode.height):
        if all(np.linalg.norm(np.linalg.solve(other.root, mode.place - other.place)) > 1.0 for other in kept):
            kept.append(mode)
    return kept
