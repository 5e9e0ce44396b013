"""From leaf to leaf along the metric's own Gaussian, exactly, with kicks by what the posterior's force has besides.

In whitened coordinates q = A^-1 (x - center) the Gaussian the metric stands for has the potential q'q/2, under which
q and momentum turn around each other. The step is half a kick by the rest of the force, a turn, and half a kick: it
keeps volume and reverses like a leapfrog, and where the posterior is that Gaussian it makes no error at all, whatever
its length. Where the metric is not trusted, as at the start of warmup or in a funnel, the step is a leapfrog.
(Casas, Sanz-Serna, Shaw 2022, Split Hamiltonian Monte Carlo revisited, Statistics and Computing 32, on preconditioned
kick-rotate-kick; Shahbaba, Lan, Johnson, Neal 2014, Statistics and Computing 24. Why, and when: docs/decisions.)
"""

from __future__ import annotations

from finetti.engines.nuts.leapfrog import Phase, Stepped, energy

LONGEST = 1.2  # radians: three turns of more than pi / 3 go half round, where a trajectory of a Gaussian should end


def rotated(jax, value_and_gradient, metric, phase: Phase, step, _always_undivided) -> Stepped:
    """One kick-rotate-kick of signed length `step`, as a stepper (see `leapfrog`)."""
    xp = jax.numpy
    turn, trusted = step * metric.trusted, metric.trusted
    cos, sin = xp.cos(turn), xp.where(trusted > 0, xp.sin(turn), step)
    q = metric.whiten(phase.position)
    half = phase.momentum + 0.5 * step * (metric.kick(phase.gradient) + trusted * q)
    q, half = cos * q + sin * half, cos * half - trusted * sin * q
    position = metric.center + metric.move(q)
    log_density, gradient = value_and_gradient(position)
    end = Phase(position, half + 0.5 * step * (metric.kick(gradient) + trusted * q), log_density, gradient)
    energy_there = energy(xp, end)
    return Stepped(end, energy_there, energy_there, reversible=True, extra_gradients=0)
