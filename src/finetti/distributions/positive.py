"""Distributions on the positive half line."""

from __future__ import annotations

import numpy as np

from finetti.distributions.base import Family
from finetti.distributions.bijections import POSITIVE, at_least
from finetti.distributions.domains import ANY, POSITIVE_NUMBER, Parameter
from finetti.distributions.real import LOG_SQRT_2PI, PRECISION, refuse_flat, student_log_norm


class HalfNormal(Family):
    """Half-normal distribution: a normal around 0 with standard deviation `sigma` (or precision `tau`), folded.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     tau = pm.HalfNormal("tau", sigma=5)
    """

    signature = ("sigma", "tau")
    parameters = (Parameter("sigma", POSITIVE_NUMBER, 1.0),)
    others = (Parameter("tau", POSITIVE_NUMBER),)
    alternatives = PRECISION
    support = POSITIVE
    examples = ({"sigma": 2.5}, {"tau": 4.0})

    @staticmethod
    def log_density(xp, x, sigma):
        return 0.5 * np.log(2 / np.pi) - xp.log(sigma) - 0.5 * (x / sigma) ** 2

    @staticmethod
    def draw(rng, shape, sigma):
        return sigma * np.abs(rng.standard_normal(shape))

    @staticmethod
    def mean(xp, sigma):
        return np.sqrt(2 / np.pi) * sigma


class HalfCauchy(Family):
    """Half-Cauchy distribution with scale `beta`: a Cauchy around 0, folded; `beta` is its median.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     tau = pm.HalfCauchy("tau", 5)
    """

    parameters = (Parameter("beta", POSITIVE_NUMBER),)
    support = POSITIVE
    examples = ({"beta": 2.5},)

    @staticmethod
    def log_density(xp, x, beta):
        return np.log(2 / np.pi) - xp.log(beta) - xp.log1p((x / beta) ** 2)

    @staticmethod
    def draw(rng, shape, beta):
        return beta * np.abs(rng.standard_cauchy(shape))

    @staticmethod
    def mean(xp, beta):
        return xp.full_like(beta * 1.0, np.inf)

    @classmethod
    def center(cls, xp, beta):
        """The median."""
        return beta


class HalfStudentT(Family):
    """Half-t: Student's t around 0 with `nu` degrees of freedom and scale `sigma` (or `lam` = 1 / sigma**2), folded.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     tau = pm.HalfStudentT("tau", nu=3, sigma=5)
    """

    signature = ("nu", "sigma", "lam")
    parameters = (Parameter("nu", POSITIVE_NUMBER), Parameter("sigma", POSITIVE_NUMBER, 1.0))
    others = (Parameter("lam", POSITIVE_NUMBER),)
    alternatives = {("lam",): lambda lam: {"sigma": lam**-0.5}}
    support = POSITIVE
    examples = ({"nu": 4.5, "sigma": 2.5}, {"nu": 3.0, "lam": 4.0}, {"nu": 0.8, "sigma": 1.0})

    @staticmethod
    def log_density(xp, x, nu, sigma):
        tail = 0.5 * (nu + 1) * xp.log1p((x / sigma) ** 2 / nu)
        return np.log(2.0) + student_log_norm(xp, nu) - xp.log(sigma) - tail

    @staticmethod
    def draw(rng, shape, nu, sigma):
        return sigma * np.abs(rng.standard_t(nu, shape))

    @staticmethod
    def mean(xp, nu, sigma):
        at_zero = xp.exp(student_log_norm(xp, nu))
        return xp.where(nu > 1, 2.0 * sigma * nu * at_zero / xp.where(nu > 1, nu - 1, 1.0), np.inf)

    @classmethod
    def center(cls, xp, nu, sigma):
        """The scale."""
        return sigma + 0.0 * nu


class HalfFlat(Family):
    """No distribution at all: a constant density on the positive numbers, which integrates to nothing.

    It cannot be drawn from, so a model that has one has no prior predictive draws.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     tau = pm.HalfFlat("tau")
    """

    support = POSITIVE
    drawable = False
    examples = ({},)

    @staticmethod
    def log_density(xp, x):
        return xp.zeros_like(x)

    @staticmethod
    def draw(rng, shape):
        return refuse_flat("HalfFlat", "HalfNormal")

    @staticmethod
    def mean(xp):
        return xp.asarray(np.nan)

    @classmethod
    def center(cls, xp):
        """One, for want of anything better."""
        return xp.asarray(1.0)


class Exponential(Family):
    """Exponential distribution with rate `lam` (or mean `scale` = 1 / lam).

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     tau = pm.Exponential("tau", scale=5)
    """

    signature = ("lam", "scale")
    parameters = (Parameter("lam", POSITIVE_NUMBER, 1.0),)
    others = (Parameter("scale", POSITIVE_NUMBER),)
    alternatives = {("scale",): lambda scale: {"lam": 1.0 / scale}}
    support = POSITIVE
    examples = ({"lam": 2.5}, {"scale": 4.0})

    @staticmethod
    def log_density(xp, x, lam):
        return xp.log(lam) - lam * x

    @staticmethod
    def draw(rng, shape, lam):
        return rng.standard_exponential(shape) / lam

    @staticmethod
    def mean(xp, lam):
        return 1.0 / lam


class Gamma(Family):
    """Gamma distribution with shape `alpha` and rate `beta` (or mean `mu` and standard deviation `sigma`).

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     rate = pm.Gamma("rate", alpha=2, beta=0.1)
    """

    signature = ("alpha", "beta", "mu", "sigma")
    parameters = (Parameter("alpha", POSITIVE_NUMBER), Parameter("beta", POSITIVE_NUMBER))
    others = (Parameter("mu", POSITIVE_NUMBER), Parameter("sigma", POSITIVE_NUMBER))
    alternatives = {("mu", "sigma"): lambda mu, sigma: {"alpha": (mu / sigma) ** 2, "beta": mu / sigma**2}}
    support = POSITIVE
    examples = ({"alpha": 2.5, "beta": 0.4}, {"alpha": 0.6, "beta": 1.0}, {"mu": 3.0, "sigma": 1.5})

    @staticmethod
    def log_density_by_logs(xp, x, logs, alpha, beta):
        return alpha * xp.log(beta) - xp.gammaln(alpha) + (alpha - 1) * logs.value - beta * x

    @staticmethod
    def draw(rng, shape, alpha, beta):
        return rng.standard_gamma(alpha, shape) / beta

    @staticmethod
    def mean(xp, alpha, beta):
        return alpha / beta


class InverseGamma(Family):
    """Distribution of 1 / y for y ~ Gamma(`alpha`, `beta`) (or with mean `mu` and standard deviation `sigma`).

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     variance = pm.InverseGamma("variance", alpha=3, beta=2)
    """

    signature = ("alpha", "beta", "mu", "sigma")
    parameters = (Parameter("alpha", POSITIVE_NUMBER), Parameter("beta", POSITIVE_NUMBER, 1.0))
    others = (Parameter("mu", POSITIVE_NUMBER), Parameter("sigma", POSITIVE_NUMBER))
    alternatives = {
        ("mu", "sigma"): lambda mu, sigma: {"alpha": (mu / sigma) ** 2 + 2.0, "beta": mu * ((mu / sigma) ** 2 + 1.0)}
    }
    support = POSITIVE
    examples = ({"alpha": 3.5, "beta": 2.0}, {"alpha": 0.8, "beta": 2.0}, {"mu": 3.0, "sigma": 1.5})

    @staticmethod
    def log_density_by_logs(xp, x, logs, alpha, beta):
        return alpha * xp.log(beta) - xp.gammaln(alpha) - (alpha + 1) * logs.value - beta * xp.exp(-logs.value)

    @staticmethod
    def draw(rng, shape, alpha, beta):
        return beta / rng.standard_gamma(alpha, shape)

    @staticmethod
    def mean(xp, alpha, beta):
        return xp.where(alpha > 1, beta / xp.where(alpha > 1, alpha - 1, 1.0), np.inf)

    @classmethod
    def center(cls, xp, alpha, beta):
        """The mode."""
        return beta / (alpha + 1)


class LogNormal(Family):
    """Distribution of exp(y) for y ~ Normal(`mu`, `sigma`) (or precision `tau`).

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     dose = pm.LogNormal("dose", mu=0, sigma=0.5)
    """

    signature = ("mu", "sigma", "tau")
    parameters = (Parameter("mu", ANY, 0.0), Parameter("sigma", POSITIVE_NUMBER, 1.0))
    others = (Parameter("tau", POSITIVE_NUMBER),)
    alternatives = PRECISION
    support = POSITIVE
    examples = ({"mu": -0.5, "sigma": 0.8}, {"mu": 1.0, "tau": 4.0})

    @staticmethod
    def log_density_by_logs(xp, x, logs, mu, sigma):
        return -0.5 * ((logs.value - mu) / sigma) ** 2 - xp.log(sigma) - logs.value - LOG_SQRT_2PI

    @staticmethod
    def draw(rng, shape, mu, sigma):
        return rng.lognormal(mu, sigma, shape)

    @staticmethod
    def mean(xp, mu, sigma):
        return xp.exp(mu + 0.5 * sigma**2)

    @classmethod
    def center(cls, xp, mu, sigma):
        """The median, as far as it can be written as a number."""
        return xp.exp(xp.clip(mu, -500.0, 500.0))


class Weibull(Family):
    """Weibull distribution with shape `alpha` and scale `beta`, the point that a share 1 - 1/e lies below.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     lifetime = pm.Weibull("lifetime", alpha=1.5, beta=10)
    """

    parameters = (Parameter("alpha", POSITIVE_NUMBER), Parameter("beta", POSITIVE_NUMBER))
    support = POSITIVE
    examples = ({"alpha": 1.7, "beta": 2.5}, {"alpha": 0.8, "beta": 0.3})

    @staticmethod
    def log_density_by_logs(xp, x, logs, alpha, beta):
        log_ratio = logs.value - xp.log(beta)
        return xp.log(alpha) - logs.value + alpha * log_ratio - xp.exp(alpha * log_ratio)

    @staticmethod
    def draw(rng, shape, alpha, beta):
        return beta * rng.weibull(alpha, shape)

    @staticmethod
    def mean(xp, alpha, beta):
        return beta * xp.exp(xp.gammaln(1 + 1 / alpha))

    @classmethod
    def center(cls, xp, alpha, beta):
        """The scale."""
        return beta + 0.0 * alpha


class Pareto(Family):
    """Pareto distribution above `m`, whose tail falls with the power `alpha`.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     income = pm.Pareto("income", alpha=2, m=1)
    """

    parameters = (Parameter("alpha", POSITIVE_NUMBER), Parameter("m", POSITIVE_NUMBER))
    support = at_least("m")
    examples = ({"alpha": 4.5, "m": 2.0}, {"alpha": 0.9, "m": 0.5})

    @staticmethod
    def log_density(xp, x, alpha, m):
        inside = x >= m
        log_ratio = xp.log(xp.where(inside, x, m) / m)
        return xp.where(inside, xp.log(alpha) - xp.log(m) - (alpha + 1) * log_ratio, -np.inf)

    @staticmethod
    def draw(rng, shape, alpha, m):
        return m * (1.0 + rng.pareto(alpha, shape))

    @staticmethod
    def mean(xp, alpha, m):
        return xp.where(alpha > 1, m * alpha / xp.where(alpha > 1, alpha - 1, 1.0), np.inf)

    @classmethod
    def center(cls, xp, alpha, m):
        """The median, unless its tail is so heavy that the median is far out."""
        return m * 2.0 ** xp.minimum(1 / alpha, 10.0)


class ChiSquared(Family):
    """Chi-squared distribution with `nu` degrees of freedom.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     x = pm.ChiSquared("x", nu=4)
    """

    parameters = (Parameter("nu", POSITIVE_NUMBER),)
    support = POSITIVE
    examples = ({"nu": 4.5},)

    @staticmethod
    def log_density_by_logs(xp, x, logs, nu):
        half = 0.5 * nu
        return (half - 1) * logs.value - 0.5 * x - half * np.log(2.0) - xp.gammaln(half)

    @staticmethod
    def draw(rng, shape, nu):
        return rng.chisquare(nu, shape)

    @staticmethod
    def mean(xp, nu):
        return nu
