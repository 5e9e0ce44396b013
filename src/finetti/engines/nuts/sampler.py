"""NUTS from a density to draws: compile, start, run the chains, collect."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from finetti.density import Density
from finetti.engines.drawn import Drawn
from finetti.engines.nuts.chain import ChainLog, Goal, Moved, Runner, live
from finetti.engines.nuts.program import STEPPERS, Record, compile_program, start_chain
from finetti.engines.nuts.recentring import learned_blocks, recentre, told
from finetti.engines.patience import said_if_long
from finetti.engines.progress import progress
from finetti.engines.run import run_chains
from finetti.engines.settings import Settings
from finetti.engines.start import checked_wishes, other_starts, start_points
from finetti.engines.threads import threads_for
from finetti.interrupts import held
from finetti.model.graph import Apply, ancestors

MANY_OPERATIONS = 300  # in a model; beyond, somebody has written a loop
ROW_NUMBERS = 2**15  # numbers in the buffer of one chunk, about


def draw_by_nuts(
    density: Density, settings: Settings, seeds: Sequence[np.random.SeedSequence], *, cores: int | None,
    progressbar: bool, initvals: Any,
) -> Drawn:
    """Run one chain for each seed.

    Args:
        density: of the model.
        settings: see `sample`.
        seeds: one for each chain; its start and all its numbers come from it.
        cores: threads at most; by default the processors this process may use.
        progressbar: show one.
        initvals: see `start_points`.
    """  # fmt: skip
    starts = start_points(density, [np.random.default_rng(seed) for seed in seeds], initvals)
    wishes = checked_wishes(density, initvals, len(seeds))
    keys = [int(seed.generate_state(1, np.uint64)[0]) for seed in seeds]
    began = time.perf_counter()
    with held():
        run = _compiled(density, settings)
    compiled = time.perf_counter()
    logs = [ChainLog(number) for number in range(len(seeds))]
    goal = Goal(settings.draws)
    lives = []
    for start, key, log, seed, wish in zip(starts, keys, logs, seeds, wishes, strict=True):
        others = (start_chain(*other, key) for other in other_starts(density, seed, wish))
        lives.append(live(run, start_chain(*start, key), log, goal, others))
    total, threads = settings.tune + settings.draws, threads_for(len(logs), cores)
    with progress(wanted=progressbar, total=total, tune=settings.tune, chains=len(logs)) as show:
        interrupted = run_chains(lives, logs, cores=threads, goal=goal, show=show)
    facts = _facts(settings, logs) | {"interrupted": interrupted}
    facts |= {"compile_time": compiled - began, "sampling_time": time.perf_counter() - compiled}
    flat = np.stack([np.concatenate([r.position for r in log.records]) for log in logs])
    arguments = [dict(zip(density.arguments, log.arguments, strict=True)) for log in logs]
    notes = (*_told(density, arguments, flat), *_fallbacks(logs))
    return Drawn(flat, _statistics(logs), facts, notes, tuple(arguments))


def _compiled(density: Density, settings: Settings) -> Runner:
    from finetti.model.namespace import jax_namespace

    nodes, arguments = tuple(density.arguments), tuple(density.arguments.values())

    def log_density(flat, values):
        return density(flat, dict(zip(nodes, values, strict=True)), xp=jax_namespace())

    rows = int(np.clip(ROW_NUMBERS // max(density.size, 1), 16, 512))
    levels = max(settings.max_treedepth, 10)
    stepper = STEPPERS[settings.step]
    with said_if_long(_of_compilation(density)):
        program = compile_program(log_density, arguments, density.size, rows=rows, levels=levels, stepper=stepper)
    recentring = _recentring(density) if learned_blocks(density) else None
    return Runner(program, arguments, settings, rows, recentring, density.name_of)


def _of_compilation(density: Density) -> str:
    """What a long compilation is about."""
    operations = sum(isinstance(node, Apply) for node in ancestors([*density.randoms, *density.potentials.values()]))
    members = sum(len(reduction.members) for reduction in density.reductions)
    out = f", with {members} variables integrated out" if members else ""
    words = [f"Still compiling the sampler: the model is {operations:,} operations on {density.size:,} unknowns{out}."]
    if operations > MANY_OPERATIONS:
        words.append("A loop in Python is unrolled; written with `jax.lax.scan` inside `wrap` it compiles at once.")
    if members:
        words.append('With geometry="as_written" nothing is integrated out, which may compile sooner.')
    return " ".join([*words, "The next run of this model need not compile again."])


def _recentring(density: Density) -> Callable[..., Moved]:
    """`recentre` for a program that takes its arguments in the density's order."""

    def move(arguments, draws, gradients, position, metric) -> Moved:
        named = dict(zip(density.arguments, arguments, strict=True))
        new = recentre(density, named, draws, gradients, position, metric)
        return Moved(tuple(new.arguments[node] for node in density.arguments), new.position, new.metric)

    return move


def _told(density: Density, arguments: list, flat: np.ndarray) -> tuple[str, ...]:
    """`told`, which is words: a failure there loses no draws."""
    try:
        with np.errstate(all="ignore"):
            return told(density, arguments, flat)
    except Exception as error:
        return (f"what was learned of the coordinates can't be told: {error!r}",)


def _fallbacks(logs: Sequence[ChainLog]) -> tuple[str, ...]:
    """A sentence where adaptation could not use what it saw."""
    count = sum(log.fallbacks for log in logs)
    if not count:
        return ()
    times = "once" if count == 1 else f"{count:,} times"
    return (f"warmup kept the metric or the coordinates it had {times}: what it saw was not finite, or too far apart",)


def _facts(settings: Settings, logs: Sequence[ChainLog]) -> dict[str, Any]:
    """What is worth knowing of a run afterwards."""
    from importlib.metadata import version

    return {
        "sampler": "nuts",
        "jax_version": version("jax"),
        "tuning_steps": settings.tune,
        "tuning_steps_left_out": sum(log.left_out for log in logs),
        "target_accept": max(settings.target(log.metric) for log in logs if log.metric is not None),
        "max_treedepth": settings.max_treedepth,
        "step": settings.step,
        "tuning_gradients": sum(log.tuning_gradients for log in logs),
        "tuning_divergences": sum(log.tuning_divergences for log in logs),
    }


def _statistics(logs: Sequence[ChainLog]) -> dict[str, np.ndarray]:
    """The sampler's statistics by ArviZ's names, each (chain, draw)."""

    def joined(read: Callable[[Record], Any]) -> np.ndarray:
        return np.stack([np.concatenate([read(record) for record in log.records]) for log in logs])

    return {
        "lp": joined(lambda r: r.log_density),
        "acceptance_rate": joined(lambda r: r.statistics.acceptance),
        "step_size": joined(lambda r: r.step),
        "tree_depth": joined(lambda r: r.statistics.tree_depth).astype(np.int64),
        "n_steps": joined(lambda r: r.statistics.n_steps).astype(np.int64),
        "energy": joined(lambda r: r.statistics.energy),
        "diverging": joined(lambda r: r.statistics.diverging),
        "reached_max_treedepth": joined(lambda r: r.statistics.reached_max_depth),
    }
