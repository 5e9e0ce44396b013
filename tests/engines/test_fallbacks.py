"""Warmup that cannot use what it saw keeps what it knew, counts that, and says so."""

from __future__ import annotations

import numpy as np
import pytest

import finetti as pm
from finetti.engines.nuts import metric as metrics
from finetti.engines.nuts.metric import Diagonal
from finetti.engines.nuts.warmup import Windows

DOSES = np.repeat([0.0, 10, 33, 100, 333, 1000], 3)
COUNTS = [15, 21, 29, 16, 18, 21, 16, 26, 33, 27, 41, 60, 33, 38, 41, 20, 27, 42]


@pytest.mark.parametrize("worst", [np.inf, np.nan, 1e200])
def test_numbers_too_far_apart_leave_the_metric_and_are_counted(worst):
    rng = np.random.default_rng(0)
    draws, gradients = rng.normal(size=(100, 3)), rng.normal(size=(100, 3))
    gradients[7, 1] = worst
    present = metrics.flat(np.zeros(3))
    found, windows = Windows((draws,), (gradients,)).estimate(present, directions=True)
    assert windows.failures == 1
    assert isinstance(found, Diagonal) and np.isfinite(found.scale).all() and (found.scale > 0).all()


def test_a_run_says_how_often(monkeypatch):
    def fails(*_):
        raise np.linalg.LinAlgError("Eigenvalues did not converge")

    monkeypatch.setattr("finetti.engines.nuts.metric._directions", fails)
    with pm.Model():
        x = pm.Normal("x", 0, 1, shape=3)
        pm.Poisson("y", pm.math.exp(x), observed=[1, 2, 3])
        trace = pm.sample(50, chains=2, random_seed=1, progressbar=False, geometry="as_written")
    assert "warmup kept the metric or the coordinates it had" in str(trace.geometry)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_salm_with_bugs_wide_priors(seed):
    """Right: quadrature with importance sampling, error below 1 % of an sd. Six Monte Carlo errors at an ESS of 400."""
    with pm.Model():
        a, b, g = (pm.Normal(name, 0, 1000) for name in "abg")
        s = pm.HalfNormal("s", 5)
        lam = pm.Normal("lam", 0, s, shape=18)
        pm.Poisson("y", pm.math.exp(a + b * np.log(DOSES + 10) + g * DOSES + lam), observed=COUNTS)
        trace = pm.sample(random_seed=seed, progressbar=False)
    for name, mean, sd in (("a", 2.166, 0.386), ("b", 0.3121, 0.1054), ("g", -0.000977, 0.000468), ("s", 0.283, 0.084)):
        assert abs(trace[name].mean() - mean) < 6 * sd / 20, name
        assert trace[name].std() == pytest.approx(sd, rel=0.3), name


@pytest.mark.parametrize("scale", [1e12, 1e20, 1e100, 1e-12, 1e-100])
def test_scales_far_from_one_beside_one(scale):
    """The posterior of the same model on a scale of one, mapped; six Monte Carlo errors at an ESS of 1,000."""
    def draws(scale, seed):
        with pm.Model():
            x, z = pm.Normal("x", 0, scale), pm.Normal("z", 0, 1)
            pm.Poisson("y", pm.math.exp(z + x / scale), observed=3)
            trace = pm.sample(random_seed=seed, progressbar=False, geometry="as_written")
        assert pm.summary(trace)["r_hat"].max() < 1.02
        return trace["x"] / scale, trace["z"]

    for one, other in zip(draws(1.0, 1), draws(scale, 2), strict=True):
        assert abs(one.mean() - other.mean()) < 6 * one.std() * np.sqrt(2 / 1000)
        assert other.std() == pytest.approx(one.std(), rel=0.15)
