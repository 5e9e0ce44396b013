"""Few hyperparameters: the posterior on a grid, independent draws, no Markov chain.

The log density of one or two unconstrained coordinates is evaluated over the region that holds all but a negligible
part of the mass, in coordinates turned and scaled by the curvature at the highest mode, on cells that are finer where
there is more to see (see `cells`). The density interpolated between their nodes is an envelope: draws come from it, and
each is kept with probability density over envelope, so that those kept follow the density itself, whatever the grid.
What the envelope does not cover is measured by the draws; where that is too much the grid is made finer, or given up.
(Roever 2020, JSS 93(6), section 3, draws from a grid for the one parameter of a meta-analysis; Caffo, Booth, Davis
2002, Biometrika 89, on rejection from an envelope that is known by its draws.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finetti.engines.batches import Counting, Evaluate, TooMany
from finetti.engines.cells import Cells, coarsest, cut, joined, one_cell, refined
from finetti.engines.patches import Patches, patches_of, seen_by
from finetti.engines.search import Found, modes_among
from finetti.engines.walks import WALKERS, walked

BOUND = 1e-3  # share of the mass above the envelope
TOLERANCES = (0.1, 0.02, 0.004)  # share that interpolation from every second node may miss, one after the other
ROOM = 1.3  # envelope over interpolated density
DROP = 20.0  # logarithms below the mode at which the tails are cut: of density times distance, the mass beyond
DOUBLINGS = 60  # of the distance to where they are cut
FIRST_REACH = 4.0  # standard deviations at the mode
RIM = 33  # points along each side of a box at which it is looked at
SEEN_DROP = 25.0  # log density below the highest at which a point that was seen no longer matters
ROUGH = 0.25  # share by which a point may exceed what the grid says of it
UNSEEN = 0.02  # share of all mass that may be where points exceed that, were cells as high all over as there
NEAR_TOP = 3.0  # log density below the highest point, of those whose spread stands in for a mode
WALKS = 5  # rounds of walks from the grid's draws
JUDGED = 2000  # draws by which an envelope is judged


@dataclass(frozen=True)
class Grid:
    """A posterior on a grid.

    Args:
        origin: (coordinate,) the middle.
        turn: (coordinate, coordinate) from grid axes to coordinates.
        ends: (axis, 2) of the box that holds the mass.
        cells: log densities there.
        error: share of the mass that lies above the envelope, as the draws tell.
        evaluate: the log density.
    """

    origin: np.ndarray
    turn: np.ndarray
    ends: np.ndarray
    cells: Cells
    error: float
    evaluate: Counting

    @property
    def good(self) -> bool:
        """Whether the envelope covers all but a negligible share."""
        return self.error < BOUND

    @property
    def log_integral(self) -> float:
        """Of the density over its coordinates."""
        return float(np.log(patches_of(self.cells).mass.sum()) + self.cells.top + np.linalg.slogdet(self.turn)[1])

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """`n` independent draws (draw, coordinate) and their log densities (draw,)."""
        patches, places, values, kept = patches_of(self.cells), [], [], 0
        while kept < n:
            place, value, weight = _proposed(self, patches, round(1.05 * ROOM * (n - kept)) + 16, rng)
            accepted = np.flatnonzero(rng.random(len(weight)) * ROOM < weight)[: n - kept]
            places.append(self.origin + place[accepted] @ self.turn.T)
            values.append(value[accepted])
            kept += len(accepted)
        return np.concatenate(places), np.concatenate(values)

    def misses(self, points: np.ndarray, values: np.ndarray) -> np.ndarray:
        """(point,) which points tell of mass that the grid does not have, where that would matter."""
        place = np.linalg.solve(self.turn, (points - self.origin).T).T
        matters = values > self.cells.top - SEEN_DROP
        inside = ((place >= self.ends[:, 0]) & (place <= self.ends[:, 1])).all(axis=1)
        at = np.flatnonzero(matters & inside)
        cell, excess = _excess(self.cells, place[at], values[at])
        missed = matters & ~inside
        missed[at] = _unseen(self.cells, cell, excess)[cell] & (excess > 0)
        return missed


def _proposed(
    grid: Grid, patches: Patches, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws (draw, axis) from the interpolated density, their log densities, and density over interpolated density."""
    place, said = patches.draw(n, rng)
    value = grid.evaluate(grid.origin + place @ grid.turn.T)
    with np.errstate(all="ignore"):
        return place, value, np.exp(np.minimum(value - grid.cells.top, 300.0)) / said


def on_grid(
    evaluate: Evaluate, found: Found | np.ndarray, rng: np.random.Generator, *, most: float = np.inf
) -> Grid | None:
    """Put a posterior of one or two coordinates on a grid.

    Args:
        evaluate: (point, coordinate) -> log density (point,).
        found: what a search has found, or points (point, coordinate) to begin one with.
        rng: draws by which the grid is judged.
        most: evaluations at most.

    Returns:
        The grid, good or not; None where no mode or no end of the tails is found, or not within `most` evaluations.
    """
    count = evaluate if isinstance(evaluate, Counting) else Counting(evaluate)
    count.most = min(count.most, most)
    try:
        found = modes_among(count, found) if isinstance(found, np.ndarray) else found
        return _over(count, found, rng) if len(found.points) else None
    except (TooMany, np.linalg.LinAlgError):
        return None


def _over(count: Counting, found: Found, rng: np.random.Generator) -> Grid | None:
    """The grid over what was found, and over what walks from its draws find besides."""
    frame = _frame(found)
    if frame is None:
        return None
    origin, turn = frame
    known = np.concatenate([found.points, *(m.place + _around(m.root) for m in found.modes)])
    values, grid = count(known), None
    for _ in range(WALKS):
        grid = _finest(count, origin, turn, known, values, rng)
        if grid is None or not grid.good:
            return grid
        tried, tried_values, _, _ = walked(count, *grid.draw(WALKERS, rng), turn, rng)
        missed = grid.misses(tried, tried_values)
        if not missed.any():
            return grid
        known, values = np.concatenate([known, tried[missed]]), np.concatenate([values, tried_values[missed]])
    return None


def _finest(
    count: Counting, origin: np.ndarray, turn: np.ndarray, known: np.ndarray, values: np.ndarray,
    rng: np.random.Generator,
) -> Grid | None:  # fmt: skip
    """A grid as fine as it takes, over points that are known with their log densities; None where it has no end."""
    places = np.linalg.solve(turn, (known - origin).T).T
    high = values > values.max() - SEEN_DROP
    ends = _ends(lambda place: count(origin + place @ turn.T), places[high], float(values.max()))
    if ends is None:
        return None
    for tolerance in TOLERANCES:
        grid = _at(count, origin, turn, ends, (places[high], values[high]), tolerance, rng)
        if grid.good:
            break
    return grid


def _at(
    count: Counting, origin: np.ndarray, turn: np.ndarray, ends: np.ndarray, seen: tuple[np.ndarray, np.ndarray],
    tolerance: float, rng: np.random.Generator,
) -> Grid:  # fmt: skip
    """The grid at one tolerance, and how much of the mass is above its envelope."""

    def there(place: np.ndarray) -> np.ndarray:
        return count(origin + place @ turn.T)

    cells = refined(there, one_cell(there, ends), tolerance=tolerance)
    while (unseen := _unseen(cells, *_excess(cells, *seen))).any():  # cut where points show more than the cells do
        cells = refined(there, joined(cells.part(~unseen), cut(there, cells.part(unseen))), tolerance=tolerance)
    grid = Grid(origin, turn, ends, cells, np.inf, count)
    _, _, weight = _proposed(grid, patches_of(cells), JUDGED, rng)
    above = np.maximum(weight - ROOM, 0.0).sum() / weight.sum() if weight.any() else np.inf
    return Grid(origin, turn, ends, cells, float(above), count)


def _excess(cells: Cells, places: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cell (point,) of each point, and by how much its density over exp(top) exceeds what the cell says of it."""
    if not len(places):
        return np.zeros(0, int), np.zeros(0)
    cell, told = seen_by(cells, places)
    return cell, np.exp(np.minimum(values - cells.top, 300.0)) - (1.0 + ROUGH) * told


def _unseen(cells: Cells, cell: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """(cell,) which hold so much more, were they as high all over as at their points, that together it would matter."""
    most = np.zeros(len(cells))
    np.maximum.at(most, cell, excess)
    mass, _ = cells.errors()
    return coarsest(most * cells.volume(), UNSEEN * float(mass.sum()))


def _frame(found: Found) -> tuple[np.ndarray, np.ndarray] | None:
    """Origin and axes of the grid: the highest mode's, else those of the highest points: a mode may lie on an edge."""
    if found.modes:
        return found.modes[0].place, _axes(found.modes[0].root)
    high = found.points[found.values > found.values.max() - NEAR_TOP]
    if len(high) < 2 * high.shape[1] + 1:
        return None
    spread = np.cov(high.T).reshape(high.shape[1], -1)
    return high.mean(axis=0), _axes(np.linalg.cholesky(spread))


def _around(root: np.ndarray) -> np.ndarray:
    """Steps from a mode in units of its curvature, along each of its axes."""
    d = len(root)
    return np.concatenate([np.zeros((1, d)), *(s * root.T for s in (-2.0, -1.0, -0.3, 0.3, 1.0, 2.0))])


def _axes(root: np.ndarray) -> np.ndarray:
    """A factor of the same matrix, RR', with columns at right angles."""
    variances, vectors = np.linalg.eigh(root @ root.T)
    return vectors * np.sqrt(variances)


def _ends(evaluate: Evaluate, places: np.ndarray, top: float) -> np.ndarray | None:
    """(axis, 2) how far the mass reaches on each grid axis: sides are moved out until next to none is beyond them.

    A density that falls no faster than one over the distance has no integral, and no end is found.

    Args:
        evaluate: (point, axis) -> log density (point,).
        places: (point, axis) what the box holds from the beginning.
        top: the highest log density known.
    """
    d = places.shape[1]
    ends = np.stack([places.min(axis=0) - FIRST_REACH, places.max(axis=0) + FIRST_REACH], axis=1)
    for _ in range(DOUBLINGS):
        rims = np.array([[evaluate(_side(ends, k, side)).max() for side in (0, 1)] for k in range(d)])
        top = max(top, float(rims.max()))
        open_ends = rims + np.log(ends[:, 1:] - ends[:, :1]) > top - DROP
        if not open_ends.any():
            return ends
        ends = np.where(open_ends, ends + [-0.5, 0.5] * (ends[:, 1:] - ends[:, :1]), ends)
    return None


def _side(ends: np.ndarray, axis: int, side: int) -> np.ndarray:
    """Points (point, axis) along one side of a box; with one axis it is a single one."""
    lines = [np.linspace(low, high, RIM) for low, high in ends]
    lines[axis] = ends[axis, side : side + 1]
    return np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, len(ends))
