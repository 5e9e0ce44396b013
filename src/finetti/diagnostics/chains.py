"""What the draws themselves tell of the chains: whether they are finite, agree, and are worth enough draws."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import xarray as xr

from finetti.diagnostics.draws import MIN_DRAWS
from finetti.diagnostics.findings import PAPER, Finding, Kind, Severity, listed, number
from finetti.diagnostics.heavy import findings_of_tails
from finetti.diagnostics.measured import Measured, measured_of, names_of, scalars_of
from finetti.diagnostics.sampler import Run, by_choice
from finetti.diagnostics.screening import extremes, is_constant

MAX_R_HAT, MIN_ESS = 1.01, 100  # the paper's limits; ESS for each chain
BY_CHANCE = 0.01  # chance that independent draws exceed the limit of R-hat in some scalar, at most
BAD_R_HAT = 1.1  # from here on the chains have not found each other
APART = 2.0  # standard deviations of a chain that stay free between modes, on either side
TINY = 1e-250  # below, values near the end of floating point are rounded up to what it holds
HUGE, LARGE = 1e10, 1e5  # numbers that no start is near to
ELSEWHERE, UNEVEN = 0.25, 100.0  # of draws that ran away: chains' distance by their size; ratio of half chains' spreads


def findings_of_draws(arrays: Sequence[xr.DataArray], run: Run) -> tuple[list[Finding], Measured | None]:
    """What the draws tell, and of which scalars; none are measured where draws are independent or too few.

    Args:
        arrays: variables (chain, draw, *shape) of numbers.
        run: how they were drawn.
    """
    of_chains = [extremes(scalars_of(array)) for array in arrays]
    ends = [(low.min(axis=0), high.max(axis=0)) for low, high in of_chains]
    finite = [np.isfinite(low) & np.isfinite(high) for low, high in ends]
    found = _not_finite(arrays, finite) + _too_small(arrays, ends) + findings_of_tails(arrays, finite, run)
    if not run.has_chain:
        return found, None
    if arrays[0].sizes["draw"] < MIN_DRAWS:
        return [*found, _few_draws(arrays[0].sizes["draw"])], None
    with np.errstate(all="ignore"):
        varies = [ok & ~is_constant(*both) for ok, both in zip(finite, ends, strict=True)]
        measured = measured_of(arrays, [np.flatnonzero(each) for each in varies])
        if len(measured):
            place = _undetermined(measured) or _modes(measured)
            judged = (place, _disagreement(measured, run), _effective_size(measured, run))
            found += [finding for finding in judged if finding]
    moved = np.any([~(low >= high).all(axis=1) for low, high in of_chains], axis=0)
    return [*found, *_stuck(moved), *_one_chain(run)], measured


def _too_small(arrays: Sequence[xr.DataArray], ends: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[Finding]:
    """Positive values that come so near to 0 that they are stored as the smallest there are."""
    tiny = [np.flatnonzero((low > 0) & (low < TINY)) for low, _ in ends]
    names = tuple(name for array, at in zip(arrays, tiny, strict=True) if len(at) for name in names_of(array, at))
    if not names:
        return []
    smallest = min(float(low[at].min()) for (low, _), at in zip(ends, tiny, strict=True) if len(at))
    return [Finding(
        kind=Kind.TOO_SMALL, severity=Severity.NOTE, value=smallest, threshold=TINY, variables=names,
        says=f"{listed(names)} {'comes' if len(names) == 1 else 'come'} nearer to 0 than floating point does, and "
        "draws are rounded up to what it holds; their logarithms are exact.",
        next_steps=("for anything that rests on the smallest values use the group unconstrained_posterior",),
        source="the smallest normal double is 2.2e-308",
    )]  # fmt: skip


def r_hat_limit(*, chains: int, draws: int, scalars: int) -> float:
    """The limit of R-hat: 1.01, or more where chance alone exceeds that.

    For independent normal draws, half chains' means vary by chi-squared over their number: with 4 chains of 1,000 draws
    R-hat exceeds 1.01 in one of 1e13 scalars, with 2 chains of 20 in every other.

    Args:
        chains: their number.
        draws: of each.
        scalars: among which the largest R-hat is taken.

    Source: Wilson and Hilferty (1931), PNAS 17(12), 684-688, for the quantile of chi-squared.

    Example:
        >>> r_hat_limit(chains=4, draws=1000, scalars=100)
        1.01
        >>> round(r_hat_limit(chains=2, draws=20, scalars=3), 2)
        1.19
    """
    half, part = draws // 2, 2 / (9 * (2 * chains - 1))
    z = -NormalDist().inv_cdf(BY_CHANCE / (2 * scalars))  # twice: the folded R-hat is looked at, too
    highest = (1 - part + z * part**0.5) ** 3
    return max(MAX_R_HAT, ((half - 1 + highest) / half) ** 0.5)


def _not_finite(arrays: Sequence[xr.DataArray], finite: Sequence[np.ndarray]) -> list[Finding]:
    """NaN or infinite draws."""
    bad_ones = [(array, np.flatnonzero(~ok)) for array, ok in zip(arrays, finite, strict=True) if not ok.all()]
    if not bad_ones:
        return []
    names = tuple(name for array, places in bad_ones for name in names_of(array, places))
    fine = [np.isfinite(scalars_of(array)[..., places]).all(axis=-1) for array, places in bad_ones]
    bad = (~np.all(fine, axis=0)).sum()
    return [Finding(
        kind=Kind.NOT_FINITE, severity=Severity.WRONG, value=float(bad), threshold=0, variables=names,
        says=f"{number(int(bad), 'draw')} of {listed(names)} {'is' if bad == 1 else 'are'} NaN or infinite.",
        next_steps=(
            "look for a logarithm, a division or a power that leaves its domain there",
            "give every unknown a proper prior",
            "put data on a scale of order one",
        ),
        source="a mean of such draws does not exist",
    )]  # fmt: skip


def _few_draws(draws: int) -> Finding:
    return Finding(
        kind=Kind.FEW_DRAWS, severity=Severity.DOUBTFUL, value=draws, threshold=MIN_DRAWS,
        says=f"{number(draws, 'draw')} of each chain {'is' if draws == 1 else 'are'} too few to judge anything by.",
        next_steps=("draw more, for instance draws=1000",), source=PAPER,
    )  # fmt: skip


def _undetermined(measured: Measured) -> Finding | None:
    """Draws that ran away: far from any start, chains as far apart as that, and not at rest.

    One chain has nothing to be far from; if it does not mix, numbers that are huge must do.
    """
    largest, spreads = np.abs(measured.draws).max(axis=(1, 2)), measured.halves.std(axis=-1)
    far_apart = np.ptp(measured.middles, axis=1) > ELSEWHERE * np.abs(measured.middles).max(axis=1)
    uneven = spreads.max(axis=1) > UNEVEN * spreads.min(axis=1)
    restless = uneven | ~measured.still | np.isinf(measured.r_hat)
    several = (measured.r_hat > BAD_R_HAT) & far_apart & ((largest > HUGE) | ((largest > LARGE) & restless))
    alone = np.isnan(measured.r_hat) & (measured.ess < MIN_ESS) & (largest > HUGE)
    ran_away = several | alone
    if not ran_away.any():
        return None
    names = measured.named(ran_away, largest)
    return Finding(
        kind=Kind.UNDETERMINED, severity=Severity.WRONG, value=float(largest.max()), threshold=LARGE, variables=names,
        says=f"It looks as if neither prior nor data determined {listed(names)}: the draws run away, up to "
        f"{largest.max():.2g}{', each chain elsewhere' if several.any() else ''}.",
        next_steps=(
            f"give {listed(names)} a proper prior, for instance Normal",
            "where only a combination of unknowns matters, such as a - b, leave one of them out",
            "if all that is as it should be, put data on a scale of order one, and tune and draw more",
        ),
        source="an improper posterior has no draws: Gelman et al. (2013), Bayesian Data Analysis, section 2.8",
    )  # fmt: skip


def _modes(measured: Measured) -> Finding | None:
    """Chains that stay where they are, in places that don't overlap."""
    middles, spreads = measured.middles, measured.spreads
    gaps = np.array([_gap(m, s) for m, s in zip(middles, spreads, strict=True)])
    apart = (measured.r_hat > BAD_R_HAT) & (gaps > 0) & measured.still & (spreads > 0).all(axis=1)
    if not apart.any():
        return None
    names = measured.named(apart, gaps / spreads.mean(axis=1))
    first = measured.names.index(names[0])
    places = ", ".join(f"{value:.3g}" for value in middles[first])
    return Finding(
        kind=Kind.MODES, severity=Severity.WRONG, variables=names,
        value=float(gaps[first] / spreads[first].mean()) + 2 * APART, threshold=2 * APART,
        says=f"Chains are in different modes of {listed(names)}: their means of {names[0]} are {places}, and none "
        "leaves its place.",
        next_steps=(
            "where elements can change places, as the components of a mixture can (label switching), order them: "
            "write the second as the first plus a HalfNormal",
            "otherwise the posterior has several modes, and these draws don't tell how much each weighs",
        ),
        source=f"Jasra, Holmes, Stephens (2005), Statistical Science 20, on label switching; means more than "
        f"{2 * APART:g} standard deviations apart",
    )  # fmt: skip


def _gap(middles: np.ndarray, spreads: np.ndarray) -> float:
    """The widest gap between chains' intervals of APART standard deviations to either side; negative for none."""
    order = np.argsort(middles)
    upper_ends = np.maximum.accumulate((middles + APART * spreads)[order])[:-1]
    lower_ends = np.minimum.accumulate((middles - APART * spreads)[order][::-1])[::-1][1:]
    return float((lower_ends - upper_ends).max(initial=-np.inf))


def _disagreement(measured: Measured, run: Run) -> Finding | None:
    """R-hat above its limit."""
    chains, draws = measured.draws.shape[1:]
    limit = r_hat_limit(chains=chains, draws=draws, scalars=measured.of)
    high = measured.r_hat > limit
    if not high.any():
        return None
    names, top = measured.named(high, measured.r_hat), float(np.nanmax(measured.r_hat))
    chance = f" (with so few draws, chance alone gives up to {limit:.2f})" if limit > MAX_R_HAT else ""
    return Finding(
        kind=Kind.R_HAT, severity=Severity.WRONG if top > BAD_R_HAT else Severity.DOUBTFUL,
        value=top, threshold=limit, variables=names,
        says=f"Chains disagree on {listed(names)}: R-hat is {_r_hat(top)}, above {limit:.3g}{chance}.",
        next_steps=(*_more(run), "if that doesn't help, see by plot_trace whether there are several modes"),
        source=f"{PAPER}, sections 4.1 and 4.2",
    )  # fmt: skip


def _effective_size(measured: Measured, run: Run) -> Finding | None:
    """ESS below 100 for each chain, in the bulk or in the tails."""
    least = MIN_ESS * measured.draws.shape[1]
    low = measured.ess < least
    if not low.any():
        return None
    names, smallest = measured.named(low, -measured.ess), float(np.nanmin(measured.ess))
    at = int(np.nanargmin(measured.ess))
    part = "bulk" if measured.ess_bulk[at] <= measured.ess_tail[at] else "tail"
    return Finding(
        kind=Kind.ESS, severity=Severity.DOUBTFUL, value=smallest, threshold=least, variables=names,
        says=f"The draws of {listed(names)} are worth few independent ones: {part} ESS is {smallest:.0f}, below "
        f"{least:,} ({MIN_ESS} per chain), so that R-hat and the Monte Carlo errors can't be relied on.",
        next_steps=_more(run), source=f"{PAPER}, sections 3.2 and 4.3",
    )  # fmt: skip


def _stuck(moved: np.ndarray) -> list[Finding]:
    """Chains in which nothing ever changed."""
    if moved.all():
        return []
    still = tuple(map(str, np.flatnonzero(~moved)))
    return [Finding(
        kind=Kind.STUCK, severity=Severity.WRONG, value=len(still), threshold=0,
        says=f"{'Chain' if len(still) == 1 else 'Chains'} {listed(still)} never moved.",
        next_steps=("put data and unknowns on scales of order one", "start elsewhere (initvals)"),
        source="the draws of a chain that does not move are one draw",
    )]  # fmt: skip


def _one_chain(run: Run) -> list[Finding]:
    """Nothing to compare a chain with."""
    if run.chains > 1:
        return []
    return [Finding(
        kind=Kind.ONE_CHAIN, severity=Severity.DOUBTFUL, value=1, threshold=4,
        says="There is one chain alone, so whether chains agree (R-hat) can't be told.",
        next_steps=("sample four chains or more (chains=4)",), source=PAPER,
    )]  # fmt: skip


def _more(run: Run) -> tuple[str, ...]:
    """Another geometry, more draws than there were, and a warmup long enough."""
    draws = run.draws // run.chains
    short = run.asked.tuning_steps is not None and run.asked.tuning_steps < 500
    warmup = f" after a longer warmup (tune=1000 instead of {run.asked.tuning_steps})" if short else ""
    return (*by_choice(run.asked), f"draw more, for instance draws={max(1000, 2 * draws)}{warmup}")


def _r_hat(value: float) -> str:
    return f"{value:.3f}" if value < 1.1 else f"{value:.3g}"
