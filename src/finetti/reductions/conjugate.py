"""Conjugate pairs, integrated out for each element: Gamma under Poisson, Beta under Binomial or Bernoulli.

A Gamma rate whose counts are Poisson with means `exposure * rate` has, given the rest, a Gamma posterior, and the
counts have a marginal density in closed form; likewise a Beta probability and its successes. Only sums are needed: the
counts and the exposures of each element.

Source: Gelman and others, Bayesian Data Analysis, 3rd edition, sections 2.4 (Beta) and 2.6 (Gamma).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetti.distributions.bijections import EXP, LOGISTIC, Bijection
from finetti.distributions.special import log_rising
from finetti.model.evaluate import align, evaluate
from finetti.model.graph import Constant, Node, Random
from finetti.model.namespace import NUMPY, Namespace
from finetti.reductions.contract import DrawnBack, numbers_of
from finetti.reductions.linear.forms import Factor

EPSILON = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Scaled:
    """Counts whose exposures depend on other unknowns.

    Args:
        counts, weight: places of (row,) the counts, and the known part of their exposures.
        element: (row,) the member's element that each row reads.
        factors: the other parts of the exposures, each read at (row,).
    """

    counts: Constant
    weight: Constant
    element: np.ndarray
    factors: tuple[Factor, ...]

    def exposures(self, numbers: Mapping[Node, Any], given: Mapping[Node, Any], xp: Namespace, lead: int) -> Any:
        """(draw, row) or (row,)."""
        exposure = numbers[self.weight]
        for factor in self.factors:
            value = evaluate([factor.node], given, xp=xp, lead=lead)[0]
            read = xp.reshape(value, (*value.shape[:lead], -1))[..., factor.index]
            exposure = exposure * (read if factor.power == 1 else 1.0 / read)
        return exposure


@dataclass(frozen=True)
class Conjugate:
    """What the two kinds of pairs have in common.

    Args:
        member: the unknown integrated out.
        observed: the variables that depend on it.
        prior: its two parameters, as Gamma's or Beta's.
        first, second: places of (element,) what the data add to them: counts and exposures, or successes and failures.
        constant: place of the part of the log density that no unknown enters.
        scaled: counts whose exposures depend on other unknowns; those of the others are among the sums.
    """

    member: Random
    observed: tuple[Random, ...]
    prior: tuple[Node, Node]
    first: Constant
    second: Constant
    constant: Constant
    scaled: tuple[Scaled, ...] = ()

    @property
    def members(self) -> tuple[Random, ...]:
        """The one unknown."""
        return (self.member,)

    @property
    def variables(self) -> tuple[Random, ...]:
        """It and the data that depend on it."""
        return (self.member, *self.observed)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The expressions whose values it reads."""
        return (*self.prior, *dict.fromkeys(factor.node for rows in self.scaled for factor in rows.factors))

    @property
    def arrays(self) -> dict[Node, np.ndarray]:
        """Its numbers."""
        places = [self.first, self.second, self.constant]
        places += [place for rows in self.scaled for place in (rows.counts, rows.weight)]
        return {place: place.value for place in places}

    @property
    def width(self) -> int:
        """Numbers that one evaluation touches, about."""
        return 8 * self.member.size + sum(4 * len(rows.element) for rows in self.scaled)

    def why(self, member: Random) -> str:
        """What allows it to be integrated out."""
        names = [f"{node.name!r}" for node in self.observed]
        return f"conjugate to {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")

    def _prior(self, given: Mapping[Node, Any], xp: Namespace, lead: int) -> tuple[Any, Any]:
        """Its parameters, (draw, element) or (element,)."""
        values = evaluate(self.prior, given, xp=xp, lead=lead)
        wide = [align(v, self.member.ndim) if lead else v for v in values]
        shaped = [xp.broadcast_to(v, (*v.shape[:lead], *self.member.shape)) for v in wide]
        a, b = (xp.reshape(v, (*v.shape[:lead], -1)) for v in shaped)
        return a, b

    def _drawn(self, scale: Bijection, flat: np.ndarray, draws: int) -> DrawnBack:
        """Draws on the support's own scale (draw, element), and their values, which never are 0 or 1."""
        z = flat.reshape(draws, *self.member.shape)
        return DrawnBack({self.member: scale.forward(NUMPY, z)[0]}, {self.member: z})


@dataclass(frozen=True)
class GammaPoisson(Conjugate):
    """A Gamma rate under Poisson counts; `prior` are shape and rate."""

    def log_marginal(self, given: Mapping[Node, Any], *, xp: Namespace = NUMPY, lead: int = 0) -> Any:
        """See `Reduction.log_marginal`: negative binomial counts."""
        terms = self._terms(given, xp, lead)
        return xp.sum(terms[0] + terms[1] + terms[2], axis=-1) + terms[3]

    def rounding(self, given: Mapping[Node, Any]) -> np.ndarray:
        """See `Reduction.rounding`."""
        with np.errstate(all="ignore"):
            terms = self._terms(given, NUMPY, 1)
            return _rounding(sum(np.abs(term).sum(axis=-1) for term in terms[:3]) + np.abs(terms[3]))

    def draw(self, given: Mapping[Node, Any], draws: int, rng: np.random.Generator) -> DrawnBack:
        """See `Reduction.draw`: Gamma(shape + counts, rate + exposures)."""
        numbers = numbers_of(self, given, 1)
        shape, rate = self._prior(given, NUMPY, 1)
        exposure, _ = self._exposure(numbers, given, NUMPY, 1)
        log_value = _log_gamma(shape + numbers[self.first], (draws, self.member.size), rng) - np.log(rate + exposure)
        return self._drawn(EXP, log_value, draws)

    def _terms(self, given: Mapping[Node, Any], xp: Namespace, lead: int) -> tuple[Any, Any, Any, Any]:
        """Three of each element (draw, element), and one (draw,)."""
        numbers = numbers_of(self, given, lead)
        shape, rate = self._prior(given, xp, lead)
        exposure, told = self._exposure(numbers, given, xp, lead)
        counts, total = numbers[self.first], rate + exposure
        ratio = xp.where(exposure < rate, exposure / rate, 0.0)  # two ways to take log(1 + exposure / rate)
        log_share = xp.where(exposure < rate, xp.log1p(ratio), xp.log(total) - xp.log(rate))
        return log_rising(xp, shape, counts), -shape * log_share, -counts * xp.log(total), numbers[self.constant] + told

    def _exposure(self, numbers: Mapping[Node, Any], given: Mapping[Node, Any], xp: Namespace, lead: int) -> Any:
        """Total exposures (draw, element), and what the exposures that are unknown add to the log density, (draw,)."""
        total, told = numbers[self.second], 0.0
        for rows in self.scaled:
            exposure = rows.exposures(numbers, given, xp, lead)
            counts = numbers[rows.counts]
            told = told + xp.sum(xp.where(counts > 0, counts * xp.log(exposure), 0.0), axis=-1)
            total = total + _added_up(xp, exposure, rows.element, self.member.size)
        return total, told


@dataclass(frozen=True)
class BetaBinomial(Conjugate):
    """A Beta probability under Binomial or Bernoulli successes; `prior` are its two shapes."""

    def log_marginal(self, given: Mapping[Node, Any], *, xp: Namespace = NUMPY, lead: int = 0) -> Any:
        """See `Reduction.log_marginal`: beta-binomial counts."""
        terms = self._terms(given, xp, lead)
        return xp.sum(terms[0] + terms[1] - terms[2], axis=-1) + numbers_of(self, given, lead)[self.constant]

    def rounding(self, given: Mapping[Node, Any]) -> np.ndarray:
        """See `Reduction.rounding`."""
        with np.errstate(all="ignore"):
            return _rounding(sum(np.abs(term).sum(axis=-1) for term in self._terms(given, NUMPY, 1)))

    def draw(self, given: Mapping[Node, Any], draws: int, rng: np.random.Generator) -> DrawnBack:
        """See `Reduction.draw`: Beta(a + successes, b + failures)."""
        numbers = numbers_of(self, given, 1)
        a, b = self._prior(given, NUMPY, 1)
        size = (draws, self.member.size)
        for_it = _log_gamma(a + numbers[self.first], size, rng)
        against = _log_gamma(b + numbers[self.second], size, rng)
        return self._drawn(LOGISTIC, for_it - against, draws)

    def _terms(self, given: Mapping[Node, Any], xp: Namespace, lead: int) -> tuple[Any, Any, Any]:
        """(draw, element) each."""
        numbers = numbers_of(self, given, lead)
        a, b = self._prior(given, xp, lead)
        successes, failures = numbers[self.first], numbers[self.second]
        return (
            log_rising(xp, a, successes), log_rising(xp, b, failures), log_rising(xp, a + b, successes + failures)
        )  # fmt: skip


def _log_gamma(shape: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Logarithms of Gamma draws, also where they are too small for floating point.

    Source: Marsaglia and Tsang (2000), ACM Transactions on Mathematical Software 26(3), section 6.
    """
    wide = np.broadcast_to(shape, size)
    return np.log(rng.standard_gamma(wide + 1.0)) - rng.standard_exponential(size) / wide


def _added_up(xp: Namespace, rows: Any, element: np.ndarray, size: int) -> Any:
    """(draw, element) sums of (draw, row) over the rows of each element."""
    if xp is not NUMPY:
        return xp.zeros((*rows.shape[:-1], size)).at[..., element].add(rows)
    total = np.zeros((*rows.shape[:-1], size))
    np.add.at(total.T, element, rows.T)
    return total


def _rounding(terms: Any) -> np.ndarray:
    wrong = EPSILON * np.asarray(terms)
    return np.where(np.isfinite(wrong), wrong, np.inf)
