"""`sample`: the whole program, from a model to a trace."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from finetti.density import Density, density_of
from finetti.engines.nuts.chain import ChainLog, Goal, Runner, Settings, live
from finetti.engines.nuts.program import compile_program, start_chain
from finetti.engines.progress import progress
from finetti.engines.run import run_chains
from finetti.engines.start import start_points
from finetti.errors import SamplingError
from finetti.fit import trace_of
from finetti.model.context import Model
from finetti.trace import Trace

ROW_NUMBERS = 2**15  # numbers in the buffer of one chunk, about
logger = logging.getLogger("finetti")


def sample(
    draws: int = 1000,
    *,
    tune: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    target_accept: float = 0.8,
    random_seed: int | Sequence[int] | None = None,
    progressbar: bool = True,
    initvals: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    max_treedepth: int = 10,
    model: Model | None = None,
) -> Trace:
    """Draw from the posterior of a model with NUTS.

    Chains run on threads of this process; the same seed gives the same draws whatever the number of cores. Ctrl-C
    returns what has been drawn, marked by the attribute `interrupted`.

    Args:
        draws: draws to keep from each chain.
        tune: warmup transitions of each chain, not kept.
        chains: independent chains.
        cores: chains that run at the same time; by default as many as the machine has processors.
        target_accept: mean acceptance rate the step size is tuned to, between 0 and 1.
        random_seed: an int or ints; by default from the system, and noted in the trace.
        progressbar: show one, where there is a terminal or notebook.
        initvals: start values by variable name, for all chains, or one such mapping for each chain.
        max_treedepth: doublings of a trajectory at most, from 1 to 20.
        model: by default the one being written.

    Returns:
        Draws of every unknown and deterministic (chain, draw, *shape), the sampler's statistics and the data.

    Raises:
        ModelError: no model is open, or it has no unknown.
        SamplingError: settings out of range, or no start with a finite density.

    Source:
        Hoffman and Gelman (2014), JMLR 15; Betancourt (2017), arXiv 1701.02434, appendix A; warmup after nutpie.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     mu = pm.Normal("mu", 0, 10)
        ...     y = pm.Normal("y", mu, 1, observed=[1.2, 0.7, 1.9])
        ...     trace = pm.sample(200, tune=200, random_seed=1)
        >>> trace["posterior"]["mu"].shape
        (4, 200)
    """
    model = model or Model.current()
    settings = _checked(draws, tune, chains, cores, target_accept, max_treedepth)
    seed = np.random.SeedSequence(random_seed)
    density = density_of(model)
    starts, keys = _starts(density, seed, chains, initvals)

    began = time.perf_counter()
    run = _compiled(density, settings)
    compiled = time.perf_counter()
    logs, interrupted = _run(run, starts, keys, settings, cores=cores or _processors(), progressbar=progressbar)
    finished = time.perf_counter()

    facts = _facts(settings, seed, logs)
    facts |= {"compile_time": compiled - began, "sampling_time": finished - compiled, "interrupted": interrupted}
    trace = trace_of(model, density, logs, attrs=facts)
    _warn(trace)
    return trace


def _checked(draws, tune, chains, cores, target_accept, max_treedepth) -> Settings:
    for name, value, least in (("draws", draws, 1), ("tune", tune, 0), ("chains", chains, 1), ("cores", cores, 1)):
        if value is not None and (not isinstance(value, (int, np.integer)) or value < least):
            raise SamplingError(f"{name} must be a whole number, {least} or more; got {value!r}.")
    if not 0 < target_accept < 1:
        raise SamplingError(f"target_accept must lie between 0 and 1; got {target_accept!r}.")
    if not 1 <= max_treedepth <= 20:
        raise SamplingError(f"max_treedepth must lie between 1 and 20; got {max_treedepth!r}.")
    return Settings(int(draws), int(tune), float(target_accept), int(max_treedepth))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _starts(density: Density, seed: np.random.SeedSequence, chains: int, initvals: Any):
    """A start and a key for each chain, both from the seed alone."""
    children = seed.spawn(chains)
    rngs = [np.random.default_rng(child) for child in children]
    keys = [int(child.generate_state(1, np.uint64)[0]) for child in children]
    return start_points(density, rngs, initvals), keys


def _compiled(density: Density, settings: Settings) -> Runner:
    from finetti.model.namespace import jax_namespace

    nodes, arguments = tuple(density.arguments), tuple(density.arguments.values())

    def log_density(flat, values):
        return density(flat, dict(zip(nodes, values, strict=True)), xp=jax_namespace())

    rows = int(np.clip(ROW_NUMBERS // max(density.size, 1), 16, 512))
    levels = max(settings.max_treedepth, 10)
    program = compile_program(log_density, arguments, density.size, rows=rows, levels=levels)
    return Runner(program, arguments, settings, rows)


def _run(run: Runner, starts, keys, settings: Settings, *, cores: int, progressbar: bool):
    logs = [ChainLog(number) for number in range(len(starts))]
    goal = Goal(settings.draws)
    lives = [
        live(run, start_chain(position, value, key), log, goal)
        for (position, value), key, log in zip(starts, keys, logs, strict=True)
    ]
    total = settings.tune + settings.draws
    with progress(wanted=progressbar, total=total, tune=settings.tune, chains=len(logs)) as show:
        interrupted = run_chains(lives, logs, cores=min(cores, len(logs)), goal=goal, show=show)
    return logs, interrupted


def _facts(settings: Settings, seed: np.random.SeedSequence, logs: list[ChainLog]) -> dict[str, Any]:
    """What is worth knowing of a run afterwards, for the trace's attributes."""
    import sys
    from importlib.metadata import version

    import finetti

    return {
        "inference_library_version": finetti.__version__,
        "python_version": ".".join(map(str, sys.version_info[:3])),
        "jax_version": version("jax"),
        "numpy_version": np.__version__,
        "sampler": "nuts",
        "random_seed": str(seed.entropy),
        "draws_requested": settings.draws,
        "tuning_steps": settings.tune,
        "target_accept": settings.target_accept,
        "max_treedepth": settings.max_treedepth,
        "tuning_gradients": sum(log.tuning_gradients for log in logs),
        "tuning_divergences": sum(log.tuning_divergences for log in logs),
    }


def _warn(trace: Trace) -> None:
    """Say at once, in one line, what is wrong with the run, if anything is."""
    from finetti.diagnostics.summary import health_of

    health = health_of(trace)
    if not health.ok:
        logger.warning(health.line())
