"""NUTS made ready for a density: compiled, with a start for each chain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from finetti.density import Density
from finetti.engines.backend import slow_loops
from finetti.engines.contract import Batch, Order, Told, Wait
from finetti.engines.nuts.chain import Moved, Runner, begun, step
from finetti.engines.nuts.learning import learned_blocks, recentre, told
from finetti.engines.nuts.program import STEPPERS, Chain, Program, start_chain
from finetti.engines.nuts.state import KINDS, ChainState
from finetti.engines.patience import said_if_long
from finetti.engines.settings import Settings
from finetti.engines.start import Start, checked_wishes, other_starts, start_points
from finetti.interrupts import held
from finetti.model.graph import Apply, Node, ancestors

MANY_OPERATIONS = 300  # in a model; beyond, somebody has written a loop
ROW_NUMBERS = 2**15  # numbers in the buffer of one chunk, about
UNSEEN = "a mode that no chain came near would not show"


def ready_nuts(order: Order) -> ReadyNuts:
    """Find a start for each chain and compile.

    Raises:
        SamplingError: where there is no start.
    """
    starts = start_points(order.density, [np.random.default_rng(seed) for seed in order.seeds], order.starts)
    began = time.perf_counter()
    with held():
        runner = _compiled(order.density, order.settings)
    return ReadyNuts(order, runner, starts, time.perf_counter() - began)


class ReadyNuts:
    """A compiled program, and where chains start.

    Args:
        order: what to draw from; a chain's start and all its numbers come from its seed.
        runner: the program.
        starts: of each chain.
        compile_time: seconds.
    """

    kinds = KINDS

    def __init__(self, order: Order, runner: Runner, starts: Sequence[Start], compile_time: float):
        self.order, self.runner, self.starts, self.compile_time = order, runner, starts, compile_time

    @property
    def wait(self) -> Wait:
        """Warmup and draws."""
        tune = self.order.settings.tune
        return Wait(tune + self.order.settings.draws, tune)

    def start(self) -> tuple[ChainState, ...]:
        """Each chain before its first transition."""
        density, seeds = self.order.density, self.order.seeds
        wishes = checked_wishes(density, self.order.starts, len(seeds))
        chains = enumerate(zip(self.starts, seeds, wishes, strict=True))
        return tuple(begun(self.runner, self._starts(*chain), number) for number, chain in chains)

    def step(self, state: ChainState, wanted: int) -> tuple[ChainState, tuple[Batch, ...]]:
        """One chunk of warmup or of draws."""
        state, batch = step(self.runner, state, wanted)
        return state, () if batch is None else (batch,)

    def shown(self, state: ChainState) -> tuple[ChainState, ...]:
        """The chain itself."""
        return (state,)

    def told(self, states: Sequence[ChainState], draws: np.ndarray) -> Told:
        """What was learned, and how it went."""
        density = self.order.density
        given = [self.runner.arguments_with(state.learned) for state in states]
        arguments = [dict(zip(density.arguments, arrays, strict=True)) for arrays in given]
        facts = _facts(self.order.settings, states) | {"compile_time": self.compile_time}
        notes = (*_coordinates(density, arguments, draws), *_fallbacks(states), *filter(None, [slow_loops()]))
        return Told(facts, notes, arguments=tuple(arguments))

    def _starts(
        self, first: Start, seed: np.random.SeedSequence, wish: Mapping[Node, np.ndarray]
    ) -> Iterator[Chain]:  # fmt: skip
        """A chain at its start, and at others, should the first be of no use."""
        key = int(seed.generate_state(1, np.uint64)[0])
        yield start_chain(*first, key)
        yield from (start_chain(*other, key) for other in other_starts(self.order.density, seed, wish))


def _compiled(density: Density, settings: Settings) -> Runner:
    from finetti.model.namespace import jax_namespace

    nodes, arguments = tuple(density.arguments), tuple(density.arguments.values())

    def log_density(flat, values):
        return density(flat, dict(zip(nodes, values, strict=True)), xp=jax_namespace())

    rows = int(np.clip(ROW_NUMBERS // max(density.size, 1), 16, 512))
    levels = max(settings.max_treedepth, 10)
    stepper = STEPPERS[settings.step]
    with said_if_long(_of_compilation(density)):
        program = Program(log_density, arguments, density.size, rows=rows, levels=levels, stepper=stepper)
    places = [b.coordinates.place for b in learned_blocks(density) if b.coordinates is not None]
    at = {node: number for number, node in enumerate(nodes)}
    move = _recentring(density, places) if places else None
    return Runner(program, arguments, settings, rows, tuple(at[place] for place in places), move, density.name_of)


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


def _recentring(density: Density, places: Sequence[Node]) -> Callable[..., Moved]:
    """`recentre` by the numbers of learned coordinates alone."""

    def move(learned, draws, gradients, position, metric) -> Moved:
        given = {**density.arguments, **dict(zip(places, learned, strict=True))}
        new = recentre(density, given, draws, gradients, position, metric)
        return Moved(tuple(new.arguments[place] for place in places), new.position, new.metric)

    return move


def _coordinates(
    density: Density, arguments: Sequence[Mapping[Node, np.ndarray]], draws: np.ndarray
) -> tuple[str, ...]:  # fmt: skip
    """What was learned of the coordinates; words, so that a failure there loses no draws."""
    try:
        with np.errstate(all="ignore"):
            return told(density, arguments, draws)
    except Exception as error:
        return (f"what was learned of the coordinates can't be told: {error!r}",)


def _fallbacks(states: Sequence[ChainState]) -> tuple[str, ...]:
    """A sentence where adaptation could not use what it saw."""
    count = sum(state.counts.fallbacks for state in states)
    if not count:
        return ()
    times = "once" if count == 1 else f"{count:,} times"
    return (f"warmup kept the metric or the coordinates it had {times}: what it saw was not finite, or too far apart",)


def _facts(settings: Settings, states: Sequence[ChainState]) -> dict[str, Any]:
    """What is worth knowing of a run afterwards."""
    from importlib.metadata import version

    return {
        "sampler": "nuts",
        "independent_draws": False,
        "trajectories": True,
        "unseen": UNSEEN,
        "jax_version": version("jax"),
        "tuning_steps": settings.tune,
        "tuning_steps_left_out": sum(state.counts.left_out for state in states),
        "target_accept": max(settings.target(state.metric) for state in states),
        "max_treedepth": settings.max_treedepth,
        "step": settings.step,
        "tuning_gradients": sum(state.counts.tuning_gradients for state in states),
        "tuning_divergences": sum(state.counts.tuning_divergences for state in states),
    }
