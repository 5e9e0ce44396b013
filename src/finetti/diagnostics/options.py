"""Options of the summary and the plots: the one default interval, and checks that name the argument."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from finetti.errors import DataError

CI_PROB = 0.89  # as in ArviZ 1: a number nobody takes for a test at 5 %


def inside(prob: Any, *, name: str = "ci_prob") -> float:
    """A probability strictly between 0 and 1.

    Args:
        prob: what the user gave.
        name: the argument it was given for.

    Returns:
        The probability.

    Raises:
        DataError: not a number, or not between 0 and 1.

    Example:
        >>> inside(0.5)
        0.5
    """
    value = number(prob)
    if value is None or not 0 < value < 1:
        raise DataError(f"{name} is a probability between 0 and 1, for instance {CI_PROB}; got {prob!r}.")
    return value


def number(value: Any) -> float | None:
    """A finite real number as a float, None for anything else, truth values included."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a Python integer may be larger than any float
        return None


def one_of(value: Any, options: Sequence[str], *, name: str) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in options:
        raise DataError(f"{name} is {' or '.join(map(repr, options))}; got {value!r}.")
    return value


def switch(value: Any, *, name: str) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise DataError(f"{name} is True or False; got {value!r}.")
    return bool(value)
