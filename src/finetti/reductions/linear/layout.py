"""The order of a block's elements: many small groups that do not touch each other, and a dense border.

Elements touch where one row reads both. The largest member comes first; each further member joins it where that
leaves the groups small (intercepts and slopes of the same school), or else goes to the border (means, fixed effects,
a second crossed factor, the level above).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import prod
from typing import Any, NamedTuple

import numpy as np

from finetti.model.graph import Random
from finetti.reductions.linear.rows import CONSTANT, Rows

MAX_SLOTS = 8
MAX_BORDER = 1500
MAX_ENTRIES = 20_000_000


class System(NamedTuple):
    """Q, h and c at given phi: one, or as many as there are draws of phi.

    Draws, where there are any, are on the last axis of what has groups, so that loops over both run in step, and on the
    first of what has none, as linear algebra libraries want them.

    Args:
        groups: lower triangle of the groups' blocks D: groups[i][j] of shape (group[, draw]) for slots j <= i.
        coupling: B', one (border, group[, draw]) for each slot.
        border: ([draw,] border, border) E.
        group_pull: the pull h of the groups, one (group[, draw]) for each slot.
        border_pull: ([draw,] border) the pull h of the border.
        constant: ([draw]) c.
    """

    groups: list
    coupling: list
    border: Any
    group_pull: list
    border_pull: Any
    constant: Any


@dataclass(frozen=True)
class Layout:
    """Where each element of the members stands in the system.

    Args:
        size: number of elements.
        grid: (slot, group) the element there; -1 where a group has fewer.
        border: (border,) the elements of the border.
    """

    size: int
    grid: np.ndarray
    border: np.ndarray

    @property
    def sizes(self) -> tuple[int, ...]:
        """Lengths of the parts of the entries: D, B, E, h of both, c."""
        slots, groups = self.grid.shape
        p = len(self.border)
        return slots * slots * groups, slots * groups * p, p * p, slots * groups, p, 1

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where each part of the entries begins."""
        return tuple(accumulate(self.sizes[:-1], initial=0))

    @cached_property
    def missing(self) -> list[np.ndarray | None]:
        """For each slot ones where a group has no element there; None where all have."""
        return [(row < 0).astype(float) if (row < 0).any() else None for row in self.grid]

    @property
    def entries(self) -> int:
        """Number of entries of the system, c last."""
        return sum(self.sizes)

    def system(self, entries: Callable[[int, int], Any], xp: Any) -> System:
        """Q, h and c from their entries, asked for part by part; elements that a group lacks get a one on the diagonal.

        Args:
            entries: `(start, stop) -> (stop - start[, draw])`.
            xp: the namespace.
        """
        slots, groups = self.grid.shape
        p = len(self.border)
        d, b, e, hd, he, c = self.starts

        def part(start: int, shape: tuple[int, ...]) -> Any:
            values = entries(start, start + prod(shape))
            return xp.reshape(values, shape + values.shape[1:])

        def draws_first(values: Any, rank: int) -> Any:
            return xp.transpose(values, (rank, *range(rank))) if values.ndim > rank else values

        inside = [[part(d + (i * slots + j) * groups, (groups,)) for j in range(i + 1)] for i in range(slots)]
        for i, missing in enumerate(self.missing):
            if missing is not None:
                inside[i][i] = inside[i][i] + missing.reshape(-1, *(1,) * (inside[i][i].ndim - 1))
        return System(
            groups=inside,
            coupling=[part(b + i * p * groups, (p, groups)) for i in range(slots)],
            border=draws_first(part(e, (p, p)), 2),
            group_pull=[-part(hd + i * groups, (groups,)) for i in range(slots)],
            border_pull=-draws_first(part(he, (p,)), 1),
            constant=-0.5 * part(c, ()),
        )

    def joined(self, blocks: np.ndarray, border: np.ndarray) -> np.ndarray:
        """(slot, group, draw) and (draw, border) as (draw, element)."""
        flat = np.empty((self.size, len(border)))
        present = self.grid >= 0
        flat[self.grid[present]] = blocks[present]
        flat[self.border] = border.T
        return flat.T

    def targets(self, position: np.ndarray) -> np.ndarray:
        """The entry to which each product of two columns goes: (key, column, column).

        A row's residual is W z + w with known part w, and enters as -1/2 (W z + w)^2: so products of members go to Q,
        those of a member with the known part to -h (once, from the member's side), those of known parts to -2 c.
        """
        places = self._places(position)
        a, b = places.at((..., None)), places.at((..., None, slice(None)))
        (slots, groups), p = self.grid.shape, len(self.border)
        inside, coupling, border, group_pull, border_pull, constant = self.starts
        entries = (
            (a.in_group & b.in_group, inside + (a.slot * slots + b.slot) * groups + a.group),
            (a.in_group & b.in_border, coupling + (a.slot * p + b.border) * groups + a.group),
            (a.in_border & b.in_border, border + a.border * p + b.border),
            (a.in_group & b.known, group_pull + a.slot * groups + a.group),
            (a.in_border & b.known, border_pull + a.border),
            (a.known & b.known, constant),
        )
        where, entry = zip(*entries, strict=True)
        return np.select(where, entry, default=self.entries)  # the last entry is read by nobody

    def _places(self, position: np.ndarray) -> _Places:
        """Where the elements at some positions stand."""
        slot, group, border = (np.full(self.size + 1, -1) for _ in range(3))
        present = np.argwhere(self.grid >= 0)
        slot[self.grid[tuple(present.T)]], group[self.grid[tuple(present.T)]] = present.T
        border[self.border] = np.arange(len(self.border))
        return _Places(slot[position], group[position], border[position], position == CONSTANT)


class _Places(NamedTuple):
    """Where elements stand: slot and group, or place in the border; -1 where there is none, and for known parts."""

    slot: np.ndarray
    group: np.ndarray
    border: np.ndarray
    known: np.ndarray

    def at(self, index: Any) -> _Places:
        """The places at an index, such as one that adds an axis."""
        return _Places(*(part[index] for part in self))

    @property
    def in_group(self) -> np.ndarray:
        """Which elements are in a group."""
        return self.slot >= 0

    @property
    def in_border(self) -> np.ndarray:
        """Which elements are in the border."""
        return self.border >= 0


class TooLarge(Exception):
    """The members touch each other too much to be integrated out at a bearable cost."""


def arrange(members: Sequence[Random], rows: Sequence[Rows]) -> Layout:
    """Choose groups and border.

    Raises:
        TooLarge: where the border, or the system, would be too large.
    """
    inside, component = _grouped(members, rows)
    grid, border = _grid(inside, component), np.flatnonzero(~inside)
    layout = Layout(len(inside), grid, border)
    if len(border) > MAX_BORDER or layout.entries > MAX_ENTRIES:
        raise TooLarge(f"{len(border)} of {len(inside)} elements touch each other in no simple pattern")
    return layout


def _grouped(members: Sequence[Random], rows: Sequence[Rows]) -> tuple[np.ndarray, np.ndarray]:
    """Which elements are in groups, member after member, the largest first; and the connected set each is in."""
    offsets = np.concatenate([[0], np.cumsum([m.size for m in members])])
    size = int(offsets[-1])
    pairs = _touching(rows, size)
    inside, component = np.zeros(size, bool), np.arange(size)
    for k in sorted(range(len(members)), key=lambda k: -members[k].size):
        tried = inside.copy()
        tried[offsets[k] : offsets[k + 1]] = True
        found = _components(size, pairs[tried[pairs].all(axis=1)])
        sizes = np.unique(found[tried], return_counts=True)[1]
        slots = sizes.max(initial=0)
        # Slots are unrolled in the program: a few groups of many slots would only be long to compile.
        if 1 <= slots <= min(MAX_SLOTS, max(len(sizes), 2)) and (members[k].size > 1 or inside.any()):
            inside, component = tried, found
    return inside, component


def _touching(rows: Sequence[Rows], size: int) -> np.ndarray:
    """(pair, 2) elements that one row reads."""
    codes = [np.zeros(0, int)]
    for piece in rows:
        columns = np.arange(piece.position.shape[1])
        a, b = (piece.position[:, k] for k in np.nonzero(columns[:, None] > columns))
        codes.append(np.unique((a * size + b)[(a != CONSTANT) & (b != CONSTANT) & (a != b)]))
    return np.stack(np.divmod(np.unique(np.concatenate(codes)), max(size, 1)), axis=1)


def _components(size: int, pairs: np.ndarray) -> np.ndarray:
    """For each element the smallest one it is connected with; SciPy's graphs take a quarter of a second to import."""
    label = np.arange(size)
    while len(pairs):
        low = np.minimum(label[pairs[:, 0]], label[pairs[:, 1]])
        new = label.copy()
        np.minimum.at(new, pairs[:, 0], low)
        np.minimum.at(new, pairs[:, 1], low)
        new = new[new]
        if (new == label).all():
            break
        label = new
    return label


def _grid(inside: np.ndarray, component: np.ndarray) -> np.ndarray:
    """Elements by (slot, group): each connected set is a group."""
    elements = np.flatnonzero(inside)
    if not len(elements):
        return np.zeros((0, 0), int)
    _, group = np.unique(component[elements], return_inverse=True)
    order = np.argsort(group, kind="stable")
    counts = np.bincount(group)
    slot = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    grid = np.full((counts.max(), len(counts)), -1)
    grid[slot, group[order]] = elements[order]
    return grid
