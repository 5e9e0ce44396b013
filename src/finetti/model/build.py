"""The functions that make nodes from nodes: NumPy's names, its defaults, its shape rules.

`math` re-exports them; NumPy's own functions called on a variable arrive here through `numpy_function`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from finetti.errors import ModelError, ShapeError
from finetti.model.graph import Apply, Constant, Data, Node, apply, as_node, label
from finetti.model.ops import OPS, Place

__all__ = ["apply", "getitem", "numpy_function", "numpy_ufunc"]

_UFUNC_NAMES = {
    "absolute": "abs", "divide": "true_divide", "bitwise_and": "logical_and", "bitwise_or": "logical_or",
    "invert": "logical_not", "conjugate": "positive", "fabs": "abs", "mod": "remainder", "float_power": "power",
    "expit": "sigmoid", "psi": "digamma",
}  # fmt: skip


def numpy_ufunc(name: str, *inputs: Any) -> Node:
    """A NumPy (or SciPy) ufunc called on at least one variable."""
    name = _UFUNC_NAMES.get(name, name)
    if name == "positive":
        return as_node(inputs[0])
    if name not in OPS:
        raise ModelError(f"np.{name} is not known for variables; `finetti.wrap` admits any JAX function of them.")
    return apply(name, *inputs)


def numpy_function(name: str, module: str = "numpy") -> Callable[..., Node]:
    """The node-making function that stands for NumPy's function `name`."""
    found = _NUMPY_FUNCTIONS.get(name) if module == "numpy" else None
    if found is None:
        full = f"{module}.{name}".replace("numpy.", "np.", 1)
        raise ModelError(f"{full} is not known for variables; `finetti.wrap` admits any JAX function of them.")
    return found


# --- axes ------------------------------------------------------------------------------------------------------


def _axis_from_right(axis: int, rank: int, *, name: str) -> int:
    axis = operator.index(axis)
    if not -rank <= axis < rank:
        raise ShapeError(f"{name} has no axis {axis}: its argument has {rank} axes.")
    return axis % rank - rank


def _axes_from_right(axis: Any, rank: int, *, name: str) -> tuple[int, ...]:
    axes = range(rank) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    return tuple(_axis_from_right(a, rank, name=name) for a in axes)


def _reducer(name: str) -> Callable[..., Apply]:
    def reduce(a, axis=None, keepdims=False):
        a = as_node(a)
        return apply(name, a, axis=_axes_from_right(axis, a.ndim, name=name), keepdims=bool(keepdims))

    reduce.__name__ = reduce.__qualname__ = name
    reduce.__doc__ = f"`{name}` over `axis`, an int or a tuple of ints (all axes by default)."
    return reduce


sum, prod, mean, std, var, logsumexp, all, any = map(
    _reducer, ("sum", "prod", "mean", "std", "var", "logsumexp", "all", "any")
)
max, min = map(_reducer, ("max", "min"))


def _cumulative(name: str) -> Callable[..., Apply]:
    def accumulate(a, axis=None):
        a = as_node(a)
        if axis is None:
            a, axis = reshape(a, (-1,)), 0
        return apply(name, a, axis=_axis_from_right(axis, a.ndim, name=name))

    accumulate.__name__ = accumulate.__qualname__ = name
    accumulate.__doc__ = f"`{name}` along `axis` (of the flattened array by default)."
    return accumulate


cumsum, cumprod = map(_cumulative, ("cumsum", "cumprod"))


def softmax(a: Any, axis: int = -1) -> Apply:
    """exp(a) divided by its sum along `axis`."""
    a = as_node(a)
    return apply("softmax", a, axis=_axis_from_right(axis, a.ndim, name="softmax"))


# --- joining and reshaping -------------------------------------------------------------------------------------


def stack(arrays: Sequence[Any], axis: int = 0) -> Apply:
    """Arrays of one shape, joined along a new axis."""
    nodes = [as_node(a) for a in arrays]
    return apply("stack", *nodes, axis=_axis_from_right(axis, nodes[0].ndim + 1, name="stack"))


def concatenate(arrays: Sequence[Any], axis: int = 0) -> Apply:
    """Arrays joined along an axis they have."""
    nodes = [as_node(a) for a in arrays]
    return apply("concatenate", *nodes, axis=_axis_from_right(axis, nodes[0].ndim, name="concatenate"))


def reshape(a: Any, shape: int | Sequence[int]) -> Apply:
    """The same elements in another shape; one length may be -1."""
    a = as_node(a)
    target = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    try:
        target = np.broadcast_to(0.0, a.shape).reshape(target).shape
    except ValueError:
        raise ShapeError(f"{label(a)} of shape {a.shape} cannot be reshaped to {target}.") from None
    return apply("reshape", a, shape=target)


def broadcast_to(a: Any, shape: int | Sequence[int]) -> Node:
    """`a` repeated to `shape` by NumPy's broadcasting rules."""
    a = as_node(a)
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return a if a.shape == shape else apply("broadcast_to", a, shape=shape)


def transpose(a: Any, axes: Sequence[int] | None = None) -> Apply:
    """The axes in another order (reversed by default)."""
    a = as_node(a)
    order = range(a.ndim)[::-1] if axes is None else axes[0] if isinstance(axes[0], (tuple, list)) else axes
    return apply("transpose", a, axes=tuple(_axis_from_right(k, a.ndim, name="transpose") % a.ndim for k in order))


def squeeze(a: Any, axis: int | None = None) -> Apply:
    """`a` without its axes of length one (or without `axis`)."""
    a = as_node(a)
    return reshape(a, np.squeeze(np.broadcast_to(0.0, a.shape), axis=axis).shape)


def expand_dims(a: Any, axis: int) -> Apply:
    """`a` with a new axis of length one."""
    a = as_node(a)
    return reshape(a, np.expand_dims(np.broadcast_to(0.0, a.shape), axis).shape)


# --- products --------------------------------------------------------------------------------------------------


def dot(a: Any, b: Any) -> Node:
    """Product of scalars, or matrix product of arrays of one or two axes (`matmul` for stacks of matrices)."""
    a, b = as_node(a), as_node(b)
    if b.ndim > 2:
        raise ShapeError(f"dot takes at most two axes, but {label(b)} has shape {b.shape}; use `@` for stacks.")
    return apply("matmul" if a.ndim and b.ndim else "multiply", a, b)


def matmul(a: Any, b: Any) -> Apply:
    """Matrix product `a @ b` of vectors, matrices and stacks of matrices."""
    return apply("matmul", a, b)


def outer(a: Any, b: Any) -> Node:
    """All products of an element of `a` with an element of `b`."""
    return reshape(a, (-1, 1)) * reshape(b, (1, -1))


def where(condition: Any, x: Any, y: Any) -> Apply:
    """`x` where the condition holds, `y` elsewhere."""
    return apply("where", condition, x, y)


def clip(a: Any, a_min: Any = None, a_max: Any = None) -> Apply:
    """`a` held between two bounds; None leaves a side open."""
    return apply("clip", a, -np.inf if a_min is None else a_min, np.inf if a_max is None else a_max)


def diagonal(a: Any) -> Apply:
    """The diagonal of a matrix, or of each matrix of a stack."""
    return apply("diagonal", a)


def wrap(function: Callable[..., Any]) -> Callable[..., Apply]:
    """Admit a JAX function of arrays as a function of variables.

    Args:
        function: takes arrays and returns one array; written with `jax.numpy`, pure, differentiable in JAX. It sees
            one draw at a time and is mapped over draws where there are many.

    Returns:
        The same function, taking variables, numbers or arrays and returning a variable.

    Example:
        >>> import finetti as pm
        >>> import jax.numpy as jnp
        >>> @pm.wrap
        ... def saturating(x, rate):
        ...     return 1 - jnp.exp(-rate * x)
    """

    def on_variables(*arguments: Any) -> Apply:
        return apply("wrapped", *arguments, function=function)

    on_variables.__name__ = getattr(function, "__name__", "wrapped")
    on_variables.__doc__ = function.__doc__
    return on_variables


# --- indexing --------------------------------------------------------------------------------------------------


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
            for array in _index_arrays(x, axis, part):
                template.append(Place(len(arrays)))
                arrays.append(array)
                axis += 1
    return apply("getitem", x, *arrays, template=tuple(template))


def _without_ellipsis(x: Node, parts: tuple) -> list:
    for part in parts:
        if isinstance(part, (bool, np.bool_)):
            raise ShapeError(f"{label(x)} is indexed by {part}; a mask needs one truth value for each element.")
    used = builtins_sum(np.ndim(p) if _is_mask(p) else 1 for p in parts if p is not None and p is not Ellipsis)
    if used > x.ndim:
        raise ShapeError(f"{label(x)} of shape {x.shape} has {x.ndim} axes, but the index asks for {used}.")
    at = next((k for k, p in enumerate(parts) if p is Ellipsis), len(parts))
    advanced = [p for p in parts if p is not None and p is not Ellipsis and not isinstance(p, slice)]
    if at < len(parts) and used == x.ndim and len(advanced) > 1 and [p for p in advanced if np.ndim(p)]:
        raise ShapeError(f"The ellipsis in the index of {label(x)} stands for no axis; leave it out.")
    return [*parts[:at], *[slice(None)] * (x.ndim - used), *(p for p in parts[at + 1 :] if p is not Ellipsis)]


def builtins_any(flags) -> bool:
    """Python's `any`, whose name NumPy's takes in this module."""
    return True in list(flags)


def builtins_sum(numbers) -> int:
    """Python's `sum`, whose name NumPy's takes in this module."""
    total = 0
    for number in numbers:
        total += number
    return total


def _is_mask(part: Any) -> bool:
    return not isinstance(part, (Node, slice)) and np.asarray(part).dtype == bool


def _static_slice(part: slice | None) -> slice | None:
    if part is None:
        return None
    ends = (part.start, part.stop, part.step)
    return slice(*(None if end is None else operator.index(end) for end in ends))


def _checked_integer(x: Node, axis: int, index: int) -> int:
    length = x.shape[axis]
    if not -length <= index < length:
        raise ShapeError(f"{label(x)} has length {length} on axis {axis}; index {index} is out of range.")
    return index % length


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
        part = np.asarray(part, dtype=None if part else np.int64) if not _has_nodes(part) else part
    return [check_index(as_node(part, what=f"The index of {label(x)}"), x, axis)]


def _has_nodes(part: list) -> bool:
    return builtins_any(isinstance(k, Node) for k in part)


def check_index(index: Node, x: Node, axis: int, value: np.ndarray | None = None) -> Node:
    """The index, counted from zero, or an error naming the first position out of range."""
    values = value if value is not None else index_values(index)
    if values.dtype.kind not in "iu":
        odd = int(np.argmax(np.ravel(values) % 1 != 0)) if values.dtype.kind == "f" else 0
        shown = f"; row {odd} is {np.ravel(values)[odd]}" if values.size else ""
        raise ShapeError(
            f"{label(x)} is indexed by {label(index)} of type {values.dtype}{shown}; an index must hold integers "
            "(`.astype(int)`, or `pandas.factorize` for labels)."
        )
    length = x.shape[axis]
    bad = (values < 0) | (values >= length)
    if bad.any():
        where_bad = tuple(int(k[0]) for k in np.nonzero(bad))
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


def index_values(index: Node) -> np.ndarray:
    """The integers of an index that is a constant or a `Data` of the model being written."""
    if isinstance(index, Constant):
        return index.value
    from finetti.model.context import Model

    return Model.current().data_value(index)


def _hstack(arrays: Sequence[Any]) -> Apply:
    nodes = [reshape(n, (1,)) if n.ndim == 0 else n for n in map(as_node, arrays)]
    return concatenate(nodes, 0 if nodes[0].ndim == 1 else 1)


def _vstack(arrays: Sequence[Any]) -> Apply:
    return concatenate([reshape(n, (1, -1)) if n.ndim < 2 else n for n in map(as_node, arrays)], 0)


def _column_stack(arrays: Sequence[Any]) -> Apply:
    return concatenate([reshape(n, (-1, 1)) if n.ndim < 2 else n for n in map(as_node, arrays)], 1)


def _swapaxes(a: Node, axis1: int, axis2: int) -> Apply:
    order = list(range(a.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transpose(a, order)


def _diagonal_of_matrix(a: Node) -> Apply:
    if a.ndim != 2:
        raise ShapeError(f"np.diagonal takes a matrix, but {label(a)} has shape {a.shape}; see `math.diagonal`.")
    return diagonal(a)


def _zeros_like(a: Node) -> Node:
    return as_node(np.zeros(a.shape))


def _ones_like(a: Node) -> Node:
    return as_node(np.ones(a.shape))


_NUMPY_FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (sum, prod, mean, std, var, all, any, max, min, cumsum, cumprod, stack, concatenate, reshape,
              broadcast_to, transpose, squeeze, expand_dims, dot, outer, where, clip)
}  # fmt: skip
_NUMPY_FUNCTIONS |= {
    "amax": max, "amin": min, "ravel": lambda a: reshape(a, (-1,)), "hstack": _hstack, "vstack": _vstack,
    "column_stack": _column_stack, "diagonal": _diagonal_of_matrix, "swapaxes": _swapaxes,
    "zeros_like": _zeros_like, "ones_like": _ones_like, "atleast_1d": lambda a: a if a.ndim else reshape(a, (1,)),
    "shape": lambda a: a.shape, "ndim": lambda a: a.ndim, "size": lambda a: a.size,
}  # fmt: skip
