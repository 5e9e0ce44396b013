"""What every engine returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from finetti.model.graph import Node


@dataclass(frozen=True)
class Drawn:
    """Draws of what was not integrated out, and what the engine tells of them.

    Args:
        flat: (chain, draw, unconstrained) draws.
        statistics: (chain, draw) arrays by ArviZ's names.
        facts: for the trace's attributes.
        notes: sentences for the plan.
        arguments: of the density, for each chain, where chains have learned coordinates of their own.
    """

    flat: np.ndarray
    statistics: Mapping[str, np.ndarray]
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    arguments: tuple[Mapping[Node, np.ndarray], ...] = ()

    def until(self, draws: int) -> Drawn:
        """The first draws of every chain."""
        statistics = {name: values[:, :draws] for name, values in self.statistics.items()}
        return replace(self, flat=self.flat[:, :draws], statistics=statistics)
