"""No mode is missed without a word: searches, grids and what they are checked against, beside dense sums."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import finetti as pm
from finetti.density import density_of
from finetti.engines.batches import Batches
from finetti.engines.scatter import spread
from finetti.engines.start import start_points
from finetti.errors import SamplingError
from finetti.planning import plan

LEVEL = 1e-7  # of each Kolmogorov-Smirnov test; with 120 generated posteriors a false alarm in 1 of 80,000 seeds


def density(model: pm.Model):
    chosen = plan(model)
    return density_of(model, chosen.reductions, chosen.coordinates)


# --- the cases that were wrong -------------------------------------------------------------------------------------

TIMES = np.linspace(0, 10, 200)
WAVE = np.round(np.sin(31.4 * TIMES) + 0.3 * np.random.default_rng(3).normal(size=200), 2)


def test_a_frequency_is_found():
    """Right, by a sum over two million points: 31.3973, sd 0.00515."""
    with pm.Model():
        w = pm.Uniform("w", 0, 50)
        pm.Normal("y", pm.math.sin(w * TIMES), 0.3, observed=WAVE)
        w = pm.sample(random_seed=1, progressbar=False)["w"]
    assert abs(w.mean() - 31.3973) < 6 * 0.00515 / np.sqrt(4000)
    assert w.std() == pytest.approx(0.00515, rel=0.1)


def test_a_frequency_and_the_noise_are_found():
    with pm.Model():
        w, sigma = pm.Uniform("w", 0, 50), pm.HalfNormal("sigma", 1)
        pm.Normal("y", pm.math.sin(w * TIMES), sigma, observed=WAVE)
        trace = pm.sample(random_seed=1, progressbar=False)
    residual = WAVE - np.sin(31.3973 * TIMES)
    assert abs(trace["w"].mean() - 31.3973) < 0.001
    assert trace["sigma"].mean() == pytest.approx(np.sqrt((residual**2).mean()), rel=0.02)


@pytest.mark.parametrize(("place", "sd"), [(3.0, 0.001), (300.0, 0.01)])
def test_a_narrow_mode_beside_a_wide_one_is_drawn_or_not_denied(place, sd):
    half = np.log(0.5) - 0.5 * np.log(2 * np.pi)
    with pm.Model():
        x = pm.Flat("x")
        narrow = half - np.log(sd) - 0.5 * ((x - place) / sd) ** 2
        pm.Potential("two", pm.math.logaddexp(half - 0.5 * x**2, narrow))
        trace = pm.sample(random_seed=1, progressbar=False)
    share = (np.abs(trace["x"] - place) < 8 * sd).mean()
    assert abs(share - 0.5) < 6 * 0.5 / np.sqrt(4000) or trace.attrs["search_bounded"] == 0


@pytest.mark.parametrize(
    ("write", "right", "sd"),
    [
        (lambda: pm.Poisson("y", pm.Normal("a", 0, 5), observed=[0, 0, 0]), 0.3304, 0.33),
        (lambda: pm.Geometric("y", pm.Normal("a", 0.5, 1), observed=[1, 1, 1]), 0.7943, 0.17),
        (lambda: pm.Gamma("y", alpha=pm.Normal("a", 1, 1), beta=1, observed=[0.3, 0.1, 0.2]), 0.6948, 0.29),
        (lambda: pm.Potential("c", pm.math.switch(pm.Normal("a", -1, 1) > 0, 0, -np.inf)), 0.525, 0.45),
    ],
)
def test_parameters_stay_in_their_domains(write, right, sd):
    """Right: sums over a dense grid. Six standard errors."""
    with pm.Model():
        write()
        trace = pm.sample(random_seed=1, progressbar=False)
    assert trace["a"].min() > 0
    assert abs(trace["a"].mean() - right) < 6 * sd / np.sqrt(4000)


def test_a_line_of_rates_and_a_beta_by_mean_and_sd():
    counts = [0, 0, 0, 0, 1, 0, 0, 2, 1, 0, 2, 3]
    with pm.Model():
        a, b = pm.Normal("a", 0, 2), pm.Normal("b", 0, 2)
        pm.Poisson("y", a + b * np.linspace(0, 1, 12), observed=counts)
        line = pm.sample(random_seed=1, progressbar=False)
    assert abs(line["a"].mean() - 0.2510) < 0.025 and abs(line["b"].mean() - 1.2457) < 0.06
    with pm.Model():
        mu, sd = pm.Beta("mu", 1, 1), pm.HalfCauchy("sd", 1)
        pm.Beta("y", mu=mu, sigma=sd, observed=[0.3, 0.4, 0.2, 0.6])
        share = pm.sample(random_seed=1, progressbar=False)
    assert abs(share["mu"].mean() - 0.3970) < 6 * 0.0910 / np.sqrt(4000)
    assert abs(share["sd"].mean() - 0.1838) < 6 * 0.0568 / np.sqrt(4000)


def test_a_scale_of_latents_that_are_integrated_out_is_positive():
    with pm.Model():
        s = pm.Normal("s", 0, 5)
        theta = pm.Normal("theta", 0, s, shape=6)
        pm.Normal("y", theta, 1, observed=[5, -4, 6, 2, -7, 3])
        s = pm.sample(random_seed=1, progressbar=False)["s"]
    grid = np.linspace(1e-4, 30, 300_000)
    log_p = -0.5 * (grid / 5) ** 2 - 3 * np.log1p(grid**2) - 0.5 * 139 / (1 + grid**2)
    weight = np.exp(log_p - log_p.max())
    right = (weight * grid).sum() / weight.sum()
    assert s.min() > 0 and abs(s.mean() - right) < 0.15


# --- generated posteriors ------------------------------------------------------------------------------------------


@st.composite
def bumps(draw, d, narrowest=0.03):
    """A mixture of a few laws of different places, widths and tails, some cut off at an edge."""
    k = draw(st.integers(1, 4))
    number = st.floats(-8, 8)
    places = np.array([[draw(number) for _ in range(d)] for _ in range(k)])
    widths = np.array([[10.0 ** draw(st.floats(np.log10(narrowest), 1.0)) for _ in range(d)] for _ in range(k)])
    shares = np.array([draw(st.floats(0.05, 1.0)) for _ in range(k)])
    heavy = [draw(st.booleans()) for _ in range(k)]
    edge = draw(st.sampled_from([None, None, -1.0, 2.0]))
    return places, widths, shares / shares.sum(), heavy, edge


def log_density(xp, coordinates, law):
    """Of the mixture at coordinates, one array each; -inf beyond the edge."""
    places, widths, shares, heavy, edge = law
    terms = []
    for place, width, share, fat in zip(places, widths, shares, heavy, strict=True):
        squared = sum(((x - m) / w) ** 2 for x, m, w in zip(coordinates, place, width, strict=True))
        d = len(place)
        core = -0.5 * (4 + d) * xp.log1p(squared / 4) if fat else -0.5 * squared
        terms.append(core - float(np.log(width).sum()) + float(np.log(share)))
    total = terms[0]
    for term in terms[1:]:
        total = xp.logaddexp(total, term)
    return total if edge is None else xp.where(coordinates[0] > edge, total, -np.inf)


def sampled(law, d, end=60):
    with pm.Model():
        x = [pm.Uniform(f"x{k}", -end, end) for k in range(d)]
        pm.Potential("law", log_density(pm.math, x, law))
        return pm.sample(500, random_seed=1, progressbar=False, tune=300)


def cumulative(axis, weight):
    total = np.cumsum(weight)
    return lambda x: np.interp(x, axis, total / total[-1])


@settings(deadline=None, derandomize=True, max_examples=80)
@given(bumps(1))
def test_generated_posteriors_of_one_unknown(law):
    """Draws follow the dense sum, or a word is said."""
    trace = sampled(law, 1)
    if trace.attrs["sampler"] != "quadrature":
        return
    axis = np.unique(np.concatenate([np.linspace(-60, 60, 200_001), *(
        np.clip(m + w * np.linspace(-9, 9, 4001), -60, 60) for m, w in zip(law[0][:, 0], law[1][:, 0], strict=True)
    )]))  # fmt: skip
    with np.errstate(all="ignore"):
        logs = log_density(np, [axis], law)
    weight = np.exp(logs - logs.max()) * np.gradient(axis)
    assert stats.kstest(trace["x0"], cumulative(axis, weight)).pvalue > LEVEL


@settings(deadline=None, derandomize=True, max_examples=20)
@given(bumps(2, narrowest=0.2))
def test_generated_posteriors_of_two_unknowns(law):
    """Modes no narrower than the points of a search lie apart: others may be missed, and the words say so."""
    trace = sampled(law, 2, end=25)
    if trace.attrs["sampler"] != "quadrature":
        return
    axes = [
        np.unique(np.concatenate([np.linspace(-25, 25, 1001), *(
            np.clip(m + w * np.linspace(-8, 8, 241), -25, 25) for m, w in zip(law[0][:, k], law[1][:, k], strict=True)
        )]))
        for k in range(2)
    ]  # fmt: skip
    with np.errstate(all="ignore"):
        logs = log_density(np, [axes[0][:, None], axes[1][None]], law)
    weight = np.exp(logs - logs.max()) * np.gradient(axes[0])[:, None] * np.gradient(axes[1])[None]
    for k in range(2):
        assert stats.kstest(trace[f"x{k}"], cumulative(axes[k], weight.sum(axis=1 - k))).pvalue > LEVEL


def test_a_funnel_without_a_geometry_is_right_or_said():
    """Its neck is too narrow for the cells around it; walks from the draws lead into it."""
    with pm.Model():
        y, x = pm.Uniform("y", -20, 20), pm.Uniform("x", -400, 400)
        pm.Potential("funnel", -0.5 * (y / 3) ** 2 - 0.5 * x**2 * np.exp(-y) - 0.5 * y)
        trace = pm.sample(random_seed=1, progressbar=False)
    if trace.attrs["sampler"] == "quadrature":
        assert stats.kstest(trace["y"], stats.norm(0, 3).cdf).pvalue > LEVEL


# --- points over the prior -----------------------------------------------------------------------------------------


def test_points_of_one_unknown_are_its_quantiles():
    with pm.Model() as model:
        pm.Potential("p", 0 * pm.Normal("x", 3, 2))
    points = spread(density(model), 4000, np.random.default_rng(0))[:, 0]
    u = np.sort(stats.norm(3, 2).cdf(points))
    assert np.diff(np.concatenate([[0], u, [1]])).max() < 4 / 4000


def test_points_follow_laws_whose_parameters_are_random():
    with pm.Model() as model:
        s = pm.HalfNormal("s", 2)
        x = pm.Normal("x", 0, s)
        p = pm.Dirichlet("p", [2.0, 3.0, 4.0])
        pm.Potential("p2", 0 * pm.math.exp(x) * p.sum())
    points = spread(density(model), 4000, np.random.default_rng(0))
    over_prior = points[: 4000 - 1000]
    assert stats.kstest(np.exp(over_prior[:, 0]), stats.halfnorm(scale=2).cdf).pvalue > 1e-3
    assert stats.kstest(over_prior[:, 1], stats.norm.cdf).pvalue > 1e-3  # in coordinates that are not centred


def test_a_flat_prior_is_looked_at_far_out():
    with pm.Model() as model:
        pm.Potential("p", -0.5 * pm.Flat("x") ** 2)
    points = spread(density(model), 1000, np.random.default_rng(0))
    assert np.abs(points).max() > 1e4 and (np.abs(points) < 1).mean() > 0.05


# --- starts --------------------------------------------------------------------------------------------------------


def starts_of(model, chains=4):
    rngs = [np.random.default_rng(k) for k in range(chains)]
    return density(model), start_points(density(model), rngs, None)


@pytest.mark.parametrize(
    "write",
    [
        lambda: pm.Potential("c", pm.math.switch(pm.Normal("x", -1, 1) > 0, 0, -np.inf)),
        lambda: pm.Potential("c", pm.math.switch(pm.Normal("x", 0, 10) > 25, 0, -np.inf)),
        lambda: pm.Poisson("y", pm.Normal("x", -2, 3, shape=30), observed=np.arange(30) % 4),
        lambda: pm.Poisson("y", pm.Normal("x", 0, 1, shape=8) - 1.5, observed=np.arange(8)),
    ],
)
def test_starts_are_found_inside_constraints(write):
    with pm.Model() as model:
        write()
    found, starts = starts_of(model)
    for flat, value in starts:
        assert np.isfinite(value)
        assert value == pytest.approx(float(found(flat, found.arguments)))


def test_what_cannot_start_is_named():
    with pm.Model() as model:
        x = pm.Normal("x", 0, 1)
        pm.Potential("forbidden", x * 0 - np.inf)
    with pytest.raises(SamplingError, match="'forbidden' is -inf"):
        starts_of(model)


def test_sampling_by_nuts_starts_inside_too(caplog):
    with pm.Model(), caplog.at_level(logging.WARNING):
        x = pm.Normal("x", -1, 1)
        pm.Potential("c", pm.math.switch(x > 0, -1 / x, -np.inf))
        trace = pm.sample(200, tune=200, random_seed=1, progressbar=False, geometry="as_written")
    assert trace["x"].min() > 0


def test_the_width_of_an_evaluation_bounds_the_search():
    from finetti.engines.search import LEAST_POINTS, POINTS, points_for

    assert points_for(1) == POINTS and points_for(10**9) == LEAST_POINTS
    with pm.Model() as model:
        pm.Bernoulli("y", logit_p=pm.Normal("x", 0, 1) * np.ones(1000), observed=np.zeros(1000, int))
    assert 256 <= points_for(Batches(density(model)).width) < POINTS or Batches(density(model)).width < 30_000
