"""Distributions on the positive half line."""

from __future__ import annotations

import numpy as np

from finetti.distributions.base import POSITIVE_NUMBER, Family, Parameter
from finetti.distributions.bijections import POSITIVE


class HalfCauchy(Family):
    """Half-Cauchy distribution with scale `beta`: a Cauchy around 0, folded.

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
