"""Priors that are flat without end: they integrate to nothing and cannot be drawn from."""

from __future__ import annotations

from collections.abc import Iterable

from finetti.distributions.positive import HalfFlat
from finetti.distributions.real import Flat
from finetti.model.graph import Random


def is_flat(node: Random) -> bool:
    """Whether a variable's prior has no end."""
    return node.family in (Flat, HalfFlat)


def flat_priors(nodes: Iterable[Random]) -> str:
    """The variables with such a prior: "'a' and 'b'"; "" where there are none."""
    names = [repr(node.name) for node in nodes if is_flat(node)]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
