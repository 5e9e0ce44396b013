"""Draws of the flat vector, statistics and data -> a `Trace`, every variable under its own name, dims and coords."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from finetti.density import Density
from finetti.engines.nuts.chain import ChainLog
from finetti.geometry.constrain import constrain
from finetti.model.context import Model, dims_and_coords
from finetti.model.evaluate import evaluate
from finetti.model.graph import Data, Deterministic, Node, ancestors
from finetti.trace import Trace, build_trace

BATCH_ELEMENTS = 4_000_000  # numbers held at once while deterministics are computed


def trace_of(model: Model, density: Density, logs: Sequence[ChainLog], *, attrs: Mapping[str, Any]) -> Trace:
    """The trace of finished chains.

    Args:
        model: as it was written.
        density: its density, for the layout of the flat vector.
        logs: one for each chain, all with the same number of draws.
        attrs: facts of the run.
    """
    flat = np.stack([np.concatenate([r.position for r in log.records]) for log in logs])
    posterior = _posterior(model, density, flat)
    unconstrained = {
        block.name: flat[..., block.start : block.start + block.size].reshape(*flat.shape[:2], *block.shape)
        for block in density.blocks
        if block.name != block.node.name
    }
    groups = {
        "posterior": posterior,
        "unconstrained_posterior": unconstrained,
        "sample_stats": _statistics(logs),
        "observed_data": _observed(model),
        "constant_data": {node.name: model.data[node] for node in model.data if isinstance(node, Data)},
    }
    dims, coords = dims_and_coords(model, model.named.values())
    for block in density.blocks:  # an elementwise map keeps the axes, any other has its own
        if block.shape == block.node.shape and block.node.dims:
            dims[block.name] = block.node.dims
    return build_trace(groups=groups, dims=dims, coords=coords, attrs=attrs)


def _posterior(model: Model, density: Density, flat: np.ndarray) -> dict[str, np.ndarray]:
    """Free variables and deterministics, in the order they were written: (chain, draw, *shape) by name."""
    chains, draws, _ = flat.shape
    wanted: list[Any] = [n for n in model.named.values() if n in set(model.free) or isinstance(n, Deterministic)]
    kept = {node.name: np.empty((chains * draws, *node.shape), _kept_type(node)) for node in wanted}
    rows = flat.reshape(chains * draws, -1)
    for part in _batches(len(rows), model):
        values = _values(model, density, rows[part])
        for node, value in zip(wanted, evaluate(wanted, values, lead=1), strict=True):
            kept[node.name][part] = value
    return {name: array.reshape(chains, draws, *array.shape[1:]) for name, array in kept.items()}


def _kept_type(node: Node) -> np.dtype:
    return node.dtype if node.dtype.kind in "bi" else np.dtype(float)


def _batches(total: int, model: Model) -> Iterator[slice]:
    """Slices of draws small enough that no intermediate result fills the memory."""
    widest = max((node.size for node in ancestors(model.deterministics)), default=1)
    step = max(1, BATCH_ELEMENTS // max(widest, 1))
    return (slice(start, min(start + step, total)) for start in range(0, total, step))


def _values(model: Model, density: Density, rows: np.ndarray) -> dict[Node, np.ndarray]:
    """All that deterministics may depend on: draws (draw, *shape) of the free variables, data, observations."""
    given = density.batched_arguments()
    values: dict[Node, Any] = dict(given)
    with np.errstate(over="ignore", under="ignore"):
        values |= {block.node: value for block, value, _ in constrain(density.blocks, rows, given, lead=1)}
    values |= {node: array[None] for node, array in model.data.items()}
    for node in model.observed:
        values[node] = evaluate([node.observed], values, lead=1)[0]
    return values


def _statistics(logs: Sequence[ChainLog]) -> dict[str, np.ndarray]:
    """The sampler's statistics by ArviZ's names, each (chain, draw)."""

    def joined(read) -> np.ndarray:
        return np.stack([np.concatenate([read(record) for record in log.records]) for log in logs])

    return {
        "lp": joined(lambda r: r.log_density),
        "acceptance_rate": joined(lambda r: r.statistics.acceptance),
        "step_size": joined(lambda r: r.step),
        "tree_depth": joined(lambda r: r.statistics.tree_depth).astype(np.int64),
        "n_steps": joined(lambda r: r.statistics.n_steps).astype(np.int64),
        "energy": joined(lambda r: r.statistics.energy),
        "diverging": joined(lambda r: r.statistics.diverging),
        "reached_max_treedepth": joined(lambda r: r.statistics.reached_max_depth),
    }


def _observed(model: Model) -> dict[str, np.ndarray]:
    nodes = model.observed
    values = evaluate([node.observed for node in nodes], model.data)
    return {str(node.name): np.asarray(value) for node, value in zip(nodes, values, strict=True)}
