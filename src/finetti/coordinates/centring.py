"""Coordinates of a location-scale latent: centred, non-centred, or in between, as the data of each element ask for.

With xi = (theta - loc) / scale, what the data say of an element is summed up as if they were one more observation of
it, Normal with mean m and precision p. Given loc and scale, theta would then be Normal, and its coordinate x is theta
standardised by that:

    theta = w (loc + scale**2 p m) + scale sqrt(w) x,    w = 1 / (1 + scale**2 p).

Without data p = 0, w = 1 and x = xi: non-centred. As the data outweigh the prior, theta becomes m + x / sqrt(p):
centred. In between w moves with the scale, from draw to draw: near scale = 0 every latent is non-centred, which no
fixed compromise is, and were the data Normal, x would be independent of loc and scale (Papaspiliopoulos, Roberts,
Skoeld 2007, Statistical Science 22(1), on partial non-centring; Christensen, Roberts, Skoeld 2006, JCGS 15(1), on a
Gaussian in the likelihood's place). m and p are learned, see `Centring.learn`; what it gains: docs/decisions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetti.coordinates.contract import Learned
from finetti.model.evaluate import align, evaluate
from finetti.model.graph import Constant, Node, Shape
from finetti.model.namespace import NUMPY, Namespace

ROUNDS = 4  # of reweighting the regression by the precision it finds
NON_CENTRED, CENTRED = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)  # share of the prior, precision p, pull p m


@dataclass(frozen=True)
class Centring:
    """The coordinates of one latent.

    Args:
        loc, scale: its location and scale, that broadcast to its shape.
        standardised: whether the latent as written is xi rather than theta.
        place: three numbers for each element (3, *shape): 1 (or 0 for theta itself, whatever the prior), p, and p m.
        learned: whether they change during warmup.
    """

    loc: Node
    scale: Node
    standardised: bool
    place: Constant
    learned: bool

    @property
    def reads(self) -> tuple[Node, ...]:
        """Location and scale."""
        return self.loc, self.scale

    def forward(self, xp: Namespace, x: Any, given: Mapping[Node, Any], lead: int) -> tuple[Any, Any]:
        """The latent's value at x, and the log-determinant for each element."""
        loc, scale, middle, width = self._of_xi(xp, given, lead)
        xi, log_width = middle + width * x, xp.log(width) + 0.0 * x
        if self.standardised:
            return xi, log_width
        return loc + scale * xi, xp.log(scale) + log_width

    def logs(self, xp: Namespace, x: Any, given: Mapping[Node, Any], lead: int) -> None:
        """None: a latent of a location and a scale has no end at 0."""

    def inverse(self, value: np.ndarray, given: Mapping[Node, Any], lead: int = 0) -> np.ndarray:
        """x at a value of the latent, or at many with `lead=1`."""
        loc, scale, middle, width = self._of_xi(NUMPY, given, lead)
        xi = value if self.standardised else (value - loc) / scale
        return (xi - middle) / width

    def _of_xi(self, xp: Namespace, given: Mapping[Node, Any], lead: int) -> tuple[Any, Any, Any, Any]:
        """loc, scale, and the mean and standard deviation of xi given both and the data."""
        loc, scale = evaluate([self.loc, self.scale], given, xp=xp, lead=lead)
        numbers = given[self.place]
        if lead:
            rank = len(self.place.shape) - 1
            loc, scale, numbers = align(loc, rank), align(scale, rank), numbers[0]
        return loc, scale, *_standardised(xp, loc, scale, numbers)

    def learn(self, draws: np.ndarray, gradients: np.ndarray, given: Mapping[Node, Any]) -> Learned:
        """m and p for each element: those that make the gradient along x most nearly -x.

        That is minimising the Fisher divergence to a Gaussian. The gradient along theta, less the prior's, is what the
        data say; it is regressed on theta with weights scale**2 w, which depend on p and are iterated.
        """
        loc, scale, middle, width = self._of_xi(NUMPY, given, 1)
        loc, scale, width = (part + 0.0 * draws for part in (loc, scale, width))
        xi = middle + width * draws
        with np.errstate(all="ignore"):
            found = _pseudo_observation(loc + scale * xi, scale, gradients / (scale * width) + xi / scale)
        usable = np.isfinite(found).all(axis=0)
        numbers = np.where(usable, found, given[self.place][0])
        new_middle, new_width = _standardised(NUMPY, loc, scale, numbers)
        return Learned(numbers, (xi - new_middle) / new_width, gradients / width * new_width)

    def told(self, name: str, given: Sequence[Mapping[Node, Any]]) -> str:
        """How much of each element's precision comes from the data, over all chains: from 0 to 1."""
        c = np.stack([self._share_of_data(values) for values in given]).mean(axis=0)
        span = f"from {c.min():.2f} to {c.max():.2f}"
        return f"{name}: centring {c.mean():.2f} on average, {span} (0 non-centred, 1 centred)"

    def _share_of_data(self, given: Mapping[Node, Any]) -> np.ndarray:
        """(*shape) 1 - w, averaged over the draws."""
        _, scale, _, width = self._of_xi(NUMPY, given, 1)
        return (scale**2 * width**2 * given[self.place][0][1]).mean(axis=0)


def own_numbers(triple: tuple[float, float, float], shape: Shape) -> Constant:
    """A node for the numbers of a latent, the same for all elements."""
    value = np.stack([np.full(shape, number) for number in triple])
    return Constant(value.shape, value.dtype, value)


def _standardised(xp: Namespace, loc: Any, scale: Any, numbers: Any) -> tuple[Any, Any]:
    """Mean and standard deviation of xi given loc, scale and the data; exact however small the scale."""
    share, precision, pull = (numbers[k] for k in range(3))
    weight = 1.0 / (share + scale**2 * precision)
    return scale * weight * (pull - precision * loc), xp.sqrt(weight)


def _pseudo_observation(theta: np.ndarray, scale: np.ndarray, score: np.ndarray) -> np.ndarray:
    """(3, *shape) from values and scores of the data (draw, *shape): the score of a Normal falls with slope -p."""
    precision = np.zeros(theta.shape[1:])
    for _ in range(ROUNDS):
        weight = scale**2 / (1.0 + scale**2 * precision)
        weight = weight / weight.sum(axis=0)
        center, level = (weight * theta).sum(axis=0), (weight * score).sum(axis=0)
        slope = (weight * (theta - center) * (score - level)).sum(axis=0) / (weight * (theta - center) ** 2).sum(axis=0)
        precision = np.maximum(-slope, 0.0)
    pull = np.where(precision > 0, level + precision * center, 0.0)  # data that bend the other way have no Normal
    return np.stack([np.ones_like(precision), precision, pull])
