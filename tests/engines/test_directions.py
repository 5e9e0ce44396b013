"""The metric with directions: right for a Gaussian, refused by a funnel, and the same law as without."""

from __future__ import annotations

import numpy as np
import pytest
from chains import flat

import finetti as pm
from finetti.engines.nuts.metric import Diagonal, LowRank, from_window, with_directions


def gaussian(covariance: np.ndarray, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draws and gradients of the log density of N(0, covariance)."""
    draws = np.random.default_rng(seed).multivariate_normal(np.zeros(len(covariance)), covariance, n)
    return draws, -draws @ np.linalg.inv(covariance)


def tried(draws: np.ndarray, gradients: np.ndarray):
    return with_directions(draws, gradients, from_window(draws, gradients, flat(draws.shape[1])))


def inverse_mass(metric) -> np.ndarray:
    """A A' of the map A that `move` applies, one unit vector at a time."""
    columns = np.stack([metric.move(unit) for unit in np.eye(len(metric.scale))], axis=1)
    return columns @ columns.T


CORRELATED = 0.98 * np.ones((5, 5)) + 0.02 * np.eye(5)
SCALES = np.diag([1.0, 100.0, 0.01, 3.0, 1.0])


def test_directions_of_a_gaussian_are_its_covariance():
    covariance = SCALES @ CORRELATED @ SCALES
    metric = tried(*gaussian(covariance, 100))
    assert isinstance(metric, LowRank)
    np.testing.assert_allclose(inverse_mass(metric) / np.outer(np.diag(SCALES), np.diag(SCALES)), CORRELATED, atol=0.02)


def test_independent_coordinates_need_none():
    assert isinstance(tried(*gaussian(SCALES @ SCALES, 200)), Diagonal)


def test_too_few_draws_need_none():
    covariance = np.eye(50)
    covariance[0, 1] = covariance[1, 0] = 0.995
    assert isinstance(tried(*gaussian(covariance, 70)), Diagonal)
    assert isinstance(tried(*gaussian(covariance, 160)), LowRank)


def test_a_funnel_is_left_to_the_diagonal():
    """Its gradients cannot be foretold by any one Gaussian: v ~ N(0, 3), x_i ~ N(0, e^(v/2))."""
    rng = np.random.default_rng(1)
    v = rng.normal(0, 3, 400)
    x = rng.normal(size=(400, 9)) * np.exp(v / 2)[:, None]
    along_v = -v / 9 - 4.5 + 0.5 * (x**2).sum(axis=1) * np.exp(-v)
    draws, gradients = np.column_stack([v, x]), np.column_stack([along_v, -x * np.exp(-v)[:, None]])
    assert isinstance(tried(draws, gradients), Diagonal)


def test_gradients_that_are_not_finite_are_refused():
    """Who asks keeps what it knew, see test_fallbacks."""
    draws, gradients = gaussian(CORRELATED, 100)
    gradients[3, 1] = np.inf
    with pytest.raises(np.linalg.LinAlgError, match="not finite"):
        with_directions(draws, gradients, flat(5))


def test_kick_is_the_adjoint_of_move():
    metric = tried(*gaussian(SCALES @ CORRELATED @ SCALES, 100))
    momentum, gradient = np.random.default_rng(2).normal(size=(2, 5))
    assert metric.move(momentum) @ gradient == pytest.approx(momentum @ metric.kick(gradient), rel=1e-12)


def test_a_logistic_regression_with_collinear_predictors():
    """Moments against a long importance sample; each within 5 standard errors: one false alarm in 10^5 runs."""
    rng = np.random.default_rng(3)
    base = rng.normal(size=200)
    predictors = np.stack([np.ones(200), base, base + 0.05 * rng.normal(size=200), rng.normal(size=200)], axis=1)
    outcome = rng.random(200) < 1 / (1 + np.exp(-predictors @ [0.3, 1.0, -0.5, 0.8]))
    with pm.Model() as model:
        beta = pm.Normal("beta", 0, 3, shape=4)
        pm.Bernoulli("y", logit_p=predictors @ beta, observed=outcome)
    trace = pm.sample(2000, tune=1000, model=model, random_seed=4, progressbar=False)
    table = pm.summary(trace)
    assert trace["sample_stats"]["n_steps"].mean() < 8  # about 40 with a diagonal metric
    mean, error = importance(predictors, outcome)
    bound = 5 * np.sqrt(table["mcse_mean"].to_numpy() ** 2 + error**2)
    assert (np.abs(table["mean"].to_numpy() - mean) < bound).all()


def importance(predictors: np.ndarray, outcome: np.ndarray, n: int = 200_000) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean and its standard error from a Student-t at the mode, weighted."""
    from scipy import optimize, stats

    sign = np.where(outcome, 1.0, -1.0)

    def minus_log_density(beta):
        return np.logaddexp(0, -sign * (beta @ predictors.T)).sum(axis=-1) + (beta**2).sum(axis=-1) / 18

    best = optimize.minimize(minus_log_density, np.zeros(4), method="BFGS", options={"gtol": 1e-6})
    chance = 1 / (1 + np.exp(-predictors @ best.x))
    curvature = predictors.T * (chance * (1 - chance)) @ predictors + np.eye(4) / 9
    proposal = stats.multivariate_t(best.x, np.linalg.inv(curvature) * 1.2, df=6, seed=5)
    draws = proposal.rvs(n)
    log_weight = -minus_log_density(draws) - proposal.logpdf(draws)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    mean = weight @ draws
    return mean, np.sqrt(weight**2 @ (draws - mean) ** 2)
