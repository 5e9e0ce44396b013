"""Every family's examples, evaluated, beside SciPy's distribution for each."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetti.distributions.base import REGISTRY, Family
from finetti.model.evaluate import static_value
from finetti.model.graph import Random

for _module in ("real", "positive", "interval", "discrete", "multivariate"):
    importlib.import_module(f"finetti.distributions.{_module}")


@dataclass(frozen=True)
class Case:
    """One family at one of its examples."""

    name: str
    index: int

    @property
    def family(self) -> type[Family]:
        return REGISTRY[self.name]

    @property
    def node(self) -> Random:
        return self.family.dist(**self.family.examples[self.index])

    @property
    def parameters(self) -> list[np.ndarray]:
        return [static_value(p, {}) for p in self.node.parameters]

    @property
    def support(self):
        return self.family.support_of(self.node.parameters)

    @property
    def bounds(self) -> list[Any]:
        return self.family.bounds_of(tuple(self.parameters), self.support)

    @property
    def oracle(self):
        from scipy_reference import REFERENCES

        return REFERENCES[self.name][self.index]

    def draws(self, n: int, seed: int = 0) -> np.ndarray:
        """(n, *event) draws by the family's own sampler."""
        shape = (n, *self.node.shape)
        return self.family.draw(np.random.default_rng(seed), shape, *(p[None] for p in self.parameters))

    def __repr__(self) -> str:
        return f"{self.name}-{self.index}"


def all_cases(*, proper: bool = True) -> list[Case]:
    """Every example of every family of the library."""
    from scipy_reference import IMPROPER

    return [
        Case(name, k)
        for name, family in REGISTRY.items()
        if family.__module__.startswith("finetti.") and not (proper and name in IMPROPER)
        for k in range(len(family.examples))
    ]


def univariate() -> list[Case]:
    return [c for c in all_cases() if c.family.event_ndim == 0]


def continuous() -> list[Case]:
    return [c for c in all_cases() if not c.family.discrete]
