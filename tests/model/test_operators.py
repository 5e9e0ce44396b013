"""Everything an array can do, written with variables: operators, NumPy's functions, methods, tables on the left."""

from __future__ import annotations

import operator

import numpy as np
import pandas as pd
import polars
import pytest
import scipy.special as sp
import xarray

import finetti as pm
from finetti.errors import ModelError, ShapeError
from finetti.model.graph import Apply, Data, Node

REAL = np.array([-2.5, -1.0, -0.3, 0.2, 1.0, 3.7])
OTHER = np.array([1.5, -1.0, 0.7, 0.2, -2.0, 0.9])
POSITIVE = np.array([0.1, 0.5, 1.0, 1.7, 2.5, 9.0])
UNIT = np.array([0.01, 0.2, 0.5, 0.6, 0.9, 0.99])
ABOVE_ONE = 1 + POSITIVE
LOGIC = np.array([True, True, False, False, True, False])
CUBE = np.random.default_rng(1).normal(size=(2, 3, 4))

# --- Python's operators ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sign",
    [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
     operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne],
)  # fmt: skip
def test_binary_operators_on_either_side_of_numbers_and_arrays(agree, sign):
    agree(sign, sign, POSITIVE, OTHER)
    agree(lambda x: sign(x, 2.0), lambda x: sign(x, 2.0), POSITIVE)
    agree(lambda x: sign(2.0, x), lambda x: sign(2.0, x), POSITIVE)
    agree(lambda x: sign(ABOVE_ONE, x), lambda x: sign(ABOVE_ONE, x), POSITIVE)
    agree(lambda x: sign(np.float64(2), x), lambda x: sign(np.float64(2), x), POSITIVE)


def test_logical_and_unary_operators(agree):
    agree(lambda x, y: (x > 0) & (y > 0), lambda x, y: (x > 0) & (y > 0), REAL, OTHER)
    agree(lambda x, y: (x > 0) | ~(y > 0), lambda x, y: (x > 0) | ~(y > 0), REAL, OTHER)
    agree(lambda x: -x + abs(x) - (+x), lambda x: -x + abs(x) - x, REAL)


def test_comparisons_count(agree):
    agree(lambda x: (x > 0).sum(), lambda x: (x > 0).sum(), REAL)
    agree(lambda x: (x > 0) * 2.0 + (x > 1) * 1, lambda x: (x > 0) * 2.0 + (x > 1) * 1, REAL)


def test_python_sum_and_iteration(agree):
    agree(lambda x, y: sum([x, y]), lambda x, y: x + y, REAL, OTHER)
    agree(lambda x: sum(x), np.sum, REAL)
    agree(lambda x: [row for row in x][1], lambda x: x[1], CUBE)


# --- NumPy's functions -----------------------------------------------------------------------------------------

UFUNCS = [
    "absolute", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "ceil", "cos", "cosh",
    "exp", "exp2", "expm1", "fabs", "floor", "log", "log10", "log1p", "log2", "negative", "positive", "reciprocal",
    "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc", "isnan", "conjugate",
]  # fmt: skip


@pytest.mark.parametrize("name", UFUNCS)
def test_numpy_ufuncs(agree, name):
    function = getattr(np, name)
    values = ABOVE_ONE if name == "arccosh" else UNIT
    agree(lambda x: function(x) + 0.0, lambda x: function(x) + 0.0, values)


@pytest.mark.parametrize("name", ["erf", "erfc", "erfinv", "expit", "logit", "gammaln", "digamma", "psi", "ndtr"])
def test_scipy_ufuncs(agree, name):
    agree(getattr(sp, name), getattr(sp, name), UNIT)


FUNCTIONS = {
    "where": (lambda c, x, y: np.where(c, x, y), LOGIC, REAL, OTHER),
    "clip": (lambda x: np.clip(x, -1.0, 1.0), REAL),
    "clip one side": (lambda x: np.clip(x, None, 1.0), REAL),
    "minimum of both": (lambda x, y: np.minimum(x, y), REAL, OTHER),
    "dot of vectors": (lambda x, y: np.dot(x, y), REAL, OTHER),
    "dot with a scalar": (lambda x: np.dot(x, 2.0), REAL),
    "dot of matrix and vector": (lambda x, y: np.dot(x, y), REAL.reshape(2, 3), OTHER[:3]),
    "outer": (lambda x, y: np.outer(x, y), REAL, OTHER[:2]),
    "matmul": (lambda x, y: np.matmul(x, y), CUBE[0], CUBE[1].T),
    "reshape": (lambda x: np.reshape(x, (4, -1)), CUBE),
    "ravel": (lambda x: np.ravel(x), CUBE),
    "broadcast_to": (lambda x: np.broadcast_to(x, (5, 6)), REAL),
    "transpose": (lambda x: np.transpose(x), CUBE),
    "transpose with axes": (lambda x: np.transpose(x, (1, 2, 0)), CUBE),
    "transpose with negative axes": (lambda x: np.transpose(x, (-1, 0, 1)), CUBE),
    "swapaxes": (lambda x: np.swapaxes(x, 0, -1), CUBE),
    "squeeze": (lambda x: np.squeeze(x), CUBE[:1]),
    "squeeze axis": (lambda x: np.squeeze(x, axis=0), CUBE[:1, :1]),
    "expand_dims": (lambda x: np.expand_dims(x, 1), CUBE),
    "diagonal": (lambda x: np.diagonal(x), CUBE[0]),
    "cumsum flat": (lambda x: np.cumsum(x), CUBE),
    "cumsum": (lambda x: np.cumsum(x, axis=1), CUBE),
    "cumprod": (lambda x: np.cumprod(x, axis=-1), CUBE),
    "hstack of vectors": (lambda x, y: np.hstack([x, y]), REAL, OTHER),
    "hstack of matrices": (lambda x, y: np.hstack([x, y]), CUBE[0], CUBE[1]),
    "hstack of cubes": (lambda x: np.hstack([x, x]), CUBE),
    "hstack of scalars": (lambda x: np.hstack([x[0], x[1]]), REAL),
    "vstack of vectors": (lambda x, y: np.vstack([x, y]), REAL, OTHER),
    "vstack of matrices": (lambda x, y: np.vstack([x, y]), CUBE[0], CUBE[1]),
    "column_stack": (lambda x, y: np.column_stack([x, y]), REAL, OTHER),
    "column_stack of a matrix": (lambda x: np.column_stack([np.ones(3), x]), CUBE[0]),
    "atleast_1d": (lambda x: np.atleast_1d(x[0]), REAL),
    "amax": (lambda x: np.amax(x, axis=0), CUBE),
    "zeros_like": (lambda x: x + np.zeros_like(x), REAL),
    "ones_like": (lambda x: x + np.ones_like(x), REAL),
}


@pytest.mark.parametrize("case", FUNCTIONS)
def test_numpy_functions(agree, case):
    function, *arrays = FUNCTIONS[case]
    agree(function, function, *arrays)


METHODS = {
    "sum": lambda x: x.sum(axis=-1), "mean": lambda x: x.mean(axis=0, keepdims=True), "prod": lambda x: x.prod(),
    "max": lambda x: x.max(axis=(0, 2)), "min": lambda x: x.min(), "std": lambda x: x.std(axis=1),
    "var": lambda x: x.var(axis=1), "cumsum": lambda x: x.cumsum(axis=0), "T": lambda x: x.T,
    "transpose": lambda x: x.transpose(2, 0, 1), "transpose tuple": lambda x: x.transpose((2, 0, 1)),
    "reshape": lambda x: x.reshape(6, -1), "reshape tuple": lambda x: x.reshape((2, 12)),
    "flatten": lambda x: x.flatten(), "ravel": lambda x: x.ravel(), "dot": lambda x: x[0].dot(np.arange(4.0)),
    "clip": lambda x: x.clip(-1, 1), "squeeze": lambda x: x[:1].squeeze(), "any": lambda x: (x > 0).any(axis=0),
    "all": lambda x: (x > -1).all(axis=-1), "len": lambda x: x * len(x),
    "size": lambda x: x.sum() / x.size + x.ndim + x.shape[1],
    "np.size": lambda x: x.sum() / np.size(x) + np.ndim(x) + np.shape(x)[1],
}  # fmt: skip


@pytest.mark.parametrize("case", METHODS)
def test_methods_of_arrays(agree, case):
    agree(METHODS[case], METHODS[case], CUBE)


def test_names_of_math_are_the_functions_they_say(agree):
    for name, reference in {
        "invlogit": sp.expit, "expit": sp.expit, "sqr": np.square, "normal_cdf": sp.ndtr, "probit": sp.ndtri,
        "log1pexp": lambda x: np.log1p(np.exp(x)), "sgn": np.sign,
    }.items():  # fmt: skip
        agree(getattr(pm.math, name), reference, UNIT)
    agree(pm.math.switch, np.where, LOGIC, REAL, OTHER)
    agree(pm.math.matmul, np.matmul, CUBE, CUBE[0].T)
    for name, reference in {"eq": np.equal, "neq": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
                            "ge": np.greater_equal}.items():  # fmt: skip
        agree(getattr(pm.math, name), reference, REAL, OTHER)


# --- tables on the left ----------------------------------------------------------------------------------------


def _frame():
    return pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.5, 1.5, 2.5]})


@pytest.mark.parametrize("sign", [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow,
                                  operator.lt, operator.ge, operator.eq])  # fmt: skip
def test_pandas_leaves_the_operator_to_the_variable(agree, sign):
    frame = _frame()
    agree(lambda x: sign(frame["a"], x), lambda x: sign(frame["a"].to_numpy(), x), POSITIVE[:3])
    agree(lambda x: sign(frame, x), lambda x: sign(frame.to_numpy(), x), POSITIVE[:2])
    agree(lambda x: sign(frame.index, x), lambda x: sign(frame.index.to_numpy(), x), POSITIVE[:3])
    agree(lambda x: sign(frame["a"].astype("Float64"), x), lambda x: sign(frame["a"].to_numpy(), x), POSITIVE[:3])


def test_pandas_functions_and_products(agree):
    frame = _frame()
    x, two = POSITIVE[:3], POSITIVE[:2]
    agree(lambda x: np.log(frame["a"]) * x, lambda x: np.log(frame["a"].to_numpy()) * x, x)
    agree(lambda x: pm.math.dot(frame, x), lambda x: frame.to_numpy() @ x, two)
    agree(lambda x: np.dot(frame, x), lambda x: frame.to_numpy() @ x, two)
    agree(lambda x: x @ frame, lambda x: x @ frame.to_numpy(), x)
    agree(lambda x: x * frame["a"], lambda x: x * frame["a"].to_numpy(), x)


def test_xarray_on_the_left_gives_an_expression_that_distributions_take():
    column = xarray.DataArray([1.0, 2.0, 3.0], dims="row")
    with pm.Model():
        slope = pm.Normal("slope", 0, 1)
        effect = pm.Normal("effect", 0, 1, shape=3)
        assert pm.Normal("y", column * slope + effect, 1).shape == (3,)
        assert isinstance(pm.Deterministic("d", column * effect).value, Apply)
        assert isinstance(effect * column, Node)


def test_polars_on_the_right(agree):
    frame = polars.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.5, 1.5, 2.5]})
    agree(lambda x: x * frame["a"], lambda x: x * frame["a"].to_numpy(), POSITIVE[:3])
    agree(lambda x: pm.math.dot(frame, x), lambda x: frame.to_numpy() @ x, POSITIVE[:2])
    with pytest.raises(TypeError):  # polars does not leave the operator to us, and says so itself
        frame["a"] * Data((3,), np.dtype(float), "x")


def test_lists_of_variables_are_stacked(agree):
    function = lambda x, y: np.stack([[x[0], y[0]], [x[1], 2.0]])  # noqa: E731
    agree(lambda x, y: x[:2] * [[x[0], y[0]], [x[1], 2.0]], lambda x, y: x[:2] * function(x, y), REAL, OTHER)
    with pm.Model():
        a, b = pm.Normal("a", 0, 1), pm.Normal("b", 0, 1)
        assert pm.Normal("c", [a, b, 1.0], 1).shape == (3,)


# --- what is refused -------------------------------------------------------------------------------------------

X = Data((3, 2), np.dtype(float), "x")
REFUSED = {
    "if": (lambda: 1 if X[0, 0] > 0 else 2, TypeError, r"neither true nor false.*np\.where"),
    "and": (lambda: (X > 0) and (X < 1), TypeError, "neither true nor false"),
    "np.array": (lambda: np.array(X), TypeError, "cannot become a NumPy array"),
    "np.array of a list": (lambda: np.array([X[0], X[1]]), TypeError, r"np\.stack"),
    "frame @": (lambda: _frame().T @ X, TypeError, r"math\.dot\(frame, x\)"),
    "float": (lambda: float(X[0, 0]), TypeError, "has no value of its own"),
    "int": (lambda: int(X[0, 0]), TypeError, "has no value of its own"),
    "range": (lambda: range(X[0, 0]), TypeError, "has no value of its own"),
    "len of a scalar": (lambda: len(X[0, 0]), TypeError, "no length"),
    "unknown function": (lambda: np.median(X), ModelError, r"np\.median.*finetti\.wrap"),
    "unknown function of linalg": (lambda: np.linalg.norm(X), ModelError, r"np\.linalg\.norm.*finetti\.wrap"),
    "unknown ufunc": (lambda: np.spacing(X), ModelError, r"np\.spacing.*finetti\.wrap"),
    "unknown option": (lambda: np.sum(X, dtype=float), TypeError, r"sum\(\).*dtype"),
    "degrees of freedom": (lambda: np.std(X, ddof=1), TypeError, r"std\(\).*ddof"),
    "out": (lambda: np.exp(X, out=np.zeros((3, 2))), TypeError, r"np\.exp.*out"),
    "reduce": (lambda: np.add.reduce(X), TypeError, r"np\.add\.reduce"),
    "axis": (lambda: X.sum(axis=2), ShapeError, "sum has no axis 2: its argument has 2 axes"),
    "shapes": (lambda: X + np.ones((2, 3)), ShapeError, r"add cannot combine 'x' of shape \(3, 2\).*\(2, 3\)"),
    "matmul shapes": (lambda: X @ X, ShapeError, r"matmul.*'x' of shape \(3, 2\), 'x' of shape \(3, 2\)"),
    "matmul with a scalar": (lambda: X @ 2.0, ShapeError, r"matmul.*\(3, 2\).*\(\)"),
    "dot of cubes": (lambda: np.dot(X, np.ones((2, 2, 2))), ShapeError, r"\(2, 2, 2\); use `@`"),
    "diagonal of a cube": (lambda: np.diagonal(X[None]), ShapeError, r"\(1, 3, 2\)"),
    "reshape": (lambda: X.reshape(4), ShapeError, r"'x' of shape \(3, 2\) cannot be reshaped to \(4,\)"),
    "broadcast": (lambda: np.broadcast_to(X, (2, 3)), ShapeError, r"'x' of shape \(3, 2\)"),
    "stack": (lambda: np.stack([X, X[0]]), ShapeError, r"stack.*\(3, 2\).*\(2,\)"),
    "concatenate": (lambda: np.concatenate([X, X.T]), ShapeError, r"concatenate.*\(3, 2\).*\(2, 3\)"),
    "negative of truth": (lambda: -(X > 0), ModelError, "negative cannot combine `x > 0`"),
    "text": (lambda: X + "a", ModelError, "numbers are needed"),
    "None": (lambda: X + None, ModelError, "is None"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_a_reason(case):
    attempt, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        attempt()


def test_variables_are_equal_and_hashed_by_identity():
    other = Data((3, 2), np.dtype(float), "x")
    assert {X: 1, other: 2}[X] == 1
    assert X in [X]
    assert isinstance(other == X, Apply)
