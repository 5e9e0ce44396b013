"""Independent draws without a chain: from a grid over one or two coordinates, or with nothing left to sample."""

from __future__ import annotations

import time

import numpy as np

from finetti.density import Density
from finetti.engines.batches import Batches, Counting, TooMany
from finetti.engines.drawn import Drawn
from finetti.engines.quadrature import Grid, on_grid
from finetti.engines.scatter import spread
from finetti.engines.search import Found, modes_among, search
from finetti.engines.start import start_points
from finetti.planning import ON_A_GRID

WORK, WORK_FOR_NUTS = 20_000_000, 400_000_000  # numbers touched by all evaluations at most, before proposals or NUTS
FEW = 40_000  # evaluations that are made in any case
CHECKS = 3  # rounds of looking where nothing has been looked at yet


def draw_exactly(density: Density, chains: int, draws: int, rng: np.random.Generator) -> Drawn | None:
    """Independent draws, where that is possible at a bearable cost; None where a chain is needed.

    Args:
        density: of the model.
        chains: draws are arranged in as many chains, so that they read like any other run.
        draws: of each chain.
        rng: source of random numbers.
    """
    if density.size > ON_A_GRID:
        return None
    began = time.perf_counter()
    if density.size == 0:
        return _nothing_left(density, chains, draws)
    evaluate = Batches(density)
    (start, _), = start_points(density, [rng], None)  # fmt: skip
    work = WORK if density.reductions else WORK_FOR_NUTS  # where latents are integrated out proposals are next
    count = Counting(evaluate, max(FEW, work // evaluate.width))
    try:
        grid, found, checked = _checked_grid(density, count, start, rng)
        if grid is None:
            return None
        flat, log_density = grid.draw(chains * draws, rng)
    except TooMany:
        return None
    facts = found.told() | {
        "sampler": "quadrature",
        "sampling_time": time.perf_counter() - began,
        "quadrature_error": grid.error,
        "quadrature_evaluations": count.evaluations,
        "check_points": checked,
    }
    return Drawn(
        flat.reshape(chains, draws, -1), _statistics(log_density.reshape(chains, draws)), facts,
        (_told(grid, found, checked),),
    )  # fmt: skip


def _told(grid: Grid, found: Found, checked: int) -> str:
    modes = "1 mode" if found.peaks == 1 else f"{found.peaks} modes"
    return (
        f"{grid.evaluate.evaluations:,} evaluations; a grid of {len(grid.cells):,} cells over {modes}, whose draws are "
        f"kept by their own density; {checked:,} points not used for the grid show nothing that it misses"
    )


def _checked_grid(
    density: Density, count: Counting, start: np.ndarray, rng: np.random.Generator
) -> tuple[Grid | None, Found, int]:
    """A grid that points not used for it agree with, what was found, and how many such points there were."""
    found = search(density, count, start, rng, width=Batches(density).width)
    for _ in range(CHECKS):
        grid = on_grid(count, found, rng)
        if grid is None or not grid.good:
            return None, found, 0
        fresh = spread(density, max(len(found.points) // 2, 1), rng)
        values = count(fresh)
        missed = grid.misses(fresh, values)
        if not missed.any():
            return grid, found, len(fresh)
        more = modes_among(count, fresh[missed], known=found.modes)
        points = np.concatenate([found.points, fresh[missed]])
        found = found._replace(
            points=points, values=np.concatenate([found.values, values[missed]]), modes=more.modes
        )  # fmt: skip
    return None, found, 0


def _nothing_left(density: Density, chains: int, draws: int) -> Drawn:
    with np.errstate(all="ignore"):  # where rounding has spoilt it all, which is noticed afterwards
        value = density(np.zeros((1, 0)), density.batched_arguments(), lead=1)
    log_density = np.broadcast_to(np.asarray(value), (chains * draws,)).reshape(chains, draws)
    facts = {"sampler": "exact", "sampling_time": 0.0}
    note = "everything was integrated out: draws come from the exact posterior"
    return Drawn(np.zeros((chains, draws, 0)), _statistics(log_density), facts, (note,))


def _statistics(log_density: np.ndarray) -> dict[str, np.ndarray]:
    """Independent draws have a log density, and cannot diverge."""
    return {"lp": log_density, "diverging": np.zeros(log_density.shape, bool)}
