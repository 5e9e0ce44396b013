"""The range of an expression holds every value it takes: random expressions at random points, and forms by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import finetti as pm
from finetti.distributions.ranges import Ranges
from finetti.model.evaluate import evaluate

UNARY = (
    lambda a: -a, np.exp, lambda a: np.log(1 + np.exp(a)), np.sqrt, np.square, np.abs, np.tanh, lambda a: 1 / a,
    lambda a: a**2, lambda a: a**3, lambda a: a**-0.5, pm.math.sigmoid, np.sin, pm.math.softplus, np.log, np.log1p,
    np.cumsum, lambda a: a[::-1], lambda a: np.stack([a, a])[1], lambda a: a + a.sum(), lambda a: a * a.max(),
    lambda a: np.where(a > 0, a, 1.0), lambda a: np.clip(a, -1, 2), pm.math.softmax, lambda a: a.mean() + 0 * a,
    pm.math.normal_cdf, pm.math.erf, np.expm1,
)  # fmt: skip
BINARY = (
    lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / b, np.maximum, np.minimum, np.hypot,
    lambda a, b: np.dot(a, b) + 0 * a, lambda a, b: np.concatenate([a, b])[1:4],
)  # fmt: skip
LEAVES = {
    "normal": lambda: pm.Normal("normal", 0, 2, shape=3), "half": lambda: pm.HalfNormal("half", 2, shape=3),
    "unit": lambda: pm.Beta("unit", 2, 2, shape=3), "between": lambda: pm.Uniform("between", -2, 3, shape=3),
    "above": lambda: pm.Pareto("above", 3, 1, shape=3),
    "cut": lambda: pm.TruncatedNormal("cut", 0, 1, upper=-1, shape=3),
    "data": lambda: pm.Data("data", [-1.0, 0.0, 2.5]), "counts": lambda: pm.Data("counts", [0, 3, 1]),
}  # fmt: skip


@st.composite
def expressions(draw, leaves):
    node = leaves[draw(st.sampled_from(sorted(leaves)))]
    for _ in range(draw(st.integers(0, 5))):
        if draw(st.booleans()):
            node = draw(st.sampled_from(UNARY))(node)
        else:
            pair = (node, leaves[draw(st.sampled_from(sorted(leaves)))])
            node = draw(st.sampled_from(BINARY))(*(pair if draw(st.booleans()) else pair[::-1]))
    return node


@settings(deadline=None, derandomize=True, max_examples=400)
@given(st.data())
def test_no_value_lies_outside(data):
    with pm.Model() as model:
        leaves = {name: write() for name, write in LEAVES.items()}
        node = data.draw(expressions(leaves))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    points = 400
    given_values = {d: value[None] for d, value in model.data.items()}
    for leaf in model.free:
        parameters = [p.value for p in leaf.parameters]
        given_values[leaf] = leaf.family.draw(rng, (points, 3), *parameters)
    with np.errstate(all="ignore"):
        values = np.asarray(evaluate([node], given_values, lead=1)[0], float)
    found = Ranges(model.data).of(node)
    known = values[np.isfinite(values)]  # nothing is claimed beyond floating point
    assert (known >= found.low - 1e-12 * abs(found.low)).all()
    assert (known <= found.high + 1e-12 * abs(found.high)).all()
    if found.whole:
        assert (known == np.floor(known)).all()


@pytest.mark.parametrize(
    ("write", "positive", "nonnegative"),
    [
        (lambda a, s: s, True, True),
        (lambda a, s: a**2, False, True),
        (lambda a, s: a**2 + s, True, True),
        (lambda a, s: np.exp(a) / s, True, True),
        (lambda a, s: s - 1, False, False),
        (lambda a, s: np.abs(a), False, True),
        (lambda a, s: np.sqrt(s**2 + a**2), True, True),
        (lambda a, s: a * s, False, False),
        (lambda a, s: np.array([1.0, 2.0]) * s, True, True),
        (lambda a, s: np.array([0.0, 2.0]) * s, False, True),
        (lambda a, s: np.where(a > 0, s, 1.0), True, True),
        (lambda a, s: np.where(a > 0, s, 0.0), False, True),
        (lambda a, s: np.log(1 + s), True, True),
        (lambda a, s: 1 - pm.math.sigmoid(a), True, True),
    ],
)
def test_signs_of_common_forms(write, positive, nonnegative):
    with pm.Model() as model:
        a, s = pm.Normal("a", 0, 1), pm.HalfNormal("s", 1)
        found = Ranges(model.data).of(write(a, s) + 0 * 1.0)
    assert (found.positive, found.nonnegative) == (positive, nonnegative)


def test_a_long_loop_is_walked_without_recursion():
    with pm.Model() as model:
        s = pm.HalfNormal("s", 1)
        node = s
        for _ in range(3000):
            node = 0.5 * node + s
    assert Ranges(model.data).of(node).positive
