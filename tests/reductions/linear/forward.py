"""The oracle of this folder: a model run forwards, its Gaussian variables made of standard normal noise.

Everything Gaussian is an affine function of that noise, and running the model at no noise and at one unit of each
noise reads the function off. What follows is a joint normal law of latents and data: dense, and nothing in it
knows of affine forms, groups, borders or rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from finetti.distributions.multivariate import MvNormal
from finetti.distributions.real import Flat
from finetti.model.evaluate import evaluate
from finetti.model.graph import Node, Random


def wide(array: np.ndarray, rank: int) -> np.ndarray:
    """(run, *shape) with axes of length one behind the first until there are `rank` of them."""
    return array.reshape(array.shape[0], *(1,) * (rank + 1 - array.ndim), *array.shape[1:])


def run(nodes: Sequence[Random], given: Mapping[Node, np.ndarray], noise: np.ndarray) -> dict[Node, np.ndarray]:
    """Values (run, *shape) of Gaussian variables, parents first, made of noise (run, element).

    Args:
        nodes: Normal and MvNormal variables, and flat ones, which are their own noise.
        given: values of all other variables and of the data, without an axis of runs.
        noise: one number for each element of each node, in order.
    """
    values = {node: np.asarray(value)[None] for node, value in given.items()}
    start = 0
    for node in nodes:
        z = noise[:, start : start + node.size].reshape(len(noise), *node.shape)
        start += node.size
        if node.family is Flat:
            values[node] = z
            continue
        mean, scale = evaluate(node.parameters, values, lead=1)
        if node.family is MvNormal:
            spread = np.einsum("n...ij,n...j->n...i", np.broadcast_to(scale, (len(z), *scale.shape[1:])), z)
        else:
            spread = wide(scale, node.ndim) * z
        values[node] = wide(mean, node.ndim) + spread
    return values


@dataclass(frozen=True)
class Linear:
    """Variables as affine functions of noise: value = at_zero + slope @ noise, elements of all of them in order."""

    at_zero: np.ndarray
    slope: np.ndarray


def linearised(nodes: Sequence[Random], given: Mapping[Node, np.ndarray]) -> Linear:
    """Read the affine function off runs at no noise and at one unit of each."""
    size = sum(node.size for node in nodes)
    values = run(nodes, given, np.concatenate([np.zeros((1, size)), np.eye(size)]))
    flat = np.concatenate(
        [np.broadcast_to(values[n], (size + 1, *n.shape)).reshape(size + 1, -1) for n in nodes], axis=1
    )
    return Linear(flat[0], (flat[1:] - flat[0]).T)


@dataclass(frozen=True)
class Law:
    """Log density of the data given phi, and the members' mean and covariance given both."""

    log_density: float
    mean: np.ndarray
    covariance: np.ndarray


def law(members: Sequence[Random], observed: Sequence[Random], given: Mapping[Node, np.ndarray]) -> Law:
    """The exact law of members and data given everything else, by dense linear algebra.

    Flat members are integrated over the real line (Harville 1974, Biometrika 61, eq. 4, for the density).
    """
    nodes = [*members, *observed]
    whole = linearised(nodes, given)
    flat = np.concatenate([np.full(n.size, n.family is Flat) for n in nodes])
    k = sum(m.size for m in members)
    y = np.concatenate([np.ravel(evaluate([n.observed], given)[0]).astype(float) for n in observed] or [np.zeros(0)])
    proper, free = whole.slope[:, ~flat], whole.slope[:, flat]
    joint = proper @ proper.T
    v, across, prior = joint[k:, k:], joint[:k, k:], joint[:k, :k]
    f, above = free[k:], free[:k]
    r = y - whole.at_zero[k:]
    solved = np.linalg.solve(v, np.column_stack([f, r])) if len(y) else np.zeros((0, f.shape[1] + 1))
    information = f.T @ solved[:, :-1]
    beta = np.linalg.solve(information, f.T @ solved[:, -1])
    left = r - f @ beta
    quadratic = left @ (np.linalg.solve(v, left) if len(y) else left)
    n = len(y) - f.shape[1]
    log_determinants = np.linalg.slogdet(v)[1] + np.linalg.slogdet(information)[1]
    log_density = -0.5 * (n * np.log(2 * np.pi) + log_determinants + quadratic)
    gain = np.linalg.solve(v, across.T).T if len(y) else across
    pull = above - gain @ f
    mean = whole.at_zero[:k] + above @ beta + gain @ left
    covariance = prior - gain @ across.T + pull @ np.linalg.solve(information, pull.T)
    return Law(float(log_density), mean, covariance)


def flat_values(members: Sequence[Random], values: Mapping[Node, np.ndarray]) -> np.ndarray:
    """Values (draw, *shape) of the members as (draw, element)."""
    return np.concatenate([values[m].reshape(len(values[m]), -1) for m in members], axis=1)


def whitened(drawn: np.ndarray, conditional: Law) -> np.ndarray:
    """Draws (draw, element) in coordinates in which they should be independent standard normals."""
    sd = np.sqrt(np.diag(conditional.covariance))
    values, vectors = np.linalg.eigh(conditional.covariance / sd[:, None] / sd)
    kept = values > 1e-9 * values.max()  # what the data and the rest fix exactly has no spread to be measured in
    return ((drawn - conditional.mean) / sd) @ vectors[:, kept] / np.sqrt(values[kept])


def assert_normal(drawn: np.ndarray, conditional: Law) -> None:
    """Draws (draw, element) have the law's mean and covariance: two tests, each with a false alarm in a million."""
    w = whitened(drawn, conditional)
    n, d = w.shape
    assert stats.chi2(d).sf(n * (w.mean(axis=0) ** 2).sum()) > 1e-6, "the mean is off"
    spread = np.cov(w.T, bias=False).reshape(d, d) - np.eye(d)
    z = spread[np.tril_indices(d)] * np.sqrt(n)
    z[np.cumsum(np.arange(1, d + 1)) - 1] /= np.sqrt(2)  # a variance's own spread
    limit = stats.norm.isf(0.5e-6 / len(z)) * 1.15  # the tails of chi-squared are a little heavier than a normal's
    assert np.abs(z).max() < limit, f"the covariance is off: {np.abs(z).max():.1f} standard errors"


__all__ = ["Law", "assert_normal", "flat_values", "law", "linearised", "run", "whitened", "wide"]
