"""Runs the engine on a bare log density, without a model: for the tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finetti.engines.nuts.chain import ChainLog, Goal, Runner, live
from finetti.engines.nuts.leapfrog import Stepper, undivided
from finetti.engines.nuts.metric import Diagonal
from finetti.engines.nuts.program import Chunk, Mode, compile_program, start_chain
from finetti.engines.settings import Settings


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
        self.program = compile_program(self.log_density, self.arguments, self.size, stepper=self.stepper, **sizes)

    def runner(self, settings: Settings, arguments: tuple | None = None) -> Runner:
        return Runner(self.program, self.arguments if arguments is None else arguments, settings, self.rows)

    def start(self, position: np.ndarray, key: int):
        """A chain that knows its density and gradient; the step size is still to be set."""
        run = self.runner(Settings())
        chain = start_chain(np.asarray(position, float), 0.0, key)
        return run(chain, flat(self.size), Mode.EVALUATE, 1).chain

    def log(self, position, key: int, settings: Settings, arguments: tuple | None = None) -> ChainLog:
        """One whole chain, warmup and draws."""
        log = ChainLog(0)
        chain = start_chain(np.asarray(position, float), 0.0, key)
        for _ in live(self.runner(settings, arguments), chain, log, Goal(settings.draws)):
            pass
        return log

    def draws(self, starts: np.ndarray, settings: Settings, seed: int = 0) -> np.ndarray:
        """(chain, draw, size), one chain for each row of `starts`."""
        return np.stack([positions(self.log(x, 1000 * seed + k, settings)) for k, x in enumerate(starts)])


def flat(size: int) -> Diagonal:
    return diagonal(np.ones(size))


def diagonal(scale, center=None, *, trusted: float = 0.0) -> Diagonal:
    """The metric of these scales, around 0 and not trusted unless told otherwise."""
    return Diagonal(scale, 0.0 * scale if center is None else center, np.float64(trusted))


def positions(log: ChainLog) -> np.ndarray:
    """(draw, size)."""
    return np.concatenate([record.position for record in log.records])


def statistic(log: ChainLog, name: str) -> np.ndarray:
    return np.concatenate([getattr(record.statistics, name) for record in log.records])


__all__ = ["Chunk", "Engine", "diagonal", "flat", "positions", "statistic"]
