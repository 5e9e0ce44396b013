"""Labels that data bring along (xarray's dims and coords, pandas' index and columns) must not contradict the model's.

Values are taken in the order in which they stand. Where labels say that this is another order than the model's coords
have, the numbers would end up in the wrong places, and nothing would show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from finetti.errors import DataError


class Axis(NamedTuple):
    """What an array says of one of its axes: a name, labels; None where it says nothing."""

    name: str | None
    labels: list[Any] | None


def check_labels(what: str, value: Any, dims: Sequence[str | None], coords: Mapping[str, tuple]) -> None:
    """Refuse values whose own labels contradict dims and coords.

    Args:
        what: they are, for the message.
        value: as a user hands it in.
        dims: names of its axes in the model; none where they have none.
        coords: labels of the model's dims.

    Raises:
        DataError: with the first label that differs.
    """
    axes = _axes(value)
    if not dims or len(axes) != len(dims):
        return
    names = tuple(axis.name for axis in axes)
    for axis, dim in zip(axes, dims, strict=True):
        if dim is None:
            continue
        if axis.name != dim and dim in names:
            raise DataError(
                f"{what} has the dims {names} of its own, but {tuple(dims)} were given. Put its axes in that order, "
                f"for example with `.transpose({', '.join(map(repr, dims))})`."
            )
        _check_axis(what, axis, dim, coords.get(dim))


def _check_axis(what: str, axis: Axis, dim: str, known: tuple | None) -> None:
    if axis.labels is None or known is None or len(known) != len(axis.labels) or list(known) == axis.labels:
        return
    if axis.name != dim and not _same(axis.labels, known):
        return  # labels of something else, such as numbers of rows that a filter has left
    at = next(k for k, pair in enumerate(zip(axis.labels, known, strict=True)) if pair[0] != pair[1])
    raise DataError(
        f"{what} brings labels of {dim!r} that are not in the order of the model's coords: in place {at} it has "
        f"{axis.labels[at]!r}, the coords have {known[at]!r}. Put it in that order, for example with `.reindex` "
        "(pandas) or `.sel` (xarray); or, if its order is right and its labels are not, hand in `.to_numpy()`."
    )


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether both are the same labels in whatever order."""
    try:
        return set(one) == set(other)
    except TypeError:
        return False


def _axes(value: Any) -> list[Axis]:
    """Of an array of xarray or pandas; none of anything else."""
    if hasattr(value, "dims") and hasattr(value, "coords") and hasattr(value, "to_numpy"):
        return [Axis(str(dim), _listed(value.coords[dim]) if dim in value.coords else None) for dim in value.dims]
    if hasattr(value, "index") and hasattr(value, "iloc") and hasattr(value, "to_numpy"):
        return [_of_index(index) for index in (value.index, *([value.columns] if hasattr(value, "columns") else []))]
    return []


def _of_index(index: Any) -> Axis:
    """Of an index of pandas; one that only counts rows says nothing."""
    name = None if index.name is None else str(index.name)
    counts = hasattr(index, "start") and hasattr(index, "step")  # a RangeIndex
    return Axis(name, None if counts and name is None else _listed(index))


def _listed(labels: Any) -> list[Any]:
    """As the model's coords hold them: Python values, dates as they are."""
    values = np.asarray(labels.to_numpy())
    return list(values) if values.dtype.kind in "mM" else values.tolist()
