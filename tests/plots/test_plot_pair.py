"""A pair plot shows each draw once, divergent ones apart, and two names give the notebook's funnel."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from finetti.errors import DataError
from finetti.plots import plot_pair

FUNNEL = ["theta[0]", "log(tau)"]


def points(collection):
    return np.sort(np.asarray(collection.get_offsets()), axis=0)


@pytest.mark.parametrize("names", [FUNNEL, ["theta[Choate]", "tau_log__"]])
def test_the_funnel_in_one_call(trace, names):
    ax = plot_pair(trace, names)
    plain, divergent = ax.collections
    mask = trace["diverging"]
    draws = np.stack([trace["theta"][:, 0], trace["tau_log__"]], axis=1)
    np.testing.assert_allclose(points(divergent), np.sort(draws[mask], axis=0))
    np.testing.assert_allclose(points(plain), np.sort(draws[~mask], axis=0))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("theta[Choate]", "log(tau)")
    assert ax.get_legend().get_texts()[0].get_text() == "2 divergent draws"


def test_selection_by_coords_gives_the_same_pair(trace):
    ax = plot_pair(trace, ["theta", "tau_log__"], coords={"school": "Choate"})
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("theta[Choate]", "log(tau)")


@pytest.mark.parametrize("how", ["off", "none"])
def test_no_divergences_no_legend(trace, how):
    shown = trace if how == "off" else trace.isel(chain=[1])
    ax = plot_pair(shown, FUNNEL, divergences=how != "off")
    assert len(ax.collections) == 1
    assert ax.get_legend() is None
    assert len(ax.collections[0].get_offsets()) == shown["mu"].size


def test_grid(trace):
    axes = plot_pair(trace, ["mu", "tau", "theta[0]"])
    assert axes.shape == (3, 3)
    for row, column in np.ndindex(3, 3):
        assert axes[row, column].get_visible() == (column <= row)
    np.testing.assert_allclose(
        points(axes[2, 1].collections[1]),
        np.sort(np.stack([trace["tau"], trace["theta"][:, 0]], 1)[trace["diverging"]], axis=0),
    )
    assert [ax.get_xlabel() for ax in axes[2]] == ["mu", "tau", "theta[Choate]"]
    assert sum(patch.get_height() for patch in axes[0, 0].patches) == trace["mu"].size


def test_given_axes(trace):
    own = plt.subplots()[1]
    assert plot_pair(trace, FUNNEL, ax=own) is own
    grid = plt.subplots(3, 3)[1]
    assert plot_pair(trace, ["theta"], ax=grid) is grid
    with pytest.raises(DataError, match=r"need ax of shape \(3, 3\); got \(\)"):
        plot_pair(trace, ["theta"], ax=own)
    with pytest.raises(DataError, match=r"need one ax.*\(3, 3\)"):
        plot_pair(trace, FUNNEL, ax=grid)
    assert plot_pair(trace, FUNNEL, figsize=(3, 4)).figure.get_size_inches().tolist() == [3, 4]


def test_too_few_and_too_many(trace):
    with pytest.raises(DataError, match=r"two scalars.*'mu' alone"):
        plot_pair(trace, ["mu"])
    with pytest.raises(DataError, match=r"9 scalars.*limit is 8.*theta\[0\].*coords"):
        plot_pair(trace, ["theta", "cell"])


def test_by_default_what_fits_scalars_first(trace):
    axes = plot_pair(trace)
    labels = [ax.get_xlabel() for ax in axes[-1]]
    elements = ["theta[Choate]", "theta[Deerfield]", "theta[Exeter]", "cell[2001, Choate]", "cell[2001, Deerfield]"]
    assert labels == ["mu", "tau", "count", *elements]
    assert axes[0, 0].figure.get_suptitle().startswith("The first 8 of 12 scalars")


@pytest.mark.parametrize("chains", [[1], [2, 0]])
def test_divergences_of_the_chains_shown(trace, chains):
    ax = plot_pair(trace, FUNNEL, coords={"chain": chains})
    marked = trace.sel(chain=chains)["diverging"].sum()
    assert [len(c.get_offsets()) for c in ax.collections[1:]] == ([marked] if marked else [])


def test_statistics_of_other_draws(trace):
    odd = trace.copy()
    odd["sample_stats"] = odd["sample_stats"].isel(draw=slice(10))
    with pytest.raises(DataError, match=r"'diverging' in sample_stats is .*10.*divergences=False"):
        plot_pair(odd, FUNNEL)
    assert len(plot_pair(odd, FUNNEL, divergences=False).collections) == 1
