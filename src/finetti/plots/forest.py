"""Forest plot: one row per scalar, an estimate with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.calls import hinted
from finetti.diagnostics.labels import listed
from finetti.diagnostics.options import CI_PROB, inside, number, switch
from finetti.errors import DataError
from finetti.hints import OF_PLOTS
from finetti.plots.axes import given_axes, new_axes, say
from finetti.plots.common import BLUE, GREY, Limit, Scalar, chain_colors, choose

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from finetti.diagnostics.selection import Names

_ROW_INCHES, _MARGIN_INCHES = 0.3, 0.9
_LIMIT = Limit(300, what="A forest plot", unit="rows", example="['mu', 'theta[0]']")


@hinted(OF_PLOTS)
def plot_forest(
    trace: xr.DataTree,
    var_names: Names = None,
    *,
    ci_probs: tuple[float, float] = (0.5, CI_PROB),
    combined: bool = True,
    coords: Mapping[str, Any] | None = None,
    reference: float | None = None,
    xlabel: str | None = None,
    figsize: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Posterior median and two central intervals of every scalar, first scalar on top.

    Args:
        trace: what sampling returned; posterior variables with axes (chain, draw, ...).
        var_names: a name, or a list, tuple or set of names: "theta" (all elements), "theta[Choate]", "theta[0]",
            "log(tau)", "tau_log__"; "~theta" leaves out. By default all but
            rows that say nothing (`summary`), up to 300.
        ci_probs: probabilities of the inner (thick) and the outer (thin) interval, between equal tails.
        combined: the chains together, or each chain in its own colour.
        coords: dim -> label or labels to show.
        reference: a value to mark by a vertical line, such as 0.
        xlabel: label of the horizontal axis; what the marks mean by default.
        figsize: width and height in inches; grows with the rows by default.
        ax: axes to draw on instead of a new figure.

    Returns:
        The matplotlib axes.

    Raises:
        UnknownNameError: a name, dim or label that is not in the trace.
        DataError: probabilities not in 0 < inner < outer < 1, too many rows asked for, draws that are not finite.

    Example:
        >>> import numpy as np
        >>> from finetti.trace import build_trace
        >>> theta = np.random.default_rng(1).normal(size=(4, 100, 8))
        >>> axes = plot_forest(build_trace(groups={"posterior": {"theta": theta}}), ["theta"])
        >>> len(axes.get_yticklabels())
        8
    """
    probs, combined = _checked(ci_probs), switch(combined, name="combined")
    if reference is not None and number(reference) is None:
        raise DataError(f"reference is a number to mark, such as 0; got {reference!r}.")
    chosen = choose(trace, var_names, coords=coords, limit=_LIMIT)
    rows, own = chosen.scalars, ax is None
    if ax is None:
        size = _size(len(rows), 1 if combined else len(rows[0].draws)) if figsize is None else figsize
        ax = new_axes(figsize=size)[0, 0]
    ax = given_axes(ax, (), what="The rows of a forest")
    for y, scalar in enumerate(rows):
        _draw_row(ax, y, scalar, ci_probs=probs, combined=combined)
    _finish(ax, [row.label for row in rows], reference=reference)
    say(chosen.note, ax, own=own)
    ax.set_xlabel(
        xlabel if xlabel is not None else "median, {:.4g}% and {:.4g}% intervals".format(*(100 * p for p in probs))
    )
    if not combined:
        _name_chains(ax, len(rows[0].draws))
    return ax


def _checked(ci_probs: Any) -> tuple[float, float]:
    """The inner and the outer probability."""
    pair = listed(ci_probs) or []
    if len(pair) != 2:
        raise DataError(f"ci_probs takes two probabilities, such as (0.5, {CI_PROB}); got {ci_probs!r}.")
    inner, outer = (inside(prob, name="each of ci_probs") for prob in pair)
    if inner >= outer:
        raise DataError(f"ci_probs takes the inner probability first, which is smaller; got {ci_probs!r}.")
    return inner, outer


def _size(rows: int, lines: int) -> tuple[float, float]:
    """Width and height in inches for rows of so many lines each."""
    return 6.4, _MARGIN_INCHES + max(_ROW_INCHES, 0.1 + 0.1 * lines) * max(rows, 2)


def _draw_row(ax: Axes, y: int, scalar: Scalar, *, ci_probs: tuple[float, float], combined: bool) -> None:
    """The marks of one scalar: one set, or one per chain side by side."""
    parts = [scalar.draws.ravel()] if combined else list(scalar.draws)
    colors = [BLUE] if combined else chain_colors(len(parts))
    offsets = (np.arange(len(parts)) - (len(parts) - 1) / 2) * 0.8 / len(parts)
    thick, dot = (3.5, 5) if combined else (2.5, 3.5)
    for draws, color, offset in zip(parts, colors, offsets, strict=True):
        median, (inner, outer) = np.median(draws), [_interval(draws, prob) for prob in ci_probs]
        height = y + offset
        ax.plot(outer, [height] * 2, color=color, linewidth=1.2, solid_capstyle="butt", zorder=2)
        ax.plot(inner, [height] * 2, color=color, linewidth=thick, solid_capstyle="butt", zorder=3)
        ax.plot(median, height, "o", markersize=dot, color=color, markerfacecolor="white", zorder=4)


def _interval(draws: np.ndarray, prob: float) -> np.ndarray:
    """Ends of the central interval of that probability."""
    return np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2])


def _finish(ax: Axes, labels: list[str], *, reference: float | None) -> None:
    """Row labels, the guide lines that lead from label to mark, the reference line."""
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    guide: dict[str, Any] = {"color": GREY, "alpha": 0.15, "linewidth": 0.8, "zorder": 0}
    ax.hlines(range(len(labels)), 0, 1, transform=ax.get_yaxis_transform(), **guide)
    for side in ("left", "top", "right"):
        ax.spines[side].set_visible(False)
    if reference is not None:
        ax.axvline(reference, color=GREY, linewidth=1, linestyle="--", zorder=1)


def _name_chains(ax: Axes, chains: int) -> None:
    """A legend of the chains' colours above the rows."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=color, linewidth=2.5, label=f"chain {chain}")
        for chain, color in enumerate(chain_colors(chains))
    ]
    place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.2}
    ax.legend(handles=handles, ncols=min(chains, 5), frameon=False, fontsize=9, handlelength=1.2, **place)
