"""Elimination by blocks against NumPy's linear algebra on the same matrix written out in full."""

from __future__ import annotations

import numpy as np
import pytest

from finetti.model.namespace import NUMPY, jax_namespace
from finetti.reductions.linear.elimination import Eliminated, diagonal, eliminate, log_of_product, quadratic, solve
from finetti.reductions.linear.layout import Layout, System

GROUPS, DRAWS = 5, 3


def random_systems(slots: int, border: int) -> tuple[np.ndarray, np.ndarray]:
    """Positive definite Q (draw, element, element), block by block and bordered, and h (draw, element)."""
    rng = np.random.default_rng(10 * slots + border)
    n = GROUPS * slots + border
    group = np.concatenate([np.repeat(np.arange(GROUPS), slots), np.full(border, -1)])
    touching = (group[:, None] == group) | (group[:, None] < 0) | (group < 0)
    half = rng.normal(size=(DRAWS, n, n)) * touching
    q = np.where(touching, half + np.swapaxes(half, 1, 2), 0.0)
    return q + np.eye(n) * (1 + 2 * np.abs(q).sum(axis=2, keepdims=True)), rng.normal(size=(DRAWS, n))


def arranged(q: np.ndarray, h: np.ndarray, slots: int, border: int) -> System:
    """The parts of one system, or with draws last of several."""
    grid = np.arange(GROUPS * slots).reshape(GROUPS, slots).T
    layout = Layout(GROUPS * slots + border, grid, np.arange(GROUPS * slots, GROUPS * slots + border))
    entries = np.zeros((layout.entries, *q.shape[:-2]))
    d, b, e, hd, he, _ = layout.starts
    q, h = np.moveaxis(q, 0, -1) if q.ndim == 3 else q, h.T
    for s in range(slots):
        for g in range(GROUPS):
            for t in range(slots):
                entries[d + (s * slots + t) * GROUPS + g] = q[grid[s, g], grid[t, g]]
            entries[hd + s * GROUPS + g] = -h[grid[s, g]]
            for k, element in enumerate(layout.border):
                entries[b + (s * border + k) * GROUPS + g] = q[grid[s, g], element]
    for k, element in enumerate(layout.border):
        entries[he + k] = -h[element]
        for m, other in enumerate(layout.border):
            entries[e + k * border + m] = q[element, other]
    return layout.system(lambda start, stop: entries[start:stop], NUMPY)


def log_determinant(factors: Eliminated) -> np.ndarray:
    ends = 2 * np.log(diagonal(factors.border, NUMPY)).sum(axis=-1)
    return ends + log_of_product(factors.pivot, NUMPY)


SHAPES = [(1, 0), (1, 2), (2, 3), (3, 9), (1, 12), (0, 4)]


@pytest.mark.parametrize(("slots", "border"), SHAPES)
def test_several_systems_at_once(slots, border):
    q, h = random_systems(slots, border)
    factors = eliminate(arranged(q, h, slots, border), NUMPY)
    mean = np.linalg.solve(q, h[..., None])[..., 0]
    np.testing.assert_allclose(log_determinant(factors), np.linalg.slogdet(q)[1], rtol=1e-11)
    np.testing.assert_allclose(quadratic(factors, NUMPY), (h * mean).sum(axis=1), rtol=1e-11)
    blocks, ends = solve(factors, DRAWS, None)
    assert blocks.shape == (slots, GROUPS if slots else 0, DRAWS) and ends.shape == (DRAWS, border)
    found = np.concatenate([blocks.transpose(2, 1, 0).reshape(DRAWS, -1), ends], axis=1)
    np.testing.assert_allclose(found, mean, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("xp", [NUMPY, "jax"])
@pytest.mark.parametrize(("slots", "border"), SHAPES)
def test_one_system(slots, border, xp):
    q, h = random_systems(slots, border)
    namespace = jax_namespace() if xp == "jax" else xp
    factors = eliminate(arranged(q[1], h[1], slots, border), namespace)
    expected = h[1] @ np.linalg.solve(q[1], h[1])
    tolerance = 1e-5 if xp == "jax" else 1e-11  # where JAX computes in single precision
    np.testing.assert_allclose(np.asarray(quadratic(factors, namespace)), expected, rtol=tolerance)
    ends = 2 * np.log(np.asarray(diagonal(factors.border, namespace))).sum()
    found = ends + np.asarray(log_of_product(factors.pivot, namespace))
    np.testing.assert_allclose(found, np.linalg.slogdet(q[1])[1], rtol=tolerance)


def test_draws_have_the_inverse_as_their_covariance():
    """At each of three systems; entries of 100,000 draws at six standard errors: a false alarm in 1 of 10^5 runs."""
    q, h = random_systems(2, 7)
    n, draws = q.shape[1], 100_000
    for k in range(DRAWS):
        factors = eliminate(arranged(q[k : k + 1], h[k : k + 1], 2, 7), NUMPY)
        blocks, ends = solve(factors, draws, np.random.default_rng(k))
        z = np.concatenate([blocks.transpose(2, 1, 0).reshape(draws, -1), ends], axis=1)
        v = np.linalg.inv(q[k])
        errors = np.sqrt((v**2 + np.outer(np.diag(v), np.diag(v))) / draws)
        assert z.shape == (draws, n)
        assert (np.abs(np.cov(z.T) - v) < 6 * errors).all()
        assert (np.abs(z.mean(axis=0) - v @ h[k]) < 6 * np.sqrt(np.diag(v) / draws)).all()
