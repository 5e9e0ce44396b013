"""What is stored under each name is that variable, whatever coordinates the chain had."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import finetti as pm

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


def test_every_draw_stands_beside_its_own_log_density():
    """Chain by chain and draw by draw, over several compiled chunks: a shuffled axis would break each pair."""
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
    assert len(np.unique(tau)) > 200  # it moves
