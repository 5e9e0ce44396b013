"""Elements of a variable that say nothing of their own: constant up to rounding, or the mirror of another.

A correlation matrix has ones on its diagonal, some of them off by the last digit, and every correlation twice; a
Cholesky factor has zeros above its diagonal. What is judged are the draws, not the names: a matrix that a user
computes is treated like the one of `LKJCholeskyCov`.

A variable that is constant throughout is kept whole. Somebody wrote it, or the sampler is stuck: both should be seen.
"""

from __future__ import annotations

import numpy as np

# Draws that differ by fewer steps of floating point than this are rounding of one number: no posterior is so narrow
# in its own units, and a product of a few factors is off by more than one step.
_STEPS = 64
_ROUNDING = _STEPS * np.finfo(float).eps


def redundant(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which elements are constant, and which mirror an element that is shown.

    Args:
        draws: one variable (chain, draw, *shape).

    Returns:
        Two masks (*shape): constant in all draws, where others of the variable vary; and below the diagonal of
        a matrix (the last two axes) that is symmetric in all draws. No element is in both.

    Example:
        >>> r = np.random.default_rng(1).uniform(-1, 1, size=(4, 100))
        >>> constant, mirrored = redundant(np.stack([np.ones_like(r), r, r, np.ones_like(r)], -1).reshape(4, 100, 2, 2))
        >>> constant.tolist(), mirrored.tolist()
        ([[True, False], [False, True]], [[False, False], [True, False]])
    """
    constant = _constant(draws)
    if constant.all() or not draws.shape[2:]:
        nothing = np.zeros(draws.shape[2:], dtype=bool)
        return nothing, nothing
    return constant, _mirrored(draws) & ~constant


def _constant(draws: np.ndarray) -> np.ndarray:
    """Elements (*shape) that all draws hold alike; only those alike in two draws are looked at in full."""
    flat = draws.reshape(*draws.shape[:2], -1)
    found = _alike(flat[:1, :1], flat[-1:, -1:])
    suspects = flat[..., found]
    found[found] = _alike(suspects.min(axis=(0, 1), keepdims=True), suspects.max(axis=(0, 1), keepdims=True))
    return found.reshape(draws.shape[2:])


def _mirrored(draws: np.ndarray) -> np.ndarray:
    """The elements (*shape) below the diagonal, if the last two axes are a symmetric matrix in all draws."""
    shape = draws.shape[2:]
    below = np.zeros(shape, dtype=bool)
    if len(shape) > 1 and shape[-1] == shape[-2] > 1 and _symmetric(draws[:1, :1]) and _symmetric(draws):
        below[..., *np.tril_indices(shape[-1], -1)] = True
    return below


def _symmetric(draws: np.ndarray) -> bool:
    """Whether every draw (chain, draw, ..., row, column) is a symmetric matrix, row by row to save memory."""
    return all(
        _alike(draws[..., row, row + 1 :], draws[..., row + 1 :, row]).all() for row in range(draws.shape[-1] - 1)
    )


def _alike(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Elements whose two sets of draws (chain, draw, ...) are the same but for rounding of their largest."""
    with np.errstate(all="ignore"):  # infinite draws: their difference is NaN, so they are not alike
        apart = np.abs(np.subtract(one, other, dtype=float)).max(axis=(0, 1))
        largest = np.maximum(np.abs(one), np.abs(other)).max(axis=(0, 1))
        return np.asarray(apart <= _ROUNDING * largest)
