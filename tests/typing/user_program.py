"""A program as users write it: `mypy --strict` must accept it, and find the types asserted here. It is never run."""

from __future__ import annotations

from typing import Any, assert_type

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

import finetti as pm
from finetti.model.graph import Apply, Data, Deterministic, Node, Random
from finetti.model.planned import Planned
from finetti.planning import Plan

schools = pd.DataFrame({"effect": [28.0, 8.0, -3.0], "se": [15, 10, 16]}, index=["A", "B", "C"])
group = np.array([0, 1, 1])


@pm.wrap
def saturating(x: jax.Array, rate: jax.Array) -> jax.Array:
    """A function of JAX arrays."""
    return 1.0 - jnp.exp(-rate * x)


def build(dose: np.ndarray) -> pm.Model:
    """A hierarchical model in which every kind of variable occurs."""
    with pm.Model(coords={"school": schools.index, "group": 2}) as model:
        x = pm.Data("x", dose, dims="school")
        mu = pm.Normal("mu", mu=0, sigma=5, dims="group")
        tau = pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu[group], tau, dims="school")
        response = saturating(x, tau)
        total = pm.Deterministic("total", theta.sum() + pm.math.log(tau) + 2 * np.exp(mu)[0])
        near = pm.Potential("near", -0.5 * (theta - theta.mean()) ** 2)
        chol, _, _ = pm.LKJCholeskyCov("cov", eta=2.0, n=2, sd_dist=pm.HalfNormal.dist(1.0))
        pm.MvNormal("pair", mu=0, chol=chol, dims=(None, "group"), shape=(3, 2))
        y = pm.Normal("y", theta + response, schools["se"], observed=schools["effect"], dims=("school",))
    assert_type(pm.Normal.dist(0, 1), Random)
    assert_type(theta, Random)
    assert_type(y, Random)
    assert_type(x, Data)
    assert_type(chol, Deterministic)
    assert_type(total, Deterministic)
    assert_type(near, Node)
    assert_type(response, Apply)
    assert_type(pm.math.sum(theta), Apply)
    assert_type(1 - theta[0] * tau, Node)
    assert_type(theta > 0, Node)
    assert_type(schools["se"] * tau, Node)
    return model


def main() -> None:
    """Fit it, look at it, and fit it to other data."""
    model = build(np.array([0.5, 1.0, 1.5]))
    assert_type(pm.plan(model, "as_written"), Plan)
    assert_type(model.plan({"theta": "centered"}), Planned)
    assert_type(model["theta"], Node)
    assert_type(model.free, list[Random])
    with model:
        trace = pm.sample(500, tune=500, chains=4, random_seed=[1, 2], target_accept=0.9, initvals={"tau": 1.0})
    assert_type(trace, pm.Trace)
    table = pm.summary(trace, ["theta", "tau"], ci_kind="hdi")
    ax = pm.plot_forest(trace, "theta", reference=0.0)
    ax.set_title(f"lowest R-hat {table['r_hat'].min():.3f}")
    pm.plot_pair(trace, ["theta[A]", "log(tau)"])
    assert_type(pm.plot_trace(trace, kind="rank"), np.ndarray)
    draws: Any = trace["posterior"]["theta"].mean(("chain", "draw"))
    ax.set_xlabel(f"{float(draws[0]):.3g} {trace['tau'].mean():.3g} {trace.varnames} {trace.geometry}")
    pm.set_data({"x": [1.0, 2.0, 3.0]}, model)
    model.set_data("x", pd.Series([1.0, 2.0, 3.0]))
    try:
        pm.sample(model=model, geometry="auto", progressbar=False).to_netcdf("again.nc")
    except pm.SamplingError as error:
        raise SystemExit(str(error)) from error
    assert_type(pm.load("again.nc"), pm.Trace)


if __name__ == "__main__":
    main()
