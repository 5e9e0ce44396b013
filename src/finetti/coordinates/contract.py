"""Coordinates that are learned: how a variable is laid out for the sampler, given by numbers found during warmup.

The numbers stand under a node of their own among the arguments of the compiled program, so that a change of them
compiles nothing. A change of coordinates changes no model: the density of the values is the same in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from finetti.distributions.bijections import Logs
from finetti.model.graph import Constant, Node
from finetti.model.namespace import Namespace


class Learned(NamedTuple):
    """What draws teach: the numbers under the coordinates' node, and the same draws and gradients in them.

    Args:
        numbers: the new value of `place`.
        draws, gradients: (draw, *shape) in the new coordinates, all other coordinates held.
    """

    numbers: np.ndarray
    draws: np.ndarray
    gradients: np.ndarray


class Coordinates(Protocol):
    """A map between a variable and its coordinates."""

    @property
    def place(self) -> Constant:
        """The node under which the numbers are given; its value is what they are before anything is learned."""

    @property
    def learned(self) -> bool:
        """Whether they change during warmup."""

    @property
    def reads(self) -> tuple[Node, ...]:
        """The expressions the map depends on besides."""

    def forward(self, xp: Namespace, x: Any, given: Mapping[Node, Any], lead: int) -> tuple[Any, Any]:
        """The variable's value at coordinates x, and the log-determinant for each element."""

    def logs(self, xp: Namespace, x: Any, given: Mapping[Node, Any], lead: int) -> Logs | None:
        """Logarithms of the value at coordinates x that hold near 0; None for a variable that has no end at 0."""

    def inverse(self, value: np.ndarray, given: Mapping[Node, Any], lead: int = 0) -> np.ndarray:
        """Coordinates at a value of the variable, or at many with `lead=1`."""

    def learn(self, draws: np.ndarray, gradients: np.ndarray, given: Mapping[Node, Any]) -> Learned:
        """Better numbers, from draws and gradients (draw, *shape) in the present coordinates.

        Args:
            draws, gradients: along the present coordinates, all others held.
            given: values (draw, *shape) or (1, *shape) of what the map reads, and the present numbers.
        """

    def told(self, name: str, given: Sequence[Mapping[Node, Any]]) -> str:
        """A sentence for the plan on what was learned, from values of each chain; empty where there is nothing."""
