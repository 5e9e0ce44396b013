"""How a distribution is written: PyMC's positions and names, domains, joint conditions, and what happens at edges."""

from __future__ import annotations

import doctest
import importlib
import math

import numpy as np
import pytest
from distribution_cases import all_cases

import finetti as pm
from finetti.distributions.base import REGISTRY
from finetti.distributions.special import log_rising
from finetti.errors import DataError, ModelError
from finetti.model.evaluate import static_value
from finetti.model.graph import Data, Random
from finetti.model.namespace import NUMPY, jax_namespace

# The order in which PyMC 6 takes positional parameters, and its defaults; None where one is required.
PYMC = {
    "Normal": {"mu": 0.0, "sigma": 1.0}, "StudentT": {"nu": None, "mu": 0.0}, "Cauchy": {"alpha": None, "beta": None},
    "Laplace": {"mu": None, "b": None}, "Logistic": {"mu": 0.0, "s": 1.0}, "Gumbel": {"mu": None, "beta": None},
    "SkewNormal": {"alpha": 1.0, "mu": 0.0, "sigma": 1.0}, "HalfNormal": {"sigma": 1.0}, "HalfCauchy": {"beta": None},
    "HalfStudentT": {"nu": None, "sigma": 1.0}, "Exponential": {"lam": 1.0}, "Gamma": {"alpha": None, "beta": None},
    "InverseGamma": {"alpha": None, "beta": 1.0}, "LogNormal": {"mu": 0.0, "sigma": 1.0},
    "Weibull": {"alpha": None, "beta": None}, "Pareto": {"alpha": None, "m": None}, "ChiSquared": {"nu": None},
    "Uniform": {"lower": 0.0, "upper": 1.0}, "Beta": {"alpha": None, "beta": None},
    "Triangular": {"lower": 0.0, "upper": 1.0, "c": 0.5}, "VonMises": {"mu": 0.0, "kappa": 1.0},
    "TruncatedNormal": {"mu": 0.0, "sigma": 1.0}, "BetaBinomial": {"alpha": None, "beta": None, "n": None},
    "Poisson": {"mu": None}, "NegativeBinomial": {"mu": None, "alpha": None}, "Geometric": {"p": None},
    "DiscreteUniform": {"lower": None, "upper": None}, "Flat": {}, "HalfFlat": {},
}  # fmt: skip


@pytest.mark.parametrize("name", PYMC)
def test_positions_and_defaults_are_those_of_pymc(name):
    family, wanted = getattr(pm, name), PYMC[name]
    assert list(family.signature[: len(wanted)]) == list(wanted)
    required = {p.name for p in family.parameters if p.required}
    assert {n for n, default in wanted.items() if default is None} == required
    nodes, _ = family.resolve(None, (), {n: 0.5 for n in required})
    for spec, node in zip(family.parameters, nodes, strict=True):
        if wanted.get(spec.name) is not None:
            assert static_value(node, {}) == wanted[spec.name]


@pytest.mark.parametrize(
    ("family", "one", "other"),
    [
        ("NegativeBinomial", {"mu": 3.0, "alpha": 2.0}, {"mu": 3.0, "n": 2.0}),
        ("NegativeBinomial", {"mu": 3.0, "alpha": 2.0}, {"p": 0.4, "alpha": 2.0}),
        ("NegativeBinomial", {"mu": 3.0, "alpha": 2.0}, {"p": 0.4, "n": 2.0}),
        ("Bernoulli", {"p": 0.25}, {"logit_p": -np.log(3)}),
        ("Categorical", {"p": [0.25, 0.75]}, {"logit_p": [1.0, 1.0 + np.log(3)]}),
        ("SkewNormal", {"alpha": 2, "mu": 1, "sigma": 0.5}, {"alpha": 2, "mu": 1, "tau": 4}),
        ("Exponential", {"lam": 4.0}, {"scale": 0.25}),
    ],
)
def test_parametrisations_agree(family, one, other):
    first, second = ([static_value(p, {}) for p in REGISTRY[family].resolve(None, (), kw)[0]] for kw in (one, other))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


@pytest.mark.parametrize(
    ("family", "arguments", "words"),
    [
        ("Normal", {"sigma": -1.0}, r"'sigma' of 'x' \(Normal\) must be positive and finite, but is -1"),
        ("Normal", {"sigma": [1.0, 0.0, 2.0]}, "'sigma' of 'x'.*row 1 is 0"),
        ("Normal", {"tau": -1.0}, "'tau' of 'x'.*positive"),
        ("Normal", {"mu": np.nan}, "'mu' of 'x'.*finite"),
        ("Uniform", {"lower": 3, "upper": 1}, "'x' .*needs lower < upper, but lower is 3 and upper is 1"),
        ("Uniform", {"lower": [0.0, 2.0], "upper": 1.0}, r"lower is 2 and upper is 1 \(element 1\)"),
        ("TruncatedNormal", {"lower": 2.0, "upper": 2.0}, "'x'.*needs lower < upper"),
        ("TruncatedNormal", {"lower": [-np.inf, 0.0]}, "'lower' of 'x'.*for all of them"),
        ("Triangular", {"lower": 0, "upper": 1, "c": 2}, "'x'.*lower <= c <= upper.*c is 2"),
        ("Beta", {"mu": 0.5, "sigma": 0.6}, r"'x'.*sigma\*\*2 < mu \* \(1 - mu\).*sigma is 0.6"),
        ("Beta", {"mu": 1.5, "nu": 3.0}, "'mu' of 'x'.*between 0 and 1"),
        ("Pareto", {"alpha": 1.0, "m": 0.0}, "'m' of 'x'.*positive"),
    ],
)
def test_parameters_outside_their_domain_are_refused(family, arguments, words):
    with pm.Model(), pytest.raises(DataError, match=words):
        getattr(pm, family)("x", **arguments)


@pytest.mark.parametrize(
    ("family", "arguments", "observed", "words"),
    [
        ("Bernoulli", {"p": 1.2}, [0, 1], "'p' of 'y'.*between 0 and 1"),
        ("Bernoulli", {"p": 0.5}, [0, 2], "'y'.*0 or 1.*row 1 is 2"),
        ("Binomial", {"n": 3, "p": 0.5}, [1, 4], "'y'.*from 0 to 3.*row 1 is 4"),
        ("Binomial", {"n": 2.5, "p": 0.5}, [1, 2], "'n' of 'y'.*whole"),
        ("Poisson", {"mu": 1.0}, [1, -1], "'y'.*whole number, 0 or more"),
        ("Poisson", {"mu": -1.0}, [1], "'mu' of 'y'"),
        ("Geometric", {"p": 0.5}, [1, 0], "'y'.*1 or more"),
        ("Categorical", {"p": [0.5, 0.6]}, [0, 1], "'p' of 'y'.*add to 1.*They add to 1.1; divide by their sum"),
        ("Categorical", {"p": [0.5, 0.5]}, [1, 2], "'y'.*from 0 to 1.*row 1 is 2"),
        ("DiscreteUniform", {"lower": 3, "upper": 1}, [2], "'y'.*needs lower <= upper"),
        ("Gamma", {"alpha": 1, "beta": 1}, [1.0, -2.0], "'y'.*positive.*row 1 is -2"),
        ("Pareto", {"alpha": 1, "m": 2}, [3.0, 1.0], "'y'.*2 or more.*row 1 is 1"),
        ("TruncatedNormal", {"lower": 0.0}, [1.0, -1.0], "'y'.*0 or more.*row 1 is -1"),
    ],
)
def test_data_outside_the_support_are_refused(family, arguments, observed, words):
    with pm.Model(), pytest.raises(DataError, match=words):
        getattr(pm, family)("y", **arguments, observed=observed)


@pytest.mark.parametrize(
    ("family", "arguments", "words"),
    [
        ("Gamma", {"alpha": 1.0}, r"'x' \(Gamma\) needs beta, or mu and sigma"),
        ("Gamma", {"alpha": 1.0, "beta": 1.0, "mu": 2.0}, "'x'.*cannot use mu alone; give mu and sigma"),
        ("Gamma", {"alpha": 1.0, "mu": 1.0, "sigma": 2.0}, "'x'.*both mu and sigma and alpha"),
        ("Normal", {"sd": 1.0}, "'x'.*no parameter 'sd'; it takes mu, sigma, tau"),
        ("Normal", {"sigma": 1.0, "tau": 1.0}, "'x'.*both tau and sigma"),
    ],
)
def test_parametrisations_that_do_not_go_together_are_refused(family, arguments, words):
    with pm.Model(), pytest.raises(ModelError, match=words):
        getattr(pm, family)("x", **arguments)


def test_new_data_are_checked_too():
    with pm.Model() as model:
        s = pm.Data("s", [1.0, 2.0])
        low = pm.Data("low", 0.0)
        pm.Normal("x", 0, s)
        pm.Uniform("u", low, 1.0)
    with pytest.raises(DataError, match="'sigma' of 'x'.*row 1 is -2"):
        model.set_data("s", [1.0, -2.0])
    with pytest.raises(DataError, match="'u'.*lower < upper"):
        model.set_data("low", 3.0)


def test_a_sigmoid_is_not_undone_in_floating_point():
    """`p=invlogit(x)` becomes `logit_p=x`, and `p=softmax(x)` its logarithm, so that large x lose nothing."""
    with pm.Model():
        x = pm.Normal("x", 0, 1, shape=3)
        p = pm.Deterministic("p", pm.math.invlogit(x))
        y = pm.Bernoulli("y", p, observed=[0, 1, 1])
        z = pm.Categorical("z", pm.math.softmax(x), observed=[0, 2])
    assert y.parameters[0] is x
    assert "log_probability" not in {getattr(getattr(n, "op", None), "name", "") for n in z.parameters}


@pytest.mark.parametrize("support", [{}, {"lower": 0.0}, {"upper": 0.0}, {"lower": 0.0, "upper": 1.0}])
def test_truncated_normal_finds_its_support(support):
    with pm.Model():
        bounds = {key: pm.Normal(key, value, 0.1) for key, value in support.items()}
        x, y = pm.TruncatedNormal("x", **support), pm.TruncatedNormal("y", **bounds)
    assert set(x.family.support_of(x.parameters).bounds) == set(support)
    assert set(y.family.support_of(y.parameters).bounds) == set(support)


def in_jax(family, x, *parameters):
    """Value and gradients in all parameters, as a compiled program sees them."""
    import jax

    with jax.enable_x64(True):
        function = jax.jit(
            jax.value_and_grad(lambda p: jax.numpy.sum(REGISTRY[family].log_density(jax_namespace(), x, *p)))
        )
        value, gradient = function([jax.numpy.asarray(p, float) for p in parameters])
    return float(value), [np.asarray(g) for g in gradient]


@pytest.mark.parametrize(
    ("family", "x", "parameters"),
    [
        ("Bernoulli", np.array([0, 1]), [np.array([-800.0, 800.0])]),
        ("Binomial", np.array([0, 5]), [5.0, np.array([-800.0, 800.0])]),
        ("Poisson", np.array([0, 2]), [np.array([0.0, 2.0])]),
        ("NegativeBinomial", np.array([0, 2]), [np.array([0.0, 2.0]), 1e12]),
        ("NegativeBinomial", np.array([0, 200]), [1e-12, 1e-12]),
        ("Geometric", np.array([1, 2]), [np.array([1.0, 0.3])]),
        ("Categorical", np.array([0, 1]), [np.array([0.0, -800.0])]),
        ("StudentT", np.array([0.3]), [1e12, 0.0, 1.0]),
        ("TruncatedNormal", np.array([0.3]), [-60.0, 1.0, 0.0, 1.0]),
        ("TruncatedNormal", np.array([0.3]), [60.0, 1.0, 0.0, 1.0]),
        ("TruncatedNormal", np.array([0.3, 0.4]), [0.0, 1.0, np.array([-np.inf, 0.0]), np.array([1.0, np.inf])]),
        ("Uniform", np.array([0.3, 2.0]), [0.0, 2.0]),
        ("Triangular", np.array([0.5, 1.0]), [0.0, 1.0, 0.5]),
        ("Beta", np.array([1e-300, 1 - 1e-16]), [0.5, 0.5]),
        ("LogNormal", np.array([1e-300]), [0.0, 1.0]),
        ("SkewNormal", np.array([-30.0]), [10.0, 0.0, 1.0]),
        ("Logistic", np.array([-900.0, 900.0]), [0.0, 1.0]),
        ("VonMises", np.array([3.0]), [0.0, 1e5]),
    ],
)
def test_edges_have_no_nan_in_jax(family, x, parameters):
    value, gradients = in_jax(family, x, *parameters)
    assert not np.isnan(value)
    finite = [np.isfinite(np.asarray(p)) for p in parameters]
    assert all(np.isfinite(g[f]).all() for g, f in zip(gradients, finite, strict=True))
    assert value == pytest.approx(
        np.sum(REGISTRY[family].log_density(NUMPY, x, *map(np.asarray, parameters))), rel=1e-9, nan_ok=False
    )


@pytest.mark.parametrize(
    ("family", "parameters", "limit", "limits"),
    [
        ("NegativeBinomial", [3.0, 1e10], "Poisson", [3.0]),
        ("BetaBinomial", [3e10, 7e10, 9.0], "Binomial", [9.0, np.log(3 / 7)]),
        ("StudentT", [1e10, 0.5, 2.0], "Normal", [0.5, 2.0]),
    ],
)
def test_limits_keep_their_digits(family, parameters, limit, limits):
    """Where a parameter is huge, large logarithms of gamma functions cancel; the limit is known to 1 / parameter."""
    x = np.array([0, 1, 5, 9])
    found, expected = (
        REGISTRY[f].log_density(NUMPY, x, *map(np.asarray, p)) for f, p in ((family, parameters), (limit, limits))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_rising_factorial_is_the_sum_of_logarithms():
    """Exact for whole x, on both sides of the point where the series takes over."""
    for a in (0.3, 7.0, 99.9, 100.0, 100.1, 300.0, 1e6):
        for x in (1, 5, 400):
            exact = math.fsum(math.log(a + k) for k in range(x))
            assert log_rising(NUMPY, np.asarray(a), x) == pytest.approx(exact, rel=2e-15, abs=4e-12)


def test_a_zero_probability_that_is_not_used_leaves_the_gradient_alone():
    import jax

    from finetti.model.ops import OPS

    with jax.enable_x64(True):
        xp = jax_namespace()
        log = OPS["log_probability"].compute
        gradient = jax.grad(lambda p: REGISTRY["Categorical"].log_density(xp, np.asarray(1), log(xp, 0, p)))(
            jax.numpy.array([0.0, 0.4, 0.6])
        )
    np.testing.assert_allclose(gradient, [0, 2.5, 0])


def test_categorical_with_probabilities_for_each_row():
    log_p = np.log(np.array([[0.2, 0.8], [0.6, 0.4], [0.5, 0.5]]))
    found = REGISTRY["Categorical"].log_density(NUMPY, np.array([1, 0, 1]), log_p)
    np.testing.assert_allclose(np.exp(found), [0.8, 0.6, 0.5])


def test_split_densities_add_up():
    """`log_kernel` + `log_carrier` is the log density, and the carrier takes only the parameters it names."""
    split = [c for c in all_cases() if c.family.carrier is not None]
    assert {c.name for c in split} == {"Poisson", "Binomial", "BetaBinomial", "NegativeBinomial"}
    for case in split:
        x, values = case.draws(9), dict(zip([p.name for p in case.family.parameters], case.parameters, strict=True))
        carrier = case.family.log_carrier(NUMPY, x, *(values[name] for name in case.family.carrier))
        kernel = case.family.log_kernel(NUMPY, x, *values.values())
        np.testing.assert_allclose(kernel + carrier, case.family.log_density(NUMPY, x, *values.values()), rtol=1e-13)


def test_unnamed_distributions_are_checked_and_may_use_data():
    with pytest.raises(DataError, match="'sigma' of Normal"):
        pm.Normal.dist(0, -1)
    with pm.Model():
        scale = pm.Data("scale", 2.0)
        node = pm.HalfNormal.dist(scale)
    assert isinstance(node, Random) and isinstance(node.parameters[0], Data)


@pytest.mark.parametrize("room", ["real", "positive", "interval", "discrete", "multivariate"])
def test_examples_in_the_docs_run(room):
    module = importlib.import_module(f"finetti.distributions.{room}")
    results = doctest.testmod(module)
    assert results.attempted > 0 and results.failed == 0


@pytest.mark.parametrize("name", sorted(n for n, f in REGISTRY.items() if f.__module__.startswith("finetti.")))
def test_every_family_is_documented(name):
    doc = REGISTRY[name].__doc__
    assert "Example:" in doc and ">>>" in doc
