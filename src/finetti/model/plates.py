"""A model as a graph in the DOT language: variables as nodes, what repeats together as plates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from finetti.errors import ModelError
from finetti.model.graph import Data, Deterministic, Node, Random, ancestors

if TYPE_CHECKING:
    from finetti.model.context import Model

Plate = tuple[tuple[str | None, int], ...]


def as_graphviz(model: Model) -> Any:
    """The model as a `graphviz.Source`, which a notebook draws.

    Args:
        model: the model.

    Returns:
        A `graphviz.Source` around `dot_source(model)`.

    Raises:
        ModelError: where the package `graphviz` is not installed.
    """
    try:
        import graphviz
    except ImportError as error:
        raise ModelError(
            "Drawing a model needs the package graphviz (`pip install graphviz`) and Graphviz's program `dot`. "
            "Without them `print(model)` shows the model as text."
        ) from error
    return graphviz.Source(dot_source(model))


def dot_source(model: Model) -> str:
    """The model in the DOT language.

    Unknowns are ellipses, observed variables are shaded, data are rounded boxes, deterministics boxes and potentials
    octagons. Variables of the same dims and lengths share a plate. An arrow leads from each variable to those written
    with it, and from an observed variable to the `Data` it is observed as.

    Args:
        model: the model.

    Returns:
        DOT text.
    """
    plates: dict[Plate, list[str]] = {}
    for name, node in [*model.named.items(), *model.potentials.items()]:
        plates.setdefault(_plate(node), []).append(_statement(name, node, is_potential=name in model.potentials))
    body = plates.pop((), [])
    for number, (plate, statements) in enumerate(plates.items()):
        body += _cluster(number, plate, statements)
    return "\n".join(["digraph {", *(f"  {line}" for line in [*body, *_edges(model)]), "}"])


def _plate(node: Node) -> Plate:
    dims = getattr(node, "dims", ()) or (None,) * node.ndim
    return tuple(zip(dims, node.shape, strict=True))


def _cluster(number: int, plate: Plate, statements: list[str]) -> list[str]:
    title = " x ".join(f"{dim} ({length})" if dim else str(length) for dim, length in plate)
    head = [f"subgraph cluster_{number} {{", f"  label={_quoted(title)} labeljust=r labelloc=b style=rounded"]
    return [*head, *(f"  {statement}" for statement in statements), "}"]


def _statement(name: str, node: Node, *, is_potential: bool) -> str:
    if is_potential:
        kind, look = "Potential", "shape=octagon style=filled fillcolor=lightgrey"
    elif isinstance(node, Random):
        kind = f"~\n{node.family.__name__}"
        look = "shape=ellipse" + ("" if node.observed is None else " style=filled fillcolor=lightgrey")
    elif isinstance(node, Data):
        kind, look = "Data", 'shape=box style="rounded,filled" fillcolor=lightgrey'
    else:
        kind, look = "Deterministic", "shape=box"
    title = _quoted(f"{name}\n{kind}")
    return f"{_quoted(name)} [label={title} {look}]"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _edges(model: Model) -> list[str]:
    edges = []
    for name, node in model.named.items():
        above = node.parameters if isinstance(node, Random) else node.inputs
        edges += [(parent, name) for parent in _named_above(above)]
        if isinstance(node, Random) and node.observed is not None:
            edges += [(name, data) for data in _named_above([node.observed])]
    for name, node in model.potentials.items():
        edges += [(parent, name) for parent in _named_above([node])]
    return [f"{_quoted(start)} -> {_quoted(end)}" for start, end in edges]


def _named_above(nodes: Any) -> Iterator[str]:
    """Names of the nearest named nodes, each once, in the order they are met."""
    for node in ancestors(nodes, through=lambda n: getattr(n, "name", None) is None):
        if isinstance(node, (Random, Data, Deterministic)) and node.name:
            yield node.name
