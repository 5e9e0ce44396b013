"""Densities integrate to one, ranks are ranks, and every chain and divergence is shown."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy import stats

from finetti.errors import DataError
from finetti.plots import plot_trace
from finetti.plots.trace import chain_ranks, density
from finetti.trace import build_trace


def test_rows_labels_and_chains(trace):
    axes = plot_trace(trace, ["mu", "theta"])
    assert axes.shape == (4, 2)
    labels = ["mu", "theta[Choate]", "theta[Deerfield]", "theta[Exeter]"]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == labels
    for chain, line in enumerate(axes[0, 1].lines):
        np.testing.assert_array_equal(line.get_ydata(), trace.posterior["mu"].values[chain])
    assert [len(ax.lines) for ax in axes[0]] == [4, 4]
    assert axes[-1, 1].get_xlabel() == "draw"


def rug(ax):
    (ticks,) = ax.collections
    return sorted(segment[0, 0] for segment in ticks.get_segments())


def test_divergences_are_a_rug(trace):
    left, right = plot_trace(trace, ["mu"])[0]
    np.testing.assert_allclose(rug(left), np.sort(trace["mu"][trace["diverging"]]))
    assert rug(right) == [3, 7]
    assert not any(len(ax.collections) for ax in plot_trace(trace, ["mu"], divergences=False)[0])


def test_rank_bars_of_separate_chains(trace):
    """The chain with all the largest draws has every rank in the last quarter."""
    mu = np.arange(400.0).reshape(4, 100)
    right = plot_trace(build_trace(groups={"posterior": {"mu": mu}}), kind="rank")[0, 1]
    for chain, bars in enumerate(right.patches):
        heights, edges, _ = bars.get_data()
        middles = (edges[1:] + edges[:-1]) / 2
        filled = middles[heights > chain + 1e-9]
        assert filled.min() > 100 * chain and filled.max() < 100 * (chain + 1)
        assert heights.max() < chain + 1
    assert right.get_xlabel() == "rank among the draws of all chains"


def test_ranks_without_ties_are_scipys():
    draws = np.random.default_rng(3).normal(size=(3, 40))
    np.testing.assert_array_equal(chain_ranks(draws).ravel(), stats.rankdata(draws))


def test_ties_favour_no_chain():
    ranks = chain_ranks(np.ones((4, 100)))
    assert sorted(ranks.ravel()) == list(range(1, 401))
    assert np.ptp(ranks.mean(axis=1)) <= 3


@pytest.mark.parametrize("shift", [0, 1e6])
def test_density_of_normal_draws(shift):
    """Quantiles stand in for draws, so nothing is random; 0.03 is the smoothing bias, about h^2 f''/2."""
    grid, curve = density(stats.norm.ppf((np.arange(2000) + 0.5) / 2000) + shift)
    assert np.trapezoid(curve, grid) == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(curve, stats.norm.pdf(grid - shift), atol=0.03)


def test_density_does_not_sag_at_a_bound():
    """Half-normal quantiles: the density at 0 is 0.798; an unmirrored kernel gives 0.4."""
    grid, curve = density(stats.halfnorm.ppf((np.arange(2000) + 0.5) / 2000))
    assert grid[0] < 0.01
    assert curve[0] == pytest.approx(0.798, abs=0.05)


def test_integers_are_steps(trace):
    left = plot_trace(trace, ["count"])[0, 0]
    draws = trace.posterior["count"].values[0]
    heights = dict(zip(*left.lines[0].get_data(), strict=True))
    assert sum(heights.values()) == pytest.approx(1)
    assert heights[3] == np.mean(draws == 3)


@pytest.mark.parametrize("kind", ["trace", "rank"])
@pytest.mark.parametrize("value", [2.0, 2, True])
def test_constant_draws_can_be_drawn(kind, value):
    axes = plot_trace(build_trace(groups={"posterior": {"fixed": np.full((2, 30), value)}}), kind=kind)
    axes[0, 0].figure.canvas.draw()
    assert axes[0, 0].get_xlim()[0] < value < axes[0, 0].get_xlim()[1]


def test_given_axes_and_size(trace):
    own = plt.subplots(1, 2)[1]
    assert plot_trace(trace, ["mu"], ax=own)[0, 0] is own[0]
    with pytest.raises(DataError, match=r"3 scalars need ax of shape \(3, 2\); got \(1, 2\)"):
        plot_trace(trace, ["theta"], ax=own)
    assert plot_trace(trace, ["mu"], figsize=(3, 4))[0, 0].figure.get_size_inches().tolist() == [3, 4]


def test_bad_kind_and_too_many_rows(trace):
    with pytest.raises(DataError, match="'trace' or 'rank'; got 'bars'"):
        plot_trace(trace, kind="bars")
    with pytest.raises(DataError, match=r"41 rows.*limit is 40"):
        plot_trace(build_trace(groups={"posterior": {"x": np.zeros((1, 2, 41))}}), "x")


def test_by_default_what_fits_every_variable_alike():
    rng = np.random.default_rng(2)
    draws = {"a": rng.normal(size=(2, 9, 50)), "b": rng.normal(size=(2, 9, 5)), "c": rng.normal(size=(2, 9))}
    axes = plot_trace(build_trace(groups={"posterior": draws}))
    labels = [ax.get_ylabel() for ax in axes[:, 0]]
    assert labels == ["c", *(f"a[{i}]" for i in range(34)), *(f"b[{i}]" for i in range(5))]
    assert axes[0, 0].figure.get_suptitle() == "The first 40 of 56 scalars; var_names and coords select others."
