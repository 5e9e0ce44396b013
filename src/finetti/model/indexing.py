"""`x[index]`: what may stand between the brackets, checked against the axes and, where they are known, the numbers."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from finetti.errors import ShapeError
from finetti.model.graph import Apply, Constant, Data, Node, apply, as_node, label
from finetti.model.ops import Place


def getitem(x: Node, index: Any) -> Apply:
    """`x[index]` by NumPy's rules: integers, slices, None, ellipsis, integer arrays, Data, and masks of constants.

    Raises:
        ShapeError: where an index is out of range or of the wrong type, with the axis and the numbers.
    """
    parts = _without_ellipsis(x, index if isinstance(index, tuple) else (index,))
    template: list[Any] = []
    arrays: list[Node] = []
    axis = 0
    for part in parts:
        if part is None or isinstance(part, slice):
            template.append(_static_slice(part))
            axis += part is not None
        elif isinstance(part, (int, np.integer)) and not isinstance(part, (bool, np.bool_)):
            template.append(_checked_integer(x, axis, int(part)))
            axis += 1
        else:
            made_for = _made_for_a_length(part)
            for array in _index_arrays(x, axis, part):
                template.append(Place(len(arrays), x.shape[axis] if made_for else None))
                arrays.append(array)
                axis += 1
    return apply("getitem", x, *arrays, template=tuple(template))


def _without_ellipsis(x: Node, parts: tuple) -> list:
    for part in parts:
        if isinstance(part, (bool, np.bool_)):
            raise ShapeError(f"{label(x)} is indexed by {part}; a mask needs one truth value for each element.")
    used = sum(np.ndim(p) if _is_mask(p) else 1 for p in parts if p is not None and p is not Ellipsis)
    if used > x.ndim:
        raise ShapeError(f"{label(x)} of shape {x.shape} has {x.ndim} axes, but the index asks for {used}.")
    at = next((k for k, p in enumerate(parts) if p is Ellipsis), len(parts))
    advanced = [p for p in parts if p is not None and p is not Ellipsis and not isinstance(p, slice)]
    if at < len(parts) and used == x.ndim and len(advanced) > 1 and [p for p in advanced if np.ndim(p)]:
        raise ShapeError(f"The ellipsis in the index of {label(x)} stands for no axis; leave it out.")
    return [*parts[:at], *[slice(None)] * (x.ndim - used), *(p for p in parts[at + 1 :] if p is not Ellipsis)]


def _is_mask(part: Any) -> bool:
    if isinstance(part, (Node, slice)):
        return False
    try:
        return np.asarray(part).dtype == bool
    except ValueError:  # ragged; refused where it is read
        return False


def _made_for_a_length(part: Any) -> bool:
    """Whether the numbers that an index becomes depend on the length of its axis."""
    return _is_mask(part) or (isinstance(part, list) and any(type(k) is int and k < 0 for k in part))


def _static_slice(part: slice | None) -> slice | None:
    if part is None:
        return None
    ends = (part.start, part.stop, part.step)
    return slice(*(None if end is None else operator.index(end) for end in ends))


def _checked_integer(x: Node, axis: int, index: int) -> int:
    length = x.shape[axis]
    if not -length <= index < length:
        raise ShapeError(f"{label(x)} has length {length} on axis {axis}; index {index} is out of range.")
    return index


def _index_arrays(x: Node, axis: int, part: Any) -> list[Node]:
    if isinstance(part, (Data, Constant)):
        return [check_index(part, x, axis)]
    if isinstance(part, Node):
        raise ShapeError(
            f"{label(x)} is indexed by {label(part)}, which is not data. An index must be an integer, a slice, an "
            "array of integers or a `Data`; to choose by a random condition use `np.where`."
        )
    if _is_mask(part):
        mask = np.asarray(part)
        if mask.shape != x.shape[axis : axis + mask.ndim]:
            raise ShapeError(f"A mask of shape {mask.shape} does not fit {label(x)} of shape {x.shape}.")
        return [as_node(i) for i in np.nonzero(mask)]
    if isinstance(part, list):  # typed by hand: there -1 is meant as Python means it
        part = [k + x.shape[axis] if type(k) is int and -x.shape[axis] <= k < 0 else k for k in part]
        part = _index_of_list(x, part) if not _has_nodes(part) else part
    return [check_index(as_node(part, what=f"The index of {label(x)}"), x, axis)]


def _index_of_list(x: Node, part: list) -> np.ndarray:
    try:
        return np.asarray(part, dtype=None if part else np.int64)
    except ValueError:
        raise ShapeError(f"{label(x)} is indexed by {part!r}, whose parts are of different lengths.") from None


def _has_nodes(part: list) -> bool:
    return any(isinstance(k, Node) for k in part)


def check_index(index: Node, x: Node, axis: int, value: np.ndarray | None = None) -> Node:
    """The index, counted from zero, or an error naming the first position out of range."""
    values = value if value is not None else index_values(index)
    if values.dtype.kind not in "iu":
        odd = int(np.argmax(np.ravel(values) % 1 != 0)) if values.dtype.kind == "f" and values.size else 0
        shown = f"; row {odd} is {np.ravel(values)[odd]}" if values.size else ""
        raise ShapeError(
            f"{label(x)} is indexed by {label(index)} of type {values.dtype}{shown}; an index must hold integers. "
            f"{_how_to_index(values)}"
        )
    length = x.shape[axis]
    bad = (values < 0) | (values >= length)
    if bad.any():
        where_bad = tuple(int(k[0]) for k in np.nonzero(np.atleast_1d(bad)))
        values = np.atleast_1d(values)
        row = where_bad[0] if len(where_bad) == 1 else where_bad
        hint = " Indices count from 0." if values.min() == 1 and values.max() == length else ""
        if values[where_bad] < 0:
            hint = (
                " Indices in an array count from 0 upwards; -1 is how pandas codes a missing label (`factorize`, "
                f"`cat.codes`): leave those rows out, {int((values < 0).sum())} in all."
            )
        raise ShapeError(
            f"{label(x)} has length {length} on axis {axis}, but the index at row {row} is "
            f"{int(values[where_bad])}.{hint}"
        )
    return index


def _how_to_index(values: np.ndarray) -> str:
    if values.dtype.kind in "fb":
        return "`.astype(int)` makes whole numbers of them." if values.dtype.kind == "f" else ""
    return (
        "For labels: `codes, labels = pandas.factorize(column)`, or `.cat.codes` and `.cat.categories` of a "
        "categorical column, with `coords={dim: labels}`; in any other order the results would be mislabelled."
    )


def index_values(index: Node) -> np.ndarray:
    """The integers of an index that is a constant or a `Data` of the model being written."""
    if isinstance(index, Constant):
        return index.value
    from finetti.model.context import Model

    return Model.current().data_value(index)
