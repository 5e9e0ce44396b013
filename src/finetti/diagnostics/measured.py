"""R-hat and effective sizes of the scalars of a trace: of all, or of those that mix worst where they are many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr

from finetti.diagnostics.convergence import ess_bulk_of, ess_tail_of, rhat_of
from finetti.diagnostics.draws import Draws, per_scalar
from finetti.diagnostics.labels import indices
from finetti.diagnostics.screening import badness, worst
from finetti.schema import SAMPLE_DIMS

EXACTLY = 2**17  # draws whose R-hat and ESS are computed exactly, in milliseconds
AT_LEAST = 2  # scalars so in any case
STILL = 0.5  # standard deviations of a chain that its halves are apart at most


@dataclass(frozen=True)
class Measured:
    """Scalars looked at closely, with R-hat and ESS of each.

    Args:
        names: of the scalars, such as theta[Choate].
        draws: (scalar, chain, draw).
        r_hat: (scalar), NaN for one chain.
        ess_bulk: (scalar).
        ess_tail: (scalar).
        of: how many scalars there are that vary; these are the worst of them by cheap measures.
    """

    names: tuple[str, ...]
    draws: np.ndarray
    r_hat: np.ndarray
    ess_bulk: np.ndarray
    ess_tail: np.ndarray
    of: int

    @cached_property
    def middles(self) -> np.ndarray:
        """Mean of each chain (scalar, chain)."""
        return self.draws.mean(axis=-1)

    @cached_property
    def spreads(self) -> np.ndarray:
        """Standard deviation of each chain (scalar, chain)."""
        return self.draws.std(axis=-1)

    @cached_property
    def still(self) -> np.ndarray:
        """Whether every chain (scalar) stays where it is: the means of its halves agree."""
        first, second = np.moveaxis(self.halves.mean(axis=-1).reshape(*self.middles.shape, 2), -1, 0)
        return np.all(np.abs(first - second) <= STILL * self.spreads, axis=1)

    @cached_property
    def halves(self) -> np.ndarray:
        """Every chain cut in two (scalar, 2 * chain, draw // 2)."""
        return Draws(self.draws).halves

    def __len__(self) -> int:
        return len(self.names)

    @property
    def ess(self) -> np.ndarray:
        """The smaller of both effective sizes (scalar)."""
        return np.fmin(self.ess_bulk, self.ess_tail)

    def named(self, which: np.ndarray, by: np.ndarray) -> tuple[str, ...]:
        """Names of the scalars chosen, those with the largest `by` first."""
        return tuple(self.names[at] for at in np.argsort(-by, kind="stable") if which[at])


def measured_of(arrays: Sequence[xr.DataArray], places: Sequence[np.ndarray]) -> Measured:
    """The scalars at these places, or the worst of them, measured exactly."""
    chains, draws = arrays[0].shape[:2]
    all_places = [(a, at) for a, some in enumerate(places) for at in some.tolist()]
    most = max(AT_LEAST, EXACTLY // (chains * draws))
    chosen = range(len(all_places))
    if len(all_places) > most:
        measures = [badness(scalars_of(array))[:, some] for array, some in zip(arrays, places, strict=True)]
        chosen = worst(np.concatenate(measures, axis=1), most).tolist()
    kept = [all_places[at] for at in chosen]
    values = np.array([scalars_of(arrays[a])[..., at] for a, at in kept], dtype=float).reshape(-1, chains, draws)
    quality = per_scalar(lambda d: np.stack([rhat_of(d), ess_bulk_of(d), ess_tail_of(d)]), np.moveaxis(values, 0, -1))
    names = tuple(names_of(arrays[a], np.array([at]))[0] for a, at in kept)
    return Measured(names, values, quality[0], quality[1], quality[2], len(all_places))


def scalars_of(array: xr.DataArray) -> np.ndarray:
    """(chain, draw, scalar)."""
    return array.values.reshape(*array.shape[:2], -1)


def names_of(array: xr.DataArray, places: np.ndarray) -> list[str]:
    """theta[Choate], or theta[0] without coords, for places in the flattened variable (chain, draw, *shape)."""
    if array.ndim == len(SAMPLE_DIMS):
        return [str(array.name)] * len(places)
    return [f"{array.name}[{index}]" for index in indices(array, places)]
