"""Distributions that a user writes, against SciPy's and the built-in ones; what is wrong with one is said."""

from __future__ import annotations

import pickle

import jax
import numpy as np
import pytest
from scipy import stats

import finetti as pm
from finetti.distributions.laws import everywhere
from finetti.errors import ArgumentError, DataError, ModelError, ShapeError
from finetti.model.evaluate import static_value
from finetti.model.namespace import NUMPY, jax_namespace

QUIET = {"progressbar": False, "random_seed": 3}


def gumbel(value, mu, beta):
    z = (value - mu) / beta
    return -z - pm.math.exp(-z) - pm.math.log(beta)


def gumbel_draws(mu, beta, rng=None, size=None):
    return rng.gumbel(mu, beta, size)


def gumbel_cdf(value, mu, beta):
    return -pm.math.exp(-(value - mu) / beta)


def lomax(value, shape):
    return pm.math.log(shape) - (shape + 1) * pm.math.log1p(value)


def zero_inflated(value, psi, mu):
    """A Poisson that is 0 with probability 1 - psi besides."""
    poisson = value * pm.math.log(mu) - mu - pm.math.gammaln(value + 1)
    at_zero = pm.math.logaddexp(pm.math.log1p(-psi), pm.math.log(psi) - mu)
    return pm.math.where(value == 0, at_zero, pm.math.log(psi) + poisson)


def kumaraswamy(value, a, b):
    return pm.math.log(a) + pm.math.log(b) + (a - 1) * pm.math.log(value) + (b - 1) * pm.math.log1p(-(value**a))


LAWS = {
    "gumbel": (lambda: pm.CustomDist.dist(1.0, 2.0, logp=gumbel), np.linspace(-6, 9, 40), stats.gumbel_r(1, 2).logpdf),
    "lomax": (lambda: pm.CustomDist.dist(1.5, logp=lomax, support="positive"), np.linspace(0.1, 9, 40),
              stats.lomax(1.5).logpdf),
    "zero-inflated": (
        lambda: pm.CustomDist.dist(0.7, 2.5, logp=zero_inflated, support="counts"), np.arange(12.0),
        lambda k: np.log(0.7 * stats.poisson(2.5).pmf(k) + 0.3 * (k == 0)),
    ),
    "kumaraswamy": (
        lambda: pm.CustomDist.dist(2.0, 3.0, logp=kumaraswamy, support="unit"), np.linspace(0.05, 0.95, 19),
        lambda x: np.log(6 * x * (1 - x**2) ** 2),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("made", "x", "right"), LAWS.values(), ids=LAWS)
def test_it_is_scipys_under_both_namespaces(made, x, right):
    node = made()
    values = [np.asarray(static_value(p, {}), float) for p in node.parameters]
    np.testing.assert_allclose(everywhere(node.family, NUMPY, x, values), right(x), rtol=1e-10)
    with jax.enable_x64(True):
        found = everywhere(node.family, jax_namespace(), x, values)
        slopes = jax.vmap(jax.grad(lambda v: everywhere(node.family, jax_namespace(), v, values)))(x)
    np.testing.assert_allclose(found, right(x), rtol=1e-10)
    assert np.isfinite(slopes).all()
    outside = -1.0 if node.family.support.ends[0] == 0 else np.inf
    assert everywhere(node.family, NUMPY, np.array(outside), values) == -np.inf


def regression(law) -> pm.Model:
    """Gumbel rows in three groups, with dims; 40 rows."""
    rng = np.random.default_rng(1)
    group = np.arange(40) % 3
    y = rng.gumbel(np.array([0.0, 1.0, 3.0])[group], 1.5)
    with pm.Model(coords={"group": ["a", "b", "c"]}) as model:
        mu, beta = pm.Normal("mu", 0, 5, dims="group"), pm.HalfNormal("beta", 3)
        law("y", mu[group], beta, observed=y)
    return model


def test_a_posterior_is_that_of_the_family():
    """The same density, so the same draws; to rounding, which a chain makes larger."""
    own = regression(lambda *a, **k: pm.CustomDist(*a, logp=gumbel, **k))
    known = regression(pm.Gumbel)
    one, other = (pm.sample(1000, model=model, **QUIET) for model in (own, known))
    for name in ("mu", "beta"):
        a, b = one[name], other[name]
        assert np.abs(a.mean(axis=0) - b.mean(axis=0)).max() < 6 * np.max(b.std(axis=0)) * np.sqrt(2 / 400)
        np.testing.assert_allclose(a.std(axis=0), b.std(axis=0), rtol=0.2)


@pytest.mark.parametrize("random", [gumbel_draws, None])
def test_as_an_unknown_it_has_its_moments(random):
    """With draws and without, from a dense sum; five standard errors at half the draws."""
    with pm.Model() as model:
        x = pm.CustomDist("x", 1.0, 2.0, logp=gumbel, random=random)
        pm.Normal("y", x, 1.0, observed=3.0)
    trace = pm.sample(2000, model=model, **QUIET)
    at = np.linspace(-20, 30, 20001)
    weight = np.exp(stats.gumbel_r(1, 2).logpdf(at) + stats.norm.logpdf(3.0, at, 1))
    mean = (weight * at).sum() / weight.sum()
    sd = np.sqrt((weight * (at - mean) ** 2).sum() / weight.sum())
    assert abs(trace["x"].mean() - mean) < 5 * sd / np.sqrt(4000)
    assert trace["x"].std() == pytest.approx(sd, rel=0.06)
    assert trace.attrs["sampler"] == "quadrature"


def test_zero_inflation_against_a_dense_sum():
    y = np.array([0, 0, 0, 4, 2, 0, 3, 0, 5, 1])
    with pm.Model() as model:
        psi, mu = pm.Beta("psi", 2, 2), pm.Gamma("mu", 2, 1)
        pm.CustomDist("y", psi, mu, logp=zero_inflated, support="counts", observed=y)
    trace = pm.sample(2000, model=model, **QUIET)
    p, m = np.meshgrid(np.linspace(0.001, 0.999, 600), np.linspace(0.01, 14, 1200), indexing="ij")
    log_p = stats.beta.logpdf(p, 2, 2) + stats.gamma.logpdf(m, 2)
    for k in y:
        log_p = log_p + np.log(p * stats.poisson.pmf(k, m) + (1 - p) * (k == 0))
    weight = np.exp(log_p - log_p.max())
    for name, value in (("psi", p), ("mu", m)):
        mean = (weight * value).sum() / weight.sum()
        sd = np.sqrt((weight * (value - mean) ** 2).sum() / weight.sum())
        assert abs(trace[name].mean() - mean) < 5 * sd / np.sqrt(4000)


def test_in_mixtures_truncated_and_censored():
    x = np.linspace(-1.5, 4, 23)
    whole = stats.gumbel_r(1, 2)

    def made():
        return pm.CustomDist.dist(1.0, 2.0, logp=gumbel, logcdf=gumbel_cdf, random=gumbel_draws)

    mixed = pm.Mixture.dist([0.4, 0.6], [made(), pm.Normal.dist(0, 1)])
    cut = pm.Truncated.dist(made(), lower=-2.0, upper=5.0)
    for node, right in (
        (mixed, np.log(0.4 * whole.pdf(x) + 0.6 * stats.norm.pdf(x))),
        (cut, whole.logpdf(x) - np.log(whole.cdf(5) - whole.cdf(-2))),
    ):
        values = [np.asarray(static_value(p, {}), float) for p in node.parameters]
        np.testing.assert_allclose(everywhere(node.family, NUMPY, x, values), right, rtol=1e-9)
        draws = node.family.draw(np.random.default_rng(1), (3000,), *(v[None] for v in values))
        assert np.isfinite(draws).all() and draws.shape == (3000,)
    with pm.Model():
        y = pm.Censored("y", made(), upper=3.0, observed=[1.0, 3.0])
    values = [np.asarray(static_value(p, {}), float) for p in y.parameters]
    right = [whole.logpdf(1.0), whole.logsf(3.0)]
    np.testing.assert_allclose(y.family.log_density(NUMPY, np.array([1.0, 3.0]), *values), right, rtol=1e-9)


def test_truncated_where_its_own_support_ends_above():
    def logcdf(value, a, b):
        return pm.math.log1p(-((1 - value**a) ** b))

    law = pm.CustomDist.dist(2.0, 3.0, logp=kumaraswamy, logcdf=logcdf, support="unit")
    with pm.Model():
        x = pm.Truncated("x", law, lower=0.4)
        trace = pm.sample(1000, **QUIET)
    at = np.linspace(0.4, 1, 10001)
    weight = 6 * at * (1 - at**2) ** 2
    mean = (weight * at).sum() / weight.sum()
    assert ((trace["x"] > 0.4) & (trace["x"] < 1)).all() and trace["x"].mean() == pytest.approx(mean, abs=0.02)
    assert x.family.support_of(x.parameters).ends[0] == "lower"


def test_functions_of_jax():
    """`i0e` is not in `math`."""
    from jax.scipy.special import i0e

    def von_mises(value, mu, kappa):
        return kappa * (pm.math.cos(value - mu) - 1) - pm.math.log(2 * np.pi * pm.wrap(i0e)(kappa))

    node = pm.CustomDist.dist(0.5, 2.0, logp=von_mises)
    x = np.linspace(-3, 3, 13)
    values = [np.asarray(static_value(p, {}), float) for p in node.parameters]
    np.testing.assert_allclose(node.family.log_density(NUMPY, x, *values), stats.vonmises(2, 0.5).logpdf(x), rtol=1e-6)


def test_words_rebuilding_and_pickle():
    model = regression(lambda *a, **k: pm.CustomDist(*a, logp=gumbel, **k))
    assert "y    ~ CustomDist(mu=mu[array(40)], beta=beta)" in str(model)
    longer = pm.rebuild(model, coords={"group": ["a", "b", "c", "d"]})
    assert longer["mu"].shape == (4,)
    copy = pickle.loads(pickle.dumps(model))
    assert copy["y"].family == model["y"].family


def mixes(value, mu):
    return pm.math.sum(-((value - mu) ** 2))


def wrong_shape(value, mu):
    return -((value - mu) ** 2)[None]


def fails(value, mu):
    return value.no_such_thing


def by_jax(value, mu):
    import jax.numpy as jnp

    return -jnp.square(value - mu)


def wrapped_that_mixes(value, mu):
    return pm.wrap(lambda v, m: -((v - m) ** 2) - v.sum())(value, mu)


def good(value, mu):
    return -((value - mu) ** 2)


@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda m: pm.CustomDist("y", 0.0, observed=1.0), ModelError, "'y' .CustomDist. needs a function for 'logp'"),
    (lambda m: pm.CustomDist("y", 0.0, logp=3, observed=1.0), ModelError, "function for 'logp'.*got 3"),
    (lambda m: pm.CustomDist("y", 0.0, logp=good, random=3), ModelError, "function for 'random'.*got 3"),
    (lambda m: pm.CustomDist("y", np.zeros(3), logp=mixes), ModelError, "'logp' of 'y'.*uses sum, which mixes"),
    (lambda m: pm.CustomDist("y", 0.0, logp=wrong_shape), ModelError, "'logp' of 'y'.*getitem|reshape"),
    (lambda m: pm.CustomDist("y", 0.0, logp=lambda v, m: 0.0 * m.shape[0]), ModelError, "'y'.*failed: IndexE"),
    (lambda m: pm.CustomDist("y", np.zeros(3), logp=lambda v, m: 0.0), ShapeError, r"gives shape \(\) for .* \(3,\)"),
    (lambda m: pm.CustomDist("y", 0.0, logp=fails), ModelError, "'logp' of 'y'.*failed: .*no_such_thing"),
    (lambda m: pm.CustomDist("y", 0.0, logp=by_jax), ModelError, "'logp' of 'y'.*failed:.*finetti.math.*wrap"),
    (lambda m: pm.CustomDist("y", 0.0, logp=wrapped_that_mixes), ModelError, "for several values another result"),
    (lambda m: pm.CustomDist("y", 0.0, logp=lambda v: -v**2), ModelError, "'logp' of 'y'.*failed: TypeError"),
    (lambda m: pm.CustomDist("y", logp=lambda v: -((v - m["a"]) ** 2)), ModelError, "reads 'a' of the model. Pass it"),
    (lambda m: pm.CustomDist("y", logp=lambda v: -((v - m["d"]) ** 2)), ModelError, "reads 'd' of the model. Pass it"),
    (lambda m: pm.CustomDist("y", 0.0, logp=good, support="integers"), ModelError, "'support'.*one of 'real', 'posi"),
    (lambda m: pm.CustomDist("y", 0.0, logp=good, ndim_supp=1), ArgumentError, "no argument 'ndim_supp': values are n"),
    (lambda m: pm.CustomDist("y", 0.0, dist=good), ArgumentError, "no argument 'dist': write its log density"),
    (lambda m: pm.CustomDist("y", 1.0, logp=lomax, support="positive", observed=[1.0, -2.0]), DataError, "row 1 is -2"),
    (lambda m: pm.CustomDist("y", 0.0, logp=good, support="counts"), ModelError, "discrete and has no data"),
    (lambda m: pm.CustomDist("y", pm.Normal.dist(0, 1), logp=good), ModelError, "'mu' of 'y'.*unnamed distribution"),
    (lambda m: pm.Truncated("y", pm.CustomDist.dist(0.0, logp=good), lower=0), ModelError, "CustomDist cannot be"),
])  # fmt: skip
def test_what_is_wrong_is_said(call, error, words):
    with pm.Model() as model:
        pm.Normal("a", 0, 1)
        pm.Data("d", [1.0])
        with pytest.raises(error, match=words):
            call(model)


def test_draws_that_are_asked_for_and_not_there():
    node = pm.CustomDist.dist(0.0, logp=good)
    with pytest.raises(ModelError, match=r"without `random=` cannot be drawn from.*random\(mu, rng=None, size=None\)"):
        node.family.draw(np.random.default_rng(1), (3,), np.zeros(1))
    node = pm.CustomDist.dist(0.0, logp=good, random=lambda mu, rng=None, size=None: np.zeros(2))
    with pytest.raises(ShapeError, match=r"asked for size=\(3,\) and gave shape \(2,\)"):
        node.family.draw(np.random.default_rng(1), (3,), np.zeros(1))


def test_a_density_that_does_not_fall_is_improper():
    with pm.Model():
        x = pm.CustomDist("x", 0.0, logp=lambda v, mu: 0.0 * (v - mu))
        pm.Bernoulli("y", logit_p=x, observed=[1, 1])
        with pytest.raises(ModelError, match="neither the density of 'x' nor the data keep it from infinity"):
            pm.sample(20, **QUIET)
