"""Few hyperparameters: the posterior on a grid, independent draws, no Markov chain.

The log density of one or two unconstrained coordinates is evaluated over the region that holds all but a negligible
part of the mass, in coordinates turned and scaled by the curvature at the mode; the number of points is doubled until
the normalising constant and the first two moments stand still. Draws then come from the density interpolated between
the points of a grid fine enough that interpolation, checked at points in between, does not matter either.
(Roever 2020, JSS 93(6), section 3, draws from a grid the same way for the one parameter of a meta-analysis.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finetti.engines.batches import Counting, Evaluate, TooMany
from finetti.engines.modes import modes_from

BOUND = 1e-6  # of the normalising constant, relative, and of the moments, in posterior sds
INTERPOLATION_BOUND = 1e-4  # total variation between the density and its interpolation
DROP = 36.0  # log density below the mode at which the tails are cut: 1e-15 of the height
FIRST = {1: 65, 2: 33}
MOST = {1: 16385, 2: 513}
FINE = {1: 8, 2: 4}  # how many times finer than the grid the interpolation is


@dataclass(frozen=True)
class Grid:
    """A posterior on a grid.

    Args:
        origin: (coordinate,) the middle.
        turn: (coordinate, coordinate) from grid axes to coordinates.
        axes: one array of positions for each grid axis.
        log_density: values there.
        error: largest change at the last doubling, of the normalising constant and the first two moments.
        interpolation: total variation between density and interpolation, estimated between grid points.
        evaluations: of the density, in all.
    """

    origin: np.ndarray
    turn: np.ndarray
    axes: tuple[np.ndarray, ...]
    log_density: np.ndarray
    error: float
    interpolation: float
    evaluations: int

    @property
    def good(self) -> bool:
        """Whether both errors are below their bounds."""
        return self.error < BOUND and self.interpolation < INTERPOLATION_BOUND

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """`n` independent draws (draw, coordinate)."""
        axes, log_density = _finer(self.axes, self.log_density, FINE[len(self.axes)])
        place = _draw_cells(axes, np.exp(log_density - log_density.max()), n, rng)
        return self.origin + place @ self.turn.T


def on_grid(evaluate: Evaluate, start: np.ndarray, *, most: float = np.inf) -> Grid | None:
    """Put a posterior of one or two coordinates on a grid.

    Args:
        evaluate: (point, coordinate) -> log density (point,).
        start: (coordinate,) a point of finite density.
        most: evaluations at most.

    Returns:
        The grid, good or not; None where no mode or no end of the tails is found, or not within `most` evaluations.
    """
    count = Counting(evaluate, most)
    try:
        modes = modes_from(count, start + _shifts(len(start)))
        if not modes:
            return None
        mode, turn = modes[0].place, _axes(modes[0].root)
        high = np.array([m.place for m in modes if m.height > modes[0].height - DROP])
        places = np.linalg.solve(turn, (high - mode).T)
        ends = _ends(count, mode, turn, places)
        if ends is None or (places < ends[:, :1]).any() or (places > ends[:, 1:]).any():
            return None
        return _refined(count, mode, turn, ends)
    except (TooMany, np.linalg.LinAlgError):
        return None


def _shifts(d: int) -> np.ndarray:
    """Where else to look for modes: near and far on either side of the start, along each coordinate."""
    sides = np.concatenate([np.eye(d), -np.eye(d)])
    return np.concatenate([np.zeros((1, d)), *(distance * sides for distance in (4.0, 16.0, 64.0))])


def _axes(root: np.ndarray) -> np.ndarray:
    """A factor of the same matrix, RR', with columns at right angles."""
    variances, vectors = np.linalg.eigh(root @ root.T)
    return vectors * np.sqrt(variances)


def _ends(evaluate: Evaluate, mode: np.ndarray, turn: np.ndarray, places: np.ndarray) -> np.ndarray | None:
    """(axis, 2) how far the mass reaches on each grid axis, found by widening a coarse grid until its rim is low.

    `places` (axis, mode) are the modes on the grid axes; the grid holds all of them from the beginning.
    """
    d = turn.shape[1]
    ends = np.stack([places.min(axis=1) - 4.0, places.max(axis=1) + 4.0], axis=1)
    for _ in range(60):
        axes = [np.linspace(low, high, 33) for low, high in ends]
        values = evaluate(mode + _mesh(axes) @ turn.T).reshape([33] * d)
        if not np.isfinite(values.max()):
            return None
        rims = np.array([[_rim(values, k, 0), _rim(values, k, -1)] for k in range(d)])
        open_ends = rims > values.max() - DROP
        if not open_ends.any():
            return _shrunk(ends, values)
        ends = np.where(open_ends, ends + [-0.25, 0.25] * (ends[:, 1:] - ends[:, :1]), ends)
    return None


def _rim(values: np.ndarray, axis: int, side: int) -> float:
    return float(np.take(values, side, axis=axis).max())


def _shrunk(ends: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The ends drawn in to the outermost cells that still matter."""
    matters = values > values.max() - DROP
    tight = ends.copy()
    for k in range(len(ends)):
        others = tuple(a for a in range(values.ndim) if a != k)
        low, high = ends[k]
        line = np.linspace(low, high, values.shape[k])
        used = np.flatnonzero(matters.any(axis=others))
        tight[k] = line[max(used[0] - 1, 0)], line[min(used[-1] + 1, len(line) - 1)]
    return tight


def _mesh(axes: list[np.ndarray] | tuple[np.ndarray, ...]) -> np.ndarray:
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))


def _refined(evaluate: Counting, mode: np.ndarray, turn: np.ndarray, ends: np.ndarray) -> Grid:
    """Double the points of each axis until nothing moves; the points of a grid are kept in the next."""
    d = len(ends)
    n = FIRST[d]
    axes = tuple(np.linspace(low, high, n) for low, high in ends)
    values = evaluate(mode + _mesh(axes) @ turn.T).reshape([n] * d)
    moments = _moments(axes, values)
    while True:
        n = 2 * n - 1
        finer_axes = tuple(np.linspace(low, high, n) for low, high in ends)
        finer = _filled(evaluate, mode, turn, finer_axes, values)
        new = _moments(finer_axes, finer)
        error = _change(moments, new)
        interpolation = _interpolation_error(axes, values, finer) / 16.0  # one halving ahead, cubic: 2**-4
        axes, values, moments = finer_axes, finer, new
        grid = Grid(mode, turn, axes, values, error, interpolation, evaluate.evaluations)
        if grid.good or n >= MOST[d]:
            return grid


def _filled(evaluate: Evaluate, mode, turn, axes, coarse: np.ndarray) -> np.ndarray:
    """Values on a grid twice as fine, evaluated only where they are not known already."""
    shape = [len(axis) for axis in axes]
    values = np.full(shape, np.nan)
    values[(slice(None, None, 2),) * len(axes)] = coarse
    unknown = np.isnan(values).ravel()
    flat = values.ravel()
    flat[unknown] = evaluate(mode + _mesh(axes)[unknown] @ turn.T)
    return flat.reshape(shape)


def _moments(axes: tuple[np.ndarray, ...], values: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Log normalising constant (trapezoidal rule), and mean and sd along each grid axis."""
    top = values.max()
    weight = np.exp(values - top)  # at least 1 somewhere
    cell = float(np.prod([axis[1] - axis[0] for axis in axes]))
    total = weight.sum()
    mesh = _mesh(axes)
    mean = weight.ravel() @ mesh / total
    sd = np.sqrt(weight.ravel() @ (mesh - mean) ** 2 / total)
    return float(np.log(total * cell) + top), mean, sd


def _change(old, new) -> float:
    """Largest change from one grid to the next, in the units of BOUND."""
    if not (new[2] > 0).all():  # all mass at one point: the grid is far too coarse
        return np.inf
    means, sds = np.abs(old[1] - new[1]) / new[2], np.abs(old[2] / new[2] - 1.0)
    return float(max(abs(old[0] - new[0]), means.max(), sds.max()))


def _interpolation_error(axes, values: np.ndarray, finer: np.ndarray) -> float:
    """Total variation between the density on the finer grid and its interpolation from the coarser one."""
    _, guessed = _finer(axes, values, 2)
    density, guess = np.exp(finer - finer.max()), np.exp(np.minimum(guessed - finer.max(), 50.0))
    return float(0.5 * np.abs(density / density.sum() - guess / guess.sum()).sum())


def _finer(axes, values: np.ndarray, times: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """The log density on a grid `times` finer, by cubics through four neighbours along each axis in turn."""
    floor = np.maximum(values, values.max() - 2 * DROP)  # far down only that it is far down counts
    fine_axes = []
    for k, axis in enumerate(axes):
        floor = np.moveaxis(_cubic(np.moveaxis(floor, k, 0), times), 0, k)
        fine_axes.append(np.linspace(axis[0], axis[-1], (len(axis) - 1) * times + 1))
    return tuple(fine_axes), floor


def _cubic(values: np.ndarray, times: int) -> np.ndarray:
    """Lagrange's cubic through the four nearest points of a regular grid, along the first axis."""
    n = len(values)
    at = np.arange((n - 1) * times + 1)
    left = np.clip(at // times - 1, 0, n - 4)
    t = at / times - left
    weights = np.stack([
        -(t - 1) * (t - 2) * (t - 3) / 6, t * (t - 2) * (t - 3) / 2,
        -t * (t - 1) * (t - 3) / 2, t * (t - 1) * (t - 2) / 6,
    ])  # fmt: skip
    shape = (-1,) + (1,) * (values.ndim - 1)
    return sum(weights[k].reshape(shape) * values[left + k] for k in range(4))


def _draw_cells(axes, density: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draws (draw, axis) from a density that is linear between grid points (bilinear on two axes)."""
    if density.ndim == 1:
        cell, share = _pick(0.5 * (density[1:] + density[:-1]), n, rng)
        return _within(axes[0], cell, density[cell], density[cell + 1], share)[:, None]
    corners = 0.25 * (density[1:, 1:] + density[:-1, 1:] + density[1:, :-1] + density[:-1, :-1])
    cell, share = _pick(corners.ravel(), n, rng)
    i, j = np.divmod(cell, corners.shape[1])
    low, high = density[i, j] + density[i, j + 1], density[i + 1, j] + density[i + 1, j + 1]
    x, u = _within(axes[0], i, low, high, share, with_share=True)
    at_left = (1 - u) * density[i, j] + u * density[i + 1, j]
    at_right = (1 - u) * density[i, j + 1] + u * density[i + 1, j + 1]
    return np.stack([x, _within(axes[1], j, at_left, at_right, rng.random(n))], axis=-1)


def _pick(mass: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Cells drawn by their mass, and for each a uniform number that is left over."""
    cumulative = np.cumsum(mass)
    target = rng.random(n) * cumulative[-1]
    cell = np.minimum(np.searchsorted(cumulative, target, side="right"), len(mass) - 1)
    return cell, rng.random(n)


def _within(axis: np.ndarray, cell, left, right, share, *, with_share: bool = False):
    """A place in each cell, by inverting the distribution function of a density linear across it."""
    slope = right - left
    root = np.sqrt(np.maximum(left**2 + share * (right**2 - left**2), 0.0))
    u = np.where(left + root > 0, share * (left + right) / np.where(left + root > 0, left + root, 1.0), share)
    u = np.clip(np.where(np.abs(slope) < 1e-300, share, u), 0.0, 1.0)
    place = axis[cell] + u * (axis[1] - axis[0])
    return (place, u) if with_share else place
