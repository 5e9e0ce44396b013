"""The first cell of the eight schools notebook: whole cold processes, from spawn to exit, with `summary`.

4 chains x 5,000 draws, tune 1,000, target_accept 0.9, defaults otherwise. The same centred text for finetti and
PyMC with nutpie; stanli gets the non-centred form that a reader would have to rewrite it to. The notebook asks for
four cores; every system gets the benchmarks' two. Goals: one second, no divergence, 15,000 effective draws of tau.
"""

import statistics
import tempfile
from pathlib import Path

from benchmarks import bars, reference, table
from benchmarks.models import FIRST_CELL
from benchmarks.process import System, effective_sizes, prime, run

SETTINGS = ("--draws", "5000", "--tune", "1000", "--chains", "4", "--target-accept", "0.9")
NONCENTRED = "eight_schools-eight_schools_noncentered"
REFERENCE = "eight_schools-eight_schools_centered"
ENTRANTS = (
    (System("finetti", "finetti_", own=True), FIRST_CELL),
    (System("PyMC + nutpie", "pymc_nutpie"), FIRST_CELL),
    (System("stanli, rewritten by hand", "stanli_"), NONCENTRED),
)
HEADER = (
    "system", "whole process, s", "to draws, s", "to its summary, s", "import, s", "compile, s", "divergences",
    "bulk ESS of tau", "min ESS", "worst mean, s.e.",
)  # fmt: skip


def measure(repetitions: int) -> list[dict]:
    """In turns, each from empty caches."""
    results = []
    for system, _ in ENTRANTS:
        prime(system, cores=2)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        for repetition in range(repetitions):
            for system, model in ENTRANTS:
                work = Path(name) / f"{system.module}-{repetition}"
                work.mkdir()
                arguments = [*SETTINGS, "--seeds", str(repetition + 1), "--save", str(work)]
                results.append(run(system, model, arguments, cores=2, cache=work / "cache"))
        good = [r for r in results if "error" not in r]
        summaries = reference.summaries(REFERENCE)
        sizes = effective_sizes([{"draws": r["fits"][0]["draws"], "reference": summaries} for r in good])
    for result, found in zip(good, sizes, strict=True):
        result |= {"ess": found}
    return results


def row(name: str, runs: list[dict]) -> list[str]:
    """One system: min / median / max, or medians."""

    def seconds(phase):
        return [r["seconds"][phase] for r in runs if phase in r["seconds"]]

    gaps = [abs(r["ess"]["worst"]["standard_errors"]) for r in runs if r["ess"]["worst"]]
    return [
        name,
        table.three(seconds("process")),
        table.three(seconds("to_draws")),
        table.three(seconds("to_summary")),
        table.number(statistics.median(seconds("import"))),
        table.number(statistics.median(seconds("compile"))),
        table.three([r["fits"][0]["divergences"] for r in runs], 0),
        table.three([r["ess"]["ess_tau"] for r in runs], 0),
        table.three([r["ess"]["min_ess"] for r in runs], 0),
        table.number(max(gaps, default=None), 1),
    ]


def goals(runs: list[dict]) -> list[bars.Bar]:
    """finetti's three: medians, but the worst case of divergences."""

    def median(values):
        return statistics.median(values) if values else None

    return [
        bars.Bar(what="seconds, whole process, cold", measured=median([r["seconds"]["process"] for r in runs]), bar=1.0,
                 at_most=True),
        bars.Bar(what="divergences", measured=max((r["fits"][0]["divergences"] for r in runs), default=None), bar=0,
                 at_most=True, digits=0),
        bars.Bar(what="bulk ESS of tau", measured=median([r["ess"]["ess_tau"] for r in runs]), bar=15_000, digits=0),
    ]  # fmt: skip


def job(*, repetitions: int = 3, **_) -> dict:
    """Run all, print the table and the goals."""
    results = measure(max(repetitions, 5))  # short processes: more of them
    by = {s.name: [r for r in results if r["system"] == s.name and "error" not in r] for s, _ in ENTRANTS}
    print(table.render(HEADER, [row(name, runs) for name, runs in by.items() if runs]))
    found = goals(by["finetti"])
    print("\n" + bars.show(found))
    return {"bars": bars.kept(found), "runs": results, "errors": [r for r in results if "error" in r]}
