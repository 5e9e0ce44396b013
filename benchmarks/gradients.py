"""Smallest effective sample size per gradient, finetti beside PyMC with nutpie, on reference posteriors.

The smallest bulk ESS over all scalars of the posterior, by one implementation for both, over the number of
gradients spent (a) on the draws alone and (b) with warmup. A gradient is one leapfrog step. Where finetti
needs no Markov chain there is no gradient to divide by: the posterior is listed, but left out of the median.
"""

import statistics
import tempfile
from pathlib import Path

from benchmarks import reference, table
from benchmarks.process import System, effective_sizes, run

CORES = 2
SETTINGS = ("--draws", "1000", "--tune", "1000", "--chains", "4", "--target-accept", "0.8")
OWN = System("finetti", "finetti_", own=True)
PEER = System("PyMC + nutpie", "pymc_nutpie")
SUSPECT = 4.5  # standard errors from a reference mean, beyond which a fit is marked


def posteriors() -> tuple[str, ...]:
    """The names of the posteriors."""
    from benchmarks.models import MODELS

    return tuple(MODELS)


def measure(system: System, posterior: str, seeds: list[int], folder: Path) -> dict:
    """One process that fits all seeds, with the effective sample sizes of each."""
    drawn = folder / system.module / posterior
    drawn.mkdir(parents=True)
    arguments = [*SETTINGS, "--seeds", *map(str, seeds), "--save", str(drawn)]
    result = run(system, posterior, arguments, cores=CORES) | {"model": posterior}
    if "error" in result:
        return result
    items = [{"draws": fit["draws"], "reference": reference.summaries(posterior)} for fit in result["fits"]]
    for fit, sizes in zip(result["fits"], effective_sizes(items), strict=True):
        fit |= sizes | per_gradient(fit, sizes["min_ess"])
    return result


def per_gradient(fit: dict, size: float) -> dict[str, float | None]:
    """ESS per gradient (a) of the draws and (b) of draws and warmup; None where there was no gradient."""
    sampling = fit["gradients_sampling"]
    total = sampling + fit["gradients_warmup"]
    return {
        "per_sampling": size / sampling if sampling else None,
        "per_total": size / total if sampling else None,
    }


def medians(result: dict) -> dict:
    """Medians over the seeds of one system on one posterior."""
    fits = result["fits"]
    chain = all(fit["per_sampling"] is not None for fit in fits)
    names = ("min_ess", "max_rhat", "divergences") + (("per_sampling", "per_total") if chain else ())
    middle = {name: statistics.median(fit[name] for fit in fits) for name in names}
    gap = max((abs(fit["worst"]["standard_errors"]) for fit in fits if fit["worst"]), default=None)
    return {"chain": chain, "worst_gap": gap} | middle


def compare(posterior: str, own: dict, peer: dict) -> dict:
    """Both systems on one posterior; ratios above 1 are in finetti's favour."""
    found = {"posterior": posterior}
    found |= {name: medians(r) for name, r in (("finetti", own), ("nutpie", peer)) if "error" not in r}
    if all(found.get(name, {}).get("chain") for name in ("finetti", "nutpie")):
        found |= {
            f"ratio_{kind}": found["finetti"][f"per_{kind}"] / found["nutpie"][f"per_{kind}"]
            for kind in ("sampling", "total")
        }
    return found


def cells(middle: dict | None) -> list[str]:
    """A system's part of a row: ESS, ESS per 1,000 gradients twice, divergences, distance."""
    if middle is None:
        return ["failed", "", "", "", ""]
    rates = [1000 * middle[f"per_{kind}"] for kind in ("sampling", "total")] if middle["chain"] else None
    shown = [table.number(rate) for rate in rates] if rates else ["no chain", "no chain"]
    mark = "!" if (middle["worst_gap"] or 0) > SUSPECT or middle["max_rhat"] > 1.01 else ""
    return [
        table.number(middle["min_ess"], 0),
        *shown,
        table.number(middle["divergences"], 0),
        table.number(middle["worst_gap"], 1) + mark,
    ]


EXPLANATION = (
    "Smallest bulk ESS per 1,000 gradients, medians over seeds; s.e.: largest distance of a mean from its\n"
    "reference, over all seeds ('!': beyond 4.5 standard errors, or R-hat above 1.01)"
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
    numbers = list(range(1, seeds + 1))
    results = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        for name in chosen:
            results += [measure(system, name, numbers, Path(folder)) for system in (OWN, PEER)]
            print(f"gradients: {name}", flush=True)
    pairs = zip(results[::2], results[1::2], strict=True)
    compared = [compare(name, own, peer) for name, (own, peer) in zip(chosen, pairs, strict=True)]
    print(show(compared))
    return {"compared": compared, "runs": results, "errors": [r for r in results if "error" in r]}
