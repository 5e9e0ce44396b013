"""The compiled program: up to a fixed number of transitions of one chain, for warmup and sampling alike."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from finetti.engines.backend import load_jax
from finetti.engines.nuts import counter, leapfrog, split, step_size, walnuts
from finetti.engines.nuts.leapfrog import Stepper
from finetti.engines.nuts.metric import MAX_RANK, Metric, flat, with_no_directions
from finetti.engines.nuts.packing import Packing, packed, packed_in, packing_of
from finetti.engines.nuts.step_size import StepSize
from finetti.engines.nuts.transition import Point, Statistics, transition

STEPPERS: dict[str, Stepper] = {"leapfrog": leapfrog.undivided, "split": split.rotated, "walnuts": walnuts.divided}
LONGEST = {split.rotated: split.LONGEST}  # of a step; elsewhere energy is lost long before a bound would be needed


class Purpose(IntEnum):
    """What the transitions of a chunk are for."""

    EVALUATE = 0  # one step of length zero: the gradient at the start
    SEARCH = 1  # single steps that stay where they are, doubling or halving the step size until it is about right
    EARLY = 2  # warmup, step size tuned to the mean acceptance
    LATE = 3  # warmup, step size tuned to the symmetric acceptance
    DRAW = 4  # step size as averaged


class Chain(NamedTuple):
    """All that one chain carries from transition to transition; the same state gives the same future."""

    point: Point
    step: StepSize
    key: Any
    transitions: Any
    searching: Any


class Order(NamedTuple):
    """What a chunk is asked to do; data of the program, so that no change of it compiles anything."""

    mode: Any
    length: Any
    target_accept: Any
    max_depth: Any


class Record(NamedTuple):
    """What is kept of each transition, one row each: position and gradient (row, unconstrained), and its statistics."""

    position: Any
    gradient: Any
    log_density: Any
    step: Any
    statistics: Statistics


class Chunk(NamedTuple):
    """The result of a chunk: the chain, the rows, and how many of them were filled."""

    chain: Chain
    rows: Record
    filled: Any


def start_chain(position: np.ndarray, log_density: float, key: int) -> Chain:
    """A chain at its start, before its first gradient."""
    zero = np.zeros(())
    point = Point(position, np.asarray(log_density, float), np.zeros_like(position), zero)
    return Chain(
        point, step_size.start(np, zero), np.asarray(key, np.uint64), np.zeros((), np.uint64), np.zeros((), bool)
    )


class Program:
    """The compiled program of a density, for any thread.

    Beyond a few coordinates it is compiled at once for a diagonal metric, and for one with directions when a chain
    first has some; with few, one program serves both: directions then cost next to nothing, a second program seconds.

    Args:
        log_density: `(position (unconstrained,), arguments) -> scalar`, in JAX.
        arguments: arrays, for their shapes.
        size: length of the position.
        rows: transitions in a chunk at most.
        levels: tree depth at most.
        stepper: how to get from leaf to leaf.
    """

    def __init__(
        self, log_density: Callable[..., Any], arguments: tuple[np.ndarray, ...], size: int, *, rows: int,
        levels: int, stepper: Stepper = leapfrog.undivided,
    ):  # fmt: skip
        self._jax, self._arguments, self._size, self._levels = load_jax(), arguments, size, levels
        self._run = _chunk_of(self._jax, log_density, stepper, rows, levels)
        self._compiled: dict[type, _Packed] = {}
        self._one_at_a_time = Lock()
        self._held: dict[int, tuple[np.ndarray, Any]] = {}
        self._for(self._metric(flat(np.zeros(size))))

    def __call__(self, chain: Chain, metric: Metric, order: Order, arguments: tuple[np.ndarray, ...]) -> Chunk:
        metric = self._metric(metric)
        program = self._for(metric)
        with self._jax.enable_x64(True):
            words = packed(self._jax, (chain, metric, order))
            words = program.compiled(words, tuple(map(self._on_device, arguments)))
        return program.result.unpacked(np.asarray(words))

    def _metric(self, metric: Metric) -> Metric:
        """The metric in the form that the program takes."""
        return with_no_directions(metric) if self._size <= MAX_RANK else metric

    def _for(self, metric: Metric) -> _Packed:
        """The program for metrics of that kind."""
        with self._one_at_a_time, self._jax.enable_x64(True):
            if type(metric) not in self._compiled:
                state = start_chain(np.zeros(self._size), 0.0, 0), metric, _some_order(self._levels)
                self._compiled[type(metric)] = _packed_program(self._jax, self._run, state, self._arguments)
        return self._compiled[type(metric)]

    def _on_device(self, array: np.ndarray) -> Any:
        """The array as JAX holds it, made once: most arguments are the same in every call."""
        if id(array) not in self._held:
            self._held[id(array)] = array, self._jax.device_put(array)
        return self._held[id(array)][1]


def _chunk_of(
    jax, log_density: Callable[..., Any], stepper: Stepper, rows: int, levels: int
) -> Callable[..., Chunk]:  # fmt: skip
    """The function that is compiled: a chunk of transitions."""

    def run(chain: Chain, metric: Metric, order: Order, arguments: Any) -> Chunk:
        def value_and_gradient(position):
            return jax.value_and_grad(log_density)(position, arguments)

        return _run(jax, value_and_gradient, stepper, chain, metric, order, rows, levels)

    return run


class _Packed(NamedTuple):
    """A compiled program that takes chain, metric and order as one array, and how to read the one it returns."""

    compiled: Any
    result: Packing


def _packed_program(jax, run, state, arguments) -> _Packed:
    given, results = packing_of(jax, state), []

    def in_words(words, arguments):
        chunk = run(*given.unpacked_in(jax, words), arguments)
        results.append(packing_of(jax, chunk))  # known only here, and tracing twice would cost as much again
        return packed_in(jax, chunk)

    compiled = jax.jit(in_words).lower(packed(jax, state), arguments).compile()
    return _Packed(compiled, results[0])


def _some_order(levels: int) -> Order:
    return Order(np.int32(0), np.int32(0), np.float64(0.8), np.int32(levels))


def _run(jax, value_and_gradient, stepper, chain: Chain, metric, order: Order, rows: int, levels: int) -> Chunk:
    xp = jax.numpy

    def unfinished(chunk: Chunk):
        found = (order.mode == Purpose.SEARCH) & ~chunk.chain.searching
        return (chunk.filled < order.length) & ~found

    def step(chunk: Chunk) -> Chunk:
        chain, row = _one(jax, value_and_gradient, stepper, chunk.chain, metric, order, levels)
        rows = jax.tree.map(lambda table, value: table.at[chunk.filled].set(value), chunk.rows, row)
        return Chunk(chain, rows, chunk.filled + 1)

    empty = _empty_rows(xp, rows, chain.point.position.shape[0])
    return jax.lax.while_loop(unfinished, step, Chunk(chain, empty, xp.zeros((), "int32")))


def _empty_rows(xp, rows: int, size: int) -> Record:
    number, count, truth = xp.zeros(rows), xp.zeros(rows, "int32"), xp.zeros(rows, bool)
    vector = xp.zeros((rows, size))
    return Record(vector, vector, number, number, Statistics(number, number, number, count, count, truth, truth))


def _one(jax, value_and_gradient, stepper, chain: Chain, metric, order: Order, levels: int) -> tuple[Chain, Record]:
    """One transition and what it does to the chain."""
    xp = jax.numpy
    mode = order.mode
    step = _step_length(xp, chain.step, mode)
    max_depth = xp.where(mode <= Purpose.SEARCH, 1, order.max_depth)
    key = counter.bits(chain.key, chain.transitions)
    point, stats = transition(
        jax, value_and_gradient, metric, chain.point, step, max_depth, key, levels, stepper=stepper,
        always_accept=mode == Purpose.EVALUATE, undivided=mode <= Purpose.SEARCH,
    )  # fmt: skip
    point = Point(*(xp.where(mode == Purpose.SEARCH, old, new) for new, old in zip(point, chain.point, strict=True)))
    log_longest = xp.where(metric.trusted > 0, np.log(LONGEST.get(stepper, np.inf)), np.inf)
    sizes, searching = _adapted(xp, chain, stats, order, log_longest)
    row = Record(point.position, point.gradient, point.log_density, step, stats)
    return Chain(point, sizes, chain.key, chain.transitions + np.uint64(1), searching), row


def _step_length(xp, sizes: StepSize, mode):
    step = xp.exp(xp.where(mode == Purpose.DRAW, sizes.log_average, sizes.log_step))
    return xp.where(mode == Purpose.EVALUATE, 0.0, step)


def _adapted(xp, chain: Chain, stats: Statistics, order: Order, log_longest) -> tuple[StepSize, Any]:
    """The step size after a transition, by mode, and whether the first search is still on."""
    sizes, mode = chain.step, order.mode
    acceptance = xp.where(mode == Purpose.LATE, stats.symmetric_acceptance, stats.acceptance)
    averaged = step_size.update(xp, sizes, acceptance, order.target_accept, log_longest)
    searched, searching = _searched(xp, chain, stats, log_longest)
    warming = (mode == Purpose.EARLY) | (mode == Purpose.LATE)
    pick = lambda a, b, c: xp.where(warming, a, xp.where(mode == Purpose.SEARCH, b, c))  # noqa: E731
    return StepSize(*(pick(*parts) for parts in zip(averaged, searched, sizes, strict=True))), searching


def _searched(xp, chain: Chain, stats: Statistics, log_longest) -> tuple[StepSize, Any]:
    """Double or halve; stop at the longest step, or when the acceptance crosses the target (Hoffman and Gelman 2014,
    algorithm 4).

    `error` holds the direction of the search while it lasts: +1 doubling, -1 halving, 0 before the first trial.
    """
    direction = xp.where(stats.acceptance > step_size.SEARCH_TARGET, 1.0, -1.0)
    crossed = chain.step.error * direction < 0
    log_step = xp.minimum(chain.step.log_step + xp.where(crossed, 0.0, direction * np.log(2.0)), log_longest)
    state = step_size.start(xp, log_step)._replace(error=xp.where(crossed, 0.0, direction))
    return state, chain.searching & ~crossed & (log_step < log_longest)
