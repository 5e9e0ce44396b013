"""Elimination in a block-bordered system: factors, the quadratic form, the determinant's pieces, and draws.

Every loop over groups is one array operation; see `System` for where the axes of groups and of draws are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from finetti.model.namespace import NUMPY, Namespace
from finetti.reductions.linear.layout import System

FEW = 6  # elements of the border up to which array operations are quicker than matrix products


class Eliminated(NamedTuple):
    """Q as factors L diag(pivot) L' of its blocks, L with a diagonal of ones, and a Cholesky factor of the border.

    There is one division for each pivot and no square root: both are dear in the sampler's loop, and more so in
    their derivatives.

    Args:
        lower: rows of L, below the diagonal: lower[i][j] of shape (group[, draw]).
        pivot, inverse: what elimination leaves of each diagonal entry, and its reciprocal: one (group[, draw]) a slot.
        coupling: L^-1 B, transposed: one (border, group[, draw]) for each slot.
        group_pull: L^-1 times the pull: one (group[, draw]) for each slot.
        border: ([draw,] border, border) Cholesky factor of S.
        border_pull: ([draw,] border) S's factor, inverted, times what is left of the pull.
        share: ([draw]) smallest share of a diagonal entry of Q that elimination has left.
    """

    lower: list
    pivot: list
    inverse: list
    coupling: list
    group_pull: list
    border: Any
    border_pull: Any
    share: Any


def eliminate(system: System, xp: Namespace) -> Eliminated:
    """Eliminate the groups, then eliminated what they leave of the border."""
    lower: list[list] = []
    pivots: list = []
    inverses: list = []
    coupling: list = []
    pull: list = []
    border, border_pull, share = system.border, system.border_pull, 1.0
    for i, entries in enumerate(system.groups):
        times_pivot: list = []
        for j in range(i):
            times_pivot.append(_less(entries[j], (times_pivot[m] * lower[j][m] for m in range(j))))
        row = [value * inverse for value, inverse in zip(times_pivot, inverses, strict=True)]
        pivot = _less(entries[i], (a * b for a, b in zip(times_pivot, row, strict=True)))
        share = xp.minimum(share, xp.min(pivot / entries[i], axis=0)) if row else share
        coupling.append(_less(system.coupling[i], (row[j][None] * coupling[j] for j in range(i))))
        pull.append(_less(system.group_pull[i], (row[j] * pull[j] for j in range(i))))
        lower.append(row)
        pivots.append(pivot)
        inverses.append(1.0 / pivot)
    if border.shape[-1] == 0:
        return Eliminated(lower, pivots, inverses, coupling, pull, border, border_pull, share)
    for c, p, inverse in zip(coupling, pull, inverses, strict=True):
        to_border, to_pull = _taken_off(c, p, inverse, xp)
        border, border_pull = border - to_border, border_pull - to_pull
    factor = _cholesky(border, xp)
    share = xp.minimum(share, xp.min(diagonal(factor, xp) ** 2 / diagonal(system.border, xp), axis=-1))
    pulled = xp.solve_lower(factor, border_pull)
    return Eliminated(lower, pivots, inverses, coupling, pull, factor, pulled, share)


def _less(value: Any, terms: Iterable[Any]) -> Any:
    """A value with terms taken off it, of which there may be none."""
    for term in terms:
        value = value - term
    return value


def quadratic(done: Eliminated, xp: Namespace) -> Any:
    """([draw]) h'Q^-1 h."""
    total = xp.sum(done.border_pull**2, axis=-1)
    for pull, inverse in zip(done.group_pull, done.inverse, strict=True):
        total = total + xp.sum(pull * pull * inverse, axis=0)
    return total


def _taken_off(coupling: Any, pull: Any, inverse: Any, xp: Namespace) -> tuple[Any, Any]:
    """What a slot takes off the border, ([draw,] border, border), and off its pull, ([draw,] border).

    Without matrix products while the border is small; where it is not, they are of a matrix with its own transpose,
    which libraries know how to do in half the time.
    """
    few = len(coupling) <= FEW
    if coupling.ndim == 2:
        scaled = coupling * inverse[None]
        square = xp.sum(scaled[:, None] * coupling[None], axis=-1) if few else xp.matmul(scaled, coupling.T)
        return square, xp.sum(scaled * pull[None], axis=-1) if few else xp.matmul(scaled, pull)
    if few:
        scaled = coupling * inverse[None]
        return xp.einsum("igd,jgd->dij", scaled, coupling), xp.einsum("igd,gd->di", scaled, pull)
    root = xp.sqrt(inverse)
    rooted = xp.ascontiguousarray(xp.moveaxis(coupling * root[None], -1, 0))
    return xp.matmul(rooted, xp.swapaxes(rooted, -1, -2)), xp.matmul(rooted, (pull * root).T[..., None])[..., 0]


def log_of_product(pivots: Sequence[Any], xp: Namespace) -> Any:
    """([draw]) sum of logarithms of arrays (group[, draw]): of products of eight, for logarithms are dear in XLA."""
    if not pivots:
        return 0.0
    product, factors = pivots[0], 1
    for pivot in pivots[1:]:
        product, factors = product * pivot, factors + 1
    while 2 * factors <= 8 and len(product) > 1:
        half = len(product) // 2
        paired = product[:half] * product[half : 2 * half]
        rest = product[2 * half :]
        product, factors = xp.concatenate([paired, rest]) if len(rest) else paired, 2 * factors
    return xp.sum(xp.log(product), axis=0)


def diagonal(matrix: Any, xp: Namespace) -> Any:
    """The diagonal, in XLA as a sum: it would gather it, and gathering in the sampler's loop is slow."""
    if xp is NUMPY:
        return np.diagonal(matrix, axis1=-2, axis2=-1)
    return xp.sum(matrix * np.eye(matrix.shape[-1]), axis=-1)


def _cholesky(border: Any, xp: Namespace) -> Any:
    """Factor of each border; NaN where it is not positive definite, which no posterior's bulk is."""
    if xp is not NUMPY:
        return xp.cholesky(border)
    try:
        return np.linalg.cholesky(border)
    except np.linalg.LinAlgError:
        return np.array([_cholesky_or_nan(matrix) for matrix in border.reshape(-1, *border.shape[-2:])]).reshape(
            border.shape
        )


def _cholesky_or_nan(matrix: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return np.full_like(matrix, np.nan)


def solve(done: Eliminated, draws: int, rng: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray]:
    """Draws (slot, group, draw) of the blocks and (draw, border) of the border; without `rng` the mean of each."""

    def noise(*shape: int) -> Any:
        return 0.0 if rng is None else rng.standard_normal(shape)

    p = done.border_pull.shape[-1]
    border = np.broadcast_to(done.border_pull + noise(draws, p), (draws, p))
    if p:
        border = np.linalg.solve(np.swapaxes(done.border, -1, -2), border[..., None])[..., 0]
    slots = len(done.lower)
    z: list = [None] * slots
    for i in reversed(range(slots)):
        inverse = done.inverse[i]
        left = _less(done.group_pull[i], (c * b for c, b in zip(done.coupling[i], border.T, strict=True)))
        z[i] = left * inverse + np.sqrt(inverse) * noise(len(inverse), draws)
        z[i] = _less(z[i], (done.lower[m][i] * z[m] for m in range(i + 1, slots)))
    return np.stack(z) if slots else np.zeros((0, 0, draws)), border
