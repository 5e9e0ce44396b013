"""The macro step of WALNUTS as its definition reads: both directions choose their own number of micro steps.

Bou-Rabee, Carpenter, Kleppe, Liu (2025), arXiv 2506.18746, with the level chosen by the energy at the two ends. Slow,
plain NumPy, and with no trick: the way back is chosen as the way there is, with the momentum reversed, and a step
counts only where both come to the same number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Point = tuple[np.ndarray, np.ndarray, float, np.ndarray]  # position, momentum, log density, gradient


@dataclass
class Field:
    """A target with inverse mass scale**2, the tolerance, and a count of the gradients asked for."""

    value_and_gradient: Callable
    scale: np.ndarray
    tolerance: float
    halvings: int
    gradients: int = 0

    def at(self, position, momentum) -> Point:
        return np.asarray(position), np.asarray(momentum), *self.value_and_gradient(np.asarray(position))

    def leapfrogs(self, start: Point, length: float, count: int) -> Point:
        """`count` steps of `length`, fewer where a point is reached whose energy is not finite."""
        position, momentum, value, gradient = start
        for _ in range(count):
            momentum = momentum + length / 2 * self.scale * gradient
            position = position + length * self.scale * momentum
            with np.errstate(over="ignore", invalid="ignore"):
                value, gradient = self.value_and_gradient(position)
            self.gradients += 1
            momentum = momentum + length / 2 * self.scale * gradient
            if not np.isfinite(energy((position, momentum, value, gradient))):
                break
        return position, momentum, value, gradient

    def passes(self, start: Point, length: float, level: int) -> tuple[bool, Point]:
        end = self.leapfrogs(start, length / 2**level, 2**level)
        return bool(abs(energy(end) - energy(start)) <= self.tolerance), end  # NaN and infinity do not pass

    def selected(self, start: Point, length: float) -> tuple[int | None, Point]:
        """The first level that passes, and the end it leads to."""
        for level in range(self.halvings + 1):
            passed, end = self.passes(start, length, level)
            if passed:
                return level, end
        return None, start


def energy(point: Point) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return 0.5 * float(point[1] @ point[1]) - point[2]


@dataclass
class Macro:
    """What one macro step comes to; `level` is None where no level passes."""

    level: int | None
    end: Point
    reversible: bool
    energy_undivided: float
    gradients: int


def macro_step(field: Field, start: Point, length: float) -> Macro:
    """The step, its reversibility by definition, and the gradients of a program that stops as soon as it knows."""
    undivided = energy(field.leapfrogs(start, length, 1))
    field.gradients = 0
    level, end = field.selected(start, length)
    if level is None:
        return Macro(None, start, True, undivided, field.gradients)
    turned = (end[0], -end[1], end[2], end[3])
    for coarser in reversed(range(level)):
        if field.passes(turned, length, coarser)[0]:
            break
    gradients = field.gradients
    return Macro(level, end, field.selected(turned, length)[0] == level, undivided, gradients)
