"""Laws that are truncated or censored, as values. Their makers, and those of mixtures, are in `made.py`.

A value holds the laws it is made of; its parameters are theirs, one after the other, with its own. So whatever asks a
law for its domains, its support or its density gets an answer made of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from finetti.distributions.bijections import POSITIVE, REAL, Support, at_least, at_most, between
from finetti.distributions.domains import BOUND, Condition, Parameter
from finetti.distributions.interval import ORDERED
from finetti.distributions.laws import ValueLaw, Write, everywhere, shown
from finetti.distributions.tails import Tails, tails_of
from finetti.model.graph import Constant, Node, Shape
from finetti.model.law import Law
from finetti.model.namespace import NUMPY, Namespace

_ABOVE, _BELOW, _BETWEEN = at_least("lower"), at_most("upper"), between("lower", "upper")
MEAN_PLACES = 500
STEPS, DOUBLINGS = 200, 1100  # of a search for a quantile: halvings, and doublings of the bracket before them


@dataclass(frozen=True)
class BoundedLaw(ValueLaw):
    """A law and two bounds, `lower` and `upper`, each of which may be infinite.

    Args:
        law: the law.
    """

    law: Law

    __name__: ClassVar[str] = "Bounded"

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the law, and the bounds."""
        return (*self.law.parameters, Parameter("lower", BOUND, -np.inf), Parameter("upper", BOUND, np.inf))

    def shown(self, write: Write, texts: Sequence[str]) -> str:
        """The law, then the bounds that there are."""
        ends = [end for end in zip(("lower", "upper"), texts[-2:], strict=True) if "inf" not in end[1]]
        inner = shown(self.law, write, texts[:-2])
        return write(self.__name__, ["", *(name for name, _ in ends)], [inner, *(text for _, text in ends)])

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """Those of the law; and the bounds are in order."""
        return (*self.law.conditions, ORDERED)

    @property
    def event_ndim(self) -> int:
        """Axes of one value."""
        return 0

    @property
    def discrete(self) -> bool:
        """Whether values are whole numbers."""
        return self.law.discrete

    @property
    def drawable(self) -> bool:
        """Where the law is; truncated, draws are quantiles, which its cdf has."""
        return self.law.drawable

    def event_shape(self, parameters: tuple[Node, ...]) -> Shape:
        """One number."""
        return ()

    def bounds_of(self, values: tuple[Any, ...], support: Support) -> list[Any]:
        """Those of the parameters' values that bound the support."""
        names = [p.name for p in self.parameters]
        return [values[names.index(bound)] for bound in support.bounds]

    def _base(self, parameters: tuple[Node, ...]) -> Support:
        return self.law.support_of(parameters[:-2])

    def _below(self, xp: Namespace, lower: Any, parameters: Sequence[Any]) -> tuple[Any, Any]:
        """log P(X < lower) and log P(X >= lower)."""
        return self._at(xp, lower - 1.0 if self.discrete else lower, lower, parameters, empty=-np.inf)

    def _up_to(self, xp: Namespace, upper: Any, parameters: Sequence[Any]) -> tuple[Any, Any]:
        """log P(X <= upper) and log P(X > upper)."""
        return self._at(xp, upper, upper, parameters, empty=0.0)

    def _at(
        self, xp: Namespace, x: Any, bound: Any, parameters: Sequence[Any], *, empty: float
    ) -> tuple[Any, Any]:
        """log cdf and log sf, where a bound is infinite those of none."""
        if _known_to_be_infinite(bound):
            other = 0.0 if empty else -np.inf
            return xp.asarray(empty), xp.asarray(other)
        there = xp.isfinite(bound)
        tails, safe = tails_of(self.law), xp.where(there, x, 1.0)
        cdf, sf = tails.log_cdf(xp, safe, *parameters), tails.log_sf(xp, safe, *parameters)
        return xp.where(there, cdf, empty), xp.where(there, sf, 0.0 if empty else -np.inf)


@dataclass(frozen=True)
class TruncatedLaw(BoundedLaw):
    """A law given that its value lies between two bounds, both included."""

    __name__: ClassVar[str] = "Truncated"

    def support_of(self, parameters: tuple[Node, ...]) -> Support:
        """What of the law's support is between the bounds."""
        base = self._base(parameters)
        if self.discrete:
            return Support(
                f"{base.words} from {{0}} to {{1}}", lambda x, lo, up: base.contains(x) & (x >= lo) & (x <= up), None,
                ("lower", "upper"), ("lower", "upper"),
            )  # fmt: skip
        open_below, open_above = (
            isinstance(n, Constant) and _known_to_be_infinite(n.value) for n in parameters[-2:]
        )
        from_zero = base is POSITIVE and isinstance(low := parameters[-2], Constant) and bool((low.value == 0).all())
        if open_below:
            return REAL if open_above else _BELOW
        if open_above:
            return POSITIVE if from_zero else _ABOVE
        return _BETWEEN

    def log_density(self, xp: Namespace, x: Any, *parameters: Any) -> Any:
        """The law's, less the log of what it has between the bounds."""
        *inner, lower, upper = parameters
        inside = (x >= lower) & (x <= upper)
        value = everywhere(self.law, xp, x, inner) - self.log_mass(xp, *parameters)
        return xp.where(inside, value, -np.inf)

    def log_mass(self, xp: Namespace, *parameters: Any) -> Any:
        """Log of the probability between the bounds, by the tail in which they are."""
        *inner, lower, upper = parameters
        (cdf_low, sf_low), (cdf_up, sf_up) = self._below(xp, lower, inner), self._up_to(xp, upper, inner)
        left = cdf_low < -np.log(2.0)
        high, low = xp.where(left, cdf_up, sf_low), xp.where(left, cdf_low, sf_up)
        apart = high > low
        gap = xp.where(apart, low, high - 1.0) - high
        return xp.where(apart, high + xp.log1mexp(gap), -np.inf)

    def mean(self, xp: Namespace, *parameters: Any) -> Any:
        """The average of the quantiles by Gauss and Legendre's rule, or of whole numbers their sum; in NumPy alone."""
        places, weights = np.polynomial.legendre.leggauss(MEAN_PLACES)
        shape = np.broadcast_shapes(*(np.shape(p) for p in parameters))
        share = np.broadcast_to(0.5 * (1 + places).reshape(-1, *(1,) * len(shape)), (MEAN_PLACES, *shape))
        quantiles = self.quantile(share, *parameters)
        if not self.discrete:
            return np.tensordot(0.5 * weights, quantiles, axes=1)
        margin = 10.0 * (1.0 + np.ptp(quantiles))  # beyond the outermost quantile, of which 1e-5 is left
        k = np.arange(np.floor(quantiles.min() - margin), np.ceil(quantiles.max() + margin) + 1.0)
        k = k.reshape(-1, *(1,) * len(shape))
        with np.errstate(all="ignore"):
            return (k * np.exp(everywhere(self, NUMPY, k, parameters))).sum(axis=0)

    @property
    def tails(self) -> Tails | None:
        """The law's, over the mass between the bounds; below and above, each from its own side."""
        return Tails(self._log_cdf, self._log_sf)

    def _log_cdf(self, xp: Namespace, x: Any, *parameters: Any) -> Any:
        *inner, lower, upper = parameters
        ends = xp.minimum(x, upper)
        below = self.log_mass(xp, *inner, lower, xp.where(ends >= lower, ends, upper))
        inside = xp.where(x >= lower, below - self.log_mass(xp, *parameters), -np.inf)
        return xp.where(x >= upper, 0.0, inside)

    def _log_sf(self, xp: Namespace, x: Any, *parameters: Any) -> Any:
        *inner, lower, upper = parameters
        starts = xp.maximum(x + 1.0 if self.discrete else x, lower)
        above = self.log_mass(xp, *inner, xp.where(starts <= upper, starts, lower), upper)
        inside = xp.where(starts <= upper, above - self.log_mass(xp, *parameters), -np.inf)
        return xp.where(x < lower, 0.0, inside)

    def draw(self, rng: np.random.Generator, shape: Shape, *parameters: Any) -> np.ndarray:
        """Quantiles of uniform numbers."""
        return self.quantile(np.broadcast_to(rng.random(shape), shape), *parameters)

    def quantile(self, share: np.ndarray, *parameters: Any) -> np.ndarray:
        """The values below which a share of the probability lies, by halving a bracket of the law's own cdf."""
        *inner, lower, upper = parameters
        with np.errstate(all="ignore"):
            (cdf_low, sf_low), (cdf_up, sf_up) = self._below(NUMPY, lower, inner), self._up_to(NUMPY, upper, inner)
            below = np.logaddexp(np.log1p(-share) + cdf_low, np.log(share) + cdf_up)
            above = np.logaddexp(np.log1p(-share) + sf_low, np.log(share) + sf_up)
            tails = tails_of(self.law)

            def under(x):
                """Whether less than the share is up to x; by the smaller of the two tails."""
                return np.where(
                    below < above, tails.log_cdf(NUMPY, x, *inner) < below, tails.log_sf(NUMPY, x, *inner) > above
                )

            low, high = _bracket(under, self.law.center(NUMPY, *inner), lower, upper, share.shape)
            return _halved(under, low, high, whole=self.discrete)

    def center(self, xp: Namespace, *parameters: Any) -> Any:
        """The law's own centre where it is inside; else between the bounds, or beyond the one there is."""
        *inner, lower, upper = parameters
        base = self.law.center(xp, *inner)
        low, high = xp.isfinite(lower), xp.isfinite(upper)
        safe_low, safe_high = xp.where(low, lower, 0.0), xp.where(high, upper, 0.0)
        middle = 0.5 * (safe_low + safe_high)
        above, below = safe_low + 0.5 * (1.0 + xp.abs(safe_low)), safe_high - 0.5 * (1.0 + xp.abs(safe_high))
        outside = xp.where(low & high, middle, xp.where(low, above, below))
        inside = (base > lower) & (base < upper)
        chosen = xp.where(inside, base, outside)
        return xp.ceil(chosen) if self.discrete else chosen


@dataclass(frozen=True)
class CensoredLaw(BoundedLaw):
    """A law whose values below `lower` are seen as `lower`, and above `upper` as `upper`."""

    __name__: ClassVar[str] = "Censored"

    def support_of(self, parameters: tuple[Node, ...]) -> Support:
        """From bound to bound."""
        words = "a whole number from {0} to {1}" if self.discrete else "between {0} and {1}"
        return Support(words, _from_bound_to_bound, None, ("lower", "upper"), ("lower", "upper"))

    def log_density(self, xp: Namespace, x: Any, *parameters: Any) -> Any:
        """The law's between the bounds; at a bound the log probability of what lies beyond."""
        *inner, lower, upper = parameters
        at_lower, at_upper = x <= lower, x >= upper
        safe = xp.where(at_lower | at_upper, self.law.center(xp, *inner), x)
        below, _ = self._up_to(xp, lower, inner)
        _, above = self._below(xp, upper, inner)
        return xp.where(at_lower, below, xp.where(at_upper, above, everywhere(self.law, xp, safe, inner)))

    def draw(self, rng: np.random.Generator, shape: Shape, *parameters: Any) -> np.ndarray:
        """Draws of the law, put between the bounds."""
        *inner, lower, upper = parameters
        return np.clip(self.law.draw(rng, shape, *inner), lower, upper)

    def center(self, xp: Namespace, *parameters: Any) -> Any:
        """The law's own, put between the bounds."""
        *inner, lower, upper = parameters
        return xp.minimum(xp.maximum(self.law.center(xp, *inner), lower), upper)


def _from_bound_to_bound(x: Any, lower: Any, upper: Any) -> Any:
    return (x >= lower) & (x <= upper)


def _known_to_be_infinite(bound: Any) -> bool:
    return isinstance(bound, (float, np.ndarray, np.generic)) and bool(np.isinf(bound).all())


def _bracket(
    under: Callable[..., Any], center: Any, lower: Any, upper: Any, shape: Shape
) -> tuple[np.ndarray, np.ndarray]:
    """Ends between which the quantiles lie: the bounds, or ever farther from the centre."""
    low = np.where(np.isfinite(lower), lower, center) + np.zeros(shape)
    high = np.where(np.isfinite(upper), upper, center) + np.zeros(shape)
    step = 1.0
    for _ in range(DOUBLINGS):
        too_low, too_high = under(high) & ~np.isfinite(upper), ~under(low) & ~np.isfinite(lower)
        if not (too_low.any() or too_high.any()):
            break
        high, low = np.where(too_low, high + step, high), np.where(too_high, low - step, low)
        step *= 2.0
    return low, high


def _halved(under: Callable[..., Any], low: np.ndarray, high: np.ndarray, *, whole: bool) -> np.ndarray:
    """The lowest value that is no longer under; a whole number where only those count."""
    if whole:
        low, high = np.floor(low) - 1.0, np.floor(high)
    for _ in range(STEPS):
        middle = np.floor(0.5 * (low + high)) if whole else 0.5 * (low + high)
        still = under(middle) & (middle > low)
        low, high = np.where(still, middle, low), np.where(still, high, np.where(middle > low, middle, high))
    return high
