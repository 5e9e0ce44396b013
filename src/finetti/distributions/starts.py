"""`initval=`: where chains shall start, checked where it is written."""

from __future__ import annotations

from typing import Any

import numpy as np

from finetti.distributions.domains import brief
from finetti.errors import DataError, ModelError, ShapeError
from finetti.model.graph import Random, as_array


def checked_start(node: Random, initval: Any) -> np.ndarray:
    """Where chains shall start, of the variable's shape and inside its support as far as that is known."""
    what = f"initval of {node.name!r} ({node.family.__name__})"
    if node.observed is not None:
        raise ModelError(f"{what}: it has data, so it is not sampled and needs no start.")
    if isinstance(initval, str):
        raise ModelError(f"{what}: chains start from the prior already; leave {initval!r} out, or give numbers.")
    value = as_array(initval, what=what).astype(float)
    if value.shape != node.shape:
        raise ShapeError(f"{what} has shape {value.shape}; the variable has shape {node.shape}.")
    support = node.family.support_of(node.parameters)
    inside = np.isfinite(value).all() if support.bounds else np.all(support.contains(value))
    if not inside:
        words = "finite numbers" if support.bounds else support.words
        raise DataError(f"{what} must be {words}; got {brief(value)}.")
    return value
