"""Every support: into it and back, and the log-determinant against the Jacobian that JAX differentiates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from finetti.distributions import bijections
from finetti.distributions.bijections import at_least, at_most, between, constant_interval
from finetti.errors import ModelError
from finetti.model.namespace import NUMPY, jax_namespace

TRIANGLE = np.tril_indices(4, -1)

# support, bounds, shape of a value, the coordinates of a value that may vary freely
SUPPORTS = {
    "real": (bijections.REAL, (), (3,), lambda x: x),
    "positive": (bijections.POSITIVE, (), (3,), lambda x: x),
    "unit": (bijections.UNIT, (), (3,), lambda x: x),
    "above": (at_least("lower"), (np.array(-2.0),), (3,), lambda x: x),
    "below": (at_most("upper"), (np.array(7.0),), (3,), lambda x: x),
    "between": (between("lower", "upper"), (np.array([-2.0, 0.0, 1.0]), np.array(7.0)), (3,), lambda x: x),
    "circle": (constant_interval(-np.pi, np.pi), (), (3,), lambda x: x),
    "simplex": (bijections.SIMPLEX, (), (4,), lambda x: x[..., :-1]),
    "vector": (bijections.REAL_VECTOR, (), (3,), lambda x: x),
    "correlation": (bijections.CORRELATION_CHOLESKY, (), (4, 4), lambda x: x[..., TRIANGLE[0], TRIANGLE[1]]),
}
each = pytest.mark.parametrize("name", SUPPORTS)


def unconstrained(shape, largest=6.0):
    return arrays(float, shape, elements=st.floats(-largest, largest, allow_subnormal=False))


@each
@given(data=st.data())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_there_and_back(name, data):
    support, bounds, shape, _ = SUPPORTS[name]
    z = data.draw(unconstrained((2, *support.bijection.unconstrained(shape)), 2.0 if name == "correlation" else 6.0))
    x, _ = support.bijection.forward(NUMPY, z, *bounds)
    assert x.shape == (2, *shape)
    assert np.asarray(support.contains(x, *bounds)).all()
    np.testing.assert_allclose(support.bijection.inverse(x, *bounds), z, rtol=1e-6, atol=1e-7)


@each
@given(data=st.data())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_far_out_nothing_breaks(name, data):
    """Values stay numbers in the closure of the support, and log-determinants finite."""
    support, bounds, shape, _ = SUPPORTS[name]
    z = data.draw(unconstrained(support.bijection.unconstrained(shape), 300.0))
    x, log_det = support.bijection.forward(NUMPY, z, *bounds)
    assert np.isfinite(x).all()
    assert np.isfinite(log_det).all()


@each
def test_log_determinant_is_that_of_the_jacobian(name):
    import jax

    support, bounds, shape, free = SUPPORTS[name]
    z = np.random.default_rng(4).normal(size=support.bijection.unconstrained(shape))
    with jax.enable_x64(True):
        coordinates = jax.jit(lambda z: free(support.bijection.forward(jax_namespace(), z, *bounds)[0]))
        jacobian = jax.jit(jax.jacobian(coordinates))(z)
        _, log_det = jax.jit(lambda z: support.bijection.forward(jax_namespace(), z, *bounds))(z)
    expected = np.linalg.slogdet(np.asarray(jacobian))[1]
    assert np.asarray(log_det).sum() == pytest.approx(expected, rel=1e-10)


@each
def test_a_batch_is_a_loop_and_numpy_is_jax(name):
    import jax

    support, bounds, shape, _ = SUPPORTS[name]
    z = np.random.default_rng(5).normal(size=(3, *support.bijection.unconstrained(shape)))
    x, log_det = support.bijection.forward(NUMPY, z, *bounds)
    for k in range(3):
        with jax.enable_x64(True):
            one, det = jax.jit(lambda z: support.bijection.forward(jax_namespace(), z, *bounds))(z[k])
        np.testing.assert_allclose(x[k], one, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(log_det[k], det, rtol=1e-12, atol=1e-14)


def test_no_underflow_onto_an_edge_where_a_density_may_be_infinite():
    """Gamma and beta densities with a shape below 1 are infinite at 0 and 1, which a chain must not reach."""
    far = np.array([-1000.0, 60.0])
    assert (bijections.POSITIVE.bijection.forward(NUMPY, far)[0] > 0).all()
    unit = bijections.UNIT.bijection.forward(NUMPY, far)[0]
    assert ((unit > 0) & (unit < 1)).all()
    assert (bijections.SIMPLEX.bijection.forward(NUMPY, far)[0] > 0).all()


def test_interval_keeps_its_digits_at_both_ends():
    """sigmoid(-40) of a width is still told from the lower bound; above, the bound itself is reached, not passed."""
    x, _ = bijections._interval(NUMPY, np.array([-40.0, 40.0]), np.array(0.0), np.array(2.0))
    assert 0 < x[0] < 1e-16
    assert x[1] <= 2.0


def test_a_discrete_support_has_no_map_and_says_so():
    assert bijections.continuous(bijections.POSITIVE) is bijections.EXP
    with pytest.raises(ModelError, match="a whole number from 0 to n is discrete"):
        bijections.to_unconstrained(bijections.counts_to("n"), np.array(1.0), np.array(3.0))
