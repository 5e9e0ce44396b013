"""Which reductions a model has: each kind is looked for in turn, among the unknowns that those before it have left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from finetti.model.graph import Node, Random
from finetti.reductions import pairs
from finetti.reductions.contract import Reduction
from finetti.reductions.linear.worthwhile import best_block


@dataclass(frozen=True)
class Sought:
    """Where a kind of reduction is looked for.

    Args:
        randoms: every random variable of the model, parents first.
        potentials: by name.
        data: values of the model's data.
        free: unknowns that may be taken out.
        kept: others that stay, with the reason in words.
        few: coordinates that may be left for draws without a compiled chain.
    """

    randoms: Sequence[Random]
    potentials: Mapping[str, Node]
    data: Mapping[Node, np.ndarray]
    free: Sequence[Random]
    kept: Mapping[Node, str]
    few: int


Found = tuple[tuple[Reduction, ...], Mapping[Node, str]]  # and why what comes near is none


def _linear(sought: Sought) -> Found:
    """The linear-Gaussian block, if there is one that is worth its cost."""
    block, refused = best_block(sought.randoms, sought.potentials, sought.data, sought.kept, few=sought.few)
    return (block,) if block else (), refused


def _conjugate(sought: Sought) -> Found:
    """Conjugate pairs."""
    return pairs.find(sought.randoms, sought.potentials, sought.data, sought.free)


KINDS: tuple[Callable[[Sought], Found], ...] = (_linear, _conjugate)


def reductions_of(sought: Sought) -> tuple[tuple[Reduction, ...], dict[Node, str]]:
    """All reductions of a model, and why other unknowns are not taken out."""
    reductions: tuple[Reduction, ...] = ()
    refused: dict[Node, str] = {}
    for find in KINDS:
        found, why = find(sought)
        taken = {member for reduction in found for member in reduction.members}
        sought = replace(sought, free=[node for node in sought.free if node not in taken])
        reductions, refused = (*reductions, *found), refused | dict(why)
    return reductions, refused
