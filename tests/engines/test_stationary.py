"""The engine draws from the density it is given: known moments and quantiles, and exact draws that stay exact."""

import numpy as np
import pytest
from chains import Engine, diagonal, flat
from scipy import stats

from finetti.diagnostics.convergence import ess_bulk, mcse_mean, mcse_quantile, rhat
from finetti.engines.backend import load_jax
from finetti.engines.nuts import counter
from finetti.engines.nuts.leapfrog import undivided
from finetti.engines.nuts.transition import Point, transition
from finetti.engines.settings import Settings

PROBS = (0.05, 0.25, 0.5, 0.75, 0.95)


def jnp():
    return load_jax().numpy


def worst_error(draws: np.ndarray, mean: float, variance: float, quantiles: dict[float, float]) -> float:
    """The largest error of mean, variance and quantiles of (chain, draw), in Monte Carlo standard errors."""
    assert rhat(draws) < 1.02 and ess_bulk(draws) > 400
    squares = (draws - mean) ** 2
    errors = [
        (draws.mean() - mean) / mcse_mean(draws),
        (squares.mean() - variance) / mcse_mean(squares),
        *((np.quantile(draws, p) - q) / mcse_quantile(draws, prob=p) for p, q in quantiles.items()),
    ]
    return float(np.abs(errors).max())


def test_normal_of_100_dimensions_with_condition_number_10000():
    """Diagonal, standard deviations from 0.01 to 1 about means from -1 to 1: 700 numbers within 5 standard errors.

    False alarm about 5e-4, for normal errors.
    """
    scale, mean = np.logspace(-2, 0, 100), np.linspace(-1, 1, 100)
    engine = Engine(lambda x, args: -0.5 * jnp().sum(((x - args[1]) / args[0]) ** 2), 100, (scale, mean))
    draws = engine.draws(np.random.default_rng(1).uniform(-1, 1, (4, 100)), Settings(draws=1000, tune=600))
    for k in range(100):
        exact = stats.norm(mean[k], scale[k])
        quantiles = dict(zip(PROBS, exact.ppf(PROBS), strict=True))
        assert worst_error(draws[..., k], mean[k], scale[k] ** 2, quantiles) < 5


def test_normal_with_strong_rotated_correlations():
    """20 dimensions, eigenvalues of the covariance from 0.01 to 1 along random axes; along each axis within 5 standard
    errors. False alarm about 1e-4."""
    rng = np.random.default_rng(2)
    axes, _ = np.linalg.qr(rng.normal(size=(20, 20)))
    scale = np.logspace(-1, 0, 20)
    engine = Engine(lambda x, args: -0.5 * jnp().sum(((x @ args[0]) / args[1]) ** 2), 20, (axes, scale))
    draws = engine.draws(rng.normal(size=(4, 20)), Settings(draws=1000, tune=600)) @ axes
    for k in range(20):
        quantiles = dict(zip(PROBS, stats.norm(0, scale[k]).ppf(PROBS), strict=True))
        assert worst_error(draws[..., k], 0.0, scale[k] ** 2, quantiles) < 5


def test_banana():
    """x standard normal, y normal about x**2 with standard deviation 1: E y = 1, Var y = 2 + 1, and the
    cross moments E xy = 0, E x**2 y = 3; all within 4.5 standard errors. False alarm about 1e-4."""
    engine = Engine(lambda x, args: -0.5 * x[0] ** 2 - 0.5 * (x[1] - x[0] ** 2) ** 2, 2)
    settings = Settings(draws=4000, tune=600, target_accept=0.9)
    draws = engine.draws(np.random.default_rng(3).normal(size=(4, 2)), settings)
    x, y = draws[..., 0], draws[..., 1]
    normal = dict(zip(PROBS, stats.norm.ppf(PROBS), strict=True))
    assert worst_error(x, 0.0, 1.0, normal) < 4.5
    assert worst_error(y, 1.0, 3.0, {}) < 4.5
    assert worst_error(y - x**2, 0.0, 1.0, normal) < 4.5
    for product, exact in ((x * y, 0.0), (x**2 * y, 3.0)):
        assert abs(product.mean() - exact) < 4.5 * mcse_mean(product)


@pytest.mark.parametrize("seed", [1, 2])
def test_bounded_variables_through_their_bijections(seed):
    """Gamma, Beta, an exponential and a uniform, each by name from a model: seven numbers each within 4.5 standard
    errors. False alarm about 2e-4."""
    import finetti as pm

    with pm.Model():
        pm.Gamma("gamma", alpha=2.5, beta=0.5)
        pm.Beta("beta", alpha=0.8, beta=3.0)
        pm.Exponential("exponential", lam=2.0)
        pm.Uniform("uniform", lower=-1.0, upper=3.0)
        trace = pm.sample(2000, tune=500, random_seed=seed, cores=1, progressbar=False, geometry="as_written")
    exact = {
        "gamma": stats.gamma(2.5, scale=2.0),
        "beta": stats.beta(0.8, 3.0),
        "exponential": stats.expon(scale=0.5),
        "uniform": stats.uniform(-1.0, 4.0),
    }
    for name, law in exact.items():
        quantiles = dict(zip(PROBS, law.ppf(PROBS), strict=True))
        assert worst_error(np.asarray(trace["posterior"][name]), law.mean(), law.var(), quantiles) < 4.5


def moved(log_density, starts, *, step: float, metric, transitions: int, seed: int, stepper=undivided) -> np.ndarray:
    """Independent starts (start, size), each after some transitions of fixed step size and metric."""
    jax = load_jax()

    def chain(key, position):
        value_and_gradient = jax.value_and_grad(log_density)
        point = Point(position, *value_and_gradient(position), jax.numpy.zeros(()))
        for n in range(transitions):
            this = counter.bits(key, jax.numpy.uint64(n))
            point, _ = transition(jax, value_and_gradient, metric, point, step, 5, this, 5, stepper=stepper)
        return point.position

    keys = counter.bits(np.array([seed], np.uint64), np.arange(len(starts), dtype=np.uint64))
    with jax.enable_x64(True):
        return np.asarray(jax.jit(jax.vmap(chain))(keys, starts))


STARTS = 20_000


@pytest.mark.parametrize("step", [0.4, 1.9])
def test_exact_draws_of_a_student_t_stay_exact(step):
    """One and three transitions from 20,000 exact draws, Kolmogorov-Smirnov; false alarm 1e-4 for each of the steps."""
    starts = np.random.default_rng(4).standard_t(4, (STARTS, 1))
    for transitions in (1, 3):
        ends = moved(
            lambda x: -2.5 * jnp().sum(jnp().log1p(x**2 / 4)), starts,
            step=step, metric=flat(1), transitions=transitions, seed=5,
        )  # fmt: skip
        assert (ends != starts).mean() > 0.6
        assert stats.kstest(ends[:, 0], stats.t(4).cdf).pvalue > 5e-5


@pytest.mark.parametrize("step", [0.5, 1.2])
def test_exact_draws_of_a_funnel_stay_exact(step):
    """v normal with standard deviation 1.5, x normal with exp(v/2): v, x exp(-v/2) and how they go together are known.

    Two transitions from 20,000 exact draws, three tests; false alarm 1e-4 for each of the two steps.
    """
    z = np.random.default_rng(6).normal(size=(STARTS, 2))
    v = 1.5 * z[:, 0]
    starts = np.column_stack([v, np.exp(v / 2) * z[:, 1]])
    ends = moved(
        lambda x: -(x[0] ** 2) / 4.5 - 0.5 * x[1] ** 2 * jnp().exp(-x[0]) - 0.5 * x[0], starts,
        step=step, metric=diagonal(np.array([1.2, 0.8])), transitions=2, seed=7,
    )  # fmt: skip
    assert (ends[:, 0] != v).mean() > 0.6
    outer, inner = ends[:, 0] / 1.5, ends[:, 1] * np.exp(-ends[:, 0] / 2)
    assert stats.kstest(outer, "norm").pvalue > 3e-5
    assert stats.kstest(inner, "norm").pvalue > 3e-5
    quadrants = np.bincount(2 * (outer > 0.5) + (np.abs(inner) > 0.7), minlength=4)
    a, b = stats.norm.sf(0.5), 2 * stats.norm.sf(0.7)
    chances = np.array([(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b])
    assert stats.chisquare(quadrants, chances * STARTS).pvalue > 3e-5


def test_exact_draws_of_a_correlated_normal_stay_exact_with_an_ill_fitting_metric():
    """Along both principal axes and in the radius, after three transitions; false alarm 1e-4."""
    rng = np.random.default_rng(8)
    scale = np.array([0.3, 1.0])
    axes = np.array([[0.8, -0.6], [0.6, 0.8]])
    starts = (rng.normal(size=(STARTS, 2)) * scale) @ axes.T
    ends = moved(
        lambda x: -0.5 * jnp().sum(((x @ axes) / scale) ** 2), starts,
        step=0.5, metric=diagonal(np.array([1.3, 0.7])), transitions=3, seed=9,
    )  # fmt: skip
    along = (ends @ axes) / scale
    for coordinate in along.T:
        assert stats.kstest(coordinate, "norm").pvalue > 3e-5
    assert stats.kstest((along**2).sum(axis=1), stats.chi2(2).cdf).pvalue > 3e-5
