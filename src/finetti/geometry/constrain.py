"""Supports -> one flat unconstrained vector: which slice belongs to which free variable, and the way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetti.distributions.bijections import Support
from finetti.model.evaluate import align, evaluate
from finetti.model.graph import Node, Random, Shape
from finetti.model.namespace import NUMPY, Namespace


@dataclass(frozen=True)
class Block:
    """The slice of the flat vector that holds one free variable.

    Args:
        node: the variable.
        support: where it lives.
        start: first position in the flat vector.
        shape: shape of its unconstrained values.
    """

    node: Random
    support: Support
    start: int
    shape: Shape

    @property
    def size(self) -> int:
        """Number of unconstrained values."""
        return int(np.prod(self.shape))

    @property
    def name(self) -> str:
        """The unconstrained name, PyMC's way: `tau_log__`; the plain name where nothing is transformed."""
        suffix = self.support.bijection.suffix
        return f"{self.node.name}_{suffix}" if suffix else str(self.node.name)

    def take(self, flat: Any, lead: int) -> Any:
        """This variable's unconstrained values out of (..., size of the vector)."""
        return flat[..., self.start : self.start + self.size].reshape(flat.shape[:lead] + self.shape)

    def bounds(self, given: Mapping[Node, Any], xp: Namespace, lead: int) -> list[Any]:
        """The values of the parameters that bound the support, aligned with the variable."""
        nodes = self.node.family.bounds_of(self.node.parameters, self.support)
        values = evaluate(nodes, given, xp=xp, lead=lead)
        return [align(v, self.node.ndim) for v in values] if lead else values


def blocks_of(free: Sequence[Random]) -> tuple[Block, ...]:
    """One block after the other, in the order the variables were written."""
    blocks, start = [], 0
    for node in free:
        support = node.family.support_of(node.parameters)
        block = Block(node, support, start, support.bijection.unconstrained(node.shape))
        blocks.append(block)
        start += block.size
    return tuple(blocks)


def constrain(
    blocks: Sequence[Block], flat: Any, given: Mapping[Node, Any], *, xp: Namespace = NUMPY, lead: int = 0
) -> Iterator[tuple[Block, Any, Any]]:
    """Walk the blocks of a flat vector, parents first.

    Args:
        blocks: the layout.
        flat: (draw, unconstrained) with `lead=1`, or (unconstrained,).
        given: data and other arguments by node.
        xp: the namespace to compute in.
        lead: number of leading axes of draws.

    Yields:
        Block, value of shape (draw, *shape), and log-determinants of shape (draw, *batch shape).
    """
    known = dict(given)
    for block in blocks:
        value, log_det = block.support.bijection.forward(
            xp, block.take(flat, lead), *block.bounds(known, xp, lead)
        )
        known[block.node] = value
        yield block, value, log_det


def unconstrain(blocks: Sequence[Block], values: Mapping[Node, np.ndarray], given: Mapping[Node, Any]) -> np.ndarray:
    """The flat vector (unconstrained,) of one point given by the values of the free variables."""
    known = {**given, **values}
    parts = [
        np.asarray(b.support.bijection.inverse(np.asarray(values[b.node], float), *b.bounds(known, NUMPY, 0))).ravel()
        for b in blocks
    ]
    return np.concatenate(parts) if parts else np.zeros(0)
