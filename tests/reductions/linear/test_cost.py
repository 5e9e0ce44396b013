"""The plan weighs what a block costs: programs do not grow with the latents, and what is too dear stays sampled."""

from __future__ import annotations

import logging
import time

import numpy as np
import pytest

import finetti as pm
from finetti.density import density_of
from finetti.engines import patience
from finetti.engines.backend import load_jax
from finetti.model.namespace import jax_namespace

RNG = np.random.default_rng(6)


def horseshoe(p: int, n: int = 60) -> pm.Model:
    x = RNG.normal(size=(n, p))
    with pm.Model() as model:
        s, lam = pm.HalfNormal("s", 3), pm.HalfNormal("lam", 1, shape=p)
        pm.Normal("y", x @ pm.Normal("z", 0, lam, shape=p), s, observed=3 * x[:, 0] + RNG.normal(size=n))
    return model


def crossed(rows: int, one: int, other: int) -> pm.Model:
    a, b = RNG.integers(0, one, rows), RNG.integers(0, other, rows)
    with pm.Model() as model:
        mu, s, t = pm.Normal("mu", 0, 1), pm.HalfNormal("s", 1), pm.HalfNormal("t", 1)
        u, v = pm.Normal("u", 0, s, shape=one), pm.Normal("v", 0, t, shape=other)
        pm.Normal("y", mu + u[a] + v[b], 1, observed=RNG.normal(size=rows))
    return model


def equations(model: pm.Model) -> int:
    """Of the program whose compilation is waited for."""
    plan = pm.plan(model)
    density, jax = density_of(model, plan.reductions, plan.coordinates), load_jax()
    nodes, values = tuple(density.arguments), tuple(density.arguments.values())

    def log_density(flat, given):
        return density(flat, dict(zip(nodes, given, strict=True)), xp=jax_namespace())

    with jax.enable_x64(True):
        return len(jax.make_jaxpr(jax.value_and_grad(log_density))(np.zeros(density.size), values).eqns)


def test_the_program_does_not_grow_with_the_number_of_scales():
    """It was a line for each pair of coefficients and entry: tens of thousands for 20."""
    few, many = equations(horseshoe(12)), equations(horseshoe(60))
    assert pm.plan(horseshoe(60)).reductions
    assert many == few < 500


def test_the_textbook_models_are_integrated_out():
    for model in (horseshoe(60), crossed(2000, 200, 50), crossed(5000, 500, 100)):
        assert pm.plan(model).reductions


def test_two_large_crossed_factors_stay_in_the_chain():
    """As many rows as lme4's InstEval: a dense border of a thousand elements, for each evaluation."""
    plan = pm.plan(crossed(73_421, 2972, 1128))
    assert not plan.reductions
    assert "an evaluation, more than it saves" in str(plan) and "centring learned" in str(plan)


def test_a_long_walk_stays_in_the_chain_and_a_short_one_does_not():
    def walk(steps):
        with pm.Model() as model:
            step = pm.Normal("step", 0, pm.HalfNormal("s", 1), shape=steps)
            pm.Normal("y", pm.math.cumsum(step), 1, observed=np.cumsum(RNG.normal(size=steps)))
        return pm.plan(model)

    assert walk(100).reductions and not walk(1000).reductions


def test_what_a_horseshoe_answers_is_what_the_model_as_written_answers():
    """Six Monte Carlo errors at an ESS of 400 each: a false alarm in 1 of 1e8."""
    model = horseshoe(14)
    auto = pm.sample(model=model, random_seed=1, progressbar=False)
    written = pm.sample(model=model, random_seed=2, progressbar=False, geometry="as_written", target_accept=0.95)
    for name in ("z", "s"):
        error = written[name].std(axis=0) * np.sqrt(2 / 400)
        assert (np.abs(auto[name].mean(axis=0) - written[name].mean(axis=0)) < 6 * error).all()


def test_a_long_compilation_says_what_it_is_doing(monkeypatch, caplog):
    monkeypatch.setattr(patience, "LONG", 0.05)
    with pm.Model():
        x = pm.Normal("x", 0, 1)
        total = x
        for _ in range(400):
            total = total * 0.5 + x
        pm.Potential("loop", -(total**2))
        pm.sample(10, tune=10, random_seed=1, progressbar=False, geometry="as_written")
    assert "Still compiling the sampler" in caplog.text and "operations on 1 unknowns" in caplog.text
    assert "jax.lax.scan" in caplog.text


def test_a_short_wait_says_nothing(caplog, monkeypatch):
    monkeypatch.setattr(patience, "LONG", 0.02)
    with caplog.at_level(logging.WARNING), patience.said_if_long("words"):
        pass
    time.sleep(0.1)
    assert not caplog.text
    with pytest.raises(ZeroDivisionError), patience.said_if_long("words"):
        _ = 1 / 0
    time.sleep(0.1)
    assert not caplog.text
