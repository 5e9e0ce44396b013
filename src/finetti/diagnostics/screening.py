"""Which of many scalars mix worst: cheap measures of all, so that the exact ones are needed for a few only.

Each scalar is first bounded, u = z / (1 + |z|) with z the draws from the median in units of the quartiles' distance,
which, like ranks, no heavy tail can dominate. R-hat of u and of |u| from means of half chains, and their effective
sizes from means of batches (Geyer 1992, Practical Markov chain Monte Carlo, section 3.2), then cost a few passes over
the draws.
"""

from __future__ import annotations

import numpy as np

_TILE = 2**18  # numbers handled together
_ENOUGH, _FEWEST = 2**24, 200  # numbers looked at in all, about, and draws of each chain at least
_BATCHES, _IN_BATCH = 16, 8  # of each chain at most, and draws in one at least
_SAMPLED = 25  # draws of each chain from which median and quartiles are told
CONSTANT = 1e-13  # of the size of the numbers: what varies less is rounding


def extremes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest draw of each chain (chain, scalar) of x (chain, draw, scalar); NaN where there is one."""
    return x.min(axis=1).astype(float), x.max(axis=1).astype(float)


def is_constant(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Which scalars vary by no more than rounding."""
    return high - low <= CONSTANT * np.maximum(np.abs(low), np.abs(high))


def badness(x: np.ndarray) -> np.ndarray:
    """How badly each scalar mixes by four cheap measures (measure, scalar), larger is worse.

    Args:
        x: draws (chain, draw, scalar), four or more of each chain; of constants and of draws that are not finite the
            measures mean nothing.
    """
    x = x[:, :: max(1, min(x.size // _ENOUGH, x.shape[1] // _FEWEST))]  # thinned, draws rank scalars as well
    step = max(1, _TILE // (x.shape[0] * x.shape[1]))
    tiles = [_badness(_bounded(x[..., i : i + step])) for i in range(0, x.shape[2], step)]
    return np.concatenate(tiles, axis=1) if tiles else np.empty((4, 0))


def worst(measures: np.ndarray, most: int) -> np.ndarray:
    """Places of the scalars that are worst by any of the measures (measure, scalar), at most as many as that."""
    by_rank = np.argsort(-np.nan_to_num(measures, nan=np.inf), axis=1)[:, :most]
    return np.array(list(dict.fromkeys(by_rank.T.ravel().tolist()))[:most], dtype=int)


def _bounded(x: np.ndarray) -> np.ndarray:
    """u of the module's docstring, between -1 and 1."""
    some = x[:, :: max(1, x.shape[1] // _SAMPLED)].reshape(-1, x.shape[2])
    lower, middle, upper = np.quantile(some, (0.25, 0.5, 0.75), axis=0)
    scale = np.where(upper > lower, upper - lower, np.ptp(x, axis=(0, 1)) if (upper == lower).any() else 1.0)
    z = x - middle
    z /= scale
    size = np.abs(z)
    size += 1
    z /= size
    return z


def _badness(u: np.ndarray) -> np.ndarray:
    """R-hat and inverse effective size of u and of |u|."""
    chains, draws, scalars = u.shape
    batches = 2 * max(1, min(_BATCHES, draws // _IN_BATCH) // 2)
    size = draws // batches
    u = u[:, : batches * size].reshape(chains, batches, size, scalars)
    return np.concatenate([_of_batches(u), _of_batches(np.abs(u, out=u))])


def _of_batches(u: np.ndarray) -> np.ndarray:
    """R-hat squared less one, and draws over effective draws, of u (chain, batch, draw, scalar)."""
    chains, batches, size, scalars = u.shape
    means = u.mean(axis=2)
    total = np.einsum("cbds,cbds->s", u, u) / (chains * batches * size) - means.mean(axis=(0, 1)) ** 2
    halves = means.reshape(2 * chains, batches // 2, scalars).mean(axis=1)
    between = halves.var(axis=0, ddof=1)
    return np.stack([between / np.maximum(total - between, 1e-12), size * means.var(axis=(0, 1)) / total])
