"""The expression of a node, written in a notation: plain text here, LaTeX in `latex`.

Long expressions are shortened from the middle. The writer descends a fixed number of levels, reads a sum or product of
any length as one level, and has a budget of nodes, so neither deep nor widely shared graphs trouble it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from finetti.model.graph import Apply, Constant, Deterministic, Node, Random, name_of
from finetti.model.ops import OPS, Binds, Op, Place

COMPARE, OR, _, _, _, UNARY, POWER, ATOM = Binds

_Term = tuple[str, Node]
_DETAIL = ((8, 12), (6, 8), (5, 5), (4, 4), (3, 3), (2, 2), (1, 2))  # levels, and terms of a sum or a call
_BUDGET = 300


@dataclass(frozen=True)
class Notation:
    """How names, constants, calls, indices and operators are written.

    Args:
        name: a variable's name.
        constant: a fixed array, and how tightly its text binds.
        call: a function's name and its arguments' texts.
        distribution: a family's name, its parameters' names (maybe none) and their texts.
        index: the text of a variable and the texts of its indices.
        group: parentheses around `{}`.
        infix: templates of operators by operation, `{0}` and `{1}` standing for arguments in parentheses if needed.
        enclosed: templates whose arguments never need parentheses, such as a fraction.
        chains: operations written as one row of terms; the first repeats, the second (if any) is its inverse.
        dots: what is left out.
    """

    name: Callable[[str], str]
    constant: Callable[[np.ndarray], tuple[str, int]]
    call: Callable[[str, Sequence[str]], str]
    distribution: Callable[[str, Sequence[str], Sequence[str]], str]
    index: Callable[[str, Sequence[str]], str]
    group: str
    infix: Mapping[str, str]
    enclosed: Mapping[str, str]
    chains: tuple[tuple[str, ...], ...]
    dots: str


@dataclass
class _Writer:
    """One attempt at an expression, with `terms` of each row and at most `budget` nodes."""

    notation: Notation
    terms: int
    budget: int = field(default=_BUDGET)

    def definition(self, node: Node, depth: int) -> tuple[str, int]:
        """The text of a node without regard to its own name, and how tightly it binds."""
        match node:
            case Constant():
                return self.notation.constant(node.value)
            case Deterministic():
                return self.reference(node.value, depth)
            case Random():
                return self._distribution(node, depth), ATOM
            case Apply():
                return self._operation(node, depth)
            case _:
                return self.notation.name(name_of(node) or "?"), ATOM

    def reference(self, node: Node, depth: int) -> tuple[str, int]:
        """A node's name if it has one, its definition otherwise."""
        self.budget -= 1
        name = name_of(node)
        if name:
            return self.notation.name(name), ATOM
        if not isinstance(node, Constant) and (depth <= 0 or self.budget < 0):
            return self.notation.dots, ATOM
        return self.definition(node, depth - 1)

    def _within(self, node: Node, depth: int, at_least: int) -> str:
        """A reference, in parentheses where it binds more loosely than its place asks."""
        text, binds = self.reference(node, depth)
        return text if binds >= at_least else self.notation.group.format(text)

    def _list(self, nodes: Sequence[Node], depth: int) -> list[str]:
        texts = [self.reference(n, depth)[0] for n in nodes[: self.terms]]
        return texts if len(nodes) <= self.terms else [*texts, self.notation.dots]

    def _distribution(self, node: Random, depth: int) -> str:
        names = [p.name for p in getattr(node.family, "parameters", ())]
        texts = [self.reference(p, depth)[0] for p in node.parameters] if names else self._list(node.parameters, depth)
        if hasattr(node.family, "shown"):
            return node.family.shown(self.notation.distribution, texts)
        return self.notation.distribution(node.family.__name__, names if len(names) == len(texts) else [], texts)

    def _operation(self, node: Apply, depth: int) -> tuple[str, int]:
        name = node.op.name
        chain = next((c for c in self.notation.chains if name in c), None)
        if chain:
            return self._chain(node, chain, depth), node.op.binds
        if name in self.notation.enclosed:
            template = self.notation.enclosed[name]
            text = template.format(*(self.reference(a, depth)[0] for a in node.arguments))
            return text, UNARY if node.op.symbol else ATOM  # a fraction needs parentheses as a base, only
        if name in self.notation.infix:
            return self._infix(node, depth), node.op.binds
        if name == "getitem":
            return self._getitem(node, depth), ATOM
        return self.notation.call(*self._call_parts(node, depth)), ATOM

    def _infix(self, node: Apply, depth: int) -> str:
        binds = node.op.binds
        places = {UNARY: (UNARY,), POWER: (ATOM, UNARY), COMPARE: (OR, OR)}.get(binds, (binds, binds + 1))
        texts = (self._within(a, depth, place) for a, place in zip(node.arguments, places, strict=True))
        return self.notation.infix[node.op.name].format(*texts)

    def _chain(self, node: Apply, chain: tuple[str, ...], depth: int) -> str:
        """A row of terms: only the first may bind as loosely as the row itself."""
        terms, last = _chain_terms(node, chain, self.terms)
        binds, infix = OPS[chain[0]].binds, self.notation.infix
        text = self._within(terms[0][1], depth, binds)
        for operation, term in terms[1:]:
            text = infix[operation].format(text, self._within(term, depth, binds + 1))
        if last:
            text = infix[chain[0]].format(text, self.notation.dots)
            text = infix[last[0]].format(text, self._within(last[1], depth, binds + 1))
        return text

    def _getitem(self, node: Apply, depth: int) -> str:
        x, *arrays = node.arguments
        parts = list(node.static["template"])
        while len(parts) > 1 and parts[-1] == slice(None):
            parts.pop()
        texts = [self.reference(arrays[p.argument], depth)[0] if isinstance(p, Place) else _plain(p) for p in parts]
        return self.notation.index(self._within(x, depth, ATOM), texts)

    def _call_parts(self, node: Apply, depth: int) -> tuple[str, list[str]]:
        arguments, static, name = self._list(node.arguments, depth), dict(node.static), node.op.name
        if name == "wrapped":
            return getattr(static["function"], "__name__", "wrapped"), arguments
        if name in ("stack", "concatenate"):
            arguments = [f"[{', '.join(arguments)}]"]
        if name in ("reshape", "broadcast_to"):
            return name, [*arguments, str(static["shape"])]
        if name == "transpose" and static["axes"] == tuple(range(node.ndim))[::-1]:
            static = {}
        return name, arguments + _options(node, static)


def _chain_terms(node: Apply, chain: tuple[str, ...], limit: int) -> tuple[list[_Term], _Term | None]:
    """The terms of a sum or product from the left with their operations, and the last one if some are left out."""
    stack: list[_Term] = [(chain[0], node)]
    terms: list[_Term] = []
    while stack and len(terms) < limit:
        operation, term = stack.pop()
        if isinstance(term, Apply) and term.op.name in chain and operation == chain[0]:
            left, right = term.arguments
            stack += [(term.op.name, right), (operation, left)]
        else:
            terms.append((operation, term))
    return (terms, stack[0]) if len(stack) > 1 else (terms + stack, None)


def _plain(part: int | slice | None) -> str:
    if not isinstance(part, slice):
        return str(part)
    ends = ["" if end is None else str(end) for end in (part.start, part.stop, part.step)]
    return ":".join(ends if part.step is not None else ends[:2])


def _options(node: Apply, static: dict) -> list[str]:
    """The static arguments that differ from what NumPy takes by default."""
    axis = static.pop("axis", None)
    first = {"stack": -node.ndim, "concatenate": -node.ndim, "softmax": -1}.get(node.op.name)
    every = isinstance(axis, tuple) and len(axis) == node.arguments[0].ndim
    options = [f"{key}={value}" for key, value in static.items() if value is not False]
    if axis is None or every or axis == first or (node.arguments[0].ndim == 1 and first is None):
        return options
    return [f"axis={axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis}", *options]


def write(node: Node, notation: Notation, *, width: int) -> str:
    """The definition of a node in a notation, in as much detail as `width` characters hold."""
    for depth, terms in _DETAIL:
        text, _ = _Writer(notation, terms).definition(node, depth)
        if len(text) <= width:
            break
    return text


# --- plain text ------------------------------------------------------------------------------------------------


def number_text(value: np.ndarray) -> str:
    """A scalar by its value, to six digits."""
    return f"{value:.6g}" if value.dtype.kind == "f" else str(value)


def _constant(value: np.ndarray) -> tuple[str, int]:
    if value.ndim == 0:
        text = number_text(value)
        return text, UNARY if text.startswith("-") else ATOM
    if value.ndim == 1 and value.size <= 3:
        return f"[{', '.join(map(number_text, value))}]", ATOM
    return f"array({', '.join(map(str, value.shape))})", ATOM


def _distribution(family: str, names: Sequence[str], values: Sequence[str]) -> str:
    pairs = [f"{n}={v}" if n else v for n, v in zip(names, values, strict=True)] if names else values
    return f"{family}({', '.join(pairs)})"


def _symbol_template(op: Op) -> str:
    return f"{op.symbol}{{0}}" if op.binds == UNARY else f"{{0}} {op.symbol} {{1}}"


TEXT = Notation(
    name=str,
    constant=_constant,
    call=lambda name, arguments: f"{name}({', '.join(arguments)})",
    distribution=_distribution,
    index=lambda x, parts: f"{x}[{', '.join(parts)}]",
    group="({})",
    infix={name: _symbol_template(op) for name, op in OPS.items() if op.symbol},
    enclosed={},
    chains=(("add", "subtract"), ("multiply", "true_divide")),
    dots="…",
)


def node_text(node: Node, *, width: int = 60) -> str:
    """A node's name, or its expression on one line of about `width` characters."""
    return name_of(node) or write(node, TEXT, width=width)


__all__ = ["ATOM", "TEXT", "UNARY", "Notation", "node_text", "write"]
