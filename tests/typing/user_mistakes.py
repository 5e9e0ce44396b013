"""Mistakes that a type checker must find, all and only on the lines marked. It is never run."""

from __future__ import annotations

import finetti as pm

model = pm.Model(coords=["A", "B"])  # wrong
with model:
    mu = pm.Normall("mu", 0, 1)  # wrong
    tau = pm.HalfCauchy(5)  # wrong
    theta: float = pm.Normal("theta", 0, 1)  # wrong
    eta = pm.Normal("eta", 0, 1, dims=3)  # wrong
    pm.math.lgo(eta)  # wrong
    eta.summ()  # wrong
    chol = pm.LKJCholeskyCov("cov", eta=2, n=2, sd_dist=pm.HalfNormal)  # wrong
    trace = pm.sample(draws="many")  # wrong
    pm.sample(1000, 500)  # wrong
    pm.sample(warmup=500)  # wrong
decisions = pm.plan(model).decisons  # wrong
pm.set_data("x", [1.0, 2.0])  # wrong
pm.summary(trace, ci_kind="central")  # wrong
pm.plot_forest([1.0, 2.0])  # wrong
pm.plot_trace(trace, kind="ranks")  # wrong
