"""The summary table against arviz_stats, its labels, its display and what it refuses."""

from __future__ import annotations

import pickle
import subprocess
import sys

import arviz_base
import arviz_stats
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from finetti.diagnostics.summary import Summary, summary
from finetti.diagnostics.verdict import verdict_of
from finetti.errors import DataError, UnknownNameError

RTOL = 1e-8
BEFORE_1 = int(arviz_stats.__version__.split(".")[0]) < 1
SCHOOLS = ["Choate", "Deerfield", "Andover"]


def tree(**changes: object) -> xr.DataTree:
    """A posterior with scalars, labelled and unlabelled dims, counts and ties, and its sampler statistics."""
    rng = np.random.default_rng(88)
    sample = ("chain", "draw")
    posterior = {
        "mu": (sample, rng.normal(4.4, 3.3, size=(4, 501))),
        "theta": ((*sample, "school"), 100 * rng.standard_t(3, size=(4, 501, 3))),
        "tau": (sample, np.exp(rng.normal(size=(4, 501)))),
        "beta": ((*sample, "beta_dim_0", "school"), 1e-3 * rng.normal(size=(4, 501, 2, 3))),
        "count": (sample, rng.poisson(2.0, size=(4, 501))),
    }
    stats = {
        "diverging": (sample, np.zeros((4, 501), dtype=bool)),
        "energy": (sample, rng.normal(size=(4, 501))),
        "tree_depth": (sample, np.full((4, 501), 3)),
        "reached_max_treedepth": (sample, np.zeros((4, 501), dtype=bool)),
    } | changes
    stats = {name: value for name, value in stats.items() if value is not None}
    groups = {"posterior": xr.Dataset(posterior, coords={"school": SCHOOLS})}
    return xr.DataTree.from_dict(groups | ({"sample_stats": xr.Dataset(stats)} if stats else {}))


@pytest.fixture(scope="module")
def trace() -> xr.DataTree:
    return tree()


def arviz_summary(trace: xr.DataTree, **options: object) -> pd.DataFrame:
    """arviz_stats' table, unrounded, with the differences from this library's definitions put right.

    It takes its default interval's probability for the tails of `ess_tail`, hence the 0.95. Version 0 has the
    divisor n in `sd`, takes the effective size of the draws instead of their squares in `mcse_sd`, and labels
    equal-tailed intervals as hdi. One variable at a time: where a dim of a matrix belongs to an earlier
    variable too, arviz_stats puts the numbers of that matrix beside the labels of its transpose.
    """
    tables = [_one_variable(trace, name, **options) for name in trace["posterior"].data_vars]
    return pd.concat(tables)


def _one_variable(trace: xr.DataTree, name: str, **options: object) -> pd.DataFrame:
    """`arviz_summary` of one variable."""
    trace = xr.DataTree.from_dict({"posterior": trace["posterior"].dataset[[name]]})
    with arviz_base.rc_context({"stats.ci_prob": 0.95}):
        table = arviz_stats.summary(trace, round_to="none", **options)
    if not BEFORE_1:
        return table
    posterior = trace["posterior"].dataset
    size = posterior.sizes["chain"] * posterior.sizes["draw"]
    squares = (posterior - posterior.mean(["chain", "draw"])) ** 2
    both = [arviz_stats.ess(d, method="mean") for d in (posterior, squares)]
    ratio = (both[0] / both[1]).expand_dims("one")
    ratio = arviz_base.dataset_to_dataframe(ratio, sample_dims=["one"]).iloc[0]
    table["sd"] *= np.sqrt(size / (size - 1))
    table["mcse_sd"] *= np.sqrt(ratio.loc[table.index])
    if options.get("ci_kind") == "hdi":
        ends = arviz_stats.hdi(posterior, prob=options["ci_prob"])
        ends = arviz_base.dataset_to_dataframe(ends, sample_dims=["ci_bound"]).T
        table.iloc[:, 2:4] = ends.loc[table.index].to_numpy()
    return table


@pytest.mark.parametrize("ci_kind", ["eti", "hdi"])
@pytest.mark.parametrize("ci_prob", [0.89, 0.5, 0.95])
def test_equals_arviz(trace, ci_kind, ci_prob):
    ours, theirs = (f(trace, ci_prob=ci_prob, ci_kind=ci_kind) for f in (summary, arviz_summary))
    assert list(ours.columns) == list(theirs.columns)
    assert list(ours.index) == list(theirs.index)
    np.testing.assert_allclose(ours.to_numpy(), theirs.to_numpy(dtype=float), rtol=RTOL)


def test_every_number_is_beside_its_label():
    """A matrix after a vector that shares its last dim; the mean of an element says which one it is."""
    places = np.arange(6.0).reshape(2, 3)
    draws = np.random.default_rng(7).normal(size=(4, 50, 2, 3))
    draws += places - draws.mean(axis=(0, 1))
    sample = ("chain", "draw")
    posterior = {"a": ((*sample, "school"), draws[:, :, 0]), "b": ((*sample, "row", "school"), draws)}
    posterior = xr.Dataset(posterior, coords={"school": SCHOOLS})
    table = summary(xr.DataTree.from_dict({"posterior": posterior}))
    for (row, column), mean in np.ndenumerate(places):
        assert table.loc[f"b[{row}, {SCHOOLS[column]}]", "mean"] == pytest.approx(mean, abs=1e-12)


def test_labels_and_columns(trace):
    table = summary(trace)
    assert list(table.index[:5]) == ["mu", "theta[Choate]", "theta[Deerfield]", "theta[Andover]", "tau"]
    assert list(table.index[5:7]) == ["beta[0, Choate]", "beta[0, Deerfield]"]
    assert list(table.columns[2:4]) == ["eti89_lb", "eti89_ub"]
    assert list(summary(trace, ci_prob=0.999, ci_kind="hdi").columns[2:4]) == ["hdi99.9_lb", "hdi99.9_ub"]


def test_axes_in_another_order(trace):
    turned = xr.DataTree.from_dict({"posterior": trace["posterior"].dataset.transpose("draw", ..., "chain")})
    pd.testing.assert_frame_equal(pd.DataFrame(summary(turned)), pd.DataFrame(summary(trace)))


@pytest.mark.parametrize(
    ("var_names", "rows"),
    [
        ("mu", ["mu"]),
        (["tau", "mu"], ["tau", "mu"]),
        (["mu", "mu"], ["mu"]),
        (["~theta", "~beta"], ["mu", "tau", "count"]),
        ("~mu", ["theta[Choate]", "theta[Deerfield]", "theta[Andover]", "tau", "count"]),
        (["mu", "tau", "~tau"], ["mu"]),
    ],
)
def test_var_names(trace, var_names, rows):
    chosen = [label for label in summary(trace, var_names).index if not label.startswith("beta")]
    assert chosen == rows


@pytest.mark.parametrize("var_names", ["thta", "~thta", ["mu", "thta"]])
def test_an_unknown_name_lists_what_is_there(trace, var_names):
    with pytest.raises(UnknownNameError, match=r"'thta'.*'theta'.*mu, theta, tau, beta, count"):
        summary(trace, var_names)


@pytest.mark.parametrize("var_names", [[], ["mu", "~mu"]])
def test_nothing_left(trace, var_names):
    with pytest.raises(DataError, match="leaves no variable"):
        summary(trace, var_names)


def test_the_verdict_is_under_the_table(trace):
    line = verdict_of(trace).line()
    assert line.startswith("2,004 draws; R-hat at most 1.00") and "; no divergences; lowest E-BFMI " in line
    assert repr(summary(trace)).splitlines()[-1] == line
    assert summary(trace)._repr_html_().endswith(f"<p>{line}</p>")


def test_statistics_under_another_name():
    flag = (("draw", "chain"), np.ones((501, 4), dtype=bool))
    assert verdict_of(tree(reached_max_treedepth=None, maxdepth_reached=flag)).run.max_treedepth_hits == 2004


def test_without_sampler_statistics():
    bare = tree(diverging=None, energy=None, tree_depth=None, reached_max_treedepth=None)
    assert repr(summary(bare)).endswith("; the sampler recorded no statistics.")


def test_an_interrupted_run():
    trace = tree()
    trace.attrs |= {"interrupted": 1, "draws_requested": 5000}
    assert "Interrupted: these are 2,004 draws of the 20,000 asked for" in repr(summary(trace))


def test_numbers_stay_whole_and_are_shown_rounded(trace):
    table = summary(trace, ["mu", "theta"])
    mean, error = table.loc["mu", ["mean", "mcse_mean"]]
    assert mean != round(mean, 6) and 0.01 < error < 0.1
    shown = repr(table).splitlines()[1].split()
    assert shown[1] == f"{mean:.2f}" and shown[8] == f"{error:.2g}"
    assert shown[5] == str(int(table.loc["mu", "ess_bulk"])) and shown[7] == f"{table.loc['mu', 'r_hat']:.3f}"
    assert f"{mean:.4f}" in repr(summary(trace, "mu", round_to=4))
    assert table.equals(summary(trace, ["mu", "theta"], round_to=1))


def test_extreme_numbers_are_shown():
    """Values far from one, constants and NaN: each cell still has a few digits."""
    draws = np.random.default_rng(3).normal(size=(4, 100))
    columns = {"huge": 1e12 * draws, "tiny": 1e-9 * draws}
    columns |= {"constant": 7 + 0 * draws, "missing": np.nan * draws}
    posterior = xr.Dataset({name: (("chain", "draw"), values) for name, values in columns.items()})
    table = summary(xr.DataTree.from_dict({"posterior": posterior}))
    cells = [cell for line in repr(table).splitlines()[1:5] for cell in line.split()]
    assert max(map(len, cells)) <= 12
    assert table.loc["constant", "ess_bulk"] == 400 and table.loc["missing"].isna().all()
    assert float(cells[1]) == pytest.approx(table.loc["huge", "mean"], abs=table.loc["huge", "mcse_mean"])
    assert float(cells[12]) == pytest.approx(table.loc["tiny", "sd"], rel=0.05)


def test_fewer_than_four_draws_have_moments_only():
    posterior = xr.Dataset({"mu": (("chain", "draw"), np.arange(6.0).reshape(2, 3))})
    row = summary(xr.DataTree.from_dict({"posterior": posterior})).loc["mu"]
    assert row["mean"] == 2.5 and row["sd"] == pytest.approx(np.sqrt(3.5))
    assert row[4:].isna().all()


def test_what_is_taken_from_the_table_is_plain_pandas(trace):
    table = summary(trace)
    assert type(table) is Summary and isinstance(table, pd.DataFrame)
    for part in (table.head(2), table[["mean"]], table.loc[["mu"]], table.round(1), table.T, table.copy()):
        assert type(part) is pd.DataFrame
    assert type(table["mean"]) is pd.Series
    assert table.sort_values("ess_bulk").index[0] == table["ess_bulk"].idxmin()
    assert repr(pickle.loads(pickle.dumps(table))) == repr(table)
    table["note"] = "fine"
    assert "fine" in repr(table) and "fine" in table._repr_html_()


def test_long_tables_obey_pandas_settings(trace):
    with pd.option_context("display.max_rows", 4):
        assert len(repr(summary(trace)).splitlines()) == 1 + 5 + 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ci_prob": 95}, "ci_prob is a probability.*95"),
        ({"ci_prob": 0.0}, "ci_prob"),
        ({"ci_kind": "HDI"}, "'HDI'"),
        ({"round_to": "2g"}, "'2g'"),
    ],
)
def test_refuses_options_that_mean_nothing(trace, options, message):
    with pytest.raises(DataError, match=message):
        summary(trace, **options)


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ((("chain",), np.zeros(4)), "'odd'.*without draw; leave it out with var_names='~odd'"),
        ((("chain", "draw"), np.full((4, 501), "a")), "'odd' is of type"),
    ],
)
def test_refuses_variables_without_draws_or_numbers(trace, variable, message):
    posterior = trace["posterior"].to_dataset().assign(odd=variable)
    odd = xr.DataTree.from_dict({"posterior": posterior})
    with pytest.raises(DataError, match=message):
        summary(odd)
    assert list(summary(odd, ["~odd"]).index) == list(summary(trace).index)


@pytest.mark.parametrize("trace", [xr.DataTree(), {"mu": [1.0]}, None])
def test_refuses_what_is_no_trace(trace):
    with pytest.raises(DataError, match="group 'posterior'"):
        summary(trace)


def test_refuses_a_posterior_without_draws():
    empty = xr.Dataset({"mu": (("chain", "draw"), np.zeros((4, 0)))})
    with pytest.raises(DataError, match="'mu' has no draws: 4 chains of 0"):
        summary(xr.DataTree.from_dict({"posterior": empty}))


def test_neither_scipy_nor_arviz_is_needed():
    code = """
import sys, numpy as np, xarray as xr
from finetti.diagnostics.summary import summary
draws = xr.Dataset({"mu": (("chain", "draw"), np.random.default_rng(1).normal(size=(4, 50)))})
repr(summary(xr.DataTree.from_dict({"posterior": draws})))
heavy = {"scipy", "jax", "matplotlib", "arviz_stats", "arviz_base", "arviz"}
sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == ""
