"""A distribution made to resemble a posterior of a few coordinates, from which it is easy to draw.

Each coordinate is made symmetric, with tails like a Gaussian's, by a sinh-arcsinh map: the logarithm of a standard
deviation is skewed, its lower tail long. In the mapped coordinates a mixture of a few t distributions is fitted. Both
are learned from weighted draws of the last such distribution, beginning with t distributions at the modes. One wide t
with heavy tails is always part of it, so that no place is out of reach.
(Hoogerheide, Opschoor, van Dijk 2012, Journal of Econometrics 171, on mixtures of t fitted by importance weights;
Jones, Pewsey 2009, Biometrika 96, on the map; Cornuet, Marin, Mira, Robert 2012, Scandinavian Journal of Statistics
39, on weighting the draws of all rounds together.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from finetti.engines.batches import Evaluate
from finetti.engines.independence.mixture import Mixture, fitted, joined, log_of_sum, one
from finetti.engines.modes import Mode

ROUNDS = 5
GOOD = 0.9  # efficiency at which no better distribution is looked for
COMPONENTS = (1, 2, 3)  # of the fit, round by round
WIDE_SHARE, WIDE_FREEDOM = 0.1, 3.0
LAPLACE_SCALE, WIDE_LAPLACE, WIDE_SCALE = 1.2, 2.0, 1.5  # times the factors at a mode, and of the weighted draws
LEAST_SHARE = 0.1  # of a mode in the first distribution
SKEWS = np.linspace(-1.5, 1.5, 13)
TAILS = np.array([0.5, 0.65, 0.8, 1.0, 1.25])


class Margins(NamedTuple):
    """The map x = sinh(tail arcsinh((u - center) / scale) - skew), coordinate by coordinate; all (coordinate,)."""

    center: np.ndarray
    scale: np.ndarray
    skew: np.ndarray
    tail: np.ndarray

    def mapped(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x (point, coordinate), and the log-determinant (point,)."""
        z = (u - self.center) / self.scale
        t = self.tail * np.arcsinh(z) - self.skew
        return np.sinh(t), (_log_cosh(t) + np.log(self.tail / self.scale) - 0.5 * np.log1p(z**2)).sum(axis=1)

    def back(self, x: np.ndarray) -> np.ndarray:
        """u (point, coordinate)."""
        return self.center + self.scale * np.sinh((np.arcsinh(x) + self.skew) / self.tail)


def unmapped(d: int) -> Margins:
    """The map that changes nothing."""
    return Margins(np.zeros(d), np.ones(d), np.zeros(d), np.ones(d))


def fitted_margins(u: np.ndarray, weight: np.ndarray) -> Margins:
    """The map under which weighted points (point, coordinate) are most likely Gaussian, coordinate by coordinate."""
    center = weight @ u
    scale = np.sqrt(weight @ (u - center) ** 2)
    t = np.arcsinh((u - center) / scale)
    likelihood = np.stack([_likelihood(tail, t, weight) for tail in TAILS])  # (tail, skew, coordinate)
    tail, skew = np.unravel_index(likelihood.reshape(-1, u.shape[1]).argmax(axis=0), likelihood.shape[:2])
    return Margins(center, scale, SKEWS[skew], TAILS[tail])


def _likelihood(tail: float, t: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(skew, coordinate) log likelihood of x = sinh(tail t - skew) as Gaussian, but for what no skew or tail changes.

    With e = exp(tail t) and s = exp(skew), x is (e / s - s / e) / 2: its moments are sums of powers of e.
    """
    e, s = np.exp(tail * t), np.exp(SKEWS)[:, None]
    mean = 0.5 * (weight @ e / s - weight @ (1 / e) * s)
    square = 0.25 * (weight @ e**2 / s**2 - 2.0 + weight @ e**-2 * s**2)
    cosh = e / s[:, None] + s[:, None] / e  # (skew, point, coordinate), twice
    return weight @ np.log(cosh) + np.log(tail) - 0.5 * np.log(square - mean**2)


def _log_cosh(t: np.ndarray) -> np.ndarray:
    size = np.abs(t)
    return size + np.log1p(np.exp(-2.0 * size)) - np.log(2.0)


class Proposal(NamedTuple):
    """A mixture of t distributions in mapped coordinates."""

    margins: Margins
    mixture: Mixture

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """`n` independent points (point, coordinate)."""
        return self.margins.back(self.mixture.draw(n, rng))

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """(point,) at points (point, coordinate)."""
        x, log_det = self.margins.mapped(points)
        return self.mixture.log_density(x) + log_det


@dataclass(frozen=True)
class Fit:
    """A proposal and how good it is.

    Args:
        proposal: to draw from.
        points: (point, coordinate) draws from it, by which it was judged; `values` (point,) are their log densities.
        efficiency: independent draws of the posterior that a draw is worth when weighted, from 0 to 1 (Kong 1992).
    """

    proposal: Proposal
    points: np.ndarray
    values: np.ndarray
    efficiency: float


def fitted_proposal(evaluate: Evaluate, modes: list[Mode], rng: np.random.Generator) -> Fit | None:
    """A distribution that resembles the one a log density belongs to; None where there is no mode, or no width.

    Args:
        evaluate: (point, coordinate) -> log density (point,), -inf where it is not finite.
        modes: of the log density, the highest first.
        rng: source of random numbers.
    """
    try:
        with np.errstate(all="ignore"):
            fit = _fitted(evaluate, modes, rng) if modes else None
            return fit if fit is not None and np.ptp(fit.points, axis=0).all() else None
    except np.linalg.LinAlgError:  # all weight on one point
        return None


def _fitted(evaluate: Evaluate, modes: list[Mode], rng: np.random.Generator) -> Fit:
    proposal = _around(modes)
    pool = _Pool([], [], [])
    for number in range(ROUNDS):
        points = proposal.draw(pilot_size(len(modes[0].place)), rng)
        values = evaluate(points)
        efficiency = efficiency_of(values - proposal.log_density(points))
        if efficiency > GOOD or not efficiency > 0.0 or number == ROUNDS - 1:
            break
        pool.add(points, values, proposal)
        proposal = _learned(*pool.weighted(), COMPONENTS[min(number, len(COMPONENTS) - 1)], rng)
    return Fit(proposal, points, values, efficiency)


def pilot_size(d: int) -> int:
    """Draws of each round."""
    return 200 + 100 * d


def efficiency_of(log_weight: np.ndarray) -> float:
    """Share of draws that weighted ones are worth (Kong 1992)."""
    top = log_weight.max()
    if not np.isfinite(top):
        return 0.0
    weight = np.exp(log_weight - top)
    return float(weight.sum() ** 2 / (weight**2).sum() / len(weight))


@dataclass
class _Pool:
    """The draws of all rounds, with their log densities and what they were drawn from."""

    points: list[np.ndarray]
    values: list[np.ndarray]
    sources: list[Proposal]

    def add(self, points: np.ndarray, values: np.ndarray, source: Proposal) -> None:
        self.points.append(points)
        self.values.append(values)
        self.sources.append(source)

    def weighted(self) -> tuple[np.ndarray, np.ndarray]:
        """All points with weights that add up to 1, as if they were drawn from the mixture of all sources."""
        points = np.concatenate(self.points)
        source = log_of_sum(np.stack([source.log_density(points) for source in self.sources]))
        log_weight = np.concatenate(self.values) - source
        weight = np.exp(log_weight - log_weight.max())
        return points, weight / weight.sum()


def _around(modes: list[Mode]) -> Proposal:
    """t distributions at modes, by their mass were they Gaussian, and wide ones."""
    d = len(modes[0].place)
    mass = np.array([m.height - modes[0].height + np.log(np.diagonal(m.root)).sum() for m in modes])
    share = np.maximum(np.exp(mass - mass.max()), LEAST_SHARE)
    parts = []
    for mode, part in zip(modes, share / share.sum(), strict=True):
        parts.append((part * (1 - WIDE_SHARE), one(mode.place, LAPLACE_SCALE * mode.root)))
        parts.append((part * WIDE_SHARE, one(mode.place, WIDE_LAPLACE * mode.root, WIDE_FREEDOM)))
    return Proposal(unmapped(d), joined(parts))


def _learned(points: np.ndarray, weight: np.ndarray, components: int, rng: np.random.Generator) -> Proposal:
    """Map and mixture of weighted points, and one wide component."""
    margins = fitted_margins(points, weight)
    x, _ = margins.mapped(points)
    mean = weight @ x
    root = np.linalg.cholesky((x - mean).T * weight @ (x - mean))
    wide = one(mean, WIDE_SCALE * root, WIDE_FREEDOM)
    return Proposal(margins, joined([(1 - WIDE_SHARE, fitted(x, weight, components, rng)), (WIDE_SHARE, wide)]))
