"""What every engine promises: states are data, a step changes nothing else, and another process goes on to the same."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import finetti as pm
from finetti.density import density_of
from finetti.engines.choose import ENGINES, draw, offers, tried
from finetti.engines.contract import Declined, Order, Target
from finetti.engines.run import run
from finetti.engines.settings import Settings
from finetti.engines.sinks import Memory
from finetti.engines.written import from_arrays, to_arrays
from finetti.errors import DataError
from finetti.planning import plan


def nothing_left() -> None:
    mu = pm.Normal("mu", 0, 1)
    pm.Normal("y", mu, 1, observed=[1.0, 2.0])


def one_scale() -> None:
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
    theta = pm.Normal("theta", mu, tau, shape=4)
    pm.Normal("y", theta, 10.0, observed=[28.0, 8.0, -3.0, 7.0])


def three_scales() -> None:
    group, item = np.divmod(np.arange(12), 4)
    s, t, sigma = (pm.HalfNormal(name, 1) for name in ("s", "t", "sigma"))
    a, b = pm.Normal("a", 0, s, shape=3), pm.Normal("b", 0, t, shape=4)
    seen = np.random.default_rng(1).normal(size=12)
    pm.Normal("y", a[group] + b[item], sigma, observed=seen)


def counts() -> None:
    """With centring, a bend and directions of the metric to learn."""
    mu, tau = pm.Normal("mu", 0, 2), pm.HalfNormal("tau", 1)
    theta = pm.Normal("theta", mu, tau, shape=6)
    pm.Poisson("y", pm.math.exp(theta), observed=[3, 0, 7, 2, 40, 1])


MODELS = {"exact": nothing_left, "quadrature": one_scale, "independence": three_scales, "nuts": counts}
every_engine = pytest.mark.parametrize("name", MODELS)


def order_of(name: str, draws: int = 200) -> tuple[Order, Target]:
    with pm.Model() as model:
        MODELS[name]()
    chosen = plan(model)
    density = density_of(model, chosen.reductions, chosen.coordinates)
    settings = Settings(draws, tune=300, step="split")
    order = Order(density, settings, np.random.SeedSequence(3).spawn(2), np.random.default_rng(4))
    return order, Target(density.size, bool(density.reductions))


def ready_of(name: str, draws: int = 200):
    order, target = order_of(name, draws)
    engine = next(engine for engine in ENGINES if engine.name == name)
    assert engine.offers(target).takes
    return engine.ready(order)


def drawn(ready, states, wanted: int, before: int = 0):
    """Draws of two chains from the states on, and where they end; `before` of them were drawn already."""
    memory = Memory(2, wanted)
    states, _ = run(ready, states, memory, cores=1)
    flat, statistics = memory.joined()
    assert flat.shape[1] == wanted - before
    return flat, statistics, states


@every_engine
def test_a_step_changes_nothing_but_what_it_returns(name):
    """The same state taken up twice gives the same state and the same draws; it is as it was before."""
    ready = ready_of(name)
    state = ready.start()[0]
    for _ in range(40 if name == "nuts" else 1):
        before = to_arrays(state)
        once, twice = ready.step(state, 200), ready.step(state, 200)
        for key, array in to_arrays(state).items():
            np.testing.assert_array_equal(array, before[key])
        assert len(once[1]) == len(twice[1])
        for a, b in zip(once[1], twice[1], strict=True):
            same = min(len(a.flat), len(b.flat))  # NUTS asks for as many at once as fit a moment
            np.testing.assert_array_equal(a.flat[:same], b.flat[:same])
        state = once[0]


@every_engine
def test_many_steps_are_one_run(name, monkeypatch):
    monkeypatch.setattr("finetti.engines.independence.chain.BLOCK", 70)  # proposals are made block by block
    ready = ready_of(name)
    whole, statistics, _ = drawn(ready, ready.start(), 200)
    first, some, states = drawn(ready, ready.start(), 70)
    rest, others, _ = drawn(ready, states, 200, before=70)
    if name == "quadrature":  # a grid's draws are kept or not all together: as many, of the same law
        assert np.concatenate([first, rest], axis=1).shape == whole.shape
        return
    np.testing.assert_array_equal(np.concatenate([first, rest], axis=1), whole)
    for key, values in statistics.items():
        np.testing.assert_array_equal(np.concatenate([some[key], others[key]], axis=1), values)


ELSEWHERE = """
import sys
import numpy as np
sys.path.insert(0, {folder!r})
import test_contract as here
from finetti.engines.written import from_arrays
ready = here.ready_of({name!r})
with np.load({path!r}, allow_pickle=False) as arrays:
    states = from_arrays(dict(arrays), ready.kinds)
flat, statistics, _ = here.drawn(ready, states, 200, before={before})
np.savez({out!r}, flat=flat, **statistics)
"""


@pytest.mark.parametrize(("name", "steps", "before"), [
    ("exact", 0, 0), ("quadrature", 0, 0), ("independence", 1, 50), ("nuts", 0, 0), ("nuts", 7, 0), ("nuts", 15, 0),
    ("nuts", 39, None),
])  # fmt: skip
def test_another_process_goes_on_to_the_same_draws(name, steps, before, tmp_path):
    """NUTS at its start, early in its warmup, late in it, and with draws behind it."""
    ready = ready_of(name)
    states = list(ready.start())
    for strand, state in enumerate(states):
        for _ in range(steps):
            state, _ = ready.step(state, before or 30)
        states[strand] = state
    behind = ready.shown(states[0])[0].drawn
    assert behind == before or (before is None and behind > 0)
    path, out = tmp_path / "state.npz", tmp_path / "draws.npz"
    np.savez(path, **to_arrays(tuple(states)))
    here, statistics, _ = drawn(ready, states, 200, before=behind)
    folder = str(__import__("pathlib").Path(__file__).parent)
    code = ELSEWHERE.format(folder=folder, name=name, path=str(path), out=str(out), before=behind)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(out, allow_pickle=False) as there:
        np.testing.assert_array_equal(there["flat"], here)
        for key, values in statistics.items():
            np.testing.assert_array_equal(there[key], values)


@every_engine
def test_what_is_tried_and_what_draws(name):
    order, target = order_of(name)
    assert tried(target).split(", else ")[0] == name
    found = draw(order, target)
    assert found.told.facts["sampler"] == name and found.flat.shape[:2] == (2, 200)
    assert all(offer.suits for offer in offers(target).values())


def test_who_declined_says_why(monkeypatch):
    """A density so rough that no cells can follow it: then NUTS draws, and the plan says why."""
    with pm.Model() as model:
        x, y = pm.Normal("x", 0, 1), pm.Normal("y", 0, 1)
        pm.Potential("rough", 3 * np.sin(1e5 * x) + 3 * np.sin(1e5 * y))
    trace = pm.sample(20, tune=20, model=model, random_seed=1, progressbar=False)
    assert trace.attrs["sampler"] == "nuts"
    assert "not by quadrature: no grid holds the posterior closely enough" in trace.attrs["geometry"]


def test_every_target_has_an_engine():
    for left in (0, 1, 2, 3, 12, 13, 1000):
        for reduced in (False, True):
            for as_written in (False, True):
                assert tried(Target(left, reduced, as_written))
    assert tried(Target(2, True, as_written=True)) == tried(Target(40, False)) == "nuts"
    assert tried(Target(5, True, step="walnuts")) == "nuts"


@pytest.mark.parametrize("change", [
    lambda arrays: {k: v for k, v in arrays.items() if k != "structure"},
    lambda arrays: {k: v for k, v in arrays.items() if k != "0"},
    lambda arrays: arrays | {"structure": np.array("{")},
    lambda arrays: arrays | {"structure": np.array('{"kind": "system", "parts": ["ls"]}')},
    lambda arrays: arrays | {"structure": np.array('{"kind": "Made", "parts": [1, 2, 3]}')},
])  # fmt: skip
def test_what_is_no_state_is_refused(change):
    ready = ready_of("independence")
    arrays = to_arrays(ready.start())
    with pytest.raises(DataError, match="hold no state of a run"):
        from_arrays(change(arrays), ready.kinds)


def test_what_is_no_data_can_not_be_written():
    with pytest.raises(TypeError, match="a Generator is no part of a state"):
        to_arrays((np.random.default_rng(1),))


def test_a_declined_engine_is_not_asked_again(monkeypatch):
    order, target = order_of("quadrature")
    asked = []

    class Refusing:
        name = "refusing"

        def offers(self, target):
            return ENGINES[1].offers(target)

        def ready(self, order):
            asked.append(order)
            raise Declined("it is tired")

    monkeypatch.setattr("finetti.engines.choose.ENGINES", (Refusing(), *ENGINES))
    found = draw(replace(order), target)
    assert len(asked) == 1 and found.told.notes[0] == "not by refusing: it is tired"
