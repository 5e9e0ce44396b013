"""Many fits are what single fits would be, wherever they run; one that fails or is in doubt is named."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import finetti as pm
from finetti import many
from finetti.errors import ArgumentError, ModelError, SamplingError

DATA = [{"y": row} for row in np.random.default_rng(4).normal(0, 10, size=(6, 3))]


def schools() -> pm.Model:
    with pm.Model(coords={"school": ["A", "B", "C"]}) as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, dims="school")
        pm.Normal("y", theta, [15.0, 10.0, 16.0], observed=[1.0, 2.0, 3.0], dims="school")
    return model


def counts() -> pm.Model:
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 1), pm.HalfNormal("tau", 1)
        theta = pm.Normal("theta", mu, tau, shape=3)
        pm.Poisson("y", np.exp(theta), observed=[1, 2, 3])
    return model


def test_each_fit_is_the_single_one():
    fits = pm.sample_many(schools(), DATA, 50, random_seed=8)
    seeds = np.random.SeedSequence(8).spawn(len(DATA))
    for fit, data, seed in zip(fits, DATA, seeds, strict=True):
        with pm.Model(coords={"school": ["A", "B", "C"]}):
            mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
            theta = pm.Normal("theta", mu, tau, dims="school")
            pm.Normal("y", theta, [15.0, 10.0, 16.0], observed=data["y"], dims="school")
            alone = pm.sample(50, random_seed=seed, progressbar=False)
        assert fit["posterior"].dataset.equals(alone["posterior"].dataset)
        assert fit["observed_data"].dataset.equals(alone["observed_data"].dataset)


def test_seeds_of_ones_own():
    fits = pm.sample_many(schools(), DATA[:2], 50, random_seed=[5, 6])
    alone = pm.sample(50, model=pm.rebuild(schools(), DATA[1]), random_seed=6, progressbar=False)
    np.testing.assert_array_equal(fits[1]["theta"], alone["theta"])


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_the_same_draws_on_any_executor(kind):
    wanted = pm.sample_many(schools(), DATA, 50, random_seed=8)
    spawn = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(3) if kind == "threads" else ProcessPoolExecutor(2, mp_context=spawn) as executor:
        fits = pm.sample_many(schools(), DATA, 50, random_seed=8, executor=executor)
    for fit, right in zip(fits, wanted, strict=True):
        assert fit["posterior"].dataset.equals(right["posterior"].dataset)


def test_other_lengths():
    longer = [{"y": [1.0, 2.0, 3.0, 4.0]}] * 2
    with pm.Model(coords={"school": 3}) as model:
        theta = pm.Normal("theta", 0, pm.HalfNormal("tau", 1), dims="school")
        pm.Normal("y", theta, 1, observed=[1.0, 2.0, 3.0], dims="school")
    fits = pm.sample_many(model, longer, 50, random_seed=1, coords={"school": 4})
    assert [fit["theta"].shape for fit in fits] == [(200, 4)] * 2


def test_a_chain_is_compiled_once():
    """Every data set after the first finds its program where the first has left it."""
    import jax

    seen: list[str] = []
    jax.monitoring.register_event_listener(lambda event, **_: seen.append(event))
    fits = pm.sample_many(counts(), [{"y": [3, 0, 1]}], 50, tune=100, random_seed=1)
    seen.clear()
    fits += pm.sample_many(counts(), [{"y": [k, 1, 2]} for k in range(3)], 50, tune=100, random_seed=1)
    assert {fit.attrs["sampler"] for fit in fits} == {"nuts"}
    assert seen.count("/jax/compilation_cache/cache_misses") == 0


def test_a_data_set_that_cannot_be_sampled_takes_no_other_along(caplog):
    bad = [*DATA[:2], {"y": [1.0, np.nan, 2.0]}, {"y": [1.0]}, {"z": [1.0]}]
    fits = pm.sample_many(schools(), bad, 50, random_seed=1)
    assert [type(fit).__name__ for fit in fits] == ["Trace", "Trace", "DataError", "ShapeError", "UnknownNameError"]
    assert "3 of 5 fits could not be sampled: data sets 2, 3, 4. The first: The data of 'y'" in caplog.text


def test_doubts_are_told_once(caplog):
    pm.sample_many(counts(), [{"y": [k, 1, 2]} for k in range(7)], 5, tune=5, random_seed=1)
    assert len(caplog.records) == 1
    assert "7 of 7 fits are in doubt: data sets 0, 1, 2, 3, 4, .... The first: " in caplog.text


def test_ctrl_c_returns_what_is_done(monkeypatch, caplog):
    calls, fitted = [], many.fitted

    def interrupted(*args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return fitted(*args)

    monkeypatch.setattr(many, "fitted", interrupted)
    fits = pm.sample_many(schools(), DATA, 50, random_seed=8)
    assert len(fits) == 2 and "Interrupted: 2 of 6 fits are done." in caplog.text


@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda: pm.sample_many(schools(), DATA[0]), ModelError, "a list of data sets"),
    (lambda: pm.sample_many(schools(), [1]), ModelError, "a list of data sets"),
    (lambda: pm.sample_many("model", DATA), ModelError, "takes a Model"),
    (lambda: pm.sample_many(schools(), DATA, random_seed=[1, 2]), SamplingError, "2 seeds for 6 data sets"),
    (lambda: pm.sample_many(schools(), DATA, random_seed=-1), SamplingError, "random_seed must be"),
    (lambda: pm.sample_many(schools(), DATA, 0), SamplingError, "draws must be"),
    (lambda: pm.sample_many(schools(), DATA, adapt_delta=0.9), ArgumentError, "adapt_delta.*target_accept"),
])  # fmt: skip
def test_bad_arguments_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_none_at_all():
    assert pm.sample_many(schools(), []) == []
