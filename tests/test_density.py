"""The log density of a whole model is the sum of its parts by SciPy, with nothing left out that no unknown enters."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import finetti as pm
from finetti.density import density_of

COUNTS = np.array([[3, 0, 7], [1, 12, 2]])
TRIALS = np.array([5, 9, 20])


def _poisson(rate: float) -> float:
    return stats.poisson.logpmf(COUNTS, rate).sum()


def _binomial(rate: float) -> float:
    return stats.binom.logpmf([1, 0, 13], TRIALS, rate / (1 + rate)).sum()


def _negative_binomial(rate: float) -> float:
    return stats.nbinom.logpmf(COUNTS, 2.5, 2.5 / (2.5 + rate)).sum()


LIKELIHOODS = {
    "poisson": (lambda rate: pm.Poisson("y", rate, observed=COUNTS), _poisson),
    "binomial": (lambda rate: pm.Binomial("y", n=TRIALS, p=rate / (1 + rate), observed=[1, 0, 13]), _binomial),
    "negative binomial": (
        lambda rate: pm.NegativeBinomial("y", mu=rate, alpha=2.5, observed=COUNTS), _negative_binomial
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_all_rows_count_and_what_depends_on_data_alone_does_too(name):
    """Exactly, constants included: the log density of a count holds factorials that enter no gradient."""
    write, reference = LIKELIHOODS[name]
    with pm.Model() as model:
        rate = pm.Gamma("rate", alpha=2, beta=0.5)
        write(rate)
    density, u = density_of(model), np.array([[-1.0], [0.3], [1.7]])
    expected = [stats.gamma.logpdf(np.exp(x), 2, scale=2) + x + reference(np.exp(x)) for x in u[:, 0]]
    np.testing.assert_allclose(density(u, density.batched_arguments(), lead=1), expected, rtol=1e-12)


def test_terms_add_up_to_the_density_and_are_each_variables_own():
    with pm.Model() as model:
        a = pm.Normal("a", [0.0, 1.0], 2.0, shape=2)
        s = pm.HalfNormal("s", 3.0)
        pm.Potential("pull", -0.1 * a**2)
        pm.Normal("y", a, s, observed=[0.5, -0.5])
    density, flat = density_of(model), np.array([[0.4, -1.2, 0.7]])
    terms = {name: term.item() for name, term in density.terms(flat, density.batched_arguments(), lead=1)}
    at, scale = flat[0, :2], np.exp(0.7)
    expected = {
        "s_log__": 0.7,
        "a": stats.norm.logpdf(at, [0, 1], 2).sum(),
        "s": stats.halfnorm.logpdf(scale, scale=3),
        "y": stats.norm.logpdf([0.5, -0.5], at, scale).sum(),
        "pull": -0.1 * (at**2).sum(),
    }
    assert terms == pytest.approx(expected, rel=1e-12)
    total = density(flat, density.batched_arguments(), lead=1)
    np.testing.assert_allclose(total, [sum(expected.values())], rtol=1e-12)
