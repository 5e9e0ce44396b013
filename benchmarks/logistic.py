"""Logistic regression with varying intercepts, 20,000 rows in 500 groups: smallest ESS per second of sampling.

Goal: twice what nutpie reaches on the better of the two hand-written forms.
"""

from benchmarks import bars, rates, table
from benchmarks.simulated import FORMS

SIZE = "20000x500"


def job(*, repetitions: int = 3, **_) -> dict:
    """finetti's default from either writing, nutpie on both."""
    models = [f"logistic-{SIZE}-{form}" for form in FORMS]
    entrants = [*map(rates.default, models), *map(rates.nutpie, models)]
    raced = rates.race(entrants, repetitions)
    print(rates.show(raced))
    labels = [e.label for e in entrants]
    goals = []
    for own in labels[:2]:
        ratios = rates.ratios(raced, own, labels[2:])
        print(f"{own}: ratio to nutpie's better form, min / median / max: {table.three(ratios)}")
        goals.append(bars.Bar(what=f"{own}: min ESS/s over nutpie's better", measured=rates.median(ratios), bar=2.0))
    print("\n" + bars.show(goals))
    return {"bars": bars.kept(goals), "runs": raced, "errors": rates.errors(raced)}
