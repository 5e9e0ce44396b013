"""Step size: a first guess by doubling or halving, then dual averaging towards the target acceptance rate."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

KAPPA, T0, GAMMA = 0.75, 10.0, 0.05
SEARCH_TARGET = 0.8


class StepSize(NamedTuple):
    """State of dual averaging: current and averaged log step, the centre it shrinks to, mean error, updates so far."""

    log_step: Any
    log_average: Any
    center: Any
    error: Any
    count: Any


def start(xp, log_step) -> StepSize:
    """Dual averaging from a first guess, with ten times that as the centre."""
    zero = xp.zeros_like(log_step)
    return StepSize(log_step, log_step, log_step + xp.log(10.0), zero, zero)


def update(xp, state: StepSize, acceptance, target, log_longest=np.inf) -> StepSize:
    """One update from a transition's mean acceptance (Hoffman and Gelman 2014, algorithm 6).

    At the longest step it stands still: the mean error is then what it would be had it just arrived there.
    """
    count = state.count + 1.0
    weight = 1.0 / (count + T0)
    error = (1.0 - weight) * state.error + weight * (target - acceptance)
    log_step = xp.minimum(state.center - error * xp.sqrt(count) / GAMMA, log_longest)
    error = (state.center - log_step) * GAMMA / xp.sqrt(count)
    fade = count**-KAPPA
    return StepSize(log_step, fade * log_step + (1.0 - fade) * state.log_average, state.center, error, count)
