"""One group of arrays as an xarray Dataset in the ArviZ schema: its dims, labels and attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import xarray as xr

from finetti.errors import ShapeError

SAMPLE_DIMS = ("chain", "draw")


def dataset(
    group: str,
    variables: Mapping[str, np.ndarray],
    *,
    dims: Mapping[str, Sequence[str | None]],
    coords: Mapping[str, Sequence],
    attrs: Mapping[str, Any],
) -> xr.Dataset:
    """One group; dims are checked here because xarray would name neither the variable nor the remedy."""
    sample_dims = () if "data" in group else SAMPLE_DIMS
    sizes: dict[str, int] = {}
    data = {}
    for name, values in variables.items():
        array = np.asarray(values)
        axes = _axes(name, array, sample_dims, dims.get(name))
        _check_sizes(f"{group}: variable {name!r}", axes, array.shape, sizes)
        data[name] = (axes, array)
    for name in data.keys() & sizes.keys():
        raise ShapeError(f"{group}: {name!r} names both a variable and a dim; rename the dim.")
    known = {dim: labels for dim, labels in coords.items() if dim not in SAMPLE_DIMS}
    labels = {dim: _labels(dim, size, known.get(dim)) for dim, size in sizes.items()}
    own = {"sample_dims": list(sample_dims)} if sample_dims else {}
    return xr.Dataset(data, coords=labels, attrs={**attrs, **own})


def _axes(
    name: str, array: np.ndarray, sample_dims: Sequence[str], named: Sequence[str | None] | None
) -> tuple[str, ...]:
    """The dims of one variable: chain and draw, then the given names, then made-up ones."""
    rank = array.ndim - len(sample_dims)
    if rank < 0:
        first = ", ".join(sample_dims)
        raise ShapeError(f"Variable {name!r} has shape {array.shape}; its first axes must be {first}.")
    given = list(named) if named is not None else [None] * rank
    if len(given) != rank:
        raise ShapeError(f"Variable {name!r} has {rank} axes of its own but {len(given)} dims: {given}.")
    made_up = iter(f"{name}_dim_{i}" for i in range(rank))
    return (*sample_dims, *(dim or next(made_up) for dim in given))


def _check_sizes(what: str, axes: Sequence[str], shape: Sequence[int], sizes: dict[str, int]) -> None:
    """One length per dim within a group; `sizes` collects them."""
    for dim, size in zip(axes, shape, strict=True):
        if sizes.setdefault(dim, size) != size:
            raise ShapeError(f"{what} has length {size} along {dim!r}, another variable {sizes[dim]}.")


def _labels(dim: str, size: int, given: Sequence | None) -> np.ndarray:
    """The coordinate of a dim; text is kept as fixed-width text, which every file format holds."""
    if given is None:
        return np.arange(size)
    labels = np.asarray(given)
    if labels.dtype.kind in "OT":
        labels = labels.astype(str)
    if labels.shape != (size,):
        raise ShapeError(f"coords of dim {dim!r} have shape {labels.shape}, but {size} labels are needed.")
    return labels


def storable_attrs(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes that netCDF and Zarr both keep."""
    return {str(key): _storable(value) for key, value in attrs.items() if value is not None}


def _storable(value: Any) -> int | float | str | list:
    """A number, a text, or a list of numbers or of texts."""
    value = python(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)  # a 128-bit seed is more than any file's integers hold
    if isinstance(value, int | float | str):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list | tuple) and value:
        items = [_storable(item) for item in value]
        if all(isinstance(i, str) for i in items) or all(isinstance(i, int | float) for i in items):
            return items
    return json.dumps(value, default=str)


def python(value: Any) -> Any:
    """NumPy scalars and arrays as plain Python."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value
