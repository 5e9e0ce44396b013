"""What every distribution owes: the density SciPy has, a sampler that agrees, gradients, and errors that help.

Each row of the registry is tested at each of its examples; a family without an oracle fails.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
from distribution_cases import all_cases, continuous, univariate
from scipy import integrate, stats
from scipy_reference import IMPROPER, REFERENCES

from finetti.distributions.base import REGISTRY
from finetti.distributions.domains import CHOLESKY, COUNT, WHOLE
from finetti.distributions.laws import everywhere
from finetti.model.namespace import NUMPY, jax_namespace

TOO_UNLIKELY = 1e-6  # per test; with about 60 rows a false alarm comes once in 16,000 changes of a seed

every = pytest.mark.parametrize("case", all_cases(), ids=repr)
every_univariate = pytest.mark.parametrize("case", univariate(), ids=repr)
every_continuous = pytest.mark.parametrize("case", continuous(), ids=repr)


def test_every_family_has_examples_and_an_oracle_for_each():
    """A new family without an oracle fails here."""
    for name, family in REGISTRY.items():
        if family.__module__.startswith("finetti.") and name not in IMPROPER:
            assert len(family.examples) == len(REFERENCES[name]) >= 1, name
            if family.alternatives:
                assert len(family.examples) >= 2, name


@every
def test_log_density_is_that_of_scipy(case):
    x = case.draws(60)
    expected = case.oracle.logpmf(x) if hasattr(case.oracle, "logpmf") else _scipy_logpdf(case, x)
    found = case.family.log_density(NUMPY, x, *case.parameters)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-11)


def _scipy_logpdf(case, x):
    return case.oracle.logpdf(x.T / x.sum(-1)) if case.name == "Dirichlet" else case.oracle.logpdf(x)


@every_univariate
def test_density_adds_up_to_one(case):
    """Over the unconstrained line, so that the log-determinant of the bijection takes part."""
    if case.family.discrete:
        low, high = case.oracle.ppf(1e-300), case.oracle.isf(1e-14) + 5
        x = np.arange(low, high)
        terms = np.exp(everywhere(case.family, NUMPY, x, case.parameters))
        assert terms.sum() == pytest.approx(1, abs=1e-10)
        return

    def density(z):
        x, log_det = case.support.bijection.forward(NUMPY, np.asarray(z), *case.bounds)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            value = np.exp(case.family.log_density(NUMPY, x, *case.parameters) + log_det)
        return float(np.nan_to_num(value, nan=0.0))

    pieces = [-np.inf, -30, -8, -2, 0, 2, 8, 30, np.inf]
    total = sum(integrate.quad(density, a, b, limit=200)[0] for a, b in pairwise(pieces))
    assert total == pytest.approx(1, abs=1e-7)


@every_univariate
def test_sampler_has_the_distribution(case):
    """Kolmogorov-Smirnov, or chi-squared where discrete, on 20,000 draws; false alarms once in a million."""
    x = case.draws(20_000, seed=1)
    if case.family.discrete:
        assert _chi_squared(case.oracle, x) > TOO_UNLIKELY
        assert x.dtype == np.int64
        return
    if case.name == "VonMises":
        mu = case.parameters[0]
        assert (np.abs(x) <= np.pi).all()
        x = mu + (x - mu + np.pi) % (2 * np.pi) - np.pi
    assert stats.kstest(x, case.oracle.cdf).pvalue > TOO_UNLIKELY


def _chi_squared(oracle, x):
    edges = np.unique(oracle.ppf(np.linspace(0, 1, 25)[1:-1]))
    edges = np.concatenate([[-np.inf], edges, [np.inf]])
    expected = np.diff(oracle.cdf(edges)) * x.size
    observed = np.histogram(x, np.nextafter(edges, np.inf))[0]
    keep = expected > 1e-9
    assert observed[~keep].sum() == 0
    return stats.chisquare(observed[keep], expected[keep]).pvalue if keep.sum() > 1 else 1.0


@pytest.mark.parametrize("case", [c for c in univariate() if c.name != "VonMises"], ids=repr)
def test_mean_is_that_of_scipy_and_of_the_draws(case):
    """The draws' mean within 5.5 standard errors where there are any: a false alarm once in 26 million."""
    mean, sd = case.oracle.mean(), case.oracle.std()
    assert np.asarray(case.family.mean(NUMPY, *case.parameters)) == pytest.approx(mean, rel=1e-8, nan_ok=True)
    x = case.draws(20_000, seed=2)
    if np.isfinite(sd):
        assert abs(x.mean() - mean) < 5.5 * sd / np.sqrt(x.size)
        wide = case.name in ("Pareto", "StudentT", "HalfStudentT", "InverseGamma")  # no fourth moment to speak of
        assert x.std() == pytest.approx(sd, rel=0.5 if wide else 0.1)


@every_continuous
def test_center_lies_inside_the_support(case):
    center = np.broadcast_to(case.family.center(NUMPY, *case.parameters), case.node.shape)
    assert np.isfinite(center).all()
    z = case.support.bijection.inverse(center.astype(float), *case.bounds)
    assert np.isfinite(z).all()
    assert np.isfinite(case.family.log_density(NUMPY, center, *case.parameters)).all()


@every
def test_numpy_and_jax_agree_and_jax_gradients_are_right(case):
    """Gradients in x and in every real parameter, against central differences of the NumPy density."""
    import jax

    x = case.draws(7, seed=3)
    arguments = [np.asarray(a) for a in (x, *case.parameters)]
    real = tuple(k for k, spec in enumerate((None, *case.family.parameters)) if _is_real(case, k, spec, arguments[k]))
    directions = [_direction(case, k, arguments[k]) for k in real]
    steps, weights = np.zeros(len(real)), np.linspace(0.5, 1.5, len(x))

    def along(steps):
        return _weighted(NUMPY, case.name, real, arguments, directions, steps, weights)

    absent = tuple((k, float(a)) for k, a in enumerate(arguments) if np.isinf(a).all())
    known = [None if np.isinf(a).all() else a for a in arguments]
    with jax.enable_x64(True):
        value, gradient = _program(case.name, real, absent)(steps, known, directions, weights)
    np.testing.assert_allclose(value, along(steps), rtol=1e-11, atol=1e-11)
    for k, unit in enumerate(1e-5 * np.eye(len(real))):
        difference = (along(unit) - along(-unit)) / 2e-5
        assert gradient[k] == pytest.approx(difference, rel=1e-5, abs=1e-6)


def _weighted(xp, name, real, arguments, directions, steps, weights):
    moved = list(arguments)
    for k, step, direction in zip(real, steps, directions, strict=True):
        moved[k] = moved[k] + step * direction
    return xp.sum(weights * REGISTRY[name].log_density(xp, *moved))


@lru_cache
def _program(name, real, absent):
    """Value and gradient in the steps, compiled once for all examples; absent bounds are known when it is compiled."""
    import jax

    def density(steps, known, directions, weights):
        arguments = list(known)
        for k, bound in absent:
            arguments[k] = np.asarray(bound)
        return _weighted(jax_namespace(), name, real, arguments, directions, steps, weights)

    return jax.jit(jax.value_and_grad(density))


def _is_real(case, k, spec, value):
    if k == 0:
        return not case.family.discrete
    whole = spec.domain in (COUNT, WHOLE) or (case.name == "LKJCholeskyCorr" and spec.name == "n")
    on_edge = case.name in ("Triangular",) or not np.isfinite(value).all()
    return not whole and not on_edge


def _direction(case, k, value):
    """A direction in which the argument may move a little and stay what it is."""
    direction = np.random.default_rng(k).uniform(0.5, 1.0, value.shape) * 0.1
    if k == 0:
        scale = np.minimum(1.0, np.abs(value)) if case.family.event_ndim == 0 else 1.0
        return direction * scale * (np.tril(np.ones(value.shape[-2:])) if case.family.event_ndim == 2 else 1.0)
    matrix = case.family.parameters[k - 1].domain is CHOLESKY
    return np.tril(direction) if matrix else direction


@every
def test_a_leading_axis_of_draws_is_a_loop(case):
    """Parameters (draw, 1, ...) against x (draw, 5, ...)."""
    draws = 3
    x = np.stack([case.draws(5, seed=s) for s in range(draws)])
    scaled = [np.stack([p * f if p.dtype.kind == "f" else p for f in (1.0, 1.01, 1.02)]) for p in case.parameters]
    if case.name == "Categorical":
        scaled = [np.stack([p, p[::-1], p]) for p in case.parameters]
    batched = case.family.log_density(NUMPY, x, *(s[:, None] for s in scaled))
    looped = [case.family.log_density(NUMPY, x[d], *(s[d] for s in scaled)) for d in range(draws)]
    np.testing.assert_allclose(batched, np.stack(looped), rtol=1e-12, atol=1e-12)
    shape = (draws, 5, *case.node.shape)
    assert case.family.draw(np.random.default_rng(0), shape, *(s[:, None] for s in scaled)).shape == shape


@every_univariate
def test_density_is_zero_outside_the_support_and_its_gradient_finite(case):
    import jax

    outside = np.array([-1e3, -0.5, 0.5, 1e3]) + 0.0
    outside = outside[~np.asarray(case.support.contains(outside, *case.bounds), bool)]
    found = everywhere(case.family, NUMPY, outside, case.parameters)
    assert (found == -np.inf).all()
    if case.family.discrete or not len(outside) or case.index:
        return
    with jax.enable_x64(True):

        def total(x, parameters):
            density = everywhere(case.family, jax_namespace(), x, parameters)
            return jax.numpy.sum(jax.numpy.where(density == -np.inf, 0.0, density))

        given = [p for p in case.parameters if np.isfinite(p).all()]
        if len(given) < len(case.parameters):
            return
        gradients = jax.jit(jax.grad(total, argnums=(0, 1)))(outside, [jax.numpy.asarray(p, float) for p in given])
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradients))


def test_von_mises_mean_direction():
    """`mean` is the angle of the mean of exp(i x), not the mean of the angle; within 6 standard errors."""
    family, mu, kappa = REGISTRY["VonMises"], np.asarray(0.7 + 4 * np.pi), np.asarray(2.0)
    x = family.draw(np.random.default_rng(0), (20_000,), mu, kappa)
    assert family.mean(NUMPY, mu, kappa) == pytest.approx(0.7)
    assert np.angle(np.exp(1j * x).mean()) == pytest.approx(0.7, abs=6 / np.sqrt(2 * 0.7 * 20_000))


@pytest.mark.parametrize("name", sorted(IMPROPER))
def test_improper_priors_are_constant_and_refuse_to_be_drawn(name):
    from finetti.errors import SamplingError

    family = REGISTRY[name]
    assert (family.log_density(NUMPY, np.array([0.1, 5.0])) == 0).all()
    with pytest.raises(SamplingError, match=name):
        family.draw(np.random.default_rng(0), (2,))
