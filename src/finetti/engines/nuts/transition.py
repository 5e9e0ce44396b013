"""One NUTS transition as a rolled program: a loop over doublings, in it a loop over leaves, one gradient call site.

Multinomial NUTS (Betancourt 2017, app. A) with biased progressive sampling between subtrees and Stan's turning checks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from finetti.engines.nuts import counter, leapfrog, tree
from finetti.engines.nuts.leapfrog import Phase, Stepped, Stepper, energy
from finetti.engines.nuts.tree import Notes, Span

MAX_ENERGY_ERROR = 1000.0  # beyond it the leapfrog no longer follows the Hamiltonian (Stan's bound)


class Point(NamedTuple):
    """A candidate for the next draw."""

    position: Any
    log_density: Any
    gradient: Any
    energy: Any


class Statistics(NamedTuple):
    """What a transition tells of itself.

    Args:
        acceptance: mean of min(1, exp(H0 - H)) over the leaves, with H after an undivided step (see `leapfrog`).
        symmetric_acceptance: the one the late warmup tunes to.
        energy: of the draw.
        tree_depth: doublings.
        n_steps: gradient evaluations.
        diverging: whether the energy was lost.
        reached_max_depth: whether nothing but the number of doublings ended the tree.
    """

    acceptance: Any
    symmetric_acceptance: Any
    energy: Any
    tree_depth: Any
    n_steps: Any
    diverging: Any
    reached_max_depth: Any


class Leaves(NamedTuple):
    """A subtree while it grows: its edge, its candidate, and what the turning checks need."""

    edge: Phase
    candidate: Point
    log_weight: Any
    first: Any
    total: Any
    notes: Notes
    n: Any
    extra_gradients: Any
    turning: Any
    diverging: Any
    acceptance: Any
    symmetric_acceptance: Any


class Trajectory(NamedTuple):
    """The tree so far; `ends` holds the phases at its two ends, first backward then forward, on a leading axis."""

    ends: Phase
    candidate: Point
    log_weight: Any
    total: Any
    depth: Any
    n: Any
    extra_gradients: Any
    turning: Any
    diverging: Any
    acceptance: Any
    symmetric_acceptance: Any


class Rules(NamedTuple):
    """What does not change during a transition."""

    advance: Callable[[Phase, Any], Stepped]
    step: Any
    max_depth: Any
    key: Any
    energy_at_start: Any


def transition(
    jax, value_and_gradient, metric, point: Point, step, max_depth, key, levels: int, *, always_accept=False,
    stepper: Stepper = leapfrog.undivided, undivided=False,
):
    """One transition from `point`.

    Args:
        jax: the module, handed in because it is loaded late.
        value_and_gradient: position (unconstrained,) -> log density and its gradient.
        metric: see `metric`.
        point: where the chain is.
        step: step size, positive (0 evaluates the gradient at `point` and stays there).
        max_depth: doublings at most, an array; no more than `levels`.
        key: the transition's stream of random numbers (see `counter`).
        levels: rows of the notes, fixed when compiled.
        always_accept: take the new subtree's candidate whatever its weight, even where it diverges.
        stepper: how to get from leaf to leaf; fixed when compiled.
        undivided: one leapfrog step from leaf to leaf, whatever the stepper.

    Returns:
        The next point and the transition's statistics.
    """  # fmt: skip
    xp = jax.numpy
    start = Phase(point.position, counter.normal(xp, key, point.position.shape[0]), point.log_density, point.gradient)

    def advance(phase: Phase, signed_step) -> Stepped:
        return stepper(jax, value_and_gradient, metric, phase, signed_step, undivided)

    rules = Rules(advance, step, max_depth, key, energy(xp, start))
    trajectory = _single_leaf(xp, start, rules.energy_at_start)

    def growing(t: Trajectory):
        return (t.depth < max_depth) & ~t.turning & ~t.diverging

    def double(t: Trajectory) -> Trajectory:
        return _doubled(jax, t, rules, levels, always_accept)

    end = jax.lax.while_loop(growing, double, trajectory)
    return end.candidate, _statistics(xp, end, max_depth)


def _single_leaf(xp, start: Phase, energy_at_start) -> Trajectory:
    zero, no = xp.zeros(()), xp.zeros((), bool)
    both_ends = Phase(*(xp.stack([part, part]) for part in start))
    candidate = Point(start.position, start.log_density, start.gradient, energy_at_start)
    count = xp.zeros((), "int32")
    return Trajectory(both_ends, candidate, zero, start.momentum, count, count, count, no, no, zero, zero)


def _statistics(xp, end: Trajectory, max_depth) -> Statistics:
    n = xp.maximum(end.n, 1)
    full = (end.depth >= max_depth) & ~end.turning & ~end.diverging
    return Statistics(
        end.acceptance / n, end.symmetric_acceptance / n, end.candidate.energy, end.depth,
        end.n + end.extra_gradients, end.diverging, full,
    )  # fmt: skip


def _doubled(jax, t: Trajectory, rules: Rules, levels: int, always_accept) -> Trajectory:
    """The trajectory with a subtree of its own size added at one end, chosen at random."""
    xp = jax.numpy
    forward = (counter.bits(rules.key, counter.DIRECTION + t.depth.astype("uint64")) & 1).astype("int32")
    edge = Phase(*(part[forward] for part in t.ends))
    leaves = _subtree(jax, edge, xp.where(forward == 1, rules.step, -rules.step), t, rules, levels)
    valid = ~leaves.turning & ~leaves.diverging

    chance = counter.uniform(rules.key, counter.MERGE + t.depth.astype("uint64"))
    accept = (valid & (xp.log(chance) < leaves.log_weight - t.log_weight)) | always_accept
    ends = Phase(*(part.at[forward].set(new) for part, new in zip(t.ends, leaves.edge, strict=True)))
    return Trajectory(
        ends=ends,
        candidate=_choose(xp, accept, leaves.candidate, t.candidate),
        log_weight=xp.logaddexp(t.log_weight, leaves.log_weight),
        total=t.total + leaves.total,
        depth=t.depth + 1,
        n=t.n + leaves.n,
        extra_gradients=t.extra_gradients + leaves.extra_gradients,
        turning=leaves.turning | _turned_at_top(xp, t, leaves, forward),
        diverging=leaves.diverging,
        acceptance=t.acceptance + leaves.acceptance,
        symmetric_acceptance=t.symmetric_acceptance + leaves.symmetric_acceptance,
    )


def _turned_at_top(xp, t: Trajectory, leaves: Leaves, forward):
    """The turning check of the whole tree; seen from the old end outwards, so that either direction reads alike."""
    near, far = t.ends.momentum[forward], t.ends.momentum[1 - forward]
    old = Span(far, near, t.total)
    new = Span(leaves.first, leaves.edge.momentum, leaves.total)
    return tree.turned_when_joined(xp, old, new)


def _choose(xp, condition, new: Point, old: Point) -> Point:
    return Point(*(xp.where(condition, a, b) for a, b in zip(new, old, strict=True)))


def _subtree(jax, edge: Phase, signed_step, t: Trajectory, rules: Rules, levels: int) -> Leaves:
    """Up to 2**depth leaves from an end outwards, stopping early at a turn or a divergence."""
    xp = jax.numpy
    size = xp.left_shift(xp.ones((), "int32"), t.depth)

    def growing(s: Leaves):
        return (s.n < size) & ~s.turning & ~s.diverging

    def grow(s: Leaves) -> Leaves:
        return _with_leaf(jax, s, signed_step, size, rules)

    return jax.lax.while_loop(growing, grow, _no_leaves(xp, edge, t.candidate, levels))


def _no_leaves(xp, edge: Phase, candidate: Point, levels: int) -> Leaves:
    zero, no, empty = xp.zeros(()), xp.zeros((), bool), xp.zeros_like(edge.momentum)
    notes = Notes(*(xp.zeros((levels + 1, empty.shape[0])) for _ in range(3)))
    count = xp.zeros((), "int32")
    return Leaves(edge, candidate, xp.full((), -xp.inf), empty, empty, notes, count, count, no, no, zero, zero)


def _with_leaf(jax, s: Leaves, signed_step, size, rules: Rules) -> Leaves:
    """The subtree with one more leaf: a step, a chance to be the candidate, the spans it closes.

    A step that is not reversible ends the trajectory as a turn does: its leaf is no part of any tree.
    """
    xp = jax.numpy
    stepped = rules.advance(s.edge, signed_step)
    edge = stepped.phase
    gain = _gain(xp, rules, stepped.energy)
    log_weight = xp.logaddexp(s.log_weight, gain)
    chance = counter.uniform(rules.key, counter.LEAF + (size + s.n).astype("uint64"))
    accept = (s.n == 0) | (xp.log(chance) < gain - log_weight)
    notes, total, turning = _noted(jax, s, edge.momentum)
    gain_undivided = _gain(xp, rules, stepped.energy_undivided)
    ratio = xp.exp(xp.minimum(gain_undivided, 0.0))
    candidate = Point(edge.position, edge.log_density, edge.gradient, stepped.energy)
    return Leaves(
        edge=edge,
        candidate=_choose(xp, accept, candidate, s.candidate),
        log_weight=log_weight,
        first=xp.where(s.n == 0, edge.momentum, s.first),
        total=total,
        notes=notes,
        n=s.n + 1,
        extra_gradients=s.extra_gradients + stepped.extra_gradients,
        turning=turning | xp.logical_not(stepped.reversible),
        diverging=gain < -MAX_ENERGY_ERROR,
        acceptance=s.acceptance + ratio,
        symmetric_acceptance=s.symmetric_acceptance + 2.0 * ratio / (1.0 + xp.exp(gain_undivided)),
    )


def _gain(xp, rules: Rules, energy_now):
    """Log weight of a leaf; where the energy is NaN or infinite of either sign, minus infinity: it diverges, too."""
    gain = rules.energy_at_start - energy_now
    return xp.where(gain < xp.inf, gain, -xp.inf)


def _noted(jax, s: Leaves, momentum):
    """The notes with the new leaf, the new total, and whether a span that ends here has turned."""
    xp, count_ones = jax.numpy, jax.lax.population_count
    row = tree.row_of(count_ones, s.n)
    new = Notes(momentum, s.edge.momentum, s.total)
    notes = Notes(*(table.at[row].set(part) for table, part in zip(s.notes, new, strict=True)))
    total = s.total + momentum
    lowest = row - tree.spans_closed(count_ones, s.n)

    def unturned(carry):
        at, turning = carry
        return (at >= lowest) & ~turning

    def check(carry):
        at, _ = carry
        return at - 1, tree.turned_when_joined(xp, *tree.halves(notes, at, momentum, total))

    _, turning = jax.lax.while_loop(unturned, check, (row - 1, xp.zeros((), bool)))
    return notes, total, turning
