"""Steps along the metric's Gaussian: held against the flow itself, and trusted only where that Gaussian is right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from chains import Engine, diagonal, flat, positions, statistic
from scipy import linalg, stats
from targets import TARGETS
from test_stationary import STARTS, jnp, moved

from finetti.engines.backend import load_jax
from finetti.engines.nuts import metric as metrics
from finetti.engines.nuts.leapfrog import Phase, undivided
from finetti.engines.nuts.metric import LowRank
from finetti.engines.nuts.program import Purpose
from finetti.engines.nuts.split import LONGEST, rotated
from finetti.engines.settings import Settings


def metric_of(rng: np.random.Generator, size: int, *, trusted: float = 1.0) -> LowRank:
    """Any scales and centre, and directions where there is room for some."""
    rank = min(size, 3)
    directions, _ = np.linalg.qr(rng.normal(size=(size, rank)))
    stretch = rng.uniform(-0.7, 2.0, rank)
    return LowRank(np.exp(rng.normal(size=size)), rng.normal(size=size), np.float64(trusted), directions, stretch)


def phase_of(target, rng: np.random.Generator) -> Phase:
    position = target.start(rng)
    value, gradient = target.value_and_gradient(position)
    return Phase(position, rng.normal(size=target.size), np.float64(value), gradient)


def step_of(target, metric, phase: Phase, step: float, stepper=rotated):
    jax = load_jax()
    value_and_gradient = jax.value_and_grad(lambda x: target.log_density(jax.numpy, x))
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, stepper(jax, value_and_gradient, metric, phase, np.float64(step), False))


def by_the_flow(target, metric: LowRank, phase: Phase, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Half a kick by the gradient less the Gaussian's, that Gaussian's flow as a matrix exponential, half a kick.

    The Gaussian has covariance A A'; momenta have unit covariance, so x' = A p and p' = -A' (A A')^-1 (x - center).
    """
    n, inner = len(phase.position), metric.directions * metric.stretch @ metric.directions.T
    a = np.diag(metric.scale) @ (np.eye(n) + inner)
    pull = a.T @ np.linalg.inv(a @ a.T)

    def kicked(x, p):
        return p + step / 2 * (a.T @ target.value_and_gradient(x)[1] + pull @ (x - metric.center))

    x, p = phase.position, kicked(phase.position, phase.momentum)
    flow = linalg.expm(step * np.block([[np.zeros((n, n)), a], [-pull, np.zeros((n, n))]]))
    moved = flow @ np.concatenate([x - metric.center, p])
    x = metric.center + moved[:n]
    return x, kicked(x, moved[n:])


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("step", [0.05, -0.7, 1.2])
def test_the_step_is_kick_flow_kick(target, step):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        metric, phase = metric_of(rng, target.size), phase_of(target, rng)
        position, momentum = by_the_flow(target, metric, phase, step)
        end = step_of(target, metric, phase, step)
        np.testing.assert_allclose(end.phase.position, position, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(end.phase.momentum, momentum, rtol=1e-7, atol=1e-8 * np.abs(momentum).max())
        energy = 0.5 * momentum @ momentum - target.value_and_gradient(position)[0]
        assert end.energy == pytest.approx(energy, rel=1e-7) and end.reversible


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_not_trusted_it_is_the_leapfrog_step(target):
    rng = np.random.default_rng(3)
    metric, phase = metric_of(rng, target.size, trusted=0.0), phase_of(target, rng)
    mine, plain = (step_of(target, metric, phase, 0.3, stepper) for stepper in (rotated, undivided))
    for a, b in zip(mine.phase, plain.phase, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_of_a_gaussian_no_energy_is_lost_at_any_length():
    target = next(t for t in TARGETS if t.name == "correlated normal of 10")
    rng = np.random.default_rng(4)
    draws = rng.multivariate_normal(np.zeros(10), 0.8 ** np.abs(np.subtract.outer(range(10), range(10))), 200)
    gradients = np.stack([target.value_and_gradient(x)[1] for x in draws])
    metric = metrics.with_directions(draws, gradients, metrics.from_window(draws, gradients, flat(10)))
    assert isinstance(metric, LowRank) and metric.trusted == 1.0
    phase = phase_of(target, rng)
    before = 0.5 * phase.momentum @ phase.momentum - phase.log_density
    long_way, leapfrog = (step_of(target, metric, phase, 1.1, stepper).energy for stepper in (rotated, undivided))
    assert abs(long_way - before) < 0.25 * abs(leapfrog - before)


def test_what_is_trusted():
    """The Gaussian of a Gaussian's draws; not a funnel's, and not that of a chain on its way down a long slope."""
    rng = np.random.default_rng(5)
    scale, mean = np.array([0.1, 1.0, 30.0]), np.array([5.0, -2.0, 100.0])
    draws = mean + scale * rng.normal(size=(60, 3))
    found = metrics.from_window(draws, (mean - draws) / scale**2, flat(3))
    assert found.trusted == 1.0
    np.testing.assert_allclose(found.center, mean, rtol=1e-6)

    v = rng.normal(0, 3, 300)
    x = rng.normal(size=300) * np.exp(v / 2)
    gradients = np.column_stack([-v / 9 - 0.5 + 0.5 * x**2 * np.exp(-v), -x * np.exp(-v)])
    assert metrics.from_window(np.column_stack([v, x]), gradients, flat(2)).trusted == 0.0

    far = mean + scale * (40.0 + np.linspace(0, 2, 60)[:, None] + 0.1 * rng.normal(size=(60, 3)))
    assert metrics.from_window(far, (mean - far) / scale**2, flat(3)).trusted == 0.0


def test_a_normal_is_drawn_in_the_longest_steps():
    """Three gradients a draw, and no energy lost. Means and variances of 50 coordinates within 5 standard errors of
    the exact, for independent draws or better; false alarm about 1e-4."""
    scale = np.logspace(-2, 2, 50)
    engine = Engine(lambda x, args: -0.5 * jnp().sum((x / args[0]) ** 2), 50, (scale,), stepper=rotated)
    logs = [engine.log(scale * 0.1, key, Settings(draws=2000, tune=500)) for key in range(2)]
    for log in logs:
        assert log.step == pytest.approx(LONGEST, rel=1e-3) and (statistic(log, "n_steps") == 3).all()
        assert statistic(log, "acceptance").min() > 0.999
    z = np.concatenate([positions(log) for log in logs]) / scale
    assert (np.abs(z.mean(axis=0)) < 5 / np.sqrt(len(z))).all()
    assert (np.abs((z**2).mean(axis=0) - 1) < 5 * np.sqrt(2 / len(z))).all()


def test_warmup_ends_when_it_has_settled_and_goes_on_where_it_cannot():
    """A normal settles after 380 of 1,000 transitions, 75 for the step size follow; a funnel or plain NUTS never does.

    Moments of the normal's draws as above."""
    scale = np.logspace(-1, 1, 10)
    normal = Engine(lambda x, args: -0.5 * jnp().sum((x / args[0]) ** 2), 10, (scale,), stepper=rotated)
    hurried = Settings(draws=4000, tune=1000, step="split")
    log = normal.log(scale * 3.0, 1, hurried)
    assert log.left_out == 1000 - 380 - 75 and log.done == 5000 and log.drawn == 4000
    z = positions(log) / scale
    assert (np.abs(z.mean(axis=0)) < 5 / np.sqrt(len(z))).all()
    assert (np.abs((z**2).mean(axis=0) - 1) < 5 * np.sqrt(2 / len(z))).all()
    assert normal.log(scale * 3.0, 1, replace(hurried, step="leapfrog")).left_out == 0

    def funnel(x, _):
        return -0.5 * x[0] ** 2 / 9 - 2.0 * x[0] - 0.5 * jnp().sum(x[1:] ** 2) * jnp().exp(-x[0])

    assert Engine(funnel, 5, stepper=rotated).log(np.full(5, 0.1), 2, replace(hurried, draws=10)).left_out == 0


def test_trees_are_shallow_while_the_metric_knows_nothing():
    scale = np.array([1e-3, 1.0])
    engine = Engine(lambda x, args: -0.5 * jnp().sum((x / args[0]) ** 2), 2, (scale,), stepper=rotated)
    for step, least, most in (("split", 1, 4), ("leapfrog", 5, 10)):
        log = engine.log(np.array([1e-3, 30.0]), 3, Settings(draws=10, tune=100, step=step))
        depths = np.concatenate([rows.statistics.tree_depth for rows in log.of(Purpose.EARLY, Purpose.LATE)])
        assert least <= max(depths[:50]) <= most, step


@pytest.mark.parametrize("step", [0.4, 1.2])
def test_exact_draws_of_a_student_t_stay_exact(step):
    """With a Gaussian that fits it badly: Kolmogorov-Smirnov, false alarm 1e-4 for each of the steps."""
    starts = np.random.default_rng(4).standard_t(4, (STARTS, 1))
    for transitions in (1, 3):
        ends = moved(
            lambda x: -2.5 * jnp().sum(jnp().log1p(x**2 / 4)), starts, stepper=rotated,
            step=step, metric=diagonal(np.array([0.8]), np.array([0.5]), trusted=1.0), transitions=transitions, seed=5,
        )  # fmt: skip
        assert (ends != starts).mean() > 0.6
        assert stats.kstest(ends[:, 0], stats.t(4).cdf).pvalue > 5e-5


def test_exact_draws_of_a_correlated_normal_stay_exact_with_an_ill_fitting_metric():
    """Along both principal axes and in the radius, after three transitions; false alarm 1e-4."""
    rng = np.random.default_rng(8)
    scale, axes = np.array([0.3, 1.0]), np.array([[0.8, -0.6], [0.6, 0.8]])
    starts = (rng.normal(size=(STARTS, 2)) * scale) @ axes.T
    ends = moved(
        lambda x: -0.5 * jnp().sum(((x @ axes) / scale) ** 2), starts, stepper=rotated, step=0.5,
        metric=diagonal(np.array([1.3, 0.7]), np.array([0.4, -0.2]), trusted=1.0), transitions=3, seed=9,
    )  # fmt: skip
    along = (ends @ axes) / scale
    for coordinate in along.T:
        assert stats.kstest(coordinate, "norm").pvalue > 3e-5
    assert stats.kstest((along**2).sum(axis=1), stats.chi2(2).cdf).pvalue > 3e-5
