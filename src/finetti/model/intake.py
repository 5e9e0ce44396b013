"""What a user hands in beside numbers: shapes, axes, dims, labels and names, checked where they are written."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from datetime import date
from math import prod
from numbers import Number
from typing import Any

import numpy as np

from finetti.errors import DataError, ModelError, ShapeError

MOST_NUMBERS = 10**10  # in one variable; more is a mistake on any machine
SAMPLE_DIMS = ("chain", "draw")


def as_shape(shape: Any, *, what: str) -> tuple[int, ...]:
    """A shape from a whole number or several; nothing is rounded.

    Raises:
        ShapeError: for anything else, naming `what`.
    """
    parts = _parts(shape)
    try:
        wanted = tuple(_index(n) for n in parts)
    except TypeError:
        raise ShapeError(
            f"{what}: shape must be a whole number or a tuple of them, such as 3 or (3, 2); got {shape!r}."
        ) from None
    if any(n < 0 for n in wanted):
        raise ShapeError(f"{what}: a shape has no negative lengths; got {shape!r}.")
    if prod(wanted) > MOST_NUMBERS:
        raise ShapeError(f"{what}: shape {brief(shape)} is more numbers than any memory holds.")
    if len(wanted) > 32:
        raise ShapeError(f"{what}: shape has {len(wanted)} axes; 32 is the most.")
    return wanted


def as_axis(axis: Any, *, what: str) -> int:
    """An axis as an int.

    Raises:
        ShapeError: for what is no whole number, naming `what`.
    """
    try:
        return _index(axis)
    except TypeError:
        raise ShapeError(f"{what}: axis must be a whole number; got {axis!r}.") from None


def as_dims(dims: Any, *, what: str) -> tuple[str | None, ...]:
    """Dims as a tuple of names; None stands for an axis without one.

    Raises:
        ModelError: for names that are no strings, that are there twice, or that the layout of the draws needs.
    """
    names = (dims,) if isinstance(dims, str) else dims
    if not isinstance(names, tuple | list) or not all(name is None or isinstance(name, str) for name in names):
        raise ModelError(f'{what}: dims are names, such as "school" or ("school", "year"); got {dims!r}.')
    for name in names:
        if name is not None:
            check_name(name, what=f"{what}: dim")
            if names.count(name) > 1:
                raise ModelError(f"{what} has the dim {name!r} twice; give one of the two another name and coords.")
    return tuple(names)


def as_coords(coords: Any, *, what: str) -> Mapping[str, Any]:
    """A mapping from dims to labels.

    Raises:
        ModelError: for anything else.
    """
    if not isinstance(coords, Mapping) or not all(isinstance(dim, str) for dim in coords):
        raise ModelError(f'{what}: coords map dims to labels, such as {{"school": ["A", "B"]}}; got {coords!r}.')
    return coords


def check_name(name: Any, *, what: str) -> None:
    """Refuse a name that no tree of draws can hold.

    Raises:
        ModelError: naming it.
    """
    if not isinstance(name, str) or not name:
        raise ModelError(f"{what} needs a name, a string that is not empty; got {name!r}.")
    bad = name in SAMPLE_DIMS or "/" in name or "\x00" in name or name in (".", "..") or not _is_text(name)
    if bad:
        raise ModelError(
            f"The name {name!r} cannot be used ({what}): it would clash with the layout of the draws, where "
            "chain and draw are dims and a slash leads to a group. Choose another."
        )


def as_labels(dim: str, labels: Any) -> tuple:
    """Labels of a dim as Python values; dates stay dates.

    Raises:
        ModelError: for labels that are no plain values, that mix text with numbers, or that are there twice.
    """
    values = labels.to_numpy() if hasattr(labels, "to_numpy") else labels
    if isinstance(values, str | bytes | Mapping | set | frozenset) or not isinstance(values, Iterable):
        raise _no_labels(dim, f"{labels!r} is no list of labels, and no length")
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise _no_labels(dim, f"they have {values.ndim} axes, and a dim has one")
    found = tuple(values.tolist() if isinstance(values, np.ndarray) and values.dtype.kind not in "mM" else values)
    for label in found:
        if isinstance(label, tuple):
            raise _no_labels(dim, f"{label!r} has several parts; join them to one text, such as '{_joined(label)}'")
        if label is None or not isinstance(label, str | Number | date | np.generic) or label != label:
            raise _no_labels(dim, f"{label!r} is neither text, nor a number, nor a date")
    if len({_kind(label) for label in found}) > 1:
        one, other = (next(v for v in found if _kind(v) == kind) for kind in sorted({_kind(v) for v in found})[:2])
        raise _no_labels(dim, f"they mix {one!r} with {other!r}; make all of them text")
    if len(set(found)) != len(found):
        twice = next(v for v in found if found.count(v) > 1)
        raise ModelError(f"The labels of dim {dim!r} must differ, but {twice!r} is there {found.count(twice)} times.")
    return found


def check_layout(node: Any, others: Iterable[Any]) -> None:
    """Refuse a variable that no dataset can hold beside those that it will be kept with.

    Args:
        node: a variable with its name and dims.
        others: those that will be kept in the same group of the trace.

    Raises:
        ModelError: a dim that is called like a variable, or like an axis without a name: `theta_dim_0`.
    """
    together = {each.name: each for each in (*others, node)}
    for each in together.values():
        for dim in _axes(each):
            if dim in together and node.name in (dim, each.name):
                raise ModelError(
                    f"{dim!r} names both a variable and a dim of {each.name!r}; the draws could not hold both. Rename "
                    f"one of them: the dim, for example, to {dim + '_index'!r}, in `coords` and `dims`."
                    if dim in each.dims
                    else f"{dim!r} is what an axis of {each.name!r} will be called; rename that variable."
                )


def _axes(node: Any) -> tuple[str, ...]:
    """What the axes of a variable will be called."""
    names = node.dims or (None,) * node.ndim
    return tuple(name or f"{node.name}_dim_{k}" for k, name in enumerate(names))


def brief(value: Any) -> str:
    """A value in an error, cut off where it is long."""
    text = repr(value)
    return text if len(text) < 80 else f"{text[:70]}..."


def _parts(shape: Any) -> list[Any]:
    """The lengths of a shape, or the one length."""
    if isinstance(shape, tuple | list | range):
        return list(shape)
    if isinstance(shape, np.ndarray) and shape.ndim == 1 and shape.dtype.kind in "iu" and not np.ma.is_masked(shape):
        return list(shape)
    return [shape]


def _index(value: Any) -> int:
    """A whole number; truth values are none."""
    if isinstance(value, bool | np.bool_):
        raise TypeError("a truth value")
    return operator.index(value)


def _is_text(name: str) -> bool:
    """Whether a name can be written to a file."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(label: Any) -> str:
    if isinstance(label, str):
        return "text"
    return "date" if isinstance(label, date | np.datetime64 | np.timedelta64) else "number"


def _joined(parts: tuple) -> str:
    return " ".join(map(str, parts))


def _no_labels(dim: str, why: str) -> DataError:
    return DataError(f"The labels of dim {dim!r} cannot be used: {why}.")
