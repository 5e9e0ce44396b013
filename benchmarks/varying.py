"""Varying intercept and slope, Gaussian: smallest ESS per second of sampling, finetti's default beside nutpie.

Goals: against nutpie on the non-centred model, ten times at 919 rows in 85 groups, fifty times at 20,000 in 500.
"""

from benchmarks import bars, rates, table
from benchmarks.simulated import FORMS

SIZES = {"919x85": 10.0, "20000x500": 50.0}


def one(size: str, bar: float, repetitions: int) -> tuple[dict, list[bars.Bar]]:
    """One size: the table is printed, results and goals are returned."""
    models = {form: f"varying-{size}-{form}" for form in FORMS}
    entrants = [rates.default(models["centred"]), *(rates.nutpie(models[form]) for form in ("noncentred", "centred"))]
    raced = rates.race(entrants, repetitions)
    print(f"\nvarying intercept and slope, {size.replace('x', ' rows in ')} groups\n" + rates.show(raced), flush=True)
    own, noncentred, centred = (e.label for e in entrants)
    against = {name: rates.ratios(raced, own, peers) for name, peers in
               (("non-centred", [noncentred]), ("its better form", [noncentred, centred]))}  # fmt: skip
    for name, ratios in against.items():
        print(f"ratio to nutpie, {name}, min / median / max: {table.three(ratios)}")
    what = f"{size}: min ESS/s over nutpie's, non-centred"
    return raced, [bars.Bar(what=what, measured=rates.median(against["non-centred"]), bar=bar)]


def job(*, repetitions: int = 3, only: tuple[str, ...] = (), **_) -> dict:
    """Both sizes (or those that contain one of `only`)."""
    goals, runs, errors = [], {}, []
    for size, bar in SIZES.items():
        if only and not any(part in size for part in only):
            continue
        runs[size], found = one(size, bar, repetitions)
        goals += found
        errors += rates.errors(runs[size])
    print("\n" + bars.show(goals))
    return {"bars": bars.kept(goals), "runs": runs, "errors": errors}
