"""Unknowns that neither prior nor data bound: noticed before anything is drawn, because no sampler can draw from them.

Along almost every line a density with a finite integral has a finite integral, too (Fubini's theorem), and along almost
every ray, there with the power of the distance that belongs to polar coordinates. So where the density does not fall
along a line through a point that is nothing special, the posterior is improper. One point is not enough to tell: with
`Weibull(k, s)` the density of s falls where k is large and does not where k is small.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from finetti.coordinates.constrain import Block
from finetti.density import Density
from finetti.distributions.bijections import continuous
from finetti.distributions.flat import is_flat
from finetti.distributions.positive import HalfFlat
from finetti.engines.batches import Batches
from finetti.engines.ridges import ridges
from finetti.engines.scatter import endless, spread
from finetti.errors import ModelError
from finetti.model.graph import Node, Random

OUTWARD = np.arange(0.0, 32.0, 2.0)  # logarithms of the distances looked at
LEAST_FALL = 0.01  # of the log density for each unit of the logarithm of the distance, far out
ELEMENTS = 50  # of a variable that are looked at
TOGETHER = 30  # elements at most among which combinations are looked for
WORK = 20_000_000  # numbers touched by the evaluations at most
PLACES, WORK_ELSEWHERE = 12, 2_000_000  # other points from which lines are looked along, and numbers touched there
RAYS = 16  # in directions at random, either way
LOW = 50.0  # log density below that of the best place, or of the start, from which functions may overflow on the way
SEED = 1  # of places and rays: they are no part of the draws


def refuse_unbounded(density: Density, start: np.ndarray) -> None:
    """See that the density falls along every coordinate with a flat prior, and along combinations of them.

    So it must along coordinates that a potential reads, which may cancel their prior. Far out the log density of log
    distance must fall: where it does not, its integral along the line is infinite, and with it that of the posterior.

    Args:
        density: of the model.
        start: (unconstrained,) a point of finite density that is nothing special.

    Raises:
        ModelError: naming the variables that nothing bounds.
    """
    evaluate, suspects = Batches(density), _suspects(density)
    most = WORK // (2 * len(OUTWARD) * evaluate.width)
    elsewhere = WORK_ELSEWHERE // (2 * len(OUTWARD) * evaluate.width * max(len(suspects), 1))
    places = [start, *_places(density, evaluate, start, min(PLACES, elsewhere))] if suspects else []
    for suspect in suspects[:most]:
        near = [place for place in places if not suspect.far_off(place, start)]
        for points, log_stretch, end in (way for place in near for way in _ways_out(suspect, place)):
            if not _falls(evaluate(points) + log_stretch):
                raise ModelError(_unbounded(suspect, end))
    _refuse_along_rays(evaluate, start, [suspect for suspect in suspects if not suspect.logarithmic])
    for logarithmic in (False, True):
        group = [suspect for suspect in suspects if suspect.logarithmic == logarithmic]
        if 2 <= len(group) <= TOGETHER and len(group) ** 2 * evaluate.width <= WORK:
            distances = OUTWARD[1:] if logarithmic else np.exp(OUTWARD)
            for ridge in ridges(evaluate, start, np.array([s.position for s in group]), distances):
                if not _falls(ridge.values + (0.0 if logarithmic else OUTWARD[: len(ridge.values)])):
                    raise ModelError(_undetermined(group, ridge.direction))


def _places(density: Density, evaluate: Batches, start: np.ndarray, count: int) -> np.ndarray:
    """(place, unconstrained) points over the prior whose density is not beyond all reason, `count` at most."""
    if count <= 0:
        return np.empty((0, density.size))
    points = np.concatenate([start[None], spread(density, 20 * count, np.random.default_rng(SEED))])
    values = evaluate(points)
    highest = values[np.isfinite(values)].max()
    return points[1:][values[1:] > highest - LOW][:count]


def _refuse_along_rays(evaluate: Batches, start: np.ndarray, group: list[_Suspect]) -> None:
    """See that the density falls fast enough along rays on which all coordinates of a group go out together."""
    d = len(group)
    if not 2 <= d <= TOGETHER or 2 * RAYS * len(OUTWARD) * evaluate.width > WORK_ELSEWHERE:
        return
    half = np.random.default_rng(SEED).standard_normal((RAYS, d))
    for direction in np.concatenate([half, -half]):
        points = np.repeat(start[None], len(OUTWARD), axis=0)
        points[:, [suspect.position for suspect in group]] += np.exp(OUTWARD)[:, None] * direction
        if not _falls(evaluate(points) + d * OUTWARD):
            raise ModelError(_undetermined(group, direction))


@dataclass(frozen=True)
class _Suspect:
    """A coordinate that may be unbounded.

    Args:
        block: of its variable.
        element: which of the variable's coordinates.
        flat: whether its prior is, or may be, for it can't be drawn from.
    """

    block: Block
    element: int
    flat: bool

    @property
    def position(self) -> int:
        return self.block.start + self.element

    @property
    def logarithmic(self) -> bool:
        """Whether the coordinate is a logarithm, or the like, with the log-determinant in its density."""
        return bool(continuous(self.block.support).suffix)

    def far_off(self, place: np.ndarray, start: np.ndarray) -> bool:
        """Whether the way from a place, on a logarithmic scale, might end before it is past the start."""
        return self.logarithmic and bool(abs(place[self.position] - start[self.position]) > OUTWARD[-1] / 2)

    @property
    def name(self) -> str:
        place = ", ".join(map(str, np.unravel_index(self.element, self.block.shape)))
        return f"{self.block.node.name}[{place}]" if self.block.shape else str(self.block.node.name)


def _suspects(density: Density) -> list[_Suspect]:
    """Those with a flat prior or one that can't be drawn from first, then those that a potential reads."""
    read = _read_by(density.potentials.values())
    found = [(block, endless(block)) for block in density.blocks]
    found = sorted((pair for pair in found if pair[1] or pair[0].node in read), key=lambda pair: not pair[1])
    return [_Suspect(block, k, flat) for block, flat in found for k in range(min(block.size, ELEMENTS))]


def _read_by(expressions: Iterable[Node]) -> set[Node]:
    """The random variables that expressions read without another one between."""
    found: set[Node] = set()
    seen: set[int] = set()
    waiting = list(expressions)
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            if isinstance(node, Random):
                found.add(node)
            else:
                waiting.extend(node.inputs)
    return found


def _ways_out(suspect: _Suspect, start: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, str]]:
    """Either way: points (step, unconstrained), the log of what a unit of log distance is there, the end's name."""
    logarithmic = suspect.logarithmic
    ends = ("its upper end", "its lower end") if logarithmic else ("infinity", "minus infinity")
    if suspect.block.node.family is HalfFlat:
        ends = ("infinity", "0")
    for sign, end in zip((1.0, -1.0), ends, strict=True):
        points = np.repeat(start[None], len(OUTWARD), axis=0)
        points[:, suspect.position] += sign * (OUTWARD if logarithmic else np.exp(OUTWARD))
        yield points, np.zeros_like(OUTWARD) if logarithmic else OUTWARD, end


def _falls(values: np.ndarray) -> bool:
    """Whether log densities of log distance fall at the far end; they do where they are not finite in between or 0."""
    finite = np.flatnonzero(np.isfinite(values))
    if len(finite) and (values[finite[-1] :] == -np.inf).any():
        return True
    if len(finite) < 2 or finite[-1] - finite[-2] > 1:
        return True
    last, before = finite[-1], finite[-2]
    return bool((values[before] - values[last]) / (OUTWARD[1] - OUTWARD[0]) > LEAST_FALL)


def _unbounded(suspect: _Suspect, end: str) -> str:
    if not suspect.flat:
        return (
            f"The posterior is improper: nothing keeps {suspect.name!r} from {end}, for what the potentials add "
            "outweighs its prior. Check their sign, or bound it."
        )
    if not is_flat(suspect.block.node):
        return (
            f"The posterior is improper: neither the density of {suspect.name!r} nor the data keep it from {end}. "
            "Check the sign of its `logp`, or that it falls far out."
        )
    return (
        f"The posterior is improper: the prior of {suspect.name!r} is flat, and the data do not keep it from {end}. "
        f"Give it a proper prior, for example {'HalfNormal' if suspect.block.node.family is HalfFlat else 'Normal'}."
    )


def _undetermined(group: list[_Suspect], direction: np.ndarray) -> str:
    size = np.abs(direction)
    names = [repr(s.name) for s, part in zip(group, size, strict=True) if part > 0.1 * size.max()]
    few = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) <= 5 else f"{', '.join(names[:5])} and others"
    outweighed = "what the potentials add outweighs their priors; check their sign, or give"
    advice = "give" if all(s.flat for s in group) else outweighed
    return (
        f"The posterior is improper: only a combination of {few} is determined; together they can go to infinity, and "
        f"the density does not fall: {advice} one of them a proper prior, for example Normal, or leave it out."
    )
