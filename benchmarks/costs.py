"""What a block of latents costs, foretold by the plan and by the clock, and models that once took minutes to compile.

Foretold and measured milliseconds an evaluation; seconds to compile and for the whole of `sample`, nothing cached.
"""

import os
import time
from collections.abc import Callable

import numpy as np

RNG = 6
REPEATED = 20


def horseshoe(p: int, n: int = 100):
    """A scale for each of p coefficients, on n rows."""
    import finetti as pm

    rng = np.random.default_rng(RNG)
    x = rng.normal(size=(n, p))
    y = x[:, 0] * 3 + rng.normal(size=n)
    with pm.Model() as model:
        s, lam = pm.HalfNormal("s", 3), pm.HalfNormal("lam", 1, shape=p)
        pm.Normal("y", x @ pm.Normal("z", 0, lam, shape=p), s, observed=y)
    return model


def walk(steps: int):
    """A random walk seen with noise, by a cumulative sum."""
    import finetti as pm

    rng = np.random.default_rng(RNG)
    y = 1000 + np.cumsum(rng.normal(0, 40, steps)) + rng.normal(0, 120, steps)
    with pm.Model() as model:
        noise, drift = pm.HalfNormal("noise", 200), pm.HalfNormal("drift", 100)
        start = pm.Normal("start", 1000, 300)
        pm.Normal("y", start + pm.math.cumsum(pm.Normal("step", 0, drift, shape=steps)), noise, observed=y)
    return model


def garch(steps: int):
    """GARCH(1,1) in a Python loop."""
    import finetti as pm

    y = np.random.default_rng(RNG).normal(size=steps)
    with pm.Model() as model:
        a0, a1, b1 = pm.HalfNormal("a0", 1), pm.Beta("a1", 2, 2), pm.Beta("b1", 2, 2)
        variances = [a0]
        for t in range(1, steps):
            variances.append(a0 + a1 * y[t - 1] ** 2 + b1 * variances[-1])
        pm.Normal("y", 0, pm.math.sqrt(pm.math.stack(variances)), observed=y)
    return model


def lecturers(rows: int = 73_421, students: int = 2972, teachers: int = 1128):
    """Ratings of the size of lme4's InstEval, simulated: two large crossed factors."""
    import finetti as pm

    rng = np.random.default_rng(RNG)
    s, t, x = rng.integers(0, students, rows), rng.integers(0, teachers, rows), rng.integers(0, 2, rows)
    y = 3.2 + rng.normal(0, 0.33, students)[s] + rng.normal(0, 0.5, teachers)[t] - 0.07 * x + rng.normal(0, 1.18, rows)
    with pm.Model() as model:
        level, slope = pm.Normal("level", 0, 10), pm.Normal("slope", 0, 1)
        spread = [pm.HalfNormal(name, 1) for name in ("of_students", "of_teachers")]
        u = pm.Normal("u", 0, spread[0], shape=students)
        v = pm.Normal("v", 0, spread[1], shape=teachers)
        pm.Normal("y", level + slope * x + u[s] + v[t], pm.HalfNormal("noise", 2), observed=y)
    return model


MODELS: dict[str, Callable] = {
    "horseshoe 14": lambda: horseshoe(14), "horseshoe 20": lambda: horseshoe(20), "horseshoe 40": lambda: horseshoe(40),
    "walk 100": lambda: walk(100), "walk 300": lambda: walk(300), "garch 200": lambda: garch(200),
    "lecturers": lecturers,
}  # fmt: skip


def evaluations(model) -> tuple[float, float]:
    """Milliseconds of one evaluation of the block's density: foretold, and by NumPy over a few points."""
    import finetti as pm
    from finetti.density import density_of
    from finetti.reductions.linear.cost import seconds_of

    plan = pm.plan(model)
    if not plan.reductions:
        return float("nan"), float("nan")
    density = density_of(model, plan.reductions, plan.coordinates)
    points = 0.3 * np.random.default_rng(0).normal(size=(REPEATED, density.size))
    density(points[:2], density.batched_arguments(), lead=1)
    began = time.perf_counter()
    density(points, density.batched_arguments(), lead=1)
    return 1e3 * seconds_of(plan.reductions[0]), 1e3 * (time.perf_counter() - began) / REPEATED


def job(*, only: tuple[str, ...] = (), **_) -> dict:
    """All models (or those whose names contain one of `only`)."""
    os.environ["FINETTI_CACHE"] = "off"
    import finetti as pm

    kept: dict[str, dict[str, float | str]] = {}
    print(f"{'model':14s} {'foretold ms':>12s} {'NumPy ms':>9s} {'engine':>13s} {'compile s':>10s} {'total s':>8s}")
    for name, write in MODELS.items():
        if only and not any(part in name for part in only):
            continue
        model = write()
        foretold, measured = evaluations(model)
        began = time.perf_counter()
        trace = pm.sample(model=model, random_seed=1, progressbar=False)
        total = time.perf_counter() - began
        ess = float(pm.summary(trace)["ess_bulk"].min())
        kept[name] = {
            "foretold_ms": foretold, "numpy_ms": measured, "engine": trace.attrs["sampler"], "total_s": total,
            "compile_s": trace.attrs["compile_time"], "ess": ess,
        }  # fmt: skip
        print(
            f"{name:14s} {foretold:12.3f} {measured:9.3f} {trace.attrs['sampler']:>13s} "
            f"{trace.attrs['compile_time']:10.1f} {total:8.1f}  ESS {ess:.0f}", flush=True,
        )  # fmt: skip
    return {"models": kept, "errors": []}
