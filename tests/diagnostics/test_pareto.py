"""k of fitted tails against the laws that the draws come from, and against a maximum likelihood fit by SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from finetti.diagnostics.pareto import heaviness


@pytest.mark.parametrize("k", [0.0, 0.3, 0.7, 1.0, 2.0])
def test_k_of_pareto_tails(k):
    """200 fits of 190 draws: their mean to five standard errors, and what the prior on k pulls towards 1/2."""
    x = stats.genpareto(k).rvs((200, 4000), random_state=np.random.default_rng(1))
    found = heaviness(x)
    pulled = (190 * k + 5) / 200
    assert abs(found.mean() - pulled) < 5 * found.std() / np.sqrt(200) + 0.02
    assert found.std() < 1.3 * (1 + k) / np.sqrt(190)


def test_the_heavier_tail_counts():
    rng = np.random.default_rng(2)
    right = np.abs(rng.standard_cauchy((3, 2000)))
    np.testing.assert_allclose(heaviness(right), heaviness(-right), rtol=1e-9)
    assert (heaviness(right) > 0.6).all()  # k is 1; its standard error 0.17


def test_it_is_near_scipys_fit():
    """Of the same excesses, without the prior on k."""
    x = np.sort(stats.t(2).rvs(4000, random_state=np.random.default_rng(3)))
    excess = x[-190:] - x[-191]
    k, _, _ = stats.genpareto.fit(excess, floc=0)
    other = x[189::-1]
    k_low, _, _ = stats.genpareto.fit(x[190] - other, floc=0)
    expected = (190 * max(k, k_low) + 5) / 200
    assert heaviness(x[None])[0] == pytest.approx(expected, abs=0.05)


def test_what_has_no_tail():
    assert np.isnan(heaviness(np.ones((1, 400)))).all()
    assert np.isnan(heaviness(np.random.default_rng(1).normal(size=(2, 50)))).all()
    assert np.isfinite(heaviness(1e300 * np.random.default_rng(1).standard_cauchy((2, 2000)))).all()
