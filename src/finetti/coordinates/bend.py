"""Coordinates of a positive variable: logarithmic near 0, linear above, with the bend where the posterior asks for it.

The logarithm is right for a scale that the data fix, or that may be all but 0. Where both 0 and large values are likely
(few data in each group) it puts a wall in the sampler's way: a prior that falls like exp(-tau**2) falls like
exp(-exp(2 u)) in u = log tau, and one step size cannot serve it and the long tail towards 0. With

    tau = log(1 + k exp(u)) / k

tau is exp(u) while k tau is small and u plus a constant above 1 / k. k is learned, element by element.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetti.coordinates.contract import Learned
from finetti.distributions.bijections import LOG_SMALLEST, Logs
from finetti.model.graph import Constant, Node, Shape
from finetti.model.namespace import NUMPY, Namespace

LOGARITHM = -100.0  # log k of a bend nobody gets to
BENDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # k tried, over that of the median
NEGLIGIBLE = -40.0  # exp of it beside 1


@dataclass(frozen=True)
class Bend:
    """The coordinates of one positive variable.

    Args:
        place: log k (*shape).
        learned: whether it changes during warmup.
    """

    place: Constant
    learned: bool = True
    reads: tuple[Node, ...] = ()

    def forward(self, xp: Namespace, x: Any, given: Mapping[Node, Any], lead: int) -> tuple[Any, Any]:
        """The variable's value at x, and the log-determinant for each element."""
        log_k = given[self.place]
        z = x + log_k
        return xp.softplus(xp.maximum(z, LOG_SMALLEST)) * xp.exp(-log_k), -xp.softplus(-z) - log_k

    def logs(self, xp: Namespace, x: Any, given: Mapping[Node, Any], lead: int) -> Logs:
        """The logarithm of the value at x, also where the value itself is too small to be written."""
        return Logs(_log_value(xp, x, given[self.place]))

    def inverse(self, value: np.ndarray, given: Mapping[Node, Any], lead: int = 0) -> np.ndarray:
        """x at a value of the variable, or at many with `lead=1`."""
        return _coordinate(np.log(value), given[self.place])

    def learn(self, draws: np.ndarray, gradients: np.ndarray, given: Mapping[Node, Any]) -> Learned:
        """The k at which the coordinate and the gradient along it are most nearly opposite (correlation -1).

        Minimising that correlation minimises the Fisher divergence to a Gaussian whose location and scale are free.
        """
        present = given[self.place][0]
        log_value = _log_value(NUMPY, draws, present)
        slope, bending = _derivatives(draws, present)
        along_log = (gradients - bending) / slope
        middle = np.median(log_value, axis=0)
        tried = np.stack([np.full(present.shape, LOGARITHM), *(np.log(bend) - middle for bend in BENDS)])  # (k, *shape)
        fit = _correlation(*_laid_out(log_value, along_log, tried[:, None]))
        numbers = np.take_along_axis(tried, fit.argmin(axis=0)[None], axis=0)[0]
        return Learned(numbers, *_laid_out(log_value, along_log, numbers))

    def told(self, name: str, given: Sequence[Mapping[Node, Any]]) -> str:
        """Where the bend is; nothing where it is nowhere."""
        log_k = np.stack([values[self.place][0] for values in given])
        bent = log_k[log_k > LOGARITHM]
        if not bent.size:
            return ""
        return f"{name}: on a scale that is logarithmic below about {np.exp(-np.median(bent)):.2g} and linear above"


def logarithmic(shape: Shape) -> Constant:
    """A node for the numbers of a variable, before anything is learned."""
    value = np.full(shape, LOGARITHM)
    return Constant(value.shape, value.dtype, value)


def _log_value(xp: Namespace, x: Any, log_k: Any) -> Any:
    """log(softplus(x + log k)) - log k, which is x where x + log k is far below 0."""
    z = x + log_k
    return xp.where(z < NEGLIGIBLE, x, xp.log(xp.softplus(xp.maximum(z, NEGLIGIBLE))) - log_k)


def _coordinate(log_value: np.ndarray, log_k: np.ndarray) -> np.ndarray:
    """log(exp(k value) - 1) - log k, without overflow and also where the value is too small to be written."""
    log_scaled = log_value + log_k
    scaled = np.exp(np.maximum(log_scaled, NEGLIGIBLE))
    return np.where(log_scaled < NEGLIGIBLE, log_value, scaled + np.log(-np.expm1(-scaled)) - log_k)


def _derivatives(x: np.ndarray, log_k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """d log value / d x, and the slope of log(d value / d x)."""
    z = x + log_k
    near = np.maximum(z, NEGLIGIBLE)
    slope = np.exp(-np.logaddexp(0.0, -near)) / np.logaddexp(0.0, near)
    return np.where(z < NEGLIGIBLE, 1.0, slope), np.exp(-np.logaddexp(0.0, z))


def _laid_out(log_value: np.ndarray, along_log: np.ndarray, log_k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates and the gradients along them, from those along the logarithm."""
    x = _coordinate(log_value, log_k)
    slope, bending = _derivatives(x, log_k)
    return x, along_log * slope + bending


def _correlation(x: np.ndarray, g: np.ndarray) -> np.ndarray:
    """(k, *shape) over the draws (k, draw, *shape); 0 where there is none."""
    x, g = x - x.mean(axis=1, keepdims=True), g - g.mean(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        value = (x * g).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (g**2).sum(axis=1))
    return np.where(np.isfinite(value), value, 0.0)
