"""A model built again with other data and other coords: the same variables by name, shapes that follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from finetti.calls import hinted
from finetti.distributions.base import entered
from finetti.errors import DataError, ModelError, ShapeError, unknown_name
from finetti.model.checks import check_data_indices, check_predictors
from finetti.model.context import Model
from finetti.model.graph import (
    Apply,
    Constant,
    Data,
    Deterministic,
    Node,
    Random,
    Shape,
    ancestors,
    apply,
    as_array,
    as_node,
)
from finetti.model.intake import as_coords, as_labels


@hinted({})
def rebuild(
    model: Model, data: Mapping[str, Any] | None = None, *, coords: Mapping[str, Any] | None = None
) -> Model:
    """The model with other data and other coords, as if it had been written with them; the old one stays as it was.

    Shapes that came from dims, data or parameters follow. What was written as a number stays: a `shape=8`, or an array
    in an expression that is no `Data`.

    Args:
        model: the model.
        data: arrays by name, of any length: of each `Data`, and of each variable whose `observed=` was an array.
        coords: labels, or a length, by dim; a dim without labels takes its length from the data.

    Returns:
        The new model, whose variables have the same names.

    Raises:
        UnknownNameError: no such data, or no such dim.
        ShapeError: data, dims and literal shapes that do not fit together, naming the variable.
        DataError: values that are not of the kind they replace.

    Example:
        >>> import finetti as pm
        >>> with pm.Model(coords={"school": ["A", "B"]}) as model:
        ...     theta = pm.Normal("theta", 0, 1, dims="school")
        ...     y = pm.Normal("y", theta, 1, observed=[1.0, 2.0], dims="school")
        >>> pm.rebuild(model, {"y": [1.0, 2.0, 3.0]}, coords={"school": ["A", "B", "C"]})["theta"].shape
        (3,)
    """
    if not isinstance(model, Model):
        raise ModelError(f"rebuild takes a Model; got {model!r}.")
    values = _values(model, {} if data is None else data)
    again = _Again(model, values, _dims(model, values, {} if coords is None else coords))
    for node in list(model.named.values()):
        again.node(node)
    for name, term in model.potentials.items():
        new = again.node(term)
        check_predictors(name, [new], again.model.named, again.model.data)
        again.model.potentials[name] = new
    for name, start in model.initvals.items():
        if again.model[name].shape == start.shape:
            again.model.initvals[name] = start
    return again.model


def _values(model: Model, data: Any) -> dict[str, np.ndarray]:
    """The new arrays by name, each of the kind that it replaces."""
    if not isinstance(data, Mapping):
        raise ModelError(f'rebuild takes a mapping from names to arrays, such as {{"y": [1.0, 2.0]}}; got {data!r}.')
    found = {}
    for name, given in data.items():
        old = _held(model, name)
        array = as_array(given, what=f"{name!r}")
        if array.ndim != old.ndim:
            raise ShapeError(
                f"{name!r} has shape {old.shape}; the new values have another number of axes: shape {array.shape}."
            )
        if isinstance(model[name], Data) and array.dtype.kind != old.dtype.kind:  # what is observed its law judges
            if (old.dtype.kind, array.dtype.kind) != ("f", "i"):
                raise DataError(f"{name!r} holds values of type {old.dtype}; {array.dtype} cannot replace them.")
            array = array.astype(float)
        found[name] = array
    return found


def _held(model: Model, name: Any) -> np.ndarray:
    """The array that a name stands for now."""
    node = model.named.get(name) if isinstance(name, str) else None
    if isinstance(node, Data):
        return model.data[node]
    if isinstance(node, Random) and isinstance(node.observed, Constant):
        return node.observed.value
    if isinstance(node, Random) and node.observed is not None:
        below = [str(n.name) for n in ancestors([node.observed]) if isinstance(n, Data)]
        raise ModelError(f"The data of {name!r} are computed from {' and '.join(map(repr, below))}: give those.")
    held = [n for n in model.named.values() if isinstance(n, Data)]
    held += [n for n in model.observed if isinstance(n.observed, Constant)]  # type: ignore[misc]
    raise unknown_name(name, [str(n.name) for n in held], what="data in the model")


def _dims(model: Model, values: Mapping[str, np.ndarray], coords: Any) -> dict[str, Any]:
    """Labels or lengths of every dim: those given, those of the data, or those there were."""
    for dim in as_coords(coords, what="rebuild"):
        if dim not in model.dim_lengths:
            raise unknown_name(dim, model.dim_lengths, what="dim in the model")
    found: dict[str, Any] = {dim: model.coords.get(dim, length) for dim, length in model.dim_lengths.items()}
    found |= coords
    taken: dict[str, str] = {}
    for name, array in values.items():
        for dim, length in zip(model[name].dims, array.shape, strict=False):  # type: ignore[attr-defined]
            if dim is None or dim in coords or length == _length(dim, found[dim]):
                continue
            if dim in model.coords:
                raise ShapeError(
                    f"{name!r} now has {length} along {dim!r}, whose {len(model.coords[dim])} labels are those of the "
                    f"old data: give the new ones, coords={{{dim!r}: [...]}}."
                )
            if dim in taken:
                raise ShapeError(f"{taken[dim]!r} and {name!r} have different lengths along {dim!r}.")
            found[dim], taken[dim] = length, name
    return found


def _length(dim: str, labels: Any) -> int:
    return labels if isinstance(labels, int) else len(as_labels(dim, labels))


class _Again:
    """The nodes of a new model, made one after the other from those of the old.

    Args:
        old: the model as it was.
        values: the new arrays by name.
        dims: labels or lengths.
    """

    def __init__(self, old: Model, values: Mapping[str, np.ndarray], dims: Mapping[str, Any]):
        self.old, self.values, self.model = old, values, Model(dims)
        self.made: dict[Node, Node] = {}

    def node(self, root: Node) -> Node:
        """The new node for an old one."""
        for node in ancestors([root], known=self.made):
            try:
                self.made[node] = self._of(node)
            except ShapeError as error:
                raise ShapeError(f"{error}{self._literals(node)}") from None
        return self.made[root]

    def _of(self, node: Node) -> Node:
        match node:
            case Constant():
                return node
            case Data():
                return self._data(node)
            case Deterministic(name=name):
                value = self.made[node.value]
                dims = self.model.checked_dims(name, node.dims or None, value.shape)
                return self.model.register(Deterministic(value.shape, value.dtype, name, value, dims))
            case Random():
                return self._random(node)
            case Apply():
                return self._apply(node)
        raise ModelError(f"{node!r} cannot be built again.")

    def _data(self, node: Data) -> Data:
        array = self.values.get(node.name, self.old.data[node])
        dims = self.model.checked_dims(node.name, node.dims or None, array.shape)
        new = Data(array.shape, node.dtype, node.name, dims)
        self.model.data[new] = array
        return self.model.register(new)

    def _random(self, node: Random) -> Random:
        inputs = [self.made[part] for part in node.inputs]
        new = node.with_inputs(tuple(inputs))
        observed = as_node(self.values[str(node.name)]) if node.name in self.values else new.observed
        shape = None if node.dims or node.observed is not None else _literal_shape(node)
        return entered(self.model, new, observed=observed, shape=shape, dims=node.dims or None)

    def _apply(self, node: Apply) -> Apply:
        arguments = [self.made[part] for part in node.arguments]
        if all(new is old for new, old in zip(arguments, node.arguments, strict=True)):
            return node
        new = apply(node.op.name, *arguments, **node.static)
        if node.op.name == "getitem":
            _check_made_for(node, new)
            check_data_indices(new, self.model.data)
        return new

    def _literals(self, node: Node) -> str:
        """Of what a node is computed from: the variables whose shape was written as a number."""
        free = [n for n in ancestors([node]) if isinstance(n, Random) and n.observed is None and not n.dims]
        fixed = [n for n in free if _literal_shape(n) is not None]
        if not fixed:
            return ""
        names = " and ".join(f"{n.name!r} (shape={n.shape})" for n in fixed)
        return f" {names} cannot follow other data, for the shape was written as a number: write `dims=`."


def _literal_shape(node: Random) -> Shape | None:
    """The shape, where it does not follow from the parameters."""
    specs = zip(node.parameters, node.family.parameters, strict=True)
    implied = np.broadcast_shapes(*(p.shape[: p.ndim - spec.event_ndim] for p, spec in specs))
    return None if node.shape == implied + node.family.event_shape(node.parameters) else node.shape


def _check_made_for(old: Apply, new: Apply) -> None:
    """Refuse an index that was made from a mask, or counted from the end, of an axis that has another length now."""
    axis = 0
    for part in old.static["template"]:
        length = getattr(part, "length", None)
        if length is not None and new.arguments[0].shape[axis] != length:
            raise ShapeError(
                f"{old!r} was indexed by a mask or from the end, for an axis of {length} elements; it has "
                f"{new.arguments[0].shape[axis]} now. Index it by a `Data`."
            )
        axis += part is not None
