"""Cumulative probabilities against SciPy's, from far below to far above, under both namespaces; their slopes, too."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from distribution_cases import univariate

from finetti.distributions.tails import _TAILS, tails_of
from finetti.errors import ModelError
from finetti.model.namespace import NUMPY, jax_namespace

CASES = [case for case in univariate() if case.family in _TAILS]
every = pytest.mark.parametrize("case", CASES, ids=repr)


def test_every_one_is_tested():
    assert {case.family for case in CASES} == set(_TAILS)


def places(case) -> np.ndarray:
    """Quantiles from 1e-30 to 1 - 1e-30, and what is outside the support."""
    share = np.concatenate([10.0 ** -np.arange(1, 31), np.linspace(0.05, 0.95, 19)])
    x = np.concatenate([case.oracle.ppf(share), case.oracle.isf(share), [-1e9, -3.0, -0.5, 0.0, 1e9]])
    ends = [end for end in case.oracle.support() if np.isfinite(end) and end != 0]
    near = np.any([np.abs(x - end) < 1e-6 * abs(end) for end in ends] + [np.zeros(len(x), bool)], axis=0)
    return np.unique(x[np.isfinite(x) & ~near])  # as near to an end other than 0 floats tell little apart


@every
@pytest.mark.parametrize("side", ["log_cdf", "log_sf"])
def test_it_is_scipys(case, side):
    x = places(case)
    with np.errstate(all="ignore"):
        right = getattr(case.oracle, side.replace("_", ""))(x)
        plain = np.log(getattr(case.oracle, side.removeprefix("log_"))(x))
        right = np.where(np.isfinite(plain), plain, right)  # SciPy's own logarithm is at times the worse
        found = getattr(tails_of(case.family), side)(NUMPY, x, *case.parameters)
    seen = right > -600
    np.testing.assert_allclose(found[seen], right[seen], rtol=2e-7, atol=1e-14)
    assert (found[~seen] < -550).all()


@every
@pytest.mark.parametrize("side", ["log_cdf", "log_sf"])
def test_jax_has_numpys_value_and_a_finite_slope(case, side):
    x = places(case)
    function = getattr(tails_of(case.family), side)
    with np.errstate(all="ignore"), jax.enable_x64(True):
        found = function(NUMPY, x, *case.parameters)
        seen = np.isfinite(found) & (found > -300)

        def total(parameters):
            return jax.numpy.where(seen, function(jax_namespace(), x, *parameters), 0.0).sum()

        parameters = tuple(jax.numpy.asarray(p, float) for p in case.parameters)
        np.testing.assert_allclose(function(jax_namespace(), x, *parameters)[seen], found[seen], rtol=1e-6, atol=1e-13)
        assert all(np.isfinite(slope).all() for slope in jax.grad(total)(parameters))


def test_others_say_which_are_known():
    from finetti.distributions.interval import VonMises

    with pytest.raises(ModelError, match="VonMises cannot be truncated or censored.*Known: Cauchy, Exponential"):
        tails_of(VonMises)
