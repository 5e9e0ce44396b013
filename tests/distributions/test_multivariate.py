"""Vectors, probabilities and correlation matrices: moments, edges, and the function that composes a covariance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import finetti as pm
from finetti.distributions.base import REGISTRY
from finetti.distributions.multivariate import Dirichlet, LKJCholeskyCorr, MvNormal
from finetti.errors import DataError, ModelError, ShapeError
from finetti.model.evaluate import evaluate
from finetti.model.namespace import NUMPY, jax_namespace

RNG_DRAWS = 40_000
TOO_FAR = 5.5  # standard errors: a false alarm once in 26 million for each number compared


def close_to_mean(draws, expected):
    """The mean of draws (draw, ...) lies within 5.5 standard errors of what is expected."""
    error = draws.std(0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(0) - expected) <= TOO_FAR * error + 1e-12).all()


@pytest.mark.parametrize("name", ["MvNormal", "Dirichlet", "LKJCholeskyCorr"])
def test_draws_have_the_mean(name):
    from distribution_cases import all_cases

    for case in all_cases():
        if case.name == name:
            close_to_mean(case.draws(RNG_DRAWS, seed=6), case.family.mean(NUMPY, *case.parameters))


def test_mv_normal_draws_have_the_covariance():
    cov = np.array([[2.0, 0.6], [0.6, 1.0]])
    x = MvNormal.draw(np.random.default_rng(1), (RNG_DRAWS, 2), np.zeros(2), np.linalg.cholesky(cov))
    close_to_mean(x[:, :, None] * x[:, None, :], cov)


def test_dirichlet_marginals_are_beta():
    """Kolmogorov-Smirnov; a false alarm once in a million."""
    a = np.array([0.02, 1.0, 2.5])
    x = Dirichlet.draw(np.random.default_rng(2), (20_000, 3), a)
    assert stats.kstest(x[:, 1], stats.beta(1.0, 2.52).cdf).pvalue > 1e-6
    np.testing.assert_allclose(x.sum(-1), 1)


@pytest.mark.parametrize(("eta", "n"), [(1.0, 2), (2.5, 4), (0.7, 3)])
def test_lkj_correlations_are_beta(eta, n):
    """Each correlation of an LKJ matrix is a stretched Beta(b, b), b = eta - 1 + n / 2; a false alarm in a million."""
    factor = LKJCholeskyCorr.draw(np.random.default_rng(3), (20_000, n, n), np.asarray(eta), np.asarray(n))
    matrix = factor @ np.swapaxes(factor, -1, -2)
    np.testing.assert_allclose(np.diagonal(matrix, axis1=-2, axis2=-1), 1)
    b = eta - 1 + n / 2
    for i, j in zip(*np.tril_indices(n, -1), strict=True):
        assert stats.kstest((matrix[:, i, j] + 1) / 2, stats.beta(b, b).cdf).pvalue > 1e-6


def test_lkj_density_integrates_to_one():
    """By importance sampling of 4 x 4 factors from another eta; within 5.5 standard errors."""
    order, at, other = np.asarray(4), np.asarray(1.5), np.asarray(1.2)
    factor = LKJCholeskyCorr.draw(np.random.default_rng(4), (RNG_DRAWS, 4, 4), other, order)
    log_ratio = [LKJCholeskyCorr.log_density(NUMPY, factor, eta, order) for eta in (at, other)]
    close_to_mean(np.exp(log_ratio[0] - log_ratio[1]), 1.0)


def test_a_large_mv_normal_is_solved_the_same_way():
    """Order 8, past the unrolled formulas, with one factor for many vectors and with a factor for each."""
    import jax

    rng = np.random.default_rng(5)
    root = rng.normal(size=(3, 8, 8))
    chol = np.linalg.cholesky(root @ np.swapaxes(root, -1, -2) + np.eye(8))
    x, mu = rng.normal(size=(3, 8)), np.zeros(8)
    expected = [stats.multivariate_normal(mu, c @ c.T).logpdf(v) for c, v in zip(chol, x, strict=True)]
    shared = stats.multivariate_normal(mu, chol[0] @ chol[0].T).logpdf(x)
    with jax.enable_x64(True):
        program = jax.jit(lambda x, mu, c: MvNormal.log_density(jax_namespace(), x, mu, c))
        for density in (lambda *a: MvNormal.log_density(NUMPY, *a), program):
            np.testing.assert_allclose(density(x, mu, chol), expected, rtol=1e-9)
            np.testing.assert_allclose(density(x, mu, chol[0]), shared, rtol=1e-9)


def test_covariance_by_a_batch_of_draws_may_fail_for_one():
    """A covariance that is none for one draw gives NaN there, not an exception."""
    with pm.Model():
        rho = pm.Normal("rho", 0, 1)
        one = rho * 0 + 1.0
        cov = np.stack([np.stack([one, rho]), np.stack([rho, one])])
        x = pm.MvNormal("x", 0, cov=cov)
    chol = x.parameters[1]
    found = evaluate([chol], {rho: np.array([0.5, 2.0])}, lead=1)[0]
    np.testing.assert_allclose(found[0], np.linalg.cholesky([[1, 0.5], [0.5, 1]]))
    assert np.isnan(found[1]).any()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"cov": [[1, 2], [2, 1]]}, DataError, "'cov' of 'x'.*positive definite.*smallest eigenvalue is -1"),
        ({"cov": [[1, 0.2], [0.1, 1]]}, DataError, "'cov' of 'x'.*symmetric.*differs from its transpose by up to 0.1"),
        ({"cov": [[1, np.nan], [np.nan, 1]]}, DataError, "'cov' of 'x'"),
        ({"cov": [[1, 0, 0], [0, 1, 0]]}, DataError, r"'cov' of 'x'.*It has shape \(2, 3\)"),
        ({"cov": 2.0}, ShapeError, "'cov' of 'x'.*2 axes"),
        ({"chol": [[1, 0.5], [0.5, 1]]}, DataError, "'chol' of 'x'.*zeros above the diagonal"),
        ({"mu": [0, 0, 0], "cov": np.eye(2)}, ShapeError, r"'x'.*mu has shape \(3,\).*order 2"),
        ({"cov": np.eye(2), "tau": np.eye(2)}, ModelError, "'x'.*both"),
        ({}, ModelError, r"'x' \(MvNormal\) needs chol, or cov, or tau"),
    ],
)
def test_mv_normal_errors(arguments, error, words):
    with pm.Model(), pytest.raises(error, match=words):
        pm.MvNormal("x", **arguments)


def test_lkj_cholesky_cov_composes():
    with pm.Model() as model:
        chol, corr, stds = pm.LKJCholeskyCov("cov", eta=2, n=3, sd_dist=pm.HalfNormal.dist(2.0))
        effects = pm.MvNormal("effects", 0, chol=chol, shape=(5, 3))
    assert list(model.named) == ["cov_stds", "cov_corr_chol", "cov", "cov_corr", "effects"]
    assert (chol.shape, corr.shape, stds.shape, effects.shape) == ((3, 3), (3, 3), (3,), (5, 3))
    factor = LKJCholeskyCorr.draw(np.random.default_rng(0), (4, 3, 3), np.asarray(2.0), np.asarray(3))
    given = {model["cov_stds"]: np.tile([1.0, 2.0, 3.0], (4, 1)), model["cov_corr_chol"]: factor}
    scaled, correlations = evaluate([chol, corr], given, lead=1)
    np.testing.assert_allclose(np.sqrt(np.einsum("dij,dij->di", scaled, scaled)), given[model["cov_stds"]])
    np.testing.assert_allclose(np.diagonal(correlations, axis1=1, axis2=2), 1)
    assert REGISTRY["HalfNormal"] is model["cov_stds"].family


def test_lkj_cholesky_cov_alone_and_its_errors():
    with pm.Model() as model:
        chol = pm.LKJCholeskyCov("a", 1.0, 2, pm.Exponential.dist(1.0), compute_corr=False)
        assert chol.shape == (2, 2) and "a_corr" not in model
        s = pm.HalfNormal("s", 1)
        with pytest.raises(ModelError, match=r"'sd_dist' of 'b'.*without a name.*HalfNormal.dist"):
            pm.LKJCholeskyCov("b", 1.0, 2, s)
        with pytest.raises(ModelError, match="'sd_dist' of 'c'.*positive.*Normal is not"):
            pm.LKJCholeskyCov("c", 1.0, 2, pm.Normal.dist(0, 1))
        with pytest.raises(DataError, match="'eta'.*positive"):
            LKJCholeskyCorr("d", -1.0, 2)
        with pytest.raises(DataError, match="'n'.*2 or more"):
            LKJCholeskyCorr("e", 1.0, 1)
        with pytest.raises(ModelError, match="'n'.*int"):
            LKJCholeskyCorr("f", 1.0, 2.0)


def test_dirichlet_over_rows_and_its_errors():
    with pm.Model():
        assert pm.Dirichlet("p", np.ones((4, 3))).shape == (4, 3)
        assert pm.Dirichlet("q", [1, 2, 3], shape=(5, 3)).shape == (5, 3)
        with pytest.raises(DataError, match="'a' of 'r'.*positive"):
            pm.Dirichlet("r", [1.0, -1.0])
        with pytest.raises(ShapeError, match="'s'"):
            pm.Dirichlet("s", [1.0, 1.0], shape=(3,))
