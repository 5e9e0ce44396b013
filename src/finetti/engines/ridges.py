"""Ridges of a log density: combinations of coordinates along which it hardly changes, followed far out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from finetti.engines.batches import Evaluate

STEP = 0.05  # of the differences
FLAT = 1e-4  # curvature along a ridge, as a share of what the single coordinates have
NOISE = 1e-3  # of the log density by rounding, beyond which a ridge is not followed
MOST = 3  # ridges that are followed


class Ridge(NamedTuple):
    """A ridge: which way it goes at the far end (coordinate,), and the log densities (distance,) up to there."""

    direction: np.ndarray
    values: np.ndarray


def ridges(evaluate: Evaluate, start: np.ndarray, chosen: np.ndarray, distances: np.ndarray) -> Iterator[Ridge]:
    """Follow the flattest directions among some coordinates, one after the other, to some distances.

    At each distance Newton's step in the other directions leads back to the ridge. So the direction, which differences
    give roughly, is known better and better.

    Args:
        evaluate: (point, unconstrained) -> log density (point,).
        start: (unconstrained,) where they begin.
        chosen: (coordinate,) positions of the coordinates.
        distances: (distance,) from the start, ever further.
    """
    gradient, hessian = _differences(evaluate, start, chosen)
    if not np.abs(np.diagonal(hessian)).max() > NOISE:  # no curvature at all: the density changes along its gradient
        hessian = hessian - np.outer(gradient, gradient)
    size = np.abs(np.diagonal(hessian))
    if not (np.isfinite(hessian).all() and np.isfinite(gradient).all() and size.all()):
        return
    scale = 1.0 / np.sqrt(size)
    values, vectors = np.linalg.eigh(hessian * scale[:, None] * scale)
    steep = np.abs(values) > FLAT
    back = (vectors[:, steep] / np.abs(values[steep])) @ vectors[:, steep].T * scale[:, None] * scale
    for vector in (vectors * scale[:, None]).T[~steep][:MOST]:
        vector = vector / np.abs(vector).max()
        told = distances[np.finfo(float).eps * distances**2 * (size @ vector**2) < NOISE]
        for sign in (1.0, -1.0):
            yield _followed(evaluate, start, chosen, sign * vector, told, back, gradient)


def _followed(
    evaluate: Evaluate, start: np.ndarray, chosen: np.ndarray, direction: np.ndarray, distances: np.ndarray,
    back: np.ndarray, at_start: np.ndarray,
) -> Ridge:  # fmt: skip
    """One ridge. `back` (coordinate, coordinate) times what the gradient has changed leads back to it."""
    values = np.full(len(distances), np.nan)
    for k, distance in enumerate(distances):
        place = start.copy()
        place[chosen] += distance * direction
        place[chosen] += back @ (_gradient(evaluate, place, chosen) - at_start)
        values[k] = evaluate(place[None])[0]
        direction = (place - start)[chosen] / distance
        if not np.isfinite(direction).all():
            break
        direction = direction / np.abs(direction).max()
    return Ridge(direction, values)


def _gradient(evaluate: Evaluate, place: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    steps = np.zeros((len(chosen), len(place)))
    steps[np.arange(len(chosen)), chosen] = STEP
    with np.errstate(all="ignore"):
        values = evaluate(np.concatenate([place + steps, place - steps]))
        return (values[: len(chosen)] - values[len(chosen) :]) / (2 * STEP)


def _differences(evaluate: Evaluate, start: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient (coordinate,) and second derivatives (coordinate, coordinate), by differences of the gradient."""
    d = len(chosen)
    hessian = np.empty((d, d))
    for k, position in enumerate(chosen):
        step = np.zeros(len(start))
        step[position] = STEP
        with np.errstate(all="ignore"):
            up, down = _gradient(evaluate, start + step, chosen), _gradient(evaluate, start - step, chosen)
            hessian[k] = (up - down) / (2 * STEP)
    return _gradient(evaluate, start, chosen), 0.5 * (hessian + hessian.T)
