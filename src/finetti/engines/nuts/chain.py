"""The life of one chain: start, warmup, draws; a generator that stops for breath between compiled chunks."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from finetti.engines.nuts import metric as metrics
from finetti.engines.nuts import step_size
from finetti.engines.nuts.metric import Diagonal, Metric
from finetti.engines.nuts.program import Chain, Chunk, Mode, Order, Record
from finetti.engines.nuts.warmup import Stretch, Windows, course
from finetti.engines.settings import Settings
from finetti.errors import SamplingError

FIRST_STEP = 0.1
MAX_SEARCH = 400
SHALLOW_DEPTH, MAX_DEPTH = 4, 20  # doublings: of shallow stretches, and no bound of their own
FLOATS = 16.0  # in a step, at least
NAMED = 5  # coordinates in a message
ASTRONOMICAL = 1e12  # slopes from which another start is tried
BREATH = 0.05  # seconds between two moments at which a chain can be shown or stopped


@dataclass
class Goal:
    """How many draws each chain goes on to; lowered for all when a run is interrupted."""

    draws: int


@dataclass
class ChainLog:
    """What one chain has done so far.

    Args:
        number: which chain.
        records: rows kept, chunk by chunk.
        done: transitions of warmup and draws together, those of warmup that were left out among them.
        left_out: how many those are.
        drawn: draws kept.
        divergences: among the draws.
        tuning_gradients: gradient evaluations before the first draw.
        tuning_divergences: among the warmup transitions.
        step: step size now.
        metric: the metric after warmup.
        arguments: of the density after warmup, with the coordinates learned.
        fallbacks: how often warmup could not use what it saw, and kept what it knew.
    """

    number: int
    records: list[Record] = field(default_factory=list)
    done: int = 0
    left_out: int = 0
    drawn: int = 0
    divergences: int = 0
    gradients: int = 0
    tuning_gradients: int = 0
    tuning_divergences: int = 0
    step: float = float("nan")
    metric: Metric | None = None
    arguments: tuple[np.ndarray, ...] = ()
    fallbacks: int = 0

    def leave_out(self, transitions: int) -> None:
        """Leave out some transitions of warmup."""
        self.done += transitions
        self.left_out += transitions

    def note_warmup(self, chunk: Chunk) -> None:
        """Count a chunk of warmup."""
        n = int(chunk.filled)
        self.done += n
        self.tuning_gradients += int(chunk.rows.statistics.n_steps[:n].sum())
        self.tuning_divergences += int(chunk.rows.statistics.diverging[:n].sum())
        self.step = float(np.exp(chunk.chain.step.log_step))

    def keep(self, chunk: Chunk) -> None:
        """Keep the rows of a chunk of draws."""
        n = int(chunk.filled)
        rows = chunk.rows
        self.records.append(rows._replace(
            position=rows.position[:n].copy(), gradient=None, log_density=rows.log_density[:n].copy(),
            step=rows.step[:n].copy(), statistics=type(rows.statistics)(*(s[:n].copy() for s in rows.statistics)),
        ))  # fmt: skip
        self.done += n
        self.drawn += n
        self.divergences += int(rows.statistics.diverging[:n].sum())
        self.step = float(np.exp(chunk.chain.step.log_average))


@dataclass(frozen=True)
class Moved:
    """A chain's place in coordinates that have just been learned: the program's arguments, position and metric."""

    arguments: tuple[np.ndarray, ...]
    position: np.ndarray
    metric: Diagonal


@dataclass(frozen=True)
class Runner:
    """A compiled program with its arguments and settings, applied to one chain.

    Args:
        program: see `compile_program`.
        arguments: of the density.
        settings: of the run.
        rows: transitions in a chunk at most.
        recentre: learns coordinates from draws and gradients (draw, unconstrained), position and metric; None where
            there are none to learn.
        name_of: a position of the unconstrained vector by its variable's name.
    """

    program: Callable[..., Chunk]
    arguments: tuple[np.ndarray, ...]
    settings: Settings
    rows: int
    recentre: Callable[..., Moved] | None = None
    name_of: Callable[[int], str] = str

    def __call__(self, chain: Chain, metric: Metric, mode: Mode, length: int, depth: int = MAX_DEPTH) -> Chunk:
        depth = min(depth, self.settings.max_treedepth)
        target = self.settings.target(metric)
        order = Order(np.int32(mode), np.int32(length), np.float64(target), np.int32(depth))
        return self.program(chain, metric, order, self.arguments)


def live(
    run: Runner, chain: Chain, log: ChainLog, goal: Goal, others: Iterable[Chain] = ()
) -> Iterator[ChainLog]:
    """Everything one chain does, with a pause wherever its log may be read and the goal changed.

    Args:
        run: the compiled program.
        chain: a chain at its start.
        log: filled as the chain goes on.
        goal: draws to reach, read before each chunk.
        others: the same chain at other starts, tried in turn where the gradient at the first is of no use.

    Yields:
        The log.

    Raises:
        SamplingError: where the gradient is finite at none of the starts.
    """
    chain, metric = _first_gradient(run, itertools.chain([chain], others), log)
    windows = Windows([], [])
    settled = trusted = False
    for planned in course(run.settings.tune):
        stretch = planned.once_settled() if settled else planned
        log.leave_out(planned.length - stretch.length)
        chain, metric = yield from _warm(run, chain, metric, stretch, windows, log)
        settled = settled or (run.settings.hurries and stretch.closes and trusted and bool(metric.trusted))
        if stretch.recentre and run.recentre is not None and not settled:
            run, chain, metric = _recentred(run, chain, metric, windows, log)
        trusted = bool(metric.trusted) if stretch.look else trusted
    log.metric, log.arguments, log.fallbacks = metric, run.arguments, log.fallbacks + windows.failures
    if not run.settings.tune:
        chain = chain._replace(step=chain.step._replace(log_average=chain.step.log_step))
    yield from _draw(run, chain, metric, log, goal)


def _first_gradient(run: Runner, starts: Iterable[Chain], log: ChainLog) -> tuple[Chain, Diagonal]:
    """The gradient at the start, a metric from it, and a step size to go with both.

    The start is the first whose gradient is finite and not astronomical, or else the one of the smallest gradient.
    """
    best, least, bad = None, np.inf, np.zeros(0, int)
    for start in starts:
        chain = run(start, metrics.flat(start.point.position), Mode.EVALUATE, 1).chain
        log.tuning_gradients += 1
        steepest = _steepest(chain)
        if steepest < least:
            best, least = chain, steepest
        if least < ASTRONOMICAL:
            break
        bad = np.flatnonzero(~np.isfinite(chain.point.gradient)) if not np.isfinite(steepest) else bad
    if best is None:
        where = ", ".join(run.name_of(int(k)) for k in bad[:NAMED]) + (", ..." if len(bad) > NAMED else "")
        raise SamplingError(
            f"Chain {log.number} starts where the log density is finite but its gradient is not, along "
            f"{where or 'no coordinate in particular'}. Give another start with `initvals=`, or look "
            "for a square root, logarithm or power of something that is exactly 0 there."
        )
    metric = metrics.from_gradient(best.point.position, best.point.gradient)
    return _first_step(run, best, metric, log), metric


def _steepest(chain: Chain) -> float:
    """The largest slope at a chain's point; infinite where a slope or the density is not finite."""
    size = np.abs(chain.point.gradient)
    return float(size.max()) if np.isfinite(size).all() and np.isfinite(chain.point.log_density) else np.inf


def _first_step(run: Runner, chain: Chain, metric: Diagonal, log: ChainLog) -> Chain:
    """The chain where it was, with a step size that is about right."""
    first = step_size.start(np, np.log(np.asarray(FIRST_STEP)))
    chain, left = chain._replace(step=first, searching=np.ones((), bool)), MAX_SEARCH
    while left and chain.searching:
        chunk = run(chain, metric, Mode.SEARCH, min(left, run.rows))
        chain, left = chunk.chain, left - int(chunk.filled)
    log.tuning_gradients += MAX_SEARCH - left
    return chain._replace(step=step_size.start(np, chain.step.log_step))


def _warm(run: Runner, chain, metric, stretch: Stretch, windows: Windows, log: ChainLog) -> Any:
    left = stretch.length
    depth = SHALLOW_DEPTH if stretch.shallow and run.settings.hurries else MAX_DEPTH
    while left:
        chunk = run(chain, metric, stretch.mode, min(left, run.rows), depth)
        n = int(chunk.filled)
        chain, left = _moving(chunk.chain, metric), left - n
        log.note_warmup(chunk)
        if stretch.learn:
            windows.add(chunk.rows.position[:n].copy(), chunk.rows.gradient[:n].copy())
        yield log
    if stretch.learn:
        metric = windows.estimate(metric, directions=stretch.look)
    if stretch.forget:
        windows.forget()
    return chain, metric


def _moving(chain: Chain, metric: Metric) -> Chain:
    """The chain with steps that floats can tell apart: shorter ones move nothing, and no adaptation ends that."""
    scale = np.asarray(metric.scale)
    steepest = np.argmax(np.abs(chain.point.gradient) * scale)  # the coordinate for whose sake steps are short
    distance = float(np.abs(chain.point.position[steepest]) / scale[steepest])
    least = np.log(FLOATS * np.finfo(float).eps * distance) if distance > 0 else -np.inf
    return chain if chain.step.log_step >= least else chain._replace(step=step_size.start(np, np.asarray(least)))


def _recentred(run: Runner, chain: Chain, metric: Metric, windows: Windows, log: ChainLog):
    """The chain in coordinates learned from the draws kept, with nothing kept but the metric.

    Where the chain's own point can't be told in them, coordinates, draws and metric stay as they are.
    """
    assert run.recentre is not None
    with np.errstate(all="ignore"):
        moved = run.recentre(run.arguments, *windows.later_part(), chain.point.position, metric)
    there = replace(run, arguments=moved.arguments)
    arrived = chain._replace(point=chain.point._replace(position=moved.position))
    arrived = there(arrived, moved.metric, Mode.EVALUATE, 1).chain
    log.tuning_gradients += 1
    if not (np.isfinite(moved.position).all() and np.isfinite(_steepest(arrived))):
        log.fallbacks += 1
        return run, chain, metric
    windows.clear()
    return there, arrived, moved.metric


def _draw(run: Runner, chain: Chain, metric: Metric, log: ChainLog, goal: Goal) -> Iterator[ChainLog]:
    pace = min(20, run.rows)
    while log.drawn < goal.draws:
        start = time.perf_counter()
        chunk = run(chain, metric, Mode.DRAW, min(pace, run.rows, goal.draws - log.drawn))
        chain = chunk.chain
        log.keep(chunk)
        seconds = max(time.perf_counter() - start, 1e-6)
        pace = max(1, min(run.rows, round(int(chunk.filled) * BREATH / seconds)))
        yield log
