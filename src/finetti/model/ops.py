"""The table of deterministic operations: what each computes, under any array namespace, with or without a batch.

An operation is called as `compute(xp, lead, *args, **static)`. `lead` is 0 for a single point or 1 where every
argument has a leading axis of draws (of length 1 if it does not vary). Elementwise operations never see the
difference, for the evaluator aligns their arguments; reductions count axes from the right; the few operations
that must know are written out below.

One record says all that is known of an operation: how it is computed, how it is written, between which numbers its
results lie, and how it keeps an affine form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from functools import lru_cache
from typing import Any

import numpy as np

from finetti.model import range as r
from finetti.model.range import Rule


class Affine(Enum):
    """How an operation makes an affine form of affine arguments; those that are none of these end it."""

    SUM = "a + b"
    DIFFERENCE = "a - b"
    NEGATIVE = "-a"
    PRODUCT = "a * b, one of them free of what is affine"
    QUOTIENT = "a / b, b free of it"
    RECIPROCAL = "1 / a, a free of it"
    REARRANGED = "every element is one of the argument's"
    JOINED = "every element is one of an argument's"
    REDUCED = "sums or means along axes"
    ACCUMULATED = "running sums"
    MATRIX_PRODUCT = "a @ b, one of them free of it"


class Binds(IntEnum):
    """How tightly a sign binds, loosest first, in Python's order."""

    COMPARE = 0
    OR = 1
    AND = 2
    SUM = 3
    PRODUCT = 4
    UNARY = 5
    POWER = 6
    ATOM = 7


@dataclass(frozen=True)
class Op:
    """One deterministic operation of the graph, and all that is known of it.

    Args:
        name: its name in the table, NumPy's where NumPy has it.
        compute: `(xp, lead, *args, **static) -> array`.
        elementwise: whether arguments broadcast against each other.
        symbol: an infix or prefix sign for printing, if it has one.
        binds: how tightly that binds.
        latex: a LaTeX template with `{0}`, `{1}` for the arguments, if it has one.
        range: between which numbers results lie, from those of its arguments; None where anything may come out.
        affine: how it keeps an affine form; None where it ends it.
    """

    name: str
    compute: Callable[..., Any]
    elementwise: bool = False
    symbol: str | None = None
    binds: Binds = Binds.ATOM
    latex: str | None = None
    range: Rule | None = None
    affine: Affine | None = None

    @property
    def rearranges(self) -> bool:
        """Whether every element is one of its argument's."""
        return self.affine is Affine.REARRANGED

    def __reduce__(self) -> tuple:
        """A copy in another process is that one's own."""
        return _known, (self.name,)


OPS: dict[str, Op] = {}


def _known(name: str) -> Op:
    return OPS[name]


def _register(op: Op) -> None:
    OPS[op.name] = op


def _elementwise(name: str, compute: Callable[..., Any] | None = None, **known: Any) -> None:
    """An operation on elements: `compute(xp, *args)`, or the namespace's function of that name."""

    def by_name(xp, lead, *args):
        return getattr(xp, name)(*args)

    def given(xp, lead, *args):
        return compute(xp, *args)

    _register(Op(name, by_name if compute is None else given, elementwise=True, **known))


def _log_probability(xp, p):
    """log(p), with slope 0 at p = 0, where the slope of the logarithm would turn an unused zero into NaN."""
    return xp.where(p == 0, -np.inf, xp.log(xp.where(p == 0, 1.0, p)))


# --- signs ------------------------------------------------------------------------------------------------------

_elementwise("add", symbol="+", binds=Binds.SUM, latex="{0} + {1}", range=r.added, affine=Affine.SUM)
_elementwise("subtract", symbol="-", binds=Binds.SUM, latex="{0} - {1}", range=r.subtracted, affine=Affine.DIFFERENCE)
_elementwise(
    "multiply", symbol="*", binds=Binds.PRODUCT, latex=r"{0} \, {1}", range=r.multiplied, affine=Affine.PRODUCT
)  # fmt: skip
_elementwise(
    "true_divide", symbol="/", binds=Binds.PRODUCT, latex=r"\frac{{{0}}}{{{1}}}", range=r.divided,
    affine=Affine.QUOTIENT,
)  # fmt: skip
_elementwise("floor_divide", symbol="//", binds=Binds.PRODUCT, latex=r"{0} \mathbin{{//}} {1}")
_elementwise("remainder", symbol="%", binds=Binds.PRODUCT, latex=r"{0} \bmod {1}")
_elementwise("power", symbol="**", binds=Binds.POWER, latex="{0}^{{{1}}}", range=r.power)
_elementwise("negative", symbol="-", binds=Binds.UNARY, latex="-{0}", range=r.negative, affine=Affine.NEGATIVE)
_elementwise("less", symbol="<", binds=Binds.COMPARE, latex="{0} < {1}")
_elementwise("less_equal", symbol="<=", binds=Binds.COMPARE, latex=r"{0} \le {1}")
_elementwise("greater", symbol=">", binds=Binds.COMPARE, latex="{0} > {1}")
_elementwise("greater_equal", symbol=">=", binds=Binds.COMPARE, latex=r"{0} \ge {1}")
_elementwise("equal", symbol="==", binds=Binds.COMPARE, latex="{0} = {1}")
_elementwise("not_equal", symbol="!=", binds=Binds.COMPARE, latex=r"{0} \ne {1}")
_elementwise("logical_and", symbol="&", binds=Binds.AND, latex=r"{0} \wedge {1}")
_elementwise("logical_or", symbol="|", binds=Binds.OR, latex=r"{0} \vee {1}")
_elementwise("logical_not", symbol="~", binds=Binds.UNARY, latex=r"\neg {0}")

# --- functions of elements --------------------------------------------------------------------------------------

_elementwise("abs", latex=r"|{0}|", range=r.absolute)
_elementwise("exp", latex=r"\exp({0})", range=r.monotone(np.exp))
_elementwise("expm1", range=r.monotone(np.expm1))
_elementwise("exp2", range=r.monotone(np.exp2))
_elementwise("log", latex=r"\log({0})", range=r.monotone(np.log, 0.0))
_elementwise("log1p", range=r.monotone(np.log1p, -1.0))
_elementwise("log2", range=r.monotone(np.log2, 0.0))
_elementwise("log10", range=r.monotone(np.log10, 0.0))
_elementwise("log_probability", _log_probability, latex=r"\log({0})")
_elementwise("sqrt", latex=r"\sqrt{{{0}}}", range=r.monotone(np.sqrt, 0.0))
_elementwise("square", range=r.squared)
_elementwise("cbrt", range=r.monotone(np.cbrt))
_elementwise("reciprocal", range=r.reciprocal, affine=Affine.RECIPROCAL)
_elementwise("sin", range=r.fixed(-1.0, 1.0, attained=True))
_elementwise("cos", range=r.fixed(-1.0, 1.0, attained=True))
_elementwise("arctan", range=r.monotone(np.arctan))
_elementwise("cosh", range=r.fixed(1.0, np.inf, attained=True))
_elementwise("tanh", range=r.monotone(np.tanh))
_elementwise("arcsinh", range=r.monotone(np.arcsinh))
_elementwise("maximum", range=r.larger)
_elementwise("minimum", range=r.smaller)
_elementwise("hypot", range=r.hypotenuse)
_elementwise("where", range=r.chosen)
_elementwise("clip", range=r.clipped)
_elementwise("erf", range=r.fixed(-1.0, 1.0))
_elementwise("erfc", range=r.fixed(0.0, 2.0))
_elementwise("ndtr", range=r.fixed(0.0, 1.0))
_elementwise("sigmoid", range=r.monotone(lambda x: 1 / (1 + np.exp(-x))))
_elementwise("softplus", range=r.monotone(lambda x: np.logaddexp(0.0, x)))
for _name in (
    "sign", "tan", "arcsin", "arccos", "arctan2", "sinh", "arccosh", "arctanh", "floor", "ceil", "trunc", "logaddexp",
    "isnan", "isinf", "isfinite", "erfinv", "gammaln", "digamma", "betaln", "logit", "log1mexp", "ndtri", "log_ndtr",
    "xlogy", "xlog1py",
):  # fmt: skip
    _elementwise(_name)


# --- along axes -------------------------------------------------------------------------------------------------


def _reduction(name: str, **known: Any) -> None:
    def compute(xp, lead, x, *, axis, keepdims=False):
        return getattr(xp, name)(x, axis=axis, keepdims=keepdims)

    _register(Op(name, compute, **known))


_reduction("sum", range=r.added_up, affine=Affine.REDUCED)
_reduction("mean", range=r.average, affine=Affine.REDUCED)
_reduction("prod", range=r.added_up)
_reduction("max", range=r.first)
_reduction("min", range=r.first)
for _name in ("std", "var", "logsumexp", "all", "any"):
    _reduction(_name)


def _along_axis(name: str, **known: Any) -> None:
    def compute(xp, lead, x, *, axis):
        return getattr(xp, name)(x, axis=axis)

    _register(Op(name, compute, **known))


_along_axis("cumsum", range=r.added_up, affine=Affine.ACCUMULATED)
_along_axis("cumprod", range=r.added_up)


# --- written out ------------------------------------------------------------------------------------------------


def operation(**known: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put a function `(xp, lead, *args, **static)` into the table under its own name, with what is known of it."""

    def put(function: Callable[..., Any]) -> Callable[..., Any]:
        _register(Op(function.__name__, function, **known))
        return function

    return put


@operation(range=r.fixed(0.0, 1.0, with_high=True))
def softmax(xp, lead, x, *, axis):
    e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return e / xp.sum(e, axis=axis, keepdims=True)


def _same_batch(xp, lead, arrays):
    """All arrays with one length of the leading axis of draws."""
    if not lead:
        return list(arrays)
    n = max(a.shape[0] for a in arrays)
    return [xp.broadcast_to(a, (n, *a.shape[1:])) for a in arrays]


@operation(range=r.union, affine=Affine.JOINED)
def stack(xp, lead, *arrays, axis):
    return xp.stack(_same_batch(xp, lead, arrays), axis=axis)


@operation(range=r.union, affine=Affine.JOINED)
def concatenate(xp, lead, *arrays, axis):
    return xp.concatenate(_same_batch(xp, lead, arrays), axis=axis)


@operation(range=r.first, affine=Affine.REARRANGED)
def reshape(xp, lead, x, *, shape):
    return xp.reshape(x, x.shape[:lead] + tuple(shape))


@operation(range=r.first, affine=Affine.REARRANGED)
def broadcast_to(xp, lead, x, *, shape):
    padded = xp.reshape(x, x.shape[:lead] + (1,) * (len(shape) - (x.ndim - lead)) + x.shape[lead:])
    return xp.broadcast_to(padded, x.shape[:lead] + tuple(shape))


@operation(range=r.first, affine=Affine.REARRANGED)
def transpose(xp, lead, x, *, axes):
    return xp.transpose(x, tuple(range(lead)) + tuple(axis + lead for axis in axes))


@operation(range=r.first, affine=Affine.REARRANGED)
def diagonal(xp, lead, x):
    return xp.diagonal(x, axis1=-2, axis2=-1)


@operation(
    symbol="@", binds=Binds.PRODUCT, latex=r"{0} \, {1}", range=r.product_of_matrices, affine=Affine.MATRIX_PRODUCT
)
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


@operation()
def cholesky(xp, lead, a):
    """Lower Cholesky factor of a matrix or of each matrix of a stack; NaN where there is none."""
    return xp.cholesky(a)


@operation()
def inverse(xp, lead, a):
    return xp.inverse(a)


@operation(range=r.first, affine=Affine.REARRANGED)
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


@operation()
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
