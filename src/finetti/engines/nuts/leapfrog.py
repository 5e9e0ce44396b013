"""One leapfrog step, and the energy it should keep.

Momenta are kept whitened (unit covariance): with a metric of inverse mass A A', a step moves the position along A p
and kicks the momentum by A' grad. Kinetic energy and turning criteria are then plain dot products.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Phase(NamedTuple):
    """A point in phase space: position (unconstrained,), whitened momentum, log density and its gradient there."""

    position: Any
    momentum: Any
    log_density: Any
    gradient: Any


def energy(xp, phase: Phase):
    """The Hamiltonian: minus log density plus kinetic energy."""
    return 0.5 * xp.dot(phase.momentum, phase.momentum) - phase.log_density


def leapfrog(value_and_gradient, metric, phase: Phase, step) -> Phase:
    """One step of signed length `step` (Neal 2011, eqs. 2.28-2.30)."""
    half = phase.momentum + 0.5 * step * metric.kick(phase.gradient)
    position = phase.position + step * metric.move(half)
    log_density, gradient = value_and_gradient(position)
    return Phase(position, half + 0.5 * step * metric.kick(gradient), log_density, gradient)
