"""Independent draws without a chain: from a grid over one or two coordinates, or with nothing left to sample."""

from __future__ import annotations

import time

import numpy as np

from finetti.density import Density
from finetti.engines.batches import Batches
from finetti.engines.drawn import Drawn
from finetti.engines.quadrature import Grid, on_grid
from finetti.engines.start import start_points
from finetti.geometry.plan import ON_A_GRID

WORK, WORK_FOR_NUTS = 20_000_000, 400_000_000  # numbers touched by all evaluations at most, before proposals or NUTS
FEW = 5_000  # evaluations that are made in any case


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
    grid = _grid(evaluate, rng)
    if grid is None or not grid.good:
        return None
    flat = grid.draw(chains * draws, rng)
    log_density = evaluate(flat).reshape(chains, draws)
    facts = {
        "sampler": "quadrature",
        "sampling_time": time.perf_counter() - began,
        "quadrature_error": grid.error,
        "quadrature_interpolation": grid.interpolation,
        "quadrature_evaluations": grid.evaluations,
    }
    note = (
        f"{grid.evaluations:,} evaluations on a grid; normalising constant and moments good to {grid.error:.1g}, "
        f"interpolation to {grid.interpolation:.1g} in total variation"
    )
    return Drawn(flat.reshape(chains, draws, -1), _statistics(log_density), facts, (note,))


def _nothing_left(density: Density, chains: int, draws: int) -> Drawn:
    value = density(np.zeros((1, 0)), density.batched_arguments(), lead=1)
    log_density = np.broadcast_to(np.asarray(value), (chains * draws,)).reshape(chains, draws)
    facts = {"sampler": "exact", "sampling_time": 0.0}
    note = "everything is Gaussian: draws come from the exact posterior"
    return Drawn(np.zeros((chains, draws, 0)), _statistics(log_density), facts, (note,))


def _statistics(log_density: np.ndarray) -> dict[str, np.ndarray]:
    """Independent draws have a log density, and cannot diverge."""
    return {"lp": log_density, "diverging": np.zeros(log_density.shape, bool)}


def _grid(evaluate: Batches, rng: np.random.Generator) -> Grid | None:
    (start, _), = start_points(evaluate.density, [rng], None)  # fmt: skip
    work = WORK if evaluate.density.gaussian else WORK_FOR_NUTS  # where latents are integrated out proposals are next
    return on_grid(evaluate, start, most=max(FEW, work // evaluate.width))
