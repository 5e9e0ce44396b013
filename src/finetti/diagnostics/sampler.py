"""Health of the sampler itself: divergences, energy, tree depth, told in one line of plain words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finetti.errors import DataError

MIN_E_BFMI = 0.3
WITHOUT_CHAIN = ("quadrature", "exact")



@dataclass(frozen=True, kw_only=True)
class SamplerHealth:
    """What the sampler reported about a run; None for what it did not record.

    Args:
        draws: draws kept, over all chains.
        chains: number of chains.
        divergences: draws whose transition diverged.
        e_bfmi: `e_bfmi` of each chain (chain).
        max_treedepth_hits: draws whose transition was cut off at the maximum tree depth.
        max_treedepth: that depth (doublings).
        interrupted: whether the run was stopped early.
        draws_requested: draws asked for, over all chains.
        step: "split", "leapfrog" or "walnuts", see `sample`.
        sampler: the engine that drew: "nuts", "independence", "quadrature", "exact".

    Example:
        >>> SamplerHealth(draws=20_000, chains=4, divergences=0).line()
        'No divergences in 20,000 draws.'
    """

    draws: int
    chains: int
    divergences: int | None = None
    e_bfmi: tuple[float, ...] | None = None
    max_treedepth_hits: int | None = None
    max_treedepth: int | None = None
    interrupted: bool = False
    draws_requested: int | None = None
    step: str | None = None
    sampler: str | None = None

    @property
    def min_e_bfmi(self) -> float | None:
        """The lowest E-BFMI over the chains for which it could be computed."""
        known = [value for value in self.e_bfmi or () if not np.isnan(value)]
        return min(known) if known else None

    @property
    def ok(self) -> bool:
        """Whether nothing reported calls for action."""
        return not _concerns(self)

    def line(self) -> str:
        """One line for under a table: what went wrong and what to do, then what went well.

        Returns:
            Sentences on one line. What was not recorded is not mentioned.

        Example:
            >>> SamplerHealth(draws=400, chains=2, divergences=0, e_bfmi=(0.9, 0.85)).line()
            'No divergences in 400 draws; lowest E-BFMI 0.85.'
        """
        sentences = [*_concerns(self), *_reassurance(self)]
        return " ".join(sentences) or f"{self.draws:,} draws; no sampler statistics were recorded."


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


def sampler_health(
    *,
    shape: tuple[int, int],
    diverging: np.ndarray | None = None,
    energy: np.ndarray | None = None,
    reached_max_treedepth: np.ndarray | None = None,
    tree_depth: np.ndarray | None = None,
    max_treedepth: int | None = None,
    interrupted: bool = False,
    draws_requested: int | None = None,
    step: str | None = None,
    sampler: str | None = None,
) -> SamplerHealth:
    """Count what the statistics of a run say.

    Args:
        shape: numbers of chains and of draws per chain.
        diverging: whether each transition diverged (chain, draw). NaN marks a draw not made, here and below.
        energy: Hamiltonian at each draw (chain, draw).
        reached_max_treedepth: whether each tree was cut off at the maximum depth (chain, draw).
        tree_depth: doublings of each tree (chain, draw); with `max_treedepth` it can stand in for that flag.
        max_treedepth: largest number of doublings allowed.
        interrupted: whether the run was stopped early.
        draws_requested: draws asked for, over all chains.
        step: how a trajectory gets from point to point, as in `sample`.
        sampler: the engine that drew: "nuts", "independence", "quadrature", "exact".

    Returns:
        The counts, None for statistics not given.

    Raises:
        DataError: a statistic whose shape is not `shape`.

    Example:
        >>> sampler_health(shape=(2, 50), diverging=np.zeros((2, 50), bool)).divergences
        0
    """
    given = {"diverging": diverging, "energy": energy, "tree_depth": tree_depth}
    given["reached_max_treedepth"] = reached_max_treedepth
    stats = {name: _checked(name, value, shape) for name, value in given.items() if value is not None}
    if "reached_max_treedepth" not in stats and "tree_depth" in stats and max_treedepth is not None:
        stats["reached_max_treedepth"] = np.where(
            np.isnan(stats["tree_depth"]), np.nan, stats["tree_depth"] >= max_treedepth
        )
    return SamplerHealth(
        draws=_draws_made(stats, shape),
        chains=shape[0],
        divergences=_count(stats.get("diverging")),
        e_bfmi=tuple(e_bfmi(stats["energy"]).tolist()) if "energy" in stats else None,
        max_treedepth_hits=_count(stats.get("reached_max_treedepth")),
        max_treedepth=max_treedepth,
        interrupted=interrupted,
        draws_requested=draws_requested,
        step=step,
        sampler=sampler,
    )


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


def _concerns(health: SamplerHealth) -> list[str]:
    """A sentence for everything that calls for action, each with what to do next."""
    found = (_interruption(health), _divergences(health), _energy(health), _tree_depth(health))
    return [sentence for sentence in found if sentence]


def _reassurance(health: SamplerHealth) -> list[str]:
    """One sentence of what was recorded and is as it should be."""
    if health.sampler in WITHOUT_CHAIN:
        return [f"{_number(health.draws, 'independent draw')}: there is no Markov chain to go astray."]
    if health.sampler == "independence":
        return [f"{_number(health.draws, 'draw')} by proposals fitted to the posterior: no trajectories to go astray."]
    clauses = []
    if health.divergences == 0:
        clauses.append(f"no divergences in {_number(health.draws, 'draw')}")
    if health.min_e_bfmi is not None and not _energy(health):
        clauses.append(f"lowest E-BFMI {health.min_e_bfmi:.2f}")
    if health.max_treedepth_hits == 0:
        clauses.append("no transition reached the maximum tree depth")
    sentence = "; ".join(clauses)
    return [f"{sentence[0].upper()}{sentence[1:]}."] if sentence else []


def _interruption(health: SamplerHealth) -> str:
    """How far an interrupted run came."""
    if not health.interrupted:
        return ""
    of = f" of the {health.draws_requested:,} asked for" if health.draws_requested else ""
    return f"Interrupted: these are {_number(health.draws, 'draw')}{of}, so check ESS before relying on them."


def _divergences(health: SamplerHealth) -> str:
    """What divergences mean and what helps."""
    if not health.divergences:
        return ""
    return (
        f"{health.divergences:,} of {_number(health.draws, 'draw')} diverged: the sampler could not follow "
        f"the posterior's curvature, and estimates may be biased. Raise target_accept; {_on_geometry(health)}"
    )


def _energy(health: SamplerHealth) -> str:
    """What a low E-BFMI means and what helps."""
    lowest = health.min_e_bfmi
    if lowest is None or lowest >= MIN_E_BFMI:
        return ""
    low = sum(value < MIN_E_BFMI for value in health.e_bfmi or ())
    # three decimals when two would show the threshold itself
    shown = f"{lowest:.2f}" if round(lowest, 2) < MIN_E_BFMI else f"{lowest:.3f}"
    return (
        f"E-BFMI is below {MIN_E_BFMI} in {low} of {_number(health.chains, 'chain')}, at lowest {shown}: the "
        f"sampler moves too slowly between energies to explore the tails. {_against_heavy_tails(health)}"
    )


def _against_heavy_tails(health: SamplerHealth) -> str:
    """What helps against a low E-BFMI, without saying again what divergences have already called for."""
    if health.divergences:
        return "The same may help, and so may priors with lighter tails."
    return f"Give priors lighter tails; {_on_geometry(health)}"


def _on_geometry(health: SamplerHealth) -> str:
    """What helps where curvature varies: another geometry, then another step, then patience."""
    first = 'if the model was sampled "as_written", let finetti choose the geometry (geometry="auto", the default); '
    if health.step == "walnuts":
        return f"{first}if a funnel remains, draw more, and go by R-hat and ESS."
    return f'{first}if a funnel remains, sample with step="walnuts".'


def _tree_depth(health: SamplerHealth) -> str:
    """What cut-off trees mean and what helps."""
    if not health.max_treedepth_hits:
        return ""
    depth = f" of {health.max_treedepth}" if health.max_treedepth is not None else ""
    return (
        f"{health.max_treedepth_hits:,} of {_number(health.draws, 'transition')} reached the maximum tree "
        f"depth{depth}: valid but slow; put predictors on similar scales, run a longer warmup or raise "
        "max_treedepth."
    )


def _number(count: int, what: str) -> str:
    """A count with its noun."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
