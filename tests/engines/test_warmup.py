"""Warmup: its course by counting, and the metric and the step size it arrives at."""

import numpy as np
import pytest
from chains import Engine, diagonal, flat, positions, statistic

from finetti.engines.backend import load_jax
from finetti.engines.nuts import metric, step_size
from finetti.engines.nuts.chain import MAX_SEARCH, begun
from finetti.engines.nuts.program import Purpose, start_chain
from finetti.engines.nuts.warmup import Windows, course
from finetti.engines.settings import Settings


def jnp():
    return load_jax().numpy


# The course


def test_the_course_covers_exactly_the_warmup_whatever_its_length():
    for tune in range(2001):
        stretches = list(course(tune))
        assert sum(s.length for s in stretches) == tune
        assert all(s.length > 0 for s in stretches)


def test_early_stretches_come_first_and_the_last_learns_nothing():
    for tune in range(20, 2001):
        stretches = list(course(tune))
        modes = [s.mode for s in stretches]
        assert set(modes) <= {Purpose.EARLY, Purpose.LATE} and modes == sorted(modes)
        assert not stretches[-1].learn and all(s.learn for s in stretches[:-1])
        assert abs(stretches[-1].length - 0.15 * tune) <= 0.5
        early = sum(s.length for s in stretches if s.mode == Purpose.EARLY)
        assert abs(early - 0.3 * tune) <= 0.5


@pytest.mark.parametrize("tune", [400, 1000, 2000, 10_000])
def test_windows_grow_by_half_and_metrics_are_learned_often(tune):
    late = [s for s in course(tune) if s.mode == Purpose.LATE and s.learn]
    assert max(s.length for s in late) <= 40
    ends = np.cumsum([s.length for s in late])[[s.forget for s in late]]
    windows = np.diff([0, *ends])
    assert ends[-1] == sum(s.length for s in late) and windows[0] >= 80
    np.testing.assert_allclose(windows[1:-1], 1.5 * windows[:-2], atol=0.5)
    if len(windows) > 1:
        assert windows[-1] >= 1.5 * windows[-2] - 0.5


def test_an_estimate_sees_everything_since_the_window_before_began():
    """Rows numbered as they come: the foreground reaches back to where the background began, and no further."""
    windows, foreground, background, row = Windows(), 0, 0, 0
    for stretch in course(700):
        if not stretch.learn:
            continue
        rows = np.arange(row, row + stretch.length, dtype=float)[:, None]
        windows = windows.add(rows, rows)
        row += stretch.length
        seen = np.concatenate(windows.draws[windows.foreground :])
        np.testing.assert_array_equal(seen[:, 0], np.arange(foreground, row))
        if stretch.forget:
            windows = windows.forget()
            foreground, background = background, row
    assert 0 < foreground < background == row


def test_too_few_draws_leave_the_metric_as_it_is():
    present = diagonal(np.array([3.0]))
    few = (np.zeros((2, 1)),)
    assert Windows(few, few).estimate(present)[0] is present


# The metric


def test_the_diagonal_is_the_ratio_of_spreads_of_draws_and_gradients():
    rng = np.random.default_rng(0)
    draws, gradients = rng.normal(size=(50, 3)) * [1.0, 10.0, 0.1], rng.normal(size=(50, 3)) * [2.0, 0.2, 5.0]
    found = metric.from_window(draws, gradients, flat(3)).scale ** 2
    np.testing.assert_allclose(found, np.std(draws, axis=0) / np.std(gradients, axis=0))


def test_coordinates_that_did_not_move_or_overflowed_keep_their_scale():
    draws = np.random.default_rng(0).normal(size=(20, 3))
    gradients = -draws.copy()
    draws[:, 0] = 1.0
    gradients[3, 1] = np.inf
    with np.errstate(invalid="ignore"):
        found = metric.from_window(draws, gradients, diagonal(np.array([7.0, 8.0, 9.0]))).scale
    np.testing.assert_allclose(found, [7.0, 8.0, 1.0])


def test_the_first_metric_is_one_over_the_gradient():
    found = metric.from_gradient(np.zeros(3), np.array([4.0, -0.25, 0.0])).scale ** 2
    np.testing.assert_allclose(found, [0.25, 4.0, 1.0])
    assert np.isfinite(metric.from_gradient(np.zeros(2), np.array([1e300, 1e-300])).scale).all()


def test_warmup_finds_the_scales_of_a_normal():
    """For a normal with independent coordinates any few draws determine them exactly, for the gradient is linear."""
    scale = np.logspace(-3, 3, 30)
    engine = Engine(lambda x, args: -0.5 * jnp().sum((x / args[0]) ** 2), 30, (scale,))
    for tune in (60, 400):
        log = engine.log(np.ones(30), 1, Settings(draws=1, tune=tune))
        np.testing.assert_allclose(log.metric.scale, scale, rtol=1e-6)


def test_warmup_finds_the_scales_of_a_distribution_that_is_not_normal():
    """Logistic coordinates: Var x = s**2 pi**2/3 and Var gradient = 1/(3 s**2), so the scale is s sqrt(pi). Within 20 %
    of it after 1000 transitions, which is five standard errors or so."""
    scale = np.logspace(-1, 1, 10)
    engine = Engine(lambda x, args: jnp().sum(-x / args[0] - 2 * jnp().logaddexp(0.0, -x / args[0])), 10, (scale,))
    log = engine.log(np.zeros(10) + 0.1, 2, Settings(draws=1, tune=1000))
    np.testing.assert_allclose(log.metric.scale, scale * np.sqrt(np.pi), rtol=0.2)


# The step size


def literal_dual_averaging(acceptances, first: float, target: float) -> tuple[list[float], list[float]]:
    """Hoffman and Gelman (2014), algorithm 6, lines that set H, eps and epsilon bar, in their own symbols."""
    mu, gamma, t0, kappa = np.log(10 * first), 0.05, 10, 0.75
    h, log_bar, steps, averages = 0.0, 0.0, [], []
    for m, alpha in enumerate(acceptances, start=1):
        h = (1 - 1 / (m + t0)) * h + (target - alpha) / (m + t0)
        log_step = mu - np.sqrt(m) / gamma * h
        log_bar = m**-kappa * log_step + (1 - m**-kappa) * log_bar
        steps.append(log_step)
        averages.append(log_bar)
    return steps, averages


def test_dual_averaging_is_that_of_the_paper():
    acceptances = np.random.default_rng(0).uniform(size=200)
    steps, averages = literal_dual_averaging(acceptances, 0.3, 0.8)
    state = step_size.start(np, np.log(0.3))
    for alpha, step, average in zip(acceptances, steps, averages, strict=True):
        state = step_size.update(np, state, alpha, 0.8)
        assert state.log_step == pytest.approx(step, abs=1e-9)
        assert state.log_average == pytest.approx(average, abs=1e-9)


@pytest.mark.parametrize("first", [1e-3, 0.3, 30.0])
def test_dual_averaging_finds_the_step_of_a_known_acceptance(first):
    state = step_size.start(np, np.log(first))
    for _ in range(1000):
        state = step_size.update(np, state, np.exp(-np.exp(state.log_step)), 0.8)
    assert np.exp(-np.exp(state.log_average)) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("target", [0.6, 0.8, 0.9, 0.98])
def test_the_acceptance_of_the_draws_is_the_target(target):
    """The symmetric acceptance, which is what late warmup tunes to, over 4 chains of 1000 draws, within 0.04.

    From run to run it spreads by 0.007 at most; false alarm below 1e-4 for each target.
    """
    engine = Engine(lambda x, args: -0.5 * jnp().sum((x / args[0]) ** 2), 20, (np.logspace(-1, 1, 20),))
    settings = Settings(draws=1000, tune=1000, target_accept=target)
    logs = [engine.log(np.full(20, 0.1), key, settings) for key in range(4)]
    assert np.mean([statistic(log, "symmetric_acceptance").mean() for log in logs]) == pytest.approx(target, abs=0.04)


def test_draws_use_one_step_size_the_average():
    engine = Engine(lambda x, args: -0.5 * jnp().sum(x**2), 5)
    log = engine.log(np.ones(5), 3, Settings(draws=100, tune=200))
    steps = np.concatenate([record.step for record in log.of(Purpose.DRAW)])
    assert len(np.unique(steps)) == 1 and steps[0] == pytest.approx(log.step)


SCALES = (1e-6, 1e-2, 1.0, 1e3)


@pytest.mark.parametrize("scale", SCALES)
def test_the_search_ends_near_the_scale_without_moving_the_chain(scale):
    """By doubling or halving 0.1, from far above or far below: on each scale the same multiple of it, about."""
    engine = Engine(lambda x, args: -0.5 * jnp().sum((x / args[0]) ** 2), 20, (np.array(scale),))
    chain = engine.start(scale * np.random.default_rng(1).normal(size=20), key=9)
    chain = chain._replace(step=step_size.start(np, np.log(0.1)), searching=np.ones((), bool))
    chunk = engine.run(chain, flat(20), Purpose.SEARCH, 100)
    found = np.exp(chunk.chain.step.log_step)
    assert 0.2 < found / scale < 2.0
    doublings = abs(np.log2(found / 0.1))
    assert doublings == pytest.approx(round(doublings))
    assert round(doublings) + 1 == chunk.filled and not chunk.chain.searching
    np.testing.assert_array_equal(chunk.chain.point.position, chain.point.position)


def test_the_search_gives_up_on_a_density_that_is_flat():
    engine = Engine(lambda x, args: 0.0 * jnp().sum(x), 2)
    state = begun(engine.runner(Settings()), [start_chain(np.zeros(2), 0.0, 4)], 0)
    assert np.isfinite(state.chain.step.log_step) and state.counts.tuning_gradients <= MAX_SEARCH + 1


def test_a_start_far_out_in_the_tail_is_found_back_from():
    """A thousand standard deviations away."""
    engine = Engine(lambda x, args: -0.5 * jnp().sum(x**2), 10)
    for key in range(5):
        log = engine.log(np.full(10, 1000.0), key, Settings(draws=200, tune=300))
        assert np.abs(positions(log)).max() < 10 and log.divergences == 0


def test_every_gradient_of_the_warmup_is_counted():
    """Against a count of the evaluations themselves."""
    jax, seen = load_jax(), []

    def log_density(x, arguments):
        jax.debug.callback(lambda _: seen.append(1), x)
        return -0.5 * jax.numpy.sum(x**2)

    engine = Engine(log_density, 3)
    log = engine.log(np.ones(3), 6, Settings(draws=10, tune=50))
    jax.effects_barrier()
    assert len(seen) == log.tuning_gradients + statistic(log, "n_steps").sum()
