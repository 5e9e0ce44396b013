"""1,000 eight-schools fits of 1,000 draws each, one after the other and on two processes, against single fits."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np

FITS, DRAWS, SINGLE = 1000, 250, 30  # fits, draws of each of 4 chains, single fits for comparison
ERRORS = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
GOAL = 20.0  # seconds, on two cores


def schools():
    """Eight schools, centred."""
    import finetti as pm

    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, shape=8)
        pm.Normal("y", theta, ERRORS, observed=np.zeros(8))
    return model


def job(**_) -> dict:
    """Seconds for all fits."""
    import finetti as pm

    model, rng = schools(), np.random.default_rng(0)
    datasets = [{"y": row} for row in rng.normal(0, 12, size=(FITS, 8))]
    single = _timed(lambda: [
        pm.sample(DRAWS, model=pm.rebuild(model, data), random_seed=1, progressbar=False) for data in datasets[:SINGLE]
    ])  # fmt: skip
    here = _timed(lambda: pm.sample_many(model, datasets, DRAWS, random_seed=1))

    def on_two():
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
            pm.sample_many(model, datasets, DRAWS, random_seed=1, executor=executor)

    two = _timed(on_two)
    print(f"single fits   {1e3 * single / SINGLE:6.1f} ms each")
    print(f"sample_many   {here:6.1f} s, {1e3 * here / FITS:.1f} ms each")
    print(f"two processes {two:6.1f} s, their start included (goal: {GOAL:.0f} s)")
    return {"single_ms": 1e3 * single / SINGLE, "here_s": here, "two_processes_s": two}


def _timed(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
