"""Special functions that keep their digits and stay cheap inside a sampler."""

from __future__ import annotations

from typing import Any

_LARGE = 100.0  # from here the series below is exact to rounding


def log_rising(xp: Any, a: Any, x: Any) -> Any:
    """log(Gamma(a + x) / Gamma(a)), the rising factorial, also where a is so large that the two cancel.

    Source: Stirling's series with three terms (Abramowitz and Stegun 6.1.41), differenced by hand.
    """
    large = a > _LARGE
    b = xp.where(large, a, _LARGE)
    series = (b - 0.5 + x) * xp.log1p(x / b) + x * (xp.log(b) - 1.0) + _remainder(b + x) - _remainder(b)
    small = xp.where(large, _LARGE, a)
    return xp.where(large, series, xp.gammaln(small + x) - xp.gammaln(small))


def _remainder(a: Any) -> Any:
    square = 1.0 / (a * a)
    return (1.0 / 12.0 - square * (1.0 / 360.0 - square / 1260.0)) / a


def log_beta(xp: Any, a: Any, b: Any) -> Any:
    """Log of the beta function; JAX's own takes a program several times as large."""
    return xp.gammaln(a) + xp.gammaln(b) - xp.gammaln(a + b)
