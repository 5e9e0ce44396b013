"""Densities written by logarithms: right where the value itself is too near 0 or 1 to be told from it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

import finetti as pm
from finetti.coordinates.bend import LOGARITHM, Bend
from finetti.density import density_of
from finetti.model.graph import Constant

NEAR = np.linspace(-30.0, 30.0, 7)
FAR = np.array([-20000.0, -3000.0, -720.0])
# name, parameters, log density of the unconstrained value z, written out for x = exp(z) or 1 / (1 + exp(-z))
LAWS = [
    ("Gamma", {"alpha": 0.01, "beta": 0.3}, lambda z: stats.loggamma(0.01, loc=-np.log(0.3)).logpdf(z)),
    ("Weibull", {"alpha": 0.05, "beta": 2.0}, lambda z: stats.gumbel_l(np.log(2.0), 20.0).logpdf(z)),
    ("LogNormal", {"mu": -2.0, "sigma": 500.0}, lambda z: stats.norm(-2.0, 500.0).logpdf(z)),
    ("ChiSquared", {"nu": 0.02}, lambda z: stats.loggamma(0.01, loc=np.log(2.0)).logpdf(z)),
    ("Beta", {"alpha": 0.02, "beta": 0.3},
     lambda z: -0.02 * np.logaddexp(0, -z) - 0.3 * np.logaddexp(0, z) - special.betaln(0.02, 0.3)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "expected"), LAWS)
def test_the_density_of_the_unconstrained_value(name, given, expected):
    with pm.Model() as model:
        getattr(pm, name)("x", **given)
    density = density_of(model)
    with np.errstate(all="ignore"):
        got = [density(np.array([z]), density.arguments) for z in np.append(NEAR, FAR)]
    np.testing.assert_allclose(got, expected(np.append(NEAR, FAR)), rtol=1e-10)


def test_inverse_gamma_far_up():
    """1 / x is Gamma; log x is minus its logarithm."""
    with pm.Model() as model:
        pm.InverseGamma("x", alpha=0.01, beta=0.3)
    density, z = density_of(model), np.array([-3.0, 5.0, 690.0, 5000.0])
    with np.errstate(all="ignore"):
        got = [density(np.array([each]), density.arguments) for each in z]
    np.testing.assert_allclose(got, stats.loggamma(0.01, loc=-np.log(0.3)).logpdf(-z), rtol=1e-10)


def test_dirichlet_of_small_concentrations():
    """Two parts are a Beta."""
    a = np.array([0.01, 0.03])
    with pm.Model() as model:
        pm.Dirichlet("p", a)
    density = density_of(model)
    for z in (-4000.0, -800.0, 1.0, 900.0):
        right = -a[0] * np.logaddexp(0, -z) - a[1] * np.logaddexp(0, z) - special.betaln(*a)
        assert density(np.array([z]), density.arguments) == pytest.approx(right, rel=1e-10)


@pytest.mark.parametrize("log_k", [LOGARITHM, -2.0, 5.0, 90.0])
def test_logs_of_a_bend_are_those_of_its_value(log_k):
    place = Constant((), np.dtype(float), np.asarray(log_k))
    bend, given, x = Bend(place), {place: np.asarray(log_k)}, np.linspace(-600.0, 40.0, 129)
    value, log_det = bend.forward(np_namespace(), x, given, 0)
    fair = value > 1e-290
    logs = bend.logs(np_namespace(), x, given, 0).value
    np.testing.assert_allclose(logs[fair], np.log(value[fair]), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(bend.inverse(value, given)[fair], x[fair], rtol=1e-9, atol=1e-9)
    slope = (bend.logs(np_namespace(), x + 1e-4, given, 0).value - bend.logs(np_namespace(), x - 1e-4, given, 0).value)
    np.testing.assert_allclose(log_det, logs + np.log(slope / 2e-4), atol=1e-5)  # of the value, by its logarithm
    assert bend.logs(np_namespace(), np.array([-5000.0]), given, 0).value == -5000.0


def np_namespace():
    from finetti.model.namespace import NUMPY

    return NUMPY


@pytest.mark.parametrize("a", [0.05, 0.01, 0.001])
def test_a_rate_that_may_be_all_but_zero(a):
    """Gamma(a, a) and a count of 0: log x has mean digamma(a) - log(a + 1), sd sqrt(trigamma(a)).

    Four standard errors of 4,000 independent draws: a false alarm in 1 of 8,000, and so for the sd (kurtosis 9).
    """
    with pm.Model():
        x = pm.Gamma("x", a, a)
        pm.Poisson("y", x, observed=0)
        trace = pm.sample(random_seed=1, progressbar=False)
    logs, sd = trace["x_log__"], special.polygamma(1, a) ** 0.5
    assert abs(logs.mean() - (special.digamma(a) - np.log(a + 1))) < 4 * sd / 4000**0.5
    assert abs(logs.std() / sd - 1) < 4 * (8 / 4 / 4000) ** 0.5
    assert np.isfinite(trace["x"]).all() and (trace["x"] > 0).all()


def test_values_below_floating_point_are_told(caplog):
    with pm.Model():
        pm.Gamma("x", 0.001, 1)
        pm.sample(200, random_seed=1, progressbar=False)
    assert "x comes nearer to 0 than floating point does" in caplog.text
