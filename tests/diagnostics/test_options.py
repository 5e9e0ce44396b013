"""One default interval for the summary and the plots; options of another type are refused by name."""

import inspect

import matplotlib
import numpy as np
import pytest
import xarray as xr

matplotlib.use("Agg")

from finetti.diagnostics.options import CI_PROB, inside
from finetti.diagnostics.summary import summary
from finetti.errors import DataError
from finetti.plots import plot_forest, plot_pair, plot_trace


def test_the_default_is_one():
    draws = np.random.default_rng(1).normal(size=(4, 50))
    trace = xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), draws)})})
    outer = plot_forest(trace).lines[0].get_xdata()
    np.testing.assert_allclose(outer, summary(trace).loc["mu", ["eti89_lb", "eti89_ub"]])
    assert inspect.signature(summary).parameters["ci_prob"].default == CI_PROB == 0.89
    assert inspect.signature(plot_forest).parameters["ci_probs"].default[1] == CI_PROB


@pytest.mark.parametrize("prob", ["x", None, True, 0, 1, -0.1, 95, float("nan"), 1j, (0.5,), b"0.5"])
def test_what_is_no_probability(prob):
    with pytest.raises(DataError, match="ci_prob is a probability between 0 and 1"):
        summary(xr.DataTree(), ci_prob=prob)


@pytest.mark.parametrize("prob", [0.5, np.float32(0.5), np.float64(0.5)])
def test_numbers_of_every_kind(prob):
    assert inside(prob) == 0.5


@pytest.mark.parametrize(
    ("plot", "options", "message"),
    [
        (summary, {"ci_kind": np.ones(2)}, "ci_kind is 'eti' or 'hdi'"),
        (summary, {"round_to": 10**400}, "round_to is a number of decimals"),
        (summary, {"round_to": True}, "round_to is a number of decimals"),
        (plot_trace, {"kind": None}, "kind is 'trace' or 'rank'; got None"),
        (plot_trace, {"divergences": np.ones(2)}, "divergences is True or False"),
        (plot_pair, {"divergences": "no"}, "divergences is True or False; got 'no'"),
        (plot_forest, {"combined": None}, "combined is True or False; got None"),
        (plot_forest, {"reference": 10**400}, "reference is a number to mark"),
        (plot_forest, {"reference": [0, 1]}, "reference is a number to mark"),
    ],
)
def test_options_of_another_type(plot, options, message):
    draws = np.random.default_rng(1).normal(size=(4, 50, 3))
    posterior = xr.Dataset({"theta": (("chain", "draw", "school"), draws)})
    with pytest.raises(DataError, match=message):
        plot(xr.DataTree.from_dict({"posterior": posterior}), **options)


@pytest.mark.parametrize("plot", [plot_forest, plot_pair, plot_trace])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"figsize": 3}, "figsize is a width and a height"),
        ({"figsize": (3, -1)}, "figsize is a width and a height"),
        ({"figsize": (3, float("nan"))}, "figsize is a width and a height"),
        ({"figsize": "ab"}, "figsize is a width and a height"),
        ({"ax": "x"}, "ax takes matplotlib axes.*'x'"),
        ({"ax": []}, "ax takes matplotlib axes"),
        ({"ax": [[1, 2]]}, "ax takes matplotlib axes"),
    ],
)
def test_figures_of_another_kind(plot, options, message):
    draws = np.random.default_rng(1).normal(size=(4, 50, 3))
    posterior = xr.Dataset({"theta": (("chain", "draw", "school"), draws)})
    with pytest.raises(DataError, match=message):
        plot(xr.DataTree.from_dict({"posterior": posterior}), **options)
