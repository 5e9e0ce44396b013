"""Simulation-based calibration of `sample`: parameters drawn by hand, data from them, ranks among posterior draws.

Talts, Betancourt, Simpson, Vehtari, Gelman (2018), arXiv 1804.06788: the truth is one more draw of the posterior of
its own data, so its rank among the draws is uniform. Modrak and others (2023), arXiv 2211.02383: ranks of the
parameters alone miss a sampler that ignores the data; those of the log likelihood at the data do not.

Every model is written twice: for finetti, and as plain NumPy in `simulate`, with SciPy for its log likelihood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

import finetti as pm

KEPT = 100  # draws that the truth is ranked among, taken evenly from all chains
FALSE_ALARM = 1e-4  # of all tests of all quantities of all models of one run, by Bonferroni's inequality
TESTS = 3  # of each quantity
SERVED = 0.95  # of all data sets, that are left to the engine a case is for: which engine it is depends on data alone
Values = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A model that `sample` treats in one particular way.

    Args:
        sampler: the engine that must be at work, as the trace names it.
        says: what the trace's geometry must contain.
        simulate: random numbers -> values of the unknowns and data.
        written: data -> the model.
        quantities: values of the unknowns with one leading axis, data -> quantities (draw,).
        options: of `sample`; all else is as a user gets it.
    """

    sampler: str
    says: str
    simulate: Callable[[np.random.Generator], tuple[Values, Values]]
    written: Callable[[Values], pm.Model]
    quantities: Callable[[Values, Values], Values]
    options: Mapping[str, Any] = field(default_factory=dict)


def places(case: Case, replicates: int, *, seed: int, **options: int) -> dict[str, np.ndarray]:
    """(replicate,) where the truth stands among the draws, from 0 to 1, for each quantity: uniform if all is right.

    Between two neighbouring draws the place is drawn, so that it is uniform exactly and not on a lattice.
    """
    rng, served = np.random.default_rng(seed), 0
    found: dict[str, list[float]] = {}
    for replicate in range(replicates):
        truth, data = case.simulate(rng)
        how = {"progressbar": False, "random_seed": [seed, replicate], **case.options, **options}
        trace = pm.sample(model=case.written(data), **how)
        served += trace.attrs["sampler"] == case.sampler and case.says in str(trace.geometry)
        draws = case.quantities({name: _thinned(trace["posterior"][name].values) for name in truth}, data)
        for name, value in case.quantities({k: np.asarray(v)[None] for k, v in truth.items()}, data).items():
            place = ((draws[name] < value[0]).sum() + rng.random()) / (KEPT + 1)
            found.setdefault(name, []).append(place)
    assert served >= SERVED * replicates, f"{case.sampler} drew only {served} of {replicates}"
    return {name: np.array(values) for name, values in found.items()}


def _thinned(draws: np.ndarray) -> np.ndarray:
    """(KEPT, *shape) of draws (chain, draw, *shape)."""
    each = KEPT // len(draws)
    step = draws.shape[1] // each
    return draws[:, step - 1 :: step][:, :each].reshape(KEPT, *draws.shape[2:])


def p_values(place: np.ndarray) -> dict[str, float]:
    """Three looks at places that should be uniform: at their middle, at their spread, at the whole of them.

    The first two are of normal scores, as in Cook, Gelman, Rubin (2006), JCGS 15(3): draws that are too high or low
    move the mean, draws that are too wide or narrow the sum of squares. The last is Kolmogorov's.
    """
    score, n = stats.norm.ppf(place), len(place)
    total = float((score**2).sum())
    return {
        "mean": float(2 * stats.norm.sf(abs(score.mean()) * np.sqrt(n))),
        "spread": float(min(1.0, 2 * min(stats.chi2.cdf(total, n), stats.chi2.sf(total, n)))),
        "shape": float(stats.kstest(place, "uniform").pvalue),
    }


def failures(found: Values) -> dict[str, dict[str, float]]:
    """The quantities, of one case, that are not calibrated, with the p-values that say so."""
    bound = FALSE_ALARM / (len(CASES) * TESTS * len(found))
    tested = {name: p_values(place) for name, place in found.items()}
    low = {name: {k: p for k, p in each.items() if not p > bound} for name, each in tested.items()}
    return {name: each for name, each in low.items() if each}


# --- the models -------------------------------------------------------------------------------------------------


def _few_groups() -> Case:
    groups, repeats = 5, 2

    def simulate(rng):
        mu, tau = rng.normal(0, 2), abs(rng.normal(0, 1.5))
        theta = mu + tau * rng.normal(size=groups)
        return {"mu": mu, "tau": tau, "theta": theta}, {"y": theta[:, None] + rng.normal(size=(groups, repeats))}

    def written(data):
        with pm.Model() as model:
            mu, tau = pm.Normal("mu", 0, 2), pm.HalfNormal("tau", 1.5)
            theta = pm.Normal("theta", mu, tau, shape=groups)
            pm.Normal("y", theta[:, None], 1.0, observed=data["y"])
        return model

    def quantities(v, data):
        likelihood = stats.norm.logpdf(data["y"], v["theta"][..., None], 1.0).sum(axis=(1, 2))
        return {"mu": v["mu"], "tau": v["tau"], "theta": v["theta"][:, 0], "log likelihood": likelihood}

    return Case("quadrature", "integrated out", simulate, written, quantities)


def _varying_slopes() -> Case:
    group, x = np.repeat(np.arange(6), 3), np.tile([-1.0, 0.0, 1.0], 6)

    def simulate(rng):
        mu, tau, omega, sigma = rng.normal(0, 2), *rng.gamma(4, [1 / 3, 1 / 4, 1 / 4])
        a, b = mu + tau * rng.normal(size=6), omega * rng.normal(size=6)
        y = a[group] + b[group] * x + sigma * rng.normal(size=len(x))
        return {"mu": mu, "tau": tau, "omega": omega, "sigma": sigma, "a": a, "b": b}, {"y": y}

    def written(data):
        with pm.Model() as model:
            mu = pm.Normal("mu", 0, 2)
            tau, omega, sigma = pm.Gamma("tau", 4, 3), pm.Gamma("omega", 4, 4), pm.Gamma("sigma", 4, 4)
            a, b = pm.Normal("a", mu, tau, shape=6), pm.Normal("b", 0, omega, shape=6)
            pm.Normal("y", a[group] + b[group] * x, sigma, observed=data["y"])
        return model

    def quantities(v, data):
        mean = v["a"][:, group] + v["b"][:, group] * x
        likelihood = stats.norm.logpdf(data["y"], mean, v["sigma"][:, None]).sum(axis=1)
        hyper = {name: v[name] for name in ("mu", "tau", "omega", "sigma")}
        return {**hyper, "a": v["a"][:, 0], "b": v["b"][:, 0], "log likelihood": likelihood}

    return Case("independence", "integrated out", simulate, written, quantities)


def _regression() -> Case:
    x = np.random.default_rng(0).normal(size=(8, 3))
    center, spread = np.array([0.0, 1.0, 0.0]), np.array([1.0, 2.0, 0.5])

    def simulate(rng):
        a, b = rng.normal(1, 2), center + spread * rng.normal(size=3)
        return {"a": a, "b": b}, {"y": a + x @ b + 0.7 * rng.normal(size=8)}

    def written(data):
        with pm.Model() as model:
            a, b = pm.Normal("a", 1, 2), pm.Normal("b", center, spread, shape=3)
            pm.Normal("y", a + pm.math.dot(x, b), 0.7, observed=data["y"])
        return model

    def quantities(v, data):
        mean = v["a"][:, None] + v["b"] @ x.T
        likelihood = stats.norm.logpdf(data["y"], mean, 0.7).sum(axis=1)
        return {"a": v["a"], "b[0]": v["b"][:, 0], "b[1]": v["b"][:, 1], "log likelihood": likelihood}

    return Case("exact", "integrated out", simulate, written, quantities)


def _trials() -> Case:
    n = np.array([1, 2, 5, 10, 20, 40])

    def simulate(rng):
        mu, tau = rng.normal(0, 1), abs(rng.normal(0, 1))
        theta = mu + tau * rng.normal(size=len(n))
        return {"mu": mu, "tau": tau, "theta": theta}, {"y": rng.binomial(n, 1 / (1 + np.exp(-theta)))}

    def written(data):
        with pm.Model() as model:
            mu, tau = pm.Normal("mu", 0, 1), pm.HalfNormal("tau", 1)
            theta = pm.Normal("theta", mu, tau, shape=len(n))
            pm.Binomial("y", n=n, logit_p=theta, observed=data["y"])
        return model

    def quantities(v, data):
        likelihood = stats.binom.logpmf(data["y"], n, 1 / (1 + np.exp(-v["theta"]))).sum(axis=1)
        some = {"theta[0]": v["theta"][:, 0], "theta[5]": v["theta"][:, 5]}
        return {"mu": v["mu"], "tau": v["tau"], **some, "log likelihood": likelihood}

    return Case("nuts", "theta: centring", simulate, written, quantities)


def _pumps() -> Case:
    exposure, group = np.array([0.5, 1.0, 2.0, 5.0, 9.0]), np.array([0, 0, 1, 2, 2])

    def simulate(rng):
        a, b, odds = rng.exponential(2), rng.gamma(2, 1), rng.beta(2, 2)
        rate, share = rng.gamma(a, 1 / b, size=5), rng.beta(6 * odds, 6 * (1 - odds), size=3)
        data = {"y": rng.poisson(rate * exposure), "k": rng.binomial(8, share[group])}
        return {"a": a, "b": b, "odds": odds, "rate": rate, "share": share}, data

    def written(data):
        with pm.Model() as model:
            a, b, odds = pm.Exponential("a", 0.5), pm.Gamma("b", 2, 1), pm.Beta("odds", 2, 2)
            rate = pm.Gamma("rate", a, b, shape=5)
            share = pm.Beta("share", 6 * odds, 6 * (1 - odds), shape=3)
            pm.Poisson("y", exposure * rate, observed=data["y"])
            pm.Binomial("k", n=8, p=share[group], observed=data["k"])
        return model

    def quantities(v, data):
        likelihood = stats.poisson.logpmf(data["y"], v["rate"] * exposure).sum(axis=1)
        likelihood += stats.binom.logpmf(data["k"], 8, v["share"][:, group]).sum(axis=1)
        some = {"rate[0]": v["rate"][:, 0], "rate[4]": v["rate"][:, 4], "share[2]": v["share"][:, 2]}
        return {"a": v["a"], "b": v["b"], "odds": v["odds"], **some, "log likelihood": likelihood}

    return Case("independence", "conjugate", simulate, written, quantities)


def _as_written() -> Case:
    """Little is known of each of the rates, so that their log-determinants count for much in the sum of them."""

    def simulate(rng):
        mu, sigma, p, rate = rng.normal(0, 1), abs(rng.normal(0, 1)), rng.beta(2, 3), rng.gamma(2, 1, size=8)
        data = {"y": mu + 2 * p + sigma * rng.normal(size=6), "k": rng.poisson(rate)}
        return {"mu": mu, "sigma": sigma, "p": p, "rate": rate}, data

    def written(data):
        with pm.Model() as model:
            mu, sigma, p = pm.Normal("mu", 0, 1), pm.HalfNormal("sigma", 1), pm.Beta("p", 2, 3)
            rate = pm.Gamma("rate", 2, 1, shape=8)
            pm.Normal("y", mu + 2 * p, sigma, observed=data["y"])
            pm.Poisson("k", rate, observed=data["k"])
        return model

    def quantities(v, data):
        mean = (v["mu"] + 2 * v["p"])[:, None]
        likelihood = stats.norm.logpdf(data["y"], mean, v["sigma"][:, None]).sum(axis=1)
        likelihood = likelihood + stats.poisson.logpmf(data["k"], v["rate"]).sum(axis=1)
        rates = {"rate[0]": v["rate"][:, 0], "sum of log rates": np.log(v["rate"]).sum(axis=1)}
        return {"mu": v["mu"], "sigma": v["sigma"], "p": v["p"], **rates, "log likelihood": likelihood}

    return Case("nuts", "as written", simulate, written, quantities, {"geometry": "as_written"})


CASES = {
    "grid": _few_groups(),
    "proposals": _varying_slopes(),
    "exact": _regression(),
    "pairs": _pumps(),
    "nuts": _trials(),
    "as written": _as_written(),
}
