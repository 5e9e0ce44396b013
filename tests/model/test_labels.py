"""Labels that data bring along and that contradict the model's are refused; those that say nothing of it are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import finetti as pm
from finetti.errors import DataError, ShapeError

SCHOOLS = ["A", "B", "C"]
X = np.array([1.0, 2.0, 3.0])
TABLE = np.arange(6.0).reshape(3, 2)
YEARS = [2001, 2002]


def series(labels, name="school"):
    return pd.Series(X, index=pd.Index(labels, name=name))


def array(labels, dim="school"):
    return xr.DataArray(X, dims=dim, coords={dim: labels})


def frame(rows, columns, names=("school", "year")):
    return pd.DataFrame(TABLE, index=pd.Index(rows, name=names[0]), columns=pd.Index(columns, name=names[1]))


WRONG = {
    "a series with the dim's name": series(["A", "C", "B"]),
    "a series without a name, the same labels": series(["B", "A", "C"], name=None),
    "a series of other labels, by the dim's name": series(["A", "B", "D"]),
    "an array of xarray": array(["C", "A", "B"]),
    "an array of xarray under another name": array(["C", "A", "B"], dim="site"),
}
RIGHT = {
    "the same labels": series(SCHOOLS),
    "no labels": pd.Series(X),
    "numbers of rows that a filter has left": series([4, 7, 9], name=None),
    "numbers of rows under another name": series([4, 7, 9], name="row"),
    "an array of xarray": array(SCHOOLS),
    "an array of xarray without labels": xr.DataArray(X, dims="school"),
    "an array of xarray under another name": xr.DataArray(X, dims="site"),
    "NumPy": X,
}


def as_observed(value):
    pm.Normal("y", 0, 1, observed=value, dims="school")


def as_data(value):
    pm.Data("y", value, dims="school")


def as_new_data(value):
    pm.Data("y", X, dims="school")
    pm.set_data({"y": value})


def as_parameter(value):
    pm.Normal("y", 0, value, observed=X, dims="school")


WAYS = pytest.mark.parametrize("hand_in", [as_observed, as_data, as_new_data, as_parameter])


@WAYS
@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
def test_another_order_is_refused(hand_in, value):
    place = next(k for k, (a, b) in enumerate(zip(_labels(value), SCHOOLS, strict=True)) if a != b)
    own, known = _labels(value)[place], SCHOOLS[place]
    words = f"'y'.* labels of 'school' .* place {place} it has '{own}', the coords have '{known}'"
    with pm.Model(coords={"school": SCHOOLS}), pytest.raises(DataError, match=words):
        hand_in(value)


def _labels(value):
    return list(value.index) if isinstance(value, pd.Series) else value.coords[value.dims[0]].values.tolist()


@WAYS
@pytest.mark.parametrize("value", RIGHT.values(), ids=RIGHT)
def test_what_contradicts_nothing_is_taken(hand_in, value):
    with pm.Model(coords={"school": SCHOOLS}) as model:
        hand_in(value)
    assert "y" in model


def test_columns_and_dims_of_tables():
    coords, both = {"school": SCHOOLS, "year": YEARS}, ("school", "year")
    with pm.Model(coords=coords):
        pm.Data("a", frame(SCHOOLS, YEARS), dims=both)
        with pytest.raises(DataError, match="labels of 'year'.* in place 0 it has 2002, the coords have 2001"):
            pm.Data("b", frame(SCHOOLS, YEARS[::-1]), dims=both)
    turned = xr.DataArray(np.zeros((2, 2)), dims=("year", "school"))
    with pm.Model(coords={"school": SCHOOLS[:2], "year": YEARS}):
        with pytest.raises(DataError, match=r"has the dims \('year', 'school'\).*transpose\('school', 'year'\)"):
            pm.Data("c", turned, dims=both)
        pm.Data("c", turned.transpose(*both), dims=both)


def test_dates_are_compared_as_dates():
    days = pd.date_range("2024-01-01", periods=3, name="day")
    with pm.Model(coords={"day": days}):
        pm.Data("a", pd.Series(X, index=days), dims="day")
        with pytest.raises(DataError, match="labels of 'day'"):
            pm.Data("b", pd.Series(X, index=days[::-1]), dims="day")


def test_data_without_rows_are_told(caplog):
    with pm.Model():
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu, 1, observed=[])
        pm.Poisson("z", pm.math.exp(mu), observed=np.zeros((0, 3)))
        trace = pm.sample(50, random_seed=1, progressbar=False)
    assert "The data of 'y', 'z' are empty, so that nothing was learned from them." in caplog.text
    assert trace["mu"].shape == (200,)


def test_standard_deviations_of_another_number():
    with pm.Model(), pytest.raises(ShapeError, match=r"'sd_dist' of 'c' has shape \(3,\), but there are 2"):
        pm.LKJCholeskyCov("c", eta=1, n=2, sd_dist=pm.HalfNormal.dist(1, shape=3))
    with pm.Model():
        pm.LKJCholeskyCov("c", eta=1, n=2, sd_dist=pm.HalfNormal.dist([1.0, 2.0]))
