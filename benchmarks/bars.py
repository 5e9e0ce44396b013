"""What the project set out to reach beside what was measured: printed, never asserted."""

from dataclasses import asdict, dataclass

from benchmarks import table


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One goal: a number that should be at least, or at most, another."""

    what: str
    measured: float | None
    bar: float
    at_most: bool = False
    digits: int = 2

    @property
    def met(self) -> bool:
        """Whether it is reached; what could not be measured is not."""
        if self.measured is None:
            return False
        return self.measured <= self.bar if self.at_most else self.measured >= self.bar

    def row(self) -> list[str]:
        """A line of the table."""
        sign = "<=" if self.at_most else ">="
        shown = (table.number(self.measured, self.digits), f"{sign} {self.bar:,g}", "yes" if self.met else "MISSED")
        return [self.what, *shown]


def show(bars: list[Bar]) -> str:
    """The table of goals."""
    return table.render(("goal", "measured", "bar", "met"), [bar.row() for bar in bars])


def kept(bars: list[Bar]) -> list[dict]:
    """For the JSON file."""
    return [asdict(bar) | {"met": bar.met} for bar in bars]
