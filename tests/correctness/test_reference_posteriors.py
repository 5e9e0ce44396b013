"""Published posteriors, each written from its card and held against summaries that this library did not make.

The folder is read in place (`FINETTI_REFERENCE`, else `../shared/reference` beside the checkout); only where it is
absent are these tests skipped. Its README gives the rules:

- first R-hat below 1.01 and a bulk ESS of at least 400, of every scalar;
- mean within 4 combined standard errors (false alarm: 1 in 16,000 scalars);
- sd within 5 % (10 % where the README says so), once its own Monte Carlo error is below a fifth of that tolerance;
  with the reference's error 4 standard errors or more again;
- the reference's 5 %, 50 % and 95 % quantiles, where asked for, cut off those shares, within 4 standard errors.

About 1,000 scalars are compared, many of them strongly correlated: were the seeds drawn anew, a run of this file would
fail without cause about once in ten times; with the seeds below it is repeatable.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import finetti as pm
from finetti.diagnostics.convergence import ess_bulk, ess_mean, mcse_mean, mcse_sd, rhat

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("FINETTI_REFERENCE") or ROOT.parent / "shared" / "reference")
pytestmark = pytest.mark.skipif(
    not (FOLDER / "README.md").exists(),
    reason=f"no reference posteriors at {FOLDER}; FINETTI_REFERENCE names their folder",
)
R_OF_SOURCE = {"posteriordb draws": 10_000, "quadrature": np.inf, "importance sampling": 3400, "long NUTS run": 17_000}

Numbers = Mapping[str, Any]


# --- the models, from their cards ------------------------------------------------------------------------------


def eight_schools_centered(data: Numbers) -> pm.Model:
    with pm.Model(coords={"school": list("ABCDEFGH")}) as model:
        mu = pm.Normal("mu", mu=0, sigma=5)
        tau = pm.HalfCauchy("tau", beta=5)
        theta = pm.Normal("theta", mu=mu, sigma=tau, dims="school")
        pm.Normal("y", mu=theta, sigma=data["sigma"], observed=data["y"], dims="school")
    return model


def eight_schools_noncentered(data: Numbers) -> pm.Model:
    with pm.Model(coords={"school": list("ABCDEFGH")}) as model:
        sigma = pm.Data("sigma", data["sigma"], dims="school")
        mu = pm.Normal("mu", mu=0, sigma=5)
        tau = pm.HalfCauchy("tau", beta=5)
        theta_trans = pm.Normal("theta_trans", dims="school")
        theta = pm.Deterministic("theta", mu + tau * theta_trans, dims="school")
        pm.Normal("y", theta, sigma, observed=data["y"], dims="school")
    return model


def radon_pooled(data: Numbers, *, centered: bool) -> pm.Model:
    with pm.Model(coords={"county": range(1, data["J"] + 1), "house": data["N"]}) as model:
        county = pm.Data("county", data["county_idx"] - 1, dims="house")
        mu_alpha = pm.Normal("mu_alpha", 0, 10)
        sigma_alpha = pm.HalfNormal("sigma_alpha", 1)
        sigma_y = pm.HalfNormal("sigma_y", 1)
        alpha = _counties(mu_alpha, sigma_alpha, centered=centered)
        pm.Normal("log_radon", alpha[county], sigma_y, observed=data["log_radon"], dims="house")
    return model


def _counties(mean, spread, *, centered: bool):
    """The intercept of every county, under the name `alpha`."""
    if centered:
        return pm.Normal("alpha", mean, spread, dims="county")
    alpha_raw = pm.Normal("alpha_raw", 0, 1, dims="county")
    return pm.Deterministic("alpha", mean + spread * alpha_raw, dims="county")


def radon_pooled_centered(data: Numbers) -> pm.Model:
    return radon_pooled(data, centered=True)


def radon_pooled_noncentered(data: Numbers) -> pm.Model:
    return radon_pooled(data, centered=False)


def radon_intercept_noncentered(data: Numbers) -> pm.Model:
    design = np.column_stack([data["log_uppm"], data["floor_measure"]])
    coords = {"county": range(1, data["J"] + 1), "predictor": ["uranium", "floor"]}
    with pm.Model(coords=coords) as model:
        mu_alpha = pm.Normal("mu_alpha", 0, 10)
        sigma_alpha = pm.HalfNormal("sigma_alpha", 1)
        sigma_y = pm.HalfNormal("sigma_y", 1)
        beta = pm.Normal("beta", 0, 10, dims="predictor")
        alpha = _counties(mu_alpha, sigma_alpha, centered=False)
        mean = alpha[data["county_idx"] - 1] + design @ beta
        pm.Normal("log_radon", mean, sigma_y, observed=data["log_radon"])
    return model


def seeds_noncentered(data: Numbers) -> pm.Model:
    """The card is centred; written so, no sampler of this kind gets far into sigma near 0."""
    with pm.Model(coords={"plate": range(1, data["I"] + 1)}) as model:
        x1, x2 = pm.Data("x1", data["x1"], dims="plate"), pm.Data("x2", data["x2"], dims="plate")
        alpha0, alpha1, alpha2, alpha12 = (pm.Normal(name, 0, 1) for name in ("alpha0", "alpha1", "alpha2", "alpha12"))
        sigma = pm.HalfCauchy("sigma", 1)
        b = pm.Deterministic("b", sigma * pm.Normal("z", 0, 1, dims="plate"), dims="plate")
        p = pm.math.invlogit(alpha0 + alpha1 * x1 + alpha2 * x2 + alpha12 * x1 * x2 + b)
        pm.Binomial("n", n=data["N"], p=p, observed=data["n"], dims="plate")
    return model


def kilpisjarvi(data: Numbers) -> pm.Model:
    with pm.Model() as model:
        alpha = pm.Normal("alpha", mu=data["pmualpha"], sigma=data["psalpha"])
        beta = pm.Normal("beta", mu=data["pmubeta"], sigma=data["psbeta"])
        sigma = pm.HalfFlat("sigma")
        pm.Normal("y", mu=alpha + beta * data["x"], sigma=sigma, observed=data["y"])
    return model


def wells_dist(data: Numbers) -> pm.Model:
    with pm.Model(coords={"coefficient": ["intercept", "dist"]}) as model:
        beta = pm.Flat("beta", dims="coefficient")
        pm.Bernoulli("switched", logit_p=beta[0] + data["dist"] * beta[1], observed=data["switched"])
    return model


def glmm_poisson(data: Numbers) -> pm.Model:
    """Not centred, as the reference was made."""
    year = data["year"]
    with pm.Model(coords={"year": range(data["n"])}) as model:
        alpha = pm.Uniform("alpha", -20, 20)
        beta1, beta2, beta3 = (pm.Uniform(name, -10, 10) for name in ("beta1", "beta2", "beta3"))
        sigma = pm.Uniform("sigma", 0, 5)
        eps = pm.Deterministic("eps", pm.Normal("z", 0, 1, dims="year") * sigma, dims="year")
        log_lambda = alpha + beta1 * year + beta2 * year**2 + beta3 * year**3 + eps
        pm.Deterministic("log_lambda", log_lambda, dims="year")
        pm.Poisson("C", mu=np.exp(log_lambda), observed=data["C"])
    return model


def ar_k(data: Numbers) -> pm.Model:
    y, order = data["y"], data["K"]
    with pm.Model(coords={"lag": range(1, order + 1)}) as model:
        alpha = pm.Normal("alpha", 0, 10)
        beta = pm.Normal("beta", 0, 10, dims="lag")
        sigma = pm.HalfCauchy("sigma", 2.5)
        mean = alpha + sum(beta[k - 1] * y[order - k : -k] for k in range(1, order + 1))
        pm.Normal("y", mean, sigma, observed=y[order:])
    return model


def blr(data: Numbers) -> pm.Model:
    with pm.Model() as model:
        beta = pm.Normal("beta", 0, 10, shape=data["D"])
        sigma = pm.HalfNormal("sigma", 10)
        pm.Normal("y", pm.math.dot(data["X"], beta), sigma, observed=data["y"])
    return model


def nes(data: Numbers) -> pm.Model:
    names = ["intercept", "ideology", "race", "30-44", "45-64", "65+", "education", "gender", "income"]
    with pm.Model(coords={"column": names}) as model:
        beta = pm.Flat("beta", dims="column")
        sigma = pm.HalfFlat("sigma")
        age_effect = pm.math.concatenate([np.zeros(1), beta[3:6]])[data["age_discrete"] - 1]
        mean = beta[0] + beta[1] * data["real_ideo"] + beta[2] * data["race_adj"] + age_effect
        mean = mean + beta[6] * data["educ1"] + beta[7] * data["gender"] + beta[8] * data["income"]
        pm.Normal("partyid7", mean, sigma, observed=data["partyid7"])
    return model


# --- what is run, and how closely it must agree ----------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One posterior: its folder, the model, the draws of each of four chains, and the README's tolerances."""

    folder: str
    build: Callable[[Numbers], pm.Model]
    draws: int = 5000
    sd_tolerance: float = 0.05
    sd_exceptions: Mapping[str, float] = field(default_factory=dict)
    quantiles_of: tuple[str, ...] = ()
    sampling: Mapping[str, Any] = field(default_factory=dict)

    def tolerance(self, name: str) -> float:
        return self.sd_exceptions.get(name, self.sd_tolerance)


SKEWED = {"tau": 0.10, "theta": 0.10}
FUNNEL = Case("eight_schools-eight_schools_centered", eight_schools_centered, draws=20_000, sd_exceptions=SKEWED,
              quantiles_of=("tau",))  # fmt: skip
FUNNEL_WALKED = replace(FUNNEL, draws=100_000, sampling={"step": "walnuts"})
CASES = (
    Case("eight_schools-eight_schools_noncentered", eight_schools_noncentered, draws=20_000, sd_exceptions=SKEWED,
         quantiles_of=("tau",), sampling={"target_accept": 0.95}),
    Case("radon_mn-radon_partially_pooled_centered", radon_pooled_centered, draws=10_000),
    Case("radon_mn-radon_partially_pooled_noncentered", radon_pooled_noncentered, draws=10_000),
    Case("radon_mn-radon_hierarchical_intercept_noncentered", radon_intercept_noncentered, draws=10_000),
    Case("seeds_data-seeds_stanified_model", seeds_noncentered, draws=20_000, sampling={"target_accept": 0.95}),
    Case("kilpisjarvi_mod-kilpisjarvi", kilpisjarvi, draws=20_000),
    Case("wells_data-wells_dist", wells_dist),
    Case("GLMM_Poisson_data-GLMM_Poisson_model", glmm_poisson, draws=20_000, sampling={"target_accept": 0.95}),
    Case("arK-arK", ar_k, draws=10_000),
    Case("sblrc-blr", blr, draws=10_000),
    Case("nes1980-nes", nes),
)  # fmt: skip


def read(folder: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Data, lists as arrays; and the reference."""
    data = json.loads((FOLDER / folder / "data.json").read_text())
    arrays = {name: np.asarray(value) if isinstance(value, list) else value for name, value in data.items()}
    return arrays, json.loads((FOLDER / folder / "reference.json").read_text())


def scalar(trace: pm.Trace, label: str) -> np.ndarray:
    """The draws (chain, draw) of `name[i]`, counted from 1."""
    name, _, index = label.rstrip("]").partition("[")
    draws = trace.posterior[name].values
    return draws[..., int(index) - 1] if index else draws


def either_way(cases: tuple[Case, ...]) -> list:
    """Each posterior as written and in the geometry chosen for it; the centred funnel as written by walnuts alone."""
    both = [(case, geometry) for case in cases for geometry in ("as_written", "auto")]
    both += [(FUNNEL, "auto"), (FUNNEL_WALKED, "as_written")]
    return [pytest.param(*pair, id=f"{pair[0].folder}-{pair[1]}") for pair in both]


@pytest.mark.parametrize(("case", "geometry"), either_way(CASES))
def test_agrees_with_the_reference(case: Case, geometry: str):
    """Rules and false-alarm rates: head of this file."""
    data, reference = read(case.folder)
    options = {"random_seed": 20, "progressbar": False, "geometry": geometry, **case.sampling}
    trace = pm.sample(case.draws, model=case.build(data), **options)
    failures = [
        f"{label}: {problem}"
        for label, known in reference["parameters"].items()
        for problem in problems(scalar(trace, label), known, case, label.partition("[")[0], reference["source"])
    ]
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize(("target_accept", "random_seed"), [(0.8, 1), (0.8, 2), (0.9, 3), (0.95, 4)])
def test_the_centred_eight_schools_are_not_called_healthy(target_accept, random_seed):
    """Written centred, chains hardly enter the neck of the funnel, or stick in it for good (at target_accept=0.99 and
    200,000 draws too, in two runs of six). So chains in this form are not held against the reference; they must say
    that they are not to be trusted. False alarm: of 50 other seeds the least divergences were 67
    and the largest effective sample of tau was 1,100."""
    data, _ = read("eight_schools-eight_schools_centered")
    trace = pm.sample(
        5000, model=eight_schools_centered(data), target_accept=target_accept, random_seed=random_seed,
        progressbar=False, geometry="as_written",
    )  # fmt: skip
    verdict = pm.summary(trace).verdict
    assert ess_bulk(trace.posterior["tau"].values) < 2000
    assert verdict.run.divergences > 0 and not verdict.ok
    assert "diverged" in verdict.line() and 'geometry="auto"' in verdict.line()


def problems(draws: np.ndarray, known: Mapping[str, float], case: Case, name: str, source: str) -> list[str]:
    """In what the draws (chain, draw) of one scalar differ from what is known of it."""
    if rhat(draws) > 1.01 or ess_bulk(draws) < 400:
        return [f"R-hat {rhat(draws):.3f}, bulk ESS {ess_bulk(draws):.0f}: nothing can be compared"]
    found = []
    error = np.hypot(mcse_mean(draws), known["mcse_mean"])
    if abs(draws.mean() - known["mean"]) > 4 * error:
        found.append(f"mean {draws.mean():.6g} for {known['mean']:.6g}, standard error {error:.2g}")
    tolerance = case.tolerance(name)
    if mcse_sd(draws) > tolerance / 5 * known["sd"]:
        found.append(f"the sd is known to {mcse_sd(draws) / known['sd']:.2%} only, too little for {tolerance:.0%}")
    if abs(draws.std(ddof=1) / known["sd"] - 1) > tolerance:
        found.append(f"sd {draws.std(ddof=1):.6g} for {known['sd']:.6g}")
    return found + (wrong_quantiles(draws, known, source) if name in case.quantiles_of else [])


def wrong_quantiles(draws: np.ndarray, known: Mapping[str, float], source: str) -> list[str]:
    found = []
    for p, key in ((0.05, "q05"), (0.5, "q50"), (0.95, "q95")):
        below = (draws <= known[key]).astype(float)
        error = np.sqrt(p * (1 - p) * (1 / ess_mean(below) + 1 / R_OF_SOURCE[source]))
        if abs(below.mean() - p) > 4 * error:
            found.append(f"a share of {below.mean():.4f} lies below {key}, standard error {error:.2g}")
    return found
