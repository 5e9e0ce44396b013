"""Time the gradient of a logistic regression with varying intercepts: three ways to look the intercepts up.

Plain: one lookup a row, whose gradient is a scatter; where neighbouring rows are of one group, each addition waits for
the one before. In copies: as the library does it, neighbouring rows read copies of the intercepts in turn
(`take_index` in `model/namespace.py`). By group: rows are a table padded to the longest group, intercepts are broadcast
and their gradient is a sum; but every padded row costs its exponential. Run as `python benchmarks/bench_rows.py`;
medians of turns, on one core. What it shows is in docs/decisions/0008-rows.md.
"""

from __future__ import annotations

import itertools
import os
import statistics
import time
from functools import partial

import numpy as np

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

STEPS, TURNS = 200, 9
SIZES = ((2_000, 50), (20_000, 500), (100_000, 500), (50_000, 5_000))  # rows, groups
WAYS = ("plain", "in copies", "by group")


def simulated(rows: int, groups: int, *, balanced: bool, in_order: bool) -> dict[str, np.ndarray]:
    """Group, covariates (covariate, row) and outcome of every row."""
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(groups), rows // groups)
    if not balanced:
        group = np.concatenate([np.arange(groups), rng.integers(groups, size=rows - groups)])
    group = np.sort(group) if in_order else rng.permutation(group)
    x = rng.normal(size=(2, rows))
    return {"group": group.astype(np.int32), "x": x, "y": rng.integers(0, 2, rows).astype(float)}


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


def indexed(take, softplus, point, data):
    """Log likelihood with an intercept looked up for each row."""
    logit = take(point[2:], (data["group"],)) + point[0] * data["x"][0] + point[1] * data["x"][1]
    return (data["y"] * logit - softplus(logit)).sum()


def plain(x, index):
    """A lookup as JAX has it."""
    return x.at[index].get(mode="promise_in_bounds")


def laid_out(softplus, point, data):
    """The same with one row of a table for each group."""
    logit = point[2:, None] + point[0] * data["x"][0] + point[1] * data["x"][1]
    return (data["present"] * (data["y"] * logit - softplus(logit))).sum()


def main() -> None:
    """Print microseconds a gradient."""
    from finetti.engines.backend import load_jax
    from finetti.model.namespace import jax_namespace

    jax, xp = load_jax(), jax_namespace()
    ways = (partial(indexed, plain, xp.softplus), partial(indexed, xp.take_index, xp.softplus),
            partial(laid_out, xp.softplus))  # fmt: skip
    print(f"rows, groups, sizes, order, rows with padding: {', '.join(WAYS)} (us); plain / in copies, plain / by group")
    for (rows, groups), balanced, in_order in itertools.product(SIZES, (True, False), (True, False)):
        data = simulated(rows, groups, balanced=balanced, in_order=in_order)
        tables = by_group(data)
        with jax.enable_x64(True):
            programs = [(_program(jax, way, groups), given)
                        for way, given in zip(ways, (data, data, tables), strict=True)]  # fmt: skip
            times = [[_time(program, given) for program, given in programs] for _ in range(TURNS)]
        middle = [statistics.median(column) for column in zip(*times, strict=True)]
        ratios = [statistics.median(turn[0] / turn[k] for turn in times) for k in (1, 2)]
        what = f"{rows:,}, {groups:,}, {'equal' if balanced else 'random'}, {'sorted' if in_order else 'shuffled'}"
        padding = tables["present"].size / rows
        print(f"{what}, {padding:.2f}: {', '.join(f'{us:.0f}' for us in middle)}; "
              f"{', '.join(f'{ratio:.2f}' for ratio in ratios)}", flush=True)  # fmt: skip


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
