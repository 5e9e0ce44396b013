"""Distributions on the whole real line."""

from __future__ import annotations

import numpy as np

from finetti.distributions.base import ANY, POSITIVE_NUMBER, Family, Parameter
from finetti.distributions.bijections import REAL

_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)


class Normal(Family):
    """Normal distribution with mean `mu` and standard deviation `sigma` (or precision `tau`).

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     theta = pm.Normal("theta", mu=0, sigma=5, shape=8)
    """

    signature = ("mu", "sigma", "tau")
    parameters = (Parameter("mu", ANY, 0.0), Parameter("sigma", POSITIVE_NUMBER, 1.0))
    alternatives = {("tau",): lambda tau: {"sigma": tau**-0.5}}
    support = REAL
    location_scale = ("mu", "sigma")
    examples = ({"mu": -1.5, "sigma": 2.5}, {"mu": 3.0, "tau": 4.0})

    @staticmethod
    def log_density(xp, x, mu, sigma):
        return -0.5 * ((x - mu) / sigma) ** 2 - xp.log(sigma) - _LOG_SQRT_2PI

    @staticmethod
    def draw(rng, shape, mu, sigma):
        return rng.normal(mu, sigma, shape)

    @staticmethod
    def mean(xp, mu, sigma):
        return mu
