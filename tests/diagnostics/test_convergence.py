"""The kernels against arviz_stats on every kind of draws, and laws that need no reference."""

from __future__ import annotations

import arviz_stats
import numpy as np
import pytest
from arviz_stats.base import array_stats

from finetti.diagnostics import convergence
from finetti.diagnostics.draws import Draws
from finetti.errors import DataError

RTOL = 1e-8
BEFORE_1 = int(arviz_stats.__version__.split(".")[0]) < 1


def ar1(rng: np.random.Generator, phi: float, shape: tuple[int, ...]) -> np.ndarray:
    """Stationary autoregressive chains (chain, draw, variable)."""
    noise = rng.normal(size=shape)
    x = noise.copy()
    x[:, 0] /= np.sqrt(1 - phi**2)
    for t in range(1, shape[1]):
        x[:, t] += phi * x[:, t - 1]
    return x


def cases() -> dict[str, np.ndarray]:
    """Draws (chain, draw, variable) of every kind a summary meets."""
    rng = np.random.default_rng(20210)
    normal = rng.normal(size=(4, 500, 3))
    shifted = normal + np.array([0.0, 0.1, 1.0, 5.0])[:, None, None]
    with_nan = normal.copy()
    with_nan[1, 7, 1] = np.nan
    with_inf = normal.copy()
    with_inf[2, 3, 0], with_inf[0, 9, 1] = np.inf, -np.inf
    sticky = np.repeat(normal[:, ::5], 5, axis=1)
    return {
        "normal": normal,
        "odd number of draws": normal[:, :333],
        "one chain": normal[:1],
        "two chains": normal[:2],
        "few draws": normal[:, :4],
        "five draws": normal[:, :5],
        "six draws": normal[:, :6],
        "seven draws": normal[:, :7],
        "eleven draws": normal[:, :11],
        "thirty draws": normal[:, :30],
        "three draws": normal[:, :3],
        "constant": np.full((4, 100, 2), 2.0),
        "NaN": with_nan,
        "only NaN": np.full((4, 50, 1), np.nan),
        "infinite": with_inf,
        "ties": np.round(normal, 1),
        "repeated draws": sticky,
        "counts": rng.poisson(3.0, size=(4, 401, 2)),
        "binary": rng.integers(0, 2, size=(4, 400, 2)),
        "balanced binary": rng.permutation(np.repeat([0, 1], 800)).reshape(4, 400, 1),
        "unbalanced binary": (rng.random(size=(4, 400, 2)) < 0.97).astype(float),
        "AR(1) 0.5": ar1(rng, 0.5, (4, 1000, 2)),
        "AR(1) 0.9": ar1(rng, 0.9, (4, 1000, 2)),
        "AR(1) 0.99": ar1(rng, 0.99, (4, 1000, 2)),
        "AR(1) 0.999": ar1(rng, 0.999, (4, 1000, 2)),
        "antithetic": ar1(rng, -0.7, (4, 1000, 2)),
        "fast and slow": np.concatenate([normal, ar1(rng, 0.98, (4, 500, 2))], axis=-1),
        "Cauchy": rng.standard_cauchy(size=(4, 777, 2)),
        "lognormal": np.exp(3 * normal),
        "shifted chains": shifted,
        "scaled chains": normal * np.array([1.0, 1.0, 1.0, 3.0])[:, None, None],
        "trend": normal + np.linspace(0, 3, 500)[None, :, None],
        "large and offset": 1e6 + 1e3 * normal,
        "small": 1e-5 * normal,
    }


CASES = cases()


def expected(x: np.ndarray, what: str, method: str | None = None, **options: object) -> np.ndarray:
    """What arviz_stats gives for x (chain, draw, variable)."""
    if method is not None:
        options["method"] = method
    with np.errstate(all="ignore"):
        return getattr(array_stats, what)(np.moveaxis(x.astype(float), -1, 0), **options)


@pytest.fixture(params=CASES, ids=lambda name: name.replace(" ", "-"))
def x(request: pytest.FixtureRequest) -> np.ndarray:
    """Draws of one kind."""
    return CASES[request.param]


def test_rhat(x):
    np.testing.assert_allclose(convergence.rhat(x), expected(x, "rhat"), rtol=RTOL)


def test_ess_bulk(x):
    np.testing.assert_allclose(convergence.ess_bulk(x), expected(x, "ess", "bulk"), rtol=RTOL)


def test_ess_mean(x):
    np.testing.assert_allclose(convergence.ess_mean(x), expected(x, "ess", "mean"), rtol=RTOL)


@pytest.mark.parametrize("prob", [(0.05, 0.95), (0.1, 0.8)])
def test_ess_tail(x, prob):
    wanted = expected(x, "ess", "tail", prob=prob)
    np.testing.assert_allclose(convergence.ess_tail(x, prob=prob), wanted, rtol=RTOL)


@pytest.mark.parametrize("prob", [0.05, 0.5, 0.77, 0.95])
def test_quantiles(x, prob):
    ess, mcse = convergence.ess_quantile(x, prob=prob), convergence.mcse_quantile(x, prob=prob)
    np.testing.assert_allclose(ess, expected(x, "ess", "quantile", prob=prob), rtol=RTOL)
    np.testing.assert_allclose(mcse, expected(x, "mcse", "quantile", prob=prob), rtol=RTOL)


def test_mcse_mean(x):
    np.testing.assert_allclose(convergence.mcse_mean(x), expected(x, "mcse", "mean"), rtol=RTOL)


def test_mcse_sd(x):
    """Before version 1 arviz_stats took the effective size of the draws instead of their squares."""
    wanted = expected(x, "mcse", "sd")
    if BEFORE_1:
        with np.errstate(all="ignore"):
            squares = (x - x.mean(axis=(0, 1))) ** 2
        wanted = wanted * np.sqrt(expected(x, "ess", "mean") / expected(squares, "ess", "mean"))
    np.testing.assert_allclose(convergence.mcse_sd(x), wanted, rtol=RTOL)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0,)])
def test_shape_of_the_result_is_that_of_the_variable(shape):
    x = np.random.default_rng(1).normal(size=(4, 50, *shape))
    functions = (convergence.rhat, convergence.ess_bulk, convergence.ess_tail, convergence.mcse_sd)
    assert [f(x).shape for f in functions] == [shape] * 4


def test_a_scalar_does_not_depend_on_its_neighbours():
    """Blocks of scalars and scalars that need all lags are handled apart; the result must not show it."""
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.normal(size=(4, 900, 40)), ar1(rng, 0.995, (4, 900, 3))], axis=-1)
    x = x[..., rng.permutation(43)]
    for function in (convergence.rhat, convergence.ess_bulk, convergence.ess_mean, convergence.mcse_sd):
        alone = np.array([function(x[..., i]) for i in range(43)])
        np.testing.assert_allclose(function(x), alone, rtol=1e-12)


@pytest.mark.parametrize("phi", [0.0, -0.6, 0.9, 0.999])
def test_long_chains_whose_first_lags_are_summed(phi):
    """Long enough for sums; the same scalars one by one and together, some of which need more lags than others."""
    x = ar1(np.random.default_rng(7), phi, (2, 2 * convergence._LONG, 6))
    np.testing.assert_allclose(convergence.ess_mean(x), expected(x, "ess", "mean"), rtol=RTOL)
    np.testing.assert_allclose(convergence.rhat(x), expected(x, "rhat"), rtol=RTOL)


@pytest.mark.parametrize("shape", [(3, 4, 9), (2, 2, 1000)])
def test_sums_and_the_transform_agree(shape):
    deviations = np.random.default_rng(8).normal(size=shape)
    size = shape[-1]
    literal = [
        np.mean([np.dot(chain[: size - lag], chain[lag:]) / size for chain in scalar])
        for scalar in deviations
        for lag in range(8)
    ]
    for covariance in (convergence._by_sums, convergence._by_transform):
        np.testing.assert_allclose(covariance(deviations, 8).ravel(), literal, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("scale", [1e-150, 1e-20, 1e20, 1e150])
def test_units_do_not_matter(scale):
    """Effective sizes do not change with the units, and errors change in proportion to them."""
    x = np.random.default_rng(3).gamma(2.0, size=(4, 200, 2))
    np.testing.assert_allclose(convergence.ess_mean(scale * x), convergence.ess_mean(x), rtol=RTOL)
    np.testing.assert_allclose(convergence.mcse_sd(scale * x), scale * convergence.mcse_sd(x), rtol=RTOL)


def test_monotone_transformations_leave_the_bulk_and_the_tails():
    x = np.random.default_rng(4).normal(size=(4, 200, 2))
    np.testing.assert_allclose(convergence.ess_bulk(np.exp(x)), convergence.ess_bulk(x), rtol=1e-12)


def test_chains_stuck_at_values_of_their_own_have_infinite_rhat():
    x = np.broadcast_to(np.array([0.1, 0.2, 0.7, 0.9])[:, None], (4, 1003))
    assert np.isposinf(convergence.rhat(x))


def test_ess_of_an_ar1_chain_is_what_theory_says():
    """ESS / draws -> (1 - phi) / (1 + phi) for many draws.

    The ratio to theory varied with a standard deviation of 3 % or less over 60 seeds, so the 20 % allowed are
    over six of them: false-alarm rate below 1e-6.
    """
    for phi in (0.3, 0.8, -0.4):
        x = ar1(np.random.default_rng(5), phi, (4, 20_000))
        assert convergence.ess_mean(x) / x.size == pytest.approx((1 - phi) / (1 + phi), rel=0.2)


def test_standard_errors_are_those_of_repeated_runs():
    """The spread of 400 repeated estimates is what their standard errors say.

    The ratio varied with a standard deviation of 4 % or less over 40 seeds, around at most 1.03, so the 25 %
    allowed are over five of them: false-alarm rate below 1e-6.
    """
    x = np.moveaxis(ar1(np.random.default_rng(6), 0.6, (400 * 4, 400)).reshape(400, 4, 400), 0, -1)
    pairs = {
        "mean": (x.mean(axis=(0, 1)), convergence.mcse_mean(x)),
        "sd": (x.std(axis=(0, 1), ddof=1), convergence.mcse_sd(x)),
        "quantile": (np.quantile(x, 0.9, axis=(0, 1)), convergence.mcse_quantile(x, prob=0.9)),
    }
    for name, (estimates, errors) in pairs.items():
        assert np.sqrt(np.mean(errors**2)) == pytest.approx(estimates.std(ddof=1), rel=0.25), name


@pytest.mark.parametrize(
    "x", [np.zeros(10), np.zeros((4, 0)), np.zeros((0, 4)), np.zeros((2, 9), complex), np.full((2, 9), "a")]
)
def test_refuses_what_are_no_draws(x):
    with pytest.raises(DataError, match="x "):
        convergence.rhat(x)


def test_refuses_what_is_no_probability():
    with pytest.raises(DataError, match=r"1\.2"):
        convergence.ess_tail(np.zeros((4, 10)), prob=(0.05, 1.2))


def test_draws_whose_squares_no_float_holds():
    x = 1e200 * np.random.default_rng(1).normal(size=(4, 100))
    assert Draws(x[None]).sd[0] == pytest.approx(1e200 * np.std(x / 1e200, ddof=1))
