"""One or two coordinates: the region that holds the mass, cut into cells that are finer where there is more to see.

Each cell is a box with five nodes along each axis. A cell is cut in two along each axis while the density, interpolated
from every second node, misses the nodes in between by too much. So a narrow mode beside a wide one, a heavy tail and a
jump at an edge all get the cells they need.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from finetti.engines.batches import Evaluate, TooMany

NODES = 5  # along each axis of a cell
PARTS = NODES - 1
LEVELS = 60  # of halving, at most
MOST = 4000  # cells


@dataclass(frozen=True)
class Cells:
    """A log density on cells.

    Args:
        low: (cell, axis) lower corners.
        size: (cell, axis) lengths.
        values: (cell, node, ...) log densities at the nodes, one axis of nodes for each coordinate.
    """

    low: np.ndarray
    size: np.ndarray
    values: np.ndarray

    @property
    def axes(self) -> int:
        """Number of coordinates."""
        return self.low.shape[1]

    @property
    def top(self) -> float:
        """The highest log density at a node."""
        return float(self.values.max())

    def volume(self) -> np.ndarray:
        """(cell,)."""
        return self.size.prod(axis=1)

    def errors(self) -> tuple[np.ndarray, np.ndarray]:
        """(cell,) mass over exp(top), and how much of it interpolation from every second node misses."""
        density = np.exp(self.values - self.top)
        missed = np.abs(density - _interpolated(density))
        everything = tuple(range(1, density.ndim))
        return density.mean(axis=everything) * self.volume(), missed.mean(axis=everything) * self.volume()

    def part(self, which: np.ndarray) -> Cells:
        """Some of the cells."""
        return Cells(self.low[which], self.size[which], self.values[which])

    def __len__(self) -> int:
        return len(self.low)


def _interpolated(density: np.ndarray) -> np.ndarray:
    """What every second node says of all of them, linear along each axis."""
    for axis in range(1, density.ndim):
        guessed = np.moveaxis(density, axis, -1).copy()
        guessed[..., 1::2] = 0.5 * (guessed[..., 0:-1:2] + guessed[..., 2::2])
        density = np.moveaxis(guessed, -1, axis)
    return density


def one_cell(evaluate: Evaluate, ends: np.ndarray) -> Cells:
    """The box between `ends` (axis, 2), already cut once along each axis."""
    low, size = ends[None, :, 0], (ends[:, 1] - ends[:, 0])[None]
    return cut(evaluate, Cells(low, size, np.full((1, *(NODES,) * len(ends)), np.nan)))


def refined(evaluate: Evaluate, cells: Cells, *, tolerance: float) -> Cells:
    """The cells, cut until interpolation from every second node misses no more than a share of all mass.

    Raises:
        TooMany: more cells than any posterior worth a grid needs.
    """
    for _ in range(LEVELS):
        mass, missed = cells.errors()
        coarse = coarsest(missed, tolerance * float(mass.sum()))
        if not coarse.any():
            break
        if len(cells) > MOST:
            raise TooMany
        cells = joined(cells.part(~coarse), cut(evaluate, cells.part(coarse)))
    return cells


def coarsest(missed: np.ndarray, allowed: float) -> np.ndarray:
    """(cell,) those that miss most, if too much is missed in all; the others together miss half of what is allowed."""
    if missed.sum() <= allowed:
        return np.zeros(len(missed), bool)
    order = np.argsort(missed, kind="stable")
    coarse = np.ones(len(missed), bool)
    coarse[order[np.cumsum(missed[order]) <= 0.5 * allowed]] = False
    return coarse


def joined(a: Cells, b: Cells) -> Cells:
    """The cells of both."""
    return Cells(*(np.concatenate(pair) for pair in ((a.low, b.low), (a.size, b.size), (a.values, b.values))))


def cut(evaluate: Evaluate, cells: Cells) -> Cells:
    """Each cell halved along each axis; nodes the whole had are not evaluated again."""
    halves = []
    for side in product((0, 1), repeat=cells.axes):
        values = np.full(cells.values.shape, np.nan)
        part = tuple(slice(s * PARTS // 2, s * PARTS // 2 + PARTS // 2 + 1) for s in side)
        values[(slice(None), *(slice(None, None, 2),) * cells.axes)] = cells.values[(slice(None), *part)]
        halves.append((cells.low + np.array(side) * cells.size / 2, cells.size / 2, values))
    return _evaluated(evaluate, Cells(*(np.concatenate(parts) for parts in zip(*halves, strict=True))))


def _evaluated(evaluate: Evaluate, cells: Cells) -> Cells:
    """The cells with all their nodes evaluated that were not yet."""
    flat = cells.values.reshape(len(cells), -1)
    cell, node = np.nonzero(np.isnan(flat))
    place = np.stack(np.unravel_index(node, cells.values.shape[1:]), axis=-1) / PARTS
    flat[cell, node] = evaluate(cells.low[cell] + place * cells.size[cell])
    return Cells(cells.low, cells.size, flat.reshape(cells.values.shape))
