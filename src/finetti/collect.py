"""Draws of the flat vector, statistics and data -> a `Trace`, every variable under its own name, dims and coords."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from finetti.coordinates.constrain import Block, blocks_of, constrain
from finetti.density import Density
from finetti.distributions.bijections import EXP, continuous
from finetti.engines.contract import Drawn
from finetti.interrupts import check
from finetti.model.context import Model, dims_and_coords
from finetti.model.evaluate import evaluate
from finetti.model.graph import Data, Deterministic, Node, ancestors
from finetti.model.namespace import NUMPY
from finetti.trace import Trace, build_trace

BATCH_ELEMENTS = 1_000_000  # numbers held at once by each thread while deterministics are computed; more is slower, too


def trace_of(
    model: Model, density: Density, drawn: Drawn, *, attrs: Mapping[str, Any], rng: np.random.Generator,
    threads: int = 1,
) -> Trace:
    """The trace of a finished run.

    Args:
        model: as it was written.
        density: its density, for the layout of the flat vector and what was integrated out.
        drawn: what the engine returned.
        attrs: facts of the run.
        rng: draws what was integrated out.
        threads: to do so on; the draws are the same on any number.
    """  # fmt: skip
    posterior, drawn_back, done = _posterior(model, density, drawn, rng, threads)
    if done < drawn.flat.shape[1]:
        drawn, attrs = drawn.until(done), {**attrs, "interrupted": True}
    return tree_of(model, density, drawn, posterior, drawn_back, attrs=attrs)


def tree_of(
    model: Model, density: Density, drawn: Drawn, posterior: Mapping[str, np.ndarray],
    drawn_back: Mapping[str, np.ndarray], *, attrs: Mapping[str, Any],
) -> Trace:  # fmt: skip
    """The trace of draws whose variables have been computed.

    Args:
        model, density, drawn, attrs: see `trace_of`.
        posterior: unknowns and deterministics (chain, draw, *shape) by name.
        drawn_back: what was integrated out, on the supports' own scales, by its name there.
    """
    learned = drawn.arguments or (density.arguments,) * len(drawn.flat)
    transformed = [block for block in density.blocks if block.name != block.node.name]
    groups = {
        "posterior": posterior,
        "unconstrained_posterior": {
            block.name: _unconstrained(block, drawn.flat, learned) for block in transformed
        } | dict(drawn_back),
        "sample_stats": drawn.statistics,
        "observed_data": _observed(model),
        "constant_data": {node.name: model.data[node] for node in model.data if isinstance(node, Data)},
    }
    dims, coords = dims_and_coords(model, model.named.values())
    for block in (*density.blocks, *_drawn_back(density)):  # an elementwise map keeps the axes, any other has its own
        if block.shape == block.node.shape and block.node.dims:
            dims[block.name] = block.node.dims
    return build_trace(groups=groups, dims=dims, coords=coords, attrs=attrs)


def _unconstrained(block: Block, flat: np.ndarray, learned: Sequence[Mapping[Node, Any]]) -> np.ndarray:
    """(chain, draw, *shape) on the support's own scale, whatever coordinates each chain had."""
    taken = block.take(flat, 2)
    if block.coordinates is None:
        return taken
    assert continuous(block.support) is EXP, "only positive variables have coordinates and an unconstrained name"
    return np.stack([_log_values(block, rows, given) for rows, given in zip(taken, learned, strict=True)])


def _log_values(block: Block, rows: np.ndarray, given: Mapping[Node, Any]) -> np.ndarray:
    """(draw, *shape) the logarithms of a variable at one chain's coordinates, also where no float holds it."""
    logs = block.logs(rows, {node: value[None] for node, value in given.items()}, NUMPY, 1)
    assert logs is not None
    return np.asarray(logs.value)


def _posterior(
    model: Model, density: Density, drawn: Drawn, rng: np.random.Generator, threads: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], int]:
    """Unknowns and deterministics, in the order they were written: (chain, draw, *shape) by name.

    Then what was integrated out, by its unconstrained name, and how many draws: all, or at Ctrl-C as many as were
    computed by then.
    """
    chains, draws, _ = drawn.flat.shape
    unknown = set(model.free)
    wanted: list[Any] = [n for n in model.named.values() if n in unknown or isinstance(n, Deterministic)]
    kept = {node.name: np.empty((chains, draws, *node.shape), _kept_type(node)) for node in wanted}
    own_scale = {block.node: np.empty((chains, draws, *block.shape)) for block in _drawn_back(density)}
    learned = drawn.arguments or (density.arguments,) * chains
    given = [{node: value[None] for node, value in arguments.items()} for arguments in learned]
    seeds = rng.bit_generator.seed_seq.spawn(chains)  # type: ignore[attr-defined]  # NumPy's annotations are behind
    rngs = [np.random.Generator(np.random.SFC64(seed)) for seed in seeds]  # the quickest: normals are half of the work

    def fill(chain: int, part: slice) -> None:
        values, unconstrained = values_of(model, density, drawn.flat[chain, part], given[chain], rngs[chain])
        with np.errstate(all="ignore"):  # what is not finite is found in the draws
            for node, value in zip(wanted, evaluate(wanted, values, lead=1), strict=True):
                kept[node.name][chain, part] = value
        for member, array in own_scale.items():
            array[chain, part] = unconstrained[member]

    done = 0
    try:
        with ThreadPoolExecutor(threads) as pool:
            each = map if threads == 1 else pool.map  # a thread for nothing costs milliseconds
            for part in _batches(draws, model, density):
                check()
                list(each(fill, range(chains), [part] * chains))
                done = part.stop
    except KeyboardInterrupt:
        if not done:
            raise
    posterior = {name: values[:, :done] for name, values in kept.items()}
    return posterior, {block.name: own_scale[block.node][:, :done] for block in _drawn_back(density)}, done


def _drawn_back(density: Density) -> list[Block]:
    """Unknowns that were integrated out and have a scale of their own; not where they are in the flat vector."""
    members = [member for reduction in density.reductions for member in reduction.members]
    return [block for block in blocks_of(members) if block.name != block.node.name]


def _kept_type(node: Node) -> np.dtype:
    return node.dtype if node.dtype.kind in "bi" else np.dtype(float)


def _batches(total: int, model: Model, density: Density) -> Iterator[slice]:
    """Slices of draws small enough that no intermediate result fills the memory."""
    widest = max((node.size for node in ancestors(model.deterministics)), default=1)
    width = sum(reduction.width for reduction in density.reductions)
    step = max(1, BATCH_ELEMENTS // max(widest, width, 1))
    return (slice(start, min(start + step, total)) for start in range(0, total, step))


def values_of(
    model: Model, density: Density, rows: np.ndarray, given: Mapping[Node, Any], rng: np.random.Generator
) -> tuple[dict[Node, Any], dict[Node, Any]]:
    """All that deterministics may depend on: draws (draw, *shape) of the unknowns, data, observations.

    Then what was integrated out, on its support's own scale where that is another.
    """
    values: dict[Node, Any] = dict(given)
    with np.errstate(over="ignore", under="ignore"):
        values |= {block.node: value for block, value, _ in constrain(density.blocks, rows, given, lead=1)}
    values |= {node: array[None] for node, array in model.data.items()}
    unconstrained: dict[Node, Any] = {}
    for reduction in density.reductions:
        drawn = reduction.draw(values, len(rows), rng)
        values.update(drawn.values)
        unconstrained.update(drawn.unconstrained)
    for node in model.randoms:
        if node.observed is not None:
            values[node] = evaluate([node.observed], values, lead=1)[0]
    return values, unconstrained


def _observed(model: Model) -> dict[str, np.ndarray]:
    observed = {str(node.name): node.observed for node in model.randoms if node.observed is not None}
    values = evaluate(observed.values(), model.data)
    return {name: np.asarray(value) for name, value in zip(observed, values, strict=True)}
