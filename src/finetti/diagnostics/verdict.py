"""The verdict on a run: what was found, the worst first, or else what was checked and held; never more than that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from finetti.diagnostics.chains import Measured, findings_of_draws
from finetti.diagnostics.findings import CAUSES, Finding, number
from finetti.diagnostics.sampler import Asked, Run, findings_of_run, run_of
from finetti.diagnostics.selection import posterior_of
from finetti.errors import DataError
from finetti.schema import SAMPLE_DIMS

# each sampler statistic with the names it has in traces of several programs
_STATISTICS = {
    "diverging": ("diverging",),
    "energy": ("energy",),
    "tree_depth": ("tree_depth", "depth"),
    "reached_max_treedepth": ("reached_max_treedepth", "maxdepth_reached"),
}


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The worst R-hat and ESS, and in how many scalars.

    Args:
        r_hat: the largest; NaN for one chain.
        ess: the smallest of bulk and tail.
        looked_at: scalars measured exactly, the worst by cheap measures.
        scalars: scalars that vary.
    """

    r_hat: float
    ess: float
    looked_at: int
    scalars: int


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What can be said of a run.

    Args:
        findings: what calls for action, the worst first.
        run: facts of the run.
        quality: of its chains; None where draws are independent or too few.
    """

    findings: tuple[Finding, ...]
    run: Run
    quality: Quality | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def line(self) -> str:
        """One line for under a table: what was found and what to do, or what was checked and held.

        Where a finding is the cause of others, only its own next steps are told.
        """
        if self.ok:
            return _checked(self.run, self.quality)
        causes = [finding for finding in self.findings if finding.kind in CAUSES]
        steps = dict.fromkeys(step for finding in causes or self.findings for step in finding.next_steps)
        said = " ".join(finding.says for finding in self.findings)
        todo = "; ".join(steps)
        return f"{said} {todo[0].upper()}{todo[1:]}." if todo else said


def verdict_of(trace: xr.DataTree) -> Verdict:
    """Judge a run by its draws and by what the sampler reported.

    Args:
        trace: tree in the ArviZ schema. Its attributes named in `Asked` are used where the root, the posterior or
            the sampler statistics have them.

    Raises:
        DataError: no posterior of chains and draws, or statistics that do not match its chains and draws.

    Example:
        >>> posterior = xr.Dataset({"mu": (("chain", "draw"), np.random.default_rng(1).normal(size=(4, 1000)))})
        >>> verdict_of(xr.DataTree.from_dict({"posterior": posterior})).line()
        '4,000 draws; R-hat at most 1.002, ESS at least 3,404; the sampler recorded no statistics.'
    """
    posterior = posterior_of(trace)
    stats = trace.children["sample_stats"].dataset if "sample_stats" in trace.children else xr.Dataset()
    if not set(SAMPLE_DIMS) <= set(posterior.sizes):
        raise DataError(f"The posterior needs the dims chain and draw; it has {', '.join(map(str, posterior.sizes))}.")
    chains, draws = (posterior.sizes[dim] for dim in SAMPLE_DIMS)
    known = {name: value for name in _STATISTICS if (value := _statistic(stats, name)) is not None}
    asked = Asked.of({**trace.attrs, **posterior.attrs, **stats.attrs})
    run = run_of(known, shape=(chains, draws), asked=asked)
    arrays = [_sample_first(array) for array in posterior.data_vars.values() if _is_drawn(array)]
    found, measured = findings_of_draws(arrays, run) if arrays else ([], None)
    findings = sorted([*found, *findings_of_run(run)], key=lambda finding: finding.rank)
    return Verdict(findings=tuple(findings), run=run, quality=_quality(measured))


def _is_drawn(array: xr.DataArray) -> bool:
    return set(SAMPLE_DIMS) <= set(array.dims) and array.dtype.kind in "fiub" and array.size > 0


def _sample_first(array: xr.DataArray) -> xr.DataArray:
    return array.transpose(*SAMPLE_DIMS, ...)


def _statistic(stats: xr.Dataset, name: str) -> np.ndarray | None:
    """A sampler statistic (chain, draw) under one of the names it goes by."""
    for known in _STATISTICS[name]:
        if known in stats and set(stats[known].dims) == set(SAMPLE_DIMS):
            return stats[known].transpose(*SAMPLE_DIMS).values
    return None


def _quality(measured: Measured | None) -> Quality | None:
    if measured is None or not len(measured):
        return None
    several = measured.draws.shape[1] > 1
    return Quality(
        r_hat=float(np.nanmax(measured.r_hat)) if several else np.nan,
        ess=float(np.nanmin(measured.ess)),
        looked_at=len(measured),
        scalars=measured.of,
    )


def _checked(run: Run, quality: Quality | None) -> str:
    """What was checked and is as it should be."""
    clauses = [_drawn(run), *_search(run.asked), _mixing(quality), *_sampler(run)]
    sentence = "; ".join(clause for clause in clauses if clause)
    return f"{sentence}."


def _drawn(run: Run) -> str:
    """How many draws, and where from."""
    draws = number(run.draws, "independent draw" if run.asked.independent_draws else "draw")
    return f"{draws} {run.asked.drawn_from}" if run.asked.drawn_from else draws


def _search(asked: Asked) -> list[str]:
    """Where modes were looked for, and what the result was checked against."""
    clauses = []
    if asked.search_points:
        modes = "" if asked.search_modes is None else f" showed {_modes(asked.search_modes)}"
        looked = modes or f" {'was' if asked.search_points == 1 else 'were'} searched"
        some = asked.search_finite is not None and asked.search_finite < asked.search_points
        inside = f"{asked.search_finite:,} with a density above 0 of " if some else ""
        clauses.append(f"{inside}{number(asked.search_points, 'point')} spread over the prior{looked}")
        far = "" if asked.search_bounded in (None, True) else ", or far off where a prior is flat without end,"
        clauses.append(f"a mode much narrower than their spacing{far} would be missed")
    if asked.check_points:
        clauses.append(f"checked against {number(asked.check_points, 'point')} not used for the fit")
    return clauses


def _modes(count: int) -> str:
    return "one mode" if count == 1 else number(count, "mode")


def _mixing(quality: Quality | None) -> str:
    """R-hat and ESS, and of how many scalars."""
    if quality is None:
        return ""
    some = f" in the {quality.looked_at} that mix worst of {quality.scalars:,} quantities"
    of = some if quality.looked_at < quality.scalars else ""
    return f"R-hat at most {quality.r_hat:.3f}, ESS at least {np.floor(quality.ess):,.0f}{of}"


def _sampler(run: Run) -> list[str]:
    """What the sampler recorded, where there are trajectories that could diverge; and what it could not have shown."""
    unseen = [run.asked.unseen] if run.asked.unseen else []
    if not run.asked.trajectories:
        return unseen
    clauses = []
    if run.divergences == 0:
        clauses.append("no divergences")
    if run.min_e_bfmi is not None:
        clauses.append(f"lowest E-BFMI {run.min_e_bfmi:.2f}")
    if run.max_treedepth_hits == 0:
        clauses.append("no transition reached the maximum tree depth")
    return [*(clauses or ["the sampler recorded no statistics"]), *unseen]
