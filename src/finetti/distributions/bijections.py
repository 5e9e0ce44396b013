"""Supports, and the smooth maps from the real line onto them with their log-determinants.

A bijection works on arrays of any leading shape, under any namespace:

    forward(xp, z, *bounds) -> (x, log_det)     log_det summed over the event axes
    inverse(x, *bounds) -> z                    NumPy
    unconstrained(shape) -> shape of z
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from finetti.errors import ModelError

Array = Any
Shape = tuple[int, ...]


def _same(shape: Shape) -> Shape:
    return shape


def _one_less(shape: Shape) -> Shape:
    return (*shape[:-1], shape[-1] - 1)


def _strict_triangle(shape: Shape) -> Shape:
    k = shape[-1]
    return (*shape[:-2], k * (k - 1) // 2)


class Logs(NamedTuple):
    """Logarithms of a value x that hold where x itself is too close to 0 or 1 to be written as a number.

    Args:
        value: log x.
        rest: log(1 - x), of values between 0 and 1.
    """

    value: Array
    rest: Array = None


@dataclass(frozen=True)
class Bijection:
    """A smooth one-to-one map from unconstrained values onto a support.

    Args:
        suffix: names its unconstrained side.
        forward, inverse, unconstrained: see the head of this module.
        logs: `(xp, z) -> Logs` of the value, where the support ends at 0.
    """

    suffix: str
    forward: Callable[..., tuple[Array, Array]]
    inverse: Callable[..., Array]
    unconstrained: Callable[[Shape], Shape] = _same
    logs: Callable[..., Logs] | None = None


def _identity(xp, z):
    return z, xp.zeros_like(z)


LOG_SMALLEST, _BELOW_ONE = -700.0, 1.0 - 2.0**-53


def _exp(xp, z):
    return xp.exp(xp.maximum(z, LOG_SMALLEST)), z  # never 0, where some densities are infinite


def _exp_logs(xp, z):
    return Logs(z)


def _above(xp, z, lower):
    return lower + xp.exp(z), z


def _below(xp, z, upper):
    return upper - xp.exp(z), z


def _logistic(xp, z):
    inside = xp.minimum(xp.sigmoid(xp.maximum(z, LOG_SMALLEST)), _BELOW_ONE)  # never 0 or 1, as above
    return inside, -xp.softplus(z) - xp.softplus(-z)


def _logistic_logs(xp, z):
    return Logs(-xp.softplus(-z), -xp.softplus(z))


def _interval(xp, z, lower, upper):
    width, tail = upper - lower, xp.sigmoid(-xp.abs(z))
    log_det = xp.log(width) - xp.softplus(-z) - xp.softplus(z)
    return xp.where(z < 0, lower + width * tail, upper - width * tail), log_det


def _logit(x):
    return np.log(x) - np.log1p(-x)


def _stick_breaking(xp, z):
    """Stan's simplex map: each part takes a logistic share of what is left (Stan Reference Manual 10.7)."""
    log_x, log_det = _sticks(xp, z)
    return xp.exp(xp.maximum(log_x, LOG_SMALLEST)), log_det


def _stick_breaking_logs(xp, z):
    return Logs(_sticks(xp, z)[0])


def _sticks(xp, z):
    """Logarithms of the parts, and the log-determinant."""
    k = z.shape[-1] + 1
    z = z - xp.log(xp.arange(k - 1, 0, -1) * 1.0)
    log_share, log_rest = -xp.softplus(-z), -xp.softplus(z)
    log_left = xp.cumsum(log_rest, axis=-1)
    before = xp.concatenate([xp.zeros_like(z[..., :1]), log_left[..., :-1]], axis=-1)
    log_x = xp.concatenate([before + log_share, log_left[..., -1:]], axis=-1)
    return log_x, xp.sum(before + log_share + log_rest, axis=-1)


def _stick_breaking_inverse(x):
    left = 1.0 - np.concatenate([np.zeros_like(x[..., :1]), np.cumsum(x[..., :-1], axis=-1)[..., :-1]], axis=-1)
    return _logit(x[..., :-1] / left) + np.log(np.arange(x.shape[-1] - 1, 0, -1))


def _cholesky_correlation(xp, z):
    """Lower Cholesky factor of a correlation matrix from its partial correlations tanh(z) (Stan Reference 10.9)."""
    k = _order(z.shape[-1])
    partial = xp.tanh(z)
    log_slope = 2.0 * (np.log(2.0) - z - xp.softplus(-2.0 * z))  # log of 1 - tanh(z)**2
    rows, log_det, at = [_unit_row(xp, z, k)], xp.sum(log_slope, axis=-1), 0
    for i in range(1, k):
        share, log_left = partial[..., at : at + i], log_slope[..., at : at + i]
        left = xp.cumsum(log_left, axis=-1)
        before = xp.concatenate([xp.zeros_like(left[..., :1]), left[..., :-1]], axis=-1)
        diagonal = xp.exp(0.5 * left[..., -1:])
        rows.append(xp.concatenate([share * xp.exp(0.5 * before), diagonal, _zeros(xp, z, k - i - 1)], axis=-1))
        log_det = log_det + 0.5 * xp.sum(before, axis=-1)
        at += i
    return xp.stack(rows, axis=-2), log_det


def _order(n: int) -> int:
    """k with k (k - 1) / 2 = n."""
    return (1 + round((1 + 8 * n) ** 0.5)) // 2


def _zeros(xp, z, n: int):
    return xp.zeros((*z.shape[:-1], n), dtype=z.dtype)


def _unit_row(xp, z, k: int):
    return xp.concatenate([xp.ones((*z.shape[:-1], 1), dtype=z.dtype), _zeros(xp, z, k - 1)], axis=-1)


def _cholesky_correlation_inverse(x):
    k, parts = x.shape[-1], []
    for i in range(1, k):
        row = x[..., i, :i]
        left = 1.0 - np.concatenate([np.zeros_like(row[..., :1]), np.cumsum(row**2, axis=-1)[..., :-1]], axis=-1)
        parts.append(np.arctanh(row / np.sqrt(left)))
    return np.concatenate(parts, axis=-1)


IDENTITY = Bijection("", _identity, lambda x: x)
EXP = Bijection("log__", _exp, np.log, logs=_exp_logs)
ABOVE = Bijection("interval__", _above, lambda x, lower: np.log(x - lower))
BELOW = Bijection("interval__", _below, lambda x, upper: np.log(upper - x))
LOGISTIC = Bijection("logodds__", _logistic, _logit, logs=_logistic_logs)
INTERVAL = Bijection("interval__", _interval, lambda x, lo, up: np.log(x - lo) - np.log(up - x))
STICK_BREAKING = Bijection("simplex__", _stick_breaking, _stick_breaking_inverse, _one_less, _stick_breaking_logs)
CHOLESKY_CORRELATION = Bijection(
    "cholesky_corr__", _cholesky_correlation, _cholesky_correlation_inverse, _strict_triangle
)


@dataclass(frozen=True)
class Support:
    """The set a variable lives in.

    Args:
        words: how an error message says it; `{0}`, `{1}` stand for the bounds.
        contains: `(x, *bounds) -> bool` for each event.
        bijection: from the real line onto it; None for a discrete support.
        bounds: names of the parameters that bound it.
        ends: what every number in it lies between: a number, or the name of the parameter that bounds it.
    """

    words: str
    contains: Callable[..., Array]
    bijection: Bijection | None = None
    bounds: tuple[str, ...] = ()
    ends: tuple[float | str, float | str] = (-np.inf, np.inf)


# What a support contains is written with operators alone, so that it can be asked under either namespace.


def _whole(x):
    return x % 1 == 0


def _finite(x):
    return abs(x) < np.inf


def _lower_unit_rows(x):
    above = 1.0 - np.tri(x.shape[-1])
    return (abs((x**2).sum(-1) - 1) < 1e-8).all(-1) & (x * above == 0).all((-1, -2))


REAL = Support("a finite number", _finite, IDENTITY)
POSITIVE = Support("positive and finite", lambda x: (x > 0) & (x < np.inf), EXP, ends=(0, np.inf))
UNIT = Support("strictly between 0 and 1", lambda x: (x > 0) & (x < 1), LOGISTIC, ends=(0, 1))
SIMPLEX = Support(
    "positive parts that add to 1",
    lambda x: (x > 0).all(-1) & (abs(x.sum(-1) - 1) < 1e-8),
    STICK_BREAKING,
    ends=(0, 1),
)
REAL_VECTOR = Support("finite numbers", lambda x: _finite(x).all(-1), IDENTITY)
CORRELATION_CHOLESKY = Support(
    "the lower Cholesky factor of a correlation matrix", _lower_unit_rows, CHOLESKY_CORRELATION, ends=(-1, 1)
)
BINARY = Support("0 or 1", lambda x: (x == 0) | (x == 1), ends=(0, 1))
COUNTS = Support("a whole number, 0 or more", lambda x: (x >= 0) & _whole(x), ends=(0, np.inf))
POSITIVE_COUNTS = Support("a whole number, 1 or more", lambda x: (x >= 1) & _whole(x), ends=(1, np.inf))


def constant_interval(lower: float, upper: float) -> Support:
    """Real numbers between two fixed numbers."""
    return Support(
        f"between {lower:.6g} and {upper:.6g}",
        lambda x: (x >= lower) & (x <= upper),
        Bijection(
            "interval__",
            lambda xp, z: _interval(xp, z, np.asarray(lower), np.asarray(upper)),
            lambda x: np.log(x - lower) - np.log(upper - x),
        ),
        ends=(lower, upper),
    )


def at_least(name: str) -> Support:
    """Real numbers above the parameter `name`."""
    return Support("{0} or more", lambda x, lower: (x >= lower) & (x < np.inf), ABOVE, (name,), (name, np.inf))


def at_most(name: str) -> Support:
    """Real numbers below the parameter `name`."""
    return Support("{0} or less", lambda x, upper: (x <= upper) & (x > -np.inf), BELOW, (name,), (-np.inf, name))


def between(lower: str, upper: str) -> Support:
    """Real numbers between two parameters."""
    ends = (lower, upper)
    return Support("between {0} and {1}", lambda x, lo, up: (x >= lo) & (x <= up), INTERVAL, ends, ends)


def counts_to(name: str) -> Support:
    """Whole numbers from 0 to the parameter `name`."""
    return Support(
        "a whole number from 0 to {0}", lambda x, n: (x >= 0) & (x <= n) & _whole(x), None, (name,), (0, name)
    )


def integers_between(lower: str, upper: str) -> Support:
    """Whole numbers between two parameters, both included."""
    ends = (lower, upper)
    return Support(
        "a whole number from {0} to {1}", lambda x, lo, up: (x >= lo) & (x <= up) & _whole(x), None, ends, ends
    )


def continuous(support: Support) -> Bijection:
    """The bijection of a continuous support.

    Raises:
        ModelError: for a discrete one.
    """
    if support.bijection is None:
        values = support.words.format(*support.bounds)
        raise ModelError(f"A variable that is {values} is discrete, so no smooth map leads to it from the real line.")
    return support.bijection


def to_unconstrained(support: Support, x: Array, *bounds: Array) -> Array:
    """NumPy values in a continuous support, mapped to the real line."""
    return continuous(support).inverse(x, *bounds)
