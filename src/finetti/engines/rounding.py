"""Where rounding spoils the density, seen at the draws; and where to start if latents had better not be taken out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from finetti.coordinates.constrain import constrain
from finetti.density import Density
from finetti.engines.batches import Batches
from finetti.engines.contract import Drawn
from finetti.engines.scatter import center_of
from finetti.engines.start import by_chain
from finetti.model.evaluate import evaluate
from finetti.model.graph import Node, Random

TOLERANCE, CHECKED = 1e-4, 200  # nats that rounding may cost the log density, and draws at which that is looked at
FEW = 0.01  # share of them where it may cost more
NEAR = (1e-2, 1e-3, 1e-4)  # standard deviations to either side, ever nearer to where a smooth density is straight
LEAST_STEP = 8.0  # steps of floating point
USUAL = 0.95  # quantile over draws: a density may have kinks and jumps at some
FEWER, ROUGHLY = 64, 2_000_000  # draws at which that is looked at, and numbers touched, at most
BEYOND = 2.0  # times as far from their middle as the draws are: it is looked there, too


def spoilt_at_its_centre(density: Density) -> bool:
    """Whether rounding spoils the log density in the middle of the prior."""
    return not _precise(_rounding(density, center_of(density)[None]))


def unspoilt(density: Density, drawn: Drawn) -> bool:
    """Whether the log density is right to TOLERANCE at all but a few of the draws, and there at all beyond them.

    Where rounding leaves nothing of it it is -inf: draws that reach up to there are of a part of the posterior only.
    """
    flat = np.concatenate(drawn.flat)  # chain after chain
    some = flat[:: max(1, len(flat) // CHECKED)]
    middle = np.median(some, axis=0)
    lost = _rounding(density, middle + BEYOND * (some - middle)) == np.inf
    return _precise(_rounding(density, some)) and float(lost.mean()) < FEW


def roughness(density: Density, drawn: Drawn) -> float:
    """How far rounding scatters the log density around a smooth curve, in nats.

    A value and its neighbours to either side are on a line if they are near enough. What is left of their difference
    as they come nearer is rounding, which the size of the log density does not tell: large terms may cancel. Where
    rounding leaves it level all over, as huge counts do, it is their terms that tell.
    """
    log_density = Batches(density, drawn.arguments[0] if drawn.arguments else None)
    count = int(np.clip(ROUGHLY // (3 * len(NEAR) * log_density.width), 1, FEWER))
    chain = drawn.flat[0]
    some = chain[:: max(1, len(chain) // count)][:count]
    spread = chain.std(axis=0) * np.random.default_rng(count).choice([-1.0, 1.0], some.shape)
    steps = np.stack([near * spread for near in NEAR])
    with np.errstate(all="ignore"):
        places = np.concatenate([some[None], some + steps, some - steps])
        at, *beside = log_density(places.reshape(-1, density.size)).reshape(-1, len(some))
        bends = np.abs(np.add(beside[: len(NEAR)], beside[len(NEAR) :]) - 2.0 * at)
    far_enough = (np.abs(steps) > LEAST_STEP * np.spacing(np.abs(some))).any(axis=(1, 2))
    scatter = [np.quantile(b[np.isfinite(b)], USUAL) for b in bends[far_enough] if np.isfinite(b).any()]
    return float(max(min(scatter, default=0.0), _of_counts(density)))


def _of_counts(density: Density) -> float:
    """A step of floating point at the largest term, count * log(count), of the density of any count."""
    counts = [node.observed for node in density.randoms if node.observed is not None and node.family.discrete]
    largest = max((float(np.abs(v).max()) for v in evaluate(counts, density.arguments) if np.size(v)), default=0.0)
    return float(np.spacing(largest * np.log(max(largest, 2.0))))


def near_the_data(
    density: Density, initvals: Mapping[str, Any] | Sequence | None, chains: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """For each chain starts of the latents by name, drawn given the centre of the rest's prior.

    Rounding spoils how likely the rest is, but not where very precise data want a latent.

    Args:
        density: with latents integrated out.
        initvals: the user's own starts, which come first.
        chains: how many.
        rng: source of random numbers.
    """
    given = _given(density, center_of(density)[None])
    starts = [
        {str(node.name): value[0] for node, value in _drawn_back(density, given, rng) if np.isfinite(value).all()}
        for _ in range(chains)
    ]
    return [{**start, **wish} for start, wish in zip(starts, by_chain(initvals, chains), strict=True)]


def _precise(rounding: np.ndarray) -> bool:
    return float((rounding > TOLERANCE).mean()) < FEW


def _rounding(density: Density, points: np.ndarray) -> np.ndarray:
    """(point,) how wrong rounding makes the log density at (point, unconstrained); infinite where nothing is left."""
    given = _given(density, points)
    total = sum(np.asarray(reduction.rounding(given)) for reduction in density.reductions)
    return np.broadcast_to(total, len(points))


def _given(density: Density, points: np.ndarray) -> dict[Node, Any]:
    """Values (point, *shape) of data and free variables by node."""
    given: dict[Node, Any] = density.batched_arguments()
    return given | {block.node: value for block, value, _ in constrain(density.blocks, points, given, lead=1)}


def _drawn_back(density: Density, given: dict[Node, Any], rng: np.random.Generator) -> Iterator[tuple[Random, Any]]:
    for reduction in density.reductions:
        values = reduction.draw(given, 1, rng).values
        yield from ((member, values[member]) for member in reduction.members)
