"""What the sampler says of its run: settings, divergences, energy, tree depth; and what in it calls for action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetti.diagnostics.findings import Finding, Kind, Severity, number
from finetti.errors import DataError

MIN_E_BFMI = 0.3
ROUGH, SPOILT = 0.05, 1.0  # nats of rounding in the log density that begin to matter, and that make draws useless
HIGH_ACCEPT, HIGHEST_ACCEPT = 0.95, 0.99
_READERS: dict[str, type] = {
    **dict.fromkeys(("step", "geometry_asked", "guarded", "flat_priors", "empty_data"), str),
    **dict.fromkeys(("incomplete", "drawn_from", "unseen", "unvisited"), str),
    **dict.fromkeys(("max_treedepth", "tuning_steps", "draws_requested"), int),
    **dict.fromkeys(("search_points", "search_finite", "search_modes", "check_points"), int),
    **dict.fromkeys(("interrupted", "search_bounded", "independent_draws", "trajectories"), bool),
    **dict.fromkeys(("target_accept", "rounding"), float),
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How a run was made, as far as its trace says; the names are those of the trace's attributes.

    Args:
        independent_draws: whether no draw depends on another.
        trajectories: whether there are any, which could diverge.
        drawn_from: where draws come from, in words.
        unvisited: where a mode is that no chain came near, in words.
        unseen: what the run could not have shown, in words.
        step: "split", "leapfrog" or "walnuts", see `sample`.
        geometry_asked: "auto", "as_written" or "by name".
        empty_data: variables whose data have no rows.
        flat_priors: variables whose prior is flat without end.
        guarded: parameters that may leave their domain, where the density is 0.
        target_accept: mean acceptance rate the step size was tuned to.
        max_treedepth: doublings of a trajectory at most.
        tuning_steps: warmup transitions of each chain.
        draws_requested: draws asked for, of each chain.
        rounding: how far rounding scatters the log density, in nats.
        interrupted: whether the run was stopped early.
        incomplete: what could not be computed after the last draw, and why, in words.
        search_points: points over the prior at which modes were looked for.
        search_finite: those of them at which the density is finite and not 0.
        search_modes: modes found.
        search_bounded: whether the points cover the prior; a flat one has no end.
        check_points: points, not used for the fit, at which the result was checked.
    """

    independent_draws: bool = False
    trajectories: bool = True
    drawn_from: str | None = None
    unseen: str | None = None
    unvisited: str | None = None
    step: str | None = None
    geometry_asked: str | None = None
    empty_data: str | None = None
    flat_priors: str | None = None
    guarded: str | None = None
    target_accept: float | None = None
    max_treedepth: int | None = None
    tuning_steps: int | None = None
    draws_requested: int | None = None
    rounding: float | None = None
    interrupted: bool = False
    incomplete: str | None = None
    search_points: int | None = None
    search_finite: int | None = None
    search_modes: int | None = None
    search_bounded: bool | None = None
    check_points: int | None = None

    @classmethod
    def of(cls, attrs: Mapping) -> Asked:
        """From a trace's attributes; what is not of the right kind counts as not there."""
        return cls(**{name: read(attrs[name]) for name, read in _READERS.items() if _readable(attrs.get(name), read)})


@dataclass(frozen=True, kw_only=True)
class Run:
    """Facts of a run; None for what the sampler did not record.

    Args:
        draws: draws kept, over all chains.
        chains: number of chains.
        asked: how it was made.
        divergences: draws whose transition diverged.
        e_bfmi: `e_bfmi` of each chain (chain).
        max_treedepth_hits: draws whose transition was cut off at the maximum tree depth.
    """

    draws: int
    chains: int
    asked: Asked = Asked()
    divergences: int | None = None
    e_bfmi: tuple[float, ...] | None = None
    max_treedepth_hits: int | None = None

    @property
    def min_e_bfmi(self) -> float | None:
        """The lowest E-BFMI over the chains for which it could be computed."""
        known = [value for value in self.e_bfmi or () if not np.isnan(value)]
        return min(known) if known else None

    @property
    def has_chain(self) -> bool:
        """Whether a draw depends on the one before; unknown samplers are taken to be so."""
        return not self.asked.independent_draws


def e_bfmi(energy: np.ndarray) -> np.ndarray:
    """Estimated Bayesian fraction of missing information of each chain.

    Args:
        energy: Hamiltonian at each draw (chain, draw); NaN for draws not made, which are left out.

    Returns:
        E-BFMI (chain), about 1 where resampling the momentum moves freely between energies and small where it
        does not. NaN for fewer than three draws or an energy that is constant or infinite.

    Raises:
        DataError: `energy` has not exactly the axes chain and draw.

    Source: Betancourt (2016), Diagnosing suboptimal cotangent disintegrations in Hamiltonian Monte Carlo,
    arXiv:1604.00695, section 3: squared steps in energy over squared deviations from its mean.

    Example:
        >>> e_bfmi(np.array([[1.0, 3.0, 2.0, 4.0, 0.0]])).round(2).tolist()
        [2.5]
    """
    energy = np.asarray(energy, dtype=float)
    if energy.ndim != 2:
        raise DataError(f"energy needs the axes (chain, draw); its shape is {energy.shape}.")
    return np.array([_chain_e_bfmi(chain[~np.isnan(chain)]) for chain in energy])


def run_of(statistics: Mapping[str, np.ndarray], *, shape: tuple[int, int], asked: Asked = Asked()) -> Run:
    """Count what the statistics of a run say.

    Args:
        statistics: (chain, draw) arrays by name, of those below; NaN marks a draw not made.
            "diverging": whether each transition diverged; "energy": Hamiltonian at each draw;
            "reached_max_treedepth": whether each tree was cut off; "tree_depth": doublings of each tree, which
            with `asked.max_treedepth` can stand in for that flag.
        shape: numbers of chains and of draws per chain.
        asked: how the run was made.

    Returns:
        The counts, None for statistics not given.

    Raises:
        DataError: a statistic whose shape is not `shape`.

    Example:
        >>> run_of({"diverging": np.zeros((2, 50), bool)}, shape=(2, 50)).divergences
        0
    """
    stats = {name: _checked(name, value, shape) for name, value in statistics.items()}
    if "reached_max_treedepth" not in stats and "tree_depth" in stats and asked.max_treedepth is not None:
        depth = stats["tree_depth"]
        stats["reached_max_treedepth"] = np.where(np.isnan(depth), np.nan, depth >= asked.max_treedepth)
    return Run(
        draws=_draws_made(stats, shape),
        chains=shape[0],
        asked=asked,
        divergences=_count(stats.get("diverging")),
        e_bfmi=tuple(e_bfmi(stats["energy"]).tolist()) if "energy" in stats else None,
        max_treedepth_hits=_count(stats.get("reached_max_treedepth")),
    )


def findings_of_run(run: Run) -> list[Finding]:
    """What the sampler itself reported that calls for action."""
    judges = (_rounding, _unvisited, _empty, _loss, _interruption, _divergences, _energy, _tree_depth)
    return [finding for judge in judges if (finding := judge(run))]


def _readable(value: Any, read: type) -> bool:
    """Whether an attribute is of the kind it should be; a file may hold anything."""
    if read is str:
        return isinstance(value, str)
    return isinstance(value, int | float | np.number | np.bool) and bool(-(2.0**63) < value < 2.0**63)


def by_choice(asked: Asked) -> tuple[str, ...]:
    """The geometry that finetti would choose, for a model that was sampled as written."""
    return ('let finetti choose the geometry (geometry="auto")',) if asked.geometry_asked == "as_written" else ()


def _chain_e_bfmi(energy: np.ndarray) -> float:
    """E-BFMI of the energies (draw) of one chain."""
    if energy.size < 3 or not np.isfinite(energy).all():
        return np.nan
    deviations = energy - energy.mean()
    spread = np.square(deviations).sum()
    return float(np.square(np.diff(energy)).sum() / spread) if spread > 0 else np.nan


def _checked(name: str, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A statistic as floats (chain, draw)."""
    values = np.asarray(values)
    if values.shape != tuple(shape):
        raise DataError(
            f"Sampler statistic {name!r} has shape {values.shape}, but there are {shape[0]} chains of "
            f"{shape[1]} draws; both must have the axes (chain, draw)."
        )
    return values.astype(float)


def _count(flags: np.ndarray | None) -> int | None:
    """How many flags are set; None if none was recorded."""
    if flags is None or np.isnan(flags).all():
        return None
    return int(np.nansum(flags != 0, where=~np.isnan(flags)))


def _draws_made(stats: dict[str, np.ndarray], shape: tuple[int, int]) -> int:
    """Draws with at least one statistic; all of them when none was recorded."""
    recorded = [~np.isnan(values) for values in stats.values()]
    made = int(np.logical_or.reduce(recorded).sum()) if recorded else 0
    return made or shape[0] * shape[1]


def _loss(run: Run) -> Finding | None:
    """What could not be computed."""
    if not run.asked.incomplete:
        return None
    return Finding(
        kind=Kind.INCOMPLETE, severity=Severity.NOTE, value=np.nan, threshold=np.nan, says=run.asked.incomplete,
        next_steps=(), source="the error itself",
    )  # fmt: skip


def _rounding(run: Run) -> Finding | None:
    """A log density whose differences are rounding."""
    scatter = run.asked.rounding
    if scatter is None or not scatter > ROUGH:
        return None
    return Finding(
        kind=Kind.ROUGH, severity=Severity.WRONG if scatter > SPOILT else Severity.DOUBTFUL, value=scatter,
        threshold=ROUGH,
        says=f"Floating point holds the log density to about {scatter:.2g} only, so that the draws "
        f"{'show rounding, not the posterior' if scatter > SPOILT else 'are not exactly of the posterior'}.",
        next_steps=("put data on a scale of order one", "for counts that large use Normal in place of Poisson or "
                    "Binomial"),
        source="differences of log densities between neighbours are what every sampler goes by",
    )  # fmt: skip


def _unvisited(run: Run) -> Finding | None:
    """A mode that a search has found and the chains have not."""
    where = run.asked.unvisited
    if not where:
        return None
    return Finding(
        kind=Kind.MODES, severity=Severity.DOUBTFUL, value=1, threshold=0,
        says=f"A search found a mode that no chain came near, at {where}: the draws do not show how much it weighs.",
        next_steps=(
            "where elements can change places, as the components of a mixture can (label switching), it is the same "
            "again: order them, for instance the second as the first plus a HalfNormal",
            "otherwise look whether the mode makes sense, and give priors that tell; chains started there "
            "(`initvals=`) show it by itself",
        ),
        source="points spread over the prior, and climbs from the best of them",
    )  # fmt: skip


def _empty(run: Run) -> Finding | None:
    """Data from which nothing was learned."""
    if not run.asked.empty_data:
        return None
    return Finding(
        kind=Kind.EMPTY, severity=Severity.NOTE, value=0, threshold=1,
        says=f"The data of {run.asked.empty_data} are empty, so that nothing was learned from them.",
        next_steps=("see what became of the rows, for example in a filter",), source="what was handed in",
    )  # fmt: skip


def _interruption(run: Run) -> Finding | None:
    """How far an interrupted run came."""
    if not run.asked.interrupted:
        return None
    wanted = (run.asked.draws_requested or 0) * run.chains
    of = f" of the {wanted:,} asked for" if wanted else ""
    return Finding(
        kind=Kind.INTERRUPTED, severity=Severity.NOTE, value=run.draws, threshold=wanted or np.nan,
        says=f"Interrupted: these are {number(run.draws, 'draw')}{of}.", next_steps=(), source="Ctrl-C",
    )  # fmt: skip


def _divergences(run: Run) -> Finding | None:
    """What divergences mean and what helps."""
    if not run.divergences:
        return None
    return Finding(
        kind=Kind.DIVERGENCES, severity=Severity.DOUBTFUL, value=run.divergences, threshold=0,
        says=f"{run.divergences:,} of {number(run.draws, 'draw')} diverged: the sampler could not follow the "
        "posterior's curvature, and estimates may be biased.",
        next_steps=(*_by_links(run.asked), *_by_smaller_steps(run.asked), *_by_geometry(run.asked)),
        source="Betancourt (2017), A conceptual introduction to Hamiltonian Monte Carlo, arXiv:1701.02434, section 6.2",
    )  # fmt: skip


def _energy(run: Run) -> Finding | None:
    """What a low E-BFMI means and what helps."""
    lowest = run.min_e_bfmi
    if lowest is None or lowest >= MIN_E_BFMI:
        return None
    low = sum(value < MIN_E_BFMI for value in run.e_bfmi or ())
    # three decimals when two would show the threshold itself
    shown = f"{lowest:.2f}" if round(lowest, 2) < MIN_E_BFMI else f"{lowest:.3f}"
    return Finding(
        kind=Kind.ENERGY, severity=Severity.DOUBTFUL, value=lowest, threshold=MIN_E_BFMI,
        says=f"E-BFMI is below {MIN_E_BFMI} in {low} of {number(run.chains, 'chain')}, at lowest {shown}: the sampler "
        "moves too slowly between energies to explore the tails.",
        next_steps=("give priors lighter tails", *_by_geometry(run.asked)),
        source="Betancourt (2016), arXiv:1604.00695, section 3",
    )  # fmt: skip


def _by_links(asked: Asked) -> tuple[str, ...]:
    """Parameters kept in their domain, at whose edge the density drops to 0 and trajectories end."""
    return (f"keep {asked.guarded} in the domain by a link such as np.exp or math.sigmoid",) if asked.guarded else ()


def _by_smaller_steps(asked: Asked) -> tuple[str, ...]:
    """Smaller steps, unless they are as small as helps."""
    if asked.target_accept is None:
        return ("raise target_accept",)
    higher = HIGH_ACCEPT if asked.target_accept < HIGH_ACCEPT else HIGHEST_ACCEPT
    is_high = asked.target_accept >= HIGHEST_ACCEPT
    return () if is_high else (f"raise target_accept from {asked.target_accept:.3g} to {higher}",)


def _by_geometry(asked: Asked) -> tuple[str, ...]:
    """What helps where curvature varies, of what has not been done: another geometry, another step, patience."""
    steps = list(by_choice(asked))
    if asked.step not in (None, "walnuts"):
        steps.append('if a funnel remains, sample with step="walnuts"')
    if asked.step is None:
        steps.append("write the hierarchy the other way, centred or not")
    return tuple(steps) or ("draw more, and go by R-hat and ESS",)


def _tree_depth(run: Run) -> Finding | None:
    """What cut-off trees mean and what helps."""
    if not run.max_treedepth_hits:
        return None
    limit = run.asked.max_treedepth
    depth = f" of {limit}" if limit is not None else ""
    return Finding(
        kind=Kind.TREE_DEPTH, severity=Severity.NOTE, value=run.max_treedepth_hits, threshold=0,
        says=f"{run.max_treedepth_hits:,} of {number(run.draws, 'transition')} reached the maximum tree depth{depth}, "
        "which is slow.",
        next_steps=("put predictors on similar scales", "run a longer warmup", "raise max_treedepth"),
        source="Hoffman and Gelman (2014), JMLR 15",
    )  # fmt: skip
