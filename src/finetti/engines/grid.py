"""Independent draws from a grid over one or two coordinates, checked against points that were not used for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from finetti.density import Density
from finetti.engines.batches import Batches, Counting, TooMany
from finetti.engines.contract import Batch, Declined, Offer, Order, Target, Told
from finetti.engines.exact import Made, statistics_of
from finetti.engines.quadrature import Grid, on_grid
from finetti.engines.scatter import spread
from finetti.engines.search import Found, modes_among, search
from finetti.engines.start import start_points
from finetti.engines.streams import Stream, generator, written

ON_A_GRID = 2  # unconstrained coordinates at most
WORK, WORK_FOR_NUTS = 20_000_000, 400_000_000  # numbers touched by all evaluations at most, before proposals or NUTS
FEW = 40_000  # evaluations that are made in any case
CHECKS = 3  # rounds of looking where nothing has been looked at yet
SUITS = f"posteriors of up to {ON_A_GRID} unconstrained coordinates that a grid holds"


class OnGrid(NamedTuple):
    """How many draws of each chain were made, and where the random numbers go on."""

    made: Made
    stream: Stream


class Checked(NamedTuple):
    """A grid, what was found before it was laid, and how many points not used for it agree with it."""

    grid: Grid
    found: Found
    points: int


class Quadrature:
    """The engine."""

    name = "quadrature"

    def offers(self, target: Target) -> Offer:
        """Where one or two coordinates are left."""
        return Offer(1 <= target.left <= ON_A_GRID and not target.as_written, SUITS)

    def ready(self, order: Order) -> ReadyGrid:
        """Search, lay a grid, check it."""
        density, rng = order.density, order.rng
        (start, _), = start_points(density, [rng], None)  # fmt: skip
        width = Batches(density).width
        work = WORK if density.reductions else WORK_FOR_NUTS  # where latents are integrated out proposals are next
        count = Counting(Batches(density), max(FEW, work // width))
        try:
            return ReadyGrid(order, _checked_grid(density, count, start, rng), count, written(rng.spawn(1)[0]))
        except TooMany:
            raise Declined(f"a grid would take more than {int(count.most):,} evaluations") from None


class ReadyGrid:
    """A grid to draw from.

    Args:
        order: what to draw from.
        checked: the grid.
        count: evaluates the density.
        stream: where random numbers begin.
    """

    wait = None
    kinds = (OnGrid, Made, Stream)

    def __init__(self, order: Order, checked: Checked, count: Counting, stream: Stream):
        self.order, self.checked, self.count, self.stream = order, checked, count, stream

    def start(self) -> tuple[OnGrid, ...]:
        """No draws yet."""
        return (OnGrid(Made(), self.stream),)

    def step(self, state: OnGrid, wanted: int) -> tuple[OnGrid, tuple[Batch, ...]]:
        """All that are wanted."""
        rng, chains, draws = generator(state.stream), len(self.order.seeds), wanted - state.made.drawn
        try:
            flat, log_density = self.checked.grid.draw(chains * draws, rng)
        except TooMany:
            raise Declined(f"draws from the grid would take more than {int(self.count.most):,} evaluations") from None
        parts = zip(flat.reshape(chains, draws, -1), log_density.reshape(chains, draws), strict=True)
        batches = tuple(Batch(k, part, statistics_of(lp)) for k, (part, lp) in enumerate(parts))
        return OnGrid(Made(wanted), written(rng)), batches

    def shown(self, state: OnGrid) -> tuple[Made, ...]:
        """All chains are equally far."""
        return (state.made,) * len(self.order.seeds)

    def told(self, states: Sequence[OnGrid], draws: np.ndarray) -> Told:
        """How it was laid and checked."""
        grid, found, points = self.checked
        facts = found.told() | {
            "sampler": Quadrature.name, "independent_draws": True, "trajectories": False, "drawn_from": "from a grid",
            "quadrature_error": grid.error, "quadrature_evaluations": self.count.evaluations, "check_points": points,
        }  # fmt: skip
        modes = "1 mode" if found.peaks == 1 else f"{found.peaks} modes"
        note = (
            f"{self.count.evaluations:,} evaluations; a grid of {len(grid.cells):,} cells over {modes}, whose draws "
            f"are kept by their own density; {points:,} points not used for the grid show nothing that it misses"
        )
        return Told(facts, (note,), "on a grid")


def _checked_grid(density: Density, count: Counting, start: np.ndarray, rng: np.random.Generator) -> Checked:
    """A grid that points not used for it agree with."""
    found = search(density, count, start, rng, width=Batches(density).width)
    for _ in range(CHECKS):
        grid = on_grid(count, found, rng)
        if grid is None or not grid.good:
            raise Declined("no grid holds the posterior closely enough")
        fresh = spread(density, max(len(found.points) // 2, 1), rng)
        values = count(fresh)
        missed = grid.misses(fresh, values)
        if not missed.any():
            return Checked(grid, found, len(fresh))
        more = modes_among(count, fresh[missed], known=found.modes)
        points = np.concatenate([found.points, fresh[missed]])
        found = found._replace(
            points=points, values=np.concatenate([found.values, values[missed]]), modes=more.modes
        )  # fmt: skip
    raise Declined("points not used for the grid show parts of the posterior that it misses")
