"""Outside the domain of a parameter the density is 0: every law, parameter and parametrisation, as declared.

Each parameter of each example is made random, one at a time; the density is then looked at for values of it that
`Domain.admits` takes and for values that it refuses.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from distribution_cases import all_cases

import finetti as pm
from finetti.density import density_of
from finetti.distributions.base import REGISTRY
from finetti.model.evaluate import static_value
from finetti.model.graph import Constant
from finetti.model.namespace import NUMPY, jax_namespace
from finetti.planning import plan

PROBES = np.array([-1e6, -2.5, -1.0, -0.3, 0.0, 0.3, 0.5, 1.0, 1.2, 2.0, 2.5, 7.0, 1e6])


def given_parameters():
    """(case, name): every parameter that an example gives, but for those that decide a shape."""
    for case in all_cases():
        node = case.family.dist(**case.family.examples[case.index])
        for name in case.family.examples[case.index]:
            if not (case.name == "LKJCholeskyCorr" and name == "n"):
                yield case, name, node


EVERY = [pytest.param(case, name, id=f"{case!r}-{name}") for case, name, _ in given_parameters()]


def parameter_of(family, name):
    return next(p for p in (*family.parameters, *family.others) if p.name == name)


@lru_cache(maxsize=1)
def under_jax():
    import jax

    return jax, jax_namespace()


def with_random(case, name):
    """A model whose law has one parameter random, given data inside its support, and the value in the example."""
    example = {k: np.asarray(v) for k, v in case.family.examples[case.index].items()}
    usual = np.asarray(example[name], float)
    observed = case.draws(1, seed=3)[0]
    with pm.Model() as model:
        unknown = pm.Normal("unknown", 0, 1, shape=usual.shape)
        law = REGISTRY[case.name]
        law("y", **{**example, name: unknown}, observed=observed)
    return model, usual, example


def spoilt(parameter, usual):
    """Values of a parameter of the example's shape, admitted or not: every probe in one element, and whole matrices."""
    if parameter.event_ndim == 0:
        yield from (np.full(usual.shape, probe) for probe in PROBES)
        return
    yield usual
    for at in np.ndindex(usual.shape):
        for probe in PROBES:
            value = usual.copy()
            value[at] = probe
            yield value


def both_namespaces(density, flat):
    jax, xp = under_jax()
    with np.errstate(all="ignore"):
        plain = float(density(flat, density.arguments))
        batched = float(density(flat[None], density.batched_arguments(), lead=1)[0])
    with jax.enable_x64(True):
        compiled = float(density(jax.numpy.asarray(flat), density.arguments, xp=xp))
    return plain, batched, compiled


@pytest.mark.parametrize(("case", "name"), EVERY)
def test_outside_its_domain_the_density_is_0(case, name):
    model, usual, example = with_random(case, name)
    parameter, density = parameter_of(case.family, name), density_of(model)
    seen = {True: 0, False: 0}
    for value in spoilt(parameter, usual):
        with np.errstate(all="ignore"):
            inside = bool(np.all(parameter.domain.admits(NUMPY, value)))
        conditions = [c for c in case.family.conditions if name in c.names]
        known = {**defaults(case.family), **example, name: value}
        together = [c.holds(*(known[n] for n in c.names)) for c in conditions if set(c.names) <= set(known)]
        inside = inside and all(map(np.all, together))
        seen[inside] += 1
        values = both_namespaces(density, value.ravel())
        if inside:
            law = REGISTRY[case.name].dist(**{**example, name: value})
            parameters = [static_value(p, {}) for p in law.parameters]
            y = static_value(model["y"].observed, {})
            with np.errstate(all="ignore"):
                expected = float(np.sum(case.family.log_density(NUMPY, y, *parameters)))
                expected += float(np.sum(-0.5 * value**2 - 0.5 * np.log(2 * np.pi)))
            if np.isfinite(expected):
                np.testing.assert_allclose(values, expected, rtol=1e-8, atol=1e-8)
        elif parameter.domain.shows:
            assert not np.isfinite(values).any(), (value, values)
        else:
            assert values == (-np.inf,) * 3, (value, values)
    assert seen[True]
    assert seen[False] or parameter.domain.shows


def defaults(family):
    return {p.name: np.asarray(p.default) for p in family.parameters if not p.required}


def test_every_law_is_looked_at():
    looked_at = {case.name for case, _, _ in given_parameters()}
    assert looked_at >= {n for n, f in REGISTRY.items() if f.__module__.startswith("finetti.") and f.parameters}


# --- what is proven costs nothing --------------------------------------------------------------------------------


def guards_of_density(write):
    with pm.Model() as model:
        write()
    planned = plan(model)
    return density_of(model, planned.reductions, planned.coordinates).guards


@pytest.mark.parametrize(
    "write",
    [
        lambda: pm.Poisson("y", np.exp(pm.Normal("a", 0, 1)), observed=[1, 2]),
        lambda: pm.Normal("y", pm.Normal("a", 0, 1), pm.HalfCauchy("s", 1), observed=[1.0, 2]),
        lambda: pm.Normal("y", 0, tau=pm.Gamma("t", 1, 1), observed=[1.0, 2]),
        lambda: pm.Binomial("y", 5, pm.Beta("p", 1, 1), observed=[1, 2]),
        lambda: pm.Bernoulli("y", logit_p=pm.Normal("a", 0, 1), observed=[1, 0]),
        lambda: pm.Binomial("y", 5, pm.math.invlogit(pm.Normal("a", 0, 1)), observed=[1, 2]),
        lambda: pm.Categorical("y", pm.Dirichlet("p", [1, 1, 1]), observed=[1, 2]),
        lambda: pm.Categorical("y", pm.Dirichlet("p", np.ones((2, 3)))[[0, 1, 1]], observed=[1, 2, 0]),
        lambda: pm.Categorical("y", pm.math.softmax(pm.Normal("a", 0, 1, shape=3)), observed=[1, 2]),
        lambda: pm.Beta("y", pm.Exponential("a", 1), pm.HalfNormal("b", 1) + 1, observed=[0.1, 0.2]),
        lambda: pm.Gamma("y", mu=pm.HalfNormal("m", 1), sigma=np.sqrt(pm.HalfNormal("v", 1)), observed=[0.1, 0.2]),
        lambda: pm.Uniform("y", 0, pm.Pareto("u", 2, 1), observed=[0.1, 0.2]),
        lambda: pm.Normal("y", 0, pm.Uniform("s", 0, 100), observed=[0.1, 0.2]),
        lambda: pm.NegativeBinomial("y", np.exp(pm.Normal("a", 0, 1)), pm.Exponential("k", 1), observed=[3, 2]),
        lambda: pm.MvNormal(
            "y", 0, chol=pm.LKJCholeskyCov("c", 2, 2, pm.HalfNormal.dist(1))[0], observed=[[0.1, 0.2]]
        ),
    ],
)  # fmt: skip
def test_what_the_form_proves_is_not_checked_again(write):
    assert guards_of_density(write) == {}


@pytest.mark.parametrize(
    "write",
    [
        lambda: pm.Poisson("y", pm.Normal("a", 0, 1), observed=[1, 2]),
        lambda: pm.Normal("y", 0, pm.Normal("s", 0, 1), observed=[1.0, 2]),
        lambda: pm.Normal("y", 0, tau=pm.Normal("t", 0, 1), observed=[1.0, 2]),
        lambda: pm.Binomial("y", 5, pm.Normal("p", 0, 1), observed=[1, 2]),
        lambda: pm.Uniform("y", pm.Normal("l", 0, 1), 3, observed=[1.0, 2]),
        lambda: pm.Beta("y", mu=pm.Beta("m", 1, 1), sigma=pm.HalfNormal("s", 1), observed=[0.1, 0.2]),
        lambda: pm.Gamma("y", mu=pm.Normal("m", 1), sigma=1, observed=[0.1, 0.2]),
        lambda: pm.Categorical("y", pm.Beta("p", 1, 1, shape=3), observed=[1, 2]),
    ],
)
def test_what_it_does_not_prove_is(write):
    assert len(guards_of_density(write)) == 1


# --- inside what is integrated out ---------------------------------------------------------------------------------


def log_density_at(write, value):
    with pm.Model() as model:
        write()
    planned = plan(model)
    assert planned.reductions
    density = density_of(model, planned.reductions, planned.coordinates)
    assert not any(isinstance(block.node, Constant) for block in density.blocks)
    return both_namespaces(density, np.atleast_1d(np.asarray(value, float)))


def of_members():
    s = pm.Normal("s", 0, 5)
    theta = pm.Normal("theta", 0, s, shape=3)
    pm.Normal("y", theta, 1.0, observed=[5.0, -4.0, 6.0])


def of_observations():
    theta = pm.Normal("theta", 0, 1, shape=3)
    pm.Normal("y", theta, pm.Normal("s", 0, 5), observed=[5.0, -4.0, 6.0])


def of_a_covariance():
    r = pm.Normal("r", 0, 1)
    cov = np.stack([np.stack([1.0 + 0 * r, r]), np.stack([r, 1.0 + 0 * r])])
    theta = pm.MvNormal("theta", 0, cov=cov)
    pm.Normal("y", theta, 1.0, observed=[0.5, -0.4])


@pytest.mark.parametrize(
    ("write", "outside", "inside"),
    [(of_members, -2.0, 2.0), (of_observations, -2.0, 2.0), (of_a_covariance, 1.2, 0.5), (of_a_covariance, -1.2, -0.5)],
)
def test_integrating_latents_out_keeps_the_domains(write, outside, inside):
    assert log_density_at(write, outside) == (-np.inf,) * 3
    assert np.isfinite(log_density_at(write, inside)).all()


def test_a_factor_of_the_users_own_may_be_negative():
    """`s * z` is no scale of a law."""
    def write():
        s, z = pm.Normal("s", 0, 5), pm.Normal("z", 0, 1, shape=3)
        pm.Normal("y", s * z, 1.0, observed=[5.0, -4.0, 6.0])

    minus, plus = log_density_at(write, -2.0), log_density_at(write, 2.0)
    np.testing.assert_allclose(minus, plus)
    assert np.isfinite(minus).all()
