"""Before the first draw: starts and settings that cannot work are refused, with what is wrong by name."""

import numpy as np
import pytest

import finetti as pm
from finetti.density import density_of
from finetti.engines.start import start_points
from finetti.errors import SamplingError, ShapeError, UnknownNameError


def groups() -> pm.Model:
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfNormal("tau", 5)
        theta = pm.Normal("theta", mu, tau, shape=4)
        pm.Normal("y", theta, 10.0, observed=[28.0, 8.0, -3.0, 7.0])
    return model


def refused(error, **settings) -> str:
    with pytest.raises(error) as caught:
        pm.sample(10, tune=10, model=groups(), progressbar=False, geometry="as_written", **settings)
    return str(caught.value)


def test_a_potential_of_minus_infinity_is_named():
    with pm.Model() as model:
        x = pm.Normal("x", 0, 1)
        pm.Potential("forbidden", x * 0 - np.inf)
    with pytest.raises(SamplingError, match=r"'forbidden' is -inf.*'x' -"):
        pm.sample(10, tune=10, model=model, progressbar=False, geometry="as_written")


def test_impossible_data_are_named():
    with pm.Model() as model:
        x = pm.Normal("x", 0, 1)
        pm.Normal("measured", x, pm.math.sqrt(x * 0), observed=[1.0])
    with pytest.raises(SamplingError, match=r"'measured' is (-inf|nan)"):
        pm.sample(10, tune=10, model=model, progressbar=False, geometry="as_written")


def test_a_gradient_that_is_not_finite_is_refused_with_the_chain_named():
    """The square root of |x| has a finite value at 0 and no slope."""
    with pm.Model() as model:
        pm.Normal("before", 0, 1)
        x = pm.Normal("x", 0, 1, shape=3)
        pm.Potential("cusp", -pm.math.sqrt(pm.math.abs(x)).sum())
    with pytest.raises(SamplingError, match=r"Chain 0 .* gradient is not, along x\[1\]\. "):
        pm.sample(
            10, tune=10, model=model, initvals={"x": [1.0, 0.0, 1.0]}, cores=1, progressbar=False,
            geometry="as_written",
        )  # fmt: skip


def test_a_gradient_that_is_not_finite_at_the_first_start_is_left_for_another():
    """It is finite only where the shaken x is above the middle: half of all starts are of no use."""
    with pm.Model() as model:
        x = pm.Normal("x", 0, 1, shape=1)
        blind = pm.math.sqrt(pm.math.maximum(x, 0.0)) * 0.0  # below 0: the slope of a square root at 0, times 0
        pm.Potential("half", blind.sum())
    trace = pm.sample(
        200, tune=100, chains=8, model=model, random_seed=1, progressbar=False, geometry="as_written"
    )
    assert (trace["posterior"]["x"].isel(draw=0) > -4).all()


def test_starts_outside_the_support_unknown_names_and_wrong_shapes_are_refused():
    assert "'tau'" in refused(SamplingError, initvals={"tau": -1.0})
    assert "'tau'" in refused(SamplingError, initvals={"tau": 0.0})
    message = refused(UnknownNameError, initvals={"thetta": np.zeros(4)})
    assert "'thetta'" in message and "'theta'" in message
    message = refused(ShapeError, initvals={"theta": np.zeros(3)})
    assert "'theta'" in message and "(3,)" in message and "(4,)" in message
    assert "3" in refused(ShapeError, initvals=[{}, {}, {}])


def test_initvals_are_where_chains_start():
    """On the unconstrained scale, exactly; what is not named is shaken, differently for each chain."""
    wish = {"mu": 1.5, "tau": 2.0, "theta": np.array([1.0, 2.0, 3.0, 4.0])}
    density = density_of(groups())
    for flat, value in start_points(density, generators(), wish):
        np.testing.assert_allclose(flat, [1.5, np.log(2.0), 1.0, 2.0, 3.0, 4.0])
        assert np.isfinite(value)
    each = [flat for flat, _ in start_points(density, generators(), [{"mu": 1.0}, {"mu": 2.0}])]
    assert [flat[0] for flat in each] == [1.0, 2.0]
    assert np.all(each[0][1:] != each[1][1:])


def generators() -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in (1, 2)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("draws", 0),
        ("draws", 1.5),
        ("tune", -1),
        ("chains", 0),
        ("cores", 0),
        ("target_accept", 1.0),
        ("max_treedepth", 0),
        ("max_treedepth", 21),
    ],
)
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(SamplingError, match=f"{name} must .*{value}"):
        pm.sample(**{name: value}, model=groups())
