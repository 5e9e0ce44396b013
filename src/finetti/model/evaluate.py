"""The value of any node, under NumPy over a leading axis of draws, or under JAX at one point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from finetti.model.graph import Apply, Constant, Data, Deterministic, Node, Random, ancestors
from finetti.model.namespace import NUMPY, Namespace
from finetti.model.ops import Op

Values = Mapping[Node, Any]


def evaluate(roots: Iterable[Node], given: Values, *, xp: Namespace = NUMPY, lead: int = 0) -> list[Any]:
    """The arrays of `roots`, given the arrays of the random variables and data they depend on.

    Args:
        roots: nodes to evaluate.
        given: arrays by node; with `lead=1` each has a leading axis of draws, of length 1 if it does not vary.
        xp: the namespace to compute in.
        lead: the number of leading axes of draws, 0 or 1.

    Returns:
        One array for each root, of shape (draw, *node.shape) or node.shape.
    """
    roots = list(roots)
    values: dict[int, Any] = {id(node): value for node, value in given.items()}
    for node in ancestors(roots, through=within_expression, known=given):
        values[id(node)] = _value(node, values, xp, lead)
    return [values[id(root)] for root in roots]


def within_expression(node: Node) -> bool:
    """Whether an expression goes on below a node; random variables are its leaves."""
    return not isinstance(node, Random)



def _value(node: Node, values: Mapping[int, Any], xp: Namespace, lead: int) -> Any:
    match node:
        case Constant():
            return node.value[None] if lead else node.value
        case Deterministic():
            return values[id(node.value)]
        case Apply():
            arguments = [values[id(child)] for child in node.arguments]
            return apply_op(node.op, arguments, node.static, xp=xp, lead=lead, rank=node.ndim)
        case _:
            raise KeyError(f"no value was given for {getattr(node, 'name', node)!r}")


def apply_op(op: Op, arguments: list[Any], static: Mapping[str, Any], *, xp: Namespace, lead: int, rank: int) -> Any:
    """One operation on arrays; elementwise arguments are aligned behind the axis of draws."""
    if lead and op.elementwise:
        arguments = [align(a, rank) for a in arguments]
    return op.compute(xp, lead, *arguments, **static)


def align(array: np.ndarray, rank: int) -> np.ndarray:
    """(draw, *shape) with ones inserted behind the first axis until it has `rank` axes after it."""
    return array.reshape(array.shape[:1] + (1,) * (rank - array.ndim + 1) + array.shape[1:])


def is_static(node: Node) -> bool:
    """Whether a node depends on constants and data alone."""
    below_no_random = ancestors([node], through=lambda n: not isinstance(n, Random))
    return not any(isinstance(n, Random) for n in below_no_random)


def static_value(node: Node, data: Values) -> np.ndarray | None:
    """The value of a node that depends on constants and data alone; None if a random variable is above it."""
    if not is_static(node):
        return None
    with np.errstate(all="ignore"):
        return np.asarray(evaluate([node], _present(node, data))[0])


def _present(node: Node, data: Values) -> dict[Node, Any]:
    return {n: data[n] for n in ancestors([node]) if isinstance(n, Data)}


def expression(root: Node, known: Mapping[Node, Any]) -> Iterator[Node]:
    """Nodes of an expression without an entry in `known`, inputs first; random variables are its leaves."""
    return ancestors([root], through=within_expression, known=known)
