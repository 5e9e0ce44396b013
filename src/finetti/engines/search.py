"""Where the mass of a posterior of a few coordinates may be: modes found from many points, not from one.

Points are spread over the prior; from the best of them, and from others that may belong to another mode, climbs begin.
A point may if it is far from all that are higher (Rodriguez, Laio 2014, Science 344, on density peaks) and the density
dips between it and every mode found.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from finetti.density import Density
from finetti.engines.batches import Counting, Evaluate
from finetti.engines.modes import Mode, distinct, modes_from
from finetti.engines.scatter import is_bounded, spread

POINTS, LEAST_POINTS = 4096, 256  # points of a search
SEARCH_WORK = 100_000_000  # numbers touched by their evaluations at most
MORE_POINTS, MORE_WORK = 32768, 2_000_000  # of a density in two dimensions or more that costs next to nothing
HIGHEST = 256  # points among which peaks are looked for
CLIMBS = {1: 16, 2: 12}  # from that many peaks
MORE_CLIMBS = 8  # with more coordinates
BETWEEN = np.linspace(0.0, 1.0, 9)[1:-1]  # places between two points at which the density is looked at
LOW = 25.0  # log density below the highest at which a mode no longer matters
DIP = 0.5  # in log density that tells two peaks apart


class Found(NamedTuple):
    """What a search has found.

    Args:
        points: (point, coordinate) of finite density, and `values` (point,) its logarithms.
        modes: the highest first.
        tried: points evaluated.
        bounded: whether the prior has an end in every direction, so that it could be searched all over.
    """

    points: np.ndarray
    values: np.ndarray
    modes: list[Mode]
    tried: int
    bounded: bool = True

    @property
    def peaks(self) -> int:
        """How many modes are high enough to matter; one where the highest point is on an edge, where no climb ends."""
        return max(1, sum(mode.height > self.values.max() - LOW for mode in self.modes))

    def told(self) -> dict[str, int]:
        """For the attributes of a trace."""
        return {
            "search_points": self.tried, "search_finite": len(self.points), "search_modes": self.peaks,
            "search_bounded": int(self.bounded),
        }  # fmt: skip


def points_for(width: int, dimensions: int = 1) -> int:
    """How many points a search may take where one evaluation touches `width` numbers."""
    usual = np.clip(SEARCH_WORK // width, LEAST_POINTS, POINTS)
    more = 0 if dimensions == 1 else min(MORE_WORK // width, MORE_POINTS)
    return int(max(usual, more))


def search(
    density: Density, evaluate: Counting, start: np.ndarray, rng: np.random.Generator, *, width: int
) -> Found:
    """Look for modes all over the prior.

    Args:
        density: of the model.
        evaluate: its log density (point, coordinate) -> (point,), -inf where it is not finite.
        start: (coordinate,) a point of finite density.
        rng: places the points.
        width: numbers touched by one evaluation, which bounds how many there are.

    Raises:
        TooMany: more evaluations than allowed.
    """
    points = np.concatenate([start[None], spread(density, points_for(width, density.size), rng)])
    return modes_among(evaluate, points, bounded=is_bounded(density))


def modes_among(
    evaluate: Evaluate, points: np.ndarray, *, bounded: bool = True, known: list[Mode] | None = None
) -> Found:
    """The modes that climbs from the most promising of some points lead to.

    Args:
        evaluate: (point, coordinate) -> log density (point,), -inf where it is not finite.
        points: (point, coordinate).
        bounded: see `Found`.
        known: modes found before.
    """
    values = evaluate(points) if len(points) else np.zeros(0)
    seen = np.isfinite(values)
    points, values = points[seen], values[seen]
    modes = list(known or [])
    if not len(points):
        return Found(points, values, modes, len(seen), bounded)
    peaks = _peaks(points, values)
    if not modes:
        modes = modes_from(evaluate, points[peaks[:1]])
    apart = [k for k in peaks if not _joined(evaluate, points[k], values[k], modes)]
    found = modes_from(evaluate, points[apart]) if apart else []
    return Found(points, values, distinct([*modes, *found]), len(seen), bounded)


def _peaks(points: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Indices of the points from which it is worth climbing, the best first."""
    d = points.shape[1]
    most = CLIMBS.get(d, MORE_CLIMBS)
    if len(points) <= most:
        return np.argsort(-values, kind="stable")
    if d == 1:
        order = np.argsort(points[:, 0])
        along = np.concatenate([[-np.inf], values[order], [-np.inf]])
        local = order[(along[1:-1] >= along[:-2]) & (along[1:-1] >= along[2:])]
        return local[np.argsort(-values[local], kind="stable")][:most]
    best = np.argsort(-values, kind="stable")[:HIGHEST]
    scale = np.ptp(points[best], axis=0)
    placed = points[best] / np.where(scale > 0, scale, 1.0)
    apart = ((placed[:, None] - placed[None]) ** 2).sum(axis=-1)
    higher = np.tri(len(best), k=-1, dtype=bool)  # those that come before
    to_higher = np.where(higher, apart, np.inf).min(axis=1, initial=np.inf)
    return np.concatenate([best[:1], best[1:][np.argsort(-to_higher[1:], kind="stable")][: most - 1]])


def _joined(evaluate: Evaluate, point: np.ndarray, value: float, modes: list[Mode]) -> bool:
    """Whether the way from a point to some mode leads up all along."""
    for mode in modes:
        way = evaluate(point + BETWEEN[:, None] * (mode.place - point))
        if way.min() > value - DIP and (np.diff(way) > -DIP).all():
            return True
    return False
