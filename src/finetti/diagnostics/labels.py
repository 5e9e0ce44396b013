"""From labels to places in a variable: coords, and the index of an element such as theta[A, 2]."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
import xarray as xr

from finetti.errors import DataError, unknown_name
from finetti.schema import SAMPLE_DIMS

Coords = Mapping[Hashable, Any]


def places_of(array: xr.DataArray, coords: Coords) -> np.ndarray:
    """Places that coords keep of a variable (chain, draw, *shape), in the order asked for.

    Args:
        array: the variable.
        coords: dim -> label or labels; dims that the variable does not have are ignored.

    Returns:
        Places in the flattened *shape, with an axis for each dim.
    """
    dims = array.dims[2:]
    kept = [_positions(array, dim, coords[dim]) if dim in coords else list(range(array.sizes[dim])) for dim in dims]
    return _grid(array, kept)


def element_of(name: str, index: str, array: xr.DataArray) -> np.ndarray:
    """Places (place) of the element that an index such as "Choate, 1" means in a variable (chain, draw, *shape).

    A whole number is a position where the labels of its dim are not numbers themselves.
    """
    dims = array.dims[2:]
    parts = [index.strip()] if len(dims) == 1 else [part.strip() for part in index.split(",")]
    if len(parts) == len(dims):
        return _grid(array, [_position(array, dim, part) for dim, part in zip(dims, parts, strict=True)]).ravel()
    everywhere = np.arange(int(np.prod(array.shape[2:])))
    texts = indices(array, everywhere) if dims else [""]
    written = [place for place, text in zip(everywhere, texts, strict=True) if text == index]
    if not written:  # no label holds a comma
        raise DataError(f"{name!r} has {len(parts)} indices, but the variable has {len(dims)} dims: {dims}.")
    return np.array(written)


def indices(array: xr.DataArray, places: np.ndarray) -> Iterator[str]:
    """What stands between the brackets for each place in a variable (chain, draw, *shape): Choate, 1."""
    axes = [_texts(array[dim].values) for dim in array.dims[2:]]
    for index in zip(*np.unravel_index(places, array.shape[2:]), strict=True):
        yield ", ".join(axis[at] for axis, at in zip(axes, index, strict=True))


def narrowed(trace: xr.DataTree, coords: Mapping[Any, Any] | None) -> tuple[xr.DataTree, Coords]:
    """The tree with only the chains and draws that coords keep, and the coords that remain.

    Raises:
        UnknownNameError: a dim or label that is not in the posterior.
        DataError: coords that are not dim -> labels.
    """
    if coords is None:
        return trace, {}
    if not isinstance(coords, Mapping):
        raise DataError(f"coords takes dim -> labels, such as {{'school': ['A', 'B']}}; got {coords!r}.")
    posterior = trace.children["posterior"].dataset
    groups = [trace.children[group] for group in ("posterior", "unconstrained_posterior") if group in trace.children]
    dims = dict.fromkeys(dim for group in groups for dim in group.dims)
    for dim in coords:
        if dim not in dims:  # a misspelt dim would otherwise select everything
            raise unknown_name(dim, map(str, dims), what="dim")
    sample = {dim: _positions(posterior, dim, coords[dim]) for dim in SAMPLE_DIMS if dim in coords}
    rest = {dim: wanted for dim, wanted in coords.items() if dim not in SAMPLE_DIMS}
    return (trace.isel(sample) if sample else trace), rest


def listed(given: Any) -> list | None:
    """A collection as a list, one text or number as a list of one; None for bytes, generators and the like."""
    if isinstance(given, np.ndarray | xr.DataArray):
        return list(np.ravel(np.asarray(given)))
    if isinstance(given, bytes | bytearray | Mapping | slice | Iterator):
        return None
    return list(given) if isinstance(given, Collection) and not isinstance(given, str) else [given]


def _grid(array: xr.DataArray, positions: Sequence[Sequence[int]]) -> np.ndarray:
    """Places where these positions along each axis beyond chain and draw meet."""
    shape = array.shape[2:]
    places = np.arange(int(np.prod(shape))).reshape(shape)
    return np.asarray(places[np.ix_(*(np.asarray(at, dtype=int) for at in positions))])


def _positions(array: xr.DataArray | xr.Dataset, dim: Hashable, wanted: Any) -> list[int]:
    """Where the labels stand; those of a set, which has no order, in the order of the dim."""
    values = array[dim].values
    one = isinstance(wanted, tuple) and str(wanted) in _texts(values)  # a label of several parts
    labels = [wanted] if one else listed(wanted)
    if labels is None:
        raise DataError(f"coords[{dim!r}] takes a label or a list of labels; got {wanted!r}.")
    places = _by_text(values)
    found = [at for label in labels for at in _found(values, places, dim, label)]
    return sorted(set(found)) if isinstance(wanted, Set) else list(dict.fromkeys(found))


def _position(array: xr.DataArray, dim: Hashable, part: str) -> list[int]:
    """Where the label stands that is one part of an index; failing that, a whole number is a position."""
    values = array[dim].values
    places = _by_text(values)
    is_position = re.fullmatch(r"\d+", part) and values.dtype.kind not in "iuf" and part not in places
    if is_position and int(part) < len(values):
        return [int(part)]
    return _found(values, places, dim, part)


def _found(values: np.ndarray, places: Mapping[str, list[int]], dim: Hashable, label: Any) -> list[int]:
    """Where one label stands, given as itself or as text."""
    text = _text(label, values.dtype)
    if text in places:
        return places[text]
    try:
        equal = np.flatnonzero(values == float(text)).tolist() if values.dtype.kind in "iuf" else []
    except ValueError:
        equal = []
    if not equal:
        raise unknown_name(text, places, what=f"label of dim {dim!r}")
    return equal


def _by_text(values: np.ndarray) -> dict[str, list[int]]:
    """Positions by label."""
    places: dict[str, list[int]] = {}
    for at, text in enumerate(_texts(values)):
        places.setdefault(text, []).append(at)
    return places


def _texts(values: np.ndarray) -> list[str]:
    """Labels as text."""
    return [str(label) for label in values]


def _text(label: Any, dtype: np.dtype) -> str:
    """A label as text, dates in the form that `dtype` gives them."""
    try:
        return str(np.array(label, dtype=dtype)[()]) if dtype.kind == "M" else str(label)
    except ValueError:
        return str(label)
