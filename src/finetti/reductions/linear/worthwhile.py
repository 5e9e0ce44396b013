"""The linear-Gaussian block that is worth integrating out: of a bearable size, and cheaper than what it saves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from finetti.coordinates.constrain import blocks_of
from finetti.model.graph import Node, Random
from finetti.reductions.linear.build import linear_gaussian_of
from finetti.reductions.linear.cost import too_dear
from finetti.reductions.linear.gaussian import LinearGaussian
from finetti.reductions.linear.layout import TooLarge
from finetti.reductions.linear.members import Found, find


def best_block(
    randoms: Sequence[Random], potentials: Mapping[str, Node], data: Mapping[Node, np.ndarray],
    kept: Mapping[Node, str], *, few: int,
) -> tuple[LinearGaussian | None, dict[Node, str]]:  # fmt: skip
    """The block, leaving out the largest member as long as the rest is too large, or costs more than it saves.

    Args:
        randoms: every random variable of the model.
        potentials: by name.
        data: values of the model's data.
        kept: unknowns that stay, with the reason in words.
        few: coordinates that may be left for draws without a compiled chain.

    Returns:
        The block, if there is one, and why other unknowns are not in it.
    """
    excluded, free = dict(kept), [node for node in randoms if node.observed is None]
    while True:
        found = find(randoms, potentials, data, excluded)
        if not found.members or not _gains(found):
            return None, dict(found.refused)
        rest = [node for node in free if node not in set(found.members)]
        try:
            block = linear_gaussian_of(found, rest, data)
            left = sum(block_.size for block_ in blocks_of(rest))
            why = too_dear(block, left, [*randoms, *potentials.values()], few=few)
        except TooLarge as error:
            why = str(error)
        if not why:
            return block, dict(found.refused)
        excluded = {**excluded, max(found.members, key=lambda m: m.size): why}


def _gains(found: Found) -> bool:
    """Members that nothing depends on, and that depend on nothing, gain nothing by being integrated out."""
    return any(piece.node.observed is not None for piece in found.pieces) or len(found.members) > 1
