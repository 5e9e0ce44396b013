"""The probability inside an interval: one default for the summary and every plot, and one check."""

from __future__ import annotations

from typing import Any

import numpy as np

from finetti.errors import DataError

CI_PROB = 0.89  # as in ArviZ 1: a number nobody takes for a test at 5 %


def inside(prob: Any, *, name: str = "ci_prob") -> float:
    """A probability strictly between 0 and 1, or an error that names the argument.

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
    if isinstance(prob, bool) or not isinstance(prob, int | float | np.number) or not 0 < prob < 1:
        raise DataError(f"{name} is a probability between 0 and 1, for instance {CI_PROB}; got {prob!r}.")
    return float(prob)
