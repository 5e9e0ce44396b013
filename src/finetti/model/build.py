"""The functions that make nodes from nodes: NumPy's names, its defaults, its shape rules.

`math` re-exports them; NumPy's own functions called on a variable arrive here through `numpy_function`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from finetti.calls import hinted
from finetti.errors import ArgumentError, ModelError, ShapeError
from finetti.model.graph import Apply, Node, apply, as_node, label
from finetti.model.indexing import getitem
from finetti.model.intake import as_axis, as_shape
from finetti.model.ops import OPS

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
    axis = as_axis(axis, what=name)
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


def _joined(arrays: Any, name: str) -> list[Node]:
    """The arrays to join, at least one."""
    if not isinstance(arrays, Iterable) or (isinstance(arrays, np.ndarray) and not arrays.ndim):
        raise ShapeError(f"{name} takes a list of arrays; got {arrays!r}.")
    nodes = [as_node(a, what=f"A part of {name}") for a in arrays]
    if not nodes:
        raise ShapeError(f"{name} needs at least one array; got {arrays!r}.")
    return nodes


def stack(arrays: Sequence[Any], axis: int = 0) -> Apply:
    """Arrays of one shape, joined along a new axis."""
    nodes = _joined(arrays, "stack")
    return apply("stack", *nodes, axis=_axis_from_right(axis, nodes[0].ndim + 1, name="stack"))


def concatenate(arrays: Sequence[Any], axis: int = 0) -> Apply:
    """Arrays joined along an axis they have."""
    nodes = _joined(arrays, "concatenate")
    return apply("concatenate", *nodes, axis=_axis_from_right(axis, nodes[0].ndim, name="concatenate"))


def reshape(a: Any, shape: int | Sequence[int]) -> Apply:
    """The same elements in another shape; one length may be -1."""
    a = as_node(a)
    asked = _whole(shape, "reshape")
    try:
        target = np.broadcast_to(0.0, a.shape).reshape(asked).shape
    except ValueError:
        raise ShapeError(f"{label(a)} of shape {a.shape} cannot be reshaped to {asked}.") from None
    return apply("reshape", a, shape=asked if a.size else target)  # a -1 follows other lengths


def broadcast_to(a: Any, shape: int | Sequence[int]) -> Node:
    """`a` repeated to `shape` by NumPy's broadcasting rules."""
    a = as_node(a)
    shape = as_shape(shape, what="broadcast_to")
    return a if a.shape == shape else apply("broadcast_to", a, shape=shape)


def transpose(a: Any, axes: Sequence[int] | None = None) -> Apply:
    """The axes in another order (reversed by default)."""
    a = as_node(a)
    order = range(a.ndim)[::-1] if axes is None else axes[0] if isinstance(axes[0], (tuple, list)) else axes
    return apply("transpose", a, axes=tuple(_axis_from_right(k, a.ndim, name="transpose") % a.ndim for k in order))


def squeeze(a: Any, axis: int | None = None) -> Apply:
    """`a` without its axes of length one (or without `axis`)."""
    a = as_node(a)
    return reshape(a, _numpys(np.squeeze, a, axis))


def expand_dims(a: Any, axis: int) -> Apply:
    """`a` with a new axis of length one."""
    a = as_node(a)
    return reshape(a, _numpys(np.expand_dims, a, axis))


def _numpys(function: Callable[..., Any], a: Node, axis: Any) -> tuple[int, ...]:
    """The shape NumPy's function would give."""
    try:
        return function(np.broadcast_to(0.0, a.shape), axis=axis).shape
    except (TypeError, ValueError) as error:
        raise ShapeError(f"{function.__name__} of {label(a)}, shape {a.shape}, with axis {axis!r}: {error}.") from error


def _whole(shape: Any, name: str) -> tuple[int, ...]:
    """A shape in which -1 may stand for a length."""
    parts = shape if isinstance(shape, (tuple, list)) else (shape,)
    return tuple(as_axis(n, what=f"{name} to {shape!r}") for n in parts)


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


@hinted({})
def wrap(function: Callable[..., Any]) -> Callable[..., Apply]:
    """Admit a JAX function of arrays as a function of variables.

    Args:
        function: takes arrays and returns one array; written with `jax.numpy`, pure, differentiable in JAX. It sees
            one draw at a time and is mapped over draws where there are many.

    Returns:
        The same function, taking variables, numbers or arrays and returning a variable.

    Raises:
        ArgumentError: for what can't be called. A function that JAX can't follow is a ModelError where it is used.

    Example:
        >>> import finetti as pm
        >>> import jax.numpy as jnp
        >>> @pm.wrap
        ... def saturating(x, rate):
        ...     return 1 - jnp.exp(-rate * x)
    """

    if not callable(function):
        raise ArgumentError(f"wrap takes a function written with `jax.numpy`; got {function!r}.")

    def on_variables(*arguments: Any) -> Apply:
        return apply("wrapped", *arguments, function=function)

    on_variables.__name__ = getattr(function, "__name__", "wrapped")
    on_variables.__doc__ = function.__doc__
    return on_variables


def _hstack(arrays: Sequence[Any]) -> Apply:
    nodes = [reshape(n, (1,)) if n.ndim == 0 else n for n in _joined(arrays, "hstack")]
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
