"""Which variables get coordinates that are learned, found in the graph: see `centring` and `bend` for what they are.

It does not matter how the user wrote a latent: theta ~ Normal(mu, tau), and eta ~ Normal(0, 1) that is used as
mu + tau * eta, get the same coordinates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from finetti.coordinates.bend import Bend, logarithmic
from finetti.coordinates.centring import CENTRED, NON_CENTRED, Centring, own_numbers
from finetti.distributions.bijections import POSITIVE
from finetti.distributions.ranges import Ranges
from finetti.model.evaluate import expression, is_static
from finetti.model.graph import Apply, Constant, Deterministic, Node, Random, ancestors, apply, as_node


def centrings(
    free: Sequence[Random], roots: Iterable[Node], wishes: Mapping[Node, str], data: Mapping[Node, np.ndarray]
) -> tuple[dict[Random, Centring], dict[Node, str]]:
    """The latents that get coordinates of their own.

    Args:
        free: free variables that are sampled, in the order they were written.
        roots: everything the model consists of, to see how a latent is used.
        wishes: for some latents "centered", "noncentered" or "sampled".
        data: values of the model's data.

    Returns:
        Centrings, and words for the plan.
    """
    usage = _Usage(_users(roots), frozenset(free), data)
    found: dict[Random, Centring] = {}
    words: dict[Node, str] = {}
    for node in free:
        pair = _own(node) or _as_used(node, usage)
        if pair is None:
            continue
        loc, scale, standardised = pair
        wish = wishes.get(node, "sampled")
        start = own_numbers(CENTRED if wish == "centered" else NON_CENTRED, node.shape)
        found[node] = Centring(loc, scale, standardised, start, learned=wish == "sampled")
        written = "non-centred" if standardised else "centred"
        kept = "learned for each element" if wish == "sampled" else f"kept: {wish}"
        words[node] = f"written {written}; centring {kept}"
    return found, words


def bends(free: Sequence[Random]) -> dict[Random, Bend]:
    """The positive variables, each on a scale that is learned."""
    return {n: Bend(logarithmic(n.shape)) for n in free if n.family.support_of(n.parameters) is POSITIVE}


def _own(node: Random) -> tuple[Node, Node, bool] | None:
    """Location and scale of a latent written centred, if either is random."""
    pair = node.family.location_scale
    if pair is None:
        return None
    names = [p.name for p in node.family.parameters]
    loc, scale = (node.parameters[names.index(name)] for name in pair)
    return None if is_static(loc) and is_static(scale) else (loc, scale, False)


def _users(roots: Iterable[Node]) -> dict[Node, list[Node]]:
    """For each node, the nodes that read it."""
    users: dict[Node, list[Node]] = {}
    for node in ancestors(roots):
        for child in dict.fromkeys(node.inputs):
            users.setdefault(child, []).append(node)
    return users


@dataclass(frozen=True)
class _Usage:
    """How the latents of a model are used: who reads each node, which variables are sampled, the data."""

    users: Mapping[Node, list[Node]]
    sampled: frozenset[Node]
    data: Mapping[Node, np.ndarray]

    def admits(self, other: Node, node: Random) -> bool:
        """Whether an expression may be part of the coordinates of `node`: it reads sampled variables, not `node`."""
        read = [n for n in expression(other, {}) if isinstance(n, Random)]
        return all(n is not node and n in self.sampled for n in read)


def _as_used(node: Random, usage: _Usage) -> tuple[Node, Node, bool] | None:
    """Location and scale of a latent written non-centred: one use, multiplied by a random scale, perhaps added to."""
    pair = node.family.location_scale
    if pair is None or not _is_standard(node, pair):
        return None
    at, scale, picked = _scale_of(node, usage)
    if scale is None:
        return None
    return _loc_of(at, node, usage, picked), scale, True


def _is_standard(node: Random, pair: tuple[str, str]) -> bool:
    names = [p.name for p in node.family.parameters]
    loc, scale = (node.parameters[names.index(name)] for name in pair)
    return all(
        isinstance(n, Constant) and (n.value == value).all() for n, value in ((loc, 0.0), (scale, 1.0))
    )


def _step(at: Node, users: Mapping[Node, list[Node]]) -> Node | None:
    """The one node that reads this one in an expression; Deterministics beside it do not count."""
    readers = [n for n in users.get(at, []) if not isinstance(n, Random)]
    expressions = [n for n in readers if isinstance(n, Apply)]
    named = [n for n in readers if isinstance(n, Deterministic)]
    if len(expressions) == 1 and not any(users.get(n) for n in named):
        return expressions[0]
    return named[0] if not expressions and len(named) == 1 else None


def _followed(at: Node, users: Mapping[Node, list[Node]], picked: bool) -> tuple[Node, Node | None, bool]:
    """Up through names and rearrangements: the last of them, what reads it, and whether elements have been picked."""
    while True:
        above = _step(at, users)
        if isinstance(above, Deterministic):
            at = above
        elif isinstance(above, Apply) and above.op.rearranges and above.arguments[0] is at:
            at, picked = above, True
        else:
            return at, above, picked


def _scale_of(node: Random, usage: _Usage) -> tuple[Node, Node | None, bool]:
    """Follow the latent to where it is multiplied: that node, the other factor, and whether it was indexed before."""
    at, above, picked = _followed(node, usage.users, False)
    if not (isinstance(above, Apply) and above.op.name == "multiply"):
        return at, None, picked
    other = above.arguments[1] if above.arguments[0] is at else above.arguments[0]
    fits = other.size == 1 or (not picked and np.broadcast_shapes(other.shape, node.shape) == node.shape)
    usable = fits and not is_static(other) and usage.admits(other, node) and is_positive(other, usage.data)
    return above, _fitted(other, node) if usable else None, picked


def _loc_of(at: Node, node: Random, usage: _Usage, picked: bool) -> Node:
    """What is added to the scaled latent and is the same for all elements, or one for each."""
    loc: Node = as_node(0.0)
    while True:
        at, above, picked = _followed(at, usage.users, picked)
        if not (isinstance(above, Apply) and above.op.name == "add"):
            return loc
        other = above.arguments[1] if above.arguments[0] is at else above.arguments[0]
        for summand in _summands(other):
            alike = not picked and np.broadcast_shapes(summand.shape, node.shape) == node.shape
            if (summand.size == 1 or alike) and usage.admits(summand, node):
                loc = apply("add", loc, _fitted(summand, node))
        at = above


def _summands(node: Node) -> list[Node]:
    inner = node.value if isinstance(node, Deterministic) else node
    if isinstance(inner, Apply) and inner.op.name == "add":
        return [s for a in inner.arguments for s in _summands(a)]
    return [inner]


def _fitted(other: Node, node: Random) -> Node:
    """A node that broadcasts against the latent: a single number loses axes it has too many."""
    return apply("reshape", other, shape=()) if other.size == 1 and other.ndim > node.ndim else other


def is_positive(node: Node, data: Mapping[Node, np.ndarray]) -> bool:
    """Whether an expression is positive, as far as its form tells: only then may it serve as a scale."""
    return Ranges(data).of(node).positive
