"""Runs the engine on a bare log density, without a model: for the tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from finetti.engines.nuts.chain import Runner, begun, step
from finetti.engines.nuts.leapfrog import Stepper, undivided
from finetti.engines.nuts.metric import Diagonal
from finetti.engines.nuts.program import Chain, Chunk, Program, Purpose, Record, start_chain
from finetti.engines.nuts.state import ChainState
from finetti.engines.settings import Settings


@dataclass
class Recorder:
    """A program that keeps the rows of every chunk, with the mode it was run in."""

    program: Program
    rows: list[tuple[Purpose, Record]] = field(default_factory=list)

    def __call__(self, chain, metric, order, arguments) -> Chunk:
        chunk = self.program(chain, metric, order, arguments)
        n, rows = int(chunk.filled), chunk.rows
        statistics = type(rows.statistics)(*(s[:n].copy() for s in rows.statistics))
        kept = Record(*(part[:n].copy() for part in rows[:4]), statistics)
        self.rows.append((Purpose(int(order.mode)), kept))
        return chunk


@dataclass
class Log:
    """A whole chain: its last state, and its rows."""

    state: ChainState
    rows: list[tuple[Purpose, Record]]

    def __getattr__(self, name: str):
        return getattr(self.state if name in ("step", "metric") else self.state.counts, name)

    def of(self, *modes: Purpose) -> list[Record]:
        return [record for mode, record in self.rows if mode in modes]


@dataclass
class Engine:
    """A compiled density of one flat vector; `log_density(position, arguments)` is in JAX."""

    log_density: object
    size: int
    arguments: tuple = ()
    rows: int = 128
    levels: int = 10
    stepper: Stepper = undivided

    def __post_init__(self):
        sizes = {"rows": self.rows, "levels": self.levels}
        self.program = Program(self.log_density, self.arguments, self.size, stepper=self.stepper, **sizes)

    def runner(self, settings: Settings, arguments: tuple | None = None) -> Runner:
        return Runner(self.program, self.arguments if arguments is None else arguments, settings, self.rows)

    def run(self, chain: Chain, metric: Diagonal, mode: Purpose, length: int) -> Chunk:
        return self.runner(Settings())(ChainState(0, chain, metric), mode, length)

    def start(self, position: np.ndarray, key: int) -> Chain:
        """A chain that knows its density and gradient; the step size is still to be set."""
        chain = start_chain(np.asarray(position, float), 0.0, key)
        return self.run(chain, flat(self.size), Purpose.EVALUATE, 1).chain

    def log(self, position, key: int, settings: Settings, arguments: tuple | None = None) -> Log:
        """One whole chain, warmup and draws."""
        recorder = Recorder(self.program)
        run = replace(self.runner(settings, arguments), program=recorder)
        state = begun(run, [start_chain(np.asarray(position, float), 0.0, key)], 0)
        while state.drawn < settings.draws:
            state, _ = step(run, state, settings.draws)
        return Log(state, recorder.rows)

    def draws(self, starts: np.ndarray, settings: Settings, seed: int = 0) -> np.ndarray:
        """(chain, draw, size), one chain for each row of `starts`."""
        return np.stack([positions(self.log(x, 1000 * seed + k, settings)) for k, x in enumerate(starts)])


def flat(size: int) -> Diagonal:
    return diagonal(np.ones(size))


def diagonal(scale, center=None, *, trusted: float = 0.0) -> Diagonal:
    """The metric of these scales, around 0 and not trusted unless told otherwise."""
    return Diagonal(scale, 0.0 * scale if center is None else center, np.float64(trusted))


def positions(log: Log) -> np.ndarray:
    """(draw, size)."""
    return np.concatenate([record.position for record in log.of(Purpose.DRAW)])


def statistic(log: Log, name: str) -> np.ndarray:
    return np.concatenate([getattr(record.statistics, name) for record in log.of(Purpose.DRAW)])


__all__ = ["Chunk", "Engine", "Log", "diagonal", "flat", "positions", "statistic"]
