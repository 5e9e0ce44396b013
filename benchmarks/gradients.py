"""Smallest effective sample size per gradient, finetti beside PyMC with nutpie, on reference posteriors.

NUTS against NUTS: finetti samples the model as it is written, so that both have the same geometry. The smallest bulk
ESS over all scalars of the posterior, by one implementation for both, over the number of gradients spent (a) on the
draws alone and (b) with warmup. A gradient is one leapfrog step. Beside it finetti's default geometry: smallest ESS
per second of sampling, and whether there was a Markov chain at all; where not, there is no gradient to divide by.
"""

import statistics
import tempfile
from pathlib import Path

from benchmarks import reference, table
from benchmarks.measure import SUSPECT, add_sizes, fitted, per_gradient, rate, timed
from benchmarks.process import System

OWN = System("finetti", "finetti_", own=True, options={"geometry": "as_written"})
PEER = System("nutpie", "pymc_nutpie")
DEFAULT = System("default", "finetti_", own=True)
SYSTEMS = (OWN, PEER, DEFAULT)


def posteriors() -> tuple[str, ...]:
    """The names of the posteriors."""
    from benchmarks.models import MODELS

    return tuple(MODELS)


def measure(posterior: str, seeds: list[int], folder: Path) -> dict[str, dict]:
    """One process of each system that fits all seeds, with the effective sample sizes of each, by system."""
    results = [fitted(system, posterior, seeds, folder) for system in SYSTEMS]
    add_sizes(results, reference=reference.summaries(posterior))
    return {result["system"]: result for result in results}


def medians(result: dict) -> dict:
    """Medians over the seeds of one system on one posterior; the rate leaves out a process's first fit."""
    fits = [fit | per_gradient(fit) for fit in result["fits"]]
    chain = all(fit["per_sampling"] is not None for fit in fits)
    names = ("min_ess", "max_rhat", "divergences") + (("per_sampling", "per_total") if chain else ())
    middle = {name: statistics.median(fit[name] for fit in fits) for name in names}
    gap = max((abs(fit["worst"]["standard_errors"]) for fit in fits if fit["worst"]), default=None)
    per_second = statistics.median(rate(fit) for fit in timed(result))
    return {"chain": chain, "worst_gap": gap, "per_second": per_second} | middle


def compare(posterior: str, results: dict[str, dict]) -> dict:
    """All systems on one posterior; ratios above 1 are in finetti's favour."""
    found = {"posterior": posterior} | {name: medians(r) for name, r in results.items() if "error" not in r}
    own, peer = found.get(OWN.name), found.get(PEER.name)
    if own and peer and own["chain"] and peer["chain"]:
        found |= {f"ratio_{kind}": own[f"per_{kind}"] / peer[f"per_{kind}"] for kind in ("sampling", "total")}
    return found


def cells(middle: dict | None) -> list[str]:
    """A sampler's part of a row: ESS, ESS per 1,000 gradients twice, divergences, distance."""
    if middle is None:
        return ["failed", "", "", "", ""]
    shown = [table.number(1000 * middle[f"per_{kind}"]) for kind in ("sampling", "total")]
    mark = "!" if (middle["worst_gap"] or 0) > SUSPECT or middle["max_rhat"] > 1.01 else ""
    return [
        table.number(middle["min_ess"], 0),
        *shown,
        table.number(middle["divergences"], 0),
        table.number(middle["worst_gap"], 1) + mark,
    ]


def second(found: dict) -> list[str]:
    """ESS per second of nutpie, of finetti as written and by default, and what the default did."""
    middles = [found.get(system.name) for system in (PEER, OWN, DEFAULT)]
    default = middles[-1]
    how = "" if default is None else "chain" if default["chain"] else "no chain"
    distance = "" if default is None else cells(default | {"per_sampling": 0.0, "per_total": 0.0})[-1]
    return [*(table.number(m and m["per_second"], 0) for m in middles), how, distance]


EXPLANATION = (
    "Smallest bulk ESS per 1,000 gradients, medians over seeds; s.e.: largest distance of a mean from its\n"
    "reference, over all seeds ('!': beyond 4.5 standard errors, or R-hat above 1.01). ESS/s: of sampling\n"
    "with warmup, compile and build not counted"
)
HEADER = (
    "posterior",
    "finetti ESS",
    "/1000 draws' grads",
    "/1000 all",
    "div.",
    "s.e.",
    "nutpie ESS",
    "/1000 draws' grads",
    "/1000 all",
    "div.",
    "s.e.",
    "ratio draws",
    "ratio all",
    "nutpie ESS/s",
    "finetti ESS/s",
    "default ESS/s",
    "default",
    "s.e.",
)


def show(compared: list[dict]) -> str:
    """The table and the medians over posteriors."""
    rows = [
        [
            c["posterior"].split("-", 1)[1],
            *cells(c.get("finetti")),
            *cells(c.get("nutpie")),
            table.number(c.get("ratio_sampling")),
            table.number(c.get("ratio_total")),
            *second(c),
        ]
        for c in compared
    ]
    lines = [EXPLANATION, table.render(HEADER, rows)]
    for kind in ("sampling", "total"):
        ratios = [c[f"ratio_{kind}"] for c in compared if f"ratio_{kind}" in c]
        lines.append(f"ratio, {kind}, min / median / max of {len(ratios)} posteriors: {table.three(ratios)}")
    return "\n".join(lines)


def job(*, seeds: int = 5, only: tuple[str, ...] = (), **_) -> dict:
    """Run every posterior (or those whose name contains one of `only`) and print the table."""
    if not reference.present():
        print(f"gradients: {reference.MISSING}")
        return {"skipped": reference.MISSING}
    chosen = [name for name in posteriors() if not only or any(part in name for part in only)]
    compared, runs = [], []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        for name in chosen:
            results = measure(name, list(range(1, seeds + 1)), Path(folder))
            runs += results.values()
            compared.append(compare(name, results))
            print(f"gradients: {name}", flush=True)
    print(show(compared))
    return {"compared": compared, "runs": runs, "errors": [r for r in runs if "error" in r]}
