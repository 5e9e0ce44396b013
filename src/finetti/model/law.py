"""What a random variable knows of its law: the contract of distributions, whether a family or made of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np


class MadeLaw(Protocol):
    """A law of probability, a value: its parameters by name and domain, its support, its density, its draws.

    Functions of numbers get `(xp, x, *parameters)`, arrays that broadcast against x.
    """

    @property
    def parameters(self) -> Any:
        """In order, each with its name, its domain and the axes of one value."""

    @property
    def conditions(self) -> Any:
        """What several parameters must satisfy together."""

    @property
    def event_ndim(self) -> int:
        """Axes of one value."""

    @property
    def discrete(self) -> bool:
        """Whether values are whole numbers."""

    @property
    def drawable(self) -> bool:
        """Whether it can be drawn from."""

    def log_density(self, xp: Any, x: Any, *parameters: Any) -> Any:
        """Log density of each event, at values inside the support."""

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...], *parameters: Any) -> np.ndarray:
        """Draws of that shape."""

    def center(self, xp: Any, *parameters: Any) -> Any:
        """A point well inside the bulk, where a chain may start."""

    def support_of(self, parameters: tuple[Any, ...]) -> Any:
        """The support, where it depends on which parameters are given."""

    def bounds_of(self, values: tuple[Any, ...], support: Any) -> list[Any]:
        """Those of the parameters' values that bound the support."""

    def event_shape(self, parameters: tuple[Any, ...]) -> tuple[int, ...]:
        """The shape of one value, from the shapes of the parameters."""

    def check(self, node: Any, data: Mapping[Any, np.ndarray]) -> None:
        """Refuse parameters outside their domain and data outside the support, wherever both are known now."""

    def check_values(self, node: Any, values: Sequence[np.ndarray | None]) -> None:
        """Refuse values of the parameters outside their domain; None stands for a value that is not known."""


# A `MadeLaw` or a class derived from `Family`, which answers the same without being instantiated. Type checkers do not
# take a class for an implementation of a protocol where its attributes are class variables, hence Any.
Law: TypeAlias = Any
