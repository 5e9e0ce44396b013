"""A model for people to read: as text here, as LaTeX in `latex`, as a graph in `plates`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from finetti.model.expression import TEXT, node_text, write
from finetti.model.graph import Data, Deterministic, Node, Random
from finetti.model.latex import as_latex
from finetti.model.plates import as_graphviz, dot_source

if TYPE_CHECKING:
    from finetti.model.context import Model

__all__ = ["as_graphviz", "as_latex", "as_text", "dot_source", "node_text"]

_WIDTH = 90  # of an expression; more is shortened
_COLUMN = 60  # beyond this an expression does not push the notes of the other lines to the right


class _Line(NamedTuple):
    """One variable: `name sign expression  note`."""

    name: str
    sign: str
    expression: str
    note: str


def as_text(model: Model) -> str:
    """The model as a textbook writes it, one aligned line for each variable, in the order they were written.

    Args:
        model: the model.

    Returns:
        Lines such as `theta ~ Normal(mu=mu, sigma=tau)  (school: 8)`; potentials come last.

    Example:
        >>> import finetti as pm
        >>> with pm.Model() as model:
        ...     tau = pm.HalfCauchy("tau", 5)
        ...     theta = pm.Normal("theta", 0, tau, shape=8)
        >>> print(model)
        tau   ~ HalfCauchy(beta=5)
        theta ~ Normal(mu=0, sigma=tau)  (8)
    """
    lines = [_line(node) for node in model.named.values()]
    lines += [_Line(name, ":", f"log p += {write_reference(node)}", "") for name, node in model.potentials.items()]
    if not lines:
        return "Model without variables"
    names = max(len(line.name) for line in lines)
    column = max((len(line.expression) for line in lines if len(line.expression) <= _COLUMN), default=0)
    return "\n".join(
        f"{line.name:{names}} {line.sign} {line.expression:{column}}  {line.note}".rstrip() for line in lines
    )


def _line(node: Node) -> _Line:
    match node:
        case Data():
            return _Line(node.name, "=", "Data", dims_text(node))
        case Deterministic():
            return _Line(node.name, "=", write_reference(node.value), dims_text(node))
        case Random():
            note = f"{dims_text(node)}{_observed(node)}"
            return _Line(node.name or "", "~", write(node, TEXT, width=_WIDTH), note.strip())
    raise TypeError(f"{node!r} has no line of its own")


def write_reference(node: Node) -> str:
    """The name of a node, or its expression at the width of a line."""
    return node_text(node, width=_WIDTH)


def dims_text(node: Node) -> str:
    """The axes of a variable in parentheses, by dim and length; nothing for a scalar."""
    dims = getattr(node, "dims", ()) or (None,) * node.ndim
    axes = [f"{dim}: {length}" if dim else str(length) for dim, length in zip(dims, node.shape, strict=True)]
    return f"({', '.join(axes)})" if axes else ""


def _observed(node: Random) -> str:
    if node.observed is None:
        return ""
    name = getattr(node.observed, "name", None)
    values = f"{node.size} value{'s' if node.size != 1 else ''}"
    return f"  observed{f' as {name}' if name else ''}, {values}"
