"""Models whose posterior is known in closed form, sampled as written and in the geometry chosen for them.

Every mean must lie within 5 Monte Carlo standard errors: one false alarm in 1.7 million comparisons, of which there
are about 60. Seeded.
"""

from __future__ import annotations

import numpy as np
import pytest

import finetti as pm
from finetti.diagnostics.convergence import ess_bulk, mcse_mean, rhat

OPTIONS = {"draws": 2000, "tune": 500, "random_seed": 3, "progressbar": False}
Y = np.array([1.2, 0.7, 1.9, -0.4, 2.2])


@pytest.fixture(params=["auto", "as_written"])
def options(request):
    return {**OPTIONS, "geometry": request.param}


def assert_mean(draws, expected) -> None:
    """Of draws (chain, draw, ...), element by element."""
    draws = np.asarray(draws, float)
    flat, expected = draws.reshape(*draws.shape[:2], -1), np.ravel(expected)
    for k in range(flat.shape[2]):
        one = flat[..., k]
        assert rhat(one) < 1.02 and ess_bulk(one) > 400
        assert abs(one.mean() - expected[k]) < 5 * mcse_mean(one), f"element {k}: {one.mean()} for {expected[k]}"


def test_normal_mean_with_a_normal_prior(options):
    with pm.Model():
        mu = pm.Normal("mu", 2, 1)
        pm.Normal("y", mu, 2, observed=Y)
        mu = pm.sample(**options).posterior["mu"].values
    precision = 1 + len(Y) / 4
    expected = (2 + Y.sum() / 4) / precision
    assert_mean(mu, expected)
    assert_mean((mu - expected) ** 2, 1 / precision)


def test_new_data_move_the_posterior_and_what_depends_on_them(options):
    with pm.Model() as model:
        y = pm.Data("y", Y)
        mu = pm.Flat("mu")
        pm.Deterministic("residual", y - mu)
        pm.Normal("likelihood", mu, 1, observed=y)
    before = pm.sample(model=model, **options)
    model.set_data("y", Y + 100)
    after = pm.sample(model=model, **options)
    assert_mean(before.posterior["mu"].values, Y.mean())
    assert_mean(after.posterior["mu"].values, Y.mean() + 100)
    assert_mean(after.posterior["residual"].values, Y - Y.mean())
    np.testing.assert_array_equal(after.observed_data["likelihood"], Y + 100)
    np.testing.assert_array_equal(before.constant_data["y"], Y)


def test_a_potential_is_a_factor_of_the_density(options):
    """N(0, 1) times N(2, 1) is N(1, 1/sqrt(2))."""
    with pm.Model():
        a = pm.Normal("a", 0, 1, shape=3)
        pm.Potential("pull", -0.5 * (a - 2) ** 2)
        a = pm.sample(**options).posterior["a"].values
    assert_mean(a, [1, 1, 1])
    assert_mean((a - 1) ** 2, [0.5, 0.5, 0.5])


def test_flat_priors(options):
    """With p(mu, sigma) constant, 1/sigma^2 is Gamma((n - 2)/2, SS/2), and mu given sigma is normal around the mean."""
    y = np.concatenate([Y, Y + 0.3, Y - 1.1])
    with pm.Model():
        mu, sigma = pm.Flat("mu"), pm.HalfFlat("sigma")
        pm.Normal("y", mu, sigma, observed=y)
        trace = pm.sample(**options)
    squares = ((y - y.mean()) ** 2).sum()
    assert_mean(trace.posterior["mu"].values, y.mean())
    assert_mean(trace.posterior["sigma"].values ** -2.0, (len(y) - 2) / squares)


def test_multivariate_normal_prior(options):
    cov = np.array([[2.0, 0.8, 0.0], [0.8, 1.0, -0.3], [0.0, -0.3, 0.5]])
    with pm.Model():
        x = pm.MvNormal("x", np.zeros(3), cov=cov)
        pm.Normal("y", x, 1, observed=Y[:3])
        x = pm.sample(**options).posterior["x"].values
    after = np.linalg.inv(np.linalg.inv(cov) + np.eye(3))
    mean = after @ Y[:3]
    assert_mean(x, mean)
    assert_mean((x - mean)[..., :, None] * (x - mean)[..., None, :], after)


def test_lkj_correlations(options):
    """Each correlation of an LKJ(2) matrix of order 3 is 2 Beta(2.5, 2.5) - 1 (Lewandowski and others 2009, p. 1998),
    so its square has mean 1/6; the product of correlation matrix and scales is the covariance."""
    with pm.Model():
        pm.LKJCholeskyCov("chol", eta=2, n=3, sd_dist=pm.HalfNormal.dist(1))
        trace = pm.sample(**options)
    corr = trace.posterior["chol_corr"].values
    off = corr[..., [0, 0, 1], [1, 2, 2]]
    assert_mean(off, [0, 0, 0])
    assert_mean(off**2, [1 / 6] * 3)
    np.testing.assert_allclose(corr[..., [0, 1, 2], [0, 1, 2]], 1)
    chol, sd = trace.posterior["chol"].values, trace.posterior["chol_stds"].values
    np.testing.assert_allclose(chol @ np.swapaxes(chol, -1, -2), corr * sd[..., :, None] * sd[..., None, :], atol=1e-12)


def test_dirichlet_and_categorical(options):
    seen, a = np.array([0, 0, 2, 1, 2, 2, 0, 2]), np.array([1.0, 2.0, 0.5])
    with pm.Model():
        p = pm.Dirichlet("p", a)
        pm.Categorical("class", p=p, observed=seen)
        p = pm.sample(**options).posterior["p"].values
    after = a + np.bincount(seen)
    assert_mean(p, after / after.sum())


@pytest.mark.parametrize("observed", [[True, True, False, True], np.array([1, 1, 0, 1]), [1.0, 1.0, 0.0, 1.0]])
def test_truth_values_as_data(observed, options):
    with pm.Model():
        p = pm.Beta("p", 1, 1)
        pm.Bernoulli("y", p=p, observed=observed)
        p = pm.sample(**options).posterior["p"].values
    assert_mean(p, 4 / 6)


def test_a_wrapped_jax_function(options):
    def twice(x):
        import jax.numpy as jnp

        return jnp.concatenate([x, x])

    with pm.Model():
        mu = pm.Normal("mu", 0, 10, shape=2)
        pm.Normal("y", pm.wrap(twice)(mu), 1, observed=[1.0, 5.0, 2.0, 6.0])
        mu = pm.sample(**options).posterior["mu"].values
    assert_mean(mu, np.array([3.0, 11.0]) / (2 + 0.01))


def test_groups_by_an_index(options):
    """Means of groups with a fixed spread between them; the second group is empty and follows its prior."""
    group, y = np.array([0, 2, 2, 0, 0]), Y
    with pm.Model(coords={"group": ["a", "b", "c"]}):
        mean = pm.Normal("mean", 0, 2, dims="group")
        pm.Normal("y", mean[group], 1, observed=y)
        mean = pm.sample(**options).posterior["mean"].values
    count = np.bincount(group, minlength=3)
    assert_mean(mean, np.bincount(group, y, minlength=3) / (count + 0.25))


def test_a_million_rows():
    """A short run of a chain: the posterior is so narrow that the mean of few draws is the mean of the data."""
    y = np.random.default_rng(0).normal(3, 2, 1_000_000)
    with pm.Model():
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.HalfNormal("sigma", 5)
        pm.Normal("y", mu, sigma, observed=y)
        trace = pm.sample(20, tune=60, chains=1, random_seed=1, progressbar=False, geometry="as_written")
    assert abs(trace["mu"].mean() - y.mean()) < 0.02 and abs(trace["sigma"].mean() - y.std()) < 0.02


@pytest.mark.parametrize("seed", [1, 2])
def test_wide_priors_and_a_predictor_in_the_thousands(seed):
    """BUGS's salmonella: the means by quadrature with importance sampling; 6 standard errors at ESS 400."""
    dose = np.repeat([[0.0], [10], [33], [100], [333], [1000]], 3, axis=1)
    y = [[15, 21, 29], [16, 18, 21], [16, 26, 33], [27, 41, 60], [33, 38, 41], [20, 27, 42]]
    with pm.Model():
        a, b, g = (pm.Normal(name, 0, 1000) for name in "abg")
        s = pm.HalfNormal("s", 5)
        lam = pm.Normal("lam", 0, s, shape=(6, 3))
        pm.Poisson("y", pm.math.exp(a + b * np.log(dose + 10) + g * dose + lam), observed=y)
        trace = pm.sample(random_seed=seed, progressbar=False)
    right = {"a": (2.166, 0.386), "b": (0.3121, 0.1054), "g": (-0.000977, 0.000468), "s": (0.283, 0.084)}
    for name, (mean, sd) in right.items():
        assert abs(trace[name].mean() - mean) < 6 * sd / 20
        assert trace[name].std() == pytest.approx(sd, rel=0.2)
