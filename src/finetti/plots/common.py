"""What every plot shares: scalars picked from a trace by name, the colours, the style."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from finetti.errors import DataError, unknown_name

# Okabe and Ito's palette: told apart by every common kind of colour vision, and in grey.
BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#6b6b6b"
CHAIN_COLORS = (BLUE, "#E69F00", "#009E73", "#CC79A7", "#56B4E9", VERMILION, "#000000")
STYLE: Any = {  # a key is one of matplotlib's settings, which its annotations list only in later versions
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": "black",
    "text.color": "black",
    "axes.grid": False,
    "axes.facecolor": "white",
    "figure.facecolor": "white",
    "legend.frameon": False,
}
_LOG = re.compile(r"log\((.+)\)")
_INDEXED = re.compile(r"(.+?)\[(.+)\]")
_UNCONSTRAINED_LOG = re.compile(r"(.+)_log__(\[.+\])?")


@dataclass(frozen=True)
class Scalar:
    """One number of the model: what to call it and its draws (chain, draw)."""

    label: str
    draws: np.ndarray


def scalars(
    trace: xr.DataTree, var_names: str | Sequence[str] | None, *, coords: Mapping[str, Any] | None = None
) -> list[Scalar]:
    """The scalars that names and coords select, in the order of the names.

    Args:
        trace: a tree with a posterior group whose variables have axes (chain, draw, ...).
        var_names: "theta" (all its elements), "theta[0]" or "theta[Choate]" (one), "log(tau)", or the name of
            an unconstrained variable such as "tau_log__"; None for the whole posterior.
        coords: dim -> label or labels to keep, for every variable with that dim.

    Raises:
        UnknownNameError: a variable, dim or label that is not there.
        DataError: no posterior, nothing selected, or draws that are not finite.
    """
    variables = _variables(trace)
    _check_dims(coords or {}, variables.values())
    names = list(trace["posterior"].data_vars) if var_names is None else np.atleast_1d(var_names).tolist()
    chosen = [scalar for name in names for scalar in _expand(name, variables, coords or {})]
    if not chosen:
        raise DataError(f"Nothing to plot: var_names={names} with coords={coords} selects no scalar.")
    for scalar in chosen:
        if bad := int((~np.isfinite(scalar.draws)).sum()):
            total = scalar.draws.size
            raise DataError(f"{scalar.label}: {bad} of {total} draws are not finite; leave it out.")
    return chosen


def divergent(trace: xr.DataTree) -> np.ndarray | None:
    """Which draws (chain, draw) diverged; None if none did or nobody recorded it."""
    stats = trace.children.get("sample_stats")
    if stats is None or "diverging" not in stats.data_vars:
        return None
    mask = stats["diverging"].transpose("chain", "draw").values.astype(bool)
    return mask if mask.any() else None


def require_few(count: int, limit: int, *, what: str, unit: str, example: str) -> None:
    """Refuse a figure nobody could read."""
    if count > limit:
        raise DataError(
            f"{what} of {count} {unit} would be unreadable; the limit is {limit}. Select some with "
            f"var_names, such as {example}, or with coords={{dim: labels}}."
        )


def chain_colors(count: int) -> list:
    """One colour per chain."""
    if count <= len(CHAIN_COLORS):
        return list(CHAIN_COLORS[:count])
    from matplotlib import colormaps

    return list(colormaps["viridis"](np.linspace(0, 0.95, count)))


def new_axes(
    rows: int = 1, columns: int = 1, *, figsize: tuple[float, float], **options: Any
) -> np.ndarray:
    """Axes (row, column) of a new figure in finetti's style, which leaves the caller's settings alone."""
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):
        axes = plt.subplots(rows, columns, figsize=figsize, layout="constrained", squeeze=False, **options)[1]
        interactive = plt.isinteractive()
    plt.ion() if interactive else plt.ioff()  # a notebook turns it on with its first figure: later ones need it too
    for ax in axes.flat:  # ticks are made when drawn, long after the style is gone, so they are told here
        ax.tick_params(labelsize=9, color=GREY, labelcolor="black")
    return axes


def _variables(trace: xr.DataTree) -> dict[str, xr.DataArray]:
    """Posterior and unconstrained variables by name."""
    if not isinstance(trace, xr.DataTree) or "posterior" not in trace.children:
        got = type(trace).__name__
        raise DataError(f"A plot needs the trace that sampling returned, with a posterior group; got {got}.")
    groups = [trace.children[g] for g in ("unconstrained_posterior", "posterior") if g in trace.children]
    return {str(name): array for group in groups for name, array in group.data_vars.items()}


def _check_dims(coords: Mapping[str, Any], arrays: Any) -> None:
    """A misspelt dim would otherwise select everything."""
    dims = {str(dim) for array in arrays for dim in array.dims}
    for dim in coords:
        if dim not in dims:
            raise unknown_name(dim, sorted(dims), what="dim")


def _expand(name: str, variables: Mapping[str, xr.DataArray], coords: Mapping[str, Any]) -> list[Scalar]:
    """All scalars one name stands for."""
    if name in variables:
        return _scalars_of(name, _keep(variables[name], coords))
    if match := _LOG.fullmatch(name):
        return [_log(scalar) for scalar in _expand(match[1], variables, coords)]
    if (match := _INDEXED.fullmatch(name)) and match[1] in variables:
        return _scalars_of(match[1], _element(name, match[2], _keep(variables[match[1]], coords)))
    raise unknown_name(name, variables, what="variable")


def _keep(array: xr.DataArray, coords: Mapping[str, Any]) -> xr.DataArray:
    """The part of a variable that coords ask for; its dims stay, as they carry the labels."""
    for dim, wanted in coords.items():
        if dim in array.dims:
            labels = _labels(array, dim)
            positions = [_position(labels, label, dim) for label in np.atleast_1d(wanted).tolist()]
            array = array.isel({dim: positions})
    return array


def _element(name: str, index: str, array: xr.DataArray) -> xr.DataArray:
    """The one element an index such as "0" or "Choate, 1" means."""
    dims, parts = array.dims[2:], [part.strip() for part in index.split(",")]
    if len(parts) != len(dims):
        raise DataError(f"{name!r} has {len(parts)} indices, but the variable has {len(dims)} dims: {dims}.")
    positions = [_position(_labels(array, dim), part, dim) for dim, part in zip(dims, parts, strict=True)]
    return array.isel({dim: [at] for dim, at in zip(dims, positions, strict=True)})


def _position(labels: list[str], wanted: Any, dim: Hashable) -> int:
    """Where a label stands; failing that, an integer is a position."""
    text = str(wanted)
    if text in labels:
        return labels.index(text)
    if re.fullmatch(r"\d+", text) and int(text) < len(labels):
        return int(text)
    raise unknown_name(text, labels, what=f"label of dim {dim!r}")


def _labels(array: xr.DataArray, dim: Hashable) -> list[str]:
    """The labels of a dim as text."""
    return [str(label) for label in array[dim].values]


def _scalars_of(name: str, array: xr.DataArray) -> list[Scalar]:
    """Every element of a variable, labelled by its coords."""
    array = array.transpose("chain", "draw", ...)
    values = array.values.astype(int) if array.dtype == bool else array.values
    places = product(*(enumerate(_labels(array, dim)) for dim in array.dims[2:]))
    found = []
    for place in places:
        index = f"[{', '.join(label for _, label in place)}]" if place else ""
        element: tuple[Any, ...] = (..., *(at for at, _ in place))
        draws = values[element]
        found.append(Scalar(_UNCONSTRAINED_LOG.sub(r"log(\1\2)", name + index), draws))
    return found


def _log(scalar: Scalar) -> Scalar:
    """The logarithm of a scalar."""
    if scalar.draws.min() <= 0:
        raise DataError(f"log({scalar.label}) needs positive draws; the least is {scalar.draws.min():.3g}.")
    return replace(scalar, label=f"log({scalar.label})", draws=np.log(scalar.draws))
