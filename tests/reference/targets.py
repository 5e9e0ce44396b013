"""Small targets, each written twice: the log density for any array namespace, and value with gradient by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

PRECISION_2 = np.array([[5.26315789, -4.73684211], [-4.73684211, 5.26315789]])  # correlation 0.9


def precision(size: int) -> np.ndarray:
    """Inverse of the covariance 0.8**|i - j|."""
    place = np.arange(size)
    return np.linalg.inv(0.8 ** np.abs(place[:, None] - place))


@dataclass(frozen=True, eq=False)
class Target:
    """A density; `start` makes a point where a chain might be."""

    name: str
    size: int
    log_density: Callable[[Any, Any], Any]  # (xp, position) -> scalar
    value_and_gradient: Callable[[np.ndarray], tuple[float, np.ndarray]]
    start_scale: float = 1.0

    def start(self, rng: np.random.Generator) -> np.ndarray:
        return self.start_scale * rng.normal(size=self.size)


def gaussian(name: str, matrix: np.ndarray) -> Target:
    return Target(
        name,
        len(matrix),
        lambda xp, x: -0.5 * xp.dot(x, xp.dot(matrix, x)),
        lambda x: (-0.5 * float(x @ matrix @ x), -matrix @ x),
    )


def _funnel_by_hand(x):
    v, rest = x[0], x[1:]
    with np.errstate(over="ignore", invalid="ignore"):
        squares, shrink = rest @ rest, np.exp(-v)
        value = -(v**2) / 18 - 0.5 * squares * shrink - 0.5 * len(rest) * v
        slope = -v / 9 + 0.5 * squares * shrink - 0.5 * len(rest)
        return float(value), np.concatenate([[slope], -rest * shrink])


FUNNEL = Target(
    "funnel",
    3,
    lambda xp, x: -(x[0] ** 2) / 18 - 0.5 * xp.dot(x[1:], x[1:]) * xp.exp(-x[0]) - (x.shape[0] - 1) * x[0] / 2,
    _funnel_by_hand,
    start_scale=2.0,
)


def _banana_by_hand(x):
    bend = x[1] - x[0] ** 2
    return float(-0.5 * x[0] ** 2 - 5.0 * bend**2), np.array([-x[0] + 20.0 * bend * x[0], -10.0 * bend])


BANANA = Target("banana", 2, lambda xp, x: -0.5 * x[0] ** 2 - 5.0 * (x[1] - x[0] ** 2) ** 2, _banana_by_hand)

# Smooth, with the straight sides of a Laplace density: 1/cosh.
ROUNDED_LAPLACE = Target(
    "rounded Laplace",
    1,
    lambda xp, x: -xp.sum(xp.log(xp.cosh(x))),
    lambda x: (-float(np.log(np.cosh(x)).sum()), -np.tanh(x)),
    start_scale=2.0,
)

TARGETS = (
    gaussian("normal", np.eye(1)),
    ROUNDED_LAPLACE,
    gaussian("correlated normal of 2", PRECISION_2),
    gaussian("correlated normal of 10", precision(10)),
    FUNNEL,
    BANANA,
)
