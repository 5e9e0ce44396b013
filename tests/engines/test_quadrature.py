"""Draws from a grid: known laws, honest errors, and a chain where a grid will not do.

Kolmogorov-Smirnov tests of 20,000 draws each at a level of 1e-6: with about 30 of them, a false alarm in 1 of 30,000
runs, were the seeds not fixed.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

import finetti as pm
from finetti.density import density_of
from finetti.diagnostics.convergence import mcse_mean
from finetti.engines.choose import carried_out
from finetti.engines.contract import Declined, Order, Target
from finetti.engines.exact import Exact
from finetti.engines.grid import Quadrature
from finetti.engines.quadrature import Grid, on_grid
from finetti.engines.settings import Settings
from finetti.planning import plan

N, LEVEL = 20_000, 1e-6


def grid_of(log_density, start: np.ndarray, **limits) -> Grid | None:
    """A grid from points near and far around a start, as a search over a prior would have them."""
    sides = np.concatenate([np.eye(len(start)), -np.eye(len(start))])
    points = start + np.concatenate([0.0 * sides[:1], *(distance * sides for distance in (1.0, 4.0, 16.0, 64.0))])
    return on_grid(log_density, points, np.random.default_rng(1), **limits)


def draws_of(grid: Grid | None, seed: int = 0) -> np.ndarray:
    assert grid is not None and grid.good
    return grid.draw(N, np.random.default_rng(seed))[0]


def assert_law(draws: np.ndarray, law) -> None:
    assert stats.kstest(draws, law.cdf).pvalue > LEVEL


# name: log density (point, coordinate), a start, its exact log integral, and the law of each coordinate or of f(draws)
C = np.array([[1.0, 2.7], [2.7, 9.0]])
P = np.linalg.inv(C)
HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)
ONE = {
    "normal": (lambda x: -0.5 * x[:, 0] ** 2, 0.0, HALF_LOG_2PI, stats.norm),
    "normal far from the start": (lambda x: -0.5 * (x[:, 0] - 40) ** 2, 0.0, HALF_LOG_2PI, stats.norm(40, 1)),
    "narrow normal": (
        lambda x: -0.5 * (1e4 * (x[:, 0] - 3)) ** 2, 2.0, HALF_LOG_2PI - np.log(1e4), stats.norm(3, 1e-4)
    ),
    "wide normal": (lambda x: -0.5 * (x[:, 0] / 100) ** 2, 7.0, HALF_LOG_2PI + np.log(100), stats.norm(0, 100)),
    "logistic": (lambda x: x[:, 0] - 2 * np.logaddexp(0, x[:, 0]), 1.0, 0.0, stats.logistic),
    "extreme value": (lambda x: -x[:, 0] - np.exp(-x[:, 0]), 0.0, 0.0, stats.gumbel_r),
    "half-Cauchy on the log scale": (
        lambda x: x[:, 0] - np.log1p(np.exp(np.minimum(2 * x[:, 0], 700))), 0.0, np.log(np.pi / 2), stats.hypsecant
    ),
    "a skewed one": (lambda x: stats.skewnorm.logpdf(x[:, 0], 6), 0.0, 0.0, stats.skewnorm(6)),
}  # fmt: skip
ONE |= {
    f"gamma({a}) on the log scale": (
        lambda x, a=a: a * x[:, 0] - np.exp(x[:, 0]), 0.0, special.gammaln(a), stats.loggamma(a)
    )
    for a in (0.3, 1.0, 5.0, 200.0, 1e5)
}  # fmt: skip


@pytest.mark.parametrize("name", ONE)
def test_one_coordinate(name):
    log_density, start, log_integral, law = ONE[name]
    grid = grid_of(log_density, np.array([start]))
    assert_law(draws_of(grid)[:, 0], law)
    assert grid.log_integral == pytest.approx(log_integral, abs=0.03)  # of the envelope: draws do not depend on it


def banana(x):
    return -0.5 * x[:, 0] ** 2 - 0.5 * ((x[:, 1] - x[:, 0] ** 2) / 0.5) ** 2


TWO = {
    "correlated normal": (
        lambda x: -0.5 * np.einsum("ni,ij,nj->n", x - 5, P, x - 5), np.log(2 * np.pi) + 0.5 * np.log(np.linalg.det(C)),
        [(lambda d: d[:, 0], stats.norm(5, 1)), (lambda d: d[:, 1], stats.norm(5, 3)),
         (lambda d: d[:, 1] - 2.7 * d[:, 0], stats.norm(5 - 2.7 * 5, np.sqrt(9 - 2.7**2)))],
    ),
    "banana": (
        banana, np.log(np.pi),
        [(lambda d: d[:, 0], stats.norm), (lambda d: (d[:, 1] - d[:, 0] ** 2) / 0.5, stats.norm)],
    ),
    "narrow ridge": (
        lambda x: -0.5 * (x[:, 0] + x[:, 1]) ** 2 - 0.5 * (100 * (x[:, 0] - x[:, 1])) ** 2, np.log(2 * np.pi / 200),
        [(lambda d: d.sum(axis=1), stats.norm), (lambda d: 100 * (d[:, 0] - d[:, 1]), stats.norm)],
    ),
    "two gammas on the log scale": (
        lambda x: x @ [2, 0.7] - np.exp(x).sum(axis=1), special.gammaln(2) + special.gammaln(0.7),
        [(lambda d: d[:, 0], stats.loggamma(2)), (lambda d: d[:, 1], stats.loggamma(0.7))],
    ),
    "scales that differ": (
        lambda x: -0.5 * (x[:, 0] / 30) ** 2 - 0.5 * (x[:, 1] * 300) ** 2, np.log(2 * np.pi / 10),
        [(lambda d: d[:, 0] / 30, stats.norm), (lambda d: d[:, 1] * 300, stats.norm)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TWO)
def test_two_coordinates(name):
    log_density, log_integral, marginals = TWO[name]
    grid = grid_of(log_density, np.zeros(2))
    draws = draws_of(grid)
    for value, law in marginals:
        assert_law(value(draws), law)
    assert grid.log_integral == pytest.approx(log_integral, abs=0.03)  # of the envelope: draws do not depend on it


@pytest.mark.parametrize("gap", [3.0, -6.0, 12.0, 30.0, -100.0])
def test_two_modes_are_both_seen(gap):
    """Of equal weight, `gap` sds apart; there are limits to how far anything looks."""
    grid = grid_of(lambda x: np.logaddexp(-0.5 * x[:, 0] ** 2, -0.5 * (x[:, 0] - gap) ** 2), np.zeros(1))
    assert_law(draws_of(grid)[:, 0], Mixture(gap))


class Mixture:
    """Two normals of equal weight, at 0 and `gap`."""

    def __init__(self, gap: float):
        self.gap = gap

    def cdf(self, x):
        return 0.5 * (stats.norm.cdf(x) + stats.norm.cdf(x - self.gap))


def test_two_modes_on_a_plane():
    def two(x):
        return np.logaddexp(-0.5 * (x**2).sum(axis=1), -0.5 * ((x - [5, -3]) ** 2).sum(axis=1))

    grid = grid_of(two, np.zeros(2))
    draws = draws_of(grid)
    share = (draws[:, 0] > 2.5).mean()  # binomial, 6 standard errors
    assert abs(share - (0.5 * stats.norm.sf(2.5) + 0.5 * stats.norm.sf(-2.5))) < 6 * 0.5 / np.sqrt(N)


@pytest.mark.parametrize(
    "improper",
    [
        lambda x: 0.0 * x[:, 0],
        lambda x: np.minimum(x[:, 0], 0.0),
        lambda x: x[:, 0],
        lambda x: -np.log1p(np.abs(x[:, 0])),
        lambda x: np.full(len(x), np.nan),
        lambda x: np.full(len(x), -np.inf),
    ],
)
def test_what_has_no_integral_is_refused(improper):
    """log(1 + |x|) falls too slowly: its integral diverges, though slowly."""
    grid = grid_of(improper, np.zeros(1))
    assert grid is None or not grid.good


def test_improper_along_one_of_two_coordinates():
    assert grid_of(lambda x: -0.5 * x[:, 0] ** 2, np.zeros(2)) is None


def test_a_funnel_is_right_or_refused():
    """y ~ N(0, 3), x ~ N(0, e^(y/2)): nine decades of width in x."""

    def funnel(z):
        y, x = z[:, 0], z[:, 1]
        return -0.5 * (y / 3) ** 2 - 0.5 * x**2 * np.exp(-y) - 0.5 * y

    grid = grid_of(funnel, np.zeros(2))
    if grid is not None and grid.good:
        assert_law(draws_of(grid)[:, 0], stats.norm(0, 3))


@pytest.mark.parametrize("kink", [0.0, 0.5])
def test_a_kink_is_no_hindrance(kink):
    grid = grid_of(lambda x: -np.abs(x[:, 0] - kink / 3), np.zeros(1))
    assert_law(draws_of(grid)[:, 0], stats.laplace(kink / 3, 1))


@pytest.mark.parametrize("law", [stats.cauchy(2, 0.1), stats.t(0.7), stats.laplace(50, 0.1)])
def test_heavy_tails_and_narrow_peaks(law):
    assert_law(draws_of(grid_of(lambda x: law.logpdf(x[:, 0]), np.array([40.0])))[:, 0], law)


def test_a_density_that_ends_at_its_highest_point():
    """No climb ends there: the grid is laid out by the spread of the highest points."""
    points = np.linspace(-5, 30, 800)[:, None]
    log_density = lambda x: np.where(x[:, 0] > 0.3, -x[:, 0], -np.inf)  # noqa: E731
    grid = on_grid(log_density, points, np.random.default_rng(0))
    assert_law(draws_of(grid)[:, 0], stats.expon(0.3))


def test_an_edge_that_runs_across_a_plane():
    """Uniform on a triangle, whose edges lie along no axis of the grid."""
    points = np.random.default_rng(0).uniform(-1, 2, (2000, 2))
    inside = lambda x: (x[:, 0] > 0) & (x[:, 1] > 0) & (x[:, 0] + 2 * x[:, 1] < 1)  # noqa: E731
    grid = on_grid(lambda x: np.where(inside(x), 0.0, -np.inf), points, np.random.default_rng(1))
    draws = draws_of(grid)
    assert inside(draws).all()
    assert_law(draws[:, 0], stats.beta(1, 2))
    assert_law(2 * draws[:, 1], stats.beta(1, 2))


def test_a_discontinuous_density_is_refused_or_right():
    grid = grid_of(lambda x: np.where(np.abs(x[:, 0] - 0.123) < 1, 0.0, -np.inf), np.zeros(1))
    if grid is not None and grid.good:
        assert_law(draws_of(grid)[:, 0], stats.uniform(-0.877, 2))


def test_isolated_points_without_a_density_do_not_spoil_the_grid():
    """A hole far out in the tails is a hole; the rest stands."""
    grid = grid_of(lambda x: np.where(x[:, 0] < -7.5, np.nan, -0.5 * x[:, 0] ** 2), np.zeros(1))
    assert_law(draws_of(grid)[:, 0], stats.norm)


def test_too_many_evaluations_end_in_none():
    assert grid_of(lambda x: -0.5 * x[:, 0] ** 2, np.zeros(1), most=100) is None
    assert grid_of(lambda x: -0.5 * (x**2).sum(axis=1), np.zeros(2), most=3000) is None


def test_draws_are_independent_and_continuous():
    """20,000 draws, none twice, no correlation at lag 1 (false alarm 1 in a million)."""
    draws = draws_of(grid_of(lambda x: -0.5 * x[:, 0] ** 2, np.zeros(1)))[:, 0]
    assert len(np.unique(draws)) == N
    assert abs((draws[1:] * draws[:-1]).mean()) * np.sqrt(N) < stats.norm.isf(0.5e-6)


# --- of models ---------------------------------------------------------------------------------------------------


def schools() -> pm.Model:
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, shape=8)
        pm.Normal("y", theta, [15, 10, 16, 11, 9, 11, 10, 18], observed=[28, 8, -3, 7, -1, 1, 18, 12])
    return model


def exactly(model: pm.Model, draws: int = 500, geometry="auto"):
    chosen = plan(model, geometry)
    density = density_of(model, chosen.reductions, chosen.coordinates)
    order = Order(density, Settings(draws), np.random.SeedSequence(0).spawn(2), np.random.default_rng(0))
    target = Target(density.size, bool(density.reductions), as_written=geometry == "as_written")
    for engine in (Exact(), Quadrature()):
        if engine.offers(target).takes:
            try:
                return carried_out(engine.ready(order), order, began=0.0)
            except Declined:
                return None
    return None


def test_eight_schools_against_an_integral_of_its_own():
    """P(tau < 5 | y) by SciPy's quad over the marginal normal law of y; 6 binomial standard errors."""
    from scipy.integrate import quad

    y, s = np.array([28, 8, -3, 7, -1, 1, 18, 12.0]), np.array([15, 10, 16, 11, 9, 11, 10, 18.0])

    def posterior(tau):
        law = stats.multivariate_normal(np.zeros(8), np.diag(s**2 + tau**2) + 25.0)
        return np.exp(law.logpdf(y) + 30) * stats.halfcauchy.pdf(tau, scale=5)

    below, total = quad(posterior, 0, 5)[0], quad(posterior, 0, np.inf)[0]
    trace = pm.sample(5000, chains=4, model=schools(), random_seed=1, progressbar=False)
    assert trace.attrs["sampler"] == "quadrature"
    share, p = (trace["tau"] < 5).mean(), below / total
    assert abs(share - p) < 6 * np.sqrt(p * (1 - p) / 20_000)


def test_more_than_two_unknowns_are_for_a_chain():
    with pm.Model() as model:
        s = pm.HalfNormal("s", 1, shape=3)
        pm.Normal("y", 0, s, observed=[1.0, 2.0, 3.0])
    assert exactly(model) is None


def regression(rows: int, *, gaussian: bool) -> pm.Model:
    """Two unknowns in either case: a logistic regression, or two standard deviations with 40 effects integrated out."""
    rng = np.random.default_rng(1)
    with pm.Model() as model:
        if gaussian:
            tau, sigma = pm.HalfNormal("tau", 1), pm.HalfNormal("sigma", 1)
            effect = pm.Normal("effect", 0, tau, shape=40)
            pm.Normal("y", effect[rng.integers(0, 40, rows)], sigma, observed=rng.normal(size=rows))
        else:
            a, b = pm.Normal("a", 0, 3), pm.Normal("b", 0, 3)
            x = rng.normal(size=rows)
            pm.Bernoulli("y", logit_p=a + b * x, observed=rng.random(rows) < 1 / (1 + np.exp(-x)))
    return model


def test_a_grid_may_cost_more_where_the_next_engine_is_nuts(monkeypatch):
    """There are proposals for what is left where latents have been integrated out."""
    monkeypatch.setattr("finetti.engines.grid.FEW", 100)
    monkeypatch.setattr("finetti.engines.grid.WORK", 100)
    assert exactly(regression(3000, gaussian=False)) is not None
    assert exactly(regression(3000, gaussian=True)) is None
    trace = pm.sample(100, chains=2, model=regression(3000, gaussian=True), random_seed=1, progressbar=False)
    assert trace.attrs["sampler"] == "independence"


def test_a_predictor_in_small_units_is_no_hindrance():
    """Its coefficient is in the thousandths, and correlated with the intercept: a ridge, and far ends of the search."""
    rng = np.random.default_rng(4)
    x = rng.uniform(0, 400, 800)
    y = rng.random(800) < 1 / (1 + np.exp(-0.6 + 0.006 * x))
    with pm.Model() as model:
        b = pm.Flat("b", shape=2)
        pm.Bernoulli("y", logit_p=b[0] + b[1] * x, observed=y)
    drawn = exactly(model)
    assert drawn.told.facts["quadrature_evaluations"] < 40_000
    z = drawn.flat.reshape(-1, 2)
    design = np.column_stack([np.ones(800), x])
    p = 1 / (1 + np.exp(-design @ z.mean(axis=0)))
    information = np.linalg.inv(design.T * (p * (1 - p)) @ design)  # the posterior is all but Gaussian
    np.testing.assert_allclose(z.std(axis=0), np.sqrt(np.diag(information)), rtol=0.1)
    score = design.T @ (y - p)
    assert np.abs(information @ score / z.std(axis=0)).max() < 0.2  # the mean is within a fifth of an sd of the mode


def test_nothing_left_to_sample_is_drawn_exactly():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu, 1, observed=[1.0, 2.0])
    drawn = exactly(model)
    assert drawn.flat.shape == (2, 500, 0) and drawn.told.facts["sampler"] == "exact"
    trace = pm.sample(5000, chains=4, model=model, random_seed=1, progressbar=False)
    assert_law(trace["mu"].ravel(), stats.norm(1.0, np.sqrt(1 / 3)))


def test_where_a_grid_is_not_good_a_chain_is_run():
    """A density so rough that no cells can follow it."""
    with pm.Model() as model:
        x, y = pm.Normal("x", 0, 1), pm.Normal("y", 0, 1)
        pm.Potential("rough", 3 * np.sin(1e5 * x) + 3 * np.sin(1e5 * y))
    assert exactly(model) is None


def test_a_correlation_and_a_scale_without_normals():
    """Two unknowns on an interval and on the positive reals, not Gaussian at all: still a grid, and NUTS agrees."""
    with pm.Model() as model:
        p, r = pm.Beta("p", 2, 2), pm.Gamma("r", 2, 1)
        pm.NegativeBinomial("y", mu=3 * p + 0.1, alpha=r, observed=[0, 1, 4, 2, 0, 1])
    grid = pm.sample(2000, model=model, random_seed=1, progressbar=False)
    chain = pm.sample(2000, model=model, random_seed=2, progressbar=False, geometry="as_written")
    assert (grid.attrs["sampler"], chain.attrs["sampler"]) == ("quadrature", "nuts")
    for name in ("p", "r"):
        a, b = grid.posterior[name].values, chain.posterior[name].values
        assert abs(a.mean() - b.mean()) < 5 * np.hypot(mcse_mean(a), mcse_mean(b))


def test_the_log_density_of_each_draw_is_kept():
    model = schools()
    drawn = exactly(model, draws=20)
    chosen = plan(model)
    density = density_of(model, chosen.reductions, chosen.coordinates)
    expected = [[float(density(x, density.arguments)) for x in chain] for chain in drawn.flat]
    np.testing.assert_allclose(drawn.statistics["lp"], expected, rtol=1e-9)
    assert not drawn.statistics["diverging"].any()
