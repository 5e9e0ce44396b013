"""The axes that a plot draws on: a new figure in finetti's style, or what the user brings."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from finetti.diagnostics.labels import listed
from finetti.diagnostics.options import number
from finetti.errors import DataError
from finetti.plots.common import GREY

logger = logging.getLogger("finetti")
STYLE: Any = {  # a key is one of matplotlib's settings, which its annotations list only in later versions
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": "black",
    "text.color": "black",
    "axes.grid": False,
    "axes.facecolor": "white",
    "figure.facecolor": "white",
    "legend.frameon": False,
}


def new_axes(rows: int = 1, columns: int = 1, *, figsize: Any, **options: Any) -> np.ndarray:
    """Axes (row, column) of a new figure in finetti's style, which leaves the caller's settings alone.

    Raises:
        DataError: `figsize` is not a width and a height.
    """
    import matplotlib.pyplot as plt

    size = [number(length) for length in listed(figsize) or []]
    if len(size) != 2 or not all(length is not None and length > 0 for length in size):
        raise DataError(f"figsize is a width and a height in inches, such as (6, 4); got {figsize!r}.")
    with plt.rc_context(STYLE):
        axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, **options)[1]
        interactive = plt.isinteractive()
    plt.ion() if interactive else plt.ioff()  # a notebook turns it on with its first figure: later ones need it too
    for ax in axes.flat:  # ticks are made when drawn, long after the style is gone, so they are told here
        ax.tick_params(labelsize=9, color=GREY, labelcolor="black")
    return axes


def given_axes(ax: Any, shape: tuple[int, ...], *, what: str) -> Any:
    """The axes that the user brings: one for the shape (), else an array.

    Raises:
        DataError: something else than matplotlib axes, or another shape; `what` says what needs them.
    """
    from matplotlib.axes import Axes

    known = isinstance(ax, Axes | np.ndarray | list | tuple)
    axes = np.asarray(ax, dtype=object) if known else np.array([])
    if not axes.size or not all(isinstance(one, Axes) for one in axes.flat):
        raise DataError(f"ax takes matplotlib axes, such as plt.subplots()[1]; got {ax!r} ({type(ax).__name__}).")
    if axes.ndim == 1 and shape:
        axes = axes[None]  # one row, as plt.subplots(1, 2) gives it
    if axes.shape != shape:
        need = f"ax of shape {shape}" if shape else "one ax"
        raise DataError(f"{what} need {need}; got {axes.shape}.")
    return axes if shape else ax


def say(note: str, axes: Any, *, own: bool) -> None:
    """Put a note above a figure of finetti's own; a figure of the user's is left alone, the note goes to the log."""
    if not note:
        return
    if own:
        np.ravel(axes)[0].figure.suptitle(note, fontsize=8, color=GREY, x=0.01, ha="left")
    else:
        logger.info(note)
