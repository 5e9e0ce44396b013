"""What the parameters of a distribution may be, alone and jointly, and the errors that say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetti.errors import DataError, ShapeError


@dataclass(frozen=True)
class Domain:
    """The values a parameter may take, how an error message says it, and what it advises on a bad value."""

    words: str
    admits: Callable[[np.ndarray], np.ndarray]
    advice: Callable[[np.ndarray], str] = lambda value: ""


_REQUIRED = object()


def _square(v: np.ndarray) -> bool:
    return v.shape[-1] == v.shape[-2]


def _is_cholesky(v: np.ndarray) -> np.ndarray:
    if not _square(v):
        return np.zeros(v.shape[:-2], bool)
    return (np.triu(v, 1) == 0).all((-1, -2)) & (np.diagonal(v, axis1=-2, axis2=-1) > 0).all(-1)


def _asymmetry(v: np.ndarray) -> np.ndarray:
    return np.abs(v - np.swapaxes(v, -1, -2)).max((-1, -2)) / np.abs(v).max((-1, -2))


def _is_covariance(v: np.ndarray) -> np.ndarray:
    if not _square(v):
        return np.zeros(v.shape[:-2], bool)
    finite = np.isfinite(v).all((-1, -2)) & (v != 0).any((-1, -2))
    safe = np.where(finite[..., None, None], v, np.eye(v.shape[-1]))
    return finite & (_asymmetry(safe) < 1e-9) & (np.linalg.eigvalsh(safe)[..., 0] > 0)


def _covariance_advice(v: np.ndarray) -> str:
    if not _square(v):
        return f" It has shape {v.shape}."
    if not np.isfinite(v).all():
        return ""
    if not _asymmetry(v) < 1e-9:
        return f" It differs from its transpose by up to {np.abs(v - v.T).max():.3g}; `(m + m.T) / 2` is symmetric."
    smallest = np.linalg.eigvalsh(v)[0]
    return f" Its smallest eigenvalue is {smallest:.3g}: some combination of the variables would have no variance."


ANY = Domain("a finite number", np.isfinite)
POSITIVE_NUMBER = Domain("positive and finite", lambda v: (v > 0) & np.isfinite(v))
PROBABILITY = Domain("strictly between 0 and 1", lambda v: (v > 0) & (v < 1))
CLOSED_PROBABILITY = Domain("between 0 and 1", lambda v: (v >= 0) & (v <= 1))
COUNT = Domain("a whole number, 0 or more", lambda v: (v >= 0) & (np.floor(v) == v) & np.isfinite(v))
WHOLE = Domain("a whole number", lambda v: (np.floor(v) == v) & np.isfinite(v))
NOT_NEGATIVE = Domain("0 or more, and finite", lambda v: (v >= 0) & np.isfinite(v))
BOUND = Domain("a number, possibly infinite", lambda v: ~np.isnan(v))
CHOLESKY = Domain("a lower Cholesky factor (zeros above the diagonal, a positive diagonal)", _is_cholesky)
COVARIANCE = Domain("a symmetric, positive definite matrix", _is_covariance, _covariance_advice)
SIMPLEX_PART = Domain(
    "probabilities that add to 1",
    lambda v: (v >= 0).all(-1) & (np.abs(v.sum(-1) - 1) < 1e-6),
    lambda v: f" They add to {v.sum():.9g}; divide by their sum." if (v >= 0).all() else "",
)
LOG_SIMPLEX = Domain(
    "logarithms of probabilities that add to 1", lambda v: np.abs(np.exp(v).sum(-1) - 1) < 1e-6
)
VECTOR = Domain("finite numbers", lambda v: np.isfinite(v).all(-1))
POSITIVE_VECTOR = Domain("positive numbers", lambda v: ((v > 0) & np.isfinite(v)).all(-1))


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
    """What several parameters must satisfy together: `holds` takes their values in the order of `names`."""

    names: tuple[str, ...]
    words: str
    holds: Callable[..., np.ndarray]


def check_parameter(title: str, parameter: Parameter, value: np.ndarray, source: str = "") -> None:
    """Refuse a value outside its domain, naming the first bad element."""
    if value.ndim < parameter.event_ndim:
        raise ShapeError(
            f"{parameter.name!r} of {title} has shape {value.shape}, but one value of it has {parameter.event_ndim} "
            f"{'axis' if parameter.event_ndim == 1 else 'axes'}."
        )
    with np.errstate(all="ignore"):
        bad = ~np.atleast_1d(parameter.domain.admits(value))
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
