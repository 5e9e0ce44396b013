"""Time `summary` for 20,000 draws of 20 variables, beside arviz_stats where that is installed.

Run as `python benchmarks/bench_summary.py`; it keeps to one core. The best of several runs is shown, since
anything else the machine does only makes a run slower.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import numpy as np
import xarray as xr


def trace(*, chains: int, draws: int, variables: int) -> xr.DataTree:
    """Mildly autocorrelated draws of scalar variables, with the sampler statistics of a clean run."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(variables, chains, draws))
    x[..., 1:] += 0.3 * x[..., :-1]
    sample = ("chain", "draw")
    stats = {"diverging": (sample, x[0] > np.inf), "energy": (sample, rng.normal(size=x[0].shape))}
    posterior = {f"x{i}": (sample, values) for i, values in enumerate(x)}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(posterior), "sample_stats": xr.Dataset(stats)})


def best(function: Callable[[], object], *, repeats: int) -> tuple[float, float]:
    """Milliseconds of the first call and of the best of the later ones."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        function()
        times.append(1e3 * (time.perf_counter() - start))
    return times[0], min(times[1:])


def main() -> None:
    """Print milliseconds and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--draws", type=int, default=5000, help="per chain")
    parser.add_argument("--variables", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    data = trace(chains=options.chains, draws=options.draws, variables=options.variables)
    print(f"{options.chains} x {options.draws:,} draws of {options.variables} variables on one core")

    start = time.perf_counter()
    from finetti.diagnostics.summary import summary

    print(f"finetti      import {1e3 * (time.perf_counter() - start):7.1f} ms (xarray loaded before)")
    first, ours = best(lambda: summary(data), repeats=options.repeats)
    print(f"finetti      first  {first:7.1f} ms, best of {options.repeats}: {ours:7.1f} ms")
    try:
        start = time.perf_counter()
        import arviz_stats
    except ImportError:
        print("arviz_stats  is not installed")
        return
    print(f"arviz_stats  import {1e3 * (time.perf_counter() - start):7.1f} ms")
    repeats = max(2, options.repeats // 4)
    first, theirs = best(lambda: arviz_stats.summary(data, round_to="none"), repeats=repeats)
    print(f"arviz_stats  first  {first:7.1f} ms, best of {repeats}: {theirs:7.1f} ms")
    print(f"ratio        {theirs / ours:.1f}")


if __name__ == "__main__":
    main()
