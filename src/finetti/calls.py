"""Functions that answer arguments they do not take, or lack, with what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Signature, signature
from typing import ParamSpec, TypeVar

from finetti.errors import ArgumentError

P = ParamSpec("P")
R = TypeVar("R")


def hinted(table: Mapping[str, str], name: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Has a function answer arguments it does not take, or lacks, with what to write instead.

    Args:
        table: from a keyword to words.
        name: of the function, where users know it by another.
    """

    def around(function: Callable[P, R]) -> Callable[P, R]:
        expected = signature(function)
        known = tuple(parameter for parameter in expected.parameters if parameter not in ("self", "cls"))
        hands_on = any(parameter.kind is parameter.VAR_KEYWORD for parameter in expected.parameters.values())
        title = name or function.__qualname__.removesuffix(".__init__")

        @wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            for keyword in kwargs:
                if keyword not in known and not hands_on:
                    hint = table.get(keyword)
                    more = f": {hint}." if hint else f"; it takes {', '.join(known)}."
                    raise ArgumentError(f"{title} has no argument {keyword!r}{more}")
            try:
                expected.bind(*args, **kwargs)
            except TypeError as error:
                raise ArgumentError(f"{title}: {error}; it takes {_written(expected)}.") from None
            return function(*args, **kwargs)

        return called

    return around


def _written(expected: Signature) -> str:
    """The arguments of a function, and which of them are written by name."""
    parts = [parameter for parameter in expected.parameters.values() if parameter.name not in ("self", "cls")]
    by_place = [p.name for p in parts if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)]
    by_name = [f"{parameter.name}=" for parameter in parts if parameter.kind is parameter.KEYWORD_ONLY]
    return ", ".join(by_place) + (f", and by name {', '.join(by_name)}" if by_name else "")
