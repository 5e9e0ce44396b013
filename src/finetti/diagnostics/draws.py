"""Draws of many scalars, sorted once: ranks, normal scores and quantiles are read from that order.

Normal scores depend on the rank alone, so they are a table computed once per number of draws.
Source: Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), doi:10.1214/20-BA1221; "the paper" below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, wraps
from typing import Concatenate, ParamSpec

import numpy as np

from finetti.diagnostics.normal import lower_quantiles
from finetti.errors import DataError

MIN_DRAWS = 4  # two draws in each half of a chain: below that no variance within a half
_BLOCK = 2**15  # numbers handled together: with temporaries that stay in the cache, twice as fast
Kernel = Callable[["Draws"], np.ndarray]
Options = ParamSpec("Options")
KernelWith = Callable[Concatenate["Draws", Options], np.ndarray]


@dataclass(frozen=True, eq=False)
class Draws:
    """The draws of several scalars (scalar, chain, draw) as float64, and what follows from sorting them."""

    values: np.ndarray

    @cached_property
    def missing(self) -> np.ndarray:
        """Which scalars contain NaN."""
        return np.isnan(self.values).any(axis=(1, 2))

    @cached_property
    def halves(self) -> np.ndarray:
        """Every chain cut in two (scalar, 2 * chain, draw // 2), without the middle one of an odd number."""
        return halves(self.values)

    @cached_property
    def order(self) -> np.ndarray:
        """Positions that sort the flattened `halves` of each scalar."""
        return flat(self.halves).argsort(axis=-1)

    @cached_property
    def sorted_halves(self) -> np.ndarray:
        """The draws of `halves` from smallest to largest (scalar, position)."""
        return np.take_along_axis(flat(self.halves), self.order, axis=-1)

    @cached_property
    def sorted(self) -> np.ndarray:
        """All draws from smallest to largest (scalar, position)."""
        even = self.values.shape[-1] % 2 == 0
        return self.sorted_halves if even else np.sort(flat(self.values), axis=-1)

    @cached_property
    def mean(self) -> np.ndarray:
        """Mean of each scalar."""
        return self.values.mean(axis=(1, 2))

    @cached_property
    def centred(self) -> np.ndarray:
        """Draws less their overall mean."""
        return self.values - self.mean[:, None, None]

    @cached_property
    def sd(self) -> np.ndarray:
        """Standard deviation with divisor n - 1."""
        deviations = flat(self.centred)
        # not a dot product: its threads would wait for cores on which other chains or programs run
        found = np.sqrt(np.square(deviations).sum(axis=-1) / (deviations.shape[-1] - 1))
        return found if np.isfinite(found).all() else np.where(np.isinf(found), _large_sd(deviations), found)

    @cached_property
    def scores(self) -> np.ndarray:
        """Normal scores of the ranks of `halves` (the paper, section 4.1)."""
        return _scattered(_sorted_scores(self.sorted_halves), self.order).reshape(self.halves.shape)

    @cached_property
    def folded_scores(self) -> np.ndarray:
        """Normal scores of the distances from the median (the paper, section 4.2).

        In sorted order the distances fall and then rise. Turned round, the falling ones make two rising runs,
        which a stable sort merges in one pass: no second sort of the draws is needed.
        """
        size = self.sorted_halves.shape[-1]
        median = (self.sorted_halves[:, (size - 1) // 2] + self.sorted_halves[:, size // 2]) / 2
        falling = size // 2
        distances = _turned(np.abs(self.sorted_halves - median[:, None]), falling)
        merged = distances.argsort(axis=-1, kind="stable")
        scores = _scattered(_sorted_scores(np.take_along_axis(distances, merged, axis=-1)), merged)
        return _scattered(_turned(scores, falling), self.order).reshape(self.halves.shape)

    def quantile(self, prob: float) -> np.ndarray:
        """Quantile of each scalar, linear between order statistics (Hyndman and Fan 1996, definition 7)."""
        position = (self.sorted.shape[-1] - 1) * prob
        below = int(position)
        above = min(below + 1, self.sorted.shape[-1] - 1)
        low, high, part = self.sorted[:, below], self.sorted[:, above], position - below
        inner = low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part)
        return np.where((low == high) | (part == 0), low, inner)


def _large_sd(deviations: np.ndarray) -> np.ndarray:
    """Standard deviations of deviations (scalar, draw) whose squares no float holds."""
    size = np.abs(deviations).max(axis=-1)
    return size * np.sqrt(np.square(deviations / size[:, None]).sum(axis=-1) / (deviations.shape[-1] - 1))


def per_scalar(kernel: Kernel, x: np.ndarray) -> np.ndarray:
    """Apply a kernel, Draws -> (..., scalar), to x (chain, draw, *variable), block by block."""
    x = _checked(x)
    chain, draw, *shape = x.shape
    scalars = x.reshape(chain, draw, -1)
    step = max(1, _BLOCK // (chain * draw))
    blocks = []
    with np.errstate(all="ignore"):
        for start in range(0, max(scalars.shape[-1], 1), step):
            block = np.moveaxis(scalars[..., start : start + step], -1, 0)
            blocks.append(kernel(Draws(np.ascontiguousarray(block, dtype=float))))
    out = np.concatenate(blocks, axis=-1)
    return out.reshape((*out.shape[:-1], *shape))


def needs(*, chains: int = 1) -> Callable[[KernelWith[Options]], KernelWith[Options]]:
    """Have a kernel answer NaN for NaN draws, fewer than four per chain, or fewer than `chains` chains."""

    def guard(kernel: KernelWith[Options]) -> KernelWith[Options]:
        @wraps(kernel)
        def guarded(draws: Draws, *args: Options.args, **kwargs: Options.kwargs) -> np.ndarray:
            scalar, chain, draw = draws.values.shape
            if draw < MIN_DRAWS or chain < chains:
                return np.full(scalar, np.nan)
            return np.where(draws.missing, np.nan, kernel(draws, *args, **kwargs))

        return guarded

    return guard


def _scattered(in_order: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Values (scalar, position) given in sorted order, put back to where they belong."""
    out = np.empty(order.shape)
    np.put_along_axis(out, order, in_order, axis=-1)
    return out


def _turned(v: np.ndarray, count: int) -> np.ndarray:
    """(scalar, position) with the first `count` positions in reverse."""
    return np.concatenate([v[:, :count][:, ::-1], v[:, count:]], axis=-1)


def _sorted_scores(ordered: np.ndarray) -> np.ndarray:
    """Normal scores of sorted draws (scalar, position), tied draws sharing the average of their ranks."""
    size = ordered.shape[-1]
    table = _score_table(size)
    starts = np.ones(ordered.shape, dtype=bool)  # of groups of ties, which end with their scalar
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    if starts.all():
        return np.broadcast_to(table[2::2], ordered.shape)
    start = np.flatnonzero(starts)
    count = np.diff(start, append=ordered.size)
    return np.repeat(table[2 * (start % size) + count + 1], count).reshape(ordered.shape)


@lru_cache(maxsize=4)
def _score_table(size: int) -> np.ndarray:
    """Normal quantiles of (k/2 - 3/8) / (size + 1/4), k twice a rank: 0, 1, ..., 2 size (section 4.1)."""
    table = np.zeros(2 * size + 1)
    table[2 : size + 1] = lower_quantiles((np.arange(2, size + 1) / 2 - 0.375) / (size + 0.25))
    table[size + 2 :] = -table[2 : size + 1][::-1]
    table.flags.writeable = False
    return table


def halves(v: np.ndarray) -> np.ndarray:
    """(scalar, chain, draw) -> (scalar, 2 * chain, draw // 2)."""
    scalar, chain, draw = v.shape
    half = draw // 2
    if draw % 2:
        v = np.delete(v, half, axis=-1)
    return v.reshape(scalar, 2 * chain, half)


def flat(v: np.ndarray) -> np.ndarray:
    """(scalar, chain, draw) -> (scalar, chain * draw)."""
    return v.reshape(len(v), v.shape[1] * v.shape[2])


def _checked(x: np.ndarray) -> np.ndarray:
    """`x` as an array of real numbers with chain and draw axes and at least one draw."""
    x = np.asarray(x)
    if x.dtype.kind not in "fiub":
        raise DataError(f"x must hold real numbers; its type is {x.dtype}.")
    if x.ndim < 2 or 0 in x.shape[:2]:
        raise DataError(f"x needs axes (chain, draw, *variable) and at least one draw; it is {x.shape}.")
    return x
