"""A density that is linear between the nodes of many small boxes: its value anywhere, and draws from it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from finetti.engines.cells import PARTS, Cells

TOGETHER = 64  # points that are held against all cells at once


@dataclass(frozen=True)
class Patches:
    """Boxes with a density that is linear (on a plane: bilinear) between their corners.

    Args:
        low, size: (patch, axis).
        corners: (patch, corner) densities, the last axis of coordinates changing first.
    """

    low: np.ndarray
    size: np.ndarray
    corners: np.ndarray

    @property
    def mass(self) -> np.ndarray:
        """(patch,)."""
        return self.corners.mean(axis=1) * self.size.prod(axis=1)

    def at(self, patch: np.ndarray, share: np.ndarray) -> np.ndarray:
        """The density (point,) at places `share` (point, axis) from 0 to 1 within patches (point,)."""
        total = np.zeros(len(patch))
        for number, side in enumerate(product((0, 1), repeat=share.shape[1])):
            total += np.where(np.array(side), share, 1.0 - share).prod(axis=1) * self.corners[patch, number]
        return total

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """`n` independent points (point, axis), and the density there (point,)."""
        cumulative = np.cumsum(self.mass)
        target = rng.random(n) * cumulative[-1]
        patch = np.minimum(np.searchsorted(cumulative, target, side="right"), len(cumulative) - 1)
        share = np.empty((n, self.low.shape[1]))
        left = self.corners[patch].reshape(n, *(2,) * share.shape[1])
        for axis in range(share.shape[1]):  # each axis given those before it
            ends = left.reshape(n, 2, -1).mean(axis=2)
            share[:, axis] = _within(ends[:, 0], ends[:, 1], rng.random(n))
            u = share[:, axis].reshape(n, *(1,) * (left.ndim - 2))
            left = (1.0 - u) * left[:, 0] + u * left[:, 1]
        return self.low[patch] + share * self.size[patch], self.at(patch, share)


def _within(left: np.ndarray, right: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """A place from 0 to 1, by inverting the distribution function of a density that is linear between two ends."""
    root = np.sqrt(np.maximum(left**2 + uniform * (right**2 - left**2), 0.0))
    whole = left + root
    return np.clip(np.where(whole > 0, uniform * (left + right) / np.where(whole > 0, whole, 1.0), uniform), 0.0, 1.0)


def patches_of(cells: Cells) -> Patches:
    """The boxes between neighbouring nodes of all cells; density over exp(top).

    At the edge of a support the density jumps somewhere between two nodes: there a box has the higher density all over.
    """
    density, d = np.exp(cells.values - cells.top), cells.axes
    parts = list(product(range(PARTS), repeat=d))
    step = cells.size / PARTS
    low = np.stack([cells.low + np.array(part) * step for part in parts], axis=1)
    corners = np.stack(
        [density[(slice(None), *(slice(s, s + PARTS) for s in side))].reshape(len(cells), -1)
         for side in product((0, 1), repeat=d)],
        axis=-1,
    )  # fmt: skip
    corners = corners.reshape(-1, 2**d)
    at_an_edge = (corners == 0).any(axis=1) & (corners > 0).any(axis=1)
    corners = np.where(at_an_edge[:, None], corners.max(axis=1, keepdims=True), corners)
    return Patches(low.reshape(-1, d), np.repeat(step, len(parts), axis=0), corners)


def seen_by(cells: Cells, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cell that each point (point, axis) lies in, and the density over exp(top) that its patch says there."""
    cell = _cell_of(cells, points)
    share = np.clip((points - cells.low[cell]) / cells.size[cell], 0.0, 1.0) * PARTS
    part = np.minimum(share.astype(int), PARTS - 1)
    number = np.ravel_multi_index(tuple(part.T), (PARTS,) * cells.axes)
    return cell, patches_of(cells).at(cell * PARTS**cells.axes + number, share - part)


def _cell_of(cells: Cells, points: np.ndarray) -> np.ndarray:
    """The cell (point,) that holds each point."""
    if cells.axes == 1:
        order = np.argsort(cells.low[:, 0])
        return order[np.clip(np.searchsorted(cells.low[order, 0], points[:, 0], side="right") - 1, 0, None)]
    found = [
        ((part >= cells.low) & (part <= cells.low + cells.size)).all(axis=-1).argmax(axis=1)
        for part in (points[k : k + TOGETHER, None] for k in range(0, len(points), TOGETHER))
    ]
    return np.concatenate([np.zeros(0, int), *found])
