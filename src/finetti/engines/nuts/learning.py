"""Learning coordinates between two chunks, with the draws and gradients of the last ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetti.coordinates.constrain import Block, constrain, unconstrain
from finetti.density import Density
from finetti.engines.nuts import metric as metrics
from finetti.engines.nuts.metric import Diagonal, Metric
from finetti.model.graph import Node

Arguments = Mapping[Node, np.ndarray]
LOOKED_AT = 200  # draws of each chain from which the plan's words are made


@dataclass(frozen=True)
class Recentred:
    """A chain in its new coordinates.

    Args:
        arguments: of the density, with the new numbers among them.
        position: (unconstrained,) the same point.
        metric: the old one, but for the coordinates that are new.
    """

    arguments: Arguments
    position: np.ndarray
    metric: Diagonal


def learned_blocks(density: Density) -> list[Block]:
    """The blocks whose coordinates are learned."""
    return [b for b in density.blocks if b.coordinates is not None and b.coordinates.learned]


def recentre(
    density: Density, arguments: Arguments, draws: np.ndarray, gradients: np.ndarray, position: np.ndarray,
    metric: Metric,
) -> Recentred:
    """Learn the coordinates of every variable that has some to learn, and move a chain over.

    Args:
        density: of the model.
        arguments: its arguments, with the present coordinates.
        draws: (draw, unconstrained) in the present coordinates.
        gradients: (draw, unconstrained) at the draws.
        position: (unconstrained,) where the chain is.
        metric: in the present coordinates.
    """  # fmt: skip
    known: dict[Node, Any] = {node: value[None] for node, value in arguments.items()}
    chosen, x, g = dict(arguments), draws.copy(), gradients.copy()
    for block, value, _ in constrain(density.blocks, draws, known, lead=1):
        known[block.node] = value
        if block.coordinates is not None and block.coordinates.learned:
            found = block.coordinates.learn(block.take(draws, 1), block.take(gradients, 1), known)
            chosen[block.coordinates.place] = found.numbers
            part = slice(block.start, block.start + block.size)
            x[:, part], g[:, part] = found.draws.reshape(len(x), -1), found.gradients.reshape(len(g), -1)
    walk = constrain(density.blocks, position, arguments)
    moved: dict[Node, np.ndarray] = {block.node: value for block, value, _ in walk}
    place = unconstrain(density.blocks, moved, chosen)
    return Recentred(chosen, place, metrics.from_window(x, g, Diagonal(*metric[:3])))


def told(density: Density, arguments: Sequence[Arguments], flat: np.ndarray) -> tuple[str, ...]:
    """A sentence on each variable's coordinates, over the chains.

    Args:
        density: of the model.
        arguments: of each chain, with the coordinates learned.
        flat: (chain, draw, unconstrained) draws.
    """
    thinned = flat[:, :: max(1, flat.shape[1] // LOOKED_AT)]
    known = [_values(density, given, rows) for given, rows in zip(arguments, thinned, strict=True)]
    learned = [(block.coordinates, str(block.node.name)) for block in learned_blocks(density)]
    notes = [coordinates.told(name, known) for coordinates, name in learned if coordinates is not None]
    return tuple(filter(None, notes))


def _values(density: Density, arguments: Arguments, rows: np.ndarray) -> dict[Node, Any]:
    known: dict[Node, Any] = {node: value[None] for node, value in arguments.items()}
    known |= {block.node: value for block, value, _ in constrain(density.blocks, rows, known, lead=1)}
    return known
