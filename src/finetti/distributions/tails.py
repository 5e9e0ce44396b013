"""Cumulative probabilities by their logarithms, from below and from above, each exact far out in its tail.

Each pair of functions gets `(xp, x, *parameters)`, the parameters in the family's order, at any x: outside the support
as well. For whole numbers `log_cdf` is of `X <= x` and `log_sf` of `X > x`. Laws whose cdf is an incomplete beta
function are not here: JAX has no slope of it along its parameters that could be trusted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from finetti.distributions.discrete import Geometric, Poisson
from finetti.distributions.interval import Uniform
from finetti.distributions.positive import (
    Exponential,
    Gamma,
    HalfCauchy,
    HalfNormal,
    InverseGamma,
    LogNormal,
    Pareto,
    Weibull,
)
from finetti.distributions.real import Cauchy, Gumbel, Laplace, Logistic, Normal
from finetti.errors import ModelError
from finetti.model.law import Law


class Tails(NamedTuple):
    """`log_cdf(xp, x, *parameters)` and `log_sf(xp, x, *parameters)`."""

    log_cdf: Callable[..., Any]
    log_sf: Callable[..., Any]


def has_tails(law: Law) -> bool:
    """Whether the cumulative probabilities of a law are known."""
    return law in _TAILS or getattr(law, "tails", None) is not None


def tails_of(law: Law) -> Tails:
    """The cumulative probabilities of a law.

    Raises:
        ModelError: where it has none.
    """
    own: Tails | None = getattr(law, "tails", None)
    if own is not None:
        return own
    if law not in _TAILS:
        known = ", ".join(sorted(family.__name__ for family in _TAILS))
        raise ModelError(f"{law.__name__} cannot be truncated or censored: its cdf is not known here. Known: {known}.")
    return _TAILS[law]


def _symmetric(log_sf: Callable[..., Any]) -> Tails:
    """Of a law of location and scale, from the standard one's upper tail `log_sf(xp, z, *shape)`."""

    def above(xp, x, *parameters):
        *shape, location, scale = parameters
        return log_sf(xp, (x - location) / scale, *shape)

    def below(xp, x, *parameters):
        *shape, location, scale = parameters
        return log_sf(xp, (location - x) / scale, *shape)

    return Tails(below, above)


def _positive(log_cdf: Callable[..., Any], log_sf: Callable[..., Any]) -> Tails:
    """Of a law on the positive numbers, from functions that are right there."""

    def below(xp, x, *parameters):
        return xp.where(x > 0, log_cdf(xp, xp.where(x > 0, x, 1.0), *parameters), -np.inf)

    def above(xp, x, *parameters):
        return xp.where(x > 0, log_sf(xp, xp.where(x > 0, x, 1.0), *parameters), 0.0)

    return Tails(below, above)


def _counting(log_cdf: Callable[..., Any], log_sf: Callable[..., Any]) -> Tails:
    """Of a law on 0, 1, 2, ..., from functions that are right at whole numbers there."""

    def below(xp, x, *parameters):
        k = xp.floor(x)
        return xp.where(k >= 0, log_cdf(xp, xp.maximum(k, 0.0), *parameters), -np.inf)

    def above(xp, x, *parameters):
        k = xp.floor(x)
        return xp.where(k >= 0, log_sf(xp, xp.maximum(k, 0.0), *parameters), 0.0)

    return Tails(below, above)


def _log(xp: Any, p: Any) -> Any:
    """Logarithm of a probability that may be 0."""
    return xp.where(p > 0, xp.log(xp.where(p > 0, p, 1.0)), -np.inf)


def _laplace_sf(xp, z):
    half = -xp.abs(z) - np.log(2.0)
    return xp.where(z >= 0, half, xp.log1mexp(half))


def _uniform(flipped: bool) -> Callable[..., Any]:
    def log_share(xp, x, lower, upper):
        share = (upper - x if flipped else x - lower) / (upper - lower)
        return _log(xp, xp.minimum(xp.maximum(share, 0.0), 1.0))

    return log_share


def _half(log_sf: Callable[..., Any]) -> Tails:
    """Of the absolute value of a symmetric law around 0, from its upper tail `log_sf(xp, z, *shape)`."""

    def above(xp, x, *parameters):
        *shape, scale = parameters
        return np.log(2.0) + log_sf(xp, x / scale, *shape)

    return _positive(lambda xp, x, *parameters: xp.log1mexp(above(xp, x, *parameters)), above)


def _from_below(xp, z):
    """No lower than where the double exponential is the largest float."""
    return xp.maximum(z, -600.0)


def _gumbel_sf(xp, z):
    near = xp.minimum(_from_below(xp, z), 40.0)
    return xp.where(z < 40.0, xp.log1mexp(-xp.exp(-near)), -z)


def _normal_sf(xp, z):
    return xp.log_ndtr(-z)


def _cauchy_sf(xp, z):
    return xp.log(xp.arctan2(1.0 + 0.0 * z, z) / np.pi)


_TAILS: dict[Any, Tails] = {
    Normal: _symmetric(_normal_sf),
    Cauchy: _symmetric(_cauchy_sf),
    Laplace: _symmetric(_laplace_sf),
    Logistic: _symmetric(lambda xp, z: -xp.softplus(z)),
    Gumbel: Tails(
        lambda xp, x, mu, beta: -xp.exp(-_from_below(xp, (x - mu) / beta)),
        lambda xp, x, mu, beta: _gumbel_sf(xp, (x - mu) / beta),
    ),
    HalfNormal: _half(_normal_sf),
    HalfCauchy: _positive(
        lambda xp, x, beta: xp.log(2.0 / np.pi * xp.arctan(x / beta)),
        lambda xp, x, beta: xp.log(2.0 / np.pi * xp.arctan2(beta + 0.0 * x, x)),
    ),
    Exponential: _positive(lambda xp, x, lam: xp.log1mexp(-lam * x), lambda xp, x, lam: -lam * x),
    Weibull: _positive(
        lambda xp, x, alpha, beta: xp.log1mexp(-((x / beta) ** alpha)),
        lambda xp, x, alpha, beta: -((x / beta) ** alpha),
    ),
    LogNormal: _positive(
        lambda xp, x, mu, sigma: _normal_sf(xp, (mu - xp.log(x)) / sigma),
        lambda xp, x, mu, sigma: _normal_sf(xp, (xp.log(x) - mu) / sigma),
    ),
    Gamma: _positive(
        lambda xp, x, alpha, beta: _log(xp, xp.gammainc(alpha, beta * x)),
        lambda xp, x, alpha, beta: _log(xp, xp.gammaincc(alpha, beta * x)),
    ),
    InverseGamma: _positive(
        lambda xp, x, alpha, beta: _log(xp, xp.gammaincc(alpha, beta / x)),
        lambda xp, x, alpha, beta: _log(xp, xp.gammainc(alpha, beta / x)),
    ),
    Pareto: Tails(
        lambda xp, x, alpha, m: xp.where(x > m, xp.log1mexp(-alpha * xp.log(xp.where(x > m, x, 2 * m) / m)), -np.inf),
        lambda xp, x, alpha, m: xp.where(x > m, -alpha * xp.log(xp.where(x > m, x, m) / m), 0.0),
    ),
    Uniform: Tails(_uniform(flipped=False), _uniform(flipped=True)),
    Poisson: _counting(
        lambda xp, k, mu: _log(xp, xp.gammaincc(k + 1.0, mu)), lambda xp, k, mu: _log(xp, xp.gammainc(k + 1.0, mu))
    ),
    Geometric: _counting(
        lambda xp, k, p: xp.where(k > 0, xp.log1mexp(xp.maximum(k, 1.0) * xp.log1p(-p)), -np.inf),
        lambda xp, k, p: k * xp.log1p(-p),
    ),
}
