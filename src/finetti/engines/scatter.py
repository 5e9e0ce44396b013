"""Points spread over the prior: where modes are looked for, where starts are found, and what draws are checked against.

Variables are drawn from their laws, parents first. Those whose parameters are known take low-discrepancy places among
their draws, so that a thousand points leave no gap; with one unknown they are its quantiles. A flat prior has no draws:
there, and where a custom law cannot be drawn from, points lie on a scale that is logarithmic far out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from finetti.coordinates.constrain import Block, constrain
from finetti.coordinates.middle import central_values
from finetti.density import Density
from finetti.model.evaluate import align, evaluate
from finetti.model.graph import Node, Random
from finetti.model.namespace import NUMPY

OVERSAMPLED = 8  # draws for each place among them: quantiles then leave gaps of about one spacing
FARTHEST = 12.0  # arsinh of a flat variable, or logarithm of a positive one: from -160,000 to 160,000
SHAKEN, SHAKES = 0.25, (1.0, 3.0, 10.0)  # share of points around the centre instead, and how far, unconstrained


def is_bounded(density: Density) -> bool:
    """Whether points can be spread over all of the prior: a flat one has no end."""
    return not any(endless(block) for block in density.blocks)


def endless(block: Block) -> bool:
    """Whether a variable has no draws, and its support no end: a flat prior, or a custom one without `random`."""
    return not block.node.family.drawable and not np.isfinite(block.support.ends[1])


def spread(density: Density, n: int, rng: np.random.Generator) -> np.ndarray:
    """`n` points (point, unconstrained) over the prior, and around its centre.

    Args:
        density: of the model.
        n: how many.
        rng: shifts the places and makes the draws.
    """
    shaken = int(SHAKEN * n) if density.size > 1 else 0
    points = np.concatenate([_over_prior(density, n - shaken, rng), _around_center(density, shaken, rng)])
    return points[np.isfinite(points).all(axis=1)]


def _around_center(density: Density, n: int, rng: np.random.Generator) -> np.ndarray:
    shake = np.resize(SHAKES, n)[:, None] * rng.standard_normal((n, density.size))
    return center_of(density) + shake


def center_of(density: Density) -> np.ndarray:
    """(unconstrained,) the centre of every variable's law given those before it, 0 where that is infinite."""
    values: dict[Node, Any] = central_values([block.node for block in density.blocks], density.arguments)
    batched = {node: np.asarray(value)[None] for node, value in values.items()}
    with np.errstate(all="ignore"):
        parts = [block.inverse(batched[block.node], batched, lead=1).ravel() for block in density.blocks]
    flat = np.concatenate(parts) if parts else np.zeros(0)
    return np.where(np.isfinite(flat), flat, 0.0)


def _over_prior(density: Density, n: int, rng: np.random.Generator) -> np.ndarray:
    places = _places(n, density.size, rng)
    known: dict[Node, Any] = dict(density.batched_arguments())
    flat = np.empty((n, density.size))
    with np.errstate(all="ignore"):
        for block in density.blocks:
            part = slice(block.start, block.start + block.size)
            drawn = _drawn(block, n, known, places[:, part], rng)
            flat[:, part] = _undrawn(block, places[:, part]) if drawn is None else block.inverse(
                drawn, known, lead=1
            ).reshape(n, -1)
            for _, value, _ in constrain([_first(block)], flat[:, part], known, lead=1):
                known[block.node] = value  # as the density will see it, rounding and all
    return flat


def _first(block: Block) -> Block:
    """The block as if it were alone."""
    return Block(block.node, block.support, 0, block.shape, block.coordinates)


def _places(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    """(point, coordinate) of a shifted additive sequence of low discrepancy in the unit cube.

    Source: Roberts (2018), "The unreasonable effectiveness of quasirandom sequences": multiples of the powers of 1/phi,
    where phi**(d + 1) = phi + 1.
    """
    phi = 2.0
    for _ in range(60):
        phi = (1.0 + phi) ** (1.0 / (d + 1))
    return (rng.random(d) + np.arange(1, n + 1)[:, None] * phi ** -np.arange(1.0, d + 1)) % 1.0


def _undrawn(block: Block, places: np.ndarray) -> np.ndarray:
    """Unconstrained values of a variable without draws: dense near 0 and ever thinner far out, where it is a line."""
    far = FARTHEST * (2.0 * places - 1.0)
    return far if block.transformed else np.sinh(far)


def _drawn(
    block: Block, n: int, known: Mapping[Node, Any], places: np.ndarray, rng: np.random.Generator
) -> np.ndarray | None:
    """(point, *shape) draws from a variable's law; None for one on the real line that has none."""
    node, family = block.node, block.node.family
    if not family.drawable:
        lower, upper = block.support.ends
        inside = places if upper == 1 else np.exp(FARTHEST * (2.0 * places - 1.0))
        return None if lower != 0 else inside.reshape(n, *node.shape)  # of other supports the coordinates are told
    parameters, usable = _parameters(node, known)
    varies = any(len(p) > 1 for p in parameters)
    if varies:
        chosen = np.flatnonzero(usable)
        if not len(chosen):
            return np.full((n, *node.shape), np.nan)
        rows = np.where(usable, np.arange(n), np.resize(chosen, n))  # others stand in for those without a law
        return family.draw(rng, (n, *node.shape), *(p[rows] if len(p) > 1 else p for p in parameters))
    many = OVERSAMPLED * n if node.size * n < 100_000 else n
    draws = np.asarray(family.draw(rng, (many, *node.shape), *parameters), float)
    if family.event_ndim or places.shape[1] != node.size:
        return draws[:n]
    ordered = np.sort(draws.reshape(many, -1), axis=0)
    return np.take_along_axis(ordered, (places * many).astype(int), axis=0).reshape(n, *node.shape)


def _parameters(node: Random, known: Mapping[Node, Any]) -> tuple[list[np.ndarray], np.ndarray]:
    """Values (point, ...) of a law's parameters, aligned with its draws, and where they are in their domains."""
    batch = node.ndim - node.family.event_ndim
    values, usable = [], np.ones(1, bool)
    for value, spec in zip(evaluate(node.parameters, known, lead=1), node.family.parameters, strict=True):
        admitted = np.asarray(spec.domain.admits(NUMPY, value))
        usable = usable & admitted.reshape(len(admitted), -1).all(axis=1)
        values.append(align(np.asarray(value), batch + spec.event_ndim))
    names = [p.name for p in node.family.parameters]
    for condition in node.family.conditions:
        if set(condition.names) <= set(names):
            held = np.asarray(condition.holds(*(values[names.index(name)] for name in condition.names)))
            usable = usable & held.reshape(len(held), -1).all(axis=1)
    return values, usable
