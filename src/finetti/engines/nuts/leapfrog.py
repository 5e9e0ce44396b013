"""One leapfrog step, and the energy it should keep.

Momenta are kept whitened (unit covariance): with a metric of inverse mass A A', a step moves the position along A p
and kicks the momentum by A' grad. Kinetic energy and turning criteria are then plain dot products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Phase(NamedTuple):
    """A point in phase space: position (unconstrained,), whitened momentum, log density and its gradient there."""

    position: Any
    momentum: Any
    log_density: Any
    gradient: Any


class Stepped(NamedTuple):
    """What a stepper says of one step, from leaf to leaf.

    Args:
        phase: where the step ends.
        energy: the Hamiltonian there; infinite where the stepper found no way to keep it.
        energy_undivided: the Hamiltonian at the end of one leapfrog step of the full length, which tunes that length.
        reversible: whether the same stepper, run backward from the end, comes back to the start.
        extra_gradients: gradient evaluations beyond one.
    """

    phase: Phase
    energy: Any
    energy_undivided: Any
    reversible: Any
    extra_gradients: Any


Stepper = Callable[..., Stepped]  # (jax, value_and_gradient, metric, phase, signed step, undivided) -> Stepped


def energy(xp, phase: Phase):
    """The Hamiltonian: minus log density plus kinetic energy."""
    return 0.5 * xp.dot(phase.momentum, phase.momentum) - phase.log_density


def leapfrog(value_and_gradient, metric, phase: Phase, step) -> Phase:
    """One step of signed length `step` (Neal 2011, eqs. 2.28-2.30)."""
    half = phase.momentum + 0.5 * step * metric.kick(phase.gradient)
    position = phase.position + step * metric.move(half)
    log_density, gradient = value_and_gradient(position)
    return Phase(position, half + 0.5 * step * metric.kick(gradient), log_density, gradient)


def undivided(jax, value_and_gradient, metric, phase: Phase, step, _always_undivided) -> Stepped:
    """The stepper of plain NUTS: from leaf to leaf in one leapfrog step."""
    end = leapfrog(value_and_gradient, metric, phase, step)
    energy_there = energy(jax.numpy, end)
    return Stepped(end, energy_there, energy_there, reversible=True, extra_gradients=0)
