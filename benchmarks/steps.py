"""Leapfrog or split steps: smallest ESS per gradient of both, on the reference posteriors as they are written.

Goal: nowhere much worse, and better where the posterior is all but Gaussian. The same models, seeds and counts as in
`gradients`; finetti alone.
"""

import statistics
import tempfile
from pathlib import Path

from benchmarks import gradients, reference, table
from benchmarks.measure import add_sizes, fitted
from benchmarks.process import System

STEPS = ("leapfrog", "split")
SYSTEMS = [System(s, "finetti_", own=True, options={"geometry": "as_written", "step": s}) for s in STEPS]


def row(posterior: str, seeds: list[int], folder: Path) -> tuple[list[str], float | None, list[dict]]:
    """One line of the table, the ratio of all gradients, and the runs."""
    results = [fitted(system, posterior, seeds, folder) for system in SYSTEMS]
    add_sizes(results, reference=reference.summaries(posterior))
    if any("error" in result for result in results):
        return [posterior, "failed", *[""] * (len(HEADER) - 2)], None, results
    middle = [gradients.medians(result) for result in results]
    draws, total = ([1000 * m[f"per_{kind}"] for m in middle] for kind in ("sampling", "total"))
    numbers = [table.number(value) for value in (*draws, draws[1] / draws[0], *total, total[1] / total[0])]
    marks = [gradients.cells(m)[-1] for m in middle]
    return [posterior.split("-", 1)[1], *numbers, *marks], total[1] / total[0], results


HEADER = (
    "posterior", "leapfrog, /1000 draws' grads", "split", "ratio", "leapfrog, /1000 all", "split", "ratio",
    "s.e. leapfrog", "s.e. split",
)  # fmt: skip


def job(*, seeds: int = 3, only: tuple[str, ...] = (), **_) -> dict:
    """Every posterior (or those whose name contains one of `only`)."""
    if not reference.present():
        print(f"steps: {reference.MISSING}")
        return {"skipped": reference.MISSING}
    chosen = [name for name in gradients.posteriors() if not only or any(part in name for part in only)]
    rows, ratios, runs = [], [], []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        for name in chosen:
            line, ratio, results = row(name, list(range(1, seeds + 1)), Path(folder))
            rows.append(line)
            ratios += [] if ratio is None else [ratio]
            runs += results
            print("steps:", *line, sep="  ", flush=True)
    print("\nSmallest bulk ESS per 1,000 gradients, medians over seeds; s.e. and '!' as in `gradients`")
    print(table.render(HEADER, rows))
    if ratios:
        print(f"ratio, all gradients, median of {len(ratios)}: {table.number(statistics.median(ratios))}")
    return {"ratios": ratios, "runs": runs, "errors": [r for r in runs if "error" in r]}
