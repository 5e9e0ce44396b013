"""NUTS as the papers write it: recursion, plain NumPy, every leaf kept, and the exact law of the next draw.

Hoffman and Gelman (2014), JMLR 15, algorithm 3 gives the recursion; Betancourt (2017), arXiv 1701.02434, app. A, the
multinomial weights, the biased progressive sampling between subtrees and the turning criterion; the two further checks
across the seam of two subtrees are those of Stan 2.23. Slow, and meant to be compared with line by line.

The directions of the doublings are handed in, and nothing else is random: instead of picking a leaf, the recursion
carries the probability of every leaf to be picked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

MAX_ENERGY_ERROR = 1000.0


@dataclass
class Leaf:
    """A point of the orbit, `place` leapfrog steps from the start (negative: backward)."""

    place: int
    position: np.ndarray
    momentum: np.ndarray
    log_density: float
    gradient: np.ndarray

    @property
    def energy(self) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            return 0.5 * float(self.momentum @ self.momentum) - self.log_density


@dataclass
class Tree:
    """Leaves in the order of the orbit, from `left` to `right`, with the law of the leaf picked among them."""

    left: Leaf
    right: Leaf
    weight: float
    momentum_sum: np.ndarray
    law: dict[int, float]
    valid: bool


@dataclass
class Orbit:
    """Everything that one transition saw: leaves by place, in the order in which they were visited."""

    value_and_gradient: Callable
    scale: np.ndarray
    step: float
    start: Leaf
    visited: list[Leaf] = field(default_factory=list)
    diverging: bool = False
    outcome: str = "full"

    def stepped(self, leaf: Leaf, sign: int) -> Leaf:
        """One leapfrog step with momenta of unit covariance and inverse mass scale**2."""
        step = sign * self.step
        momentum = leaf.momentum + step / 2 * self.scale * leaf.gradient
        position = leaf.position + step * self.scale * momentum
        log_density, gradient = self.value_and_gradient(position)
        momentum = momentum + step / 2 * self.scale * gradient
        return Leaf(leaf.place + sign, position, momentum, log_density, gradient)

    def acceptances(self) -> np.ndarray:
        """min(1, exp(H0 - H)) of every leaf visited, but the start."""
        return np.minimum(1.0, self.weights())

    def symmetric_acceptances(self) -> np.ndarray:
        """The same seen from both ends: 2 min(w, w0) / (w + w0), for weights w of the leaf and w0 of the start."""
        weights = self.weights()
        return 2 * np.minimum(1.0, weights) / (1.0 + weights)

    def weights(self) -> np.ndarray:
        gains = np.array([self.start.energy - leaf.energy for leaf in self.visited])
        with np.errstate(over="ignore"):
            return np.exp(np.where(np.isnan(gains), -np.inf, gains))


@dataclass
class Result:
    """The orbit, the doublings made (the last perhaps refused), and the probability of each place to be next."""

    orbit: Orbit
    depth: int
    law: dict[int, float]


def transition(
    value_and_gradient, scale, position, momentum, step: float, max_depth: int, directions: Sequence[bool]
) -> Result:
    """One transition; `directions[d]` says whether doubling d goes forward."""
    log_density, gradient = value_and_gradient(position)
    start = Leaf(0, np.asarray(position), np.asarray(momentum), log_density, gradient)
    orbit = Orbit(value_and_gradient, np.asarray(scale), step, start)
    tree = Tree(start, start, 1.0, start.momentum, {0: 1.0}, True)
    for depth in range(max_depth):
        sign = 1 if directions[depth] else -1
        new = build_tree(orbit, tree.right if sign == 1 else tree.left, sign, depth)
        if not new.valid:
            orbit.outcome = "diverging" if orbit.diverging else "turning inside"
            return Result(orbit, depth + 1, tree.law)
        accept = min(1.0, new.weight / tree.weight) if tree.weight > 0 else 1.0
        law = mixed(tree.law, new.law, accept)
        tree = joined(tree, new, sign, law)
        if not tree.valid:
            orbit.outcome = "turning at the top"
            return Result(orbit, depth + 1, law)
    return Result(orbit, max_depth, tree.law)


def build_tree(orbit: Orbit, edge: Leaf, sign: int, depth: int) -> Tree:
    """2**depth leaves outwards from an edge; fewer where a part of them is not valid."""
    if depth == 0:
        return single_leaf(orbit, orbit.stepped(edge, sign))
    near = build_tree(orbit, edge, sign, depth - 1)
    if not near.valid:
        return near
    far = build_tree(orbit, near.right if sign == 1 else near.left, sign, depth - 1)
    if not far.valid:
        return far
    total = near.weight + far.weight
    law = mixed(near.law, far.law, far.weight / total if total > 0 else 0.0)
    return joined(near, far, sign, law)


def single_leaf(orbit: Orbit, leaf: Leaf) -> Tree:
    orbit.visited.append(leaf)
    gain = orbit.start.energy - leaf.energy
    diverging = not gain >= -MAX_ENERGY_ERROR  # so that NaN diverges
    orbit.diverging |= diverging
    weight = 0.0 if diverging else float(np.exp(gain))
    return Tree(leaf, leaf, weight, leaf.momentum, {leaf.place: 1.0}, not diverging)


def joined(near: Tree, far: Tree, sign: int, law: dict[int, float]) -> Tree:
    """Two neighbouring trees as one, and whether it has turned."""
    left, right = (near, far) if sign == 1 else (far, near)
    momentum_sum = left.momentum_sum + right.momentum_sum
    goes_on = (
        ahead(momentum_sum, left.left, right.right)
        and ahead(left.momentum_sum + right.left.momentum, left.left, right.left)
        and ahead(right.momentum_sum + left.right.momentum, left.right, right.right)
    )
    return Tree(left.left, right.right, left.weight + right.weight, momentum_sum, law, goes_on)


def ahead(momentum_sum: np.ndarray, first: Leaf, last: Leaf) -> bool:
    return float(momentum_sum @ first.momentum) > 0 and float(momentum_sum @ last.momentum) > 0


def mixed(old: dict[int, float], new: dict[int, float], share: float) -> dict[int, float]:
    """The law that is `new` with probability `share`, else `old`."""
    return {place: p * (1 - share) for place, p in old.items()} | {place: p * share for place, p in new.items()}


def law_over_directions(
    value_and_gradient, scale, position, momentum, step: float, max_depth: int
) -> dict[int, tuple[float, Leaf]]:
    """Probability of each place to be next, all 2**max_depth sequences of directions counted, and the leaf there."""
    law: dict[int, tuple[float, Leaf]] = {}
    for directions in product((False, True), repeat=max_depth):
        result = transition(value_and_gradient, scale, position, momentum, step, max_depth, directions)
        leaves = {leaf.place: leaf for leaf in [result.orbit.start, *result.orbit.visited]}
        for place, p in result.law.items():
            law[place] = (law.get(place, (0.0, None))[0] + p / 2**max_depth, leaves[place])
    return law
