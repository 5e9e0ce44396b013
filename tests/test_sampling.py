"""What `sample` hands back, and what it refuses."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

import finetti as pm
import finetti.engines.choose
from finetti.density import density_of
from finetti.engines.start import start_points

QUIET = {"tune": 50, "chains": 2, "random_seed": 1, "progressbar": False, "geometry": "as_written"}  # chains, always


def schools(effects=(28.0, 8.0, -3.0), errors=(15.0, 10.0, 16.0)) -> pm.Model:
    with pm.Model(coords={"school": [f"S{i}" for i in range(len(effects))]}) as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, dims="school")
        pm.Normal("y", theta, errors, observed=effects, dims="school")
    return model


@pytest.fixture(scope="module")
def layout() -> pm.Trace:
    """A trace with scalars, vectors and matrices of every kind of dims; 2 chains of 30 draws."""
    with pm.Model(coords={"row": ["a", "b"], "column": [1, 2, 3]}) as model:
        x = pm.Data("x", [1.0, 2.0, 3.0], dims="column")
        scalar = pm.HalfNormal("scalar", 1)
        vector = pm.Normal("vector", 0, 1, dims="row")
        matrix = pm.HalfNormal("matrix", 1, dims=("row", "column"))
        pm.Normal("bare", 0, 1, shape=(4, 2))
        pm.Uniform("interval", 0, 1)
        pm.Dirichlet("parts", np.ones(3), dims="column")
        pm.Deterministic("product", matrix * x, dims=("row", "column"))
        pm.Deterministic("large", (matrix > 1).sum())
        pm.Deterministic("any_large", (vector > 1).any())
        pm.Normal("y", matrix + vector[:, None], scalar, observed=np.ones((2, 3)), dims=("row", "column"))
    return pm.sample(30, model=model, **QUIET)


def test_every_variable_has_its_shape_dims_and_labels(layout):
    own = {name: array.dims[2:] for name, array in layout.posterior.data_vars.items()}
    assert own == {
        "scalar": (), "vector": ("row",), "matrix": ("row", "column"), "bare": ("bare_dim_0", "bare_dim_1"),
        "interval": (), "parts": ("column",), "product": ("row", "column"), "large": (), "any_large": (),
    }  # fmt: skip
    assert all(array.dims[:2] == ("chain", "draw") for array in layout.posterior.data_vars.values())
    assert layout.posterior["bare"].shape == (2, 30, 4, 2)
    assert layout.posterior["row"].values.tolist() == ["a", "b"]
    assert layout.posterior["column"].values.tolist() == [1, 2, 3]
    assert layout.posterior["large"].dtype.kind == "i" and layout.posterior["any_large"].dtype == bool


def test_unconstrained_values_have_pymcs_names_and_belong_to_the_draws(layout):
    group = layout.unconstrained_posterior
    assert {name: array.shape[2:] for name, array in group.data_vars.items()} == {
        "scalar_log__": (), "matrix_log__": (2, 3), "interval_interval__": (), "parts_simplex__": (2,),
    }  # fmt: skip
    assert group["matrix_log__"].dims[2:] == ("row", "column")
    np.testing.assert_allclose(np.exp(group["matrix_log__"]), layout.posterior["matrix"])
    np.testing.assert_allclose(1 / (1 + np.exp(-group["interval_interval__"])), layout.posterior["interval"])


def test_deterministics_are_those_of_the_draws(layout):
    matrix = layout.posterior["matrix"].values
    np.testing.assert_allclose(layout.posterior["product"], matrix * [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(layout.posterior["large"], (matrix > 1).sum(axis=(2, 3)))
    np.testing.assert_allclose(layout.posterior["parts"].sum("column"), 1)


def test_statistics_data_and_attributes(layout):
    stats = layout.sample_stats
    assert set(stats.data_vars) == {
        "lp", "acceptance_rate", "step_size", "tree_depth", "n_steps", "energy", "diverging", "reached_max_treedepth"
    }  # fmt: skip
    assert all(array.shape == (2, 30) for array in stats.data_vars.values())
    assert stats["diverging"].dtype == bool and stats["tree_depth"].dtype.kind == "i"
    assert (stats["energy"] + stats["lp"] >= 0).all()  # kinetic energy
    assert ((stats["acceptance_rate"] >= 0) & (stats["acceptance_rate"] <= 1)).all()
    assert layout.observed_data["y"].dims == ("row", "column")
    np.testing.assert_array_equal(layout.constant_data["x"], [1.0, 2.0, 3.0])
    facts = {"inference_library": "finetti", "draws_requested": 30, "tuning_steps": 50, "random_seed": "1"}
    assert facts.items() <= layout.attrs.items() and not layout.attrs["interrupted"]


def test_the_log_density_is_that_of_the_draws():
    """lp of a model with known normalising constants, the Jacobian of the logarithm included."""
    from scipy import stats

    with pm.Model():
        scale = pm.HalfNormal("scale", 2)
        pm.Normal("y", 1.0, scale, observed=[0.5, 3.0])
        trace = pm.sample(20, **QUIET)
    s = trace["scale"]
    expected = stats.halfnorm.logpdf(s, scale=2) + stats.norm.logpdf([[0.5], [3.0]], 1.0, s).sum(axis=0) + np.log(s)
    np.testing.assert_allclose(trace["lp"], expected, rtol=1e-9)


def test_saved_and_loaded_it_is_the_same(layout, tmp_path):
    layout.to_netcdf(tmp_path / "fit.nc")
    again = pm.load(tmp_path / "fit.nc")
    assert list(again) == list(layout) and again.attrs == layout.attrs
    for group in layout:
        for name, array in layout[group].data_vars.items():
            assert again[group][name].dims == array.dims and again[group][name].dtype == array.dtype
            np.testing.assert_array_equal(again[group][name], array)
    assert str(pm.summary(again)) == str(pm.summary(layout))


def test_the_seed_decides_and_the_number_of_cores_does_not():
    model = schools()
    one, two, other = (
        pm.sample(40, model=model, **QUIET | {"cores": cores, "random_seed": seed})["theta"]
        for cores, seed in ((1, 7), (2, 7), (2, 8))
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    first, second = pm.sample(40, model=model, **QUIET).posterior["mu"].values
    assert not np.array_equal(first, second)


def test_nor_does_it_where_latents_are_drawn_back_after_a_chain():
    rng = np.random.default_rng(3)
    group, x, y = np.arange(24) % 4, rng.normal(size=24), rng.normal(size=24)
    with pm.Model() as model:
        s, t, sigma = (pm.HalfNormal(name, 1) for name in ("s", "t", "sigma"))
        a, b = pm.Normal("a", 0, s, shape=4), pm.Normal("b", 0, t, shape=4)
        pm.Normal("y", a[group] + b[group] * x, sigma, observed=y)
    one, two = (pm.sample(40, model=model, **QUIET | {"cores": cores, "random_seed": 7}) for cores in (1, 2))
    for name in ("s", "sigma", "a", "b"):
        np.testing.assert_array_equal(one[name], two[name])


@pytest.mark.parametrize("chains", [1, 3])
def test_any_number_of_chains_and_no_warmup(chains):
    trace = pm.sample(5, model=schools(), **QUIET | {"chains": chains, "tune": 0})
    assert dict(trace.posterior.sizes) == {"chain": chains, "draw": 5, "school": 3}
    assert np.isfinite(trace["lp"]).all()


def test_initial_values_are_where_the_chains_start():
    with pm.Model() as model:
        pm.Normal("far", 0, 1e-3, shape=2)
    at = [{"far": [0.002, -0.002]}, {"far": np.array([-0.002, 0.002])}]
    trace = pm.sample(1, model=model, initvals=at, **QUIET | {"tune": 0})
    assert trace.posterior["far"].shape == (2, 1, 2)
    starts = start_points(density_of(model), [np.random.default_rng(k) for k in range(2)], at)
    np.testing.assert_allclose([position for position, _ in starts], [[0.002, -0.002], [-0.002, 0.002]])


@pytest.mark.parametrize("geometry", ["auto", "as_written"])
def test_one_school_and_none(geometry):
    one = pm.sample(10, model=schools([28.0], [15.0]), **QUIET | {"geometry": geometry})
    assert one["theta"].shape == (20, 1)
    none = pm.sample(10, model=schools([], []), **QUIET | {"geometry": geometry})
    assert none["theta"].shape == (20, 0) and np.isfinite(none["tau"]).all()


@pytest.mark.parametrize(
    "container", [list, np.array, pd.Series, tuple, lambda v: pd.Series(v, index=list("xyz"), name="effect")]
)
@pytest.mark.parametrize("kind", [int, float, np.float32, np.int8])
def test_data_may_be_integers_and_come_in_any_container(container, kind):
    effects, errors = (container([kind(v) for v in values]) for values in ([28, 8, -3], [15, 10, 16]))
    expected = pm.sample(5, model=schools(), **QUIET)["theta"]
    np.testing.assert_allclose(pm.sample(5, model=schools(effects, errors), **QUIET)["theta"], expected)


def test_models_in_threads_do_not_meet():
    """As in a server or a notebook's background thread: a model is open in one thread alone."""

    def fit(shift):
        with pm.Model():
            mu = pm.Normal("mu", 0, 10)
            barrier.wait()  # both models are open now
            pm.Normal("y", mu, 0.1, observed=[shift, shift])
            return pm.sample(100, **QUIET)["mu"].mean()

    barrier = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        means = list(pool.map(fit, [0.0, 50.0]))
    np.testing.assert_allclose(means, [0.0, 50.0], atol=0.5)


def test_the_geometry_changes_neither_names_nor_shapes_nor_data():
    one, other = (pm.sample(20, model=schools(), **QUIET | {"geometry": g}) for g in ("auto", "as_written"))
    for group in ("posterior", "unconstrained_posterior", "observed_data"):
        assert list(one[group].data_vars) == list(other[group].data_vars)
        for name, array in other[group].data_vars.items():
            assert one[group][name].dims == array.dims and one[group][name].shape == array.shape
    assert one["diverging"].shape == one["lp"].shape == (40,)


def _interrupting(monkeypatch, *, when):
    """Ctrl-C, sent to this process for real, at the first look at the chains of which `when(logs)` is true."""
    sent = []

    def show(logs):
        if not sent and when(logs):
            sent.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    @contextmanager
    def progress(**_):
        yield show

    monkeypatch.setattr(finetti.engines.choose, "progress", progress)
    return sent


def test_ctrl_c_keeps_what_has_been_drawn(monkeypatch, caplog):
    sent = _interrupting(monkeypatch, when=lambda logs: min(log.drawn for log in logs) > 0)
    trace = pm.sample(2_000_000, model=schools(), **QUIET)
    drawn = trace.posterior.sizes["draw"]
    assert sent and 0 < drawn < 2_000_000 and trace.attrs["interrupted"]
    assert np.isfinite(trace["lp"]).all() and len(trace["theta"]) == 2 * drawn
    assert f"{2 * drawn:,} draws of the 4,000,000 asked for" in pm.summary(trace).verdict.line()
    assert "Interrupted" in caplog.text


def test_ctrl_c_in_the_warmup_stops(monkeypatch):
    _interrupting(monkeypatch, when=lambda logs: max(log.drawn for log in logs) == 0)
    with pytest.raises(KeyboardInterrupt):
        pm.sample(10, model=schools(), **QUIET | {"tune": 1_000_000})
    assert pm.sample(5, model=schools(), **QUIET)["mu"].shape == (10,)  # and nothing is left in the way


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"draws": 0}, "draws must be a whole number, 1 or more; got 0"),
        ({"draws": 10.5}, "got 10.5"),
        ({"draws": True}, "got True"),
        ({"tune": -1}, "tune must be a whole number, 0 or more; got -1"),
        ({"chains": 0}, "chains must be a whole number, 1 or more; got 0"),
        ({"cores": 0}, "cores must be a whole number, 1 or more; got 0"),
        ({"target_accept": 2}, "target_accept must be a number between 0 and 1; got 2"),
        ({"target_accept": "high"}, "got 'high'"),
        ({"target_accept": float("nan")}, "got nan"),
        ({"max_treedepth": 0}, "max_treedepth must be a whole number from 1 to 20; got 0"),
        ({"max_treedepth": 2.5}, "got 2.5"),
        ({"random_seed": -1}, "random_seed must be a whole number, 0 or more, or a list of them"),
        ({"random_seed": "today"}, "got 'today'"),
        ({"initvals": 3}, "initvals maps names to values"),
        ({"initvals": [{}]}, "1 entries for 2 chains"),
        ({"initvals": {"tua": 1}}, "Did you mean 'tau'"),
        ({"initvals": {"mu": [1, 2]}}, "shape (2,); the variable has shape ()"),
        ({"initvals": {"tau": -1}}, "outside its support (positive"),
        ({"model": 3}, "`model=` takes a Model; got 3"),
        ({"geometry": "magic"}, "'magic'"),
        ({"geometry": {"tua": "centered"}}, "Did you mean 'tau'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_in_words(wrong, words):
    with pytest.raises(pm.FinettiError) as caught:
        pm.sample(**{"draws": 10, "model": schools(), **QUIET, **wrong})
    assert words in str(caught.value)


def test_unknown_arguments_and_no_model():
    with pytest.raises(TypeError, match="target_acept"):
        pm.sample(10, model=schools(), target_acept=0.9)
    with pytest.raises(pm.ModelError, match="No model is open"):
        pm.sample(10)
    with pm.Model() as model:
        pm.Normal("y", 0, 1, observed=[1.0])
    with pytest.raises(pm.ModelError, match="no unknown variable, for everything in it is observed"):
        pm.sample(10, model=model)
    with pytest.raises(pm.ModelError, match="no unknown variable, for nothing was written in it"):
        pm.sample(10, model=pm.Model())


def test_a_seed_sequence_gives_the_same_draws_again_and_is_not_used_up():
    seed = np.random.SeedSequence(5, spawn_key=(2,))
    first, second = (pm.sample(10, model=schools(), progressbar=False, random_seed=seed)["mu"] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = pm.sample(10, model=schools(), progressbar=False, random_seed=np.random.SeedSequence(5))["mu"]
    assert seed.n_children_spawned == 0 and not np.array_equal(first, other)
    whole = pm.sample(10, model=schools(), progressbar=False, random_seed=5)["mu"]
    np.testing.assert_array_equal(other, whole)


def test_no_start_is_explained_by_the_term_that_fails():
    with pm.Model() as model:
        a = pm.Normal("a", 0, 1)
        pm.Potential("impossible", pm.math.log(a - 1e6))
    with pytest.raises(pm.SamplingError, match=r"term of 'impossible' is nan.*'a' -1"):
        pm.sample(10, model=model, **QUIET)


def test_a_gradient_that_is_not_finite_is_refused():
    with pm.Model() as model:
        a = pm.Normal("a", 0, 1)
        pm.Potential("cusp", -pm.math.sqrt(pm.math.abs(a)))
    with pytest.raises(pm.SamplingError, match="its gradient is not"):
        pm.sample(10, model=model, initvals={"a": 0.0}, **QUIET)
