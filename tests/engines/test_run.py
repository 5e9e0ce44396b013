"""Runs as a whole: the same seed gives the same draws, and Ctrl-C loses none of them."""

import json
import subprocess
import sys
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from chains import Engine, positions

import finetti as pm
from finetti.engines.backend import load_jax
from finetti.engines.nuts import sampler
from finetti.engines.nuts.chain import ChainLog, Goal
from finetti.engines.run import run_chains
from finetti.engines.settings import Settings
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

    monkeypatch.setattr(sampler, "progress", progress)


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
    monkeypatch.setattr("finetti.engines.nuts.chain.BREATH", 0.0)
    interrupting(monkeypatch, lambda logs: max(log.drawn for log in logs) > 0)
    part = drawn(draws=10_000, chains=2)
    assert part["posterior"].sizes["draw"] < 10_000 and part.attrs["interrupted"]


def test_ctrl_c_during_warmup_is_raised(monkeypatch):
    monkeypatch.setattr("finetti.engines.nuts.chain.BREATH", 0.0)
    interrupting(monkeypatch, lambda logs: logs[0].done > 0)
    with pytest.raises(KeyboardInterrupt):
        drawn(tune=5000)


REAL = """
import json, os, signal, threading, time
from contextlib import contextmanager
import numpy as np
import finetti as pm
from finetti.engines.nuts import sampler

@contextmanager
def progress(**_):
    def show(logs):
        seen.extend(logs) if not seen else None
    yield show

def press():
    while not (seen and min(log.drawn for log in seen) > {after}):
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)

seen = []
quiet = {{"progressbar": False, "geometry": "as_written"}}
sampler.progress = progress
threading.Thread(target=press, daemon=True).start()
with pm.Model():
    mu = pm.Normal("mu", 0, 5)
    pm.Normal("y", mu, 1.0, observed=[1.0, 2.0])
    trace = pm.sample(3_000_000, tune=100, chains=2, cores=2, random_seed=3, **quiet)
    count = trace["posterior"].sizes["draw"]
    sampler.progress = lambda **_: contextmanager(lambda: (yield lambda logs: None))()
    again = pm.sample(count, tune=100, chains=2, cores=1, random_seed=3, **quiet)
same = bool(np.array_equal(trace["posterior"]["mu"], again["posterior"]["mu"]))
print(json.dumps([count, bool(trace.attrs["interrupted"]), same, max(log.drawn for log in seen)]))
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


def life(log: ChainLog, goal: Goal, *, warmup: int = 3, chunk: int = 10, before_chunk=lambda: None):
    """A chain that draws nothing: it only counts, as the real one does."""
    for _ in range(warmup):
        log.done += 1
        yield log
    while log.drawn < goal.draws:
        length = min(chunk, goal.draws - log.drawn)
        before_chunk()
        log.drawn += length
        log.done += length
        yield log


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_all_chains_reach_the_goal(cores):
    logs, goal = [ChainLog(k) for k in range(5)], Goal(1000)
    lives = [life(log, goal) for log in logs]
    assert not run_chains(lives, logs, cores=cores, goal=goal, show=lambda logs: None)
    assert [log.drawn for log in logs] == [1000] * 5


def test_no_more_chains_run_at_once_than_cores():
    lock, now, most = threading.Lock(), [0], [0]

    def busy():
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.002)
        with lock:
            now[0] -= 1

    logs, goal = [ChainLog(k) for k in range(6)], Goal(100)
    run_chains([life(log, goal, before_chunk=busy) for log in logs], logs, cores=2, goal=goal, show=lambda logs: None)
    assert most[0] <= 2


def test_a_chunk_under_way_at_ctrl_c_does_not_overshoot_the_others():
    """One chain is in the middle of a chunk when Ctrl-C comes: the other goes on to what it will have."""
    under_way, pressed = threading.Event(), threading.Event()

    def slow():
        under_way.set()
        pressed.wait(10)

    def at_ten():  # until Ctrl-C this chain rests at ten draws, so that the one under way is ahead
        if logs[1].drawn == 10:
            pressed.wait(10)

    def show(logs):
        if not pressed.is_set() and logs[1].drawn == 10 and under_way.is_set():
            threading.Timer(0.2, pressed.set).start()
            raise KeyboardInterrupt

    logs, goal = [ChainLog(0), ChainLog(1)], Goal(50)
    lives = [life(logs[0], goal, chunk=30, before_chunk=slow), life(logs[1], goal, before_chunk=at_ten)]
    assert run_chains(lives, logs, cores=2, goal=goal, show=show)
    assert [log.drawn for log in logs] == [30, 30]


def test_a_second_ctrl_c_is_raised():
    def show(logs):
        if max(log.drawn for log in logs) > 0:
            raise KeyboardInterrupt

    logs, goal = [ChainLog(0), ChainLog(1)], Goal(50_000)
    lives = [life(log, goal, before_chunk=lambda: threading.Event().wait(0.02)) for log in logs]
    with pytest.raises(KeyboardInterrupt):
        run_chains(lives, logs, cores=1, goal=goal, show=show)


def test_the_error_of_one_chain_ends_the_run():
    def fail():
        raise SamplingError("chain 1 is broken")

    logs, goal = [ChainLog(k) for k in range(3)], Goal(10**9)
    lives = [life(logs[0], goal), life(logs[1], goal, before_chunk=fail), life(logs[2], goal)]
    with pytest.raises(SamplingError, match="chain 1 is broken"):
        run_chains(lives, logs, cores=2, goal=goal, show=lambda logs: None)
    assert logs[1].drawn == 0 and logs[0].drawn < 10**9
