"""Pair plot: joint draws of scalars, the divergent ones marked, to see where the geometry is hard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.calls import hinted
from finetti.diagnostics.options import switch
from finetti.errors import DataError
from finetti.hints import OF_PLOTS
from finetti.plots.axes import given_axes, new_axes, say
from finetti.plots.common import BLUE, VERMILION, Limit, Scalar, choose, divergent

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from finetti.diagnostics.selection import Names

_LIMIT = Limit(8, what="A pair plot", unit="scalars", example="['theta[0]', 'log(tau)']")


@hinted(OF_PLOTS)
def plot_pair(
    trace: xr.DataTree,
    var_names: Names = None,
    *,
    divergences: bool = True,
    coords: Mapping[str, Any] | None = None,
    figsize: tuple[float, float] | None = None,
    ax: Axes | np.ndarray | None = None,
) -> Axes | np.ndarray:
    """Scatter plots of every two scalars with the divergent draws marked: a hierarchy's funnel in one call.

    Divergences that crowd in one corner point at the region the sampler could not enter (Betancourt and
    Girolami 2015, "Hamiltonian Monte Carlo for hierarchical models", section 4).

    Args:
        trace: what sampling returned; posterior variables with axes (chain, draw, ...).
        var_names: a name, or a list, tuple or set of names: "theta" (all elements), "theta[Choate]", "theta[0]",
            "log(tau)", "tau_log__"; "~theta" leaves out. By default what fits:
            scalars first, then the first elements, without rows that say nothing (`summary`).
            With two scalars the first is horizontal, the second vertical.
        divergences: mark the draws whose trajectory diverged.
        coords: dim -> label or labels to show.
        figsize: width and height in inches; grows with the number of scalars by default.
        ax: axes to draw on: one for two scalars, else an array (scalar, scalar).

    Returns:
        The axes for two scalars; else an array (scalar, scalar) with histograms on the diagonal, scatter
        plots below it and invisible axes above.

    Raises:
        UnknownNameError: a name, dim or label that is not in the trace.
        DataError: one scalar, more than 8 asked for, `ax` of another shape, draws that are not finite.

    Example:
        >>> import numpy as np
        >>> from finetti.trace import build_trace
        >>> rng = np.random.default_rng(1)
        >>> draws = {"tau": rng.exponential(size=(4, 100)), "theta": rng.normal(size=(4, 100, 8))}
        >>> axes = plot_pair(build_trace(groups={"posterior": draws}), ["theta[0]", "log(tau)"])
        >>> axes.get_xlabel(), axes.get_ylabel()
        ('theta[0]', 'log(tau)')
    """
    chosen = choose(trace, var_names, coords=coords, limit=_LIMIT)
    shown = chosen.scalars
    if len(shown) < 2:
        raise DataError(f"A pair plot needs two scalars, such as {_LIMIT.example}; got {shown[0].label!r} alone.")
    marked = divergent(chosen.trace) if switch(divergences, name="divergences") else None
    axes = (_single if len(shown) == 2 else _grid)(shown, marked, ax=ax, figsize=figsize)
    say(chosen.note, axes, own=ax is None)
    return axes


def _single(chosen: list[Scalar], marked: np.ndarray | None, *, ax: Any, figsize: Any) -> Axes:
    """Two scalars on one pair of axes."""
    if ax is None:
        ax = new_axes(figsize=(6.4, 4.8) if figsize is None else figsize)[0, 0]
    ax = given_axes(ax, (), what="Two scalars")
    x, y = chosen
    _scatter(ax, x, y, marked, size=12)
    ax.set(xlabel=x.label, ylabel=y.label)
    if marked is not None:
        place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.2}
        ax.legend(frameon=False, handletextpad=0.2, **place)
    return ax


def _grid(chosen: list[Scalar], marked: np.ndarray | None, *, ax: Any, figsize: Any) -> np.ndarray:
    """Lower triangle of scatter plots with histograms on the diagonal."""
    count = len(chosen)
    size = (1.2 + 1.7 * count,) * 2 if figsize is None else figsize
    new = new_axes(count, count, figsize=size, sharex="col") if ax is None else ax
    axes: np.ndarray = given_axes(new, (count, count), what=f"{count} scalars")
    for (row, column), panel in np.ndenumerate(axes):
        _cell(panel, chosen, row, column, marked)
    if marked is not None:
        handles, labels = axes[1, 0].get_legend_handles_labels()
        axes[0, 0].figure.legend(handles, labels, loc="upper right", frameon=False)
    return axes


def _cell(ax: Axes, chosen: list[Scalar], row: int, column: int, marked: np.ndarray | None) -> None:
    """One place of the grid."""
    if column > row:
        ax.set_visible(False)
        return
    if column == row:
        ax.hist(chosen[row].draws.ravel(), bins=40, color=BLUE, alpha=0.5)
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
    else:
        _scatter(ax, chosen[column], chosen[row], marked, size=5)
    if row == len(chosen) - 1:
        ax.set_xlabel(chosen[column].label)
    if column == 0 and row > 0:
        ax.set_ylabel(chosen[row].label)
    ax.tick_params(labelbottom=row == len(chosen) - 1, labelleft=column == 0 and row > 0)


def _scatter(ax: Axes, x: Scalar, y: Scalar, marked: np.ndarray | None, *, size: float) -> None:
    """Draws faint enough to show their density; divergent ones on top, ringed so as to be counted."""
    alpha = float(np.clip(800 / x.draws.size, 0.06, 0.5))
    kept = np.ones(x.draws.shape, bool) if marked is None else ~marked
    ax.scatter(x.draws[kept], y.draws[kept], s=size, color=BLUE, alpha=alpha, linewidths=0, rasterized=True)
    if marked is not None:
        label = f"{marked.sum()} divergent {'draws' if marked.sum() > 1 else 'draw'}"
        ring: dict[str, Any] = {"facecolor": VERMILION, "edgecolor": "white", "linewidths": 0.4}
        ax.scatter(x.draws[marked], y.draws[marked], s=1.8 * size, label=label, zorder=3, **ring)
