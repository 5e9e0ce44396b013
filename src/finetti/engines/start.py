"""Where chains start: the centre of every prior, shaken a little, checked for a finite density."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from finetti.coordinates.constrain import unconstrain
from finetti.coordinates.middle import central_values
from finetti.density import Density
from finetti.engines.improper import refuse_unbounded
from finetti.engines.scatter import spread
from finetti.errors import SamplingError, ShapeError, unknown_name
from finetti.model.graph import Node, as_array

TRIES = 100
SHAKE = 1.0  # half width, on the unconstrained scale
CALMER, UNREASONABLE = 0.8, 10.0  # of a shake after one too many; how many times worse than the centre a start may be
SEARCHED = 1000  # points over the prior, where no try succeeds
ROUNDS, CHANGED = 300, 64  # of changing coordinates of the best of them, and how many changes are tried in each
OTHERS = 20  # starts that a chain may try
BEST_OF = 10  # points inside, of which the one with the highest density is taken


Start = tuple[np.ndarray, float]  # unconstrained vector and log density


class NoStart(SamplingError):
    """No point of finite density was found."""


def start_points(
    density: Density, rngs: list[np.random.Generator], initvals: Mapping[str, Any] | list | None
) -> list[Start]:
    """A start for each chain: unconstrained vector and its log density.

    Args:
        density: of the model.
        rngs: one generator for each chain.
        initvals: values by variable name, for all chains, or a list of such with one entry for each chain; named
            variables start exactly there, the others near the centre of their prior.

    Raises:
        SamplingError: where no finite density is found, with the terms that are not finite.
        ModelError: where a flat prior leaves the posterior improper.
    """
    wishes = checked_wishes(density, initvals, len(rngs))
    starts = [_start(density, rng, wish) for rng, wish in zip(rngs, wishes, strict=True)]
    refuse_unbounded(density, starts[0][0])
    return starts


def other_starts(density: Density, seed: np.random.SeedSequence, wish: Mapping[Node, np.ndarray]) -> Iterator[Start]:
    """Further starts for one chain, should the first be of no use; none where the user has named all of it.

    Args:
        density: of the model.
        seed: of the chain.
        wish: see `checked_wishes`.
    """
    free = any(block.node not in wish for block in density.blocks)
    rng = np.random.default_rng(seed.spawn(1)[0])
    return (_start(density, rng, dict(wish)) for _ in range(OTHERS if free else 0))


def with_initvals(own: Mapping[str, Any], initvals: Any, chains: int) -> list[Mapping[str, Any]]:
    """For each chain the starts that variables were written with, and over them those of this call."""
    return [{**own, **wish} for wish in by_chain(initvals, chains)]


def checked_wishes(density: Density, initvals: Any, chains: int) -> list[dict[Node, np.ndarray]]:
    """For each chain the starts the user asks for, by node; those of variables integrated out are not needed.

    Raises:
        SamplingError, ShapeError, UnknownNameError: for starts that fit no variable.
    """
    return [_checked(density, wish) for wish in by_chain(initvals, chains)]


def by_chain(initvals: Any, chains: int) -> list[Mapping[str, Any]]:
    """The user's starts for each chain: one mapping for all of them, or one each."""
    if initvals is None or isinstance(initvals, Mapping):
        return [initvals or {}] * chains
    if not isinstance(initvals, Sequence) or not all(isinstance(wish, Mapping | None) for wish in initvals):
        raise SamplingError(f"initvals maps names to values, or is a list of such mappings; got {initvals!r}.")
    if len(initvals) != chains:
        raise ShapeError(f"initvals has {len(initvals)} entries for {chains} chains; give one each, or one for all.")
    return [wish or {} for wish in initvals]


def _checked(density: Density, wish: Mapping[str, Any]) -> dict[Node, np.ndarray]:
    """The user's values by node, each of the right shape and inside the support."""
    nodes = {block.node.name: block.node for block in density.blocks}
    needed = set(nodes.values())
    nodes |= {member.name: member for reduction in density.reductions for member in reduction.members}
    values: dict[Node, np.ndarray] = {}
    for name, given in wish.items():
        if name not in nodes:
            raise unknown_name(name, map(str, nodes), what="unknown variable to start")
        node = nodes[name]
        value = as_array(given, what=f"The start of {name!r}").astype(float)
        if value.shape != node.shape:
            raise ShapeError(f"The start of {name!r} has shape {value.shape}; the variable has shape {node.shape}.")
        if node in needed:
            values[node] = value
    return values


def _start(density: Density, rng: np.random.Generator, fixed: dict[Node, np.ndarray]) -> Start:
    """Near the centre; nearer and nearer, where a shake leads to densities that are finite but beyond all reason."""
    center, free = _center(density, fixed)
    least = _least_reasonable(_value(density, center))
    best: tuple[np.ndarray, float] | None = None
    for number in range(TRIES if free.any() else 1):
        shake = SHAKE * CALMER**number if best is not None else SHAKE
        flat = center + np.where(free, rng.uniform(-shake, shake, density.size), 0.0)
        value = _value(density, flat)
        if np.isfinite(value) and (best is None or value > best[1]):
            best = flat, value
        if best is not None and best[1] >= least:
            return best
    found = _searched(density, rng, center, free) if free.any() else None
    if best is None and found is None:
        raise NoStart(_explain(density, flat))
    return max((start for start in (best, found) if start is not None), key=lambda start: start[1])


def _value(density: Density, flat: np.ndarray) -> float:
    with np.errstate(all="ignore"):
        return float(density(flat, density.arguments))


def _least_reasonable(at_center: float) -> float:
    """The log density below which a start is worth another try: far below that at the centre, if there is one."""
    return at_center - UNREASONABLE * (1.0 + abs(at_center)) if np.isfinite(at_center) else -np.inf


def _searched(
    density: Density, rng: np.random.Generator, center: np.ndarray, free: np.ndarray
) -> tuple[np.ndarray, float] | None:
    """A start inside constraints that the centre violates: from points over the prior, better and better ones.

    A few coordinates at a time of the point with the fewest violations are changed.
    """
    points = np.concatenate([center[None], spread(density, SEARCHED, rng)])
    pool = np.where(free, points, center)
    best, violations = center, np.inf
    for _ in range(ROUNDS):
        with np.errstate(all="ignore"):
            values = np.asarray(density(pool, density.batched_arguments(), lead=1)) + np.zeros(len(pool))
            broken = density.broken(pool, density.batched_arguments())
        inside = np.flatnonzero(np.isfinite(values))
        if len(inside):  # the best of some: not from the edge of what is possible
            some = rng.choice(inside, min(len(inside), BEST_OF), replace=False)
            chosen = some[np.argmax(values[some])]
            return pool[chosen], float(values[chosen])
        if broken.min() <= violations:
            best, violations = pool[np.argmin(broken)], broken.min()
        pool = _changed(best, points, free, rng)
    return None


def _changed(best: np.ndarray, points: np.ndarray, free: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(point, coordinate) the best point with a few coordinates of others, or shaken a little or a lot."""
    n, d = CHANGED, len(best)
    share = np.maximum(rng.random((n, 1)) ** 2, 1.0 / d)
    changed = free & (rng.random((n, d)) < share)
    shaken = best + points.std(axis=0) * 10.0 ** rng.uniform(-2, 0.5, (n, 1)) * rng.standard_normal((n, d))
    others = np.where(rng.random((n, 1)) < 0.5, points[rng.integers(len(points), size=n)], shaken)
    return np.where(changed, others, best)


def _center(density: Density, fixed: dict[Node, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The unconstrained centre, and which of its coordinates may be shaken."""
    values = central_values([block.node for block in density.blocks], {**density.arguments, **fixed})
    chosen: dict[Node, np.ndarray] = {block.node: values[block.node] for block in density.blocks}
    with np.errstate(all="ignore"):
        flat = unconstrain(density.blocks, chosen, density.arguments)
    for block in density.blocks:
        if block.node in fixed and not np.isfinite(flat[block.start : block.start + block.size]).all():
            raise SamplingError(
                f"The start {fixed[block.node]} of {block.node.name!r} is outside its support "
                f"({block.support.words}); a start must lie strictly inside."
            )
    free = np.concatenate([np.full(block.size, block.node not in fixed) for block in density.blocks])
    return np.where(np.isfinite(flat), flat, 0.0), free


def _explain(density: Density, flat: np.ndarray) -> str:
    with np.errstate(all="ignore"):
        terms = {name: float(value) for name, value in density.terms(flat, density.arguments)}
    bad = [f"{name!r} is {value}" for name, value in terms.items() if not np.isfinite(value)]
    good = ", ".join(f"{name!r} {value:.6g}" for name, value in terms.items() if np.isfinite(value))
    return (
        f"No start with a finite log density was found in {TRIES} tries. The term of {', of '.join(bad)}"
        f"{f'; the others are finite: {good}' if good else ''}. Check that variable's parameters and data for that "
        "point, or give a start with `initvals={name: value}`."
    )
