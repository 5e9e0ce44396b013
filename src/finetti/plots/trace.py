"""Trace plot: the density of every chain beside its course or its ranks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from finetti.calls import hinted
from finetti.diagnostics.options import one_of, switch
from finetti.hints import OF_PLOTS
from finetti.plots.axes import given_axes, new_axes, say
from finetti.plots.common import GREY, Limit, Scalar, chain_colors, choose, divergent

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from finetti.diagnostics.selection import Names

_LIMIT = Limit(40, what="A trace plot", unit="rows", example="['mu', 'theta[0]']")
_GRID_POINTS = 512
_RANK_BINS = 20
_MOST_STEPS = 100  # integers that spread wider read better as a density


@hinted(OF_PLOTS)
def plot_trace(
    trace: xr.DataTree,
    var_names: Names = None,
    *,
    kind: Literal["trace", "rank"] = "trace",
    divergences: bool = True,
    coords: Mapping[str, Any] | None = None,
    figsize: tuple[float, float] | None = None,
    ax: np.ndarray | None = None,
) -> np.ndarray:
    """One row per scalar: density by chain on the left; on the right its draws in order, or their ranks.

    Chains that agree have the same density, no drift, and ranks that are uniform in every chain (Vehtari et
    al. 2021, "Rank-normalization, folding, and localization", section 4.2 and figure 6).

    Args:
        trace: what sampling returned; posterior variables with axes (chain, draw, ...).
        var_names: a name, or a list, tuple or set of names: "theta" (all elements), "theta[Choate]", "theta[0]",
            "log(tau)", "tau_log__"; "~theta" leaves out. By default what fits:
            scalars first, then the first elements, without rows that say nothing (`summary`).
        kind: "trace" for draws in the order drawn; "rank" for histograms of their ranks over all chains.
        divergences: mark divergent draws by ticks under both panels.
        coords: dim -> label or labels to show.
        figsize: width and height in inches; grows with the rows by default.
        ax: array (row, 2) of axes to draw on.

    Returns:
        Array (row, 2) of matplotlib axes.

    Raises:
        UnknownNameError: a name, dim or label that is not in the trace.
        DataError: unknown kind, too many rows asked for, `ax` of another shape, draws that are not finite.

    Example:
        >>> import numpy as np
        >>> from finetti.trace import build_trace
        >>> mu = np.random.default_rng(1).normal(size=(4, 100))
        >>> plot_trace(build_trace(groups={"posterior": {"mu": mu}}), kind="rank").shape
        (1, 2)
    """
    one_of(kind, ("trace", "rank"), name="kind")
    chosen = choose(trace, var_names, coords=coords, limit=_LIMIT)
    rows = chosen.scalars
    marked = divergent(chosen.trace) if switch(divergences, name="divergences") else None
    new = _two_columns(len(rows), figsize) if ax is None else ax
    axes: np.ndarray = given_axes(new, (len(rows), 2), what=f"{len(rows)} scalars")
    for (left, right), scalar in zip(axes, rows, strict=True):
        _draw_densities(left, scalar, marked)
        (_draw_course if kind == "trace" else _draw_ranks)(right, scalar, marked)
    say(chosen.note, axes, own=ax is None)
    axes[-1, 1].set_xlabel("draw" if kind == "trace" else "rank among the draws of all chains")
    return axes


def _two_columns(rows: int, figsize: tuple[float, float] | None) -> np.ndarray:
    """Axes (row, 2) of a new figure, the right ones wider."""
    return new_axes(rows, 2, figsize=(9, 0.5 + 1.5 * rows) if figsize is None else figsize, width_ratios=(2, 3))


def _draw_densities(ax: Axes, scalar: Scalar, marked: np.ndarray | None) -> None:
    """One curve per chain, or steps for integers."""
    discrete = np.issubdtype(scalar.draws.dtype, np.integer) and np.ptp(scalar.draws) <= _MOST_STEPS
    curve = _frequencies if discrete else density
    for draws, color in zip(scalar.draws, chain_colors(len(scalar.draws)), strict=True):
        ax.plot(*curve(draws), color=color, linewidth=1.3, drawstyle="steps-mid" if discrete else None)
    ax.set_ylim(bottom=0)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_ylabel(scalar.label)
    if marked is not None:
        _rug(ax, scalar.draws[marked])


def _draw_course(ax: Axes, scalar: Scalar, marked: np.ndarray | None) -> None:
    """The draws of each chain in order."""
    for draws, color in zip(scalar.draws, chain_colors(len(scalar.draws)), strict=True):
        ax.plot(draws, color=color, linewidth=0.4, alpha=0.7, rasterized=True)
    ax.margins(x=0)
    if marked is not None:
        _rug(ax, np.nonzero(marked)[1])


def _draw_ranks(ax: Axes, scalar: Scalar, marked: np.ndarray | None) -> None:
    """A histogram of ranks per chain, one above the other; dotted, uniform ranks."""
    ranks = chain_ranks(scalar.draws)
    edges = np.linspace(0.5, ranks.size + 0.5, _RANK_BINS + 1)
    counts = np.array([np.histogram(chain, edges)[0] for chain in ranks])
    uniform = ranks.shape[1] / _RANK_BINS
    scale = 0.9 / max(counts.max(), 1.5 * uniform)  # a bar never reaches into the row above
    for chain, color in enumerate(chain_colors(len(ranks))):
        ax.stairs(chain + scale * counts[chain], edges, baseline=chain, fill=True, color=color, alpha=0.7)
        ax.axhline(chain + scale * uniform, color=GREY, linewidth=0.8, linestyle=":")
    ax.set_yticks(np.arange(len(ranks)) + scale * uniform / 2, [str(chain) for chain in range(len(ranks))])
    ax.set_ylim(0 if marked is None else -0.4, len(ranks))  # a strip of its own for the rug
    ax.set_ylabel("chain")
    ax.tick_params(axis="y", length=0)
    ax.margins(x=0)
    if marked is not None:
        _rug(ax, ranks[marked])


def _rug(ax: Axes, places: np.ndarray) -> None:
    """Ticks along the lower edge where draws diverged."""
    rug: dict[str, Any] = {"color": "black", "linewidth": 0.6, "alpha": 0.6, "zorder": 5}
    ax.vlines(places, 0, 0.07, transform=ax.get_xaxis_transform(), **rug)


def _frequencies(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values from least to largest and the share of draws at each."""
    draws = draws.astype(int)
    values = np.arange(draws.min() - 1, draws.max() + 2)
    return values, np.bincount(draws - draws.min() + 1, minlength=len(values)) / draws.size


def chain_ranks(draws: np.ndarray) -> np.ndarray:
    """Ranks 1, 2, ... of draws (chain, draw) among all of them, in the same shape.

    Ties go by draw number, not by chain, so that a variable with few values (or one) gives every chain its
    share of each rank; average ranks would leave gaps in the histograms.
    """
    by_draw = draws.T.ravel()
    ranks = np.empty(by_draw.size, int)
    ranks[np.argsort(by_draw, kind="stable")] = np.arange(1, by_draw.size + 1)
    return ranks.reshape(draws.T.shape).T


def density(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A Gaussian kernel density on a grid from the least draw to the largest.

    The draws are mirrored at both ends, so that a density which is high at its bound (a scale near 0) does
    not sag there. Bandwidth: Silverman's rule (Silverman 1986, "Density estimation", equation 3.31).

    Args:
        draws: values (draw,).

    Returns:
        Grid and density, 512 points each.
    """
    low, high = float(draws.min()), float(draws.max())
    if high - low <= 1e-12 * max(abs(low), abs(high)):  # constant, or but for rounding
        return np.array([low - 0.5, low, low, low, low + 0.5]), np.array([0.0, 0, 1, 0, 0])
    edges = np.linspace(low, high, _GRID_POINTS + 1)
    step = edges[1] - edges[0]
    quartiles = np.subtract(*np.quantile(draws, [0.75, 0.25])) / 1.34
    spread = min(draws.std(), quartiles) or draws.std()
    bandwidth = max(0.9 * spread * draws.size**-0.2, step)
    weights = np.histogram(draws, edges)[0] / (draws.size * step)
    offsets = np.arange(-_GRID_POINTS, _GRID_POINTS + 1) * step
    kernel = np.exp(-0.5 * (offsets / bandwidth) ** 2)
    mirrored = np.concatenate([weights[::-1], weights, weights[::-1]])
    smooth = np.convolve(mirrored, kernel / kernel.sum(), mode="same")[_GRID_POINTS : 2 * _GRID_POINTS]
    return (edges[:-1] + edges[1:]) / 2, smooth
