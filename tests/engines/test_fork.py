"""A child made by `fork` after NUTS has run: it is told what to do, at once; what needs no compiler goes on."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, sys
import finetti as pm

def run(geometry):
    with pm.Model():
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 5)
        pm.Normal("y", pm.Normal("theta", mu, tau, shape=4), 10.0, observed=[28.0, 8.0, -3.0, 7.0])
        return pm.sample(50, tune=50, chains=2, random_seed=1, progressbar=False, geometry=geometry)

run("as_written")
child = os.fork()
if child == 0:
    try:
        print(run("auto").attrs["sampler"], flush=True)
        run("as_written")
        print("went on", flush=True)
    except pm.SamplingError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


def test_a_child_is_told_what_to_do():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=True)
    first, second = done.stdout.splitlines()
    assert first == "quadrature"
    assert "made by fork" in second and "spawn" in second
