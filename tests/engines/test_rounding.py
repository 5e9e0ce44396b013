"""Data so precise, or priors so wide, that rounding would spoil the density with its latents integrated out.

The answer must be as right as anywhere else, whatever way is taken, and nothing of it is improper. Oracles are dense
sums; each comparison allows 6 Monte Carlo standard errors at the ESS that `sample` promises (400), so a false alarm
comes less than once in 10 million.
"""

import logging

import numpy as np
import pytest
from scipy import stats

import finetti as pm

EFFECTS = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
ERRORS = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


def moments_of_schools(errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of (mu, tau) by a sum over a million points."""
    mu = np.linspace(-25, 35, 1000)[:, None]
    tau = np.linspace(-8, 6, 1000)[None]  # its logarithm
    scale = np.sqrt(np.exp(tau)[..., None] ** 2 + errors**2)
    log_p = stats.norm.logpdf(EFFECTS, mu[..., None], scale).sum(axis=-1)
    log_p = log_p + stats.norm.logpdf(mu, 0, 5) + stats.halfcauchy.logpdf(np.exp(tau), scale=5) + tau
    weight = np.exp(log_p - log_p.max())
    points = [np.broadcast_to(x, weight.shape) for x in (mu, np.exp(tau))]
    means = np.array([np.average(x, weights=weight) for x in points])
    return means, np.sqrt([np.average((x - m) ** 2, weights=weight) for x, m in zip(points, means, strict=True)])


def close(draws: np.ndarray, mean: float, sd: float) -> bool:
    return abs(draws.mean() - mean) < 6 * sd / 400**0.5 and abs(draws.std() / sd - 1) < 0.35


@pytest.mark.parametrize("size", [1e-5, 1e-7, 1e-8, 1e-10])
@pytest.mark.parametrize("which", [slice(0, 1), slice(None)])
def test_standard_errors_of_nothing(which, size, caplog):
    """One school, or all of them, measured all but exactly."""
    errors = ERRORS.copy()
    errors[which] = size
    with pm.Model(), caplog.at_level(logging.WARNING):
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, shape=8)
        pm.Normal("y", theta, errors, observed=EFFECTS)
        trace = pm.sample(random_seed=1, progressbar=False)
    assert all("draws diverged" in message for message in caplog.messages)  # if anything is said at all
    assert trace["sample_stats"]["diverging"].sum() <= 4
    for name, mean, sd in zip(("mu", "tau"), *moments_of_schools(np.where(errors < 1, 0.0, errors)), strict=True):
        assert close(trace[name], mean, sd)
    away = (trace["theta"] - EFFECTS)[..., which] / errors[which]
    assert abs(away.std() - 1) < 0.2 and abs(away.mean()) < 0.3


@pytest.mark.parametrize("wide", [1e7, 1e8, 1e10])
def test_priors_of_a_hundred_million_beside_data_of_order_one(wide):
    """20 rows in 5 groups. The oracle has flat priors in their place, which differ by 1e-14."""
    group = np.repeat(np.arange(5), 4)
    y = np.random.default_rng(0).normal(size=20) + group
    with pm.Model():
        mu, tau, s = pm.Normal("mu", 0, wide), pm.HalfNormal("tau", wide), pm.HalfNormal("s", 1)
        theta = pm.Normal("theta", mu, tau, shape=5)
        pm.Normal("y", theta[group], s, observed=y)
        trace = pm.sample(random_seed=1, progressbar=False)
    log_tau, log_s = np.meshgrid(np.linspace(-6, 8, 700), np.linspace(-1.5, 1.2, 500), indexing="ij")
    tau2, s2 = np.exp(2 * log_tau), np.exp(2 * log_s)
    means, inside = y.reshape(5, 4).mean(axis=1), ((y.reshape(5, 4).T - y.reshape(5, 4).mean(axis=1)) ** 2).sum()
    around = ((means - means.mean()) ** 2).sum()
    v = tau2 + s2 / 4
    log_p = -0.5 * (inside / s2 + 15 * np.log(s2) + around / v + 4 * np.log(v)) - s2 / 2 + log_tau + log_s
    weight = np.exp(log_p - log_p.max())
    for name, x in (("tau", np.exp(log_tau)), ("s", np.exp(log_s))):
        mean = np.average(np.log(x), weights=weight)
        sd = np.average((np.log(x) - mean) ** 2, weights=weight) ** 0.5
        assert close(np.log(trace[name]), mean, sd)
    assert abs(trace["mu"].mean() - means.mean()) < 0.5


def test_collinear_effects_with_proper_priors_are_never_called_improper(caplog):
    """Only their sum is known, to 0.6; each has an sd of 7e7, which doubles cannot hold beside it: that is said."""
    with pm.Model(), caplog.at_level(logging.WARNING):
        b = pm.Normal("b", 0, 1e8, shape=2)
        pm.Normal("y", b[0] + b[1], 1, observed=[1.0, 2.0, 3.0])
        pm.sample(200, tune=200, random_seed=1, progressbar=False)
    assert "neither prior nor data determined" in caplog.text


@pytest.mark.parametrize(("count", "least", "most"), [(10**6, 0.0, 1e-4), (10**12, 1e-3, 0.05), (10**18, 1e3, 1e6)])
def test_counts_too_large_for_their_log_density(count, least, most, caplog):
    """A step of floating point at count * log(count) is 2e-9, 4e-3 and 8e3."""
    with pm.Model():
        rate = pm.HalfNormal("rate", float(count))
        pm.Poisson("y", rate, observed=[count, count + 1])
        trace = pm.sample(200, random_seed=1, progressbar=False)
    assert least <= trace.attrs["rounding"] <= most
    assert ("Floating point holds the log density to about" in caplog.text) == (count == 10**18)
