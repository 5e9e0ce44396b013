"""Known numbers are looked at where they enter a model: missing and infinite values, and indices, by name and row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import finetti as pm
from finetti.errors import DataError, ShapeError

NAN, INF = np.nan, np.inf


def line(x, y=(1.0, 2.0, 3.0)):
    slope = pm.Normal("slope", 0, 1)
    pm.Normal("y", slope * x, 1, observed=list(y))


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda: line(np.array([1.0, NAN, 3.0])), "predictor of 'y', a constant.*row 1 is nan"),
        (lambda: line(pd.Series([1.0, 2.0, None])), "predictor of 'y'.*row 2 is nan"),
        (lambda: line(np.array([1.0, INF, 3.0])), "row 1 is inf"),
        (lambda: line(pm.Data("dose", [NAN, NAN, 3.0])), r"'dose', read by 'y'.*row 0 is nan \(2 of 3 values\)"),
        (lambda: line(np.log(pm.Data("dose", [1.0, -2.0, 3.0]))), r"`log\(dose\)`.*row 1 is nan"),
        (lambda: line(pm.Data("dose", [1.0, 0.0, 3.0]) ** -1.0), "row 1 is inf"),
        (
            lambda: pm.Deterministic("d", np.array([[1.0, 2.0], [NAN, 3.0]]) @ pm.Normal("b", 0, 1, shape=2)),
            r"predictor of 'd'.*element \(1, 0\) is nan",
        ),
        (lambda: pm.Potential("p", pm.Normal("b", 0, 1) * np.array([1.0, NAN])), "predictor of 'p'.*row 1 is nan"),
    ],
)
def test_missing_and_infinite_numbers_are_named(write, words):
    with pm.Model(), pytest.raises(DataError, match=words), np.errstate(all="ignore"):
        write()


@pytest.mark.parametrize(
    "write",
    [
        lambda: line(np.where(np.isnan([1.0, NAN, 3.0]), 0.0, [1.0, NAN, 3.0])),
        lambda: pm.Potential("p", pm.math.switch(pm.Normal("b", 0, 1) > 0, 0, -INF)),
        lambda: pm.Potential("p", pm.math.maximum(pm.Normal("b", 0, 1, shape=2), np.array([-INF, 0.0]))),
        lambda: pm.TruncatedNormal("t", pm.Normal("b", 0, 1), 1, lower=-INF, upper=2),
        lambda: pm.Bernoulli("y", logit_p=np.array([INF, -INF]), observed=[1, 0]),
    ],
)
def test_infinities_that_mean_something_stay(write):
    with pm.Model():
        write()


def test_new_data_are_looked_at_too():
    with pm.Model() as model:
        dose = pm.Data("dose", [1.0, 2.0, 3.0])
        line(dose)
        with pytest.raises(DataError, match="'dose'.*row 1 is nan"):
            pm.set_data({"dose": [1.0, NAN, 3.0]})
        np.testing.assert_array_equal(model.data_value(dose), [1.0, 2.0, 3.0])


def test_a_missing_label_does_not_read_the_last_group():
    codes = [pd.factorize(pd.Series(["a", None, "b"]))[0], pd.Series(["a", None, "b"]).astype("category").cat.codes]
    for code in codes:
        with pm.Model(), pytest.raises(ShapeError, match="row 1 is -1.*missing label"):
            pm.Normal("effect", 0, 1, shape=2)[code]
        with pm.Model(), pytest.raises(ShapeError, match="row 1 is -1.*missing label"):
            pm.Normal("effect", 0, 1, shape=2)[pm.Data("group", code)]
    with pm.Model():
        group = pm.Data("group", [0, 1, 1])
        pm.Normal("y", pm.Normal("effect", 0, 1, shape=2)[group], 1, observed=[1.0, 2.0, 3.0])
        with pytest.raises(ShapeError, match="row 2 is -1"):
            pm.set_data({"group": [0, 1, -1]})


@pytest.mark.parametrize("values", [[0.0, 1.5], [True, False]])
def test_an_index_holds_whole_numbers(values):
    with pm.Model(), pytest.raises(ShapeError, match="'group' of type.*row [01] is"):
        pm.Normal("effect", 0, 1, shape=2)[pm.Data("group", values)]


def test_minus_one_typed_by_hand_is_the_last_element():
    with pm.Model():
        effect = pm.Normal("effect", 0, 1, shape=3)
        assert effect[-1].shape == () and effect[[-1, 0]].shape == (2,)
