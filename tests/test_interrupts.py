"""Ctrl-C while JAX is imported, a program compiled or chains run: never lost, never the end of the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from finetti.interrupts import INSISTS, check, forget, held

PROGRAM = """
import os, signal, sys, threading
os.environ["FINETTI_CACHE"] = "off"
import finetti as pm
with pm.Model() as model:
    mu, tau = pm.Normal("mu", 0, 1), pm.HalfNormal("tau", 1)
    theta = pm.Normal("theta", mu, tau, shape=4)
    pm.Poisson("y", pm.math.exp(theta), observed=[1, 2, 3, 4])
threading.Timer(float(sys.argv[1]), os.kill, [os.getpid(), signal.SIGINT]).start()
try:
    trace = pm.sample(1_000_000, tune=1000, model=model, random_seed=1, progressbar=False)
    print("kept", trace.attrs["interrupted"], trace["posterior"].sizes["draw"] < 1_000_000)
except KeyboardInterrupt:
    print("stopped")
print("again", pm.sample(5, tune=5, model=model, random_seed=1, progressbar=False)["mu"].shape)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("after", [0.05, 0.15, 0.3, 0.6, 1.2, 2.4])
def test_ctrl_c_at_any_moment(after):
    """Whatever is going on then, on a fast machine or a slow one: a partial trace or a clean stop, and life goes on."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(after)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() in (["stopped", "again", "(20,)"], ["kept", "1", "True", "again", "(20,)"])


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_it_is_raised_at_the_end_or_where_asked():
    steps = []
    with pytest.raises(KeyboardInterrupt), held():
        press()
        steps.append("went on")
    with pytest.raises(KeyboardInterrupt), held():
        check()
        press()
        steps.append("went on")
        check()
        steps.append("not here")
    assert steps == ["went on", "went on"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_one_that_is_forgotten_is_not_raised():
    with held():
        press()
        forget()
    check()


def test_who_insists_is_heard():
    with pytest.raises(KeyboardInterrupt), held():
        for _ in range(INSISTS - 1):
            press()
        reached = True
        press()
        reached = False
    assert reached


def test_inside_another_the_outer_one_holds():
    with pytest.raises(KeyboardInterrupt), held():
        with held():
            press()
        reached = True
        check()
    assert reached


def test_outside_the_main_thread_nothing_is_raised():
    found = []

    def elsewhere() -> None:
        with held():
            check()
            found.append(True)

    with held():
        press()
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        forget()
    assert found


def test_a_handler_of_the_programs_own_stays():
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with held():
            press()
            check()
    finally:
        signal.signal(signal.SIGINT, before)
