"""Which latents are integrated out, and with what reason the others are not."""

from __future__ import annotations

import numpy as np
import pytest

import finetti as pm
from finetti.reductions.linear.members import find

G, Y = np.array([0, 0, 1, 2, 2, 1]), np.array([1.0, 2.0, 0.5, -1.0, 0.0, 1.5])


def found(write, excluded=()) -> tuple[set[str], dict[str, str]]:
    """Names of the members of the model that `write` writes, and the reasons of the others."""
    with pm.Model() as model:
        write()
    result = find(model.randoms, model.potentials, model.data, {model[name]: "asked for" for name in excluded})
    return {m.name for m in result.members}, {n.name: why for n, why in result.refused.items()}


def regression():
    mu, tau, s = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 1), pm.HalfNormal("s", 1)
    a = pm.Normal("a", mu, tau, shape=3)
    pm.Normal("y", a[G], s, observed=Y)
    return mu, tau, s, a


def test_all_that_is_linear_and_gaussian_is_in():
    members, refused = found(regression)
    assert members == {"mu", "a"}
    assert refused == {"tau": "its prior is HalfNormal, not Normal", "s": "its prior is HalfNormal, not Normal"}


def test_a_potential_strikes_what_it_touches_and_what_that_depends_on():
    def write():
        *_, a = regression()
        pm.Potential("sum_to_zero", -100 * a.sum() ** 2)

    members, refused = found(write)
    assert members == set()
    assert refused["a"] == "it enters the potential 'sum_to_zero'"
    assert refused["mu"] == "'a' depends on it and cannot be integrated out itself"


def test_a_potential_of_others_strikes_nothing():
    def write():
        _, tau, _, _ = regression()
        pm.Potential("prior", -np.log(tau))

    assert found(write)[0] == {"mu", "a"}


def test_a_deterministic_strikes_nothing():
    def write():
        mu, *_, a = regression()
        pm.Deterministic("odds", np.exp(a - mu))

    assert found(write)[0] == {"mu", "a"}


@pytest.mark.parametrize(
    ("likelihood", "why"),
    [
        (lambda eta: pm.Bernoulli("k", logit_p=eta, observed=(Y > 0).astype(int)), "is Bernoulli, not Normal"),
        (lambda eta: pm.Poisson("k", mu=np.exp(eta), observed=np.arange(6)), "is Poisson, not Normal"),
        (lambda eta: pm.StudentT("k", 4, eta, 1, observed=Y), "is StudentT, not Normal"),
        (lambda eta: pm.Normal("k", np.exp(eta), 1, observed=Y), "entered through `exp`"),
        (lambda eta: pm.Normal("k", eta**2, 1, observed=Y), "entered through `power`"),
        (lambda eta: pm.Normal("k", 0, np.exp(eta), observed=Y), "enters the scale of 'k'"),
        (lambda eta: pm.Normal("k", eta, np.exp(eta), observed=Y), "enters the scale of 'k'"),
        (lambda eta: pm.TruncatedNormal("k", eta, 1, lower=-9, observed=Y), "is TruncatedNormal, not Normal"),
    ],
)
def test_another_likelihood_keeps_its_latents_in_the_chain(likelihood, why):
    def write():
        likelihood(pm.Normal("a", 0, 1, shape=3)[G])

    members, refused = found(write)
    assert members == set() and why in refused["a"]


def test_a_scale_that_depends_on_a_latent():
    def write():
        w = pm.Normal("w", 0, 1)
        a = pm.Normal("a", 0, np.exp(w), shape=3)
        pm.Normal("y", a[G], 1, observed=Y)

    members, refused = found(write)
    assert members == {"a"}
    assert "scale" in refused["w"]


def test_a_covariance_that_depends_on_a_latent():
    def write():
        w, a = pm.Normal("w", 0, 1), pm.Normal("a", 0, 1, shape=2)
        pm.MvNormal("y", a, chol=np.exp(w) * np.eye(2), observed=Y.reshape(3, 2))

    members, refused = found(write)
    assert members == {"a"} and refused["w"] == "it enters the covariance of 'y'"


def test_covariances_that_differ_from_vector_to_vector():
    """One factor for each vector is not read: what it concerns stays in the chain."""

    def write():
        s = pm.HalfNormal("s", 1, shape=3)
        a = pm.Normal("a", 0, 1, shape=2)
        pm.MvNormal("y", a, chol=s[:, None, None] * np.eye(2), observed=Y.reshape(3, 2))

    members, refused = found(write)
    assert members == set() and "covariance" in refused["a"]


def test_of_two_latents_multiplied_the_smaller_stays_in_the_chain():
    def write():
        load, f = pm.Normal("load", 0, 1, shape=2), pm.Normal("f", 0, 1, shape=3)
        pm.Normal("y", load[np.array([0, 1, 0, 1, 0, 1])] * f[G], 1, observed=Y)

    members, refused = found(write)
    assert members == {"f"} and "multiplied by another latent" in refused["load"]


def test_the_gaussian_half_of_a_model_is_in_the_other_half_is_not():
    """Measurements of `a` are Normal, counts depend on `w` alone: `a` is integrated out, `w` is not."""

    def write():
        _, _, s, a = regression()
        w = pm.Normal("w", 0, 1, shape=3)
        pm.Bernoulli("k", logit_p=w[G], observed=(Y > 0).astype(int))
        pm.Normal("z", a[G] + w[G], s, observed=Y)

    members, refused = found(write)
    assert members == {"mu", "a"} and refused["w"] == "'k' depends on it and is Bernoulli, not Normal"


def test_a_latent_of_another_family_strikes_its_own_mean():
    def write():
        mu, tau = pm.Normal("mu", 0, 1), pm.HalfNormal("tau", 1)
        a = pm.StudentT("a", 4, mu, tau, shape=3)
        pm.Normal("y", a[G], 1, observed=Y)

    members, refused = found(write)
    assert members == set()
    assert refused["a"] == "its prior is StudentT, not Normal" and "'a' depends on it" in refused["mu"]


def test_what_is_excluded_keeps_its_reason_and_strikes_what_it_depends_on():
    members, refused = found(regression, excluded=("a",))
    assert members == set() and refused["a"] == "asked for" and "'a' depends on it" in refused["mu"]
    assert found(regression, excluded=("mu",))[0] == {"a"}


def test_a_deeper_level_is_struck_without_its_upper_levels_being_lost():
    """`low` is entered nonlinearly; its mean `top` would do, but for `low`, which stays in the chain and reads it."""

    def write():
        top = pm.Normal("top", 0, 1)
        low = pm.Normal("low", top, 1, shape=3)
        other = pm.Normal("other", 0, 1, shape=3)
        pm.Normal("y", np.tanh(low[G]) + other[G], 1, observed=Y)

    members, refused = found(write)
    assert members == {"other"}
    assert "`tanh`" in refused["low"] and "'low' depends on it" in refused["top"]


def test_latents_without_elements_and_data_without_rows():
    def write():
        a = pm.Normal("a", 0, 1, shape=0)
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu + a.sum(), 1, observed=1.0)
        pm.Normal("none", mu * np.zeros(0), 1, observed=np.zeros(0))

    assert "mu" in found(write)[0]
