"""The plan says what is done to each unknown, and does what it is told."""

from __future__ import annotations

import numpy as np
import pytest

import finetti as pm
from finetti.coordinates.centring import CENTRED, NON_CENTRED
from finetti.density import density_of
from finetti.errors import ModelError, UnknownNameError

EFFECTS, ERRORS = [28.0, 8.0, -3.0, 7.0], [15.0, 10.0, 16.0, 11.0]


def schools(*, centred: bool = True) -> pm.Model:
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        if centred:
            theta = pm.Normal("theta", mu, tau, shape=4)
        else:
            theta = pm.Deterministic("theta", mu + tau * pm.Normal("eta", 0, 1, shape=4))
        pm.Normal("y", theta, ERRORS, observed=EFFECTS)
    return model


def logistic() -> pm.Model:
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, shape=4)
        pm.Binomial("y", n=10, logit_p=theta, observed=[3, 9, 4, 5])
    return model


def test_the_plan_in_words():
    assert str(pm.plan(schools())).splitlines() == [
        "mu     integrated out  linear and Gaussian given the rest; one fewer to sample; drawn back exactly",
        "tau    sampled         its prior is HalfCauchy, not Normal",
        "theta  integrated out  linear and Gaussian given the rest; 4 fewer to sample; drawn back exactly",
        "engine: quadrature, else independence, else nuts",
    ]
    assert repr(pm.plan(schools())) == str(pm.plan(schools()))


def test_the_plan_in_words_where_a_chain_is_needed():
    decisions = {d.name: (d.what, d.why) for d in pm.plan(logistic()).decisions}
    assert decisions["theta"] == (
        "sampled", "'y' depends on it and is Binomial, not Normal; written centred; centring learned for each element"
    )  # fmt: skip
    assert decisions["mu"] == ("sampled", "'theta' depends on it and cannot be integrated out itself")


def test_the_plan_says_what_may_leave_its_domain():
    with pm.Model() as model:
        a, s = pm.Normal("a", 3, 1), pm.HalfNormal("s", 1)
        pm.Poisson("c", a, observed=[3, 4])
        pm.Binomial("k", n=5, p=a + s, observed=3)
        pm.Uniform("u", a, 2, observed=1.0)
        cov = pm.math.stack([pm.math.stack([s, a]), pm.math.stack([a, s])])
        pm.MvNormal("v", np.zeros(2), cov=cov, observed=[1, 2])
        pm.Poisson("d", s, observed=2)
        pm.Poisson("e", np.exp(a), observed=2)
    what = (
        "mu of 'c' (Poisson) 0 or more, and finite; where it is not, the density is 0. "
        "Inside `np.exp(...)` it always is.",
        "p of 'k' (Binomial) between 0 and 1; where it is not, the density is 0. "
        "Inside `pm.math.sigmoid(...)` it always is.",
        "lower < upper for 'u' (Uniform); where it does not hold, the density is 0.",
        "cov of 'v' (MvNormal) a symmetric, positive definite matrix; where it is not, the density is 0.",
    )
    notes = [f"As far as its form shows, nothing keeps {words}" for words in what]
    assert list(pm.plan(model).notes) == notes
    assert list(pm.plan(model, "as_written").notes) == notes


def test_the_plan_as_html_escapes_what_it_shows():
    with pm.Model() as model:
        a = pm.Normal("a<b>&", 0, 1)
        pm.Poisson("y", np.exp(a), observed=3)
    html = pm.plan(model)._repr_html_()
    assert "a&lt;b&gt;&amp;" in html and "<b>" not in html
    assert html.count("<tr>") == 2 and "engine: quadrature, else nuts" in html


def test_the_method_of_the_model_is_the_function():
    model = schools()
    assert str(model.plan()) == str(pm.plan(model))
    assert str(model.plan("as_written")) == str(pm.plan(model, "as_written"))
    assert str(model.plan({"theta": "centered"})) == str(pm.plan(model, {"theta": "centered"}))


def test_as_written_changes_nothing():
    model = schools()
    planned = pm.plan(model, "as_written")
    assert not planned.reductions and not planned.coordinates and planned.engine == "nuts"
    assert [(d.name, d.what) for d in planned.decisions] == [(n, "sampled") for n in ("mu", "tau", "theta")]


WISHES = [("centered", CENTRED, False), ("noncentered", NON_CENTRED, False), ("sampled", NON_CENTRED, True)]


@pytest.mark.parametrize(("wish", "numbers", "learned"), WISHES)
@pytest.mark.parametrize("centred", [True, False])
def test_a_latent_that_shall_stay_in_the_chain(wish, numbers, learned, centred):
    model = schools(centred=centred)
    name = "theta" if centred else "eta"
    planned = pm.plan(model, {name: wish})
    centring = planned.coordinates[model[name]]
    assert (centring.place.value == np.reshape(numbers, (3, 1))).all() and centring.learned is learned
    assert name not in {m.name for reduction in planned.reductions for m in reduction.members}
    decision = next(d for d in planned.decisions if d.name == name)
    assert decision.what == "sampled" and decision.why.startswith(f"asked for: {wish}")
    density = density_of(model, planned.reductions, planned.coordinates)
    assert np.isfinite(float(density(np.zeros(density.size), density.arguments)))


def test_what_is_asked_for_is_done_and_the_rest_is_still_chosen():
    """`theta` is kept in the chain and with it its mean; `b` is still integrated out."""
    with pm.Model() as model:
        mu, tau, b = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5), pm.Normal("b", 0, 1)
        theta = pm.Normal("theta", mu, tau, shape=4)
        pm.Normal("y", theta + b * np.arange(4), 1, observed=EFFECTS)
    planned = pm.plan(model, {"theta": "centered"})
    assert {d.name: d.what for d in planned.decisions} == {
        "mu": "sampled", "tau": "sampled", "b": "integrated out", "theta": "sampled"
    }  # fmt: skip


@pytest.mark.parametrize("geometry", ["best", "", "AUTO"])
def test_an_unknown_word_is_refused_with_the_known_ones(geometry):
    with pytest.raises(ModelError, match="as_written"):
        pm.plan(schools(), geometry)
    with pytest.raises(ModelError, match="as_written"):
        pm.sample(10, model=schools(), geometry=geometry, progressbar=False)


def test_a_wrong_name_or_wish_is_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'theta'"):
        pm.plan(schools(), {"thete": "centered"})
    with pytest.raises(UnknownNameError, match="no unknown in the model named 'y'"):
        pm.plan(schools(), {"y": "centered"})
    with pytest.raises(ModelError, match="'theta' must be one of sampled, centered, noncentered; got 'integrated'"):
        pm.plan(schools(), {"theta": "integrated"})
    with pytest.raises(ModelError, match="'tau' has no random location or scale"):
        pm.plan(schools(), {"tau": "centered"})
    with pytest.raises(ModelError, match="geometry must be"):
        pm.plan(schools(), None)
    with pytest.raises(ModelError, match="geometry must be"):
        pm.plan(schools(), ["theta"])


def test_nothing_is_integrated_out_that_nothing_depends_on():
    with pm.Model() as model:
        pm.Normal("alone", 0, 1)
        pm.Beta("p", 1, 1)
        pm.Bernoulli("y", logit_p=pm.Normal("odds", 0, 1), observed=[1, 0])
    assert not pm.plan(model).reductions


def test_what_was_done_is_kept_with_the_draws():
    trace = pm.sample(50, chains=2, model=schools(), random_seed=1, progressbar=False)
    lines = trace.attrs["geometry"].splitlines()
    assert lines[0].startswith("mu ") and "integrated out" in lines[0]
    assert "on a grid" in lines[1] and "engine: quadrature" in lines and "evaluations; a grid" in lines[-1]


def test_a_block_too_dense_gives_up_its_largest_member_and_says_so():
    """Two crossed factors of 1,600 and 1,700 levels touch each other everywhere: one of them stays in the chain."""
    rng = np.random.default_rng(0)
    with pm.Model() as model:
        t = pm.HalfNormal("t", 1, shape=2)
        a, b = pm.Normal("a", 0, t[0], shape=1700), pm.Normal("b", 0, t[1], shape=1600)
        g, h = rng.integers(0, 1700, 20_000), rng.integers(0, 1600, 20_000)
        pm.Normal("y", a[g] + b[h], 1, observed=rng.normal(size=20_000))
    planned = pm.plan(model)
    assert [m.name for m in planned.reductions[0].members] == ["b"]
    assert "touch each other" in next(d.why for d in planned.decisions if d.name == "a")


def test_a_variable_kept_in_the_chain_by_name():
    """Whether it has a centring to be learned or not."""
    chosen = pm.plan(schools(), {"mu": "sampled"})
    what = {d.name: d.what for d in chosen.decisions}
    assert what["mu"] == "sampled" and what["theta"] == "integrated out"
