"""Eight schools, non-centred, 4 chains x (1,000 warmup + 5,000 draws), 2 cores: whole processes.

"finetti as written" is NUTS against NUTS, and the base of the ratios; "finetti default" needs no chain here.
Every run is a fresh process. Cold starts from empty compile caches, warm finds what the cold run left. The
systems take turns (A B C, A B C, ...), so that a slow minute of the machine hits them all.
"""

import statistics
import tempfile
from pathlib import Path

from benchmarks import reference, table
from benchmarks.process import System, effective_sizes, prime, run

MODEL = "eight_schools-eight_schools_noncentered"
CORES = 2
SETTINGS = ("--draws", "5000", "--tune", "1000", "--chains", "4")
SYSTEMS = (
    System("finetti as written", "finetti_", own=True, options={"geometry": "as_written"}),
    System("finetti default", "finetti_", own=True),
    System("stanli", "stanli_"),
    System("PyMC + nutpie", "pymc_nutpie"),
    System("NumPyro vectorized", "numpyro_", options={"chain_method": "vectorized"}),
    System("NumPyro parallel", "numpyro_", options={"chain_method": "parallel"}),
    System("NumPyro sequential", "numpyro_", options={"chain_method": "sequential"}),
)
BASE = "finetti as written"
PHASES = ("import", "compile", "sampling", "compile_and_sampling")
CLOCKS = ("to_draws", "to_summary", "process")


def one(system: System, state: str, repetition: int, folder: Path) -> dict:
    """One measured process; the cold run's cache is the warm run's."""
    work = folder / f"{system.name}-{repetition}".replace(" ", "_")
    drawn = work / state
    drawn.mkdir(parents=True)
    arguments = [*SETTINGS, "--seeds", str(repetition + 1), "--save", str(drawn)]
    result = run(system, MODEL, arguments, cores=CORES, cache=work / "cache")
    return result | {"state": state, "repetition": repetition}


def measure(systems: tuple[System, ...], repetitions: int, folder: Path) -> list[dict]:
    """All runs in turns, with their effective sample sizes."""
    for system in systems:
        prime(system, cores=CORES)
    turns = [(r, state, s) for r in range(repetitions) for state in ("cold", "warm") for s in systems]
    results = [one(system, state, repetition, folder) for repetition, state, system in turns]
    good = [result for result in results if "error" not in result]
    items = [{"draws": r["fits"][0]["draws"], "reference": reference.summaries(MODEL)} for r in good]
    for result, sizes in zip(good, effective_sizes(items), strict=True):
        result |= {"ess": sizes}
    return results


def collect(results: list[dict], system: str, state: str) -> dict | None:
    """The numbers of one system in one state, as lists over repetitions; None if every run failed."""
    runs = [r for r in results if r["system"] == system and r["state"] == state and "error" not in r]
    if not runs:
        return None
    seconds = {name: [r["seconds"][name] for r in runs if name in r["seconds"]] for name in PHASES + CLOCKS}
    gaps = [abs(r["ess"]["worst"]["standard_errors"]) for r in runs if r["ess"]["worst"]]
    return {
        "system": system,
        "state": state,
        "seconds": seconds,
        "ess_tau": [r["ess"]["ess_tau"] for r in runs],
        "min_ess": [r["ess"]["min_ess"] for r in runs],
        "worst_gap": max(gaps, default=None),
    }


def best_numpyro(summaries: list[dict]) -> list[dict]:
    """Keep, in each state, the fastest of NumPyro's ways to run chains."""
    others = [s for s in summaries if not s["system"].startswith("NumPyro")]
    for state in ("cold", "warm"):
        ways = [s for s in summaries if s["system"].startswith("NumPyro") and s["state"] == state]
        if ways:
            others.append(min(ways, key=lambda s: statistics.median(s["seconds"]["to_draws"])))
    return others


def row(summary: dict, base: dict | None) -> list[str]:
    """One line of the table; the ratio is of median times to draws in the same state."""
    seconds = summary["seconds"]

    def median(name):
        return table.number(statistics.median(seconds[name]) if seconds[name] else None)

    together = median("compile_and_sampling")
    ratio = base and statistics.median(seconds["to_draws"]) / statistics.median(base["seconds"]["to_draws"])
    return [
        summary["system"],
        median("import"),
        median("compile"),
        median("sampling") if together == "-" else f"{together} (with compile)",
        table.three(seconds["to_draws"]),
        table.three(seconds["to_summary"]),
        table.three(seconds["process"]),
        table.three(summary["ess_tau"], 0),
        table.number(summary["worst_gap"], 1),
        table.number(ratio),
    ]


NOTE = (
    "of NumPyro's three ways to run chains the fastest is shown; its compile cache is JAX's, off by default\n"
    "and turned on here, so that its warm row flatters it: unconfigured, every start is the cold row"
)
HEADER = (
    "system",
    "import",
    "compile",
    "sampling",
    "to draws",
    "to its summary",
    "whole process",
    "bulk ESS of tau",
    "worst mean, s.e.",
    "to draws / finetti as written",
)


def show(summaries: list[dict], state: str) -> str:
    """The table of one state: seconds, each min / median / max or a median."""
    chosen = [s for s in best_numpyro(summaries) if s["state"] == state]
    base = next((s for s in chosen if s["system"] == BASE), None)
    return f"Eight schools, {state}, seconds (min / median / max)\n" + table.render(
        HEADER, [row(s, base) for s in chosen]
    )


def job(*, repetitions: int = 3, systems: tuple[System, ...] = SYSTEMS, **_) -> dict:
    """Run everything, print the tables, return what is to be kept."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        results = measure(systems, repetitions, Path(folder))
    summaries = [collect(results, s.name, state) for s in systems for state in ("cold", "warm")]
    summaries = [summary for summary in summaries if summary]
    print("\n\n".join(show(summaries, state) for state in ("cold", "warm")))
    print(NOTE)
    return {"summaries": summaries, "runs": results, "errors": [r for r in results if "error" in r]}
