"""Supports -> one flat unconstrained vector: which slice belongs to which free variable, and the way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from finetti.coordinates.centring import Centring
from finetti.coordinates.contract import Coordinates
from finetti.distributions.bijections import Logs, Support, continuous
from finetti.model.evaluate import align, evaluate
from finetti.model.graph import Node, Random, Shape, ancestors
from finetti.model.namespace import NUMPY, Namespace


@dataclass(frozen=True)
class Block:
    """The slice of the flat vector that holds one free variable.

    Args:
        node: the variable.
        support: where it lives.
        start: first position in the flat vector.
        shape: shape of its unconstrained values.
        coordinates: those it is sampled in, where they are not its support's own.
    """

    node: Random
    support: Support
    start: int
    shape: Shape
    coordinates: Coordinates | None = None

    @property
    def size(self) -> int:
        """Number of unconstrained values."""
        return prod(self.shape)

    @property
    def name(self) -> str:
        """The unconstrained name, PyMC's way: `tau_log__`; the plain name where nothing is transformed."""
        suffix = continuous(self.support).suffix
        return f"{self.node.name}_{suffix}" if suffix else str(self.node.name)

    def take(self, flat: Any, lead: int) -> Any:
        """This variable's unconstrained values out of (..., size of the vector)."""
        return flat[..., self.start : self.start + self.size].reshape(flat.shape[:lead] + self.shape)

    @property
    def transformed(self) -> bool:
        """Whether the map to the value has a log-determinant other than 0."""
        return self.coordinates is not None or bool(continuous(self.support).suffix)

    def forward(self, z: Any, given: Mapping[Node, Any], xp: Namespace, lead: int) -> tuple[Any, Any]:
        """The variable's value at unconstrained values, and the log-determinants."""
        if self.coordinates is not None:
            return self.coordinates.forward(xp, z, given, lead)
        return continuous(self.support).forward(xp, z, *self.bounds(given, xp, lead))

    def logs(self, z: Any, given: Mapping[Node, Any], xp: Namespace, lead: int) -> Logs | None:
        """Logarithms of the value at unconstrained values, exact near 0; None where its support has no end there."""
        if self.coordinates is not None:
            return self.coordinates.logs(xp, z, given, lead)
        logs = continuous(self.support).logs
        return None if logs is None else logs(xp, z)

    def inverse(self, value: np.ndarray, given: Mapping[Node, Any], lead: int = 0) -> np.ndarray:
        """Unconstrained values at a value of the variable, or at many with `lead=1`."""
        if self.coordinates is not None:
            return self.coordinates.inverse(value, given, lead)
        return np.asarray(continuous(self.support).inverse(value, *self.bounds(given, NUMPY, lead)))

    def bounds(self, given: Mapping[Node, Any], xp: Namespace, lead: int) -> list[Any]:
        """The values of the parameters that bound the support, aligned with the variable."""
        nodes = self.node.family.bounds_of(self.node.parameters, self.support)
        values = evaluate(nodes, given, xp=xp, lead=lead)
        return [align(v, self.node.ndim) for v in values] if lead else values


def blocks_of(free: Sequence[Random], coordinates: Mapping[Random, Coordinates] | None = None) -> tuple[Block, ...]:
    """One block after the other: in the order the variables were written, but none before what its coordinates read."""
    chosen = dict(coordinates or {})
    blocks, start = [], 0
    for node in _ordered(list(free), chosen):
        support = node.family.support_of(node.parameters)
        shape = node.shape if node in chosen else continuous(support).unconstrained(node.shape)
        block = Block(node, support, start, shape, chosen.get(node))
        blocks.append(block)
        start += block.size
    return tuple(blocks)


def _ordered(free: list[Random], chosen: dict[Random, Coordinates]) -> list[Random]:
    """The variables so that each comes after those its coordinates read; a circle is broken by giving some up."""
    waiting, order = list(free), []
    while waiting:
        open_ = set(waiting)
        ready = next((n for n in waiting if not _read(chosen.get(n)) & open_), None)
        if ready is None:
            ready = next(n for n in waiting if isinstance(c := chosen.get(n), Centring) and c.standardised)
            del chosen[ready]
        waiting = [n for n in waiting if n is not ready]
        order.append(ready)
    return order


def _read(coordinates: Coordinates | None) -> set[Node]:
    """The random variables that coordinates read."""
    return {n for n in ancestors(coordinates.reads if coordinates else ()) if isinstance(n, Random)}


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
        value, log_det = block.forward(block.take(flat, lead), known, xp, lead)
        known[block.node] = value
        yield block, value, log_det


def unconstrain(blocks: Sequence[Block], values: Mapping[Node, np.ndarray], given: Mapping[Node, Any]) -> np.ndarray:
    """The flat vector (unconstrained,) of one point given by the values of the free variables."""
    known = {**given, **values}
    parts = [np.asarray(b.inverse(np.asarray(values[b.node], float), known), float).ravel() for b in blocks]
    return np.concatenate(parts) if parts else np.zeros(0)
