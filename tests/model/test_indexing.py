"""`x[index]` against NumPy: drawn indices of every kind, at one point, over draws, and under JAX."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars
import pytest
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st

import finetti as pm
from finetti.errors import DataError, ModelError, ShapeError
from finetti.model.evaluate import evaluate
from finetti.model.graph import Data
from finetti.model.namespace import CROWDED, jax_namespace

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


def _slices(length: int) -> st.SearchStrategy:
    end = st.none() | st.integers(-length - 1, length + 1)
    return st.builds(slice, end, end, st.none() | st.sampled_from([1, 2, -1, -2]))


@st.composite
def _parts(draw, shape, arrays_allowed=True):
    """An index of `shape`: integers, slices, None, arrays (counted from 0) of one shape, a mask; maybe an ellipsis."""
    array_shape = draw(st.sampled_from([(3,), (2, 2), (1,)]))
    parts = []
    for length in shape[: draw(st.integers(0, len(shape)))]:
        integers = st.integers(-length, length - 1)
        kinds = [integers, _slices(length)]
        if arrays_allowed:
            size = int(np.prod(array_shape))
            counted = st.integers(0, length - 1)
            kinds.append(st.lists(counted, min_size=size, max_size=size).map(lambda v: np.reshape(v, array_shape)))
        parts.append(draw(st.one_of(*kinds)))
        if draw(st.integers(0, 4)) == 0:
            parts.append(None)
    used = sum(p is not None for p in parts)
    if used < len(shape) and draw(st.booleans()):  # an ellipsis for no axis is refused beside arrays, see below
        parts.append(Ellipsis)
        if used + 1 < len(shape) and draw(st.booleans()):
            parts.append(draw(st.integers(-shape[-1], shape[-1] - 1)))
    return tuple(parts)


@st.composite
def _indexed(draw):
    shape = draw(SHAPES)
    return shape, draw(_parts(shape))


def _values(shape):
    return np.random.default_rng(0).normal(size=shape)


@settings(max_examples=300, deadline=None)
@given(_indexed())
def test_any_index_gives_what_numpy_gives(case):
    shape, index = case
    values = _values((5, *shape))
    x = Data(shape, np.dtype(float), "x")
    node = x[index]
    assert node.shape == values[0][index].shape
    np.testing.assert_array_equal(evaluate([node], {x: values[0]})[0], values[0][index])
    batched = evaluate([node], {x: values}, lead=1)[0]
    np.testing.assert_array_equal(batched, [v[index] for v in values])


@settings(max_examples=40, deadline=None)
@given(_indexed())
def test_any_index_gives_under_jax_what_numpy_gives(case):
    import jax
    import jax.numpy as jnp

    shape, index = case
    values = _values(shape)
    x = Data(shape, np.dtype(float), "x")
    with jax.enable_x64(True):
        got = evaluate([x[index]], {x: jnp.asarray(values)}, xp=jax_namespace())[0]
    np.testing.assert_array_equal(np.asarray(got), values[index])


@settings(max_examples=100, deadline=None)
@given(SHAPES, st.data())
def test_masks(shape, data):
    rank = data.draw(st.integers(1, len(shape)))
    size = int(np.prod(shape[:rank]))
    mask = np.reshape(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)), shape[:rank])
    values, x = _values((3, *shape)), Data(shape, np.dtype(float), "x")
    node = x[mask]
    assert node.shape == values[0][mask].shape
    np.testing.assert_array_equal(evaluate([node], {x: values}, lead=1)[0], [v[mask] for v in values])


INDEXED = ["x[i]", "x[i, :, 0]", "x[:, :, i]", "x[0, :, i]", "x[i, j]", "x[:, i, j]", "x[i, :, j]"]


@pytest.mark.parametrize("where", INDEXED)
def test_data_as_index(where):
    i, j = np.array([0, 1, 1, 0, 1]), np.array([[2], [0]])
    values = _values((3, 2, 3, 4))
    with pm.Model() as model:
        x = pm.Normal("x", 0, 1, shape=(2, 3, 4))
        names = {"x": x, "i": pm.Data("i", i), "j": pm.Data("j", j)}
        node = eval(where, {}, names)
    for v in values:
        expected = eval(where, {}, {"x": v, "i": i, "j": j})
        assert node.shape == expected.shape
        np.testing.assert_array_equal(evaluate([node], {x: v, **model.data})[0], expected)
    over_draws = evaluate([node], {x: values, **{k: v[None] for k, v in model.data.items()}}, lead=1)[0]
    np.testing.assert_array_equal(over_draws, [eval(where, {}, {"x": v, "i": i, "j": j}) for v in values])


def _columns():
    codes, mask = [2, 0, 0, 1], [True, False, True]
    return {
        "list": codes, "numpy": np.array(codes),
        "int8": np.array(codes, np.int8), "unsigned": np.array(codes, np.uint16),
        "series": pd.Series(codes), "shifted series": pd.Series(codes, index=[9, 8, 7, 6]), "index": pd.Index(codes),
        "nullable": pd.Series(codes, dtype="Int64"), "polars": polars.Series(codes), "xarray": xarray.DataArray(codes),
        "codes": pd.Series(list("caab")).astype("category").cat.codes,
        "factorize": pd.factorize(np.array(list("caab")))[0],
        "mask": mask, "numpy mask": np.array(mask), "series mask": pd.Series(mask), "empty": [],
        "nullable mask": pd.Series(mask, dtype="boolean"), "polars mask": polars.Series(mask),
    }  # fmt: skip


@pytest.mark.parametrize("kind", _columns())
def test_columns_of_tables_as_index(kind):
    column = _columns()[kind]
    plain = np.array(column.to_numpy() if hasattr(column, "to_numpy") else column)
    plain = plain.astype(bool) if "mask" in kind else plain.astype(int)
    values, x = np.array([10.0, 20.0, 30.0]), Data((3,), np.dtype(float), "x")
    np.testing.assert_array_equal(evaluate([x[column]], {x: values})[0], values[plain])


def test_negative_indices_count_from_the_end():
    x = Data((3,), np.dtype(float), "x")
    np.testing.assert_array_equal(evaluate([x[[-1, 0, -3]]], {x: np.arange(3.0)})[0], [2, 0, 0])


def _refused():
    x = Data((3, 2), np.dtype(float), "x")
    return {
        "integer": (lambda: x[3], ShapeError, "'x' has length 3 on axis 0; index 3 is out of range"),
        "negative": (lambda: x[:, -3], ShapeError, "'x' has length 2 on axis 1; index -3 is out of range"),
        "array": (lambda: x[[0, 4, 1]], ShapeError, "'x' has length 3 on axis 0, but the index at row 1 is 4"),
        "matrix": (lambda: x[[[0, 1], [0, 7]]], ShapeError, r"the index at row \(1, 1\) is 7"),
        "from one": (lambda: x[[1, 2, 3]], ShapeError, r"at row 2 is 3\. Indices count from 0"),
        "too many": (lambda: x[0, 0, 0], ShapeError, r"'x' of shape \(3, 2\) has 2 axes, but the index asks for 3"),
        "floats": (lambda: x[[0.0, 1.0]], ShapeError, r"type float64.*astype\(int\)"),
        "text": (lambda: x["a"], DataError, "index of 'x' holds values of type <U1.*factorize"),
        "bool": (lambda: x[True], ShapeError, "'x' is indexed by True"),
        "mask": (lambda: x[[True, False]], ShapeError, r"mask of shape \(2,\) does not fit 'x' of shape \(3, 2\)"),
        "idle ellipsis": (lambda: x[[0, 1], ..., 0], ShapeError, "ellipsis in the index of 'x' stands for no axis"),
        "misfit": (lambda: x[[0, 1, 2], [0, 1]], ShapeError, r"getitem cannot combine 'x' of shape \(3, 2\)"),
    }


@pytest.mark.parametrize("case", _refused())
def test_refused_with_the_axis_and_the_numbers(case):
    attempt, error, message = _refused()[case]
    with pytest.raises(error, match=message):
        attempt()


def test_a_random_index_is_refused():
    with pm.Model():
        a, x = pm.Normal("a", 0, 1), pm.Normal("x", 0, 1, shape=3)
        with pytest.raises(ShapeError, match=r"'x' is indexed by `a > 0`, which is not data.*np\.where"):
            x[a > 0]


def test_a_data_index_out_of_range_is_refused_now_and_when_replaced():
    with pm.Model() as model:
        x = pm.Normal("x", 0, 1, shape=3)
        with pytest.raises(ShapeError, match="'x' has length 3 on axis 0, but the index at row 1 is 3"):
            x[pm.Data("bad", [0, 3])]
        with pytest.raises(ShapeError, match="row 1 is -1. Indices in an array count from 0"):
            x[pm.Data("negative", [0, -1])]
        county = pm.Data("county", [0, 1, 2])
        pm.Normal("y", x[county], 1, observed=[1.0, 2.0, 3.0])
    model.set_data("county", [2, 2, 0])
    with pytest.raises(ShapeError, match=r"'x' has length 3 on axis 0, but the index at row 2 is 3\. Indices count"):
        model.set_data("county", [1, 2, 3])
    np.testing.assert_array_equal(model.data_value(county), [2, 2, 0])


def test_data_of_another_model_is_no_index():
    with pm.Model():
        foreign = pm.Data("foreign", [0, 1])
    with pm.Model():
        x = pm.Normal("x", 0, 1, shape=3)
        with pytest.raises(ModelError, match="'foreign' belongs to another model"):
            x[foreign]


LOOKUPS = {"x[i]": (3,), "x[i, 1]": (3, 2), "x[i, k]": (3, 2), "x[i, :]": (3, 2), "x[i, :, k]": (3, 2, 2),
           "x[i, k, 0]": (3, 2, 2)}  # fmt: skip


@pytest.mark.parametrize(("where", "shape"), LOOKUPS.items())
@pytest.mark.parametrize("order", ["sorted", "shuffled"])
def test_gradients_of_crowded_elements_are_scattered_sums(where, shape, order):
    """Elements with enough rows are looked up in copies: values and sums are those of plain loops over the rows."""
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(3)
    i = np.repeat(np.arange(3), 3 * CROWDED)
    i = i if order == "sorted" else rng.permutation(i)
    k = rng.integers(0, 2, len(i))
    x = Data(shape, np.dtype(float), "x")
    values = rng.normal(size=shape)
    picked = eval(where, {}, {"x": values, "i": i, "k": k})
    node = eval(where, {}, {"x": x, "i": i, "k": k})
    weights = rng.normal(size=picked.shape)
    assert len(i) >= CROWDED * len(values)

    def weighted(v):
        return (evaluate([node], {x: v}, xp=jax_namespace())[0] * weights).sum()

    with jax.enable_x64(True):
        got = evaluate([node], {x: jnp.asarray(values)}, xp=jax_namespace())[0]
        gradient = jax.grad(weighted)(jnp.asarray(values))
    np.testing.assert_array_equal(np.asarray(got), picked)
    places = eval(where, {}, {"x": np.arange(values.size).reshape(shape), "i": i, "k": k})
    expected = np.zeros(values.size)
    for place, weight in zip(places.ravel(), weights.ravel(), strict=True):
        expected[place] += weight
    np.testing.assert_allclose(np.asarray(gradient).ravel(), expected, rtol=1e-12)
