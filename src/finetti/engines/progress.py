"""The progress bar: one line for each chain; silent without a terminal, or a notebook that has ipywidgets."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

REFRESH = 0.1  # seconds


class Shown(Protocol):
    """What is shown of a chain: transitions done, draws kept, divergences among them, and the step size, if any."""

    @property
    def done(self) -> int: ...
    @property
    def drawn(self) -> int: ...
    @property
    def divergences(self) -> int: ...
    @property
    def step(self) -> float: ...


@contextmanager
def progress(*, wanted: bool, total: int, tune: int, chains: int) -> Any:
    """Show the chains while they run.

    Args:
        wanted: False for silence.
        total: transitions of each chain, warmup included.
        tune: how many of them are warmup.
        chains: how many lines.

    Yields:
        A function of the chains' logs.
    """
    console = _console() if wanted else None
    if console is None:
        yield lambda logs: None
        return
    bar, tasks = _bar(console, total, chains)
    with bar:
        yield _shower(bar, tasks, tune)


def _console():
    """rich's console where somebody can see it, else None."""
    import os
    import sys
    from importlib.util import find_spec

    notebook = "ipykernel" in sys.modules
    if not (sys.stderr.isatty() or notebook or os.environ.get("FORCE_COLOR")):
        return None
    if notebook and not find_spec("ipywidgets"):  # without it rich shows an empty box and a warning
        return None
    from rich.console import Console

    console = Console(stderr=not notebook)
    return console if console.is_terminal or console.is_jupyter else None


def _bar(console, total: int, chains: int):
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("chain {task.fields[chain]}"), TextColumn("{task.fields[phase]:<8}"), BarColumn(bar_width=30),
        TextColumn("{task.fields[draws]:>6} draws"), TextColumn("{task.fields[divergences]:>4} divergences"),
        TextColumn("{task.fields[step]}"), TimeRemainingColumn(), console=console, refresh_per_second=10,
    )  # fmt: skip
    fields: dict[str, Any] = {"phase": "warmup", "draws": 0, "divergences": 0, "step": ""}
    return bar, [bar.add_task("", total=total, chain=k, **fields) for k in range(chains)]


def _shower(bar, tasks, tune: int) -> Callable[[Sequence[Shown]], None]:
    last = [0.0]

    def show(logs: Sequence[Shown]) -> None:
        now = time.perf_counter()
        unfinished = any(log.done < bar.tasks[0].total for log in logs)
        if now - last[0] < REFRESH and unfinished:
            return
        last[0] = now
        for task, log in zip(tasks, logs, strict=True):
            phase = "warmup" if log.done < tune else "sampling"
            step = "" if log.step != log.step else f"step {log.step:.3g}"
            bar.update(task, completed=log.done, phase=phase, draws=log.drawn, divergences=log.divergences, step=step)

    return show
