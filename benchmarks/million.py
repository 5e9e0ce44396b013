"""Varying intercept and slope: what a million rows cost beside 20,000, in the same 1,000 groups; finetti alone.

Goal: a draw costs at most three times as much. A draw is a kept draw of one chain, its share of the warmup included;
once for the chains alone, and once for the whole call but compiling, which also plans the geometry (reading every row,
once) and draws back what was integrated out. Planning by itself is timed again beside, not taken off.
"""

import statistics
import tempfile
from pathlib import Path

from benchmarks import bars, rates, simulated, table
from benchmarks.measure import add_sizes, fitted, per_leapfrog, timed
from benchmarks.process import prime

SMALL, LARGE = "varying-20000x1000-centred", "varying-1000000x1000-centred"
DRAWS = 4 * 1000
HEADER = (
    "model", "build, s", "plan, s", "chains, ms/draw", "whole call but compile, ms/draw", "us/leapfrog, core",
    "compile, cold, s", "min ESS", "div.",
)  # fmt: skip


def per_draw(fit: dict) -> dict[str, float]:
    """Milliseconds per kept draw, of the chains alone and of all but compiling."""
    return {kind: 1000 * fit["seconds"][kind] / DRAWS for kind in ("chain", "sampling")}


def row(model: str, results: list[dict]) -> list[str]:
    """Medians of one model."""
    fits = [timed(r)[-1] for r in results]

    def median(values, digits=3):
        return table.number(statistics.median(values), digits)

    return [
        model,
        median([r["seconds"]["build"] for r in results]),
        median([f["seconds"]["plan"] for f in fits]),
        median([per_draw(f)["chain"] for f in fits]),
        median([per_draw(f)["sampling"] for f in fits]),
        median([per_leapfrog(f) or 0.0 for f in fits], 1),
        table.number(results[0]["seconds"]["compile"], 2),
        median([f["min_ess"] for f in fits], 0),
        table.number(sum(f["divergences"] for f in fits), 0),
    ]


def measure(repetitions: int) -> list[dict]:
    """Both models in turns."""
    system = rates.default(SMALL).system
    prime(system, cores=2)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        results = [
            fitted(system, model, (10 * r + 1, 10 * r + 2), folder, cache=folder / "cache" / model, profile=True)
            for r in range(repetitions)
            for model in (SMALL, LARGE)
        ]
        add_sizes(results, names=simulated.compared(SMALL))
    return results


def job(*, repetitions: int = 3, **_) -> dict:
    """Print the two beside each other."""
    results = measure(repetitions)
    errors = [r for r in results if "error" in r]
    if errors:
        return {"runs": results, "errors": errors}
    by = {model: [r for r in results if r["model"] == model] for model in (SMALL, LARGE)}
    print(table.render(HEADER, [row(model, found) for model, found in by.items()]))
    goals = []
    for kind, words in (("chain", "chains"), ("sampling", "whole call but compile")):
        pairs = zip(by[SMALL], by[LARGE], strict=True)
        ratios = [per_draw(timed(b)[-1])[kind] / per_draw(timed(a)[-1])[kind] for a, b in pairs]
        goals.append(
            bars.Bar(what=f"time per draw, {words}: over 20,000 rows'", measured=statistics.median(ratios), bar=3.0,
                     at_most=True)
        )  # fmt: skip
    print("\n" + bars.show(goals))
    return {"bars": bars.kept(goals), "runs": results, "errors": errors}
