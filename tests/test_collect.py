"""What is stored under each name is that variable, whatever coordinates the chain had."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import finetti as pm
from finetti import collect
from finetti.coordinates.bend import Bend
from finetti.density import density_of
from finetti.engines.contract import Drawn, Told
from finetti.planning import plan

COUNTS, TRIALS = np.array([1, 0, 3, 2, 9, 0]), np.array([2, 3, 5, 4, 20, 3])


@pytest.fixture(scope="module")
def bent():
    """A chain with a learned bend and learned centring, and a variable of an interval beside them."""
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 1), pm.HalfNormal("tau", 1)
        share = pm.Beta("share", 2, 2)
        theta = pm.Normal("theta", mu, tau, shape=6)
        pm.Binomial("y", n=TRIALS, logit_p=theta + share, observed=COUNTS)
    trace = pm.sample(100, tune=400, chains=2, model=model, random_seed=4, progressbar=False)
    assert "tau: on a scale that is logarithmic below" in str(trace.geometry)
    assert "theta: centring" in str(trace.geometry)
    return trace


def test_unconstrained_values_are_on_the_supports_scale(bent):
    """Not on the one that was learned: `tau_log__` is the logarithm, PyMC's way."""
    group, posterior = bent["unconstrained_posterior"], bent["posterior"]
    np.testing.assert_allclose(group["tau_log__"], np.log(posterior["tau"]), rtol=1e-12)
    share = posterior["share"].values
    np.testing.assert_allclose(group["share_logodds__"], np.log(share / (1 - share)), rtol=1e-9)
    assert set(group.data_vars) == {"tau_log__", "share_logodds__"}


def test_each_chain_is_read_in_the_coordinates_it_learned_itself():
    """tau = log(1 + k exp(x)) / k with a k of its own for each of two chains that are at the same x."""
    with pm.Model() as model:
        tau = pm.HalfNormal("tau", 1)
        pm.Deterministic("double", 2 * tau)
    chosen = {model.free[0]: Bend(plan(model, "auto").coordinates[model.free[0]].place)}
    density = density_of(model, coordinates=chosen)
    place, x = chosen[model.free[0]].place, np.linspace(-2, 3, 6)
    learned = tuple({**density.arguments, place: np.asarray(np.log(k))} for k in (0.5, 4.0))
    drawn = Drawn(np.stack([x, x])[..., None], {"lp": np.zeros((2, 6))}, Told({}, arguments=learned))
    trace = collect.trace_of(model, density, drawn, attrs={}, rng=np.random.default_rng(1))
    expected = np.stack([np.log1p(k * np.exp(x)) / k for k in (0.5, 4.0)])
    np.testing.assert_allclose(trace["posterior"]["tau"], expected, rtol=1e-12)
    np.testing.assert_allclose(trace["posterior"]["double"], 2 * expected, rtol=1e-12)


def test_every_draw_stands_beside_its_own_log_density(monkeypatch):
    """Chain by chain and draw by draw, over several compiled chunks and batches: a shuffled axis would break a pair."""
    monkeypatch.setattr(collect, "BATCH_ELEMENTS", 47)
    with pm.Model() as model:
        mu, tau, share = pm.Normal("mu", 0, 1), pm.HalfNormal("tau", 1), pm.Beta("share", 2, 2)
        pm.Normal("y", mu + share, tau, observed=COUNTS)
    how = {"model": model, "random_seed": 5, "progressbar": False, "geometry": "as_written"}
    trace = pm.sample(150, tune=200, chains=2, **how)
    mu, tau, share = (trace["posterior"][name].values for name in ("mu", "tau", "share"))
    by_hand = stats.norm.logpdf(mu) + stats.halfnorm.logpdf(tau) + stats.beta.logpdf(share, 2, 2)
    by_hand += stats.norm.logpdf(COUNTS, (mu + share)[..., None], tau[..., None]).sum(axis=-1)
    determinants = np.log(tau) + np.log(share) + np.log1p(-share)
    np.testing.assert_allclose(trace["sample_stats"]["lp"], by_hand + determinants, rtol=1e-10)
    assert tau.shape == (2, 150) and len(np.unique(tau)) > 200  # all are there, and it moves


def test_what_was_integrated_out_far_from_zero_is_drawn_back_where_it_is():
    """Sums are taken around the mean there, which has to be put back: y near a million, mean and sd within 5 standard
    errors of 4,000 independent draws; false alarm about 1e-6."""
    y = 1e6 + np.array([1.2, 0.7, 1.9, -0.4, 2.2])
    with pm.Model() as model:
        mu = pm.Flat("mu")
        pm.Normal("y", mu, 1.0, observed=y)
    trace = pm.sample(model=model, random_seed=2, progressbar=False)
    assert trace.attrs["sampler"] == "exact"
    mu = trace["posterior"]["mu"].values - y.mean()
    assert abs(mu.mean()) < 5 / np.sqrt(5 * 4000)
    assert abs(mu.std() * np.sqrt(5) - 1) < 5 / np.sqrt(2 * 4000)
