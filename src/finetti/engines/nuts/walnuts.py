"""From leaf to leaf in 1, 2, 4, ... leapfrog steps: as many as the curvature on the way asks for (WALNUTS).

Bou-Rabee, Carpenter, Kleppe, Liu (2025), The within-orbit adaptive leapfrog no-U-turn sampler, arXiv 2506.18746. Why
the draws are still exact, and what the two constants were chosen by: docs/decisions/0004-walnuts.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from finetti.engines.nuts.leapfrog import Phase, Stepped, energy, leapfrog

TOLERANCE = 1.5  # of the energy, over one macro step
MAX_HALVINGS = 10


class Macro(NamedTuple):
    """A macro step under way.

    Args:
        now: where the micro steps have come to.
        end: where the way there ended, once it has.
        energy_at_end: the Hamiltonian there, infinite if no level kept it.
        energy_undivided: the Hamiltonian after one undivided step.
        level: halvings of the micro step now tried.
        left: micro steps left at this level.
        backward: whether the way there is behind us and coarser levels are tried from its end.
        done: whether there is nothing left to try.
        reversible: that no coarser level has led back within the tolerance.
        gradients: evaluations so far.
    """

    now: Phase
    end: Phase
    energy_at_end: Any
    energy_undivided: Any
    level: Any
    left: Any
    backward: Any
    done: Any
    reversible: Any
    gradients: Any


def divided(
    jax, value_and_gradient, metric, phase: Phase, step, undivided, *,
    tolerance: float = TOLERANCE, max_halvings: int = MAX_HALVINGS,
) -> Stepped:
    """One macro step of signed length `step`.

    Level k makes 2**k micro steps. The level is the first from 0 on at which the energy at the end differs from that
    at the start by the tolerance at most. Run backward from the end, that level comes back to the start with the same
    difference; so the step is reversible unless a level below passes on the way back.

    Args:
        jax: the module.
        value_and_gradient: position (unconstrained,) -> log density and its gradient.
        metric: see `metric`.
        phase: the start.
        step: signed length of the macro step.
        undivided: whether to take one leapfrog step whatever its error, as when the step length is searched for.
        tolerance: of the energy, from one end to the other.
        max_halvings: the last level; where it fails too, the energy returned is infinite.
    """  # fmt: skip
    xp = jax.numpy
    energy_at_start = energy(xp, phase)

    def unfinished(m: Macro):
        return ~m.done

    def micro(m: Macro) -> Macro:
        length = xp.where(m.backward, -step, step) / xp.left_shift(1, m.level)
        now = leapfrog(value_and_gradient, metric, m.now, length)
        m = m._replace(now=now, left=m.left - 1, gradients=m.gradients + 1)
        return _judged(xp, m, phase, energy_at_start, tolerance, max_halvings, undivided)

    m = jax.lax.while_loop(unfinished, micro, _at_start(xp, phase))
    return Stepped(m.end, m.energy_at_end, m.energy_undivided, m.reversible, m.gradients - 1)


def _at_start(xp, phase: Phase) -> Macro:
    no, zero, one = xp.zeros((), bool), xp.zeros((), "int32"), xp.ones((), "int32")
    infinite = xp.full((), xp.inf)
    return Macro(phase, phase, infinite, infinite, zero, one, no, no, ~no, zero)


def _judged(xp, m: Macro, start: Phase, energy_at_start, tolerance, max_halvings, undivided) -> Macro:
    """What one more micro step decides: go on, pass, try the next level, or stop.

    A level is given up at the first point that is not finite; the same points are met from the other end.
    """
    energy_now = energy(xp, m.now)
    lost = ~xp.isfinite(energy_now)
    over = (m.left == 0) | lost
    error = xp.abs(energy_now - xp.where(m.backward, m.energy_at_end, energy_at_start))
    passed = over & ((~lost & (error <= tolerance)) | undivided)
    failed = over & ~passed
    arrived = passed & ~m.backward
    end = _choose(xp, arrived, m.now, m.end)
    level = m.level + xp.where(failed & ~m.backward, 1, 0) - xp.where(arrived | (failed & m.backward), 1, 0)
    return m._replace(
        now=_choose(xp, failed, _choose(xp, m.backward, m.end, start), m.now),
        end=end,
        energy_at_end=xp.where(arrived, energy_now, m.energy_at_end),
        energy_undivided=xp.where(over & (m.level == 0) & ~m.backward, energy_now, m.energy_undivided),
        level=level,
        left=xp.where(over, xp.left_shift(1, xp.maximum(level, 0)), m.left),
        backward=m.backward | arrived,
        done=over & ((level < 0) | (level > max_halvings) | (passed & m.backward)),
        reversible=m.reversible & ~(passed & m.backward),
    )


def _choose(xp, condition, a: Phase, b: Phase) -> Phase:
    return Phase(*(xp.where(condition, *pair) for pair in zip(a, b, strict=True)))
