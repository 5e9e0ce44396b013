"""What a model checks before it takes in a variable, labels or new data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from finetti.errors import DataError, ModelError, ShapeError
from finetti.model.evaluate import is_static, static_value
from finetti.model.graph import Apply, Data, Node, Random, ancestors, label, name_of
from finetti.model.indexing import check_index


def check_parts(name: str, inputs: Iterable[Node], named: Mapping[str, Node]) -> None:
    """Refuse parts of another model, and arithmetic on distributions that are no variables."""

    def is_new(part: Node) -> bool:
        return named.get(name_of(part) or "") is not part

    for part in ancestors(inputs, through=is_new):
        if name_of(part) and is_new(part):
            raise ModelError(f"{name!r} uses {label(part)}, which belongs to another model.")
        if isinstance(part, Apply):
            refuse_unnamed(name, part.inputs)


_WEIGHED = frozenset({"add", "subtract", "multiply", "true_divide", "matmul"})  # where an infinity is a mistake


def check_predictors(name: str, inputs: Iterable[Node], named: Mapping[str, Node], data: Mapping[Node, Any]) -> None:
    """Refuse known numbers that are missing or infinite where an expression of variables reads them.

    Looked at are the largest known parts of the expressions, for a NaN that a known `where` has replaced is none.
    """

    def is_new(part: Node) -> bool:
        return named.get(name_of(part) or "") is not part

    order = list(ancestors(inputs, through=is_new))
    unknown: set[int] = set()
    for part in order:
        new = is_new(part)
        if isinstance(part, Random) or (new and any(id(child) in unknown for child in part.inputs)) or (
            not new and not is_static(part)
        ):
            unknown.add(id(part))
    for part in order:
        if isinstance(part, Apply) and id(part) in unknown and part.op.name != "where":
            for child in part.arguments:
                if id(child) not in unknown:
                    _refuse_not_finite(name, part, child, data)


def _refuse_not_finite(name: str, reader: Apply, known: Node, data: Mapping[Node, Any]) -> None:
    value = static_value(known, data) if all(n in data for n in ancestors([known]) if isinstance(n, Data)) else None
    if value is None or value.dtype.kind != "f":
        return
    bad = np.isnan(value)
    if value.ndim and reader.op.name in _WEIGHED:
        bad = bad | np.isinf(value)
    if bad.any():
        at = tuple(int(k[0]) for k in np.nonzero(bad)) if value.ndim else ()
        place = f"row {at[0]}" if len(at) == 1 else f"element {at}" if at else "it"
        more = f" ({int(bad.sum())} of {bad.size} values)" if bad.sum() > 1 else ""
        unnamed = name_of(known) is None
        what = f"A predictor of {name!r}, {label(known)}," if unnamed else f"{label(known)}, read by {name!r},"
        raise DataError(
            f"{what} must hold finite numbers, but {place} is {float(value[at])}{more}. Leave those rows out of the "
            "data and of every index (`df.dropna()`), or replace the values; finetti does not impute."
        )


def refuse_unnamed(name: str, inputs: Iterable[Node]) -> None:
    for part in inputs:
        if isinstance(part, Random) and part.name is None:
            raise ModelError(
                f"{name!r} computes with {label(part)}, a distribution without a name; give it a name, so that it "
                "becomes a variable of the model."
            )


def few(labels: tuple) -> str:
    return ", ".join(map(repr, labels[:3])) + (f", ... ({len(labels)})" if len(labels) > 3 else "")


def same_kind(array: np.ndarray, node: Data) -> np.ndarray:
    if array.shape != node.shape:
        raise ShapeError(
            f"{node.name!r} has shape {node.shape}; values of shape {array.shape} cannot replace its own, since "
            "the shapes of the model were checked with it. Write the model again for data of another size."
        )
    if node.dtype.kind == "f" and array.dtype.kind == "i":
        return array.astype(float)
    if array.dtype != node.dtype:
        raise DataError(f"{node.name!r} holds values of type {node.dtype}; {array.dtype} cannot replace them.")
    return array


def check_data_indices(node: Apply, data: Mapping[Node, np.ndarray]) -> None:
    x, *indices = node.arguments
    axis = 0
    for part in node.static["template"]:
        if hasattr(part, "argument"):
            index = indices[part.argument]
            check_index(index, x, axis, static_value(index, data))
        axis += part is not None
