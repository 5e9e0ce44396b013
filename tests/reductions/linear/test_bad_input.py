"""Data that no textbook has, through `sample`: the right posterior, or an error that names what is wrong.

The oracle for one unknown scale: its density on a fine grid, from the dense law of `forward` at every point; draws are
held against it by a Kolmogorov-Smirnov test, and the latents by their exact mean. Levels are 1e-6; about 40 tests.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from forward import assert_normal, flat_values, law
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scipy import stats

import finetti as pm
from finetti.distributions.real import Flat

RNG = np.random.default_rng(5)
N, J = 14, 4
X, E, G, MANY = RNG.normal(size=N), RNG.normal(size=N), np.arange(N) % J, RNG.normal(size=(N, 20))
OPTIONS = {"draws": 2000, "chains": 2, "random_seed": 4, "progressbar": False}
CASES: dict[str, Callable[[], None]] = {}


def of(name: str):
    def enter(write):
        CASES[name] = write
        return write

    return enter


def groups(index, y, *, flat: bool = False, number: int = J, prior: float = 3.0, s: float = 1.0) -> None:
    """Groups with unknown spread `t` around an unknown mean."""
    t = pm.HalfNormal("t", 1)
    mu = pm.Flat("mu") if flat else pm.Normal("mu", 0, prior)
    a = pm.Normal("a", mu, t, shape=number)
    pm.Normal("y", a[np.asarray(index, int)], s, observed=y)


@of("groups without rows")
def _():
    groups(G % 2, E)


@of("groups without rows around a flat mean")
def _():
    groups(G % 2, E, flat=True)


@of("most groups without rows")
def _():
    groups(np.full(N, 37), E, flat=True, number=50)


@of("one group")
def _():
    groups(np.zeros(N), E, number=1)


@of("one group around a flat mean")
def _():
    groups(np.zeros(N), E, number=1, flat=True)


@of("a constant index")
def _():
    groups(np.full(N, 2), E)


@of("no rows at all")
def _():
    groups([], np.zeros(0))


@of("one row")
def _():
    groups([1], [2.5])


@of("one row, its scale unknown")
def _():
    mu, t = pm.Normal("mu", 0, 1), pm.HalfNormal("t", 1)
    pm.Normal("y", mu, t, observed=2.0)


@of("one row for each group")
def _():
    groups(range(N), E, number=N, flat=True)


@of("all data equal")
def _():
    groups(G, np.full(N, 2.0))


@of("data a million away, and a prior that reaches them")
def _():
    groups(G, E + 1e6, prior=1e7)


@of("data a million away, and a flat mean")
def _():
    groups(G, E + 1e6, flat=True)


@of("tiny residuals")
def _():
    groups(G, 1e-3 * E + np.arange(J)[G], s=1e-3, flat=True)


@of("a scale that is next to nothing")
def _():
    t, mu = pm.Uniform("t", 1e-8, 1e-7), pm.Normal("mu", 0, 1)
    a = pm.Normal("a", mu, t, shape=J)
    pm.Normal("y", a[G], 1, observed=E)


@of("a scale that may be next to nothing")
def _():
    t, mu = pm.HalfNormal("t", 1e-8), pm.Flat("mu")
    a = pm.Normal("a", mu, t, shape=J)
    pm.Normal("y", a[G], 1, observed=E)


@of("collinear effects with proper priors")
def _():
    t, b = pm.HalfNormal("t", 1), pm.Normal("b", 0, 2, shape=3)
    pm.Normal("y", np.column_stack([np.ones(N), X, -2 * X]) @ b, t, observed=E + X)


@of("more effects than rows, with proper priors")
def _():
    t, b = pm.HalfNormal("t", 1), pm.Normal("b", 0, 1, shape=20)
    pm.Normal("y", MANY @ b, t, observed=E)


@of("a predictor that is constant")
def _():
    t, b = pm.HalfNormal("t", 1), pm.Normal("b", 0, 2, shape=2)
    pm.Normal("y", b[0] + b[1] * np.ones(N), t, observed=E)


@of("a predictor that is zero")
def _():
    t, b = pm.HalfNormal("t", 1), pm.Normal("b", 0, 2, shape=2)
    pm.Normal("y", b[0] + b[1] * np.zeros(N), t, observed=E)


@of("the data twice")
def _():
    groups(np.tile(G, 2), np.tile(E, 2))


@pytest.fixture(params=CASES)
def model(request):
    with pm.Model() as model:
        CASES[request.param]()
    return model


def test_the_posterior_is_right(model):
    trace = pm.sample(model=model, **OPTIONS)
    assert trace.attrs["sampler"] == "quadrature"
    (scale,) = (n for n in model.free if n.family not in (pm.Normal, Flat))
    members = [n for n in model.free if n is not scale]
    grid = fine_grid(scale)
    at = [law(members, model.observed, {**model.data, scale: np.array(t)}) for t in grid]
    density = np.array([one.log_density for one in at]) + log_prior(scale, grid) + np.log(grid)
    weight = np.exp(density - density.max())
    weight /= weight.sum()
    draws = trace["t"].ravel()
    assert stats.kstest(draws, lambda t: np.interp(np.log(t), np.log(grid), np.cumsum(weight))).pvalue > 1e-6
    mean = sum(w * one.mean for w, one in zip(weight, at, strict=True))
    flat = flat_values(members, {m: trace[str(m.name)].reshape(len(draws), *m.shape) for m in members})
    z = (flat.mean(axis=0) - mean) / (flat.std(axis=0) / np.sqrt(len(draws)))
    assert np.abs(z).max() < stats.norm.isf(0.5e-6 / len(z))


def fine_grid(scale) -> np.ndarray:
    """Points on the log scale that hold all but 1e-6 of a scale's prior mass and more."""
    if scale.family is pm.Uniform:
        low, high = (float(p.value) for p in scale.parameters)
        return np.exp(np.linspace(np.log(low), np.log(high), 1201))
    return float(scale.parameters[0].value) * np.exp(np.linspace(np.log(1e-6), np.log(8.0), 1201))


def log_prior(scale, t: np.ndarray) -> np.ndarray:
    if scale.family is pm.Uniform:
        return np.zeros(len(t))
    return stats.halfnorm.logpdf(t, scale=float(scale.parameters[0].value))


# --- errors ------------------------------------------------------------------------------------------------------


def sampled(write) -> None:
    with pm.Model():
        write()
        pm.sample(20, tune=20, chains=1, progressbar=False)


def effects(design) -> None:
    b, s = pm.Flat("b", shape=design.shape[1]), pm.HalfNormal("s", 1)
    pm.Normal("y", design @ b, s, observed=E)


@pytest.mark.parametrize(
    ("design", "culprit"),
    [
        (np.column_stack([np.ones(N), X, 2 * X]), r"'b\[[12]\]'"),
        (np.column_stack([np.ones(N), X, np.zeros(N)]), r"'b\[2\]'"),
        (np.column_stack([np.ones(N), X, 1 + X]), r"'b\[[012]\]'"),
        (np.column_stack([np.ones(N), np.eye(J)[G]]), r"'b\[[0-4]\]'"),
        (MANY[:, : N + 1], r"'b\[\d+\]'"),
    ],
)
def test_collinear_effects_with_flat_priors_are_named(design, culprit):
    with pytest.raises(pm.ModelError, match=f"improper.* do not determine {culprit}.*proper prior"):
        sampled(lambda: effects(design))


def test_an_intercept_too_many():
    def write():
        a, b = pm.Flat("a"), pm.Flat("b", shape=J)
        pm.Normal("y", a + b[G], 1, observed=E)

    with pytest.raises(pm.ModelError, match=r"do not determine '(a|b\[\d\])'"):
        sampled(write)


def test_a_flat_latent_without_data():
    def write():
        mu, t = pm.Flat("mu"), pm.HalfNormal("t", 1)
        pm.Normal("a", mu, t, shape=J)

    with pytest.raises(pm.ModelError, match="do not determine 'mu'"):
        sampled(write)


def test_a_flat_group_without_rows():
    def write():
        a = pm.Flat("a", shape=J)
        pm.Normal("y", a[G % 2], 1, observed=E)

    with pytest.raises(pm.ModelError, match=r"do not determine 'a\[[23]\]'"):
        sampled(write)


def test_no_rows_and_a_flat_mean():
    with pytest.raises(pm.ModelError, match="do not determine 'mu'"):
        sampled(lambda: groups([], np.zeros(0), flat=True))


def test_a_coefficient_whose_prior_is_centred_at_nothing_is_no_error():
    """At their prior's centre the loadings are all zero, and the flat effect is not determined; elsewhere it is."""
    with pm.Model() as model:
        b, load = pm.Flat("b"), pm.StudentT("load", 4, 0, 1, shape=10)
        pm.Normal("y", b * load, 1.0, observed=E[:10])
        pm.Normal("w", load, 0.1, observed=X[:10])
    assert {d.name: d.what for d in pm.plan(model).decisions} == {"b": "integrated out", "load": "sampled"}
    trace = pm.sample(500, tune=500, chains=2, model=model, random_seed=1, progressbar=False)
    expected = (X[:10] @ E[:10]) / (X[:10] @ X[:10])  # nearly: the loadings are known to 0.1
    assert abs(trace["b"].mean() - expected) < 0.5 * trace["b"].std()


# --- everything at once ------------------------------------------------------------------------------------------


@st.composite
def odd_models(draw) -> pm.Model:
    """Everything known but the latents: few rows, or none, odd indices, flat priors, scales from 1e-6 to 1e3."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n, j = draw(st.integers(0, 6)), draw(st.integers(1, 4))
    scales = st.sampled_from([1e-6, 1e-3, 1.0, 1e3])
    with pm.Model() as model:
        mu = pm.Flat("mu") if draw(st.booleans()) else pm.Normal("mu", 0, draw(scales))
        a = pm.Normal("a", mu, draw(scales), shape=j)
        b = pm.Normal("b", draw(st.sampled_from([0.0, 5.0])), draw(scales), shape=draw(st.sampled_from([(), (2,)])))
        index = rng.integers(0, draw(st.integers(1, j)), n)
        x = rng.normal(size=n) * draw(st.sampled_from([0.0, 1.0])) + draw(st.sampled_from([0.0, 1.0]))
        mean = a[index] + (b if b.ndim == 0 else b.sum()) * x
        y = rng.normal(size=n) + draw(st.sampled_from([0, 1e3]))
        pm.Normal("y", mean, draw(st.sampled_from([1e-1, 1.0, 1e2])), observed=y)
    return model


@settings(
    deadline=None, derandomize=True, max_examples=120, report_multiple_bugs=False,
    phases=(Phase.generate, Phase.shrink), suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(odd_models())
def test_odd_models_are_right_or_refused(model):
    """Draws have the exact mean and covariance (false alarm 2 in a million each); only what is improper is refused."""
    try:
        trace = pm.sample(300, chains=1, model=model, random_seed=1, progressbar=False)
    except pm.ModelError as error:
        assert "do not determine 'mu'" in str(error)
        assert model["mu"].family is Flat and model["y"].size == 0
        return
    conditional = law(model.free, model.observed, model.data)
    drawn = flat_values(model.free, {n: trace[str(n.name)].reshape(300, *n.shape) for n in model.free})
    assert_normal(drawn, conditional)


@pytest.mark.parametrize("precision", [1e-5, 1e-7])
def test_data_too_precise_to_integrate_are_sampled_as_written(precision):
    """Group means known millions of times more closely than they differ: a rounded marginal density would be noise.

    Each group's posterior mean within 6 of its standard errors of the group's own mean, from about 2,000 draws."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(6), 5)
    y = rng.normal(0, 60, 6)[group] + precision * rng.normal(size=30)
    with pm.Model() as model:
        mu, tau, sigma = pm.Normal("mu", 0, 100), pm.HalfCauchy("tau", 50), pm.HalfNormal("sigma", 1)
        theta = pm.Normal("theta", mu, tau, shape=6)
        pm.Normal("y", theta[group], sigma, observed=y)
    trace = pm.sample(500, model=model, random_seed=1, progressbar=False)
    assert "rounding" in str(trace.geometry)
    means = np.array([y[group == k].mean() for k in range(6)])
    spread = precision / np.sqrt(5)
    assert (np.abs(trace["theta"].mean(axis=0) - means) < 6 * spread / np.sqrt(200)).all()
    assert abs(trace["sigma"].mean() / precision - 1) < 0.35


# --- flat priors the data do not bound --------------------------------------------------------------------------


def spread_of(number: int, prior=pm.HalfFlat) -> pm.Model:
    """Groups around a known mean: the marginal density of their spread t falls like t**-number."""
    with pm.Model() as model:
        t = prior("t")
        a = pm.Normal("a", 0, t, shape=number)
        pm.Normal("y", a, 1.0, observed=3.0 * np.arange(1, number + 1))
    return model


@pytest.mark.parametrize("geometry", ["auto", "as_written"])
def test_one_group_does_not_bound_a_flat_spread(geometry):
    with pytest.raises(pm.ModelError, match="improper.*'t' is flat.*infinity.*HalfNormal"):
        pm.sample(model=spread_of(1), geometry=geometry, **OPTIONS)


@pytest.mark.parametrize("number", [2, 3])
def test_two_groups_bound_it(number):
    trace = pm.sample(model=spread_of(number), **OPTIONS)
    assert np.isfinite(trace.posterior["t"]).all()


@pytest.mark.parametrize(("outcome", "end"), [(1, "infinity"), (0, "minus infinity")])
def test_an_outcome_that_is_always_the_same_does_not_bound_a_flat_intercept(outcome, end):
    with pm.Model():
        b = pm.Flat("b", shape=2)
        pm.Bernoulli("y", logit_p=b[np.arange(8) % 2], observed=[outcome, 0] * 4 if outcome else [0, 1] * 4)
        with pytest.raises(pm.ModelError, match=rf"improper.*'b\[0\]' is flat.* {end}\. .*Normal"):
            pm.sample(**OPTIONS)


def test_outcomes_of_both_kinds_bound_it():
    with pm.Model():
        b = pm.Flat("b", shape=2)
        pm.Bernoulli("y", logit_p=b[np.arange(8) % 2], observed=[0, 1, 1, 0] * 2)
        trace = pm.sample(**OPTIONS)
    assert np.abs(trace.posterior["b"]).max() < 20
