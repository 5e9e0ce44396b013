"""The metric: the linear map that makes the posterior look round, learned from draws and gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

_SMALLEST, _LARGEST = 1e-20, 1e20  # variances beyond these say that something else is wrong


class Diagonal(NamedTuple):
    """Inverse mass diag(scale**2); `scale` (unconstrained,) is the posterior's standard deviation where it is right."""

    scale: Any

    def move(self, momentum):
        """Velocity of a whitened momentum."""
        return self.scale * momentum

    def kick(self, gradient):
        """Force on a whitened momentum."""
        return self.scale * gradient


def from_gradient(gradient: np.ndarray) -> Diagonal:
    """A first guess from one gradient: inverse mass 1/|gradient| (nutpie's start)."""
    size = np.abs(gradient)
    variance = np.divide(1.0, size, out=np.ones_like(size), where=size > 0)
    return Diagonal(np.sqrt(np.clip(variance, _SMALLEST, _LARGEST)))


def from_window(draws: np.ndarray, gradients: np.ndarray, fallback: Diagonal) -> Diagonal:
    """The diagonal that minimises the Fisher divergence to a Gaussian: inverse mass sqrt(Var x / Var gradient).

    Args:
        draws: (draw, unconstrained).
        gradients: (draw, unconstrained), of the log density at the draws.
        fallback: used for coordinates that have not moved.

    Returns:
        The metric (Seyboldt, Carlson, Carpenter 2026, arXiv 2603.18845, on the Fisher-divergence diagonal).
    """
    spread, steepness = draws.var(axis=0), gradients.var(axis=0)
    usable = (spread > 0) & (steepness > 0) & np.isfinite(spread) & np.isfinite(steepness)
    ratio = np.divide(spread, steepness, out=np.ones_like(spread), where=usable)
    variance = np.where(usable, np.sqrt(ratio), np.asarray(fallback.scale) ** 2)
    return Diagonal(np.sqrt(np.clip(variance, _SMALLEST, _LARGEST)))
