"""Between which numbers an expression lies, as far as its form tells: interval arithmetic over the graph.

A parameter whose range lies inside its domain needs no check in the sampler's loop; a scale that is positive by its
form may serve as one. Ranges are those of exact arithmetic: exp(x) is positive, though exp(-1000) is 0 in floating
point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np

from finetti.model.evaluate import apply_op
from finetti.model.graph import Apply, Constant, Data, Deterministic, Node, Random, ancestors
from finetti.model.namespace import NUMPY


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


@dataclass
class Ranges:
    """The ranges of a model's expressions, each found once.

    Args:
        data: values of the model's data.
    """

    data: Mapping[Node, np.ndarray]
    _found: dict[Node, Range] = field(default_factory=dict)
    _known: dict[Node, np.ndarray] = field(default_factory=dict)

    def of(self, node: Node) -> Range:
        """The range of all elements of an expression."""
        for part in ancestors([node], through=_not_random, known=self._found):
            value = self._value(part)
            if value is not None:
                self._known[part] = value
            self._found[part] = self._form(part) if value is None else _spanned(value)
        return self._found[node]

    def _value(self, node: Node) -> np.ndarray | None:
        match node:
            case Constant(value=value):
                return value
            case Data():
                return self.data.get(node)
            case Deterministic(value=inner):
                return self._known.get(inner)
            case Apply(op=op, arguments=arguments) if all(a in self._known for a in arguments):
                with np.errstate(all="ignore"):
                    values = [self._known[a] for a in arguments]
                    return np.asarray(apply_op(op, values, node.static, xp=NUMPY, lead=0, rank=node.ndim))
        return None

    def _form(self, node: Node) -> Range:
        match node:
            case Random(observed=None):
                return self._support(node)
            case Random(observed=observed):
                return self.of(observed) if observed is not None else ANYTHING
            case Deterministic(value=inner):
                return self._found[inner]
            case Apply():
                rule = _RULES.get(node.op.name)
                return ANYTHING if rule is None else rule(node, [self._found[a] for a in node.arguments])
        return ANYTHING

    def _support(self, node: Random) -> Range:
        """A continuous variable is drawn from the inside of its support."""
        support = node.family.support_of(node.parameters)
        bounds = dict(zip(support.bounds, node.family.bounds_of(node.parameters, support), strict=True))
        discrete = support.bijection is None
        low, high = (self.of(bounds[end]) if isinstance(end, str) else Range(end, end) for end in support.ends)
        return Range(low.low, high.high, discrete, discrete, discrete)


def _not_random(node: Node) -> bool:
    return not isinstance(node, Random)


def _spanned(value: np.ndarray) -> Range:
    if not value.size or np.isnan(value).any():
        return ANYTHING
    whole = value.dtype.kind in "bi" or bool((np.isfinite(value) & (value == np.floor(value))).all())
    return Range(float(value.min()), float(value.max()), True, True, whole)


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


def _power(node: Apply, r: list[Range]) -> Range:
    exponent = node.arguments[1]
    if isinstance(exponent, Constant) and exponent.ndim == 0 and float(exponent.value) % 2 == 0 and exponent.value > 0:
        return Range(0.0, inf, not (r[0].positive or _negative_of(r[0]).positive), False, r[0].whole)
    if r[0].positive:
        return Range(0.0, inf)
    return Range(0.0, inf, True) if r[0].nonnegative and r[1].positive else ANYTHING


def _monotone(function: Callable[[float], float], least: float = -inf) -> Callable[[Apply, list[Range]], Range]:
    """An increasing function of one argument, defined from `least` on."""

    def rule(node: Apply, r: list[Range]) -> Range:
        if r[0].low < least:
            return ANYTHING
        with np.errstate(all="ignore"):
            low, high = float(function(np.float64(r[0].low))), float(function(np.float64(r[0].high)))
        return _between((low, r[0].with_low), (high, r[0].with_high))

    return rule


def _fixed(low: float, high: float, *, attained: bool = False) -> Callable[[Apply, list[Range]], Range]:
    return lambda node, r: Range(low, high, attained, attained)


def _union(node: Apply, r: list[Range]) -> Range:
    low, high = min(x.low for x in r), max(x.high for x in r)
    with_low, with_high = any(x.with_low for x in r if x.low == low), any(x.with_high for x in r if x.high == high)
    return Range(low, high, with_low, with_high, _all_whole(r))


def _first(node: Apply, r: list[Range]) -> Range:
    return r[0]


def _absolute(node: Apply, r: list[Range]) -> Range:
    if r[0].nonnegative:
        return r[0]
    flipped = _negative_of(r[0])
    return flipped if flipped.nonnegative else Range(0.0, max(r[0].high, flipped.high), True, True, r[0].whole)


def _larger(node: Apply, r: list[Range]) -> Range:
    low = max((_low(x) for x in r), key=lambda end: (end[0], not end[1]))
    return _between(low, max(map(_high, r)), _all_whole(r))


def _smaller(node: Apply, r: list[Range]) -> Range:
    return _negative_of(_larger(node, [_negative_of(x) for x in r]))


def _added_up(node: Apply, r: list[Range]) -> Range:
    """A sum or product of several elements: of numbers above 0 it is above 0."""
    if node.arguments[0].size == 0:
        return ANYTHING
    return Range(0.0, inf, not r[0].positive, False, r[0].whole) if r[0].nonnegative else ANYTHING


def _product_of_matrices(node: Apply, r: list[Range]) -> Range:
    nonnegative = r[0].nonnegative and r[1].nonnegative and node.arguments[0].size > 0
    return Range(0.0, inf, not (r[0].positive and r[1].positive)) if nonnegative else ANYTHING


def _clipped(node: Apply, r: list[Range]) -> Range:
    return _smaller(node, [_larger(node, [r[0], r[1]]), r[2]])


def _hypotenuse(node: Apply, r: list[Range]) -> Range:
    return Range(0.0, inf, not any(x.positive or _negative_of(x).positive for x in r))


_RULES: dict[str, Callable[[Apply, list[Range]], Range]] = {
    "add": lambda node, r: _sum_of(*r),
    "subtract": lambda node, r: _sum_of(r[0], _negative_of(r[1])),
    "negative": lambda node, r: _negative_of(r[0]),
    "multiply": lambda node, r: _product_of(*r),
    "true_divide": lambda node, r: _product_of(r[0], _reciprocal_of(r[1])),
    "reciprocal": lambda node, r: _reciprocal_of(r[0]),
    "square": lambda node, r: Range(0.0, inf, not (r[0].positive or _negative_of(r[0]).positive), False, r[0].whole),
    "power": _power, "abs": _absolute, "maximum": _larger, "minimum": _smaller, "clip": _clipped,
    "hypot": _hypotenuse, "where": lambda node, r: _union(node, r[1:]), "matmul": _product_of_matrices,
    "sigmoid": _monotone(lambda x: 1 / (1 + np.exp(-x))), "tanh": _monotone(np.tanh), "erf": _fixed(-1.0, 1.0),
    "ndtr": _fixed(0.0, 1.0), "erfc": _fixed(0.0, 2.0), "cosh": _fixed(1.0, inf, attained=True),
    "softplus": _monotone(lambda x: np.logaddexp(0.0, x)),
    "sin": _fixed(-1.0, 1.0, attained=True), "cos": _fixed(-1.0, 1.0, attained=True),
    "softmax": lambda node, r: Range(0.0, 1.0, False, True), "arctan": _monotone(np.arctan),
}  # fmt: skip
_RULES |= {name: _monotone(getattr(np, name)) for name in ("exp", "exp2", "expm1", "cbrt", "arcsinh")}
_RULES |= {name: _monotone(getattr(np, name), 0.0) for name in ("log", "log2", "log10", "sqrt")}
_RULES |= {"log1p": _monotone(np.log1p, -1.0)}
_RULES |= dict.fromkeys(("getitem", "reshape", "broadcast_to", "transpose", "diagonal", "max", "min"), _first)
_RULES["mean"] = lambda node, r: replace(r[0], whole=False)
_RULES |= dict.fromkeys(("stack", "concatenate"), _union)
_RULES |= dict.fromkeys(("sum", "prod", "cumsum", "cumprod"), _added_up)
