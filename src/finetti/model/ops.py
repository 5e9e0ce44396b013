"""The table of deterministic operations: what each computes, under any array namespace, with or without a batch.

An operation is called as `compute(xp, lead, *args, **static)`. `lead` is 0 for a single point or 1 where every
argument has a leading axis of draws (of length 1 if it does not vary). Elementwise operations never see the
difference, for the evaluator aligns their arguments; reductions count axes from the right; the few operations
that must know are written out below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Op:
    """One deterministic operation of the graph.

    Args:
        name: its name in the table, NumPy's where NumPy has it.
        compute: `(xp, lead, *args, **static) -> array`.
        elementwise: whether arguments broadcast against each other.
        symbol: an infix or prefix sign for printing, if it has one.
        latex: a LaTeX template with `{0}`, `{1}` for the arguments, if it has one.
    """

    name: str
    compute: Callable[..., Any]
    elementwise: bool = False
    symbol: str | None = None
    latex: str | None = None

    def __reduce__(self) -> tuple:
        """A copy in another process is that one's own."""
        return _known, (self.name,)


OPS: dict[str, Op] = {}
# operations whose every element is one of their argument's
REARRANGING = frozenset({"getitem", "reshape", "broadcast_to", "transpose", "diagonal"})


def _known(name: str) -> Op:
    return OPS[name]


def _register(op: Op) -> None:
    OPS[op.name] = op


def _elementwise(
    name: str, compute: Callable[..., Any] | None = None, *, symbol: str | None = None, latex: str | None = None
) -> None:
    def by_name(xp, lead, *args):
        return getattr(xp, name)(*args)

    def given(xp, lead, *args):
        return compute(xp, *args)

    _register(Op(name, by_name if compute is None else given, True, symbol, latex))


for _name, _symbol, _latex in (
    ("add", "+", "{0} + {1}"),
    ("subtract", "-", "{0} - {1}"),
    ("multiply", "*", r"{0} \, {1}"),
    ("true_divide", "/", r"\frac{{{0}}}{{{1}}}"),
    ("floor_divide", "//", None),
    ("remainder", "%", None),
    ("power", "**", "{0}^{{{1}}}"),
    ("negative", "-", "-{0}"),
    ("less", "<", "{0} < {1}"),
    ("less_equal", "<=", r"{0} \le {1}"),
    ("greater", ">", "{0} > {1}"),
    ("greater_equal", ">=", r"{0} \ge {1}"),
    ("equal", "==", "{0} = {1}"),
    ("not_equal", "!=", r"{0} \ne {1}"),
    ("logical_and", "&", r"{0} \wedge {1}"),
    ("logical_or", "|", r"{0} \vee {1}"),
    ("logical_not", "~", r"\neg {0}"),
):
    _elementwise(_name, symbol=_symbol, latex=_latex)

for _name in (
    "abs", "sign", "exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "sqrt", "square", "cbrt", "reciprocal",
    "sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "sinh", "cosh", "tanh", "arcsinh", "arccosh",
    "arctanh", "floor", "ceil", "trunc", "maximum", "minimum", "logaddexp", "hypot", "where", "clip", "isnan",
    "isinf", "isfinite", "erf", "erfc", "erfinv", "gammaln", "digamma", "betaln", "logit", "sigmoid", "softplus",
    "log1mexp", "ndtr", "ndtri", "log_ndtr", "xlogy", "xlog1py",
):  # fmt: skip
    _elementwise(_name)


def _log_probability(xp, p):
    """log(p), with slope 0 at p = 0, where the slope of the logarithm would turn an unused zero into NaN."""
    return xp.where(p == 0, -np.inf, xp.log(xp.where(p == 0, 1.0, p)))


_elementwise("log_probability", _log_probability, latex=r"\log({0})")

_LATEX_FUNCTIONS = {"exp": r"\exp({0})", "log": r"\log({0})", "sqrt": r"\sqrt{{{0}}}", "abs": r"|{0}|"}
for _name, _latex in _LATEX_FUNCTIONS.items():
    OPS[_name] = Op(_name, OPS[_name].compute, True, None, _latex)


def _reduction(name: str, function: str | None = None) -> None:
    def compute(xp, lead, x, *, axis, keepdims=False):
        return getattr(xp, function or name)(x, axis=axis, keepdims=keepdims)

    _register(Op(name, compute))


for _name in ("sum", "prod", "mean", "max", "min", "std", "var", "logsumexp", "all", "any"):
    _reduction(_name)


def _along_axis(name: str) -> None:
    def compute(xp, lead, x, *, axis):
        return getattr(xp, name)(x, axis=axis)

    _register(Op(name, compute))


for _name in ("cumsum", "cumprod"):
    _along_axis(_name)


def operation(function: Callable[..., Any]) -> Callable[..., Any]:
    """Put a function `(xp, lead, *args, **static)` into the table under its own name."""
    _register(Op(function.__name__.rstrip("_"), function))
    return function


@operation
def softmax(xp, lead, x, *, axis):
    e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return e / xp.sum(e, axis=axis, keepdims=True)


def _same_batch(xp, lead, arrays):
    """All arrays with one length of the leading axis of draws."""
    if not lead:
        return list(arrays)
    n = max(a.shape[0] for a in arrays)
    return [xp.broadcast_to(a, (n, *a.shape[1:])) for a in arrays]


@operation
def stack(xp, lead, *arrays, axis):
    return xp.stack(_same_batch(xp, lead, arrays), axis=axis)


@operation
def concatenate(xp, lead, *arrays, axis):
    return xp.concatenate(_same_batch(xp, lead, arrays), axis=axis)


@operation
def reshape(xp, lead, x, *, shape):
    return xp.reshape(x, x.shape[:lead] + tuple(shape))


@operation
def broadcast_to(xp, lead, x, *, shape):
    padded = xp.reshape(x, x.shape[:lead] + (1,) * (len(shape) - (x.ndim - lead)) + x.shape[lead:])
    return xp.broadcast_to(padded, x.shape[:lead] + tuple(shape))


@operation
def transpose(xp, lead, x, *, axes):
    return xp.transpose(x, tuple(range(lead)) + tuple(axis + lead for axis in axes))


@operation
def diagonal(xp, lead, x):
    return xp.diagonal(x, axis1=-2, axis2=-1)


@operation
def matmul(xp, lead, a, b):
    """`a @ b` for vectors, matrices and stacks of matrices; a vector on either side is a row or a column."""
    row, column = a.ndim - lead == 1, b.ndim - lead == 1
    a = a[..., None, :] if row else a
    b = b[..., :, None] if column else b
    rank = max(a.ndim, b.ndim)
    a, b = (xp.reshape(m, m.shape[:lead] + (1,) * (rank - m.ndim) + m.shape[lead:]) for m in (a, b))
    product = xp.matmul(a, b)
    product = product[..., 0] if column else product
    return (product[..., 0] if column else product[..., 0, :]) if row else product


@operation
def cholesky(xp, lead, a):
    """Lower Cholesky factor of a matrix or of each matrix of a stack; NaN where there is none."""
    return xp.cholesky(a)


@operation
def inverse(xp, lead, a):
    return xp.inverse(a)


@operation
def getitem(xp, lead, x, *index_arrays, template):
    """`x[template]` with the index arrays in the places the template marks (see `Place`)."""
    arrays = [np.asarray(a)[0] if lead else a for a in index_arrays]
    index = tuple(arrays[part.argument] if isinstance(part, Place) else part for part in template)
    advanced = [k for k, part in enumerate(index) if part is not None and not isinstance(part, slice)]
    scattered = bool(arrays) and advanced != list(range(advanced[0], advanced[-1] + 1))
    picked = xp.take_index(x, (slice(None),) * lead + index)
    if lead and scattered:  # NumPy puts the axes of a scattered index first, before the draws
        picked = xp.moveaxis(picked, max(a.ndim for a in arrays), 0)
    return picked


@dataclass(frozen=True)
class Place:
    """Where in an index the array given as an argument goes.

    `length` is that of the axis, where the array was made for it: from a mask, or from numbers counted from the end.
    """

    argument: int
    length: int | None = None


@operation
def wrapped(xp, lead, *args, function):
    """A JAX function of the user, mapped over draws where there are any, in double precision outside of JAX too."""
    import jax

    if any(isinstance(a, jax.Array) for a in args):
        return function(*args)
    with jax.enable_x64(True):
        if not lead:
            return np.asarray(function(*map(jax.numpy.asarray, args)))
        n = max(a.shape[0] for a in args)
        same = [np.broadcast_to(a, (n, *a.shape[1:])) for a in args]
        return np.asarray(_over_draws(function)(*same))


@lru_cache(maxsize=64)
def _over_draws(function: Callable[..., Any]) -> Callable[..., Any]:
    """The user's function mapped over draws, compiled once for each shape."""
    import jax

    return jax.jit(jax.vmap(function))
