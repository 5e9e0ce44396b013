"""Laws made of laws against SciPy's pieces put together by hand, under both namespaces; their draws; their errors."""

from __future__ import annotations

import pickle

import jax
import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

import finetti as pm
from finetti.density import density_of
from finetti.distributions.laws import everywhere
from finetti.errors import DataError, ModelError, ShapeError
from finetti.model.evaluate import static_value
from finetti.model.namespace import NUMPY, jax_namespace

QUIET = {"progressbar": False, "random_seed": 2}

TRUNCATED = {
    "normal, both": (lambda: (pm.Normal.dist(1, 2), -0.5, 1.5), stats.norm(1, 2)),
    "normal, above": (lambda: (pm.Normal.dist(1, 2), 3.0, None), stats.norm(1, 2)),
    "normal, below": (lambda: (pm.Normal.dist(1, 2), None, 0.5), stats.norm(1, 2)),
    "normal, far above": (lambda: (pm.Normal.dist(0, 1), 12.0, None), stats.norm(0, 1)),
    "normal, far below": (lambda: (pm.Normal.dist(0, 1), -14.0, -12.0), stats.norm(0, 1)),
    "normal, not at all": (lambda: (pm.Normal.dist(0, 1), None, None), stats.norm(0, 1)),
    "cauchy": (lambda: (pm.Cauchy.dist(0, 1), 2.0, None), stats.cauchy(0, 1)),
    "gamma": (lambda: (pm.Gamma.dist(2, 0.5), 1.0, 6.0), stats.gamma(2, scale=2)),
    "gamma, below 0": (lambda: (pm.Gamma.dist(2, 0.5), -1.0, None), stats.gamma(2, scale=2)),
    "half-normal, from above": (lambda: (pm.HalfNormal.dist(3), None, 2.0), stats.halfnorm(scale=3)),
    "pareto": (lambda: (pm.Pareto.dist(1.5, 2.0), None, 9.0), stats.pareto(1.5, scale=2)),
    "poisson": (lambda: (pm.Poisson.dist(2.5), 1, None), stats.poisson(2.5)),
    "poisson, both": (lambda: (pm.Poisson.dist(9.0), 3, 7), stats.poisson(9)),
    "geometric": (lambda: (pm.Geometric.dist(0.3), 2, 20), stats.geom(0.3)),
}
every_truncated = pytest.mark.parametrize(("made", "whole"), TRUNCATED.values(), ids=TRUNCATED)


def values_of(node) -> list[np.ndarray]:
    return [np.asarray(static_value(p, {}), float) for p in node.parameters]


def between(whole, lower, upper, discrete: bool):
    """Log density of SciPy's law between two bounds, by its log cdf or log sf."""
    lower, upper = -np.inf if lower is None else lower, np.inf if upper is None else upper
    under = lower - 1 if discrete else lower
    by_cdf = whole.logcdf(upper) + np.log1p(-np.exp(whole.logcdf(under) - whole.logcdf(upper)))
    by_sf = whole.logsf(under) + np.log1p(-np.exp(whole.logsf(upper) - whole.logsf(under)))
    mass = by_cdf if whole.cdf(under) < 0.5 else by_sf

    def log_density(x):
        inside = (x >= lower) & (x <= upper)
        return np.where(inside, (whole.logpmf if discrete else whole.logpdf)(x) - mass, -np.inf)

    return log_density


@every_truncated
def test_a_truncated_density_is_scipys_over_the_mass(made, whole):
    dist, lower, upper = made()
    node = pm.Truncated.dist(dist, lower, upper)
    low, high = -20.0 if lower is None else lower - 1, 20.0 if upper is None else upper + 1
    x = np.arange(np.floor(low), np.ceil(high)) if node.family.discrete else np.linspace(low, high, 400)
    with np.errstate(all="ignore"):
        right = between(whole, lower, upper, node.family.discrete)(x)
        found = everywhere(node.family, NUMPY, x, values_of(node))
        with jax.enable_x64(True):
            in_jax = everywhere(node.family, jax_namespace(), x, values_of(node))
    np.testing.assert_allclose(found, right, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(in_jax, right, rtol=1e-9, atol=1e-10)


@every_truncated
def test_truncated_draws_are_of_that_law(made, whole):
    """By their probabilities; with 14 laws a false alarm comes once in 7,000 changes of the seed."""
    dist, lower, upper = made()
    node = pm.Truncated.dist(dist, lower, upper)
    draws = node.family.draw(np.random.default_rng(1), (4000,), *(v[None] for v in values_of(node)))
    lower, upper = -np.inf if lower is None else lower, np.inf if upper is None else upper
    assert ((draws >= lower) & (draws <= upper)).all()
    if node.family.discrete:
        k = np.arange(draws.min(), draws.max() + 1)
        expected = np.exp(between(whole, lower, upper, True)(k)) * len(draws)
        kept = expected > 5
        observed = np.array([(draws == value).sum() for value in k])
        statistic = ((observed - expected)[kept] ** 2 / expected[kept]).sum()
        assert stats.chi2.sf(statistic, kept.sum()) > 1e-5
    else:
        log_from_above = whole.logsf(draws) - whole.logsf(lower)
        share = -np.expm1(log_from_above) if np.isinf(upper) else (
            (whole.cdf(draws) - whole.cdf(lower)) / (whole.cdf(upper) - whole.cdf(lower))
        )  # fmt: skip
        assert stats.kstest(share, "uniform").pvalue > 1e-5


def test_a_truncated_unknown_has_its_posterior():
    """Random bounds and parameters, against a dense sum; five standard errors."""
    with pm.Model() as model:
        scale = pm.HalfNormal("scale", 2)
        x = pm.Truncated("x", pm.Normal.dist(0, scale), lower=-scale, upper=1.0)
        pm.Normal("y", x, 0.5, observed=0.4)
    trace = pm.sample(2000, model=model, **QUIET)
    s, at = np.meshgrid(np.linspace(0.001, 12, 1200), np.linspace(-12, 1, 2601), indexing="ij")
    log_p = stats.halfnorm.logpdf(s, scale=2) + stats.norm.logpdf(0.4, at, 0.5)
    mass = stats.norm.cdf(1 / s) - stats.norm.cdf(-1)
    log_p = log_p + np.where(at >= -s, stats.norm.logpdf(at, 0, s) - np.log(mass), -np.inf)
    weight = np.exp(log_p - log_p.max())
    for name, value in (("scale", s), ("x", at)):
        mean = (weight * value).sum() / weight.sum()
        sd = np.sqrt((weight * (value - mean) ** 2).sum() / weight.sum())
        assert abs(trace[name].mean() - mean) < 5 * sd / np.sqrt(1000)
        assert trace[name].std() == pytest.approx(sd, rel=0.1)


@pytest.mark.parametrize(("dist", "whole", "lower", "upper"), [
    (lambda: pm.Normal.dist(1, 2), stats.norm(1, 2), -1.0, 2.5), (lambda: pm.Weibull.dist(1.5, 4), None, None, 5.0),
    (lambda: pm.Poisson.dist(3.0), stats.poisson(3), 2, 5), (lambda: pm.Exponential.dist(0.5), None, 1.0, None),
])  # fmt: skip
def test_a_censored_density_has_the_mass_beyond_at_its_bounds(dist, whole, lower, upper):
    whole = whole or (stats.weibull_min(1.5, scale=4) if lower is None else stats.expon(scale=2))
    x = np.array([v for v in (lower, 2.0, upper) if v is not None])
    with pm.Model():
        node = pm.Censored("y", dist(), lower, upper, observed=x)
    discrete = node.family.discrete
    right = (whole.logpmf if discrete else whole.logpdf)(x)
    right = np.where(x == lower, whole.logcdf(lower), right) if lower is not None else right
    if upper is not None:
        right = np.where(x == upper, whole.logsf(upper - 1 if discrete else upper), right)
    np.testing.assert_allclose(node.family.log_density(NUMPY, x, *values_of(node)), right, rtol=1e-9)
    with jax.enable_x64(True):
        np.testing.assert_allclose(node.family.log_density(jax_namespace(), x, *values_of(node)), right, rtol=1e-9)


def test_censored_survival_has_the_posterior_of_its_closed_form():
    """Exponential times with rate from Gamma(2, 1): events and total time; five standard errors."""
    times = np.array([0.5, 2.0, 3.0, 3.0, 1.2, 3.0])
    with pm.Model() as model:
        rate = pm.Gamma("rate", 2, 1)
        pm.Censored("t", pm.Exponential.dist(rate), upper=3.0, observed=times)
    trace = pm.sample(2000, model=model, **QUIET)
    right = stats.gamma(2 + 3, scale=1 / (1 + times.sum()))
    assert abs(trace["rate"].mean() - right.mean()) < 5 * right.std() / np.sqrt(4000)
    assert trace["rate"].std() == pytest.approx(right.std(), rel=0.08)


@every_truncated
def test_cumulative_probabilities_and_means_of_truncated_laws(made, whole):
    """Against SciPy's over the mass between the bounds, and its integral or sum; a Cauchy's tail has no mean."""
    dist, lower, upper = made()
    node = pm.Truncated.dist(dist, lower, upper)
    values, tails = values_of(node), node.family.tails
    low, high = -np.inf if lower is None else lower, np.inf if upper is None else upper
    start = low - 1 if node.family.discrete else low
    x = np.arange(0.0, 22) if node.family.discrete else np.linspace(max(low, -15) - 1, min(high, 15) + 1, 41)
    with np.errstate(all="ignore"):
        share = (whole.sf(start) - whole.sf(x)) / (whole.sf(start) - whole.sf(high))
        right = np.where(x < low, 0.0, np.where(x >= high, 1.0, share))
        below, above = (np.exp(f(NUMPY, x, *values)) for f in tails)
    if lower is None or abs(lower) < 9:  # SciPy's differences hold nothing farther out
        np.testing.assert_allclose(below, right, atol=1e-9)
    np.testing.assert_allclose(below + above, 1.0, atol=1e-9)
    if "cauchy" not in whole.dist.name and (lower is None or abs(lower) < 9):
        mean = whole.expect(lambda v: v, lb=lower, ub=upper, conditional=True)
        assert float(node.family.mean(NUMPY, *values)) == pytest.approx(mean, rel=1e-4)


def test_a_truncated_mixture_and_a_truncated_truncated_law():
    parts = [stats.norm(0, 1), stats.norm(4, 0.5)]
    mixed = pm.NormalMixture.dist([0.3, 0.7], [0.0, 4.0], [1.0, 0.5])
    node = pm.Truncated.dist(mixed, lower=-0.5, upper=4.2)
    x = np.linspace(-0.4, 4.1, 30)

    def cdf(v):
        return 0.3 * parts[0].cdf(v) + 0.7 * parts[1].cdf(v)

    right = np.log((0.3 * parts[0].pdf(x) + 0.7 * parts[1].pdf(x)) / (cdf(4.2) - cdf(-0.5)))
    np.testing.assert_allclose(everywhere(node.family, NUMPY, x, values_of(node)), right, rtol=1e-9)
    draws = node.family.draw(np.random.default_rng(1), (4000,), *(v[None] for v in values_of(node)))
    assert stats.kstest(draws, lambda v: (cdf(v) - cdf(-0.5)) / (cdf(4.2) - cdf(-0.5))).pvalue > 1e-4
    assert float(mixed.family.mean(NUMPY, *values_of(mixed))) == pytest.approx(0.7 * 4.0)
    twice = pm.Truncated.dist(pm.Truncated.dist(pm.Normal.dist(0, 1), lower=-1.0), upper=2.0)
    once = pm.Truncated.dist(pm.Normal.dist(0, 1), lower=-1.0, upper=2.0)
    x = np.linspace(-2, 3, 41)
    found, expected = (everywhere(n.family, NUMPY, x, values_of(n)) for n in (twice, once))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


W = np.array([0.2, 0.5, 0.3])
MIXTURES = {
    "a list": (
        lambda: pm.Mixture.dist(W, [pm.Normal.dist(-1, 1), pm.StudentT.dist(4, 0, 2), pm.HalfNormal.dist(3)]),
        [stats.norm(-1, 1), stats.t(4, 0, 2), stats.halfnorm(scale=3)],
    ),
    "the last axis": (
        lambda: pm.Mixture.dist(W, pm.Normal.dist(np.array([-1.0, 0.0, 4.0]), 2.0)),
        [stats.norm(m, 2) for m in (-1, 0, 4)],
    ),
    "normals": (
        lambda: pm.NormalMixture.dist(W, [-1.0, 0.0, 4.0], [1.0, 2.0, 0.5]),
        [stats.norm(-1, 1), stats.norm(0, 2), stats.norm(4, 0.5)],
    ),
    "counts": (
        lambda: pm.Mixture.dist(W, [pm.Poisson.dist(1.0), pm.Poisson.dist(9.0), pm.Geometric.dist(0.2)]),
        [stats.poisson(1), stats.poisson(9), stats.geom(0.2)],
    ),
    "counts, the last axis": (
        lambda: pm.Mixture.dist(W, pm.Binomial.dist(n=12, p=np.array([0.1, 0.5, 0.9]))),
        [stats.binom(12, p) for p in (0.1, 0.5, 0.9)],
    ),
    "positive": (
        lambda: pm.Mixture.dist(W, [pm.Exponential.dist(1), pm.Gamma.dist(3, 1), pm.LogNormal.dist(0, 1)]),
        [stats.expon(), stats.gamma(3), stats.lognorm(1)],
    ),
    "with a component of weight 0": (
        lambda: pm.Mixture.dist([1.0, 0.0], [pm.Normal.dist(0, 1), pm.Normal.dist(9, 1)]), [stats.norm(0, 1)] * 2,
    ),
    "of made ones": (
        lambda: pm.Mixture.dist(W, [
            pm.Truncated.dist(pm.Normal.dist(0, 1), lower=0.0), pm.NormalMixture.dist([0.5, 0.5], [0.0, 2.0]),
            pm.Uniform.dist(-3, 3),
        ]),
        None,
    ),
}  # fmt: skip
every_mixture = pytest.mark.parametrize(("made", "parts"), MIXTURES.values(), ids=MIXTURES)


@every_mixture
def test_a_mixtures_density_is_the_weighted_sum(made, parts):
    node = made()
    w, *_ = values_of(node)
    x = np.arange(0.0, 15) if node.family.discrete else np.linspace(-6, 8, 142)  # without an edge at 0
    if parts is None:
        half = 2 * stats.norm.pdf(x) * (x >= 0)
        two = 0.5 * stats.norm.pdf(x) + 0.5 * stats.norm.pdf(x, 2)
        right = np.log(0.2 * half + 0.5 * two + 0.3 * (np.abs(x) <= 3) / 6)
    else:
        logs = np.stack([(p.logpmf if node.family.discrete else p.logpdf)(x) for p in parts], axis=-1)
        right = logsumexp(logs, b=w, axis=-1)
    with np.errstate(all="ignore"), jax.enable_x64(True):
        found = everywhere(node.family, NUMPY, x, values_of(node))
        in_jax = everywhere(node.family, jax_namespace(), x, values_of(node))
        slopes = jax.vmap(jax.grad(lambda v: everywhere(node.family, jax_namespace(), v, values_of(node))))(x)
    np.testing.assert_allclose(found, right, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(in_jax, right, rtol=1e-9, atol=1e-12)
    assert np.isfinite(slopes[np.isfinite(right)]).all()


@every_mixture
def test_a_mixtures_draws_have_its_probabilities(made, parts):
    """A false alarm in 10,000 for each."""
    node = made()
    draws = node.family.draw(np.random.default_rng(3), (4000,), *(v[None] for v in values_of(node)))
    if parts is None:
        parts = [stats.halfnorm(), None, stats.uniform(-3, 6)]
    w = values_of(node)[0]

    def cdf(x):
        inner = 0.5 * stats.norm.cdf(x) + 0.5 * stats.norm.cdf(x, 2)
        return sum(v * (inner if part is None else part.cdf(x)) for v, part in zip(w, parts, strict=True))

    if node.family.discrete:
        gaps = [(draws <= k).mean() - cdf(k) for k in range(15)]
        assert np.abs(gaps).max() < 4.4 * 0.5 / np.sqrt(len(draws))
    else:
        assert stats.kstest(draws, cdf).pvalue > 1e-4


def test_a_mixture_of_vectors():
    chol = np.array([[1.0, 0.0], [0.5, 2.0]])
    parts = [pm.MvNormal.dist([0.0, 0.0], chol=chol), pm.MvNormal.dist([3.0, -1.0], chol=np.eye(2))]
    y = np.random.default_rng(1).normal(size=(5, 2))
    with pm.Model():
        node = pm.Mixture("y", [0.3, 0.7], parts, observed=y)
    right = np.log(
        0.3 * stats.multivariate_normal([0, 0], chol @ chol.T).pdf(y)
        + 0.7 * stats.multivariate_normal([3, -1], np.eye(2)).pdf(y)
    )
    assert node.shape == (5, 2)
    np.testing.assert_allclose(node.family.log_density(NUMPY, y, *values_of(node)), right, rtol=1e-9)


def test_rows_with_weights_and_components_of_their_own():
    rng = np.random.default_rng(2)
    w, mu, y = rng.dirichlet([1, 1, 1], size=7), rng.normal(size=(7, 3)), rng.normal(size=7)
    with pm.Model():
        node = pm.NormalMixture("y", w, mu, 0.5, observed=y)
    right = np.log((w * stats.norm.pdf(y[:, None], mu, 0.5)).sum(axis=1))
    np.testing.assert_allclose(node.family.log_density(NUMPY, y, *values_of(node)), right, rtol=1e-9)
    assert node.shape == (7,)


def test_a_mixture_has_the_posterior_of_a_dense_sum():
    """Weight and mean of the second component; five standard errors at half the draws."""
    y = np.array([-0.5, 0.2, 0.1, 2.5, 3.1, 2.2, -1.0, 2.9])
    with pm.Model() as model:
        share, far = pm.Beta("share", 2, 2), pm.Normal("far", 3, 1)
        w = pm.math.stack([1 - share, share])
        pm.Mixture("y", w, [pm.Normal.dist(0, 1), pm.Normal.dist(far, 0.5)], observed=y)
    trace = pm.sample(2000, model=model, **QUIET)
    s, m = np.meshgrid(np.linspace(0.001, 0.999, 500), np.linspace(-2, 7, 900), indexing="ij")
    log_p = stats.beta.logpdf(s, 2, 2) + stats.norm.logpdf(m, 3, 1)
    for value in y:
        log_p = log_p + np.log((1 - s) * stats.norm.pdf(value) + s * stats.norm.pdf(value, m, 0.5))
    weight = np.exp(log_p - log_p.max())
    for name, value in (("share", s), ("far", m)):
        mean = (weight * value).sum() / weight.sum()
        sd = np.sqrt((weight * (value - mean) ** 2).sum() / weight.sum())
        assert abs(trace[name].mean() - mean) < 5 * sd / np.sqrt(4000)


def everything() -> pm.Model:
    with pm.Model(coords={"row": 4}) as model:
        w, scale = pm.Dirichlet("w", [1.0, 2.0]), pm.Normal("scale", 1, 2)
        x = pm.Truncated("x", pm.Normal.dist(0, 1), lower=-1, dims="row")
        z = pm.Mixture("z", [0.3, 0.7], [pm.Normal.dist(0, 1), pm.HalfNormal.dist(2)], initval=0.5)
        parts = [pm.Normal.dist(x, scale), pm.StudentT.dist(4, z, 1)]
        pm.Mixture("y", w, parts, observed=[0.1, 2.0, -1.0, 0.5], dims="row")
        pm.Censored("t", pm.Exponential.dist(pm.math.exp(z)), upper=2.0, observed=[0.5, 2.0])
    return model


def test_a_component_outside_its_domain_has_density_zero():
    model = everything()
    guards = density_of(model, pm.plan(model).reductions).guards
    names = {name for needed in guards.values() for guard in needed for name in guard.names}
    assert names == {"sigma of component 0"}
    assert "nothing keeps sigma of component 0 of 'y' (Mixture) positive and finite" in str(pm.plan(model))
    trace = pm.sample(200, model=model, **QUIET)
    assert (trace["scale"] > 0).all() and (trace["x"] >= -1).all()


def test_words_plan_rebuilding_and_pickle():
    model = everything()
    assert "y     ~ Mixture(w, Normal(mu=x, sigma=scale), StudentT(nu=4, mu=z, sigma=1))" in str(model)
    assert "x     ~ Truncated(Normal(mu=0, sigma=1), lower=-1)" in str(model)
    assert "t     ~ Censored(Exponential(lam=exp(z)), upper=2)" in str(model)
    assert r"\mathrm{Mixture}" in model._repr_latex_()
    longer = pm.rebuild(model, {"y": np.zeros(6)}, coords={"row": 6})
    assert longer["x"].shape == (6,) and longer.initvals["z"] == 0.5
    copy = pickle.loads(pickle.dumps(model))
    flat = np.random.default_rng(1).normal(size=(3, density_of(model).size))
    values = [density_of(m)(flat, density_of(m).batched_arguments(), lead=1) for m in (model, copy)]
    np.testing.assert_array_equal(*values)


@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda: pm.Mixture("y", [0.5, 0.6], [pm.Normal.dist(0, 1)] * 2), DataError, "'w' of 'y' .Mixture. must be probab"),
    (lambda: pm.Mixture("y", [1.0], [pm.Normal.dist(0, 1)] * 2), ShapeError, r"2 components, but 'w' has shape \(1,\)"),
    (lambda: pm.Mixture("y", [0.5, 0.5], pm.Normal.dist(np.zeros(3), 1)), ShapeError, "'mu' of the components has"),
    (lambda: pm.Mixture("y", [0.5, 0.5], [pm.Normal.dist(0, 1), pm.Poisson.dist(1)]), ModelError, "mixes counts"),
    (lambda: pm.Mixture("y", [0.5, 0.5], [pm.Normal("a", 0, 1), pm.Normal.dist(0, 1)]), ModelError,
     "unnamed distributions.*got the variable 'a'"),
    (lambda: pm.Mixture("y", [0.5, 0.5], [1.0, 2.0]), ModelError, "unnamed distributions.*got 1.0"),
    (lambda: pm.Mixture("y", [], []), ModelError, "no components"),
    (lambda: pm.Mixture("y", [0.5, 0.5], [pm.Normal.dist(0, 1, shape=3), pm.Normal.dist(0, 1)]), ShapeError,
     "give `shape=`"),
    (lambda: pm.NormalMixture("y", [0.5, 0.5], [0.0, 1.0], -1.0), DataError, "'sigma' of Normal must be positive"),
    (lambda: pm.Truncated("y", pm.Beta.dist(2, 2), lower=0.1), ModelError, "Beta cannot be truncated.*cdf is not"),
    (lambda: pm.Truncated("y", pm.Uniform.dist(0, 1), lower=0.1), ModelError, "Uniform has bounds of its own"),
    (lambda: pm.Truncated("y", pm.Normal.dist(0, 1), lower=2, upper=1), DataError, "lower < upper, but lower is 2"),
    (lambda: pm.Truncated("y", pm.Normal.dist(0, 1), lower=np.nan), DataError, "'lower' of 'y'.*nan"),
    (lambda: pm.Truncated("y", pm.Normal("a", 0, 1), lower=0), ModelError, "got the variable 'a'"),
    (lambda: pm.Truncated("y", pm.Poisson.dist(2), lower=1, observed=[0, 2]), DataError,
     "data of 'y' must be.*row 0 is 0"),
    (lambda: pm.Truncated("y", pm.Poisson.dist(2), lower=1), ModelError,
     "'y' .Truncated. is discrete and has no data"),
    (lambda: pm.Censored("y", pm.Normal.dist(0, 1), upper=1.0), ModelError, "'y' .Censored. has no data"),
    (lambda: pm.Censored("y", pm.Normal.dist(0, 1), upper=1.0, observed=[0.5, 1.5]), DataError, "row 1 is 1.5"),
])  # fmt: skip
def test_errors_speak_of_what_the_user_wrote(call, error, words):
    with pm.Model(), pytest.raises(error, match=words):
        call()
