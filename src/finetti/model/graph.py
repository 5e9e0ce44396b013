"""The model graph: frozen nodes with their shapes known when they are built.

    Constant      a fixed array
    Data          a named array that `set_data` may replace
    Random        a random variable: a distribution family and its parameters; observed or not
    Apply         a deterministic operation of the table in `ops`
    Deterministic a name for another node

The graph is data: it is walked to evaluate, print, check and rewrite the model. Nothing here imports JAX.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from numbers import Number
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.errors import DataError, FinettiError, ModelError, ShapeError
from finetti.hints import IN_VARIABLES, missing
from finetti.model.law import Law
from finetti.model.operators import Operators
from finetti.model.ops import OPS, Op

Shape = tuple[int, ...]


MOST_AXES = 32  # of an array, as in NumPy before version 2


@dataclass(frozen=True, eq=False, repr=False)
class Node(Operators):
    """One node of the graph: anything with a shape and a type of number."""

    shape: Shape
    dtype: np.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes this one is computed from."""
        return ()

    def with_inputs(self, inputs: tuple[Node, ...]) -> Node:
        """The same node computed from other inputs."""
        return self

    if not TYPE_CHECKING:  # type checkers would take every name for one that is there

        def __getattr__(self, name: str) -> Any:
            """Only for names that are not there."""
            who = label(self) if name in IN_VARIABLES else f"{type(self).__name__!r} object"
            raise AttributeError(missing(who, name, IN_VARIABLES))

    def __repr__(self) -> str:
        return f"<{label(self)}, shape {self.shape}>"


@dataclass(frozen=True, eq=False, repr=False)
class Constant(Node):
    """A fixed array."""

    value: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Data(Node):
    """A named array of the model, whose values the model holds and `set_data` replaces."""

    name: str
    dims: tuple[str | None, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Random(Node):
    """A random variable: `family` with `parameters` in the family's order; `observed` is its data, if it has any.

    `guards` say what keeps its parameters in their domains, in terms of what the user gave.
    """

    name: str | None
    family: Law
    parameters: tuple[Node, ...]
    observed: Node | None = None
    dims: tuple[str | None, ...] = ()
    guards: tuple[Any, ...] = ()

    @property
    def inputs(self) -> tuple[Node, ...]:
        guarded = tuple(node for guard in self.guards for node in guard.nodes)
        return self.parameters + guarded + (() if self.observed is None else (self.observed,))

    def with_inputs(self, inputs: tuple[Node, ...]) -> Random:
        given, guards = iter(inputs), []
        parameters = tuple(next(given) for _ in self.parameters)
        for guard in self.guards:
            guards.append(guard.with_nodes([next(given) for _ in guard.nodes]))
        return replace(self, parameters=parameters, guards=tuple(guards), observed=next(given, None))


@dataclass(frozen=True, eq=False, repr=False)
class Apply(Node):
    """An operation of the table applied to nodes; `static` holds what is not a node: an axis, an index template."""

    op: Op
    arguments: tuple[Node, ...]
    static: Mapping[str, Any] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[Node, ...]:
        return self.arguments

    def with_inputs(self, inputs: tuple[Node, ...]) -> Apply:
        return replace(self, arguments=inputs)


@dataclass(frozen=True, eq=False, repr=False)
class Deterministic(Node):
    """A named quantity computed from other nodes and kept with the draws."""

    name: str
    value: Node
    dims: tuple[str | None, ...] = ()

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.value,)

    def with_inputs(self, inputs: tuple[Node, ...]) -> Deterministic:
        return replace(self, value=inputs[0])


def as_array(value: Any, *, what: str) -> np.ndarray:
    """A NumPy array of numbers or truth values from NumPy, lists, pandas, polars or xarray.

    Raises:
        DataError: for masked arrays, text, dates or mixed objects, naming `what`.
    """
    if value is None or isinstance(value, Node):
        raise DataError(f"{what} is {'None' if value is None else label(value)}, but known numbers are needed.")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise DataError(
            f"{what} is a masked array with {int(np.ma.getmaskarray(value).sum())} masked values. finetti does not "
            "impute missing values: leave those rows out, for example with `.compressed()`."
        )
    if hasattr(value, "to_numpy"):
        value = value.to_numpy()
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{what} is not a rectangular array: {error}") from error
    if array.ndim > MOST_AXES:
        raise DataError(f"{what} has {array.ndim} axes; {MOST_AXES} is the most.")
    if array.dtype == object:
        array = _numbers_from_objects(array, what)
    if array.dtype.kind not in "fiub":
        raise DataError(f"{what} holds values of type {array.dtype}, but numbers are needed. {_advice(array)}")
    return array.astype(np.float64 if array.dtype.kind == "f" else bool if array.dtype == bool else np.int64)


def _numbers_from_objects(array: np.ndarray, what: str) -> np.ndarray:
    """Numbers and missing values (NaN from here on) out of an array of Python objects; text is never parsed."""
    missing = np.array([v is None or type(v).__name__ == "NAType" for v in array.ravel()], dtype=bool)
    values = array.ravel()[~missing]
    culprit = next((v for v in values if not isinstance(v, (Number, np.bool_))), None)
    if culprit is not None:
        raise DataError(f"{what} holds {culprit!r}, which is not a number. {_advice(array)}")
    known = np.array(values.tolist())
    try:
        known = known.astype(np.float64) if known.dtype == object else known
    except OverflowError:
        largest = max(values.tolist(), key=abs)
        raise DataError(
            f"{what} holds a whole number of {len(str(abs(largest)))} digits, more than floating point can write "
            "(about 1.8e308)."
        ) from None
    except TypeError as error:
        raise DataError(f"{what} holds values that are no real numbers: {error}.") from error
    if not missing.any():
        return known.reshape(array.shape)
    filled = np.full(array.size, np.nan)
    filled[~missing] = known
    return filled.reshape(array.shape)


def _advice(array: np.ndarray) -> str:
    return (
        "Labels are a dim: `codes, labels = pandas.factorize(column)` before the model, then "
        "`Model(coords={dim: labels})` and `variable[codes]`."
    )


def as_node(value: Any, *, what: str = "the value") -> Node:
    """`value` as a node of the graph; numbers and arrays become constants."""
    if isinstance(value, Node):
        return value
    if hasattr(value, "dims") and isinstance(value.data, Node):  # what xarray makes of `array * variable`
        return value.data
    if isinstance(value, (list, tuple)) and _holds_node(value):
        parts = [as_node(part, what=what) for part in value]
        return apply("stack", *parts, axis=-1 - parts[0].ndim)
    array = as_array(value, what=what)
    array.setflags(write=False)
    return Constant(array.shape, array.dtype, array)


def _holds_node(value: Any) -> bool:
    return isinstance(value, Node) or (isinstance(value, (list, tuple)) and any(map(_holds_node, value)))


def apply(name: str, *arguments: Any, **static: Any) -> Apply:
    """Operation `name` of the table applied to nodes, numbers and arrays.

    Raises:
        ShapeError: where the arguments' shapes do not fit, naming each argument and its shape.
        ModelError: where the operation does not exist for their types, such as the negative of a truth value.
    """
    op = OPS[name]
    nodes = tuple(as_node(a, what=f"an argument of {name}") for a in arguments)
    if _wants_floats(op, nodes):
        nodes = tuple(apply("multiply", n, 1.0) for n in nodes)
    try:
        shape, dtype = _elementwise_result(op, nodes) if op.elementwise else _result(op, nodes, static)
    except FinettiError:
        raise
    except (ValueError, IndexError) as error:
        raise ShapeError(_misfit(name, nodes, error)) from None
    except TypeError as error:
        raise ModelError(_misfit(name, nodes, error)) from None
    if dtype.kind != "b" and dtype.itemsize == 1:  # NumPy's power of truth values has eight bits
        return apply(name, *(apply("multiply", n, 1) for n in nodes), **static)
    return Apply(shape, dtype, op, nodes, static)


_OF_WHOLE_NUMBERS = frozenset(
    {"abs", "sign", "square", "floor", "ceil", "trunc", "maximum", "minimum", "where", "clip", "isnan", "isinf",
     "isfinite"}
)  # fmt: skip


def _wants_floats(op: Op, nodes: tuple[Node, ...]) -> bool:
    """Whether a function gets only integers or truth values, of which NumPy, SciPy and JAX make different types."""
    is_function = op.elementwise and op.symbol is None and op.name not in _OF_WHOLE_NUMBERS
    return is_function and not any(n.dtype.kind == "f" for n in nodes)


def _elementwise_result(op: Op, nodes: tuple[Node, ...]) -> tuple[Shape, np.dtype]:
    from finetti.model.namespace import NUMPY

    shape = np.broadcast_shapes(*(n.shape for n in nodes))
    with np.errstate(all="ignore"):
        sample = np.asarray(op.compute(NUMPY, 0, *(np.ones((), n.dtype) for n in nodes)))
    return shape, sample.dtype


def _result(op: Op, nodes: tuple[Node, ...], static: Mapping[str, Any]) -> tuple[Shape, np.dtype]:
    if op.name == "wrapped":
        return _traced_result(nodes, static)
    from finetti.model.namespace import NUMPY

    shams = [n.value if isinstance(n, Constant) else np.broadcast_to(np.ones((), n.dtype), n.shape) for n in nodes]
    if op.name == "getitem":  # the indices are checked where they are taken; here only shapes count
        shams[1:] = [np.zeros_like(a) for a in shams[1:]]
    with np.errstate(all="ignore"):
        result = np.asarray(op.compute(NUMPY, 0, *shams, **static))
    return result.shape, result.dtype


def _traced_result(nodes: tuple[Node, ...], static: Mapping[str, Any]) -> tuple[Shape, np.dtype]:
    import jax

    function = static["function"]
    try:
        with jax.enable_x64(True):
            traced = jax.eval_shape(function, *(jax.ShapeDtypeStruct(n.shape, n.dtype) for n in nodes))
    except Exception as error:
        raise ModelError(_untraceable(function, nodes, error)) from error
    if not hasattr(traced, "shape"):
        raise ShapeError(f"{_called(function, nodes)} must return one array; it returns {type(traced).__name__}.")
    return tuple(traced.shape), np.dtype(traced.dtype)


def _untraceable(function: Any, nodes: tuple[Node, ...], error: Exception) -> str:
    """What to say of a wrapped function that JAX can't follow."""
    import jax

    words = next((line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()), "")
    said = f"{_called(function, nodes)} fails in JAX with {type(error).__name__}: {words}."
    if isinstance(error, (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError)):
        said += (
            " It is handed values that are not numbers yet. Write it with `jax.numpy` in place of NumPy and SciPy, "
            "`jnp.where` in place of `if`, and without `float()` and `int()`."
        )
    return said


def _called(function: Any, nodes: tuple[Node, ...]) -> str:
    """The call of a wrapped function: `decay(t of shape (3,))`."""
    name = getattr(function, "__name__", type(function).__name__)
    return f"The wrapped function {name}({', '.join(f'{label(n)} of shape {n.shape}' for n in nodes)})"


def _misfit(name: str, nodes: tuple[Node, ...], error: Exception) -> str:
    parts = ", ".join(f"{label(n)} of shape {n.shape}" for n in nodes)
    return f"{name} cannot combine {parts}: {str(error).rstrip('.')}."


def name_of(node: Node) -> str | None:
    """The name of a node that has one."""
    return getattr(node, "name", None)


def label(node: Node) -> str:
    """A node in an error message: its name in quotes, or its expression."""
    from finetti.model.expression import node_text

    name = name_of(node)
    if name:
        return f"{name!r}"
    return "a constant" if isinstance(node, Constant) else f"`{node_text(node)}`"


def _everywhere(node: Node) -> bool:
    return True


def ancestors(
    roots: Iterable[Node], *, through: Callable[[Node], bool] = _everywhere, known: Iterable[Node] = ()
) -> Iterator[Node]:
    """Every node the roots are computed from, themselves included, each after all of its inputs.

    Nodes that `through` refuses are there themselves, but not what they are computed from; those that are known are
    not, nor what only they are computed from.
    """
    done: set[int] = {id(node) for node in known}
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, ready = stack.pop()
        if id(node) in done:
            continue
        if ready:
            done.add(id(node))
            yield node
        else:
            stack.append((node, True))
            stack.extend((child, False) for child in reversed(node.inputs if through(node) else ()))


def substitute(roots: Iterable[Node], replacements: Mapping[Node, Node]) -> list[Node]:
    """The roots rebuilt with some nodes replaced; nodes that nothing changes below are kept as they are."""
    roots = list(roots)
    new: dict[int, Node] = {}
    for node in ancestors(roots):
        if node in replacements:
            new[id(node)] = replacements[node]
            continue
        inputs = tuple(new[id(child)] for child in node.inputs)
        same = all(a is b for a, b in zip(inputs, node.inputs, strict=True))
        new[id(node)] = node if same else node.with_inputs(inputs)
    return [new[id(root)] for root in roots]
