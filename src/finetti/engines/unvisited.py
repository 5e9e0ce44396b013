"""Modes that a search finds and no chain came near: looked for after a run of few unknowns, where that costs little.

A chain cannot tell of a mode that it never saw. Points spread over the prior, and climbs from the best of them, may
find one; it is another one if the density dips on the way from there to the draws next to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from finetti.coordinates.constrain import constrain
from finetti.density import Density
from finetti.engines.batches import Batches, Counting
from finetti.engines.contract import Drawn
from finetti.engines.modes import Mode
from finetti.engines.scatter import spread
from finetti.engines.search import modes_among
from finetti.model.graph import Node

MOST_UNKNOWNS = 12  # beyond, a search among points finds little
POINTS, WORK = 1024, 40_000_000  # of a search, and numbers touched by it at most, climbs included
PER_POINT = 20  # evaluations of a search for each of its points, about
NEIGHBOURS, DIP = 8, 3.0  # draws next to a mode from which the way is looked at; nats below its ends that part the two
BETWEEN = np.linspace(0.0, 1.0, 22)[1:-1]
LEAST_MASS = 0.01  # of a mode, over that of the draws, were both Gaussian, from which it matters
SHOWN = 4  # numbers in words
SEARCHED = (
    f"{POINTS:,} points spread over the prior led to no mode that the chains missed; one much narrower than their "
    "spacing would not show"
)


def unvisited(density: Density, drawn: Drawn, rng: np.random.Generator) -> tuple[str, ...] | None:
    """Where modes are that the draws did not come near, each in words, the heaviest first; None where it is too dear.

    Args:
        density: of the model.
        drawn: draws from it.
        rng: places points.
    """
    evaluate = Batches(density)
    if not 0 < density.size <= MOST_UNKNOWNS or POINTS * PER_POINT * evaluate.width > WORK:
        return None
    draws, count = _own_coordinates(density, drawn), Counting(evaluate)
    values = count(draws)
    draws, values = draws[np.isfinite(values)], values[np.isfinite(values)]
    if len(draws) <= density.size:
        return None
    points = np.concatenate([draws[np.argmax(values)][None], spread(density, POINTS, rng)])
    least = _mass_of_draws(draws, values) + np.log(LEAST_MASS)
    heavy = [mode for mode in modes_among(count, points).modes if _mass(mode) > least]
    alone = [mode for mode in heavy if _parted(mode, draws, values, count)]
    return tuple(_told(density, mode) for mode in sorted(alone, key=_mass, reverse=True))


def _own_coordinates(density: Density, drawn: Drawn) -> np.ndarray:
    """(draw, unconstrained) some draws of all chains, in the density's own coordinates, not those they learned."""
    step = max(1, drawn.flat.shape[1] // 100)
    given = drawn.arguments or (density.arguments,) * len(drawn.flat)
    return np.concatenate([_moved(density, flat[::step], own) for flat, own in zip(drawn.flat, given, strict=True)])


def _moved(density: Density, flat: np.ndarray, arguments: Mapping[Node, np.ndarray]) -> np.ndarray:
    there: dict[Node, Any] = {node: value[None] for node, value in arguments.items()}
    here: dict[Node, Any] = dict(density.batched_arguments())
    values = {block.node: value for block, value, _ in constrain(density.blocks, flat, there, lead=1)}
    with np.errstate(all="ignore"):
        parts = [b.inverse(values[b.node], here | values, lead=1).reshape(len(flat), -1) for b in density.blocks]
    return np.concatenate(parts, axis=1)


def _mass(mode: Mode) -> float:
    """Its logarithm, were it Gaussian, but for what all have."""
    return mode.height + float(np.linalg.slogdet(mode.root)[1])


def _mass_of_draws(draws: np.ndarray, values: np.ndarray) -> float:
    """The same of a Gaussian with their covariance, which is larger where they have several modes."""
    d = draws.shape[1]
    covariance = np.atleast_2d(np.cov(draws.T))
    return float(values.mean()) + 0.5 * d + 0.5 * float(np.linalg.slogdet(covariance)[1])


def _parted(mode: Mode, draws: np.ndarray, values: np.ndarray, count: Counting) -> bool:
    """Whether the density dips on the straight way from a mode to each of the draws next to it."""
    with np.errstate(all="ignore"):
        away = np.linalg.norm(np.linalg.solve(mode.root, (draws - mode.place).T), axis=0)
    nearest = np.argsort(away)[:NEIGHBOURS]
    ways = mode.place + BETWEEN[:, None, None] * (draws[nearest] - mode.place)
    lowest = count(ways.reshape(-1, draws.shape[1])).reshape(len(BETWEEN), -1).min(axis=0)
    return bool((lowest < np.minimum(values[nearest], mode.height) - DIP).all())


def _told(density: Density, mode: Mode) -> str:
    """Where it is: the first of the variables' values."""
    parts = []
    for block, value, _ in constrain(density.blocks, mode.place, density.arguments):
        numbers = np.asarray(value).ravel()
        text = ", ".join(f"{number:.3g}" for number in numbers[:SHOWN]) + (", ..." if numbers.size > SHOWN else "")
        parts.append(f"{block.node.name} = {text}")
    return "; ".join(parts[:SHOWN])
