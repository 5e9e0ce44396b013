"""The rolled transition against the literal recursion: the same leaves, the same outcome, the same law of a draw."""

from dataclasses import dataclass

import numpy as np
import pytest
from chains import diagonal
from recursive_nuts import law_over_directions
from recursive_nuts import transition as literal
from scipy import stats
from targets import BANANA, FUNNEL, TARGETS, Target

from finetti.engines.backend import load_jax
from finetti.engines.nuts import counter
from finetti.engines.nuts.transition import Point, transition

LEVELS = 7
STEPS = (0.03, 0.2, 0.7, 1.4, 2.2)
SEEDS = range(40)
BIGGEST_CHAOS = 1e-9  # what rounding has grown to at most after 127 steps on these targets


@dataclass
class Compiled:
    """One transition of a target, compiled, with a list of the positions at which it asked for a gradient."""

    run: object
    visited: list


def compiled(target: Target) -> Compiled:
    jax = load_jax()
    visited: list = []

    def value_and_gradient(position):
        jax.debug.callback(lambda x: visited.append(np.array(x)), position, ordered=True)
        return jax.value_and_grad(lambda x: target.log_density(jax.numpy, x))(position)

    def one(point, scale, step, max_depth, key):
        return transition(jax, value_and_gradient, diagonal(scale), point, step, max_depth, key, LEVELS)

    jitted = jax.jit(one)

    def run(*arguments):
        visited.clear()
        result = jax.tree.map(np.asarray, jitted(*arguments))
        jax.effects_barrier()
        return result

    return Compiled(run, visited)


@pytest.fixture
def float64_everywhere():
    """For callbacks, which come on other threads than the test's."""
    jax = load_jax()
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def point_at(target: Target, position: np.ndarray) -> Point:
    value, gradient = target.value_and_gradient(position)
    return Point(position, np.float64(value), gradient, np.float64(0.0))


def directions_of(key: np.uint64) -> list[bool]:
    depths = np.arange(LEVELS, dtype=np.uint64)
    return [bool(b) for b in counter.bits(np.full(LEVELS, key), counter.DIRECTION + depths) & np.uint64(1)]


def compare(target: Target, fast: Compiled, step: float, seed: int) -> str:
    """One transition both ways; the outcome."""
    rng = np.random.default_rng(seed)
    position, scale = target.start(rng), np.exp(0.3 * rng.normal(size=target.size))
    key, max_depth = np.uint64(rng.integers(2**63)), int(rng.integers(3, LEVELS + 1))
    momentum = counter.normal(np, np.array([key]), target.size)
    slow = literal(target.value_and_gradient, scale, position, momentum, step, max_depth, directions_of(key))
    draw, said = fast.run(point_at(target, position), scale, np.float64(step), np.int32(max_depth), key)

    leaves, outcome = slow.orbit.visited, slow.orbit.outcome
    assert said.n_steps == len(fast.visited) == len(leaves)
    assert said.tree_depth == slow.depth
    assert bool(said.diverging) == (outcome == "diverging")
    assert bool(said.reached_max_depth) == (outcome == "full")
    whole = [leaf.position for leaf in leaves]
    if outcome == "diverging":  # the last leaf may be anywhere, or nowhere
        whole.pop(), fast.visited.pop()
    if whole:
        np.testing.assert_allclose(fast.visited, whole, rtol=BIGGEST_CHAOS, atol=BIGGEST_CHAOS)
    for ours, theirs in (
        (said.acceptance, slow.orbit.acceptances()),
        (said.symmetric_acceptance, slow.orbit.symmetric_acceptances()),
    ):
        np.testing.assert_allclose(ours, theirs.mean(), rtol=1e-8, atol=1e-300)
    check_draw(draw, said, slow)
    return outcome


def check_draw(draw: Point, said, slow) -> None:
    """The draw is one leaf that may be picked, with everything that belongs to it."""
    leaves = {leaf.place: leaf for leaf in [slow.orbit.start, *slow.orbit.visited]}
    possible = [leaves[place] for place, p in slow.law.items() if p > 0]
    picked = min(possible, key=lambda leaf: np.abs(leaf.position - draw.position).max())
    close = {"rtol": 1e-7, "atol": 1e-7}
    np.testing.assert_allclose(draw.position, picked.position, **close)
    np.testing.assert_allclose(draw.log_density, picked.log_density, **close)
    np.testing.assert_allclose(draw.gradient, picked.gradient, **close)
    np.testing.assert_allclose(draw.energy, picked.energy, **close)
    assert said.energy == draw.energy


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_visits_the_leaves_of_the_literal_recursion(target, float64_everywhere):
    """Positions, depth, outcome and acceptance of 200 transitions a target."""
    fast = compiled(target)
    outcomes = [compare(target, fast, step, 1000 * k + seed) for k, step in enumerate(STEPS) for seed in SEEDS]
    assert {"turning inside", "turning at the top", "full"} <= set(outcomes)


def test_diverges_where_the_literal_recursion_does(float64_everywhere):
    fast = compiled(FUNNEL)
    outcomes = [compare(FUNNEL, fast, step, seed) for step in (1.5, 4.0, 30.0) for seed in range(20)]
    assert outcomes.count("diverging") > 10


CASES = {  # target -> (position, momentum, step, depth)
    TARGETS[0]: [([0.7], [0.9], 0.5, 4), ([0.1], [-1.9], 1.7, 3)],
    TARGETS[2]: [([1.0, -0.4], [0.8, -1.2], 0.45, 4), ([1.0, -0.4], [0.8, -1.2], 0.1, 2)],
    FUNNEL: [([-0.5, 0.4, -0.3], [0.5, 1.2, -0.2], 0.7, 4), ([-3.0, 0.4, -0.3], [-1.5, 0.2, -0.2], 0.5, 3)],
    BANANA: [([1.0, 0.8], [0.3, -1.1], 0.3, 4)],
}


@pytest.mark.parametrize("target", CASES, ids=lambda t: t.name)
def test_picks_leaves_with_the_probabilities_of_the_literal_recursion(target, monkeypatch):
    """20,000 transitions from one point with one momentum, chi-square; false alarm 1e-4 for each of seven points."""
    draw_many = many_draws(target, 20_000, monkeypatch)
    for position, momentum, step, depth in CASES[target]:
        law = law_over_directions(
            target.value_and_gradient, np.ones(target.size), np.array(position), np.array(momentum), step, depth
        )
        chances, leaves = zip(*law.values(), strict=True)
        draws = draw_many(np.array(position), np.array(momentum), step, np.int32(depth))
        distance = np.abs(draws[:, None] - np.array([leaf.position for leaf in leaves])).max(axis=-1)
        assert distance.min(axis=1).max() < 1e-9
        assert agrees(np.bincount(distance.argmin(axis=1), minlength=len(leaves)), np.array(chances))


def agrees(counts: np.ndarray, chances: np.ndarray) -> bool:
    """Chi-square, the rare leaves taken together; nothing at all where the chance is 0."""
    assert chances.sum() == pytest.approx(1)
    expected = chances * counts.sum()
    common = expected > 10
    assert common.sum() > 2 and counts[chances == 0].sum() == 0
    observed, expected = (np.append(x[common], x[~common].sum()) for x in (counts, expected))
    keep = expected > 0
    return stats.chisquare(observed[keep], expected[keep], sum_check=False).pvalue > 1e-4


def many_draws(target, count, monkeypatch):
    """A function (position, momentum, step, depth) -> draws (count, size), with the momentum held fixed."""
    jax = load_jax()

    def one(key, point, momentum, step, depth):
        monkeypatch.setattr(counter, "normal", lambda xp, key, size: momentum)
        gradient = jax.value_and_grad(lambda x: target.log_density(jax.numpy, x))
        return transition(jax, gradient, diagonal(np.ones(target.size)), point, step, depth, key, 4)[0].position

    jitted = jax.jit(jax.vmap(one, in_axes=(0, None, None, None, None)))
    keys = counter.bits(np.array([77], np.uint64), np.arange(count, dtype=np.uint64))

    def run(position, momentum, step, depth):
        with jax.enable_x64(True):
            return np.asarray(jitted(keys, point_at(target, position), momentum, step, depth))

    return run


@pytest.mark.parametrize(
    ("target", "position", "momentum", "step"),
    [
        (TARGETS[0], [0.7], [0.9], 0.9),
        (TARGETS[2], [1.0, -0.4], [0.8, -1.2], 0.3),
        (BANANA, [1.0, 0.8], [0.3, -1.1], 0.3),
    ],
    ids=["normal", "correlated", "banana"],
)
def test_the_literal_recursion_leaves_the_target_as_it_is(target, position, momentum, step):
    """Exact: along one orbit, the mass that flows into a leaf from all others equals the leaf's own mass."""
    depth, scale, reach = 3, np.ones(target.size), 7
    here = literal(target.value_and_gradient, scale, position, np.array(momentum), step, 0, ()).orbit
    orbit = {0: here.start}
    for sign in (1, -1):
        for k in range(1, reach + 1):
            orbit[sign * k] = here.stepped(orbit[sign * (k - 1)], sign)
    inflow = 0.0
    for place, leaf in orbit.items():
        law = law_over_directions(target.value_and_gradient, scale, leaf.position, leaf.momentum, step, depth)
        inflow += np.exp(here.start.energy - leaf.energy) * law.get(-place, (0.0, None))[0]
    assert inflow == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize(("beyond", "slope"), [(np.nan, np.nan), (np.inf, 0.0), (-np.inf, 0.0), (0.0, np.nan)])
def test_what_is_not_finite_diverges_and_is_never_drawn(beyond, slope):
    """Normal up to 1; beyond it the log density or its gradient is NaN or infinite."""
    jax = load_jax()
    xp = jax.numpy

    def edged(x):
        inside = x[0] < 1.0
        return xp.where(inside, -0.5 * x[0] ** 2, beyond), xp.where(inside, -x, slope)

    def one(key):
        point = Point(xp.zeros(1), xp.zeros(()), xp.zeros(1), xp.zeros(()))
        return transition(jax, edged, diagonal(np.ones(1)), point, np.float64(0.3), 5, key, LEVELS)

    with jax.enable_x64(True):
        draws, said = jax.tree.map(np.asarray, jax.jit(jax.vmap(one))(np.arange(500, dtype=np.uint64) << np.uint64(32)))
    assert 0.2 < said.diverging.mean() < 0.8
    assert (draws.position < 1).all() and (draws.position != 0).mean() > 0.5
    for part in (*draws, said.acceptance, said.symmetric_acceptance, said.energy):
        assert np.isfinite(part).all()


def test_one_step_of_length_zero_brings_the_gradient_whatever_was_known_before():
    """As a chain begins: its log density may be far from the one it was told, and its gradient not finite."""
    jax = load_jax()
    point = Point(np.ones(2), np.float64(1e6), np.zeros(2), np.float64(0.0))
    for slope in (3.0, np.nan, np.inf):
        with jax.enable_x64(True):
            moved = transition(
                jax, lambda x, slope=slope: (-x.sum(), slope * x), diagonal(np.ones(2)), point, np.float64(0.0), 1,
                jax.numpy.asarray(np.uint64(3)), LEVELS, always_accept=True,
            )  # fmt: skip
            draw = jax.tree.map(np.asarray, moved[0])
        np.testing.assert_array_equal(draw.position, point.position)
        np.testing.assert_array_equal(draw.gradient, [slope, slope])
        assert draw.log_density == -2.0
