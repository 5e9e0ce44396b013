"""Names that no tree of draws can hold are refused where they are written; all others are sampled, shown and saved."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

import finetti as pm
from finetti.errors import DataError, ModelError

QUIET = {"random_seed": 1, "progressbar": False}


def through(write, tmp_path) -> pm.Trace:
    """Written, sampled, shown, saved and read again."""
    with pm.Model(coords={"g": ["a", "b"]}):
        write()
        trace = pm.sample(20, **QUIET)
    trace.to_netcdf(tmp_path / "fit.nc")
    back = pm.load(tmp_path / "fit.nc")
    assert len(pm.summary(back)) == len(pm.summary(trace))
    for name in trace["posterior"].data_vars:
        np.testing.assert_array_equal(back["posterior"][name], trace["posterior"][name])
    return trace


ODD = ["energy", "lp", "diverging", "posterior", "tau_log__", "sample", "é", "a b", "x" * 300]


@pytest.mark.parametrize("name", ODD)
def test_names_that_live_in_another_group_or_look_odd(name, tmp_path):
    def write():
        tau = pm.HalfNormal("tau", 1)
        pm.Normal(name, 0, tau, dims="g")

    assert name in through(write, tmp_path)["posterior"]


@pytest.mark.parametrize("name", ["chain", "draw", "a/b", "/", ".", "..", "\x00", "\ud800", "", None, 3])
def test_names_that_cannot_be(name):
    with pm.Model(), pytest.raises(ModelError, match="name"):
        pm.Normal(name, 0, 1)
    with pytest.raises(ModelError):
        pm.Model(coords={name: ["a", "b"]})
    with pm.Model(), pytest.raises(ModelError, match="y"):
        pm.Normal("y", [0, 1], 1, dims=(name, None))


def test_a_dim_called_like_a_variable():
    with pm.Model(coords={"theta": ["a", "b"]}), pytest.raises(ModelError, match=r"'theta' names both.*'theta_index'"):
        pm.Normal("theta", 0, 1, dims="theta")
    with pm.Model():
        pm.Normal("theta", 0, 1)
        with pytest.raises(ModelError, match="'theta' names both a variable and a dim of 'x'"):
            pm.Normal("x", [0, 1], 1, dims="theta")
    with pm.Model(coords={"theta": ["a", "b"]}):
        pm.Normal("x", 0, 1, dims="theta")
        with pytest.raises(ModelError, match="'theta' names both a variable and a dim of 'x'"):
            pm.Deterministic("theta", pm.Normal("y", 0, 1) + 0.0)


def test_a_dim_called_like_data_lives_in_another_group(tmp_path):
    """A habit of users: `county` labels the groups, and the data `county` says which row belongs to which."""
    def write():
        which = pm.Data("g", np.array([0, 1, 1]), dims="row")
        effect = pm.Normal("effect", 0, 1, dims="g")
        pm.Normal("y", effect[which], 1, observed=[1.0, 2.0, 3.0], dims="row")

    trace = through(write, tmp_path)
    assert trace["posterior"]["effect"].dims[-1] == "g" and trace["constant_data"]["g"].dims == ("row",)


def test_an_axis_that_will_be_called_like_a_variable():
    for names in (("x", "x_dim_0"), ("x_dim_0", "x")):
        with pm.Model():
            pm.Normal(names[0], 0, 1, shape=2)
            with pytest.raises(ModelError, match="'x_dim_0' is what an axis of 'x' will be called"):
                pm.Normal(names[1], 0, 1, shape=2)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([("a", 1), ("b", 2)], r"'g'.*\('a', 1\) has several parts; join them"),
        (pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]), "'g'.*several parts"),
        (["a", 1], "'g'.*mix"), ([1, datetime.date(2020, 1, 1)], "'g'.*mix"), (["a", None], "'g'.*None"),
        ([1.0, np.nan], "'g'.*nan"), ("ab", "'g'.*'ab' is no list"), (None, "'g'.*None"), (2.5, "'g'.*2.5"),
        ({"a": 1}, "'g'.*no list"), ([["a"], ["b"]], "'g'"), (np.zeros((2, 2)), "'g'.*2 axes"), (True, "'g'.*True"),
        ([1, 1], "'g' must differ.* 2 times"), (-1, "'g'.*negative"), ([object()], "'g'"),
    ],
)  # fmt: skip
def test_labels_that_cannot_be(labels, words):
    with pytest.raises(ModelError, match=words):
        pm.Model(coords={"g": labels})


@pytest.mark.parametrize("labels", [
    ["a", "b"], [1, 2], [1.5, 2], [10**30, 2], pd.to_datetime(["2020-01-01", "2020-01-02"]), pd.Index(["u", "v"]),
    [datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)], np.array(["a", "b"]), range(2), 2, [True, False],
    pd.Series(["a", "b"], dtype="category"), np.array([1, 2], "timedelta64[D]"),
])  # fmt: skip
def test_labels_that_can(labels, tmp_path):
    with pm.Model(coords={"h": labels}):
        pm.Normal("x", 0, 1, dims="h")
        trace = pm.sample(20, **QUIET)
    trace.to_netcdf(tmp_path / "fit.nc")
    assert pm.load(tmp_path / "fit.nc")["posterior"]["x"].sizes["h"] == 2
    assert len(pm.summary(trace)) == 2


@pytest.mark.parametrize("shape", [2.5, "a", (2, None), float("nan"), (2.7,), "23", True, -1, (3, -1), {2}, 10**30])
def test_shapes_are_whole_numbers(shape):
    with pm.Model(), pytest.raises(ModelError, match="'x'.*shape"):
        pm.Normal("x", 0, 1, shape=shape)


@pytest.mark.parametrize("dims", [1, True, ("g", "g"), ("g", 3), b"g", {"g": 1}])
def test_dims_are_names(dims):
    with pm.Model(coords={"g": [1, 2]}), pytest.raises(ModelError, match="x.*dim"):
        pm.Normal("x", 0, 1, dims=dims)


def test_whole_numbers_that_no_float_holds():
    with pm.Model(), pytest.raises(DataError, match="'mu' of 'x'.*401 digits"):
        pm.Normal("x", 10**400, 1)
    with pm.Model():
        assert pm.Normal("x", 10**30, 1).shape == ()


def test_axes_and_joins():
    with pm.Model():
        x = pm.Normal("x", 0, 1, shape=3)
        with pytest.raises(ModelError, match="sum: axis must be a whole number; got 'a'"):
            x.sum(axis="a")
        with pytest.raises(ModelError, match=r"concatenate needs at least one array; got \[\]"):
            pm.math.concatenate([])


# --- where chains start --------------------------------------------------------------------------------------------


def test_initval_is_where_chains_start():
    def first(**settings):
        with pm.Model():
            pm.Normal("x", 0, 1, initval=7.0)
            pm.HalfNormal("s", 1, shape=2, initval=[1e-3, 2e-3])
            trace = pm.sample(1, tune=0, chains=2, geometry="as_written", max_treedepth=1, **QUIET, **settings)
        return trace["posterior"].isel(draw=0)

    start = first()
    assert (np.abs(start["x"] - 7.0) < 1.5).all() and (start["s"] < 0.1).all()
    assert (np.abs(first(initvals={"x": -7.0})["x"] + 7.0) < 1.5).all()


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda: pm.HalfNormal("s", 1, initval=-1.0), "initval of 's'.*positive.*-1"),
        (lambda: pm.Normal("s", 0, 1, shape=2, initval=1.0), r"initval of 's'.*shape \(\).*\(2,\)"),
        (lambda: pm.Normal("s", 0, 1, initval=np.nan), "initval of 's'.*finite.*nan"),
        (lambda: pm.Normal("s", 0, 1, initval="a"), "initval of 's'"),
        (lambda: pm.Normal("s", 0, 1, observed=1.0, initval=1.0), "initval of 's'.*has data"),
    ],
)
def test_initvals_that_cannot_be(write, words):
    with pm.Model() as model, pytest.raises(ModelError, match=words):
        write()
    assert "s" not in model


# --- seeds ---------------------------------------------------------------------------------------------------------


def test_a_generator_is_a_seed():
    def draw(seed):
        with pm.Model():
            pm.Normal("x", 0, 1)
            return pm.sample(20, random_seed=seed, progressbar=False)["x"]

    one, other = np.random.default_rng(1), np.random.default_rng(1)
    first = draw(one)
    np.testing.assert_array_equal(first, draw(other))
    assert not np.array_equal(first, draw(one))
    np.testing.assert_array_equal(draw(np.random.RandomState(1)), draw(np.random.RandomState(1)))


# --- xarray --------------------------------------------------------------------------------------------------------


def test_an_xarray_array_times_a_variable():
    xr = pytest.importorskip("xarray")
    x = xr.DataArray([1.0, 2.0, 3.0], dims="row")
    with pm.Model():
        b = pm.Normal("b", 0, 1)
        pm.Deterministic("left", x * b + 1)
        pm.Deterministic("right", b * x + 1)
        pm.Deterministic("joined", pm.math.exp(x * b).sum())
        pm.Normal("y", x * b, 1, observed=[1.0, 2.0, 3.0])
        posterior = pm.sample(20, **QUIET)["posterior"]
    np.testing.assert_array_equal(posterior["left"], posterior["right"])
    np.testing.assert_allclose(posterior["joined"], np.exp(posterior["b"].values[..., None] * x.values).sum(axis=-1))
