"""Names, elements and coords mean the same to the summary and to every plot."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
import pytest
import xarray as xr

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from finetti.diagnostics.selection import select
from finetti.diagnostics.summary import summary
from finetti.errors import DataError, UnknownNameError
from finetti.plots import plot_forest, plot_pair, plot_trace
from finetti.trace import build_trace

SAMPLE = ("chain", "draw")
THETA = ["theta[A]", "theta[B]", "theta[C]"]


@pytest.fixture(scope="module")
def trace():
    rng = np.random.default_rng(5)
    tau = rng.lognormal(size=(4, 50))
    return build_trace(
        groups={
            "posterior": {
                "mu": rng.normal(size=(4, 50)),
                "theta": rng.normal(size=(4, 50, 3)),
                "tau": tau,
                "cell": rng.normal(size=(4, 50, 2, 3)),
                "bare": rng.normal(size=(4, 50, 4)),
            },
            "unconstrained_posterior": {"tau_log__": np.log(tau)},
            "sample_stats": {"diverging": rng.uniform(size=(4, 50)) < 0.1},
        },
        dims={"theta": ("school",), "cell": ("year", "school")},
        coords={"school": ["A", "B", "C"], "year": [2001, 2002]},
    )


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def of_summary(trace, var_names=None, **options):
    return list(summary(trace, var_names, **options).index)


def of_forest(trace, var_names=None, **options):
    return [label.get_text() for label in plot_forest(trace, var_names, **options).get_yticklabels()]


def of_trace(trace, var_names=None, **options):
    return [ax.get_ylabel() for ax in plot_trace(trace, var_names, **options)[:, 0]]


def of_pair(trace, var_names=None, **options):
    axes = plot_pair(trace, var_names, **options)
    return [ax.get_xlabel() for ax in axes[-1]] if np.ndim(axes) else [axes.get_xlabel(), axes.get_ylabel()]


EVERYWHERE = pytest.mark.parametrize("shown", [of_summary, of_forest, of_trace, of_pair])


@EVERYWHERE
@pytest.mark.parametrize(
    ("var_names", "coords", "labels"),
    [
        ("theta", None, THETA),
        (["tau", "mu"], None, ["tau", "mu"]),
        (("tau", "mu"), None, ["tau", "mu"]),
        (np.array(["tau", "mu"]), None, ["tau", "mu"]),
        (pd.Index(["tau", "mu"]), None, ["tau", "mu"]),
        ({"tau": 1, "mu": 2}.keys(), None, ["mu", "tau"]),
        ({"tau", "mu", "theta[B]"}, None, ["mu", "theta[B]", "tau"]),
        (frozenset({"tau", "mu"}), None, ["mu", "tau"]),
        (["theta[C]", "cell[2002, A]"], None, ["theta[C]", "cell[2002, A]"]),
        (["theta[1]", "cell[2002,1]", "bare[3]"], None, ["theta[B]", "cell[2002, B]", "bare[3]"]),
        (["theta[B]", "theta"], None, ["theta[B]", "theta[A]", "theta[C]"]),
        (["theta", "~theta[B]"], None, ["theta[A]", "theta[C]"]),
        (["theta", "tau", "~tau"], None, THETA),
        (["~cell", "~bare", "~mu"], None, [*THETA, "tau"]),
        (["~cell", "~bare", "~theta[A]", "~theta[2]"], None, ["mu", "theta[B]", "tau"]),
        (["log(tau)", "mu"], None, ["log(tau)", "mu"]),
        (["tau_log__", "mu"], None, ["log(tau)", "mu"]),
        (["theta", "mu"], {"school": "B"}, ["theta[B]", "mu"]),
        (["theta", "mu"], {"school": ["C", "A"]}, ["theta[C]", "theta[A]", "mu"]),
        (["theta", "mu"], {"school": {"C", "A"}}, ["theta[A]", "theta[C]", "mu"]),
        ("cell", {"school": ("A", "C"), "year": 2002}, ["cell[2002, A]", "cell[2002, C]"]),
        ("cell", {"school": ["A"]}, ["cell[2001, A]", "cell[2002, A]"]),
        (["~bare", "~cell"], {"school": "B"}, ["mu", "theta[B]", "tau"]),
    ],
)
def test_what_is_chosen(trace, shown, var_names, coords, labels):
    assert shown(trace, var_names, coords=coords) == labels


@EVERYWHERE
@pytest.mark.parametrize(
    "var_names", [b"mu", 3, 1.5, True, ["mu", 1], [b"mu"], ["mu", None], {"mu": 1}, slice(3), np.arange(2.0)]
)
def test_names_of_another_type(trace, shown, var_names):
    with pytest.raises(DataError, match="var_names takes a name, or a list, tuple or set of names"):
        shown(trace, var_names)


@EVERYWHERE
def test_a_generator_is_no_list_of_names(trace, shown):
    with pytest.raises(DataError, match=r"var_names takes.*generator"):
        shown(trace, (name for name in ["mu", "tau"]))


@EVERYWHERE
@pytest.mark.parametrize(
    ("coords", "message"),
    [
        ("school", "coords takes dim -> labels.*'school'"),
        (["school"], "coords takes dim -> labels"),
        ({"school": b"A"}, r"coords\['school'\] takes a label or a list of labels; got b'A'"),
        ({"school": slice("A", "B")}, r"coords\['school'\] takes a label"),
        ({"school": {"A": 1}}, r"coords\['school'\] takes a label"),
        ({"school": []}, r"Nothing to plot or to summarise.*coords=\{'school': \[\]\}"),
    ],
)
def test_coords_of_another_type(trace, shown, coords, message):
    with pytest.raises(DataError, match=message):
        shown(trace, "theta", coords=coords)


@EVERYWHERE
@pytest.mark.parametrize(
    ("var_names", "coords", "message"),
    [
        ("thta", None, "variable named 'thta'. Did you mean 'theta'"),
        ("~thta", None, "variable named 'thta'. Did you mean 'theta'"),
        ("thta[A]", None, "variable named 'thta'. Did you mean 'theta'"),
        ("log(tua)", None, "variable named 'tua'. Did you mean 'tau'"),
        ("theta[D]", None, "label of dim 'school' named 'D'.*A, B, C"),
        ("~theta[D]", None, "label of dim 'school' named 'D'"),
        ("theta[3]", None, "label of dim 'school' named '3'"),
        ("theta[A, B]", None, "label of dim 'school' named 'A, B'"),
        ("cell[0, A]", None, "label of dim 'year' named '0'.*2001, 2002"),
        ("theta", {"school": ["A", "D"]}, "label of dim 'school' named 'D'"),
        ("theta", {"school": 0}, "label of dim 'school' named '0'"),
        ("theta", {"scool": "A"}, "dim named 'scool'. Did you mean 'school'"),
        ("theta", {"chain": 4}, "label of dim 'chain' named '4'"),
    ],
)
def test_names_that_are_not_there(trace, shown, var_names, coords, message):
    with pytest.raises(UnknownNameError, match=message):
        shown(trace, var_names, coords=coords)


@EVERYWHERE
@pytest.mark.parametrize("name", ["cell[2001]", "cell[2001, A, B]", "mu[0]"])
def test_another_number_of_indices(trace, shown, name):
    with pytest.raises(DataError, match=r"indices, but the variable has \d dims"):
        shown(trace, name)


@EVERYWHERE
@pytest.mark.parametrize(
    ("odd", "message"),
    [
        ((("chain",), np.zeros(4)), "'odd'.*without draw; leave it out with var_names='~odd'"),
        (((), 1.0), "'odd'.*without chain and draw"),
        ((SAMPLE, np.full((4, 50), "a")), "'odd' is of type"),
        ((SAMPLE, np.full((4, 50), 1.0, dtype=object)), "'odd' is of type object"),
        ((SAMPLE, np.full((4, 50), 1j)), "'odd' is of type complex"),
        ((SAMPLE, np.full((4, 50), np.datetime64("2001-01-01", "ns"))), "'odd' is of type datetime64"),
    ],
)
def test_a_damaged_variable_is_named_and_can_be_left_out(trace, shown, odd, message):
    posterior = trace["posterior"].to_dataset().drop_vars(["cell", "bare"]).assign(odd=odd)
    damaged = xr.DataTree.from_dict({"posterior": posterior})
    with pytest.raises(DataError, match=message):
        shown(damaged)
    assert shown(damaged, "~odd") == ["mu", *THETA, "tau"]
    assert shown(damaged, ["mu", "tau"]) == ["mu", "tau"]


@EVERYWHERE
@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (xr.DataTree(), "group 'posterior'; got DataTree, groups: none"),
        (xr.DataTree.from_dict({"prior": xr.Dataset()}), "groups: 'prior'"),
        (xr.DataTree.from_dict({"posterior": xr.Dataset()}), "holds no variables"),
        (xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (SAMPLE, np.zeros((4, 0)))})}), "'mu' has no draws"),
        (xr.Dataset({"mu": (SAMPLE, np.zeros((4, 9)))}), "got Dataset"),
        (None, "got NoneType"),
    ],
)
def test_no_posterior_to_speak_of(shown, tree, message):
    with pytest.raises(DataError, match=message):
        shown(tree)


@EVERYWHERE
def test_chains_by_coords(trace, shown):
    assert shown(trace, ["mu", "tau"], coords={"chain": [1, 3]}) == ["mu", "tau"]


def test_the_draws_of_the_chains_asked_for(trace):
    (block,) = select(trace, "mu", coords={"chain": [3, 1], "draw": [5, 6]}).blocks
    np.testing.assert_array_equal(block.draws[..., 0], trace.posterior["mu"].values[[3, 1], 5:7])


def test_every_label_is_beside_its_draws(trace):
    """Against xarray's own selection."""
    posterior = trace.posterior
    names = ["cell[2002, B]", "bare[2]", "theta", "~theta[A]"]
    blocks = select(trace, names).blocks
    drawn = {label: block.draws[..., at] for block in blocks for at, label in enumerate(block.labels)}
    expected = {
        "cell[2002, B]": posterior["cell"].sel(year=2002, school="B"),
        "bare[2]": posterior["bare"].sel(bare_dim_0=2),
        "theta[B]": posterior["theta"].sel(school="B"),
        "theta[C]": posterior["theta"].sel(school="C"),
    }
    assert list(drawn) == list(expected)
    for label, draws in expected.items():
        np.testing.assert_array_equal(drawn[label], draws.values)


@pytest.mark.parametrize(
    ("labels", "wanted", "index"),
    [
        (["Smith, J", "Doe"], "Smith, J", "Smith, J"),
        ([0.0, 0.5, 1.0], 1, "1.0"),
        ([0.0, 0.5, 1.0], 0.5, "0.5"),
        ([3, 1, 2], 1, "1"),
        ([3, 1, 2], 2.0, "2"),
        ([True, False], False, "False"),
        (np.array(["2001-01-01", "2002-01-01"], "M8[ns]"), "2002-01-01", "2002-01-01T00:00:00.000000000"),
        (np.array(["2001-01-01", "2002-01-01"], "M8[ns]"), pd.Timestamp("2002"), "2002-01-01T00:00:00.000000000"),
        (pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]), ("b", 2), "('b', 2)"),
        (["x[1]", "y"], "x[1]", "x[1]"),
    ],
)
def test_labels_of_every_kind(labels, wanted, index):
    """A number names the label, never the position beside it; in coords and as an element alike."""
    draws = np.arange(8.0 * len(labels)).reshape(2, 4, -1)
    if isinstance(labels, pd.MultiIndex):
        coords = xr.Coordinates.from_pandas_multiindex(labels, "k")
        posterior = xr.Dataset({"a": ((*SAMPLE, "k"), draws)}, coords=coords)
        at = list(labels).index(wanted)
    else:
        posterior = xr.Dataset({"a": ((*SAMPLE, "k"), draws)}, coords={"k": labels})
        at = int(np.flatnonzero([str(label) == index for label in posterior["k"].values])[0])
    tree = xr.DataTree.from_dict({"posterior": posterior})
    for chosen in (select(tree, "a", coords={"k": wanted}), select(tree, f"a[{index}]")):
        (block,) = chosen.blocks
        assert block.labels == (f"a[{index}]",)
        np.testing.assert_array_equal(block.draws[..., 0], draws[..., at])


def test_commas_in_one_of_two_dims():
    draws = np.arange(32.0).reshape(2, 4, 2, 2)
    posterior = xr.Dataset({"a": ((*SAMPLE, "j", "k"), draws)}, coords={"j": ["x, y", "z"], "k": ["p", "q"]})
    (block,) = select(xr.DataTree.from_dict({"posterior": posterior}), "a[x, y, q]").blocks
    assert block.labels == ("a[x, y, q]",)
    np.testing.assert_array_equal(block.draws[..., 0], draws[..., 0, 1])


def test_names_with_brackets_and_tildes_are_names_first():
    draws = np.random.default_rng(1).normal(size=(2, 10))
    names = ["x[1]", "~x", "x"]
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({name: (SAMPLE, draws) for name in names})})
    assert of_summary(tree, "x[1]") == ["x[1]"]
    assert of_summary(tree, "~x") == ["~x"]
    assert of_summary(tree, "~x[1]") == ["~x", "x"]


def test_logarithms_of_what_is_not_positive(trace):
    with pytest.raises(DataError, match=r"log\(theta\[A\]\) needs positive draws; the least is -"):
        summary(trace, "log(theta)")


def test_logarithms_in_the_summary(trace):
    table = summary(trace, ["log(tau)"])
    assert table.loc["log(tau)", "mean"] == pytest.approx(np.log(trace["tau"]).mean())


def test_of_many_labels_the_nearest_and_the_first_are_listed():
    coords = {"student": [f"s{number}" for number in range(2000)]}
    posterior = xr.Dataset({"a": ((*SAMPLE, "student"), np.zeros((1, 4, 2000)))}, coords=coords)
    with pytest.raises(UnknownNameError, match="named 's2001'. Did you mean 's.*and 1,960 more.") as raised:
        summary(xr.DataTree.from_dict({"posterior": posterior}), "a[s2001]")
    assert len(str(raised.value)) < 500
