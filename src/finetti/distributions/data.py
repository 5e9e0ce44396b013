"""What the data of a variable may be: finite, and inside its support."""

from __future__ import annotations

import numpy as np

from finetti.distributions.domains import brief, first_bad
from finetti.errors import DataError
from finetti.model.graph import Random


def check_observed(node: Random, observed: np.ndarray, parameters: list[np.ndarray | None]) -> None:
    """Refuse data that are missing, or outside the support where its ends are known."""
    _refuse_nan(node, observed)
    support = node.family.support_of(node.parameters)
    bounds = node.family.bounds_of(tuple(parameters), support)
    if any(bound is None for bound in bounds):
        return
    event = node.family.event_ndim
    inside = np.broadcast_to(support.contains(observed, *bounds), observed.shape[: observed.ndim - event])
    if not inside.all():
        words = support.words.format(*(brief(b) for b in bounds))
        raise DataError(
            f"The data of {node.name!r} must be {words} ({node.family.__name__}), but "
            f"{first_bad(~np.atleast_1d(inside), observed, event)}."
        )


def _refuse_nan(node: Random, observed: np.ndarray) -> None:
    if observed.dtype.kind != "f":
        return
    bad = np.isnan(observed)
    if bad.any():
        raise DataError(
            f"The data of {node.name!r} have missing values: {first_bad(np.atleast_1d(bad), observed, 0)}. finetti "
            "does not impute: leave those rows out before writing the model (`df.dropna()`), in the data and the index."
        )
    infinite = np.atleast_1d(np.isinf(observed))
    if infinite.any():
        raise DataError(f"The data of {node.name!r} must be finite, but {first_bad(infinite, observed, 0)}.")
