"""What the parameters of a distribution may be, alone and jointly, and the errors that say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetti.distributions.bijections import CORRELATION_CHOLESKY, SIMPLEX, Support
from finetti.distributions.ranges import Ranges
from finetti.errors import DataError, ShapeError
from finetti.model.graph import Apply, Deterministic, Node, Random
from finetti.model.namespace import NUMPY
from finetti.model.range import Range

_RULES: dict[tuple[str, ...], Any] = {}  # domains and conditions by their words


def _rule(*key: str) -> Any:
    return _RULES[key]


@dataclass(frozen=True)
class Domain:
    """The values a parameter may take.

    Args:
        words: how an error message says it.
        admits: `(xp, values) -> bool` for each value, under any namespace.
        advice: on a bad value, for the error message.
        proven: whether the form of an expression proves that it cannot leave the domain, so that nothing needs to be
            checked in a density.
        shows: whether a density is not finite anyway where the parameter is outside.
        link: the function that brings any number into it, as a user writes it.
    """

    words: str
    admits: Callable[[Any, Any], Any]
    advice: Callable[[np.ndarray], str] = lambda value: ""
    proven: Callable[[Node, Ranges], bool] = lambda node, ranges: False
    shows: bool = False
    link: str = ""

    def __post_init__(self) -> None:
        _RULES.setdefault((self.words,), self)

    def __reduce__(self) -> tuple:
        """A copy in another process is that one's own."""
        return _rule, (self.words,)


def interval(
    words: str, low: float, high: float = np.inf, *, ends: str = "()", whole: bool = False, link: str = ""
) -> Domain:
    """The numbers between two, `ends` in the notation of intervals: "[)" includes the lower; infinity is no number."""
    limits = Range(low, high, ends[0] == "[", ends[1] == "]", whole)

    def admits(xp: Any, v: Any) -> Any:
        inside = v >= low if limits.with_low else v > low
        inside = inside & (v <= high if limits.with_high else v < high)
        return inside & (xp.floor(v) == v) if whole else inside

    return Domain(words, admits, proven=_within(limits), link=link)


def _within(limits: Range) -> Callable[[Node, Ranges], bool]:
    return lambda node, ranges: ranges.of(node).inside(limits)


_REQUIRED = object()


def _square(v: Any) -> bool:
    return v.shape[-1] == v.shape[-2]


def _diagonal_is_positive(xp: Any, v: Any) -> Any:
    return (xp.diagonal(v, axis1=-2, axis2=-1) > 0).all(-1)


def _is_cholesky(xp: Any, v: Any) -> Any:
    if not _square(v):
        return np.zeros(v.shape[:-2], bool)
    above = np.triu(np.ones(v.shape[-2:]), 1)
    return (v * above == 0).all((-1, -2)) & _diagonal_is_positive(xp, v)


def _asymmetry(v: Any) -> Any:
    return abs(v - v.swapaxes(-1, -2)).max((-1, -2)) / abs(v).max((-1, -2))


def _is_covariance(xp: Any, v: Any) -> Any:
    if not _square(v):
        return np.zeros(v.shape[:-2], bool)
    finite = xp.isfinite(v).all((-1, -2)) & (v != 0).any((-1, -2))
    safe = xp.where(finite[..., None, None], v, np.eye(v.shape[-1]))
    return finite & (_asymmetry(safe) < 1e-9) & _diagonal_is_positive(xp, xp.cholesky(safe))


def _covariance_advice(v: np.ndarray) -> str:
    if not _square(v):
        return f" It has shape {v.shape}."
    if not np.isfinite(v).all():
        return ""
    if not _asymmetry(v) < 1e-9:
        return f" It differs from its transpose by up to {np.abs(v - v.T).max():.3g}; `(m + m.T) / 2` is symmetric."
    smallest = np.linalg.eigvalsh(v)[0]
    return f" Its smallest eigenvalue is {smallest:.3g}: some combination of the variables would have no variance."


def _by_form_a_factor(node: Node, ranges: Ranges) -> bool:
    """A Cholesky factor of correlations, perhaps multiplied by positive numbers."""
    node = unnamed(node)
    if isinstance(node, Random):
        return _support(node) is CORRELATION_CHOLESKY
    if not (isinstance(node, Apply) and node.op.name == "multiply"):
        return False
    pairs = (node.arguments, node.arguments[::-1])
    return any(ranges.of(scale).positive and _by_form_a_factor(factor, ranges) for scale, factor in pairs)


def _by_form_a_simplex(node: Node) -> bool:
    """A variable with such values or a softmax, perhaps indexed before its last axis."""
    node = unnamed(node)
    if isinstance(node, Apply) and node.op.name == "getitem":
        *_, last = node.static["template"]
        source = node.arguments[0]
        whole = len(node.static["template"]) < source.ndim or last == slice(None)
        return whole and node.shape[-1:] == source.shape[-1:] and _by_form_a_simplex(source)
    if isinstance(node, Apply):
        return node.op.name == "softmax" and node.static["axis"] == -1
    return isinstance(node, Random) and _support(node) is SIMPLEX


def _support(node: Random) -> Support | None:
    """Where an unknown lives; data may be anywhere, as far as the form tells."""
    return node.family.support_of(node.parameters) if node.observed is None else None


def unnamed(node: Node) -> Node:
    """What a node stands for under the names it was given."""
    while isinstance(node, Deterministic):
        node = node.value
    return node


ANY = Domain("a finite number", lambda xp, v: xp.isfinite(v), shows=True)
POSITIVE_NUMBER = interval("positive and finite", 0, link="np.exp")
PROBABILITY = interval("strictly between 0 and 1", 0, 1, link="pm.math.sigmoid")
CLOSED_PROBABILITY = interval("between 0 and 1", 0, 1, ends="[]", link="pm.math.sigmoid")
COUNT = interval("a whole number, 0 or more", 0, ends="[)", whole=True)
WHOLE = interval("a whole number", -np.inf, whole=True)
NOT_NEGATIVE = interval("0 or more, and finite", 0, ends="[)", link="np.exp")
BOUND = Domain("a number, possibly infinite", lambda xp, v: ~xp.isnan(v), shows=True)
CHOLESKY = Domain(
    "a lower Cholesky factor (zeros above the diagonal, a positive diagonal)", _is_cholesky, proven=_by_form_a_factor
)
COVARIANCE = Domain("a symmetric, positive definite matrix", _is_covariance, _covariance_advice)
SIMPLEX_PART = Domain(
    "probabilities that add to 1",
    lambda xp, v: (v >= 0).all(-1) & (abs(v.sum(-1) - 1) < 1e-6),
    lambda v: f" They add to {v.sum():.9g}; divide by their sum." if (v >= 0).all() else "",
    proven=lambda node, ranges: _by_form_a_simplex(node),
)
LOG_SIMPLEX = Domain("logarithms of probabilities that add to 1", lambda xp, v: abs(xp.exp(v).sum(-1) - 1) < 1e-6)
VECTOR = Domain("finite numbers", lambda xp, v: xp.isfinite(v).all(-1), shows=True)
POSITIVE_VECTOR = Domain(
    "positive numbers",
    lambda xp, v: ((v > 0) & (v < np.inf)).all(-1),
    proven=_within(Range(0.0)),
)


@dataclass(frozen=True)
class Parameter:
    """A parameter: its name, its domain, its default (required without one) and how many axes one value has."""

    name: str
    domain: Domain = ANY
    default: Any = _REQUIRED
    event_ndim: int = 0

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is _REQUIRED


@dataclass(frozen=True)
class Condition:
    """What several parameters must satisfy together.

    Args:
        names: of the parameters.
        words: how an error message says it.
        holds: takes their values in the order of `names`, under any namespace.
        follows: whether ranges of theirs prove it.
    """

    names: tuple[str, ...]
    words: str
    holds: Callable[..., Any]
    follows: Callable[..., bool] = lambda *ranges: False

    def __post_init__(self) -> None:
        _RULES.setdefault((self.words, *self.names), self)

    def __reduce__(self) -> tuple:
        """A copy in another process is that one's own."""
        return _rule, (self.words, *self.names)


def below(first: Range, second: Range) -> bool:
    """Whether every number of the first range lies below every number of the second."""
    return first.high < second.low or (first.high == second.low and not (first.with_high and second.with_low))


def not_above(first: Range, second: Range) -> bool:
    """Whether no number of the first range lies above one of the second."""
    return first.high <= second.low


def check_parameter(title: str, parameter: Parameter, value: np.ndarray, source: str = "") -> None:
    """Refuse a value outside its domain, naming the first bad element."""
    if value.ndim < parameter.event_ndim:
        raise ShapeError(
            f"{parameter.name!r} of {title} has shape {value.shape}, but one value of it has {parameter.event_ndim} "
            f"{'axis' if parameter.event_ndim == 1 else 'axes'}."
        )
    with np.errstate(all="ignore"):
        bad = ~np.atleast_1d(parameter.domain.admits(NUMPY, value))
    if bad.any():
        at = np.unravel_index(int(np.argmax(bad)), bad.shape) if value.ndim > parameter.event_ndim else ()
        raise DataError(
            f"{parameter.name!r} of {title} must be {parameter.domain.words}, but "
            f"{first_bad(bad, value, parameter.event_ndim)}{source}.{parameter.domain.advice(value[at])}"
        )


def check_condition(title: str, condition: Condition, values: Mapping[str, np.ndarray | None]) -> None:
    """Refuse parameters that do not go together, where all of them are known."""
    arrays = [array for name in condition.names if (array := values.get(name)) is not None]
    if len(arrays) < len(condition.names):
        return
    bad = ~np.asarray(condition.holds(*arrays))
    if bad.any():
        at = np.unravel_index(int(np.argmax(bad)), bad.shape)
        shown = (np.broadcast_to(a, bad.shape)[at] if a.ndim <= bad.ndim else a for a in arrays)
        are = " and ".join(f"{name} is {brief(v)}" for name, v in zip(condition.names, shown, strict=True))
        place = f" (element {', '.join(map(str, map(int, at)))})" if at else ""
        raise DataError(f"{title} needs {condition.words}, but {are}{place}.")


def first_bad(bad: np.ndarray, value: np.ndarray, event_ndim: int) -> str:
    """Where the first bad value is, what it is, and how many there are."""
    if value.ndim == event_ndim:
        return f"is {brief(value)}"
    at = tuple(int(k[0]) for k in np.nonzero(bad))
    place = f"row {at[0]}" if len(at) == 1 else f"element {at}"
    more = f" ({int(bad.sum())} of {bad.size} values are not)" if bad.sum() > 1 else ""
    return f"{place} is {brief(value[at])}{more}"


def brief(value: Any) -> str:
    """A value in few characters."""
    if np.ndim(value) == 0:
        return f"{np.asarray(value).item():.6g}"
    shown = np.array2string(np.asarray(value), precision=6, threshold=6, separator=", ")
    return " ".join(shown.split())
