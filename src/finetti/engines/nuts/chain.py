"""One chain: its start, and steps from state to state, each a compiled chunk of warmup or of draws."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from finetti.engines.contract import Batch
from finetti.engines.nuts import metric as metrics
from finetti.engines.nuts import step_size
from finetti.engines.nuts.metric import Diagonal, Metric
from finetti.engines.nuts.program import Chain, Chunk, Order, Purpose, Record
from finetti.engines.nuts.state import ChainState, Warmup
from finetti.engines.nuts.warmup import Stretch, course
from finetti.engines.run import BREATH
from finetti.engines.settings import Settings
from finetti.errors import SamplingError

FIRST_STEP = 0.1
MAX_SEARCH = 400
SHALLOW_DEPTH, MAX_DEPTH = 4, 20  # doublings: of shallow stretches, and no bound of their own
FLOATS = 16.0  # in a step, at least
NAMED = 5  # coordinates in a message
ASTRONOMICAL = 1e12  # slopes from which another start is tried


@dataclass(frozen=True)
class Moved:
    """A chain's place in coordinates that have just been learned: their numbers, position and metric."""

    learned: tuple[np.ndarray, ...]
    position: np.ndarray
    metric: Diagonal


@dataclass(frozen=True)
class Runner:
    """A compiled program with its arguments and settings, applied to one chain.

    Args:
        program: see `program.Program`.
        arguments: of the density.
        settings: of the run.
        rows: transitions in a chunk at most.
        places: which of the arguments are the numbers of learned coordinates.
        recentre: learns coordinates from the numbers of the present ones, draws and gradients (draw, unconstrained),
            position and metric; None where there are none to learn.
        name_of: a position of the unconstrained vector by its variable's name.
    """

    program: Callable[..., Chunk]
    arguments: tuple[np.ndarray, ...]
    settings: Settings
    rows: int
    places: tuple[int, ...] = ()
    recentre: Callable[..., Moved] | None = None
    name_of: Callable[[int], str] = str

    @cached_property
    def course(self) -> tuple[Stretch, ...]:
        """Of warmup."""
        return tuple(course(self.settings.tune))

    def arguments_with(self, learned: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """The density's arguments with the numbers of learned coordinates in their places."""
        own = dict(zip(self.places, learned, strict=True))
        return tuple(own.get(place, array) for place, array in enumerate(self.arguments))

    def __call__(self, state: ChainState, mode: Purpose, length: int, depth: int = MAX_DEPTH) -> Chunk:
        depth = min(depth, self.settings.max_treedepth)
        target = self.settings.target(state.metric)
        order = Order(np.int32(mode), np.int32(length), np.float64(target), np.int32(depth))
        return self.program(state.chain, state.metric, order, self.arguments_with(state.learned))


def begun(run: Runner, starts: Iterable[Chain], number: int) -> ChainState:
    """A chain before its first transition, with its gradient, a metric from it and a step size to go with both.

    Args:
        run: the compiled program.
        starts: the same chain at several starts, tried in turn where the gradient at the first is of no use.
        number: which chain.

    Raises:
        SamplingError: where the gradient is finite at none of the starts.
    """
    state = _first_step(run, _first_gradient(run, starts, number))
    return state if run.course else _after_warmup(state)


def step(run: Runner, state: ChainState, wanted: int) -> tuple[ChainState, Batch | None]:
    """One chunk: the next state, and the draws made on the way, if warmup is over.

    Args:
        run: the compiled program.
        state: of the chain.
        wanted: draws at most, from the first on.
    """
    return _drawn(run, state, wanted) if state.warmup is None else (_warmed(run, state, state.warmup), None)


# --- the start --------------------------------------------------------------------------------------------------


def _first_gradient(run: Runner, starts: Iterable[Chain], number: int) -> ChainState:
    """The first start whose gradient is finite and not astronomical, or else the one of the smallest gradient."""
    best, least, bad, tried = None, np.inf, np.zeros(0, int), 0
    learned = tuple(run.arguments[place] for place in run.places)
    for tried, start in enumerate(starts, start=1):  # noqa: B007
        state = ChainState(number, start, metrics.flat(start.point.position), learned)
        chain = run(state, Purpose.EVALUATE, 1).chain
        steepest = _steepest(chain)
        if steepest < least:
            best, least = chain, steepest
        if least < ASTRONOMICAL:
            break
        bad = np.flatnonzero(~np.isfinite(chain.point.gradient)) if not np.isfinite(steepest) else bad
    if best is None:
        raise SamplingError(_no_gradient(run, number, bad))
    metric = metrics.from_gradient(best.point.position, best.point.gradient)
    state = ChainState(number, best, metric, learned, pace=min(20, run.rows))
    return state._replace(counts=state.counts.tuned(tried))


def _no_gradient(run: Runner, number: int, bad: np.ndarray) -> str:
    where = ", ".join(run.name_of(int(k)) for k in bad[:NAMED]) + (", ..." if len(bad) > NAMED else "")
    return (
        f"Chain {number} starts where the log density is finite but its gradient is not, along "
        f"{where or 'no coordinate in particular'}. Give another start with `initvals=`, or look "
        "for a square root, logarithm or power of something that is exactly 0 there."
    )


def _steepest(chain: Chain) -> float:
    """The largest slope at a chain's point; infinite where a slope or the density is not finite."""
    size = np.abs(chain.point.gradient)
    return float(size.max()) if np.isfinite(size).all() and np.isfinite(chain.point.log_density) else np.inf


def _first_step(run: Runner, state: ChainState) -> ChainState:
    """The chain where it was, with a step size that is about right."""
    first = step_size.start(np, np.log(np.asarray(FIRST_STEP)))
    chain, left = state.chain._replace(step=first, searching=np.ones((), bool)), MAX_SEARCH
    while left and chain.searching:
        chunk = run(state._replace(chain=chain), Purpose.SEARCH, min(left, run.rows))
        chain, left = chunk.chain, left - int(chunk.filled)
    chain = chain._replace(step=step_size.start(np, chain.step.log_step))
    return state._replace(chain=chain, counts=state.counts.tuned(MAX_SEARCH - left))


# --- warmup -----------------------------------------------------------------------------------------------------


def _warmed(run: Runner, state: ChainState, warmup: Warmup) -> ChainState:
    """A chunk of the stretch under way; at its end, what is learned from it."""
    planned = run.course[warmup.stretch]
    stretch = planned.once_settled() if warmup.settled else planned
    if warmup.within < stretch.length:
        state, warmup = _transitions(run, state, warmup, stretch)
    if warmup.within < stretch.length:
        return state._replace(warmup=warmup)
    state, warmup = _learned(run, state, warmup, stretch)
    counts = state.counts.left(planned.length - stretch.length)
    state = state._replace(counts=counts, warmup=warmup._replace(stretch=warmup.stretch + 1, within=0))
    return state if warmup.stretch + 1 < len(run.course) else _after_warmup(state)


def _transitions(
    run: Runner, state: ChainState, warmup: Warmup, stretch: Stretch
) -> tuple[ChainState, Warmup]:  # fmt: skip
    depth = SHALLOW_DEPTH if stretch.shallow and run.settings.hurries else MAX_DEPTH
    chunk = run(state, stretch.mode, min(stretch.length - warmup.within, run.rows), depth)
    n = int(chunk.filled)
    windows = warmup.windows
    if stretch.learn:
        windows = windows.add(chunk.rows.position[:n].copy(), chunk.rows.gradient[:n].copy())
    state = state._replace(chain=_moving(chunk.chain, state.metric), counts=state.counts.warmed(chunk))
    return state, warmup._replace(within=warmup.within + n, windows=windows)


def _learned(
    run: Runner, state: ChainState, warmup: Warmup, stretch: Stretch
) -> tuple[ChainState, Warmup]:  # fmt: skip
    """The metric, whether there is more to learn, and coordinates, from what the windows hold."""
    metric, windows, settled = state.metric, warmup.windows, warmup.settled
    if stretch.learn:
        metric, windows = windows.estimate(metric, directions=stretch.look)
    if stretch.forget:
        windows = windows.forget()
    if run.settings.hurries and stretch.closes and warmup.trusted and bool(metric.trusted):
        settled = True
    state, warmup = state._replace(metric=metric), warmup._replace(windows=windows, settled=settled)
    if stretch.recentre and run.recentre is not None and not settled:
        state, warmup = _recentred(run, state, warmup)
    return state, warmup._replace(trusted=bool(state.metric.trusted)) if stretch.look else warmup


def _moving(chain: Chain, metric: Metric) -> Chain:
    """The chain with steps that floats can tell apart: shorter ones move nothing, and no adaptation ends that."""
    scale = np.asarray(metric.scale)
    steepest = np.argmax(np.abs(chain.point.gradient) * scale)  # the coordinate for whose sake steps are short
    distance = float(np.abs(chain.point.position[steepest]) / scale[steepest])
    least = np.log(FLOATS * np.finfo(float).eps * distance) if distance > 0 else -np.inf
    return chain if chain.step.log_step >= least else chain._replace(step=step_size.start(np, np.asarray(least)))


def _recentred(run: Runner, state: ChainState, warmup: Warmup) -> tuple[ChainState, Warmup]:
    """The chain in coordinates learned from the draws kept, with nothing kept but the metric.

    Where the chain's own point can't be told in them, coordinates, draws and metric stay as they are.
    """
    assert run.recentre is not None
    point = state.chain.point
    with np.errstate(all="ignore"):
        moved = run.recentre(state.learned, *warmup.windows.later_part(), point.position, state.metric)
    chain = state.chain._replace(point=point._replace(position=moved.position))
    there = state._replace(chain=chain, metric=moved.metric, learned=moved.learned, counts=state.counts.tuned(1))
    there = there._replace(chain=run(there, Purpose.EVALUATE, 1).chain)
    if not (np.isfinite(moved.position).all() and np.isfinite(_steepest(there.chain))):
        return state._replace(counts=there.counts._replace(fallbacks=there.counts.fallbacks + 1)), warmup
    return there, warmup._replace(windows=warmup.windows.cleared())


def _after_warmup(state: ChainState) -> ChainState:
    """The chain when warmup is over; where there was none, with the step size it was begun with."""
    counts, chain = state.counts, state.chain
    if state.warmup is not None:
        counts = counts._replace(fallbacks=counts.fallbacks + state.warmup.windows.failures)
    if not counts.done:
        chain = chain._replace(step=chain.step._replace(log_average=chain.step.log_step))
    return state._replace(chain=chain, counts=counts, warmup=None)


# --- draws ------------------------------------------------------------------------------------------------------


def _drawn(run: Runner, state: ChainState, wanted: int) -> tuple[ChainState, Batch]:
    """A chunk of draws, as long as fits a breath."""
    start = time.perf_counter()
    chunk = run(state, Purpose.DRAW, min(state.pace, run.rows, wanted - state.drawn))
    n = int(chunk.filled)
    batch = Batch(state.number, chunk.rows.position[:n].copy(), _statistics(chunk.rows, n))
    seconds = max(time.perf_counter() - start, 1e-6)
    pace = max(1, min(run.rows, round(n * BREATH / seconds)))
    return state._replace(chain=chunk.chain, counts=state.counts.sampled(chunk), pace=pace), batch


def _statistics(rows: Record, n: int) -> dict[str, np.ndarray]:
    """Of the first n rows, by ArviZ's names."""
    told = rows.statistics
    found = {
        "lp": rows.log_density, "acceptance_rate": told.acceptance, "step_size": rows.step,
        "tree_depth": told.tree_depth, "n_steps": told.n_steps, "energy": told.energy, "diverging": told.diverging,
        "reached_max_treedepth": told.reached_max_depth,
    }  # fmt: skip
    whole = ("tree_depth", "n_steps")
    return {name: v[:n].astype(np.int64) if name in whole else v[:n].copy() for name, v in found.items()}
