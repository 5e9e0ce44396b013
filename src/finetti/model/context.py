"""`with Model():` - the names, dims, coords and data of one model, and what is registered where."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.calls import hinted
from finetti.errors import ModelError, ShapeError, unknown_name
from finetti.hints import IN_MODEL, OF_MODELS, OF_SET_DATA, missing
from finetti.model.checks import (
    check_data_indices,
    check_parts,
    check_predictors,
    few,
    refuse_unnamed,
    same_kind,
)
from finetti.model.graph import Apply, Data, Deterministic, Node, Random, Shape, ancestors, as_array, label
from finetti.model.intake import as_coords, as_dims, as_labels, as_shape, check_layout, check_name
from finetti.model.labels import check_labels
from finetti.model.planned import Geometry, Planned

Dims = str | Sequence[str | None] | None

_open = threading.local()


class Model:
    """A Bayesian model, written inside `with Model() as model:`.

    Models do not nest: a model opened inside another is refused, because names would silently be shared.

    Args:
        coords: labels of each dimension, for example `{"school": ["A", "B", "C"]}`; an int gives only a length.

    Raises:
        ModelError: where a model is opened inside another.

    Example:
        >>> import finetti as pm
        >>> with pm.Model(coords={"school": ["A", "B", "C"]}) as model:
        ...     tau = pm.HalfCauchy("tau", 5)
        ...     theta = pm.Normal("theta", 0, tau, dims="school")
        >>> model["theta"].shape
        (3,)
    """

    @hinted(OF_MODELS)
    def __init__(self, coords: Mapping[str, Any] | None = None):
        self.coords: dict[str, tuple] = {}
        self.dim_lengths: dict[str, int] = {}
        self.named: dict[str, Node] = {}
        self.potentials: dict[str, Node] = {}
        self.data: dict[Node, np.ndarray] = {}
        self.initvals: dict[str, np.ndarray] = {}
        for dim, labels in as_coords({} if coords is None else coords, what="Model").items():
            self.add_coord(dim, labels)

    # --- the context ------------------------------------------------------------------------------------------

    def __enter__(self) -> Model:
        if getattr(_open, "model", None) is not None:
            raise ModelError(
                "A model is already open, and models do not nest: close the outer `with Model():` first. To share "
                "parts between models, write a function that is called in each."
            )
        _open.model = self
        return self

    def __exit__(self, *exception: object) -> None:
        _open.model = None

    @staticmethod
    def current() -> Model:
        """The model being written.

        Raises:
            ModelError: outside `with Model():`.
        """
        model = getattr(_open, "model", None)
        if model is None:
            raise ModelError(
                "No model is open. Write this inside `with Model() as model:`, or pass `model=` where a function "
                "takes it; for a distribution without a name use `.dist(...)`."
            )
        return model

    # --- what the model holds ---------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Node:
        """The variable of that name."""
        if not isinstance(name, str) or name not in self.named:
            raise unknown_name(name, self.named, what="variable in the model")
        return self.named[name]

    if not TYPE_CHECKING:  # type checkers would take every name for one that is there

        def __getattr__(self, name: str) -> Any:
            """Only for names that are not there."""
            raise AttributeError(missing("A Model", name, IN_MODEL))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self.named

    @property
    def randoms(self) -> list[Random]:
        """All random variables, in the order they were written."""
        return [n for n in self.named.values() if isinstance(n, Random)]

    @property
    def free(self) -> list[Random]:
        """Random variables without data: the unknowns."""
        return [n for n in self.randoms if n.observed is None]

    @property
    def observed(self) -> list[Random]:
        """Random variables with data."""
        return [n for n in self.randoms if n.observed is not None]

    @property
    def deterministics(self) -> list[Deterministic]:
        """Named quantities computed from others."""
        return [n for n in self.named.values() if isinstance(n, Deterministic)]

    def data_value(self, node: Node) -> np.ndarray:
        """The present values of a `Data`."""
        if node not in self.data:
            raise ModelError(f"{label(node)} belongs to another model.")
        return self.data[node]

    # --- registering ------------------------------------------------------------------------------------------

    def add_coord(self, dim: str, labels: Any) -> None:
        """Give a dimension its labels, or its length as an int.

        Raises:
            ModelError: a dim or labels that the draws cannot hold, or others than the dim has already.
        """
        check_name(dim, what="A dim")
        if isinstance(labels, (int, np.integer)) and not isinstance(labels, bool):
            self._set_length(dim, *as_shape(labels, what=f"Dim {dim!r}"))
            return
        values = as_labels(dim, labels)
        if self.coords.get(dim, values) != values:
            raise ModelError(f"Dim {dim!r} has labels {few(self.coords[dim])} already; {few(values)} were given too.")
        self._set_length(dim, len(values))
        self.coords[dim] = values

    def _set_length(self, dim: str, length: int) -> None:
        if self.dim_lengths.setdefault(dim, length) != length:
            raise ModelError(f"Dim {dim!r} has length {self.dim_lengths[dim]} already; {length} was given too.")

    def claim(self, name: str) -> None:
        """Check that a name is free and usable."""
        if not isinstance(name, str) or not name:
            raise ModelError(f"The first argument of a variable is its name, a string; {name!r} was given.")
        check_name(name, what="a variable")
        if name in self.named or name in self.potentials:
            raise ModelError(f"The name {name!r} is already used in this model; each variable needs its own.")

    def register(self, node: Any) -> Any:
        """Enter a named node, after its random variables and data have been checked to belong here."""
        self.claim(node.name)
        check_parts(node.name, node.inputs, self.named)
        if not isinstance(node, Random):
            refuse_unnamed(node.name, node.inputs)
        if isinstance(node, Random):
            node.family.check(node, self.data)
        check_predictors(node.name, node.inputs, self.named, self.data)
        check_layout(node, [other for other in self.named.values() if _group(other) == _group(node)])
        self.named[node.name] = node
        return node

    def resolve_dims(self, name: str, dims: Dims) -> tuple[str | None, ...] | None:
        """Dims as a tuple, or None where none were given."""
        if dims is None:
            return None
        return as_dims(dims, what=str(name))

    def shape_of_dims(self, what: str, dims: tuple[str | None, ...], implied: Shape | None) -> Shape:
        """The shape that dims stand for; a dim seen for the first time takes its length from `implied`."""
        lengths = []
        for k, dim in enumerate(dims):
            if dim is None or dim not in self.dim_lengths:
                if implied is None or len(implied) != len(dims):
                    raise ShapeError(
                        f"{what} has dim {dim!r}, whose length is unknown. Give it labels in "
                        f"`Model(coords={{{dim!r}: [...]}})`. Known dims: {self.dim_lengths or 'none'}."
                    )
                lengths.append(implied[k])
                if dim is not None:
                    self.dim_lengths[dim] = implied[k]
            else:
                lengths.append(self.dim_lengths[dim])
        return tuple(lengths)

    def checked_dims(self, name: str, dims: Dims, shape: Shape) -> tuple[str | None, ...]:
        """Dims that fit a known shape."""
        names = self.resolve_dims(name, dims)
        if names is None:
            return ()
        if len(names) != len(shape):
            raise ShapeError(f"{name!r} has shape {shape}, but {len(names)} dims were given: {names}.")
        by_dims = self.shape_of_dims(repr(name), names, shape)
        if by_dims != shape:
            raise ShapeError(f"{name!r} has shape {shape}, but its dims {names} have lengths {by_dims}.")
        return names

    # --- data -------------------------------------------------------------------------------------------------

    @hinted(OF_SET_DATA)
    def set_data(self, name: str, values: Any) -> None:
        """Replace the values of a `Data`; shape and type stay as they were, and everything is checked again.

        Args:
            name: name of the `Data`.
            values: array of the same shape.

        Raises:
            UnknownNameError: no `Data` of that name.
            ShapeError, DataError: values that do not fit; the old ones stay.
        """
        node = self[name]
        if not isinstance(node, Data):
            raise unknown_name(name, [n.name for n in self.data if isinstance(n, Data)], what="Data in the model")
        array = same_kind(as_array(values, what=f"{name!r}"), node)
        check_labels(f"{name!r}", values, node.dims, self.coords)
        old = self.data[node]
        self.data[node] = array
        try:
            self._check_all()
        except Exception:
            self.data[node] = old
            raise

    def _check_all(self) -> None:
        roots = [*self.named.values(), *self.potentials.values()]
        for name, node in {**self.named, **self.potentials}.items():
            check_predictors(name, node.inputs or [node], {}, self.data)
        for node in ancestors(roots):
            if isinstance(node, Random):
                node.family.check(node, self.data)
            elif isinstance(node, Apply) and node.op.name == "getitem":
                check_data_indices(node, self.data)

    # --- showing ----------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        from finetti.model.show import as_text

        return as_text(self)

    __repr__ = __str__

    def plan(self, geometry: Geometry = "auto") -> Planned:
        """What `sample` would do to each unknown, and why; see `sample` for `geometry`."""
        import finetti  # by the front door: rooms that know models are further along

        return finetti.plan(self, geometry)

    def _repr_latex_(self) -> str:
        from finetti.model.show import as_latex

        return as_latex(self)

    def to_graphviz(self) -> Any:
        """The model as a graph: a `graphviz.Source` (package `graphviz`), drawn by a notebook.

        Raises:
            ModelError: where the package is not installed.
        """
        from finetti.model.show import as_graphviz

        return as_graphviz(self)


def _group(node: Any) -> str:
    """The group of the trace that a variable will be kept in."""
    if isinstance(node, Data):
        return "constant_data"
    return "observed_data" if isinstance(node, Random) and node.observed is not None else "posterior"


def dims_and_coords(model: Model, nodes: Iterable[Any]) -> tuple[dict[str, tuple], dict[str, tuple]]:
    """Dims by variable name, and the labels of the dims, for the nodes that have some."""
    dims = {n.name: tuple(n.dims) for n in nodes if getattr(n, "dims", ())}
    return dims, dict(model.coords)
