"""One default interval for the summary and the plots, and one check of what is given instead."""

import inspect

import numpy as np
import pytest
import xarray as xr

from finetti.diagnostics.intervals import CI_PROB, inside
from finetti.diagnostics.summary import summary
from finetti.errors import DataError
from finetti.plots import plot_forest


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
