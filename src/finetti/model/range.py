"""Numbers between two ends, and what an operation makes of them: interval arithmetic of exact numbers.

A rule takes an operation's node and the ranges of its arguments; the table of operations says which one has which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`; `with_low` and `with_high` tell whether the ends are among them.

    `whole` tells that all of them are whole numbers.
    """

    low: float = -inf
    high: float = inf
    with_low: bool = False
    with_high: bool = False
    whole: bool = False

    @property
    def positive(self) -> bool:
        """Whether all are above 0."""
        return self.low > 0 or (self.low == 0 and not self.with_low)

    @property
    def nonnegative(self) -> bool:
        """Whether none is below 0."""
        return self.low >= 0

    def inside(self, other: Range) -> bool:
        """Whether all of these numbers are in the other range."""
        low = self.low > other.low or (self.low == other.low and (other.with_low or not self.with_low))
        high = self.high < other.high or (self.high == other.high and (other.with_high or not self.with_high))
        return low and high and (self.whole or not other.whole)


ANYTHING = Range()


def spanned(value: np.ndarray) -> Range:
    """The range of known numbers."""
    if not value.size or np.isnan(value).any():
        return ANYTHING
    whole = value.dtype.kind in "bi" or bool((np.isfinite(value) & (value == np.floor(value))).all())
    return Range(float(value.min()), float(value.max()), True, True, whole)


Rule = Callable[[Any, list[Range]], Range]

# --- arithmetic ------------------------------------------------------------------------------------------------

_End = tuple[float, bool]  # a number, and whether it is attained


def _low(r: Range) -> _End:
    return r.low, r.with_low


def _high(r: Range) -> _End:
    return r.high, r.with_high


def _between(low: _End, high: _End, whole: bool = False) -> Range:
    if np.isnan(low[0]) or np.isnan(high[0]):
        return ANYTHING
    return Range(low[0], high[0], low[1], high[1], whole)


def _all_whole(ranges: Sequence[Range]) -> bool:
    return all(r.whole for r in ranges)


def _sum_of(a: Range, b: Range) -> Range:
    low, high = (a.low + b.low, a.with_low and b.with_low), (a.high + b.high, a.with_high and b.with_high)
    return _between(low, high, a.whole and b.whole)


def _negative_of(a: Range) -> Range:
    return Range(-a.high, -a.low, a.with_high, a.with_low, a.whole)


def _times(a: _End, b: _End) -> _End:
    """A product of two ends; 0 times whatever is 0, and attained where the 0 is."""
    if a[0] == 0 or b[0] == 0:
        return 0.0, (a[0] == 0 and a[1]) or (b[0] == 0 and b[1])
    return a[0] * b[0], a[1] and b[1]


def _product_of(a: Range, b: Range) -> Range:
    corners = [_times(x, y) for x in (_low(a), _high(a)) for y in (_low(b), _high(b))]
    low, high = min(c[0] for c in corners), max(c[0] for c in corners)
    with_low, with_high = (any(attained for value, attained in corners if value == end) for end in (low, high))
    return _between((low, with_low), (high, with_high), a.whole and b.whole)


def _reciprocal_of(a: Range) -> Range:
    if a.positive:
        return Range(1 / a.high if a.high < inf else 0.0, 1 / a.low if a.low > 0 else inf, a.with_high, a.with_low)
    return _negative_of(_reciprocal_of(_negative_of(a))) if _negative_of(a).positive else ANYTHING


def power(node: Any, r: list[Range]) -> Range:
    """a**b: an even power is not negative, and neither is any of a number above 0."""
    exponent = r[1]
    if exponent.low == exponent.high and 0 < exponent.low < inf and exponent.low % 2 == 0:
        return Range(0.0, inf, not (r[0].positive or _negative_of(r[0]).positive), False, r[0].whole)
    if r[0].positive:
        return Range(0.0, inf)
    return Range(0.0, inf, True) if r[0].nonnegative and r[1].positive else ANYTHING


def monotone(function: Callable[[float], float], least: float = -inf) -> Rule:
    """An increasing function of one argument, defined from `least` on."""

    def rule(node: Any, r: list[Range]) -> Range:
        if r[0].low < least:
            return ANYTHING
        with np.errstate(all="ignore"):
            low, high = float(function(np.float64(r[0].low))), float(function(np.float64(r[0].high)))
        return _between((low, r[0].with_low), (high, r[0].with_high))

    return rule


def fixed(low: float, high: float, *, attained: bool = False, with_high: bool = False) -> Rule:
    """The same whatever the argument; `attained` for both ends, or one of them."""
    return lambda node, r: Range(low, high, attained, attained or with_high)


def union(node: Any, r: list[Range]) -> Range:
    """Any of the arguments' numbers."""
    low, high = min(x.low for x in r), max(x.high for x in r)
    with_low, with_high = any(x.with_low for x in r if x.low == low), any(x.with_high for x in r if x.high == high)
    return Range(low, high, with_low, with_high, _all_whole(r))


def first(node: Any, r: list[Range]) -> Range:
    """Those of the first argument."""
    return r[0]


def absolute(node: Any, r: list[Range]) -> Range:
    """|a|."""
    if r[0].nonnegative:
        return r[0]
    flipped = _negative_of(r[0])
    return flipped if flipped.nonnegative else Range(0.0, max(r[0].high, flipped.high), True, True, r[0].whole)


def larger(node: Any, r: list[Range]) -> Range:
    """The larger of several."""
    low = max((_low(x) for x in r), key=lambda end: (end[0], not end[1]))
    return _between(low, max(map(_high, r)), _all_whole(r))


def smaller(node: Any, r: list[Range]) -> Range:
    """The smaller of several."""
    return _negative_of(larger(node, [_negative_of(x) for x in r]))


def added_up(node: Any, r: list[Range]) -> Range:
    """A sum or product of several elements: of numbers above 0 it is above 0."""
    if node.arguments[0].size == 0:
        return ANYTHING
    return Range(0.0, inf, not r[0].positive, False, r[0].whole) if r[0].nonnegative else ANYTHING


def product_of_matrices(node: Any, r: list[Range]) -> Range:
    """a @ b."""
    nonnegative = r[0].nonnegative and r[1].nonnegative and node.arguments[0].size > 0
    return Range(0.0, inf, not (r[0].positive and r[1].positive)) if nonnegative else ANYTHING


def clipped(node: Any, r: list[Range]) -> Range:
    """The first, held between the other two."""
    return smaller(node, [larger(node, [r[0], r[1]]), r[2]])


def hypotenuse(node: Any, r: list[Range]) -> Range:
    """sqrt(a**2 + b**2)."""
    return Range(0.0, inf, not any(x.positive or _negative_of(x).positive for x in r))


def added(node: Any, r: list[Range]) -> Range:
    """a + b."""
    return _sum_of(*r)


def subtracted(node: Any, r: list[Range]) -> Range:
    """a - b."""
    return _sum_of(r[0], _negative_of(r[1]))


def negative(node: Any, r: list[Range]) -> Range:
    """-a."""
    return _negative_of(r[0])


def multiplied(node: Any, r: list[Range]) -> Range:
    """a * b."""
    return _product_of(*r)


def divided(node: Any, r: list[Range]) -> Range:
    """a / b."""
    return _product_of(r[0], _reciprocal_of(r[1]))


def reciprocal(node: Any, r: list[Range]) -> Range:
    """1 / a."""
    return _reciprocal_of(r[0])


def squared(node: Any, r: list[Range]) -> Range:
    """a**2."""
    return Range(0.0, inf, not (r[0].positive or _negative_of(r[0]).positive), False, r[0].whole)


def chosen(node: Any, r: list[Range]) -> Range:
    """The second or the third, as `where` does."""
    return union(node, r[1:])


def average(node: Any, r: list[Range]) -> Range:
    """Between the least and the largest, and no whole number any more."""
    return replace(r[0], whole=False)
