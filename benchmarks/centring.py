"""Centred, non-centred, or learned: smallest ESS per gradient, warmup included, from poor data to rich.

Fifty groups, one binomial or Poisson count each. finetti learns the centring whichever way the model is written;
beside it both hand-written forms, sampled as they are written by finetti and by nutpie. ESS is the smallest over
mu, tau and the effects of the groups, the same in every form. Goals: in each cell, from either writing, no worse
than the best of the four; three times it at 20 trials and where groups differ; no divergence.
"""

import statistics
import tempfile
from pathlib import Path

from benchmarks import bars, simulated, table
from benchmarks.measure import SUSPECT, add_sizes, fitted, per_gradient
from benchmarks.process import System
from benchmarks.simulated import FORMS

TRIALS = ("1", "5", "20", "100", "1000", "mixed")
BARS = {"20": 3.0, "mixed": 3.0}
AUTO = System("auto", "finetti_", own=True)
WRITTEN = System("finetti", "finetti_", own=True, options={"geometry": "as_written"})
NUTPIE = System("nutpie", "pymc_nutpie")
SYSTEMS = (WRITTEN, NUTPIE, AUTO)
LETTERS = {"centred": "c", "noncentred": "nc"}


def cell(kind: str, trials: str, seeds: list[int], folder: Path) -> list[dict]:
    """All systems on both forms."""
    models = [f"{kind}-{trials}-{form}" for form in FORMS]
    results = [fitted(system, model, seeds, folder) for model in models for system in SYSTEMS]
    add_sizes(results, names=simulated.compared(models[0]), rival=NUTPIE.name)
    return results


def name_of(result: dict) -> str:
    """`auto c`, `nutpie nc`, ..."""
    return f"{result['system']} {LETTERS[result['model'].split('-')[-1]]}"


def digest(kind: str, trials: str, results: list[dict]) -> dict:
    """Medians over seeds and the ratio of the worse writing to the best hand-written form."""
    good = {name_of(r): r["fits"] for r in results if "error" not in r}
    per = {n: [1000 * (per_gradient(f)["per_total"] or 0.0) for f in fits] for n, fits in good.items()}
    middle = {name: statistics.median(values) for name, values in per.items()}
    own = {name: value for name, value in middle.items() if name.startswith("auto")}
    written = {name: value for name, value in middle.items() if name not in own}
    best = max(written, key=written.get, default=None)
    return {
        "kind": kind,
        "trials": trials,
        "per_1000": middle,
        "best": best,
        "ratio": min(own.values()) / written[best] if len(own) == 2 and best else None,
        "divergences": {name: sum(f["divergences"] for f in fits) for name, fits in good.items()},
        "max_rhat": {name: max(f["max_rhat"] for f in fits) for name, fits in good.items()},
        "apart": max((f["apart"] for n in own for f in good[n] if f["apart"] is not None), default=None),
    }


COLUMNS = tuple(f"{system.name} {letter}" for system in SYSTEMS for letter in LETTERS.values())
HEADER = (
    "model, trials", *COLUMNS, "best by hand", "ratio, worse writing", "div. auto", "div. best", "R-hat auto",
    "apart, s.e.",
)  # fmt: skip


def row(found: dict) -> list[str]:
    """One cell as a line."""
    auto = [name for name in COLUMNS if name.startswith("auto")]
    apart = found["apart"]
    return [
        f"{found['kind']}, {found['trials']}",
        *(table.number(found["per_1000"].get(name), 1) for name in COLUMNS),
        found["best"] or "-",
        table.number(found["ratio"]),
        table.number(sum(found["divergences"].get(name, 0) for name in auto), 0),
        table.number(found["divergences"].get(found["best"]), 0),
        table.number(max(found["max_rhat"].get(name, 0.0) for name in auto), 3),
        table.number(apart, 1) + ("!" if (apart or 0) > SUSPECT else ""),
    ]


def goals(cells: list[dict]) -> list[bars.Bar]:
    """One bar for each cell, and one for divergences."""
    found = [
        bars.Bar(
            what=f"{c['kind']}, {c['trials']} trials: ESS per gradient over the best by hand",
            measured=c["ratio"],
            bar=BARS.get(c["trials"], 1.0),
        )
        for c in cells
    ]
    count = sum(n for c in cells for name, n in c["divergences"].items() if name.startswith("auto"))
    return [*found, bars.Bar(what="divergences of auto, all cells", measured=count, bar=0, at_most=True, digits=0)]


def job(*, seeds: int = 5, only: tuple[str, ...] = (), **_) -> dict:
    """All cells (or those whose name, such as poisson-20, contains one of `only`)."""
    wanted = [(kind, trials) for kind in ("binomial", "poisson") for trials in TRIALS]
    wanted = [w for w in wanted if not only or any(part in "-".join(w) for part in only)]
    cells, runs = [], []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        for kind, trials in wanted:
            results = cell(kind, trials, list(range(1, seeds + 1)), Path(folder))
            runs += results
            cells.append(digest(kind, trials, results))
            print("centring:", *row(cells[-1]), sep="  ", flush=True)
    print("\nSmallest ESS per 1,000 gradients, warmup included, medians over seeds; c and nc: how it is written")
    print(table.render(HEADER, [row(c) for c in cells]))
    print("\n" + bars.show(goals(cells)))
    errors = [r for r in runs if "error" in r]
    return {"bars": bars.kept(goals(cells)), "cells": cells, "runs": runs, "errors": errors}
