"""Whatever fails after the last draw, the draws come back."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import finetti as pm

STAGES = (
    "finetti.collect._posterior", "finetti.collect._unconstrained", "finetti.collect._observed",
    "finetti.collect.dims_and_coords",
    "finetti.collect.build_trace", "finetti.planning.Plan.carried_out", "finetti.diagnostics.verdict.verdict_of",
    "finetti.engines.nuts.sampler.told", "finetti.sampling.unspoilt",
)  # fmt: skip
QUIET = {"random_seed": 1, "progressbar": False}


def schools(**settings) -> pm.Trace:
    with pm.Model(coords={"school": ["A", "B", "C"]}):
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 5)
        theta = pm.Normal("theta", mu, tau, dims="school")
        pm.Deterministic("gap", theta - mu, dims="school")
        pm.Normal("y", theta, 1, observed=[1.0, 2.0, 4.0])
        return pm.sample(100, tune=100, **QUIET, **settings)


@pytest.mark.parametrize("geometry", ["auto", "as_written"])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt(), MemoryError()])
def test_a_stage_that_fails(stage, geometry, error, monkeypatch, caplog):
    if isinstance(error, KeyboardInterrupt) and not stage.startswith("finetti.collect"):
        return  # there a second Ctrl-C ends the program, as it should
    whole = schools(geometry=geometry)

    def fails(*_, **__):
        raise error

    monkeypatch.setattr(stage, fails)
    trace = schools(geometry=geometry)
    for name in ("mu", "tau") if geometry == "as_written" else ("tau",):  # the others are drawn back, by other numbers
        np.testing.assert_array_equal(trace[name], whole[name])
    assert abs(trace["mu"].mean() - whole["mu"].mean()) < 1
    assert trace["theta"].shape == trace["gap"].shape == (400, 3)
    assert "draws" in caplog.text or "told" in stage or (stage.endswith("unspoilt") and geometry == "as_written")
    np.testing.assert_allclose(trace["gap"], trace["theta"] - trace["mu"][:, None])


def test_a_deterministic_that_fails_is_named_and_the_others_stay(monkeypatch, caplog):
    from finetti.collect import evaluate

    def fails(nodes, *args, **kwargs):
        if any(getattr(node, "name", "") == "gap" for node in nodes):
            raise MemoryError("too wide")
        return evaluate(nodes, *args, **kwargs)

    monkeypatch.setattr("finetti.collect.evaluate", fails)
    monkeypatch.setattr("finetti.rescue.evaluate", fails)
    trace = schools()
    assert "Not there: gap" in caplog.text and "MemoryError" in caplog.text
    assert set(trace["posterior"].data_vars) == {"mu", "tau", "theta"}
    assert trace.attrs["incomplete"] == caplog.messages[-1]
    assert trace["posterior"]["theta"].dims == ("chain", "draw", "school") and "no coords" not in caplog.text
    assert list(trace["posterior"]["school"].values) == ["A", "B", "C"]
    np.testing.assert_array_equal(trace["observed_data"]["y"], [1, 2, 4])
    assert "Not there: gap" in str(pm.summary(trace))


def test_where_nothing_can_be_computed_the_chains_own_numbers_come_back(monkeypatch, caplog):
    def fails(*_, **__):
        raise RuntimeError("broken")

    for name in ("finetti.collect.evaluate", "finetti.rescue.evaluate", "finetti.rescue.constrain"):
        monkeypatch.setattr(name, fails)
    trace = schools()
    assert trace["unconstrained"].shape == (400, 1) and np.isfinite(trace["unconstrained"]).all()
    assert "Not there: mu, tau, theta, gap" in caplog.text


def test_a_rescued_trace_can_be_saved(monkeypatch, tmp_path):
    def fails(*_, **__):
        raise RuntimeError("broken")

    monkeypatch.setattr("finetti.collect.build_trace", fails)
    trace = schools()
    trace.to_netcdf(tmp_path / "fit.nc")
    np.testing.assert_array_equal(pm.load(tmp_path / "fit.nc")["mu"], trace["mu"])
    assert len(pm.summary(trace)) == 8


def test_warnings_as_errors_lose_no_draws():
    """A deterministic that overflows warns in NumPy."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pm.Model():
            x = pm.Normal("x", 800, 1)
            pm.Deterministic("huge", pm.math.exp(x))
            trace = pm.sample(50, **QUIET)
    assert trace["x"].shape == (200,)


def test_settings_of_numpy_end_no_run():
    """A user who has floating point raise; starts and grids look at points that overflow."""
    with np.errstate(all="raise"), pm.Model():
        x = pm.Normal("x", 0, 1e150, shape=2)
        pm.Poisson("y", pm.math.exp(x / 1e150), observed=[1, 0])
        trace = pm.sample(50, tune=200, **QUIET)
    assert np.isfinite(trace["x"]).all()


def test_more_draws_than_memory_are_refused_before_the_first():
    with pm.Model():
        pm.Normal("x", 0, 1, shape=1000)
        with pytest.raises(pm.SamplingError, match=r"draws=1,000,000,000 of 1,008 numbers take .* GiB"):
            pm.sample(10**9, **QUIET)
