"""A model as LaTeX, for a notebook to typeset."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from finetti.model.expression import ATOM, UNARY, Notation, write
from finetti.model.graph import Deterministic, Node, Random, name_of
from finetti.model.ops import OPS, Op

if TYPE_CHECKING:
    from finetti.model.context import Model

_GREEK = frozenset(
    ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi",
     "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi",
     "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"]
)  # fmt: skip
_SPECIAL = str.maketrans(
    {"\\": r"\backslash ", "{": r"\{", "}": r"\}", "$": r"\$", "#": r"\#", "%": r"\%", "&": r"\&", "_": r"\_",
     "~": r"\sim ", "^": r"\hat{\ }", " ": r"\ "}
)  # fmt: skip
_WIDTH = 160  # of the source, commands included


def as_latex(model: Model) -> str:
    """The model as one aligned display, a line for each variable in the order they were written.

    Args:
        model: the model.

    Returns:
        LaTeX between `$$`, with `aligned` inside, as MathJax and KaTeX read it.

    Example:
        >>> import finetti as pm
        >>> with pm.Model() as model:
        ...     tau = pm.HalfCauchy("tau", 5)
        >>> print(model._repr_latex_())
        $$\\begin{aligned}
        \\tau &\\sim \\mathrm{HalfCauchy}(5)
        \\end{aligned}$$
    """
    lines = [_line(node) for node in model.named.values()]
    lines += [
        rf"{latex_name(name)} &: \log p \mathrel{{+}}= {_reference(node)}" for name, node in model.potentials.items()
    ]
    return "$$\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}$$"


def _line(node: Node) -> str:
    match node:
        case Random():
            body = rf"&\sim {write(node, LATEX, width=_WIDTH)}"
        case Deterministic():
            body = f"&= {_reference(node.value)}"
        case _:
            body = r"&\phantom{=}\ \text{data}"
    notes = [_dims(node)] if node.ndim and not (isinstance(node, Random) and node.observed is not None) else []
    if isinstance(node, Random) and node.observed is not None:
        notes = [rf"\text{{observed, {node.size} values}}"]
    return rf"{latex_name(name_of(node) or '?')} {body}" + "".join(rf" \quad {note}" for note in notes)


def _dims(node: Node) -> str:
    dims = getattr(node, "dims", ()) or (None,) * node.ndim
    axes = [rf"{roman(dim)}: {n}" if dim else str(n) for dim, n in zip(dims, node.shape, strict=True)]
    return f"({', '.join(axes)})"


def _reference(node: Node) -> str:
    name = name_of(node)
    return latex_name(name) if name else write(node, LATEX, width=_WIDTH)


def roman(text: str) -> str:
    """Upright text, with the characters that LaTeX reads as commands escaped."""
    return rf"\mathrm{{{text.translate(_SPECIAL)}}}"


def latex_name(name: str) -> str:
    """A variable's name as a symbol: Greek letters by name, what follows an underscore as subscripts."""
    parts = [part for part in name.split("_") if part]
    if not parts:
        return roman(name)
    head = re.fullmatch(r"([A-Za-z]+)(\d+)", parts[0])
    if head and (head[1] in _GREEK or len(head[1]) == 1):  # beta1 is read as beta_1
        parts[:1] = head.groups()
    symbols = [_symbol(part) for part in parts]
    return symbols[0] if len(symbols) == 1 else f"{symbols[0]}_{{{', '.join(symbols[1:])}}}"


def _symbol(part: str) -> str:
    if part in _GREEK:
        return f"\\{part}"
    return part if part.isdigit() or (len(part) == 1 and part.isalpha()) else roman(part)


def _number(value: np.ndarray) -> str:
    if value.dtype.kind != "f":
        return str(value) if value.dtype != bool else roman(str(value))
    mantissa, _, exponent = f"{value:.6g}".partition("e")
    text = mantissa.replace("inf", r"\infty").replace("nan", roman("nan"))
    return rf"{text} \times 10^{{{int(exponent)}}}" if exponent else text


def _constant(value: np.ndarray) -> tuple[str, int]:
    if value.ndim == 0:
        text = _number(value)
        return text, UNARY if text.startswith("-") or "times" in text else ATOM
    if value.ndim == 1 and value.size <= 3:
        return f"[{', '.join(map(_number, value))}]", ATOM
    return _call("array", [str(n) for n in value.shape]), ATOM


def _call(name: str, arguments: Sequence[str]) -> str:
    return rf"\operatorname{{{name.translate(_SPECIAL)}}}({', '.join(arguments)})"


def _index(x: str, parts: Sequence[str]) -> str:
    return f"{{{x}}}_{{{', '.join(parts)}}}"


def _encloses(op: Op) -> bool:
    """Whether its LaTeX shows where its arguments end: a function's does, and a fraction's."""
    return op.symbol is None or op.name == "true_divide"


LATEX = Notation(
    name=latex_name,
    constant=_constant,
    call=_call,
    distribution=lambda family, names, values: rf"{roman(family)}({', '.join(values)})",
    index=_index,
    group=r"\left({}\right)",
    infix={name: op.latex for name, op in OPS.items() if op.latex and not _encloses(op)},
    enclosed={name: op.latex for name, op in OPS.items() if op.latex and _encloses(op)},
    chains=(("add", "subtract"), ("multiply",)),
    dots=r"\dots",
)  # fmt: skip
