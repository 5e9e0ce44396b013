"""Distributions on an interval."""

from __future__ import annotations

import numpy as np

from finetti.distributions.base import Family
from finetti.distributions.bijections import REAL, UNIT, Logs, at_least, at_most, between, constant_interval
from finetti.distributions.domains import ANY, POSITIVE_NUMBER, PROBABILITY, Condition, Domain, Parameter, below
from finetti.distributions.real import LOG_SQRT_2PI, PRECISION
from finetti.distributions.special import log_beta
from finetti.model.graph import Constant

ORDERED = Condition(("lower", "upper"), "lower < upper", lambda lower, upper: lower < upper, below)


class Uniform(Family):
    """Uniform distribution between `lower` and `upper`.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     share = pm.Uniform("share", lower=0, upper=1)
    """

    parameters = (Parameter("lower", ANY, 0.0), Parameter("upper", ANY, 1.0))
    conditions = (ORDERED,)
    support = between("lower", "upper")
    examples = ({"lower": -1.5, "upper": 2.5}, {})

    @staticmethod
    def log_density(xp, x, lower, upper):
        return xp.where((x >= lower) & (x <= upper), -xp.log(upper - lower), -np.inf)

    @staticmethod
    def draw(rng, shape, lower, upper):
        return rng.uniform(lower, upper, shape)

    @staticmethod
    def mean(xp, lower, upper):
        return 0.5 * (lower + upper)


class Beta(Family):
    """Beta distribution with shapes `alpha`, `beta`, or mean `mu` and either `sigma` or `nu` = alpha + beta.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     share = pm.Beta("share", alpha=2, beta=2)
    """

    signature = ("alpha", "beta", "mu", "sigma", "nu")
    parameters = (Parameter("alpha", POSITIVE_NUMBER), Parameter("beta", POSITIVE_NUMBER))
    others = (Parameter("mu", PROBABILITY), Parameter("sigma", POSITIVE_NUMBER), Parameter("nu", POSITIVE_NUMBER))
    alternatives = {
        ("mu", "sigma"): lambda mu, sigma: _shapes(mu, mu * (1.0 - mu) / sigma**2 - 1.0),
        ("mu", "nu"): lambda mu, nu: _shapes(mu, nu),
    }
    conditions = (
        Condition(("mu", "sigma"), "sigma**2 < mu * (1 - mu)", lambda mu, sigma: sigma**2 < mu * (1 - mu)),
    )
    support = UNIT
    examples = (
        {"alpha": 2.5, "beta": 1.4}, {"alpha": 0.7, "beta": 0.6}, {"mu": 0.3, "sigma": 0.2}, {"mu": 0.3, "nu": 8.0},
    )  # fmt: skip

    @staticmethod
    def logs_of(xp, x):
        return Logs(xp.log(x), xp.log1p(-x))

    @staticmethod
    def log_density_by_logs(xp, x, logs, alpha, beta):
        return (alpha - 1) * logs.value + (beta - 1) * logs.rest - log_beta(xp, alpha, beta)

    @staticmethod
    def draw(rng, shape, alpha, beta):
        return rng.beta(alpha, beta, shape)

    @staticmethod
    def mean(xp, alpha, beta):
        return alpha / (alpha + beta)


def _shapes(mu, nu):
    return {"alpha": mu * nu, "beta": (1.0 - mu) * nu}


class Triangular(Family):
    """Triangular distribution between `lower` and `upper` with mode `c`.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     duration = pm.Triangular("duration", lower=1, upper=5, c=2)
    """

    parameters = (Parameter("lower", ANY, 0.0), Parameter("upper", ANY, 1.0), Parameter("c", ANY, 0.5))
    conditions = (
        ORDERED,
        Condition(("lower", "upper", "c"), "lower <= c <= upper", lambda lo, up, c: (lo <= c) & (c <= up)),
    )
    support = between("lower", "upper")
    examples = ({"lower": -1.0, "upper": 3.0, "c": 0.5}, {"lower": 0.0, "upper": 2.0, "c": 2.0})

    @staticmethod
    def log_density(xp, x, lower, upper, c):
        left, inside = x < c, (x >= lower) & (x <= upper)
        side = xp.where(left, c - lower, upper - c)
        height = xp.where(left, x - lower, upper - x) / xp.where(side > 0, side, 1.0)
        height = xp.where(side > 0, height, 1.0)  # at a mode that is a bound
        safe = xp.where(inside & (height > 0), height, 1.0)
        return xp.where(inside, xp.where(height > 0, xp.log(safe), -np.inf) + xp.log(2.0 / (upper - lower)), -np.inf)

    @staticmethod
    def draw(rng, shape, lower, upper, c):
        return rng.triangular(lower, c, upper, shape)

    @staticmethod
    def mean(xp, lower, upper, c):
        return (lower + upper + c) / 3.0


class VonMises(Family):
    """Von Mises distribution of an angle in (-pi, pi), in radians, with mean direction `mu` and concentration `kappa`.

    The circle is cut at pi: where much of the posterior lies on both sides of the cut, turn the angles by half a turn.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     direction = pm.VonMises("direction", mu=0, kappa=2)
    """

    parameters = (Parameter("mu", ANY, 0.0), Parameter("kappa", POSITIVE_NUMBER, 1.0))
    support = constant_interval(-np.pi, np.pi)
    examples = ({"mu": 0.7, "kappa": 2.5}, {"mu": 0.0, "kappa": 40.0})

    @staticmethod
    def log_density(xp, x, mu, kappa):
        return -2.0 * kappa * xp.sin(0.5 * (x - mu)) ** 2 - np.log(2 * np.pi) - xp.log(xp.i0e(kappa))

    @staticmethod
    def draw(rng, shape, mu, kappa):
        return rng.vonmises(mu, kappa, shape)

    @staticmethod
    def mean(xp, mu, kappa):
        """The mean direction."""
        return xp.arctan2(xp.sin(mu), xp.cos(mu)) + 0.0 * kappa

    @classmethod
    def center(cls, xp, mu, kappa):
        """The mean direction, a little inside the cut."""
        return 0.999 * VonMises.mean(xp, mu, kappa)


_LOWER = Domain(
    "a number, or minus infinity for all of them", lambda xp, v: xp.isfinite(v) | (v == -np.inf).all(), shows=True
)
_UPPER = Domain(
    "a number, or infinity for all of them", lambda xp, v: xp.isfinite(v) | (v == np.inf).all(), shows=True
)
_ABOVE, _BELOW, _BETWEEN = at_least("lower"), at_most("upper"), between("lower", "upper")


class TruncatedNormal(Family):
    """Normal distribution with mean `mu` and standard deviation `sigma` (or precision `tau`), cut at its bounds.

    `lower` and `upper` may be random, and either may be left out.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     height = pm.TruncatedNormal("height", mu=1, sigma=2, lower=0)
    """

    signature = ("mu", "sigma", "tau", "lower", "upper")
    parameters = (
        Parameter("mu", ANY, 0.0),
        Parameter("sigma", POSITIVE_NUMBER, 1.0),
        Parameter("lower", _LOWER, -np.inf),
        Parameter("upper", _UPPER, np.inf),
    )
    others = (Parameter("tau", POSITIVE_NUMBER),)
    alternatives = PRECISION
    conditions = (ORDERED,)
    support = REAL
    examples = (
        {"mu": 1.0, "sigma": 2.0, "lower": -0.5, "upper": 1.5},
        {"mu": -1.0, "sigma": 2.0, "lower": 0.0},
        {"mu": 0.5, "tau": 4.0, "upper": 2.0},
        {"mu": -9.0, "sigma": 1.0, "lower": 0.0, "upper": 2.0},
        {"mu": 0.5, "sigma": 1.5},
    )

    @classmethod
    def support_of(cls, parameters):
        """Between the bounds, or above or below the one that is there."""
        open_below, open_above = (isinstance(n, Constant) and _infinite(n.value) for n in parameters[2:])
        if open_below:
            return REAL if open_above else _BELOW
        return _ABOVE if open_above else _BETWEEN

    @staticmethod
    def log_density(xp, x, mu, sigma, lower, upper):
        whole = -0.5 * ((x - mu) / sigma) ** 2 - xp.log(sigma) - LOG_SQRT_2PI
        if _infinite(lower) and _infinite(upper):
            return whole
        return xp.where((x >= lower) & (x <= upper), whole - _log_mass(xp, mu, sigma, lower, upper), -np.inf)

    @staticmethod
    def draw(rng, shape, mu, sigma, lower, upper):
        from scipy.special import log_ndtr, ndtri_exp

        low, high, flipped = _left_tail(np, (lower - mu) / sigma, (upper - mu) / sigma)
        uniform = rng.uniform(size=shape)
        log_share = np.logaddexp(np.log1p(-uniform) + log_ndtr(low), np.log(uniform) + log_ndtr(high))
        z = np.clip(ndtri_exp(log_share), low, high)
        return np.clip(mu + sigma * np.where(flipped, -z, z), lower, upper)

    @staticmethod
    def mean(xp, mu, sigma, lower, upper):
        log_mass = _log_mass(xp, mu, sigma, lower, upper)
        at_lower = xp.exp(-0.5 * ((lower - mu) / sigma) ** 2 - LOG_SQRT_2PI - log_mass)
        at_upper = xp.exp(-0.5 * ((upper - mu) / sigma) ** 2 - LOG_SQRT_2PI - log_mass)
        return mu + sigma * (at_lower - at_upper)

    @classmethod
    def center(cls, xp, mu, sigma, lower, upper):
        """The middle between two bounds, else a point of the bulk one standard deviation or more from the bound."""
        low, high = xp.isfinite(lower), xp.isfinite(upper)
        safe_low, safe_high = xp.where(low, lower, 0.0), xp.where(high, upper, 0.0)
        above, below = xp.maximum(mu, safe_low + sigma), xp.minimum(mu, safe_high - sigma)
        one_sided = xp.where(low, above, xp.where(high, below, mu))
        return xp.where(low & high, 0.5 * (safe_low + safe_high), one_sided)


def _infinite(bound) -> bool:
    """Whether a bound is known, when the density is written, not to be there."""
    return isinstance(bound, (float, np.ndarray, np.generic)) and bool(np.isinf(bound).all())


def _log_mass(xp, mu, sigma, lower, upper):
    """Log of the probability that the normal puts between the bounds, to full precision in either tail."""
    if _infinite(upper):
        return xp.log_ndtr((mu - lower) / sigma)
    if _infinite(lower):
        return xp.log_ndtr((upper - mu) / sigma)
    open_below, open_above = lower == -np.inf, upper == np.inf
    a = xp.where(open_below, -np.inf, (xp.where(open_below, mu, lower) - mu) / sigma)
    b = xp.where(open_above, np.inf, (xp.where(open_above, mu, upper) - mu) / sigma)
    low, high, _ = _left_tail(xp, a, b)
    log_high = xp.log_ndtr(high)
    cut = low > -np.inf
    ratio = xp.log_ndtr(xp.where(cut, low, high - 1.0)) - log_high
    return log_high + xp.where(cut, xp.log1mexp(ratio), 0.0)


def _left_tail(xp, a, b):
    """The interval (a, b), mirrored where most of it is on the right, and whether it was: small tails keep digits."""
    flipped = a > -b
    return xp.where(flipped, -b, a), xp.where(flipped, -a, b), flipped
