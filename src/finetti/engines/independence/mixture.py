"""Mixtures of Student t distributions: density, draws, and the fit to weighted points."""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, pi

import numpy as np

FREEDOM = 20.0  # degrees, of the components: tails a little heavier than a Gaussian's
ROUNDS = 12  # of expectation and maximisation
LEAST = 0.01  # share of the points' weight below which a component is dropped
RIDGE = 1e-3  # of all points' variance, added to every component's


@dataclass(frozen=True)
class Mixture:
    """A mixture of multivariate t distributions.

    Args:
        share: (component,) of each in the mixture, adding up to 1.
        center: (component, coordinate).
        root: (component, coordinate, coordinate) lower triangular factors of the scale matrices.
        freedom: (component,) degrees of freedom.
    """

    share: np.ndarray
    center: np.ndarray
    root: np.ndarray
    freedom: np.ndarray

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """(point,) at points (point, coordinate)."""
        return log_of_sum(self.parts(points)[0])

    def parts(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(component, point) log of each component's share times its density, and squared standardised distances."""
        d = points.shape[1]
        whitened = np.linalg.inv(self.root) @ (points[None] - self.center[:, None]).swapaxes(-1, -2)
        distance = (whitened**2).sum(axis=1)
        half = 0.5 * (self.freedom + d)
        constant = np.array([lgamma(h) - lgamma(0.5 * f) for h, f in zip(half, self.freedom, strict=True)])
        constant = constant - 0.5 * d * np.log(self.freedom * pi) + np.log(self.share)
        constant = constant - np.log(np.diagonal(self.root, axis1=1, axis2=2)).sum(axis=1)
        return constant[:, None] - half[:, None] * np.log1p(distance / self.freedom[:, None]), distance

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """`n` independent points (point, coordinate)."""
        which = rng.choice(len(self.share), n, p=self.share)
        normal = rng.standard_normal((n, self.center.shape[1]))
        stretch = np.sqrt(self.freedom[which] / rng.chisquare(self.freedom[which]))
        return self.center[which] + np.einsum("nij,nj->ni", self.root[which], normal) * stretch[:, None]


def joined(parts: list[tuple[float, Mixture]]) -> Mixture:
    """Mixtures as one, each with its share."""
    return Mixture(
        np.concatenate([share * m.share for share, m in parts]),
        np.concatenate([m.center for _, m in parts]),
        np.concatenate([m.root for _, m in parts]),
        np.concatenate([m.freedom for _, m in parts]),
    )


def one(center: np.ndarray, root: np.ndarray, freedom: float = FREEDOM) -> Mixture:
    """A single t distribution."""
    return Mixture(np.ones(1), center[None], root[None], np.full(1, freedom))


def fitted(points: np.ndarray, weight: np.ndarray, components: int, rng: np.random.Generator) -> Mixture:
    """The mixture that weighted points are most likely under, found by expectation and maximisation.

    Args:
        points: (point, coordinate).
        weight: (point,) adding up to 1.
        components: at most; those with hardly a point are dropped.
        rng: chooses the first centres.

    Raises:
        numpy.linalg.LinAlgError: where all weight is on one point.

    Source:
        Peel, McLachlan (2000), Statistics and Computing 10, equations 20-31, with weighted points.
    """
    d = points.shape[1]
    mean = weight @ points
    spread = (points - mean).T * weight @ (points - mean)
    ridge = RIDGE * np.diag(np.diagonal(spread))
    root = np.linalg.cholesky(spread + ridge)
    center = _far_apart(points, weight, np.linalg.inv(root), components, rng)
    k = len(center)
    mixture = Mixture(np.full(k, 1 / k), center, np.tile(root * k ** (-1 / d), (k, 1, 1)), np.full(k, FREEDOM))
    for _ in range(ROUNDS):
        logs, distance = mixture.parts(points)
        belongs = weight * np.exp(logs - log_of_sum(logs))  # (component, point)
        share = belongs.sum(axis=1)
        kept = share > LEAST
        if not kept.any():
            raise np.linalg.LinAlgError("no component is left: the points have no spread")
        belongs, share = belongs[kept], share[kept]
        pulled = belongs * ((FREEDOM + d) / (FREEDOM + distance[kept]))
        center = pulled @ points / pulled.sum(axis=1)[:, None]
        away = points[None] - center[:, None]
        scale = (away.swapaxes(-1, -2) * pulled[:, None]) @ away / share[:, None, None]
        mixture = Mixture(share / share.sum(), center, np.linalg.cholesky(scale + ridge), np.full(len(share), FREEDOM))
    return mixture


def _far_apart(points: np.ndarray, weight: np.ndarray, whitener: np.ndarray, n: int, rng: np.random.Generator):
    """First centres, drawn with a chance that grows with weight and with the distance to those already drawn."""
    whitened = points @ whitener.T
    chance = weight
    chosen: list[int] = []
    for _ in range(n):
        total = chance.sum()
        if not total > 0:
            break
        chosen.append(int(rng.choice(len(points), p=chance / total)))
        apart = ((whitened[:, None] - whitened[chosen]) ** 2).sum(axis=-1).min(axis=1)
        chance = weight * apart
    return points[chosen]


def log_of_sum(logs: np.ndarray) -> np.ndarray:
    """log(sum(exp(logs))) over the first axis."""
    top = logs.max(axis=0)
    return top + np.log(np.exp(logs - top).sum(axis=0))
