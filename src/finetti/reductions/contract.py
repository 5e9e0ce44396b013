"""What a reduction is: unknowns taken out of the density exactly, and drawn back. Nobody outside knows which it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from finetti.model.graph import Constant, Node, Random
from finetti.model.namespace import NUMPY, Namespace


class DrawnBack(NamedTuple):
    """Draws of what was taken out.

    Args:
        values: (draw, *shape) by node.
        unconstrained: (draw, *shape) on the support's own scale, where that is another: exact where a value is too
            small for floating point.
    """

    values: Mapping[Node, Any]
    unconstrained: Mapping[Node, Any]


class Reduction(Protocol):
    """Unknowns taken out of the density exactly, and drawn back.

    Its pattern is what it is made of; its numbers, which the data change, are `arrays`. A compiled program is given
    them, and whoever evaluates it may give others.
    """

    @property
    def members(self) -> tuple[Random, ...]:
        """The unknowns taken out."""

    @property
    def variables(self) -> tuple[Random, ...]:
        """Members and observed variables: all whose densities the marginal replaces."""

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The expressions whose values it reads."""

    @property
    def arrays(self) -> Mapping[Node, np.ndarray]:
        """Its numbers, each under a node that stands for it."""

    @property
    def width(self) -> int:
        """Numbers that one evaluation touches, about."""

    def why(self, member: Random) -> str:
        """For the plan: what allows a member to be taken out."""

    def log_marginal(self, given: Mapping[Node, Any], *, xp: Namespace = NUMPY, lead: int = 0) -> Any:
        """Log density of the data given the rest, with the members integrated out: (draw,) or ().

        Args:
            given: values by node, with a leading axis of draws where `lead=1`; numbers among them replace its own.
            xp: the namespace to compute in.
            lead: number of leading axes of draws.
        """

    def draw(self, given: Mapping[Node, Any], draws: int, rng: np.random.Generator) -> DrawnBack:
        """A draw of every member for each draw of the rest, exact given the rest.

        Args:
            given: values by node, each (draw, *shape) or (1, *shape).
            draws: how many; more than the rest has only where the members do not depend on it.
            rng: source of random numbers.
        """

    def rounding(self, given: Mapping[Node, Any]) -> np.ndarray:
        """About how wrong rounding makes the log marginal, at values (draw, *shape) by node: (draw,).

        Infinite where nothing is left of it.
        """


def numbers_of(reduction: Reduction, given: Mapping[Node, Any], lead: int) -> dict[Node, Any]:
    """The numbers that are given, and its own where none are; without an axis of draws."""
    return {
        node: array if (other := given.get(node)) is None else other[0] if lead else other
        for node, array in reduction.arrays.items()
    }


def placeholder(array: np.ndarray) -> Constant:
    """A node that stands for an array among the arguments of a compiled program."""
    return Constant(array.shape, array.dtype, array)
