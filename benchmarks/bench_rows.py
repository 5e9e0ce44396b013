"""Time the gradient of a logistic regression with varying intercepts, rows as they come and rows laid out by group.

Laid out by group, padded to the longest, intercepts are broadcast instead of indexed and their gradient is a sum
instead of a scatter; but every padded row costs its exponential. Run as `python benchmarks/bench_rows.py`; medians of
pairs taken in turns, on one core. What it shows is in docs/decisions/0008-rows.md.
"""

from __future__ import annotations

import os
import statistics
import time

import numpy as np

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

STEPS, TURNS = 200, 9
CASES = (  # rows, groups, whether all groups have the same size
    (2_000, 50, True), (2_000, 50, False), (20_000, 500, True), (20_000, 500, False), (100_000, 500, False),
    (50_000, 5_000, False),
)  # fmt: skip


def simulated(rows: int, groups: int, *, balanced: bool) -> dict[str, np.ndarray]:
    """Group, covariates (covariate, row) and outcome of every row."""
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(groups), rows // groups)
    if not balanced:
        group = np.concatenate([np.arange(groups), rng.integers(groups, size=rows - groups)])
    x = rng.normal(size=(2, rows))
    return {"group": rng.permutation(group).astype(np.int32), "x": x, "y": rng.integers(0, 2, rows).astype(float)}


def by_group(data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Covariates (covariate, group, place), outcome and presence (group, place)."""
    group = data["group"]
    counts = np.bincount(group)
    order = np.argsort(group, kind="stable")
    place = np.arange(len(group)) - np.repeat(np.cumsum(counts) - counts, counts)

    def laid_out(values: np.ndarray) -> np.ndarray:
        table = np.zeros((len(counts), counts.max()))
        table[group[order], place] = values[order]
        return table

    present = laid_out(np.ones(len(group)))
    return {"x": np.stack([laid_out(x) for x in data["x"]]), "y": laid_out(data["y"]), "present": present}


def indexed(softplus, point, data):
    """Log likelihood with an intercept looked up for each row."""
    logit = point[2:][data["group"]] + point[0] * data["x"][0] + point[1] * data["x"][1]
    return (data["y"] * logit - softplus(logit)).sum()


def laid_out(softplus, point, data):
    """The same with one row of a table for each group."""
    logit = point[2:, None] + point[0] * data["x"][0] + point[1] * data["x"][1]
    return (data["present"] * (data["y"] * logit - softplus(logit))).sum()


def main() -> None:
    """Print microseconds a gradient, and the ratio."""
    from finetti.engines.backend import load_jax
    from finetti.model.namespace import jax_namespace

    jax, softplus = load_jax(), jax_namespace().softplus
    print("rows, groups, sizes, rows with padding: indexed us, by group us, indexed / by group")
    for rows, groups, balanced in CASES:
        data = simulated(rows, groups, balanced=balanced)
        tables = by_group(data)
        with jax.enable_x64(True):
            programs = [
                (_program(jax, lambda p, d, f=f: f(softplus, p, d), groups), given)
                for f, given in ((indexed, data), (laid_out, tables))
            ]
            times = [[_time(program, given) for program, given in programs] for _ in range(TURNS)]
        one, other = (statistics.median(column) for column in zip(*times, strict=True))
        ratio = statistics.median(a / b for a, b in times)
        padding = tables["present"].size / rows
        sizes = "equal" if balanced else "random"
        print(f"{rows:,}, {groups:,}, {sizes}, {padding:.2f}: {one:.0f}, {other:.0f}, {ratio:.2f}", flush=True)


def _program(jax, log_density, groups: int):
    """A loop of gradient steps, as in the sampler; compiled, and run once."""

    def run(data):
        def step(_, point):
            return point + 1e-6 * jax.grad(log_density)(point, data)

        return jax.lax.fori_loop(0, STEPS, step, jax.numpy.zeros(groups + 2))

    return jax.jit(run)


def _time(program, data) -> float:
    """Microseconds a step."""
    program(data).block_until_ready()
    start = time.perf_counter()
    program(data).block_until_ready()
    return 1e6 * (time.perf_counter() - start) / STEPS


if __name__ == "__main__":
    main()
