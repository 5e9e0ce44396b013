"""How heavy a tail is: the shape k of a generalised Pareto distribution fitted to the largest draws.

Moments of an order above 1 / k are infinite: with k = 1 there is no mean, with k = 1/2 no variance. An average over
draws is then as large as the largest of them happens to be.

Source: Zhang, Stephens (2009), Technometrics 51(3), for the fit; Vehtari, Simpson, Gelman, Yao, Gabry (2024), JMLR
25(72), sections 3.1 and 3.2, for the length of the tail, the prior on k and the limit.
"""

from __future__ import annotations

import numpy as np

RELIABLE = 0.7  # k up to which an average settles down with as many draws as there usually are
FEWEST = 20  # draws of a tail
_PRIOR = 3.0  # of the fit: Zhang and Stephens' constant
_WORTH = 10.0  # draws that the prior on k is worth; it is centred at 1/2


def heaviness(draws: np.ndarray) -> np.ndarray:
    """k of the heavier tail of each scalar; NaN for too few draws, or a tail without spread.

    Args:
        draws: (scalar, draw), finite.

    Returns:
        k (scalar).

    Example:
        >>> rng = np.random.default_rng(1)
        >>> draws = np.stack([rng.standard_normal(4000), rng.standard_cauchy(4000)])
        >>> (heaviness(draws) > RELIABLE).tolist()
        [False, True]
    """
    n = draws.shape[1]
    length = int(np.ceil(min(0.2 * n, 3.0 * np.sqrt(n))))
    if length < FEWEST:
        return np.full(len(draws), np.nan)
    ordered = np.sort(draws, axis=1)
    upper = ordered[:, -length:] - ordered[:, -length - 1, None]
    lower = (ordered[:, length, None] - ordered[:, :length])[:, ::-1]
    with np.errstate(all="ignore"):
        return np.fmax(_shape(upper), _shape(lower))


def _shape(excess: np.ndarray) -> np.ndarray:
    """k of excesses over a threshold (scalar, position), from the smallest: the posterior mean on a grid of 1 / scale.

    The paper's theta is -k / sigma here, and its k has the other sign.
    """
    scale = excess[:, -1:]  # so that no square overflows
    excess = excess / scale
    n = excess.shape[1]
    count = 30 + int(np.sqrt(n))
    quartile = excess[:, int(n / 4 + 0.5) - 1, None]
    places = (1.0 - np.sqrt(count / (np.arange(1, count + 1) - 0.5))) / (_PRIOR * quartile) + 1.0  # (scalar, place)
    k = np.log1p(-places[..., None] * excess[:, None, :]).mean(axis=2)
    profile = n * (np.log(-places / k) - k - 1.0)
    weight = np.exp(profile - profile.max(axis=1, keepdims=True))
    place = (places * weight).sum(axis=1) / weight.sum(axis=1)
    found = np.log1p(-place[:, None] * excess).mean(axis=1)
    return (n * found + 0.5 * _WORTH) / (n + _WORTH)
