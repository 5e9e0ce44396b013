"""What every plot shares: scalars picked from a trace by name, and the colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from finetti.diagnostics.selection import Block, Names, select
from finetti.errors import DataError
from finetti.schema import SAMPLE_DIMS

# Okabe and Ito's palette: told apart by every common kind of colour vision, and in grey.
BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#6b6b6b"
CHAIN_COLORS = (BLUE, "#E69F00", "#009E73", "#CC79A7", "#56B4E9", VERMILION, "#000000")


@dataclass(frozen=True)
class Scalar:
    """One number of the model: what to call it and its draws (chain, draw)."""

    label: str
    draws: np.ndarray


@dataclass(frozen=True)
class Chosen:
    """What a figure shows, the tree with the chains it shows, and a note on what it does not show."""

    scalars: list[Scalar]
    trace: xr.DataTree
    note: str


@dataclass(frozen=True)
class Limit:
    """How many scalars a kind of figure can show, and how to say that there are more."""

    most: int
    what: str
    unit: str
    example: str


def choose(trace: xr.DataTree, var_names: Names, *, coords: Mapping[str, Any] | None, limit: Limit) -> Chosen:
    """What names and coords select; by default what fits: scalars first, then the first elements of each variable.

    Args:
        trace: a tree with a posterior group whose variables have axes (chain, draw, ...).
        var_names: as for `diagnostics.selection.select`.
        coords: dim -> label or labels to keep, for every variable with that dim.
        limit: how many scalars can be shown.

    Raises:
        UnknownNameError: a variable, dim or label that is not there.
        DataError: no posterior, nothing selected, more scalars asked for than can be shown, or draws that are not
            finite.
    """
    selection = select(trace, var_names, coords=coords)
    total = sum(len(block.labels) for block in selection.blocks)
    notes = [selection.left_out]
    shown = list(selection.blocks)
    if total > limit.most:
        if not selection.by_default:
            require_few(total, limit)
        shown = _first(shown, limit.most)
        notes.insert(0, f"The first {limit.most} of {total:,} scalars; var_names and coords select others.")
    return Chosen([s for block in shown for s in _scalars(block)], selection.trace, " ".join(filter(None, notes)))


def scalars(trace: xr.DataTree, var_names: Names, *, coords: Mapping[str, Any] | None = None) -> list[Scalar]:
    """All scalars that names and coords select, in the order of the names."""
    return [scalar for block in select(trace, var_names, coords=coords).blocks for scalar in _scalars(block)]


def divergent(trace: xr.DataTree) -> np.ndarray | None:
    """Which draws (chain, draw) diverged; None if none did or nobody recorded it."""
    stats = trace.children.get("sample_stats")
    if stats is None or "diverging" not in stats.data_vars:
        return None
    flags = stats["diverging"]
    posterior = trace.children["posterior"].sizes
    if {dim: flags.sizes[dim] for dim in flags.dims} != {dim: posterior[dim] for dim in SAMPLE_DIMS}:
        raise DataError(
            f"'diverging' in sample_stats is {dict(flags.sizes)}, the posterior's draws are "
            f"{ {dim: posterior[dim] for dim in SAMPLE_DIMS} }; leave the marks out with divergences=False."
        )
    mask = flags.transpose(*SAMPLE_DIMS).values.astype(bool)
    return mask if mask.any() else None


def require_few(count: int, limit: Limit) -> None:
    """Refuse a figure nobody could read."""
    if count > limit.most:
        raise DataError(
            f"{limit.what} of {count} {limit.unit} would be unreadable; the limit is {limit.most}. Select some with "
            f"var_names, such as {limit.example}, or with coords={{dim: labels}}."
        )


def chain_colors(count: int) -> list:
    """One colour per chain."""
    if count <= len(CHAIN_COLORS):
        return list(CHAIN_COLORS[:count])
    from matplotlib import colormaps

    return list(colormaps["viridis"](np.linspace(0, 0.95, count)))


def _first(blocks: list[Block], most: int) -> list[Block]:
    """Scalars first, then of every variable the same number of elements, as far as there is room."""
    ordered = sorted(blocks, key=lambda block: len(block.labels) > 1)
    turns = [
        (len(block.labels) > 1, at, number) for number, block in enumerate(ordered) for at in range(len(block.labels))
    ]
    kept = [number for _, _, number in sorted(turns)[:most]]
    counts = [kept.count(number) for number in range(len(ordered))]
    return [Block(block.labels[:count], block.draws[..., :count]) for block, count in zip(ordered, counts, strict=True)]


def _scalars(block: Block) -> list[Scalar]:
    """A block one by one; booleans as numbers, and nothing that cannot be drawn."""
    draws = block.draws.astype(int) if block.draws.dtype == bool else block.draws
    found = [Scalar(label, draws[..., at]) for at, label in enumerate(block.labels)]
    for scalar in found:
        if bad := int((~np.isfinite(scalar.draws)).sum()):
            raise DataError(f"{scalar.label}: {bad} of {scalar.draws.size} draws are not finite; leave it out.")
    return found
