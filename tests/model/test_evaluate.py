"""Values of nodes: static ones, batches of draws, sharing, and deep graphs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import finetti as pm
from finetti.model.evaluate import evaluate, is_static, static_value
from finetti.model.graph import Data, as_node
from finetti.model.namespace import jax_namespace

X = Data((3,), np.dtype(float), "x")


@settings(max_examples=100, deadline=None)
@given(mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3), st.tuples(*[st.booleans()] * 3))
def test_broadcasting_behind_the_axis_of_draws(shapes, varies):
    """Each draw is computed as if alone, whatever the ranks, and whichever arguments vary."""
    rng = np.random.default_rng(0)
    lengths = [4 if vary else 1 for vary in varies]
    arrays = [rng.normal(size=(n, *shape)) for n, shape in zip(lengths, shapes.input_shapes, strict=True)]
    leaves = [Data(a.shape[1:], np.dtype(float), f"x{k}") for k, a in enumerate(arrays)]
    a, b, c = leaves
    node = np.where(a > 0, a + b * c, np.maximum(b, c)) - 1.5
    assert node.shape == shapes.result_shape
    got = evaluate([node], dict(zip(leaves, arrays, strict=True)), lead=1)[0]
    for draw in range(len(got)):
        x, y, z = (v[draw if len(v) > 1 else 0] for v in arrays)
        np.testing.assert_array_equal(got[draw], np.where(x > 0, x + y * z, np.maximum(y, z)) - 1.5)


def test_constants_keep_one_draw():
    assert evaluate([as_node([1.0, 2.0]) * 2], {}, lead=1)[0].shape == (1, 2)


def test_several_roots_share_what_they_have_in_common():
    calls = []

    def counted(x):
        calls.append(1)
        return x * 2

    shared = pm.wrap(counted)(X)
    calls.clear()
    a, b = evaluate([shared + 1, shared + 2], {X: np.ones(3)})
    assert len(calls) == 1
    np.testing.assert_array_equal([a, b], [[3, 3, 3], [4, 4, 4]])


def test_a_value_given_for_an_inner_node_stops_the_walk():
    inner = np.exp(X)
    np.testing.assert_array_equal(evaluate([inner + 1], {inner: np.zeros(3)})[0], [1, 1, 1])


def test_a_missing_value_is_named():
    with pytest.raises(KeyError, match="no value was given for 'x'"):
        evaluate([X + 1], {})


def test_static_values():
    with pm.Model() as model:
        data = pm.Data("data", [1.0, 2.0])
        a = pm.Normal("a", 0, 1)
        doubled = pm.Deterministic("doubled", data * 2)
    assert is_static(doubled)
    assert not is_static(doubled + a)
    np.testing.assert_array_equal(static_value(doubled, model.data), [2, 4])
    assert static_value(a * 0, model.data) is None


def test_data_that_is_no_traced_array_can_be_indexed_under_jax():
    """In the sampler data are NumPy arrays among traced unknowns."""
    slope = Data((), np.dtype(float), "slope")
    node = X[[0, 2, 2]] * slope

    def value(s):
        return evaluate([node], {slope: s, X: np.arange(3.0)}, xp=jax_namespace())[0].sum()

    with jax.enable_x64(True):
        assert float(jax.jit(jax.grad(value))(jnp.asarray(2.0))) == 4.0


def test_wrap_is_differentiable_and_in_double_precision():
    node = pm.wrap(lambda x: jnp.sin(x) ** 2)(X)
    x = np.array([0.1, 0.2, 0.3])
    assert evaluate([node], {X: x})[0].dtype == np.float64
    assert evaluate([node], {X: x[None]}, lead=1)[0].dtype == np.float64
    with jax.enable_x64(True):
        gradient = jax.grad(lambda v: evaluate([node], {X: v}, xp=jax_namespace())[0].sum())(jnp.asarray(x))
    np.testing.assert_allclose(gradient, np.sin(2 * x), rtol=1e-14)


@pytest.mark.parametrize("lead", [0, 1])
def test_a_deep_graph_is_evaluated(lead):
    node = X
    for _ in range(5_000):
        node = node + 1
    values = np.zeros((2, 3)) if lead else np.zeros(3)
    np.testing.assert_array_equal(evaluate([node], {X: values}, lead=lead)[0], values + 5_000)
