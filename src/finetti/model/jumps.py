"""Where a density may jump as an unknown moves: a comparison that chooses between numbers, as in a change point."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from finetti.model.graph import Apply, Constant, Node, Random, ancestors

_COMPARES = frozenset({"less", "less_equal", "greater", "greater_equal", "equal", "not_equal"})
_ARITHMETIC = frozenset({"add", "subtract", "multiply", "true_divide", "power"})  # of truth values: 0 or 1
_STEPS = frozenset({"floor", "ceil", "trunc", "sign", "floor_divide"})


def jumping(roots: Iterable[Node]) -> list[str]:
    """The continuous unknowns by whose comparison with something a value is chosen, by name.

    Where one of the values is infinite it is a bound, which chains keep to, and no jump in between.

    Args:
        roots: the model's variables and potentials.
    """
    found: dict[str, None] = {}
    for node in ancestors(list(roots)):
        if isinstance(node, Apply) and node.op.name == "where" and not any(map(_infinite, node.arguments[1:])):
            found |= dict.fromkeys(_compared(node.arguments[0]))
        elif isinstance(node, Apply) and node.op.name in _STEPS:
            found |= dict.fromkeys(_unknowns(node))
        elif isinstance(node, Apply) and node.op.name in _ARITHMETIC:
            truths = (a for a in node.arguments if isinstance(a, Apply) and a.op.name in _COMPARES)
            found |= dict.fromkeys(name for truth in truths for name in _compared(truth))
    return list(found)


def _infinite(node: Node) -> bool:
    return isinstance(node, Constant) and bool(np.isinf(node.value).any())


def _compared(condition: Node) -> list[str]:
    """Names of the unknowns that comparisons below a condition read."""
    below = [n for n in ancestors([condition], through=_not_random) if isinstance(n, Apply)]
    return [name for n in below if n.op.name in _COMPARES for name in _unknowns(n)]


def _unknowns(node: Node) -> list[str]:
    """Continuous unknowns that an expression reads."""
    read = ancestors([node], through=_not_random)
    return [str(n.name) for n in read if isinstance(n, Random) and n.observed is None and not n.family.discrete]


def _not_random(node: Node) -> bool:
    return not isinstance(node, Random)
