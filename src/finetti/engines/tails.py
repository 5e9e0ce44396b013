"""Flat priors that the data do not bound: noticed before anything is drawn, because no sampler can draw from them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from finetti.density import Density
from finetti.distributions.positive import HalfFlat
from finetti.distributions.real import Flat
from finetti.errors import ModelError
from finetti.geometry.constrain import Block

OUTWARD = np.arange(0.0, 32.0, 2.0)  # logarithms of the distances looked at
LEAST_FALL = 0.01  # of the log density for each unit of the logarithm of the distance, far out
ELEMENTS = 50  # of a variable that are looked at


def refuse_unbounded(density: Density, start: np.ndarray) -> None:
    """See that the density falls along every coordinate with a flat prior, all others held at a start.

    Far out the log density of log distance must fall: where it does not, its integral along the coordinate is infinite,
    and with it that of the posterior.

    Args:
        density: of the model.
        start: (unconstrained,) a point of finite density that is nothing special.

    Raises:
        ModelError: naming the variable the data do not bound.
    """
    for block in density.blocks:
        if block.node.family in (Flat, HalfFlat):
            for element in range(min(block.size, ELEMENTS)):
                for points, log_stretch, end in _ways_out(block, start, block.start + element):
                    if not _falls(density, points, log_stretch):
                        raise ModelError(_unbounded(block, element, end))


def _ways_out(block: Block, start: np.ndarray, position: int) -> Iterator[tuple[np.ndarray, np.ndarray, str]]:
    """Points (step, unconstrained) on either side, the log of what a unit of log distance is there, and the end's name.

    A positive variable's coordinate is its logarithm already, with the log-determinant in its density.
    """
    logarithmic = block.node.family is HalfFlat
    for sign, end in ((1.0, "infinity"), (-1.0, "0" if logarithmic else "minus infinity")):
        points = np.repeat(start[None], len(OUTWARD), axis=0)
        points[:, position] += sign * (OUTWARD if logarithmic else np.exp(OUTWARD))
        yield points, np.zeros_like(OUTWARD) if logarithmic else OUTWARD, end


def _falls(density: Density, points: np.ndarray, log_stretch: np.ndarray) -> bool:
    with np.errstate(all="ignore"):
        values = np.asarray(density(points, density.batched_arguments(), lead=1)) + log_stretch
    finite = np.flatnonzero(np.isfinite(values))
    if len(finite) < 2 or finite[-1] - finite[-2] > 1:
        return True
    last, before = finite[-1], finite[-2]
    return bool((values[before] - values[last]) / (OUTWARD[last] - OUTWARD[before]) > LEAST_FALL)


def _unbounded(block: Block, element: int, end: str) -> str:
    place = ", ".join(map(str, np.unravel_index(element, block.shape)))
    name = f"{block.node.name}[{place}]" if block.shape else str(block.node.name)
    return (
        f"The posterior is improper: the prior of {name!r} is flat, and the data do not keep it from {end}. "
        f"Give it a proper prior, for example {'HalfNormal' if block.node.family is HalfFlat else 'Normal'}."
    )
