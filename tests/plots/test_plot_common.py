"""A name picks exactly the scalars it says; nothing outside the figure is touched."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib import rcParams

from finetti.errors import DataError, UnknownNameError
from finetti.plots import forestplot, plot_forest, plot_pair, plot_trace
from finetti.plots.common import chain_colors, divergent, scalars

PLOTS = [plot_forest, plot_pair, plot_trace]


def values(trace, name):
    return trace.posterior[name].values


@pytest.mark.parametrize(
    ("name", "label", "draws"),
    [
        ("mu", "mu", lambda t: values(t, "mu")),
        ("theta[1]", "theta[Deerfield]", lambda t: values(t, "theta")[..., 1]),
        ("theta[Exeter]", "theta[Exeter]", lambda t: values(t, "theta")[..., 2]),
        ("cell[2002, Choate]", "cell[2002, Choate]", lambda t: values(t, "cell")[..., 1, 0]),
        ("cell[2001,2]", "cell[2001, Exeter]", lambda t: values(t, "cell")[..., 0, 2]),
        ("log(tau)", "log(tau)", lambda t: np.log(values(t, "tau"))),
        ("tau_log__", "log(tau)", lambda t: np.log(values(t, "tau"))),
    ],
)
def test_one_scalar_by_name(trace, name, label, draws):
    (scalar,) = scalars(trace, name)
    assert scalar.label == label
    np.testing.assert_array_equal(scalar.draws, draws(trace))


def test_whole_variables_in_order_and_coords(trace):
    assert [s.label for s in scalars(trace, ["tau", "theta"])] == [
        "tau",
        "theta[Choate]",
        "theta[Deerfield]",
        "theta[Exeter]",
    ]
    chosen = scalars(trace, ["cell", "mu"], coords={"school": ["Exeter", "Choate"], "year": 2002})
    assert [s.label for s in chosen] == ["cell[2002, Exeter]", "cell[2002, Choate]", "mu"]
    np.testing.assert_array_equal(chosen[1].draws, values(trace, "cell")[..., 1, 0])
    assert len(scalars(trace, None)) == 1 + 3 + 1 + 6 + 1


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"var_names": ["thta"]}, "Did you mean 'theta'.*Available.*mu.*tau"),
        ({"var_names": ["log(nope)"]}, "variable named 'nope'"),
        ({"var_names": ["theta[Eton]"]}, "'school' named 'Eton'.*Choate, Deerfield, Exeter"),
        ({"var_names": ["theta[3]"]}, "named '3'"),
        ({"var_names": ["theta"], "coords": {"school": "Eton"}}, "'school' named 'Eton'"),
        ({"var_names": ["theta"], "coords": {"scool": "Exeter"}}, "dim named 'scool'.*'school'"),
    ],
)
def test_unknown_names(trace, plot, selection, message):
    with pytest.raises(UnknownNameError, match=message):
        plot(trace, **selection)


@pytest.mark.parametrize(
    ("var_names", "message"),
    [(["log(mu)"], r"log\(mu\) needs positive"), (["cell[0]"], "1 indices.*2 dims"), ([], "Nothing to plot")],
)
def test_unusable_selections(trace, var_names, message):
    with pytest.raises(DataError, match=message):
        scalars(trace, var_names)


def test_draws_that_are_not_finite_are_refused(trace):
    trace.posterior["mu"].values[1, 2:4] = np.nan, np.inf
    with pytest.raises(DataError, match="mu: 2 of 200 draws are not finite"):
        plot_forest(trace, ["mu"])


@pytest.mark.parametrize("plot", PLOTS)
def test_something_else_than_a_trace(plot):
    with pytest.raises(DataError, match=r"trace that sampling returned.*got dict"):
        plot({"mu": np.zeros((4, 10))})


def test_divergent_draws(trace):
    assert np.argwhere(divergent(trace)).tolist() == [[0, 3], [2, 7]]
    assert divergent(trace.isel(chain=[1])) is None
    assert divergent(trace.drop_nodes("sample_stats")) is None


@pytest.mark.parametrize("plot", PLOTS)
def test_settings_and_figures_of_the_user_stay(trace, plot):
    with plt.rc_context({"font.size": 17, "axes.spines.top": True}):
        before = dict(rcParams)
        plot(trace, ["mu", "tau"])
        assert dict(rcParams) == before
    assert len(plt.get_fignums()) == 1


def test_new_figures_are_light_whatever_the_users_theme(trace):
    with plt.style.context("dark_background"):
        ax = plot_forest(trace, ["theta"])
        ax.figure.canvas.draw()
    assert ax.get_facecolor()[:3] == (1, 1, 1)
    assert {label.get_color() for label in ax.get_yticklabels() + ax.get_xticklabels()} == {"black"}


def test_old_name():
    assert forestplot is plot_forest


@pytest.mark.parametrize("count", [1, 7, 12])
def test_every_chain_has_its_colour(count):
    assert len({tuple(np.atleast_1d(color)) for color in chain_colors(count)}) == count


def test_importing_plots_does_not_import_matplotlib():
    code = "import sys, finetti.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
