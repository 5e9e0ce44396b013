"""Every kind of error finetti raises on purpose; the messages are written where the numbers are known."""

from __future__ import annotations

from collections.abc import Iterable

_MOST_NAMES = 40  # listed in one message


class FinettiError(Exception):
    """Anything finetti refuses to do, with what is wrong and what to do about it."""


class ModelError(FinettiError, ValueError):
    """The model as written makes no sense: a missing parameter, a name used twice, a nested context."""


class ShapeError(ModelError):
    """Shapes or dims of the parts of a model do not fit together."""


class DataError(ModelError):
    """Data that cannot be used: missing, infinite, of the wrong type, or outside a support."""


class UnknownNameError(FinettiError, KeyError):
    """A name that is not there, with the names that are."""

    def __str__(self) -> str:
        return str(self.args[0])


class ArgumentError(FinettiError, TypeError):
    """An argument that a function does not take, with what to write instead where that is known."""


class SamplingError(FinettiError, RuntimeError):
    """A model from which no draw can be made."""


def unknown_name(name: object, available: Iterable[str], *, what: str) -> UnknownNameError:
    """An error that lists what is there, nearest names first."""
    from difflib import get_close_matches

    names = [str(each) for each in available]
    near = get_close_matches(str(name), names, n=3)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    listed = ", ".join(names[:_MOST_NAMES]) or "none"
    return UnknownNameError(f"There is no {what} named {name!r}.{hint} Available: {listed}{more}.")
