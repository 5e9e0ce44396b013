"""Comparisons that choose between numbers are told; bounds, data and smooth forms are not."""

from __future__ import annotations

import numpy as np
import pytest

import finetti as pm
from finetti.model.jumps import jumping

T = np.arange(10.0)


@pytest.mark.parametrize(("rate", "names"), [
    (lambda c, a, b: pm.math.where(c > T, a, b), ["c"]),
    (lambda c, a, b: a + (c < T) * b, ["c"]),
    (lambda c, a, b: a + b * pm.math.floor(c), ["c"]),
    (lambda c, a, b: a + b * pm.math.sigmoid(5 * (T - c)), []),
    (lambda c, a, b: pm.math.where(T < 4, a, b) + c, []),
    (lambda c, a, b: a + b * c * (T > 3), []),
    (lambda c, a, b: pm.math.maximum(T - c, 0) * a + b, []),
])  # fmt: skip
def test_which_unknowns_a_density_may_jump_in(rate, names):
    with pm.Model() as model:
        c, a, b = pm.Uniform("c", 0, 10), pm.Normal("a", 0, 1), pm.Normal("b", 0, 1)
        pm.Poisson("y", pm.math.exp(rate(c, a, b)), observed=np.arange(10))
    assert jumping(model.randoms) == names
    assert ("The density may jump where 'c' crosses" in str(model.plan())) == bool(names)


def test_a_bound_is_no_jump():
    with pm.Model() as model:
        x = pm.Normal("x", -1, 1)
        pm.Potential("above", pm.math.where(x > 0, 0.0, -np.inf))
    assert jumping([*model.randoms, *model.potentials.values()]) == []
