"""The table of a posterior: one row per scalar, with intervals, convergence and Monte Carlo error."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from finetti.calls import hinted
from finetti.diagnostics.convergence import ess_bulk_of, ess_tail_of, mcse_mean_of, mcse_sd_of, rhat_of
from finetti.diagnostics.draws import Draws, per_scalar
from finetti.diagnostics.options import CI_PROB, inside, one_of
from finetti.diagnostics.selection import Names, select
from finetti.diagnostics.verdict import Verdict, verdict_of
from finetti.errors import DataError
from finetti.hints import OF_SUMMARY

_MOST_DECIMALS = 20
_AT_THE_DIGITS_OF_THE_MEAN = ("mean", "sd")


class Summary(pd.DataFrame):
    """A summary table: a `DataFrame` of unrounded numbers, shown rounded; below it what was left out, and the verdict.

    Whatever is taken from it (`loc`, `head`, a column) is a plain pandas object.
    """

    _metadata = ["verdict", "left_out", "round_to"]
    verdict: Verdict | None
    left_out: str
    round_to: int | None

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        shown, options = shown_cells(self, getattr(self, "round_to", None)), _display_options()
        return "\n".join(filter(None, [shown.to_string(**options), getattr(self, "left_out", ""), self._line()]))

    def _repr_html_(self) -> str:
        shown, options = shown_cells(self, getattr(self, "round_to", None)), _display_options()
        lines = filter(None, [getattr(self, "left_out", ""), self._line()])
        return "\n".join([shown.to_html(notebook=True, **options), *(f"<p>{escape(line)}</p>" for line in lines)])

    def _line(self) -> str:
        """The verdict in words; nothing for a table that was put together by hand."""
        verdict = getattr(self, "verdict", None)
        return verdict.line() if verdict is not None else ""


@hinted(OF_SUMMARY)
def summary(
    trace: xr.DataTree,
    var_names: Names = None,
    *,
    coords: Mapping[str, Any] | None = None,
    ci_prob: float = CI_PROB,
    ci_kind: Literal["eti", "hdi"] = "eti",
    round_to: int | None = None,
) -> Summary:
    """Mean, spread, interval, effective sample size, R-hat and Monte Carlo error of every posterior scalar.

    Args:
        trace: tree in the ArviZ schema with a group `posterior` of variables (chain, draw, ...); its draws
            and its group `sample_stats`, if there is one, give the verdict in the line below the table.
        var_names: a name, or a list, tuple or set of names, in the order of the rows: "theta" (all elements),
            "theta[A]", "theta[A, 2]", "theta[0]" (one), "log(tau)", "tau_log__"; "~theta" or "~theta[A]" leaves out.
            By default all but rows that say nothing: constant elements of a variable whose others vary, and the
            lower triangle of a symmetric matrix. The line below the table counts them; named, they are shown.
        coords: dim -> label or list of labels to keep, for every variable with that dim.
        ci_prob: probability inside the interval, between 0 and 1.
        ci_kind: "eti", equal probability in both tails, or "hdi", the narrowest interval.
        round_to: decimals shown; by default as many as the Monte Carlo error supports.

    Returns:
        Table with columns mean, sd, eti89_lb, eti89_ub, ess_bulk, ess_tail, r_hat, mcse_mean, mcse_sd. The
        numbers are not rounded, only their display is. `sd` has the divisor n - 1; `ess_tail` is for the 5 %
        and 95 % quantiles whatever `ci_prob`.

    Raises:
        UnknownNameError: (a `KeyError`) a name, dim or label that is not in the posterior, with those that are.
        DataError: no posterior, a variable without chains and draws or not numeric, nothing left to
            summarise, or an option out of range.

    Source: Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), doi:10.1214/20-BA1221; see `convergence`.

    Example:
        >>> draws = np.random.default_rng(1).normal(size=(4, 500))
        >>> posterior = xr.Dataset({"mu": (("chain", "draw"), draws)})
        >>> summary(xr.DataTree.from_dict({"posterior": posterior})).loc["mu", "ess_bulk"] > 1000
        np.True_
    """
    _check_options(ci_prob, ci_kind, round_to)
    selection = select(trace, var_names, coords=coords)
    rows = [per_scalar(lambda d: _row(d, ci_prob, ci_kind), block.draws).T for block in selection.blocks]
    index = [label for block in selection.blocks for label in block.labels]
    table = Summary(np.concatenate(rows), index=index, columns=_columns(ci_prob, ci_kind))
    table.verdict = verdict_of(selection.trace)
    table.left_out = selection.left_out
    table.round_to = round_to
    return table


def shown_cells(table: pd.DataFrame, round_to: int | None) -> pd.DataFrame:
    """The table as text: values to the first digit of their Monte Carlo error, that error to two digits."""
    text = {name: [_cell(name, row, round_to) for _, row in table.iterrows()] for name in table.columns}
    return pd.DataFrame(text, index=table.index, columns=table.columns)


def _row(draws: Draws, ci_prob: float, ci_kind: str) -> np.ndarray:
    """The nine columns (column, scalar)."""
    interval = _eti(draws, ci_prob) if ci_kind == "eti" else _hdi(draws, ci_prob)
    moments = [draws.mean, draws.sd, *(np.where(draws.missing, np.nan, end) for end in interval)]
    quality = [kernel(draws) for kernel in (ess_bulk_of, ess_tail_of, rhat_of, mcse_mean_of, mcse_sd_of)]
    return np.stack([*moments, *quality])


def _eti(draws: Draws, prob: float) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles that leave the same probability in either tail."""
    tail = (1 - prob) / 2
    return draws.quantile(tail), draws.quantile(1 - tail)


def _hdi(draws: Draws, prob: float) -> tuple[np.ndarray, np.ndarray]:
    """The narrowest interval between draws that spans the probability; the lowest of equally narrow ones."""
    size = draws.sorted.shape[-1]
    span = min(int(np.floor(prob * size)), size - 1)
    start = (draws.sorted[:, span:] - draws.sorted[:, : size - span]).argmin(axis=-1)
    row = np.arange(len(start))
    return draws.sorted[row, start], draws.sorted[row, start + span]


def _columns(ci_prob: float, ci_kind: str) -> list[str]:
    """Names in ArviZ's order, with the interval's kind and percentage."""
    ends = [f"{ci_kind}{100 * ci_prob:.6g}_{end}" for end in ("lb", "ub")]
    return ["mean", "sd", *ends, "ess_bulk", "ess_tail", "r_hat", "mcse_mean", "mcse_sd"]


def _check_options(ci_prob: float, ci_kind: str, round_to: int | None) -> None:
    """Refuse options that would give a table of something else."""
    inside(ci_prob)
    one_of(ci_kind, ("eti", "hdi"), name="ci_kind")
    whole = isinstance(round_to, int | np.integer) and not isinstance(round_to, bool)
    if round_to is not None and not (whole and abs(round_to) <= _MOST_DECIMALS):
        raise DataError(f"round_to is a number of decimals up to {_MOST_DECIMALS}, or None; got {round_to!r}.")


def _cell(name: str, row: pd.Series, round_to: int | None) -> str:
    """One number as text."""
    value = row[name]
    if not isinstance(value, int | float | np.number):
        return str(value)
    if not np.isfinite(value):
        return str(value)
    if str(name).startswith("ess_"):
        return f"{np.floor(value):.0f}"
    if round_to is not None:
        return f"{value:.{max(round_to, 0)}f}"
    if name == "r_hat":
        return f"{value:.3f}" if value < 1000 else f"{value:.3g}"
    if str(name).startswith("mcse_"):
        return f"{value:.2g}"
    if name in _AT_THE_DIGITS_OF_THE_MEAN or str(name).endswith(("_lb", "_ub")):
        return _to_error(float(value), row.get("mcse_mean", np.nan))
    return f"{value:.4g}"


def _to_error(value: float, error: float) -> str:
    """A value to the first digit of its error; scientific where that would be a long row of digits."""
    if not np.isfinite(error) or error <= 0:
        return f"{value:.4g}"
    decimals = max(0, -int(np.floor(np.log10(error))))
    if decimals > 6 or abs(value) >= 1e7:
        digits = int(np.floor(np.log10(abs(value) / error))) if abs(value) > error else 0
        return f"{value:.{min(max(digits, 1), 6)}e}"
    return f"{value:.{decimals}f}"


def _display_options() -> dict[str, Any]:
    """The user's pandas settings for long tables."""
    return {"max_rows": pd.get_option("display.max_rows")}
