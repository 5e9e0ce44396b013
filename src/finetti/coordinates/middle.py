"""The centre of every prior, parents first: where chains start, and around which sums of squares are taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from finetti.model.evaluate import align, evaluate
from finetti.model.graph import Node, Random
from finetti.model.namespace import NUMPY


def central_values(free: Iterable[Random], given: Mapping[Node, Any]) -> dict[Node, Any]:
    """The values given, and the centre of each free variable that has none among them.

    Args:
        free: free variables, parents first.
        given: data, and values that are fixed.
    """
    values = dict(given)
    for node in free:
        if node not in values:
            values[node] = _center(node, values)
    return values


def _center(node: Random, values: Mapping[Node, Any]) -> np.ndarray:
    batch = node.ndim - node.family.event_ndim
    parameters = [
        align(np.asarray(p, float)[None], batch + spec.event_ndim)
        for p, spec in zip(evaluate(node.parameters, values), node.family.parameters, strict=True)
    ]
    with np.errstate(all="ignore"):
        center = np.asarray(node.family.center(NUMPY, *parameters))
    return np.broadcast_to(center, (1, *node.shape))[0]
