"""What an engine is: what it suits, in words; its state, which is data; steps from state to state; draws to a sink.

An engine is asked what it makes of a target (`offers`) and made ready for a density (`ready`), which may still find
that the density does not suit it. Made ready, it has one state for each strand, the chains that it draws together: NUTS
one for each, proposals one for all. A step takes a state to the next and gives the draws made on the way; it changes
nothing else, so that a state that was written down goes on to the same draws, in another process too (`written`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from finetti.density import Density
from finetti.engines.settings import Settings
from finetti.model.graph import Node


class Target(NamedTuple):
    """What is to be drawn, as far as a plan knows it.

    Args:
        left: unconstrained coordinates.
        reduced: whether something was integrated out.
        as_written: whether plain NUTS on the model as it stands was asked for.
        step: `step=` of `sample`; one that is named asks for NUTS where proposals would serve.
    """

    left: int
    reduced: bool
    as_written: bool = False
    step: str = "auto"


class Offer(NamedTuple):
    """Whether an engine would draw a target, and what it suits, in words."""

    takes: bool
    suits: str


@dataclass(frozen=True)
class Order:
    """A density and how to draw from it.

    Args:
        density: of the model.
        settings: of the run.
        seeds: one for each chain.
        rng: for what belongs to no chain: searches and fits.
        cores: threads at most; None for as many as there are processors.
        starts: of the variables by name, see `start_points`.
        progressbar: show one, where there is something to wait for.
    """

    density: Density
    settings: Settings
    seeds: Sequence[np.random.SeedSequence]
    rng: np.random.Generator
    cores: int | None = None
    starts: Any = None
    progressbar: bool = False


class Batch(NamedTuple):
    """Some draws of one chain, in order: (draw, unconstrained), and statistics (draw,) by ArviZ's names."""

    chain: int
    flat: np.ndarray
    statistics: Mapping[str, np.ndarray]


class Shown(Protocol):
    """How far a chain is: transitions done, draws made, divergences among them, and the step size, NaN if none."""

    @property
    def done(self) -> int: ...
    @property
    def drawn(self) -> int: ...
    @property
    def divergences(self) -> int: ...
    @property
    def step(self) -> float: ...


class Sink(Protocol):
    """Where draws go, batch by batch, while a run goes on; it also says how many it wants."""

    @property
    def wanted(self) -> int:
        """Draws that each chain goes on to; read before each step, so that it may change."""

    def take(self, batch: Batch) -> None:
        """Take draws; batches of one chain come in order, on any thread."""

    def watch(self, chains: Sequence[Shown]) -> None:
        """See how far the chains are, every now and then, on the thread that runs them."""


@dataclass(frozen=True)
class Told:
    """What an engine tells of its run.

    Args:
        facts: for the trace's attributes; what the verdict reads of them is in `diagnostics.sampler.Asked`.
        notes: sentences for the plan.
        what: was done to the unknowns that were left.
        arguments: of the density, for each chain, where chains have learned coordinates of their own.
    """

    facts: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    what: str = "sampled"
    arguments: tuple[Mapping[Node, np.ndarray], ...] = ()


class Wait(NamedTuple):
    """What there is to wait for: transitions of each chain, and how many of them are warmup."""

    total: int
    tune: int


class Ready(Protocol):
    """An engine made ready for one order. States are named tuples of numbers and arrays."""

    @property
    def wait(self) -> Wait | None:
        """None where it is over at once."""

    @property
    def kinds(self) -> tuple[type, ...]:
        """The named tuples that its states are made of."""

    def start(self) -> tuple[Any, ...]:
        """The state of each strand before its first step."""

    def step(self, state: Any, wanted: int) -> tuple[Any, tuple[Batch, ...]]:
        """The next state, at most `wanted` draws of each chain from the start, and the draws made on the way.

        Raises:
            Declined: where the first draws show that the density does not suit the engine after all.
        """

    def shown(self, state: Any) -> tuple[Shown, ...]:
        """How far each chain of a strand is."""

    def told(self, states: Sequence[Any], draws: np.ndarray) -> Told:
        """What there is to tell at the end, also of the draws (chain, draw, unconstrained)."""


class Engine(Protocol):
    """A way to draw."""

    @property
    def name(self) -> str:
        """In the attribute `sampler` of a trace."""

    def offers(self, target: Target) -> Offer:
        """Whether it would draw that, and what it suits."""

    def ready(self, order: Order) -> Ready:
        """Make ready: search, fit, compile.

        Raises:
            Declined: where the density does not suit it.
        """


class Declined(Exception):
    """An engine found that a density does not suit it; the words say why."""


@dataclass(frozen=True)
class Drawn:
    """Draws of what was not integrated out, and what the engine tells of them.

    Args:
        flat: (chain, draw, unconstrained) draws.
        statistics: (chain, draw) arrays by ArviZ's names.
        told: by the engine.
    """

    flat: np.ndarray
    statistics: Mapping[str, np.ndarray]
    told: Told = field(default_factory=lambda: Told({}))

    @property
    def arguments(self) -> tuple[Mapping[Node, np.ndarray], ...]:
        """Of the density, for each chain, where chains have learned coordinates of their own."""
        return self.told.arguments

    def until(self, draws: int) -> Drawn:
        """The first draws of every chain."""
        statistics = {name: values[:, :draws] for name, values in self.statistics.items()}
        return Drawn(self.flat[:, :draws], statistics, self.told)
