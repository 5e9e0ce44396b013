"""A mode that no chain came near is named; bulk, funnels and ridges are none."""

from __future__ import annotations

import numpy as np
import pytest

import finetti as pm
from finetti.density import density_of
from finetti.engines.contract import Drawn, Told
from finetti.engines.unvisited import unvisited


def two_balls(weight=1.0, apart=6.0):
    x = pm.Normal("x", 0, 10, shape=3)
    right, left = (-0.5 * ((x - m) ** 2).sum() / 0.09 for m in (apart, -apart))
    pm.Potential("p", pm.math.logaddexp(right, left + np.log(weight)))


def draws_of(write, points) -> tuple:
    """A density, and draws (draw, unconstrained) as if a run had made them."""
    with pm.Model() as model:
        write()
    density = density_of(model)
    flat = np.asarray(points, float)[None]
    return density, Drawn(flat, {"lp": np.zeros(flat.shape[:2])}, Told({}))


def ball(center, sd=0.3, n=400, d=3, seed=1):
    return center + sd * np.random.default_rng(seed).normal(size=(n, d))


@pytest.mark.parametrize(("weight", "apart", "named"), [(1.0, 6.0, True), (0.1, 6.0, True), (1e-4, 6.0, False),
                                                        (1.0, 0.3, False)])  # fmt: skip
def test_the_other_of_two_modes(weight, apart, named):
    """Of some weight and apart it is named; with a weight of 1 in 10,000 or next to the draws it is not."""
    density, drawn = draws_of(lambda: two_balls(weight, apart), ball(apart))
    found = unvisited(density, drawn, np.random.default_rng(2))
    assert bool(found) == named
    if named:
        numbers = [float(part) for part in found[0].removeprefix("x = ").split(", ")]
        np.testing.assert_allclose(numbers, -apart, atol=0.1)


def test_draws_of_both_miss_nothing():
    density, drawn = draws_of(two_balls, np.concatenate([ball(6.0), ball(-6.0)]))
    assert unvisited(density, drawn, np.random.default_rng(2)) == ()


def test_it_is_not_looked_for_where_it_is_dear():
    def many():
        x = pm.Normal("x", 0, 1, shape=13)
        pm.Normal("y", x, 1, observed=np.zeros(13))

    assert unvisited(*draws_of(many, np.zeros((5, 13))), np.random.default_rng(1)) is None


def schools():
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
    theta = pm.Normal("theta", mu, tau, shape=8)
    pm.Normal("y", theta, [15, 10, 16, 11, 9, 11, 10, 18], observed=[28, 8, -3, 7, -1, 1, 18, 12])


def counts():
    mu, tau = pm.Normal("mu", 0, 2), pm.HalfNormal("tau", 1)
    theta = pm.Normal("theta", mu, tau, shape=6)
    pm.Poisson("y", pm.math.exp(theta), observed=[3, 0, 7, 2, 40, 1])


def banana():
    x = pm.Normal("x", 0, 1)
    y = pm.Normal("y", x**2, 0.1)
    pm.Poisson("n", pm.math.exp(y), shape=3, observed=[3, 2, 4])


@pytest.mark.parametrize("write", [schools, counts, banana])
@pytest.mark.parametrize("geometry", ["auto", "as_written"])
@pytest.mark.parametrize("seed", [1, 2])
def test_funnels_ridges_and_learned_coordinates_have_one_mode(write, geometry, seed):
    with pm.Model():
        write()
        trace = pm.sample(400, tune=500, geometry=geometry, random_seed=seed, progressbar=False)
    assert trace.attrs.get("unvisited", "") == ""
    if trace.attrs["sampler"] == "nuts":
        assert "led to no mode that the chains missed" in trace.attrs["unseen"]


def test_a_run_says_it(caplog):
    """Chains all started in one of two modes: a million standard deviations lie between."""
    with pm.Model():
        two_balls()
        trace = pm.sample(200, tune=300, random_seed=1, progressbar=False, initvals={"x": np.full(3, 6.0)})
    assert (trace["x"] > 0).all()
    assert "A search found a mode that no chain came near, at x = -5.9" in caplog.text
