"""`with Model():` - names, dims, coords, data, and what is refused with the numbers."""

from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pytest

import finetti as pm
from finetti.errors import DataError, FinettiError, ModelError, ShapeError, UnknownNameError

SCHOOLS = ["A", "B", "C"]


# --- the context -----------------------------------------------------------------------------------------------


def test_the_model_lists_what_was_written_in_order():
    with pm.Model() as model:
        x = pm.Data("x", [1.0, 2.0])
        b, a = pm.Normal("b", 0, 1), pm.Normal("a", 0, 1)
        mu = pm.Deterministic("mu", a + b * x)
        y = pm.Normal("y", mu, 1, observed=[0.0, 1.0])
        p = pm.Potential("p", -(a**2))
    assert list(model.named) == ["x", "b", "a", "mu", "y"]
    assert [model.free, model.observed, model.deterministics] == [[b, a], [y], [mu]]
    assert model.potentials == {"p": p}
    assert model["mu"] is mu
    assert "mu" in model
    assert "nu" not in model


def test_models_do_not_nest():
    with pm.Model():
        with pytest.raises(ModelError, match="already open, and models do not nest"), pm.Model():
            pass
        pm.Normal("a", 0, 1)  # the outer model is open still


def test_a_model_closes_when_its_body_fails():
    with pytest.raises(ZeroDivisionError), pm.Model():
        1 / 0  # noqa: B018
    with pm.Model():
        pm.Normal("a", 0, 1)


def test_a_model_can_be_opened_again():
    with pm.Model() as model:
        a = pm.Normal("a", 0, 1)
    with model:
        pm.Normal("b", a, 1)
    assert list(model.named) == ["a", "b"]


def test_each_thread_has_its_own_open_model():
    names = []

    def write(name):
        with pm.Model() as model:
            pm.Normal(name, 0, 1)
        names.append(list(model.named))

    with pm.Model() as here:
        other = threading.Thread(target=write, args=("there",))
        other.start()
        other.join()
        pm.Normal("here", 0, 1)
    assert names == [["there"]]
    assert list(here.named) == ["here"]


@pytest.mark.parametrize(
    "write",
    [lambda: pm.Normal("a", 0, 1), lambda: pm.Deterministic("a", 1), lambda: pm.Potential("a", 1),
     lambda: pm.Data("a", 1), lambda: pm.set_data({"a": 1})],
)  # fmt: skip
def test_outside_of_a_model(write):
    with pytest.raises(ModelError, match=r"No model is open.*with Model\(\)"):
        write()


# --- names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [lambda: pm.Normal("a", 0, 1), lambda: pm.Deterministic("a", 1), lambda: pm.Potential("a", 1),
     lambda: pm.Data("a", 1)],
)  # fmt: skip
@pytest.mark.parametrize("taken_by", [lambda: pm.Normal("a", 0, 1), lambda: pm.Potential("a", 1)])
def test_a_name_used_twice(write, taken_by):
    with pm.Model():
        taken_by()
        with pytest.raises(ModelError, match="name 'a' is already used"):
            write()


@pytest.mark.parametrize(
    ("name", "message"),
    [("draw", "clash"), ("chain", "clash"), ("a/b", "clash"), ("", "a string"), (3, "3 was given")],
)
def test_names_that_cannot_be_used(name, message):
    with pm.Model(), pytest.raises(ModelError, match=message):
        pm.Normal(name, 0, 1)


def test_an_unknown_name_lists_the_near_ones():
    with pm.Model() as model:
        pm.Normal("theta", 0, 1)
    with pytest.raises(UnknownNameError, match=r"no variable in the model named 'thta'. Did you mean 'theta'"):
        model["thta"]


def test_a_refused_variable_leaves_the_name_free():
    with pm.Model() as model:
        with pytest.raises(DataError):
            pm.Normal("y", 0, -1)
        pm.Normal("y", 0, 1)
    assert list(model.named) == ["y"]


# --- dims and coords -------------------------------------------------------------------------------------------


def test_dims_give_the_shape():
    with pm.Model(coords={"school": SCHOOLS, "row": 5}) as model:
        theta = pm.Normal("theta", 0, 1, dims="school")
        both = pm.Normal("both", 0, 1, dims=("row", "school"))
        later = pm.Normal("later", np.zeros(4), 1, dims="new")
    assert (theta.shape, both.shape, later.shape) == ((3,), (5, 3), (4,))
    assert model.dim_lengths == {"school": 3, "row": 5, "new": 4}
    assert model.coords == {"school": ("A", "B", "C")}


def _labels():
    return {
        "numpy": np.array(SCHOOLS), "series": pd.Series(SCHOOLS), "index": pd.Index(SCHOOLS), "tuple": tuple(SCHOOLS),
        "categories": pd.Categorical(SCHOOLS).categories, "iterator": (s for s in SCHOOLS),
    }  # fmt: skip


@pytest.mark.parametrize("kind", _labels())
def test_labels_of_every_kind_are_plain_python_values(kind):
    model = pm.Model(coords={"school": _labels()[kind]})
    assert model.coords["school"] == ("A", "B", "C")
    assert all(type(label) is str for label in model.coords["school"])


def test_labels_that_are_dates_stay_dates():
    model = pm.Model(coords={"day": pd.date_range("2024-01-01", periods=2)})
    assert np.array(model.coords["day"]).dtype.kind == "M"


def test_labels_must_differ():
    with pytest.raises(ModelError, match="labels of dim 'school' must differ, but 'A' is there 2 times"):
        pm.Model(coords={"school": ["A", "B", "A"]})


def test_a_dim_is_not_given_other_labels_later():
    with pm.Model(coords={"school": SCHOOLS, "row": 2}):
        pm.Data("same", [1, 2, 3], dims="school", coords={"school": SCHOOLS})
        with pytest.raises(ModelError, match="'school' has labels 'A', 'B', 'C' already; 'A', 'B', 'D' were given"):
            pm.Data("x", [1, 2, 3], dims="school", coords={"school": ["A", "B", "D"]})
        with pytest.raises(ModelError, match="'row' has length 2 already; 3 was given"):
            pm.Data("z", [1, 2, 3], dims="row", coords={"row": [1, 2, 3]})


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda: pm.Normal("a", 0, 1, dims="pupil"), r"'a'.* has dim 'pupil', whose length is unknown.*'school': 3"),
        (lambda: pm.Normal("a", np.zeros(4), 1, dims="school"), r"'a'.*it has shape \(3,\).*mu \(4,\)"),
        (lambda: pm.Normal("a", 0, 1, dims="school", observed=[1.0, 2.0]), r"data of 'a'.*\(2,\).*dims.*\(3,\)"),
        (lambda: pm.Normal("a", 0, 1, shape=4, observed=[1.0, 2.0]), r"data of 'a'.*\(2,\).*shape= gives \(4,\)"),
        (lambda: pm.Normal("a", 0, 1, shape=4, dims="school"), r"'a' has shape \(4,\).*'school'.*\(3,\)"),
        (lambda: pm.Deterministic("a", np.zeros(4), dims="school"), r"'a' has shape \(4,\).*\('school',\).*\(3,\)"),
        (lambda: pm.Deterministic("a", np.zeros((3, 2)), dims="school"), r"'a' has shape \(3, 2\), but 1 dims"),
        (lambda: pm.Data("a", np.zeros(4), dims="school"), r"'a' has shape \(4,\).*lengths \(3,\)"),
        (lambda: pm.Normal("a", np.zeros(2), np.ones(3)), r"'a'.*do not broadcast.*mu \(2,\), sigma \(3,\)"),
        (lambda: pm.Normal("a", np.zeros(3), 1, observed=[1.0, 2.0]), r"'a'.*data have shape \(2,\).*mu \(3,\)"),
        (lambda: pm.Normal("a", np.zeros((2, 1)), 1, observed=[1.0, 2.0]), r"shape \(2,\).*mu \(2, 1\)"),
    ],
)
def test_shapes_and_dims_that_do_not_fit(write, message):
    with pm.Model(coords={"school": SCHOOLS}), pytest.raises(ShapeError, match=message):
        write()


# --- parameters ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("write", "error", "message"),
    [
        (lambda: pm.Normal("a", 0, sd=1), ModelError, r"'a' \(Normal\) has no parameter 'sd'; it takes mu, sigma, tau"),
        (lambda: pm.Normal("a", 0, mu=1), ModelError, "'a'.*'mu' twice"),
        (lambda: pm.Normal("a", 0, sigma=1, tau=1), ModelError, "'a'.*both tau and sigma"),
        (lambda: pm.Normal("a", 0, 1, 2, 3), ModelError, "'a'.*4 values were given"),
        (lambda: pm.HalfCauchy("a"), ModelError, "'a'.*needs (its parameter )?.?beta"),
        (lambda: pm.Normal("a", "b", 1), DataError, "'mu' of 'a'.*numbers are needed"),
        (lambda: pm.Normal("a", 0, 0), DataError, "'sigma' of 'a'.* must be positive.*is 0"),
        (lambda: pm.Normal("a", 0, [1, 2, 0, 4]), DataError, "'sigma' of 'a'.*row 2 is 0"),
        (lambda: pm.Normal("a", [1, np.nan], 1), DataError, "'mu' of 'a'.* finite number.*row 1 is nan"),
        (lambda: pm.Normal("a", np.inf, 1), DataError, "'mu' of 'a'.*is inf"),
        (lambda: pm.Poisson("a", 3.0), ModelError, "'a' .Poisson. is discrete and has no data.*NUTS cannot"),
        (lambda: pm.Poisson("a", 3.0, observed=[1, -1]), DataError, "data of 'a' must be a whole number.*row 1 is -1"),
        (lambda: pm.Poisson("a", 3.0, observed=[1, 1.5]), DataError, "data of 'a'.*row 1 is 1.5"),
        (lambda: pm.Bernoulli("a", 0.5, observed=[0, 2]), DataError, "data of 'a' must be 0 or 1.*row 1 is 2"),
        (lambda: pm.HalfCauchy("a", 1, observed=[1, -2, -3.0]), DataError, "'a'.*row 1 is -2.*2 of 3"),
        (lambda: pm.Normal("a", 0, 1, observed=[1, np.inf]), DataError, "data of 'a' must be finite.*row 1 is inf"),
        (lambda: pm.Normal("a", 0, 1, observed=["x"]), DataError, "data of 'a'.*factorize"),
        (lambda: pm.Normal("a", pm.Normal.dist(0, 1), 1), ModelError, "'mu' of 'a'.*unnamed distribution"),
        (lambda: pm.Normal("a", pm.Normal.dist(0, 1) + 1, 1), ModelError, "'a' computes with.*without a name"),
        (lambda: pm.Deterministic("a", pm.Normal.dist(0, 1)), ModelError, "'a' computes with.*without a name"),
        (lambda: pm.Potential("a", 2 * pm.Normal.dist(0, 1)), ModelError, "'a' computes with.*without a name"),
        (lambda: pm.Data("a", ["x", "y"]), DataError, "'a' holds values of type <U1"),
    ],
)
def test_parameters_and_data_that_make_no_sense(write, error, message):
    with pm.Model() as model:
        with pytest.raises(error, match=message):
            write()
        assert not model.named
        assert not model.potentials


def test_data_that_are_random_are_refused():
    with pm.Model():
        a = pm.Normal("a", 0, 1)
        with pytest.raises(ModelError, match=r"'y'.* is observed as 'a', which is random"):
            pm.Normal("y", 0, 1, observed=a)


def test_the_source_of_a_bad_parameter_is_named():
    with pm.Model():
        se = pm.Data("se", [1.0, 0.0, 2.0])
        with pytest.raises(DataError, match=r"'sigma' of 'y'.*row 1 is 0.*from 'se'"):
            pm.Normal("y", 0, se, observed=[1.0, 2.0, 3.0])
        with pytest.raises(DataError, match=r"'sigma' of 'y'.*row 1 is 0.*from `2 \* se`"):
            pm.Normal("y", 0, 2 * se, observed=[1.0, 2.0, 3.0])


def test_variables_of_another_model_are_refused():
    with pm.Model():
        foreign = pm.Normal("foreign", 0, 1)
        data = pm.Data("data", [1.0, 2.0])
    with pm.Model() as model:
        for write in (
            lambda: pm.Normal("y", foreign, 1),
            lambda: pm.Normal("y", 2 * foreign + 1, 1),
            lambda: pm.Normal("y", 0, 1, observed=data),
            lambda: pm.Deterministic("y", foreign),
            lambda: pm.Potential("y", foreign + 1),
        ):
            with pytest.raises(ModelError, match=r"'y' uses '(foreign|data)', which belongs to another model"):
                write()
        assert not model.named
        pm.Normal("foreign", 0, 1)
        with pytest.raises(ModelError, match="'y' uses 'foreign', which belongs to another model"):
            pm.Normal("y", foreign, 1)


def test_errors_are_of_one_family():
    for error in (ModelError, ShapeError, DataError, UnknownNameError):
        assert issubclass(error, FinettiError)
    assert issubclass(ModelError, ValueError)
    assert issubclass(UnknownNameError, KeyError)


# --- data ------------------------------------------------------------------------------------------------------


@pytest.fixture
def regression():
    with pm.Model(coords={"row": 3}) as model:
        x = pm.Data("x", [1.0, 2.0, 3.0], dims="row")
        se = pm.Data("se", [1.0, 1.0, 2.0], dims="row")
        n = pm.Data("n", [1, 2, 3])
        pm.Normal("y", x * n, se, observed=pm.Data("y_data", [0.0, 1.0, 2.0]), dims="row")
    return model


def test_set_data_replaces_values(regression):
    regression.set_data("x", [4, 5, 6])
    got = regression.data_value(regression["x"])
    np.testing.assert_array_equal(got, [4.0, 5.0, 6.0])
    assert got.dtype == float
    with regression:
        pm.set_data({"x": [7.0, 8, 9], "n": [3, 2, 1]})
    pm.set_data({"se": [1.0, 2.0, 3.0]}, model=regression)
    np.testing.assert_array_equal(regression.data_value(regression["n"]), [3, 2, 1])


def test_data_are_copies():
    mine = np.ones(2)
    with pm.Model() as model:
        x = pm.Data("x", mine)
    mine[0] = 9
    assert model.data_value(x)[0] == 1


@pytest.mark.parametrize(
    ("name", "values", "error", "message"),
    [
        ("x", [1.0, 2.0], ShapeError, r"'x' has shape \(3,\); values of shape \(2,\)"),
        ("n", [1.5, 2.5, 3.5], DataError, "'n' holds values of type int64; float64 cannot replace"),
        ("x", ["a", "b", "c"], DataError, "'x' holds values of type <U1"),
        ("x", [1.0, np.nan, 3.0], DataError, r"'mu' of 'y'.*row 1 is nan.*from `x \* n`"),
        ("se", [1.0, 2.0, -1.0], DataError, "'sigma' of 'y'.*row 2 is -1.*from 'se'"),
        ("y_data", [1.0, None, 2.0], DataError, "data of 'y' have missing values: row 1"),
    ],
)
def test_data_that_do_not_fit_leave_the_old_ones(regression, name, values, error, message):
    before = {node.name: value.copy() for node, value in regression.data.items()}
    with pytest.raises(error, match=message):
        regression.set_data(name, values)
    for node, value in regression.data.items():
        np.testing.assert_array_equal(value, before[node.name])


def test_set_data_of_what_is_no_data(regression):
    with pytest.raises(UnknownNameError, match=r"no Data in the model named 'y'.*x"):
        regression.set_data("y", [1.0, 2.0, 3.0])
    with pytest.raises(UnknownNameError, match="'xx'"):
        regression.set_data("xx", [1.0, 2.0, 3.0])
