"""Rows of text in columns, and the few statistics the jobs report."""

import statistics
from collections.abc import Sequence


def spread(values: Sequence[float]) -> dict[str, float]:
    """Smallest, median and largest."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def number(value: float | None, digits: int = 2) -> str:
    """A number for a table; a dash where there is none."""
    return "-" if value is None else f"{value:,.{digits}f}"


def three(values: Sequence[float], digits: int = 2) -> str:
    """min / median / max in one cell."""
    return " / ".join(number(value, digits) for value in spread(values).values()) if values else "-"


def render(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns line up: the first to the left, the others to the right."""
    widths = [max(len(str(row[i])) for row in [header, *rows]) for i in range(len(header))]
    lines = [line(header, widths), "|" + "|".join("-" * (width + 2) for width in widths) + "|"]
    return "\n".join(lines + [line(row, widths) for row in rows])


def line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """One row of the table."""
    first, *rest = (str(cell) for cell in cells)
    padded = [
        first.ljust(widths[0]),
        *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)),
    ]
    return "| " + " | ".join(padded) + " |"
