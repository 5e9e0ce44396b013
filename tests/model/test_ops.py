"""Every operation of the table against NumPy and SciPy on plain arrays."""

from __future__ import annotations

import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special as sp

import finetti as pm
from finetti.errors import ArgumentError, ModelError, ShapeError
from finetti.model.evaluate import evaluate
from finetti.model.graph import Data, apply
from finetti.model.namespace import jax_namespace
from finetti.model.ops import OPS

REAL = np.array([-2.5, -1.0, -0.3, 0.2, 1.0, 3.7])
OTHER = np.array([1.5, -1.0, 0.7, 0.2, -2.0, 0.9])
POSITIVE = np.array([0.1, 0.5, 1.0, 1.7, 2.5, 9.0])
UNIT = np.array([0.01, 0.2, 0.5, 0.6, 0.9, 0.99])
ABOVE_ONE = 1 + POSITIVE
LOGIC = np.array([True, True, False, False, True, False])
OTHER_LOGIC = np.array([True, False, True, False, True, True])
EDGES = np.array([np.nan, np.inf, -np.inf, 0.0, 1.0, -1.0])
CUBE = np.random.default_rng(1).normal(size=(2, 3, 4))

ELEMENTWISE = {
    "add": (np.add, REAL, OTHER), "subtract": (np.subtract, REAL, OTHER), "multiply": (np.multiply, REAL, OTHER),
    "true_divide": (np.true_divide, REAL, OTHER), "floor_divide": (np.floor_divide, REAL, OTHER),
    "remainder": (np.remainder, REAL, OTHER), "power": (np.power, POSITIVE, OTHER), "negative": (np.negative, REAL),
    "less": (np.less, REAL, OTHER), "less_equal": (np.less_equal, REAL, OTHER), "greater": (np.greater, REAL, OTHER),
    "greater_equal": (np.greater_equal, REAL, OTHER), "equal": (np.equal, REAL, OTHER),
    "not_equal": (np.not_equal, REAL, OTHER), "logical_and": (np.logical_and, LOGIC, OTHER_LOGIC),
    "logical_or": (np.logical_or, LOGIC, OTHER_LOGIC), "logical_not": (np.logical_not, LOGIC),
    "abs": (np.abs, REAL), "sign": (np.sign, REAL), "exp": (np.exp, REAL), "expm1": (np.expm1, REAL),
    "exp2": (np.exp2, REAL), "log": (np.log, POSITIVE), "log1p": (np.log1p, POSITIVE), "log2": (np.log2, POSITIVE),
    "log10": (np.log10, POSITIVE), "sqrt": (np.sqrt, POSITIVE), "square": (np.square, REAL), "cbrt": (np.cbrt, REAL),
    "reciprocal": (np.reciprocal, REAL), "sin": (np.sin, REAL), "cos": (np.cos, REAL), "tan": (np.tan, REAL),
    "arcsin": (np.arcsin, UNIT), "arccos": (np.arccos, UNIT), "arctan": (np.arctan, REAL),
    "arctan2": (np.arctan2, REAL, OTHER), "sinh": (np.sinh, REAL), "cosh": (np.cosh, REAL), "tanh": (np.tanh, REAL),
    "arcsinh": (np.arcsinh, REAL), "arccosh": (np.arccosh, ABOVE_ONE), "arctanh": (np.arctanh, UNIT),
    "floor": (np.floor, REAL), "ceil": (np.ceil, REAL), "trunc": (np.trunc, REAL),
    "maximum": (np.maximum, REAL, OTHER), "minimum": (np.minimum, REAL, OTHER),
    "logaddexp": (np.logaddexp, REAL, OTHER), "hypot": (np.hypot, REAL, OTHER),
    "where": (np.where, LOGIC, REAL, OTHER), "clip": (np.clip, REAL, -POSITIVE, POSITIVE),
    "isnan": (np.isnan, EDGES), "isinf": (np.isinf, EDGES), "isfinite": (np.isfinite, EDGES),
    "erf": (sp.erf, REAL), "erfc": (sp.erfc, REAL), "erfinv": (sp.erfinv, UNIT), "gammaln": (sp.gammaln, POSITIVE),
    "digamma": (sp.digamma, POSITIVE), "betaln": (sp.betaln, POSITIVE, ABOVE_ONE), "logit": (sp.logit, UNIT),
    "sigmoid": (sp.expit, REAL), "softplus": (lambda x: np.log(1 + np.exp(x)), REAL),
    "log1mexp": (lambda x: np.log(1 - np.exp(x)), -POSITIVE), "ndtr": (sp.ndtr, REAL), "ndtri": (sp.ndtri, UNIT),
    "log_ndtr": (sp.log_ndtr, REAL), "xlogy": (sp.xlogy, np.array([0.0, 1, 2, 0, 1, 3]), POSITIVE),
    "xlog1py": (sp.xlog1py, REAL, POSITIVE), "log_probability": (np.log, UNIT),
}  # fmt: skip

REDUCTIONS = {
    "sum": np.sum, "prod": np.prod, "mean": np.mean, "max": np.max, "min": np.min, "std": np.std, "var": np.var,
    "logsumexp": sp.logsumexp, "all": np.all, "any": np.any,
}  # fmt: skip
STRUCTURAL = {
    "softmax", "cumsum", "cumprod", "stack", "concatenate", "reshape", "broadcast_to", "transpose", "diagonal",
    "matmul", "cholesky", "inverse", "getitem", "wrapped",
}  # fmt: skip


def test_every_operation_of_the_table_is_tested_here():
    assert {name for name, op in OPS.items() if op.elementwise} == set(ELEMENTWISE)
    assert {name for name, op in OPS.items() if not op.elementwise} == set(REDUCTIONS) | STRUCTURAL


# Where the naive reference itself loses digits.
ROUNDED = {"log1mexp": 1e-10, "softplus": 1e-10}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(agree, name):
    reference, *arrays = ELEMENTWISE[name]
    agree(lambda *x: apply(name, *x), reference, *arrays, rtol=ROUNDED.get(name, 1e-12))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_broadcasts_arguments_of_different_rank(agree, name):
    reference, first, *rest = ELEMENTWISE[name]
    shaped = [first.reshape(2, 3, 1), *(a[:4] if k == 0 else a[:1].reshape(()) for k, a in enumerate(rest))]
    if name == "clip":
        shaped = [first.reshape(2, 3, 1), -POSITIVE[:4], POSITIVE[:1].reshape(())]
    agree(lambda *x: apply(name, *x), reference, *shaped, rtol=ROUNDED.get(name, 1e-12))


def test_operations_at_the_edge_of_their_domain():
    x = Data((6,), np.dtype(float), "x")
    with np.errstate(all="ignore"):
        for name in ("log", "sqrt", "log1p", "exp", "softplus"):
            got = evaluate([apply(name, x)], {x: EDGES})[0]
            reference = np.log1p(np.exp(EDGES)) if name == "softplus" else getattr(np, name)(EDGES)
            np.testing.assert_array_equal(got, reference)


OF_INTEGERS = ["exp", "log1p", "sqrt", "sin", "gammaln", "sigmoid", "softplus", "abs", "square", "negative", "sign"]


@pytest.mark.parametrize("name", OF_INTEGERS)
def test_functions_of_integers(agree, name):
    reference = ELEMENTWISE[name][0]
    agree(lambda x: apply(name, x), reference, np.array([1, 2, 3, 7]))


@pytest.mark.parametrize("name", ["exp", "log1p", "sqrt", "sin", "gammaln", "sigmoid", "softplus"])
def test_functions_of_truth_values_have_full_precision(agree, name):
    reference = ELEMENTWISE[name][0]
    agree(lambda x: apply(name, x), lambda v: reference(v * 1.0), np.array([True, False, True, True]))


@pytest.mark.parametrize("sign", [operator.pow, operator.floordiv, operator.mod])
def test_arithmetic_of_truth_values_has_64_bits(agree, sign):
    agree(lambda x: sign(x, x), lambda v: sign(v * 1, v * 1), np.array([True, True]))


BETA = [(5.0, 10.0), (9.0, 10.0), (7.9, 8.0), (0.3, 0.7), (12.0, 13.0), (1e2, 2e2), (1e4, 3.0), (1e9, 6.0), (1e6, 2e6)]


def test_log_beta_function_keeps_its_digits():
    """Against SciPy at the absolute precision that a likelihood of a million rows needs."""
    a, b = np.array(BETA).T
    with jax.enable_x64(True):
        got = np.asarray(jax_namespace().betaln(jnp.asarray(a), jnp.asarray(b)))
        slope = np.asarray(jax.vmap(jax.grad(jax_namespace().betaln))(jnp.asarray(a), jnp.asarray(b)))
    np.testing.assert_allclose(got, sp.betaln(a, b), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(slope, sp.digamma(a) - sp.digamma(a + b), rtol=1e-8, atol=1e-15)


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (-2, 0), (1,)])
def test_reductions(agree, name, axis, keepdims):
    def of_variables(x):
        x = x > 0 if name in ("all", "any") else x
        return getattr(pm.math, name)(x, axis=axis, keepdims=keepdims)

    def of_arrays(x):
        return REDUCTIONS[name](x > 0 if name in ("all", "any") else x, axis=axis, keepdims=keepdims)

    agree(of_variables, of_arrays, CUBE)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax(agree, axis):
    agree(lambda x: pm.math.softmax(x, axis=axis), lambda x: sp.softmax(x, axis=axis), CUBE)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
def test_stack(agree, axis):
    agree(lambda x, y: np.stack([x, y], axis=axis), lambda x, y: np.stack([x, y], axis=axis), CUBE[0], CUBE[1])
    agree(
        lambda x: pm.math.stack([x, np.ones((3, 4))], axis=axis),
        lambda x: np.stack([x, np.ones((3, 4))], axis=axis),
        CUBE[0],
    )


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_concatenate(agree, axis):
    function = lambda x, y: np.concatenate([x, y, np.ones((2, 2))], axis=axis)  # noqa: E731
    agree(function, function, CUBE[0, :2, :2], CUBE[1, :2, :2])


RANKS = {1: (4,), 2: (4, 4), 3: (2, 4, 4), 4: (3, 1, 4, 4)}


@pytest.mark.parametrize("left", RANKS)
@pytest.mark.parametrize("right", RANKS)
def test_matmul_of_every_pair_of_ranks(agree, left, right):
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=RANKS[left]), rng.normal(size=RANKS[right])
    agree(operator.matmul, operator.matmul, a, b, rtol=1e-11)
    agree(lambda x: a @ x, lambda x: a @ x, b, rtol=1e-11)
    agree(lambda x: x @ b, lambda x: x @ b, a, rtol=1e-11)


def test_matmul_of_oblong_matrices(agree):
    agree(operator.matmul, operator.matmul, CUBE[0], CUBE[1].T)
    agree(operator.matmul, operator.matmul, CUBE, CUBE[0, 0])
    agree(operator.matmul, operator.matmul, CUBE[0, :, 0], CUBE)


def test_cholesky_and_inverse(agree):
    rng = np.random.default_rng(3)
    root = rng.normal(size=(2, 3, 3))
    spd = root @ np.swapaxes(root, -1, -2) + 3 * np.eye(3)
    for name, reference in (("cholesky", np.linalg.cholesky), ("inverse", np.linalg.inv)):
        of_spd = lambda x, scale, f=reference: f(x * scale)  # noqa: E731
        # the draws scale the matrices, which stay positive definite
        agree(lambda s, n=name: apply(n, s * spd), lambda s, f=of_spd: f(spd, s), np.array(1.7), rtol=1e-10)
        agree(lambda s, n=name: apply(n, s * spd[0]), lambda s, f=of_spd: f(spd[0], s), np.array(1.7), rtol=1e-10)


def test_diagonal_of_a_stack(agree):
    agree(pm.math.diagonal, lambda x: np.diagonal(x, axis1=-2, axis2=-1), CUBE)


# --- functions of the user -------------------------------------------------------------------------------------


def test_wrap_admits_a_jax_function(agree):
    @pm.wrap
    def saturating(x, rate):
        return (1 - jnp.exp(-rate * x)).sum(-1)

    agree(saturating, lambda x, rate: (1 - np.exp(-rate * x)).sum(-1), CUBE, np.array(0.5))
    agree(lambda rate: saturating(CUBE, rate), lambda rate: (1 - np.exp(-rate * CUBE)).sum(-1), np.array(0.5))


def test_wrap_keeps_the_function_s_name_and_refuses_several_arrays():
    def pair(x):
        return x, x

    assert pm.wrap(pair).__name__ == "pair"
    with pytest.raises(ShapeError, match=r"function pair\('x' of shape \(2,\)\) must return one array"):
        pm.wrap(pair)(Data((2,), np.dtype(float), "x"))


@pytest.mark.parametrize(("function", "words"), [
    (lambda x: np.exp(x), "TracerArrayConversionError.*Write it with `jax.numpy`"),
    (lambda x: x if x[0] > 0 else -x, "TracerBoolConversionError.*`jnp.where` in place of `if`"),
    (lambda x: float(x[0]), "ConcretizationTypeError.*without `float"),
    (lambda x, y: x, "TypeError.*missing 1 required"),
    (lambda x: x @ jnp.ones(3), r"TypeError.*\(2,\)"),
    (lambda x: x.nonsense, "AttributeError.*nonsense"),
])  # fmt: skip
def test_a_function_that_jax_cannot_follow_is_named_with_what_to_do(function, words):
    with pytest.raises(ModelError, match=rf"function <lambda>\('x' of shape \(2,\)\) fails in JAX with {words}"):
        pm.wrap(function)(Data((2,), np.dtype(float), "x"))


def test_wrap_takes_a_function():
    with pytest.raises(ArgumentError, match="wrap takes a function.*got 3"):
        pm.wrap(3)
