"""Nodes, arrays that become nodes, the walk over a graph, and rewriting."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pandas as pd
import polars
import pytest
import xarray

import finetti as pm
from finetti.errors import DataError
from finetti.model.evaluate import evaluate
from finetti.model.graph import Apply, Constant, Data, Deterministic, Random, ancestors, as_array, as_node, substitute

FLOAT = np.dtype(float)
X, Y = Data((3,), FLOAT, "x"), Data((), FLOAT, "y")


# --- arrays ----------------------------------------------------------------------------------------------------


def _good():
    return {
        "list": [1, 2, 3], "tuple": (1, 2, 3), "nested": [[1, 2], [3, 4]], "numpy": np.array([1.5, 2.5]), "int": 3,
        "float32": np.array([1.5], np.float32), "uint8": np.array([1, 2], np.uint8), "bool": [True, False],
        "series": pd.Series([1, 2, 3]), "Int64": pd.Series([1, 2, 3], dtype="Int64"),
        "boolean": pd.Series([True, False], dtype="boolean"), "Float64": pd.Series([1.5, 2.5], dtype="Float64"),
        "frame": pd.DataFrame({"a": [1, 2], "b": [3.5, 4.5]}),
        "codes": pd.Series(list("ab")).astype("category").cat.codes,
        "objects": pd.Series([1, 2], dtype=object), "mixed objects": np.array([1, 2.5, np.float32(3)], dtype=object),
        "decimals": polars.Series(["1.5"]).cast(polars.Decimal(10, 2)), "polars": polars.Series([1, 2]),
        "polars frame": polars.DataFrame({"a": [1, 2], "b": [3, 4]}), "xarray": xarray.DataArray([[1.0, 2.0]]),
        "unmasked": np.ma.masked_array([1.0, 2.0]),
    }  # fmt: skip


WHOLE = {"list", "tuple", "nested", "int", "uint8", "series", "Int64", "codes", "objects", "polars", "polars frame"}


@pytest.mark.parametrize("kind", _good())
def test_arrays_of_every_library(kind):
    given = _good()[kind]
    got = as_array(given, what="the data")
    plain = np.asarray(given.to_numpy() if hasattr(given, "to_numpy") else given)
    np.testing.assert_array_equal(got, plain.astype(got.dtype))
    assert got.dtype in (np.float64, np.int64, np.bool_)
    assert (got.dtype == np.int64) == (kind in WHOLE)


def _missing():
    return {
        "None": [1.0, None, 3.0], "nan": [1.0, np.nan, 3.0], "NA": pd.Series([1, pd.NA, 3], dtype="Int64"),
        "NA object": pd.Series([1, pd.NA, 3], dtype=object), "polars": polars.Series([1, None, 3]),
        "masked frame": pd.DataFrame({"a": [1.0, None, 3.0]})["a"],
        "None of object": np.array([1, None, 3], dtype=object),
    }  # fmt: skip


@pytest.mark.parametrize("kind", _missing())
def test_missing_values_of_every_library_become_nan_and_are_refused_as_data(kind):
    given = _missing()[kind]
    np.testing.assert_array_equal(as_array(given, what="the data"), [1, np.nan, 3])
    with pm.Model(), pytest.raises(DataError, match=r"data of 'y' have missing values: row 1 is nan.*dropna"):
        pm.Normal("y", 0, 1, observed=given)


def _bad():
    return {
        "text": (["a", "b"], "type <U1.*factorize"), "text column": (pd.Series(["a", "b"], dtype=object), "holds 'a'"),
        "numerals": (pd.Series(["1", "2"], dtype=object), "holds '1', which is not a number"),
        "category": (pd.Categorical(["u", "v"]), "'u'"), "dates": (pd.to_datetime(["2020-01-01"]), "datetime64"),
        "complex": ([1j], "complex128"), "ragged": ([[1, 2], [3]], "not a rectangular array"),
        "None": (None, "is None"),
        "masked": (np.ma.masked_array([1.0, 2, 3], [0, 1, 1]), r"2 masked values.*compressed"),
        "variable": (X, "'x', but known numbers"), "dict": ({"a": 1}, "not a number"),
    }  # fmt: skip


@pytest.mark.parametrize("kind", _bad())
def test_what_is_no_number_is_refused_by_name(kind):
    given, message = _bad()[kind]
    with pytest.raises(DataError, match=f"(?s)The data of 'y'.*{message}"):
        as_array(given, what="The data of 'y'")


def test_constants_are_copies_that_cannot_be_changed():
    array = np.ones(3)
    node = as_node(array)
    array[0] = 7
    assert node.value[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        node.value[0] = 2


# --- nodes -----------------------------------------------------------------------------------------------------


def test_nodes_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        X.name = "z"


def test_nodes_show_what_they_are():
    assert repr(X) == "<'x', shape (3,)>"
    assert repr(X * 2 + Y) == "<`x * 2 + y`, shape (3,)>"
    assert repr(as_node(1.0)) == "<a constant, shape ()>"


def test_the_graph_imports_no_heavy_library():
    code = (
        "import sys, finetti.model.context, finetti.model.show, finetti.model.build\n"
        "from finetti.model.graph import Data\nimport numpy as np\n"
        "x = Data((3,), np.dtype(float), 'x'); str(np.exp(x)[1:] @ np.ones(2))\n"
        "print([m for m in ('jax', 'xarray', 'pandas', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- the walk --------------------------------------------------------------------------------------------------


def test_ancestors_come_inputs_first_and_once():
    shared = X * Y
    root = shared + np.exp(shared)
    order = list(ancestors([root, shared]))
    assert len(order) == len({id(n) for n in order}) == 5
    place = {id(n): k for k, n in enumerate(order)}
    assert all(place[id(child)] < place[id(n)] for n in order for child in n.inputs)


def test_ancestors_stop_where_they_are_told():
    inner = X * Y
    root = np.exp(inner) + 1
    found = list(ancestors([root], through=lambda n: n is not inner))
    assert any(n is inner for n in found)
    assert not any(n is X or n is Y for n in found)


def test_observed_data_are_ancestors():
    with pm.Model() as model:
        data = pm.Data("data", [1.0, 2.0])
        y = pm.Normal("y", 0, 1, observed=data)
    assert any(n is data for n in ancestors([y]))
    assert model["y"] is y


# --- rewriting -------------------------------------------------------------------------------------------------


def test_substitute_keeps_what_it_does_not_touch():
    untouched, touched = np.exp(X), X * Y
    root = untouched + touched
    z = Data((), FLOAT, "z")
    (new,) = substitute([root], {Y: z})
    assert new is not root
    assert new.arguments[0] is untouched
    assert new.arguments[1].arguments[0] is X
    assert new.arguments[1].arguments[1] is z
    assert root.arguments[1] is touched
    assert touched.arguments[1] is Y


def test_substitute_without_a_match_changes_nothing():
    root = np.exp(X) + Y
    new = substitute([root, X], {Data((), FLOAT, "z"): Y})
    assert new[0] is root
    assert new[1] is X


def test_substitute_rebuilds_every_kind_of_node():
    with pm.Model():
        mu = pm.Normal("mu", 0, 1)
        double = pm.Deterministic("double", 2 * mu)
        y = pm.Normal("y", double, 1, observed=[1.0, 2.0])
    nu = Data((), FLOAT, "nu")
    (new,) = substitute([y], {mu: nu})
    assert isinstance(new, Random)
    assert new.observed is y.observed
    assert new.family is y.family
    assert (new.name, new.shape) == ("y", (2,))
    renamed = new.parameters[0]
    assert isinstance(renamed, Deterministic)
    assert renamed.name == "double"
    assert renamed.value.arguments[1] is nu
    assert isinstance(y.parameters[0].value.arguments[1], Random)


def test_substitute_shares_what_was_shared():
    shared = np.exp(Y)
    a, b = substitute([shared + 1, shared * 2], {Y: Data((), FLOAT, "z")})
    assert a.arguments[0] is b.arguments[0]
    assert a.arguments[0] is not shared


def test_a_replacement_is_not_searched_again():
    (new,) = substitute([np.exp(Y)], {Y: Y + 1})
    assert new.arguments[0].arguments[0] is Y


@pytest.mark.parametrize("grow", [lambda n: n + 1, lambda n: 1 + n, lambda n: np.exp(n) - n])
def test_deep_graphs_do_not_overflow_the_stack(grow):
    node = Y
    for _ in range(5_000):
        node = grow(node)
    assert sum(1 for _ in ancestors([node])) >= 5_001
    (new,) = substitute([node], {Y: as_node(2.0)})
    assert isinstance(new, Apply)
    assert repr(new)
    assert not any(n is Y for n in ancestors([new]))


def test_a_deep_model_registers_and_evaluates():
    """A random walk written as a loop, and one long sum observed."""
    with pm.Model() as model:
        steps = pm.Normal("steps", 0, 1, shape=2_000)
        level = 0.0
        for i in range(2_000):
            level = level + steps[i]
        pm.Normal("y", level, 1, observed=3.0)
    last = model["y"].parameters[0]
    assert evaluate([last], {steps: np.ones(2_000)})[0] == 2_000


def test_constants_of_the_same_number_are_separate_nodes():
    root = X + 1 + 1
    assert sum(isinstance(n, Constant) for n in ancestors([root])) == 2
