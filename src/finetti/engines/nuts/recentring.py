"""Learning the centring of latents between two chunks, with the draws and gradients of the last ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetti.density import Density
from finetti.engines.nuts.metric import Diagonal
from finetti.geometry.constrain import Block, constrain, unconstrain
from finetti.geometry.recenter import fitted_c
from finetti.model.graph import Node
from finetti.model.namespace import NUMPY

Arguments = Mapping[Node, np.ndarray]


@dataclass(frozen=True)
class Recentred:
    """A chain in its new coordinates.

    Args:
        arguments: of the density, with the new centring among them.
        position: (unconstrained,) the same point.
        metric: the old scales, but for those of the new coordinates.
    """

    arguments: Arguments
    position: np.ndarray
    metric: Diagonal


def learned_blocks(density: Density) -> list[Block]:
    """The blocks whose centring is learned."""
    return [b for b in density.blocks if b.centring is not None and b.centring.learned]


def recentre(
    density: Density, arguments: Arguments, draws: np.ndarray, gradients: np.ndarray, position: np.ndarray,
    metric: Diagonal,
) -> Recentred:
    """Choose the centring of every latent that has one to choose, and move a chain over.

    Args:
        density: of the model.
        arguments: its arguments, with the present centring.
        draws: (draw, unconstrained) in the present coordinates.
        gradients: (draw, unconstrained) at the draws.
        position: (unconstrained,) where the chain is.
        metric: in the present coordinates.
    """  # fmt: skip
    given = {node: value[None] for node, value in arguments.items()}
    known: dict[Node, Any] = dict(given)
    chosen, scale = dict(arguments), np.array(metric.scale)
    for block, value, _ in constrain(density.blocks, draws, given, lead=1):
        known[block.node] = value
        if block.centring is not None and block.centring.learned:
            place = block.centring.place
            xi, loc, log_scale = block.centring.standardise(NUMPY, block.take(draws, 1), known)
            slope = block.take(gradients, 1)
            c, spread, steepness = fitted_c(xi, loc, log_scale, slope, arguments[place])
            chosen[place] = c
            scale[block.start : block.start + block.size] = _scale(spread, steepness).ravel()
    walk = constrain(density.blocks, position, arguments)
    moved: dict[Node, np.ndarray] = {block.node: value for block, value, _ in walk}
    return Recentred(chosen, unconstrain(density.blocks, moved, chosen), Diagonal(scale))


def _scale(spread: np.ndarray, steepness: np.ndarray) -> np.ndarray:
    usable = (spread > 0) & (steepness > 0)
    return np.sqrt(np.where(usable, spread / np.where(usable, steepness, 1.0), 1.0))


def told(density: Density, arguments: Sequence[Arguments]) -> tuple[str, ...]:
    """A sentence on each latent's centring, over the chains."""
    notes = []
    for block in learned_blocks(density):
        c = np.stack([a[block.centring.place] for a in arguments])  # type: ignore[union-attr]
        notes.append(
            f"{block.node.name}: centring {c.mean():.2f} on average, from {c.mean(axis=0).min():.2f} to "
            f"{c.mean(axis=0).max():.2f} (0 non-centred, 1 centred)"
        )
    return tuple(notes)
