"""`sample_many`: one model, many data sets, each as if it were the only one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np

from finetti.calls import hinted
from finetti.errors import FinettiError, ModelError, SamplingError
from finetti.interrupts import check, held
from finetti.model.context import Model
from finetti.rebuilding import rebuild
from finetti.sampling import How, doubts, fitted, how_of, seed_of
from finetti.trace import Trace

NAMED = 5  # data sets in a sentence
CHUNKS = 64  # into which the work of an executor is cut, about
logger = logging.getLogger("finetti")

Fit = Trace | FinettiError
Work = tuple[Model, Mapping[str, Any], Mapping[str, Any] | None, How, np.random.SeedSequence]


@hinted({})
def sample_many(
    model: Model, datasets: Sequence[Mapping[str, Any]], draws: int = 1000, *, random_seed: Any = None,
    executor: Executor | None = None, coords: Mapping[str, Any] | None = None, **options: Any,
) -> list[Fit]:  # fmt: skip
    """Draw from the posterior of a model for each of many data sets.

    A fit has the draws that `sample(model=rebuild(model, data), random_seed=...)` has with its seed, whatever the
    executor. One line at the end says how many fits are in doubt. Ctrl-C returns those that are done.

    Args:
        model: the model, with data of any kind in the places of those that change.
        datasets: arrays by name, as `rebuild` takes them.
        draws: draws to keep from each chain.
        random_seed: what `sample` takes, from which a seed for each data set is spawned: that of the k-th is
            `np.random.SeedSequence(random_seed).spawn(len(datasets))[k]`; or a list of as many ints.
        executor: where to run; any `concurrent.futures.Executor`. A process pool must start its processes by "spawn",
            and a model with a `wrap` needs a function that pickle finds. By default one fit runs after the other, here.
        coords: of all the data sets, where they are others than the model's.
        options: of `sample`: tune, chains, geometry and so on.

    Returns:
        A trace for each data set, in their order; the error itself where a data set cannot be sampled.

    Raises:
        ModelError: for what is no model or no list of data sets.
        SamplingError: settings out of range, or another number of seeds than of data sets.

    Example:
        >>> import finetti as pm
        >>> with pm.Model() as model:
        ...     mu = pm.Normal("mu", 0, 10)
        ...     y = pm.Normal("y", mu, 1, observed=[0.0, 0.0])
        >>> fits = pm.sample_many(model, [{"y": [1.0, 1.0]}, {"y": [9.0, 9.0]}], 200, random_seed=1)
        >>> [round(float(fit["mu"].mean())) for fit in fits]
        [1, 9]
    """
    if not isinstance(model, Model):
        raise ModelError(f"sample_many takes a Model; got {model!r}.")
    if isinstance(datasets, Mapping | str) or not all(isinstance(data, Mapping) for data in datasets):
        raise ModelError("sample_many takes a list of data sets, each a mapping from names to arrays.")
    how = how_of(draws, **{"cores": 1, **options})
    seeds = _seeds(random_seed, datasets)
    work = [(model, data, coords, how, seed) for data, seed in zip(datasets, seeds, strict=True)]
    chunk = 1 + len(work) // CHUNKS
    fits: list[Fit] = []
    said: list[str] = []
    with held():
        try:
            for fit, words in map(_one, work) if executor is None else executor.map(_one, work, chunksize=chunk):
                fits.append(fit)
                said.append(words)
                check()
        except KeyboardInterrupt:
            logger.warning(f"Interrupted: {len(fits):,} of {len(work):,} fits are done.")
    for words in _told(fits, said):
        logger.warning(words)
    return fits


def _one(work: Work) -> tuple[Fit, str]:
    """One fit, and what there is to say of it."""
    model, data, coords, how, seed = work
    try:
        trace = fitted(rebuild(model, data, coords=coords), how, seed)
    except FinettiError as error:
        return error, str(error)
    return trace, doubts(trace)


def _seeds(random_seed: Any, datasets: Sequence[Any]) -> list[np.random.SeedSequence]:
    """One for each data set."""
    if isinstance(random_seed, list | tuple | np.ndarray):
        if len(random_seed) != len(datasets):
            raise SamplingError(
                f"{len(random_seed)} seeds for {len(datasets)} data sets: give an int for all, or one for each."
            )
        return [seed_of(seed if isinstance(seed, np.random.SeedSequence) else int(seed)) for seed in random_seed]
    return seed_of(random_seed).spawn(len(datasets))


def _told(fits: Sequence[Fit], said: Sequence[str]) -> Iterator[str]:
    """How many fits failed and how many are in doubt, with the first of each."""
    failed = [k for k, fit in enumerate(fits) if isinstance(fit, FinettiError)]
    doubtful = [k for k, words in enumerate(said) if words and k not in set(failed)]
    for which, what in ((failed, "could not be sampled"), (doubtful, "are in doubt")):
        if which:
            more = ", ..." if len(which) > NAMED else ""
            named = ", ".join(map(str, which[:NAMED])) + more
            yield f"{len(which):,} of {len(fits):,} fits {what}: data sets {named}. The first: {said[which[0]]}"
