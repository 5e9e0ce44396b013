"""Tails so long that averages over draws mean little: which scalars have them, and what to read instead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from finetti.diagnostics.findings import Finding, Kind, Severity, listed
from finetti.diagnostics.measured import names_of, scalars_of
from finetti.diagnostics.pareto import RELIABLE, heaviness
from finetti.diagnostics.sampler import Run

IMPROPER = 1000.0  # ratio of 95 % and median distance from the median: as with k = 3, or where a search ended far out
LONG = 20.0  # largest distance from the median, in quartiles' distances, from which k is worth fitting
SAMPLED = 1024  # draws by which that is told
MOST = 100  # scalars whose k is fitted
SOURCE = "Vehtari, Simpson, Gelman, Yao, Gabry (2024), JMLR 25(72), section 3.2.4"


def findings_of_tails(arrays: Sequence[xr.DataArray], finite: Sequence[np.ndarray], run: Run) -> list[Finding]:
    """What the longest tails call for.

    Args:
        arrays: variables (chain, draw, *shape) of numbers.
        finite: for each, which of its scalars are finite in all draws.
        run: how they were drawn.
    """
    long, ratios = _long(arrays, finite)
    if not long:
        return []
    chosen = [long[at] for at in np.argsort(-np.array(ratios), kind="stable")[:MOST]]
    draws = np.stack([scalars_of(arrays[a])[..., at].ravel().astype(float) for a, at in chosen])
    names = np.array([names_of(arrays[a], np.array([at]))[0] for a, at in chosen])
    spans = _spans(draws)
    if run.asked.flat_priors and spans.max() > IMPROPER:
        order = np.argsort(-spans, kind="stable")
        return [_runs_away(tuple(names[order][spans[order] > IMPROPER]), float(spans.max()), run)]
    k = heaviness(draws)
    order = np.argsort(-k, kind="stable")
    heavy = order[k[order] > RELIABLE]
    return [_heavy(tuple(names[heavy]), float(k[heavy[0]]))] if len(heavy) else []


def _spans(draws: np.ndarray) -> np.ndarray:
    """How many times as far from the median as usual one draw in twenty is, of each scalar (scalar, draw)."""
    with np.errstate(all="ignore"):
        usual, far = np.quantile(np.abs(draws - np.median(draws, axis=1)[:, None]), (0.5, 0.95), axis=1)
        return np.nan_to_num(far / usual, posinf=0.0)


def _long(
    arrays: Sequence[xr.DataArray], finite: Sequence[np.ndarray]
) -> tuple[list[tuple[int, int]], list[float]]:  # fmt: skip
    """Scalars with a draw far out, by their variable and place, and how far out."""
    found: list[tuple[int, int]] = []
    ratios: list[float] = []
    for a, (array, fine) in enumerate(zip(arrays, finite, strict=True)):
        if array.dtype.kind != "f":
            continue
        values = scalars_of(array).reshape(-1, fine.size)
        with np.errstate(all="ignore"):
            some = values[:: max(1, len(values) // SAMPLED)]
            lower, middle, upper = np.quantile(some, (0.25, 0.5, 0.75), axis=0)
            ratio = np.maximum(values.max(axis=0) - middle, middle - values.min(axis=0)) / (upper - lower)
        at = np.flatnonzero(fine & (upper > lower) & (ratio > LONG))
        found += [(a, int(place)) for place in at]
        ratios += ratio[at].tolist()
    return found, ratios


def _heavy(names: tuple[str, ...], k: float) -> Finding:
    has = "has" if len(names) == 1 else "have"
    its = "its" if len(names) == 1 else "their"
    return Finding(
        kind=Kind.HEAVY, severity=Severity.NOTE, value=k, threshold=RELIABLE, variables=names,
        says=f"{listed(names)} {has} so long a tail (Pareto k up to {k:.1f}, above {RELIABLE}) that {its} mean and "
        "standard deviation say more of the few largest draws than of the posterior.",
        next_steps=(f"read {its} median and quantiles instead", "or give the scales tighter priors"),
        source=SOURCE,
    )  # fmt: skip


def _runs_away(names: tuple[str, ...], span: float, run: Run) -> Finding:
    return Finding(
        kind=Kind.UNDETERMINED, severity=Severity.WRONG, value=span, threshold=IMPROPER, variables=names,
        says=f"It looks as if the posterior were improper: the draws of {listed(names)} run away (one in twenty is "
        f"{span:.1g} times as far from the median as half of them), and the prior of {run.asked.flat_priors} is flat.",
        next_steps=(f"give {run.asked.flat_priors} a proper prior, for instance Normal or HalfNormal",),
        source="an improper posterior has no draws: Gelman et al. (2013), Bayesian Data Analysis, section 2.8",
    )  # fmt: skip
