"""One check for all operations: a function of variables against the same function of plain NumPy arrays."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from finetti.model.evaluate import evaluate
from finetti.model.graph import Data
from finetti.model.namespace import jax_namespace

DRAWS = 4


def three_ways(of_variables, of_arrays, *arrays, rtol=1e-12, with_jax=True):
    """Shape, type and value of the node equal NumPy's: at one point, over a batch of draws, and under JAX."""
    arrays = [np.asarray(a) for a in arrays]
    leaves = [Data(a.shape, a.dtype, f"x{k}") for k, a in enumerate(arrays)]
    node = of_variables(*leaves)
    expected = np.asarray(of_arrays(*arrays))
    assert node.shape == expected.shape
    assert node.dtype == expected.dtype

    at_point = evaluate([node], dict(zip(leaves, arrays, strict=True)))[0]
    np.testing.assert_allclose(at_point, expected, rtol=rtol, strict=True)

    for varying in _which_vary(len(arrays)):
        batches = [_draws(a) if vary else a[None] for a, vary in zip(arrays, varying, strict=True)]
        batched = evaluate([node], dict(zip(leaves, batches, strict=True)), lead=1)[0]
        loop = [of_arrays(*(b[d if len(b) > 1 else 0] for b in batches)) for d in range(DRAWS)]
        np.testing.assert_allclose(np.broadcast_to(batched, (DRAWS, *node.shape)), loop, rtol=rtol, atol=1e-14)

    if with_jax:
        with jax.enable_x64(True):
            traced = [jnp.asarray(a) for a in arrays]
            under_jax = evaluate([node], dict(zip(leaves, traced, strict=True)), xp=jax_namespace())[0]
        assert under_jax.shape == node.shape
        np.testing.assert_allclose(np.asarray(under_jax), expected, rtol=max(rtol, 1e-10), atol=1e-14)


def _which_vary(n: int) -> list[list[bool]]:
    """All arguments vary over the draws; and, of several, each is once the only one that does."""
    return [[True] * n] + ([[k == j for j in range(n)] for k in range(n)] if n > 1 else [])


def _draws(array: np.ndarray) -> np.ndarray:
    """Draws made of the array's own elements, so that they stay in the domain of the function."""
    flat = array.ravel()
    rolled = [np.roll(flat, d) if flat.size > 1 else flat * (1 + d * 0.01) for d in range(DRAWS)]
    return np.stack(rolled).astype(array.dtype).reshape(DRAWS, *array.shape)


@pytest.fixture(scope="session")
def agree():
    return three_ways
