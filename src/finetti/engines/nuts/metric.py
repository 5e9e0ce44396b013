"""The metric: the linear map that makes the posterior look round, learned from draws and gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

_SMALLEST, _LARGEST = 1e-250, 1e250  # variances beyond these say that something else is wrong
RESOLVED = 100.0  # floats in a standard deviation, at least
MAX_RANK = 12
MIN_DRAWS = 30  # of a window, and 3/2 times the dimension, before directions are looked for
RIDGE = 1e-5  # relative variance in directions nothing was seen of
TRUST = 0.85  # share of the gradients' variance to be foretold before trajectories follow the Gaussian
UNTRUSTED = np.zeros(())
GATE, GAIN = 0.5, 0.25  # share of the gradients' variance to be foretold, and by how much more than by the diagonal


class Diagonal(NamedTuple):
    """Inverse mass diag(scale**2).

    Args:
        scale: (unconstrained,) the posterior's standard deviations where it is right.
        center: (unconstrained,) the posterior's mean, likewise.
        trusted: 1.0 where the Gaussian with this mean and these scales foretells the posterior's gradients, else 0.0.
    """

    scale: Any
    center: Any
    trusted: Any

    def move(self, momentum):
        """Velocity of a whitened momentum."""
        return self.scale * momentum

    def kick(self, gradient):
        """Force on a whitened momentum."""
        return self.scale * gradient

    def whiten(self, position):
        """The position in coordinates in which the metric is round."""
        return (position - self.center) / self.scale


def flat(position: np.ndarray) -> Diagonal:
    """The metric that knows nothing: all scales 1."""
    return Diagonal(np.ones_like(position), np.array(position), UNTRUSTED)


def from_gradient(position: np.ndarray, gradient: np.ndarray) -> Diagonal:
    """A first guess from one gradient: inverse mass 1/|gradient| (nutpie's start)."""
    size = np.abs(gradient)
    variance = np.divide(1.0, size, out=np.ones_like(size), where=size > 0)
    return Diagonal(_scale(variance, position), np.array(position), UNTRUSTED)


def from_window(draws: np.ndarray, gradients: np.ndarray, fallback: Diagonal) -> Diagonal:
    """The diagonal that minimises the Fisher divergence to a Gaussian: inverse mass sqrt(Var x / Var gradient).

    The Gaussian's mean is then that of the draws, moved by inverse mass times their mean gradient.

    Args:
        draws: (draw, unconstrained).
        gradients: (draw, unconstrained), of the log density at the draws.
        fallback: used for coordinates that have not moved.

    Returns:
        The metric (Seyboldt, Carlson, Carpenter 2026, arXiv 2603.18845, on the Fisher-divergence diagonal).
    """
    spread, steepness = _spread(draws), _spread(gradients)
    usable = (spread > 0) & (steepness > 0) & np.isfinite(spread) & np.isfinite(steepness)
    ratio = np.divide(spread, steepness, out=np.ones_like(spread), where=usable)
    variance = np.where(usable, ratio, np.asarray(fallback.scale) ** 2)
    return _judged(fallback._replace(scale=_scale(variance, draws.mean(axis=0))), draws, gradients)


def _scale(variance: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Standard deviations, of which none is so small that floats around there could not tell draws apart."""
    least = np.maximum(np.sqrt(_SMALLEST), RESOLVED * np.finfo(float).eps * np.abs(around))
    return np.clip(np.sqrt(variance), least, np.sqrt(_LARGEST))


def _spread(values: np.ndarray) -> np.ndarray:
    """(unconstrained,) standard deviations over draws, also of numbers whose squares no float holds."""
    size = np.abs(values).max(axis=0)
    size = np.where((size > 0) & np.isfinite(size), size, 1.0)
    return (values / size).std(axis=0) * size


def _judged(metric: Any, draws: np.ndarray, gradients: np.ndarray) -> Any:
    """The metric with the mean a window shows, and whether the Gaussian it stands for foretells the gradients."""
    with np.errstate(all="ignore"):
        center = draws.mean(axis=0) + metric.move(metric.kick(gradients.mean(axis=0)))
        metric = metric._replace(center=np.where(np.isfinite(center), center, metric.center))
        force, around_mean = metric.kick(gradients), metric.whiten(draws - draws.mean(axis=0) + metric.center)
        # A mean force is left unexplained: a chain on its way to the posterior is no Gaussian's, however even its way.
        foretold = 1.0 - ((force + around_mean) ** 2).sum() / ((force - force.mean(axis=0)) ** 2).sum()
    return metric._replace(trusted=np.asarray(float(foretold > TRUST)))


class LowRank(NamedTuple):
    """A diagonal, and a few directions in which the posterior is longer or shorter than that says.

    Args:
        scale, center, trusted: as in `Diagonal`.
        directions: (unconstrained, rank) orthonormal, in scaled coordinates; zero where there are fewer.
        stretch: (rank,) by how much the standard deviation differs along each, less 1.
    """

    scale: Any
    center: Any
    trusted: Any
    directions: Any
    stretch: Any

    def move(self, momentum):
        """Velocity of a whitened momentum."""
        return self.scale * self._stretched(momentum, self.stretch)

    def kick(self, gradient):
        """Force on a whitened momentum."""
        return self._stretched(self.scale * gradient, self.stretch)

    def whiten(self, position):
        """The position in coordinates in which the metric is round."""
        return self._stretched((position - self.center) / self.scale, -self.stretch / (1.0 + self.stretch))

    def _stretched(self, vector, stretch):
        return vector + (vector @ self.directions * stretch) @ self.directions.T


Metric = Diagonal | LowRank


def with_directions(draws: np.ndarray, gradients: np.ndarray, diagonal: Diagonal) -> Metric:
    """The diagonal with the directions a window of draws and gradients shows, where they help; else the diagonal.

    The covariance that takes gradients to draws is the geometric mean of the draws' covariance and the inverse of the
    gradients', in the space both span (Seyboldt, Carlson, Carpenter 2026, arXiv 2603.18845). It is used only where it
    foretells the gradients of draws it has not seen: in a funnel it does not, and no fixed metric would help.

    Args:
        draws, gradients: (draw, unconstrained).
        diagonal: of the same window.

    Raises:
        numpy.linalg.LinAlgError: where draws or gradients are too far apart for an eigendecomposition.
    """
    n, size = draws.shape
    with np.errstate(all="ignore"):
        x = (draws - draws.mean(axis=0)) / diagonal.scale
        g = (gradients - gradients.mean(axis=0)) * diagonal.scale
        usable = np.isfinite((x**2).sum()) and np.isfinite((g**2).sum())  # else nothing can be learned from products
    if n < max(MIN_DRAWS, 1.5 * size) or size < 2:
        return diagonal
    if not usable:
        raise np.linalg.LinAlgError("draws or gradients are not finite, or their squares are not")
    tried = _directions(x[::2], g[::2])
    if tried is None or _foretold(x[1::2], g[1::2], tried) < max(GATE, _foretold(x[1::2], g[1::2], None) + GAIN):
        return diagonal
    directions, stretch = _directions(x, g) or tried
    metric = with_no_directions(diagonal)
    metric.directions[:, : len(stretch)], metric.stretch[: len(stretch)] = directions, stretch
    return _judged(metric, draws, gradients)


def with_no_directions(metric: Metric) -> LowRank:
    """The metric with room for directions, all of them zero unless it has some."""
    if isinstance(metric, LowRank):
        return metric
    size = len(metric.scale)
    rank = min(MAX_RANK, size)
    return LowRank(*metric, np.zeros((size, rank)), np.zeros(rank))


def _directions(x: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Directions (unconstrained, k) whose variance is off by a factor of two or more, and their stretch; None without.

    Raises:
        numpy.linalg.LinAlgError: numbers too far apart for an eigendecomposition.
    """
    spans = [np.linalg.svd(part.T, full_matrices=False)[0] for part in (x, g)]
    basis, _ = np.linalg.qr(np.concatenate(spans, axis=1))
    px, pg = x @ basis, g @ basis
    ridge = RIDGE * np.eye(basis.shape[1])
    cx, cg = px.T @ px / len(x) + ridge, pg.T @ pg / len(g) + ridge
    root, inverse = _powers(cg)
    middle = _powers(root @ cx @ root)[0]
    values, vectors = np.linalg.eigh(inverse @ middle @ inverse)
    values = np.clip(values, RIDGE, 1.0 / RIDGE)
    off = np.abs(np.log(values))
    chosen = np.argsort(-off)[: min(MAX_RANK, x.shape[1])]
    chosen = chosen[off[chosen] > np.log(2.0)]
    if not len(chosen) or not np.isfinite(values).all():
        return None
    return basis @ vectors[:, chosen], np.sqrt(values[chosen]) - 1.0


def _powers(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Square root and its inverse of a symmetric positive definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    root = np.sqrt(np.maximum(values, 1e-300))
    return vectors * root @ vectors.T, vectors / root @ vectors.T


def _foretold(x: np.ndarray, g: np.ndarray, found: tuple[np.ndarray, np.ndarray] | None) -> float:
    """The share of the gradients' variance that a Gaussian with these directions foretells, draw by draw."""
    guess = -x
    if found is not None:
        directions, stretch = found
        guess = guess - (x @ directions) * ((1.0 + stretch) ** -2 - 1.0) @ directions.T
    return float(1.0 - ((g - guess) ** 2).sum() / (g**2).sum())
