"""What a user asks of a plan, which is made in a room further along: words on each unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Geometry = str | Mapping[str, str]


class Planned(Protocol):
    """What is done to each unknown, and why; printable."""

    @property
    def decisions(self) -> Sequence[Any]:
        """One for each unknown: `name`, `what`, `why`."""

    @property
    def engine(self) -> str:
        """Those that will be tried, in order; afterwards the one that drew."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What else there is to say."""
