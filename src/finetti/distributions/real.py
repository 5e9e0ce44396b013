"""Distributions on the whole real line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from finetti.distributions.base import Family
from finetti.distributions.bijections import REAL
from finetti.distributions.domains import ANY, POSITIVE_NUMBER, Parameter
from finetti.distributions.special import log_rising
from finetti.errors import SamplingError

LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)
PRECISION: Mapping[tuple[str, ...], Callable[..., Mapping[str, Any]]] = {("tau",): lambda tau: {"sigma": tau**-0.5}}


class Normal(Family):
    """Normal distribution with mean `mu` and standard deviation `sigma` (or precision `tau`).

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     theta = pm.Normal("theta", mu=0, sigma=5, shape=8)
    """

    signature = ("mu", "sigma", "tau")
    parameters = (Parameter("mu", ANY, 0.0), Parameter("sigma", POSITIVE_NUMBER, 1.0))
    others = (Parameter("tau", POSITIVE_NUMBER),)
    alternatives = PRECISION
    support = REAL
    location_scale = ("mu", "sigma")
    examples = ({"mu": -1.5, "sigma": 2.5}, {"mu": 3.0, "tau": 4.0})

    @staticmethod
    def log_density(xp, x, mu, sigma):
        return -0.5 * ((x - mu) / sigma) ** 2 - xp.log(sigma) - LOG_SQRT_2PI

    @staticmethod
    def draw(rng, shape, mu, sigma):
        return rng.normal(mu, sigma, shape)

    @staticmethod
    def mean(xp, mu, sigma):
        return mu


class StudentT(Family):
    """Student's t with `nu` degrees of freedom, location `mu` and scale `sigma` (or `lam` = 1 / sigma**2).

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     theta = pm.StudentT("theta", nu=4, mu=0, sigma=5, shape=8)
    """

    signature = ("nu", "mu", "sigma", "lam")
    parameters = (
        Parameter("nu", POSITIVE_NUMBER),
        Parameter("mu", ANY, 0.0),
        Parameter("sigma", POSITIVE_NUMBER, 1.0),
    )
    others = (Parameter("lam", POSITIVE_NUMBER),)
    alternatives = {("lam",): lambda lam: {"sigma": lam**-0.5}}
    support = REAL
    location_scale = ("mu", "sigma")
    examples = ({"nu": 4.5, "mu": -1.5, "sigma": 2.5}, {"nu": 30.0, "mu": 1.0, "lam": 4.0})

    @staticmethod
    def log_density(xp, x, nu, mu, sigma):
        return student_log_norm(xp, nu) - xp.log(sigma) - 0.5 * (nu + 1) * xp.log1p(((x - mu) / sigma) ** 2 / nu)

    @staticmethod
    def draw(rng, shape, nu, mu, sigma):
        return mu + sigma * rng.standard_t(nu, shape)

    @staticmethod
    def mean(xp, nu, mu, sigma):
        return xp.where(nu > 1, mu, np.nan)

    @classmethod
    def center(cls, xp, nu, mu, sigma):
        """The median."""
        return mu


def student_log_norm(xp, nu):
    """Log density of the standard t at 0."""
    return log_rising(xp, 0.5 * nu, 0.5) - 0.5 * xp.log(np.pi * nu)


class Cauchy(Family):
    """Cauchy distribution with median `alpha` and scale `beta`, half the distance between its quartiles.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     slope = pm.Cauchy("slope", alpha=0, beta=2.5)
    """

    parameters = (Parameter("alpha"), Parameter("beta", POSITIVE_NUMBER))
    support = REAL
    location_scale = ("alpha", "beta")
    examples = ({"alpha": -1.0, "beta": 2.5},)

    @staticmethod
    def log_density(xp, x, alpha, beta):
        return -np.log(np.pi) - xp.log(beta) - xp.log1p(((x - alpha) / beta) ** 2)

    @staticmethod
    def draw(rng, shape, alpha, beta):
        return alpha + beta * rng.standard_cauchy(shape)

    @staticmethod
    def mean(xp, alpha, beta):
        return xp.full_like(alpha * 1.0, np.nan)

    @classmethod
    def center(cls, xp, alpha, beta):
        """The median."""
        return alpha


class Laplace(Family):
    """Laplace (double exponential) distribution with mean `mu` and scale `b`, its mean absolute deviation.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     slope = pm.Laplace("slope", mu=0, b=1)
    """

    parameters = (Parameter("mu"), Parameter("b", POSITIVE_NUMBER))
    support = REAL
    location_scale = ("mu", "b")
    examples = ({"mu": -1.0, "b": 2.5},)

    @staticmethod
    def log_density(xp, x, mu, b):
        return -xp.abs(x - mu) / b - xp.log(2.0 * b)

    @staticmethod
    def draw(rng, shape, mu, b):
        return rng.laplace(mu, b, shape)

    @staticmethod
    def mean(xp, mu, b):
        return mu


class Logistic(Family):
    """Logistic distribution with mean `mu` and scale `s`; its standard deviation is pi s / sqrt(3).

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     log_odds = pm.Logistic("log_odds", mu=0, s=1)
    """

    parameters = (Parameter("mu", ANY, 0.0), Parameter("s", POSITIVE_NUMBER, 1.0))
    support = REAL
    location_scale = ("mu", "s")
    examples = ({"mu": -1.0, "s": 2.5},)

    @staticmethod
    def log_density(xp, x, mu, s):
        z = (x - mu) / s
        return -z - 2.0 * xp.softplus(-z) - xp.log(s)

    @staticmethod
    def draw(rng, shape, mu, s):
        return rng.logistic(mu, s, shape)

    @staticmethod
    def mean(xp, mu, s):
        return mu


class Gumbel(Family):
    """Gumbel distribution of largest values with mode `mu` and scale `beta`.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     flood = pm.Gumbel("flood", mu=0, beta=1)
    """

    parameters = (Parameter("mu"), Parameter("beta", POSITIVE_NUMBER))
    support = REAL
    location_scale = ("mu", "beta")
    examples = ({"mu": -1.0, "beta": 2.5},)

    @staticmethod
    def log_density(xp, x, mu, beta):
        z = (x - mu) / beta
        return -z - xp.exp(-z) - xp.log(beta)

    @staticmethod
    def draw(rng, shape, mu, beta):
        return rng.gumbel(mu, beta, shape)

    @staticmethod
    def mean(xp, mu, beta):
        return mu + np.euler_gamma * beta


class SkewNormal(Family):
    """Skew normal distribution with skewness `alpha` (0: normal), location `mu` and scale `sigma` (or `tau`).

    Source: Azzalini (1985), Scandinavian Journal of Statistics 12, 171-178.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     effect = pm.SkewNormal("effect", alpha=2, mu=0, sigma=1)
    """

    signature = ("alpha", "mu", "sigma", "tau")
    parameters = (Parameter("alpha", ANY, 1.0), Parameter("mu", ANY, 0.0), Parameter("sigma", POSITIVE_NUMBER, 1.0))
    others = (Parameter("tau", POSITIVE_NUMBER),)
    alternatives = PRECISION
    support = REAL
    location_scale = ("mu", "sigma")
    examples = ({"alpha": -3.0, "mu": 1.0, "sigma": 2.5}, {"alpha": 1.0, "mu": 0.0, "tau": 4.0})

    @staticmethod
    def log_density(xp, x, alpha, mu, sigma):
        z = (x - mu) / sigma
        return np.log(2.0) - LOG_SQRT_2PI - 0.5 * z**2 + xp.log_ndtr(alpha * z) - xp.log(sigma)

    @staticmethod
    def draw(rng, shape, alpha, mu, sigma):
        half, whole = np.abs(rng.standard_normal(shape)), rng.standard_normal(shape)
        return mu + sigma * (alpha * half + whole) / np.hypot(1.0, alpha)

    @staticmethod
    def mean(xp, alpha, mu, sigma):
        return mu + sigma * np.sqrt(2 / np.pi) * alpha / xp.hypot(1.0, alpha)


class Flat(Family):
    """No distribution at all: a constant density on the real line, which integrates to nothing.

    It cannot be drawn from, so a model that has one has no prior predictive draws.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     mu = pm.Flat("mu")
    """

    support = REAL
    drawable = False
    examples = ({},)

    @staticmethod
    def log_density(xp, x):
        return xp.zeros_like(x)

    @staticmethod
    def draw(rng, shape):
        return refuse_flat("Flat", "Normal")

    @staticmethod
    def mean(xp):
        return xp.asarray(np.nan)

    @classmethod
    def center(cls, xp):
        """Zero, for want of anything better."""
        return xp.asarray(0.0)


def refuse_flat(name: str, instead: str):
    """The error for a draw from an improper prior."""
    raise SamplingError(
        f"{name} is not a probability distribution, so nothing can be drawn from it. Give the variable a proper "
        f"prior, for example a wide {instead}."
    )
