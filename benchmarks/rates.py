"""Smallest ESS per second of sampling on one model: systems in turns, fresh processes.

finetti's process fits twice and the second fit's clock counts, for the first pays for late imports; nutpie has them
behind it when it has compiled (its first fit was not slower than its second), and fits once. The
seconds run from the compiled model to draws of every variable, warmup included. Compiling and building are not in
them; they are shown beside, from empty caches.
"""

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import simulated, table
from benchmarks.measure import SUSPECT, add_sizes, fitted, gradients, per_leapfrog, rate, timed
from benchmarks.process import System, prime

NUTPIE = "PyMC + nutpie"


@dataclass(frozen=True)
class Entrant:
    """A system and the model it is given."""

    system: System
    model: str
    fits: int = 1

    @property
    def label(self) -> str:
        """What a table calls it."""
        return f"{self.system.name}, {self.model.split('-')[-1]}"


def default(model: str) -> Entrant:
    """finetti as it comes."""
    return Entrant(System("finetti", "finetti_", own=True), model, fits=2)


def nutpie(model: str) -> Entrant:
    """PyMC's model, sampled by nutpie."""
    return Entrant(System(NUTPIE, "pymc_nutpie"), model)


def race(entrants: list[Entrant], repetitions: int) -> dict[str, list[dict]]:
    """By label: one result for each repetition, its fits with sample sizes and distances to nutpie's means."""
    for system in dict.fromkeys((e.system.module, e.system.own) for e in entrants):
        prime(System("", *system), cores=2)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        results = []
        for repetition in range(repetitions):
            for e in entrants:
                seeds = [10 * repetition + fit + 1 for fit in range(e.fits)]
                cache = folder / "cache" / e.label
                results.append(fitted(e.system, e.model, seeds, folder, cache=cache, profile=e.system.own))
        add_sizes(results, names=simulated.compared(entrants[0].model), rival=NUTPIE)
    return {e.label: results[k :: len(entrants)] for k, e in enumerate(entrants)}


def good(results: list[dict]) -> list[dict]:
    """Those that ended well."""
    return [result for result in results if "error" not in result]


def row(label: str, results: list[dict]) -> list[str]:
    """One line of the table; medians unless three numbers are given."""
    if not good(results):
        return [label, "failed", *[""] * (len(HEADER) - 2)]
    fits = [timed(result)[-1] for result in good(results)]
    phases = {name: [f["seconds"][name] for f in fits if name in f["seconds"]] for name in ("chain", "plan")}
    first = good(results)[0]["seconds"]
    steps = [per_leapfrog(f) for f in fits if gradients(f)]
    gaps = [f["apart"] for f in fits if f["apart"] is not None]

    def median(values, digits=2):
        return table.number(statistics.median(values) if values else None, digits)

    return [
        label,
        median([f["min_ess"] for f in fits], 0),
        median([f["min_tail_ess"] for f in fits], 0),
        median([f["seconds"]["sampling"] for f in fits]),
        table.three([rate(f) for f in fits], 0),
        median(phases["chain"]),
        median(phases["plan"], 3),
        median([gradients(f) / 8000 for f in fits], 1),
        median(steps, 1),
        table.number(first["build"] + first["compile"], 1),
        table.number(sum(f["divergences"] for f in fits), 0),
        table.number(max(f["max_rhat"] for f in fits), 3),
        table.number(max(gaps, default=None), 1) + ("!" if max(gaps, default=0) > SUSPECT else ""),
    ]


HEADER = (
    "system, model",
    "min ESS",
    "min tail ESS",
    "sampling, s",
    "min ESS/s (min / median / max)",
    "of it chains, s",
    "of it plan, s",
    "leapfrogs/transition",
    "us/leapfrog, core",
    "build + compile, cold, s",
    "div.",
    "R-hat",
    "apart, s.e.",
)


def show(raced: dict[str, list[dict]]) -> str:
    """The table."""
    return table.render(HEADER, [row(label, results) for label, results in raced.items()])


def ratios(raced: dict[str, list[dict]], own: str, peers: list[str]) -> list[float]:
    """ESS per second of `own` over that of the better peer, turn by turn."""
    found = []
    for turn in zip(raced[own], *(raced[peer] for peer in peers), strict=True):
        mine, *theirs = (rate(timed(r)[-1]) if "error" not in r else None for r in turn)
        theirs = [value for value in theirs if value is not None]
        if mine is not None and theirs:
            found.append(mine / max(theirs))
    return found


def median(values: list[float]) -> float | None:
    """None of nothing."""
    return statistics.median(values) if values else None


def errors(raced: dict[str, list[dict]]) -> list[dict]:
    """Processes that failed."""
    return [r for results in raced.values() for r in results if "error" in r]
