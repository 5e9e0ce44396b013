"""Runs as a whole: the same seed gives the same draws, and Ctrl-C loses none of them."""

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pytest
from chains import Engine, positions

import finetti as pm
from finetti.engines import choose
from finetti.engines.backend import load_jax
from finetti.engines.contract import Batch
from finetti.engines.nuts import sampler
from finetti.engines.run import run
from finetti.engines.settings import Settings
from finetti.engines.sinks import Memory, Watched
from finetti.errors import SamplingError


def eight_numbers() -> pm.Model:
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfNormal("tau", 5)
        theta = pm.Normal("theta", mu, tau, shape=4)
        pm.Normal("y", theta, 10.0, observed=[28.0, 8.0, -3.0, 7.0])
    return model


def drawn(**settings):
    settings = {"draws": 300, "tune": 200, "chains": 4, "cores": 1, "random_seed": 1, "progressbar": False} | settings
    return pm.sample(settings.pop("draws"), model=eight_numbers(), geometry="as_written", **settings)


def everything(trace) -> dict[str, np.ndarray]:
    groups = ("posterior", "unconstrained_posterior", "sample_stats")
    return {f"{g}.{name}": np.asarray(trace[g][name]) for g in groups for name in trace[g].data_vars}


def assert_same(a, b) -> None:
    a, b = everything(a), everything(b)
    assert a.keys() == b.keys() and len(a) > 10
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.fixture(scope="module")
def whole():
    return drawn()


@pytest.mark.parametrize("cores", [2, 4])
def test_draws_do_not_depend_on_the_number_of_cores(whole, cores):
    assert_same(whole, drawn(cores=cores))


def test_a_chain_does_not_depend_on_how_many_there_are(whole):
    fewer = drawn(chains=2)
    for name, values in everything(fewer).items():
        np.testing.assert_array_equal(values, everything(whole)[name][:2], err_msg=name)


def test_fewer_draws_are_the_first_of_more(whole):
    for name, values in everything(drawn(draws=37)).items():
        np.testing.assert_array_equal(values, everything(whole)[name][:, :37], err_msg=name)


def test_chunk_size_does_not_matter(whole, monkeypatch):
    monkeypatch.setattr(sampler, "ROW_NUMBERS", 1)  # sixteen rows, the fewest there are
    assert_same(whole, drawn())


def test_chunk_size_does_not_matter_even_below_that():
    """Not even for the search of the first step size, which takes many trials here."""

    def log_density(x, arguments):
        return -0.5e12 * load_jax().numpy.sum(x**2)

    settings, start = Settings(draws=50, tune=100), np.array([3e-7, -2e-7])
    few, many = (Engine(log_density, 2, rows=rows).log(start, 5, settings) for rows in (3, 300))
    np.testing.assert_array_equal(positions(few), positions(many))


def test_seeds_and_chains_differ(whole):
    mu = np.asarray(whole["posterior"]["mu"])
    other = np.asarray(drawn(random_seed=2)["posterior"]["mu"])
    assert len(np.intersect1d(mu, other)) == 0
    assert all(len(np.intersect1d(mu[i], mu[j])) == 0 for i in range(4) for j in range(i))


def test_without_a_seed_runs_differ_and_the_seed_noted_repeats_them():
    first, second = drawn(random_seed=None, draws=30), drawn(random_seed=None, draws=30)
    assert not np.array_equal(first["posterior"]["mu"], second["posterior"]["mu"])
    assert_same(first, drawn(random_seed=int(first.attrs["random_seed"]), draws=30))


def test_zero_and_one_warmup_transitions_still_draw():
    for tune in (0, 1, 3):
        trace = drawn(draws=20, tune=tune, chains=2)
        assert np.isfinite(np.asarray(trace["posterior"]["mu"])).all()
        assert np.asarray(trace["posterior"]["mu"]).std() > 0


# Ctrl-C


def interrupting(monkeypatch, when) -> None:
    """Ctrl-C, once, as soon as `when(logs)` holds."""
    seen = []

    @contextmanager
    def progress(**_):
        def show(logs):
            if not seen and when(logs):
                seen.append(True)
                raise KeyboardInterrupt

        yield show

    monkeypatch.setattr(choose, "progress", progress)


@pytest.mark.parametrize("cores", [1, 3])
def test_ctrl_c_keeps_every_draw_and_evens_the_chains(cores, monkeypatch):
    long = {"draws": 60_000, "cores": cores, "chains": 3}
    interrupting(monkeypatch, lambda logs: max(log.drawn for log in logs) > 50)
    part = drawn(**long)
    count = part["posterior"].sizes["draw"]
    assert 50 < count < 60_000
    assert part.attrs["interrupted"]
    full = drawn(draws=count, chains=3)
    assert not full.attrs["interrupted"]
    assert_same(part, full)


def test_ctrl_c_at_the_very_first_draws_gives_them(monkeypatch):
    monkeypatch.setattr("finetti.engines.run.BREATH", 0.0)
    interrupting(monkeypatch, lambda logs: max(log.drawn for log in logs) > 0)
    part = drawn(draws=10_000, chains=2)
    assert part["posterior"].sizes["draw"] < 10_000 and part.attrs["interrupted"]


def test_ctrl_c_during_warmup_is_raised(monkeypatch):
    monkeypatch.setattr("finetti.engines.run.BREATH", 0.0)
    interrupting(monkeypatch, lambda logs: logs[0].done > 0)
    with pytest.raises(KeyboardInterrupt):
        drawn(tune=5000)


REAL = """
import json, os, signal, threading, time
from contextlib import contextmanager
import numpy as np
import finetti as pm
from finetti.engines import choose

@contextmanager
def progress(**_):
    def show(chains):
        seen[:] = chains
    yield show

def press():
    while not (seen and min(chain.drawn for chain in seen) > {after}):
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)

seen = []
quiet = {{"progressbar": False, "geometry": "as_written"}}
choose.progress = progress
threading.Thread(target=press, daemon=True).start()
with pm.Model():
    mu = pm.Normal("mu", 0, 5)
    pm.Normal("y", mu, 1.0, observed=[1.0, 2.0])
    trace = pm.sample(3_000_000, tune=100, chains=2, cores=2, random_seed=3, **quiet)
    count = trace["posterior"].sizes["draw"]
    choose.progress = lambda **_: contextmanager(lambda: (yield lambda chains: None))()
    again = pm.sample(count, tune=100, chains=2, cores=1, random_seed=3, **quiet)
same = bool(np.array_equal(trace["posterior"]["mu"], again["posterior"]["mu"]))
print(json.dumps([count, bool(trace.attrs["interrupted"]), same, max(chain.drawn for chain in seen)]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows delivers Ctrl-C to a whole console, the test's own too")
def test_a_real_signal_keeps_every_draw():
    done = subprocess.run(
        [sys.executable, "-c", REAL.format(after=100)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    count, interrupted, same, most = json.loads(done.stdout.splitlines()[-1])
    assert interrupted and same
    assert 100 < count == most < 3_000_000


# Chains on threads, without a sampler


APART = 10.0**9  # between the numbers that two chains draw


def numbers(chains: int, draws: int) -> np.ndarray:
    """What chains draw, one after the other."""
    return APART * np.arange(chains)[:, None] + np.arange(draws)


class Counted(NamedTuple):
    """A chain that draws its own numbers: transitions and draws so far."""

    number: int
    done: int = 0
    drawn: int = 0
    divergences: int = 0
    step: float = float("nan")


class Counting:
    """An engine that only counts, as the real ones do; `before` is called before each chunk of draws."""

    wait = None

    def __init__(self, chains: int, *, warmup: int = 3, chunk=lambda number: 10, before=lambda number: None):
        self.chains, self.warmup, self.chunk, self.before = chains, warmup, chunk, before

    def start(self):
        return tuple(Counted(k) for k in range(self.chains))

    def step(self, state: Counted, wanted: int):
        if state.done < self.warmup:
            return state._replace(done=state.done + 1), ()
        length = min(self.chunk(state.number), wanted - state.drawn)
        self.before(state.number)
        draws = APART * state.number + np.arange(state.drawn, state.drawn + length)[:, None]
        batch = Batch(state.number, draws, {"lp": -draws[:, 0]})
        return state._replace(done=state.done + length, drawn=state.drawn + length), (batch,)

    def shown(self, state: Counted):
        return (state,)


def counted(engine: Counting, wanted: int, *, cores: int, show=lambda chains: None, states=None):
    """What memory holds in the end, and whether the run was interrupted."""
    memory = Memory(engine.chains, wanted)
    _, interrupted = run(engine, states or engine.start(), Watched(memory, show), cores=cores)
    flat, statistics = memory.joined()
    np.testing.assert_array_equal(flat[..., 0], numbers(*flat.shape[:2]))
    np.testing.assert_array_equal(statistics["lp"], -flat[..., 0])
    return flat, interrupted


@pytest.mark.parametrize("cores", [1, 2, 5])
@pytest.mark.parametrize("chains", [1, 5])
def test_all_chains_reach_the_goal(cores, chains):
    flat, interrupted = counted(Counting(chains), 1000, cores=cores)
    assert not interrupted and flat.shape == (chains, 1000, 1)


def test_no_more_chains_run_at_once_than_cores():
    lock, now, most = threading.Lock(), [0], [0]

    def busy(_):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.002)
        with lock:
            now[0] -= 1

    counted(Counting(6, before=busy), 100, cores=2)
    assert most[0] <= 2


def test_a_chunk_under_way_at_ctrl_c_does_not_overshoot_the_others():
    """One chain is in the middle of a chunk when Ctrl-C comes: the other goes on to what it will have."""
    under_way, pressed, ten = threading.Event(), threading.Event(), [0]

    def before(number):  # until Ctrl-C the second chain rests at ten draws, so that the one under way is ahead
        if number == 0:
            under_way.set()
            pressed.wait(10)
        else:
            ten[0] += 1
            if ten[0] == 2:
                pressed.wait(10)

    def show(chains):
        if not pressed.is_set() and ten[0] == 2 and under_way.is_set():
            threading.Timer(0.2, pressed.set).start()
            raise KeyboardInterrupt

    engine = Counting(2, chunk=lambda number: 30 if number == 0 else 10, before=before)
    flat, interrupted = counted(engine, 50, cores=2, show=show)
    assert interrupted and flat.shape == (2, 30, 1)


def test_at_a_second_ctrl_c_what_every_chain_has_is_kept():
    """The first is pressed when one chain is ahead, the second while the others catch up."""
    pressed = []

    def show(chains):
        drawn = [chain.drawn for chain in chains]
        if (not pressed and max(drawn) >= 200) or (len(pressed) == 1 and min(drawn) >= 40):
            pressed.append(drawn)
            raise KeyboardInterrupt

    def before(number):
        threading.Event().wait(0.0 if number == 0 else 0.03)

    try:
        flat, interrupted = counted(Counting(2, before=before), 50_000, cores=2, show=show)
    except KeyboardInterrupt:
        pytest.fail("all draws are lost")
    assert interrupted and len(pressed) == 2 and 40 <= flat.shape[1] < pressed[0][0]


def test_a_second_ctrl_c_before_every_chain_has_a_draw_is_raised():
    def before(number):
        threading.Event().wait(0.01 if number == 0 else 0.0)

    def show(chains):
        if max(chain.drawn for chain in chains) > 0:
            raise KeyboardInterrupt

    engine = Counting(2, before=before)
    engine.step = lambda state, wanted, step=engine.step: step(state, wanted) if state.number == 0 else (state, ())
    with pytest.raises(KeyboardInterrupt):
        counted(engine, 50_000, cores=2, show=show)


def test_the_error_of_one_chain_ends_the_run():
    def fail(number):
        if number == 1:
            raise SamplingError("chain 1 is broken")

    with pytest.raises(SamplingError, match="chain 1 is broken"):
        counted(Counting(3, before=fail), 10**9, cores=2)


def test_a_run_goes_on_from_the_states_of_another():
    engine, memory = Counting(2), Memory(2, 35)
    states, _ = run(engine, engine.start(), memory, cores=2)
    memory.wanted = 80
    run(engine, states, memory, cores=1)
    flat, _ = memory.joined()
    np.testing.assert_array_equal(flat[..., 0], numbers(2, 80))


def test_a_sink_may_want_more_or_less_while_the_run_goes_on():
    """As a rule for stopping does: here, when the sum of the draws is large enough."""

    class Enough(Memory):
        def take(self, batch):
            super().take(batch)
            if sum(float(b.flat.sum()) for b in self.batches[0]) > 1000:
                self.wanted = sum(len(b.flat) for b in self.batches[0])

    engine, sink = Counting(1), Enough(1, 10**6)
    run(engine, engine.start(), sink, cores=1)
    assert sink.joined()[0].shape == (1, 50, 1)  # 0 + ... + 49 is 1225, 0 + ... + 39 is 780
