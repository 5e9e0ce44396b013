"""The marks of a forest stand where NumPy's quantiles say, first scalar on top."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from finetti.errors import DataError
from finetti.plots import plot_forest
from finetti.trace import build_trace


def marks(ax, y):
    """x values drawn at height y, by kind: outer line, inner line, dot."""
    return [line.get_xdata() for line in ax.lines if np.allclose(line.get_ydata(), y)]


def test_rows_top_to_bottom(trace):
    ax = plot_forest(trace, ["mu", "theta"])
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["mu", "theta[Choate]", "theta[Deerfield]", "theta[Exeter]"]
    heights = [ax.transData.transform((0, y))[1] for y in ax.get_yticks()]
    assert heights == sorted(heights, reverse=True)


def test_marks_are_the_quantiles(trace):
    ax = plot_forest(trace, ["theta"], ci_probs=(0.8, 0.9))
    draws = trace["theta"][:, 1]
    outer, inner, dot = marks(ax, 1)
    np.testing.assert_allclose(outer, np.quantile(draws, [0.05, 0.95]))
    np.testing.assert_allclose(inner, np.quantile(draws, [0.1, 0.9]))
    np.testing.assert_allclose(dot, [np.median(draws)])
    assert ax.get_xlabel() == "median, 80% and 90% intervals"


def test_one_set_of_marks_per_chain(trace):
    ax = plot_forest(trace, ["mu"], combined=False)
    lines = [line.get_xydata() for line in ax.lines]
    dots = sorted((y, x) for line in lines if len(line) == 1 for x, y in line)
    np.testing.assert_allclose([x for _, x in dots], np.median(trace.posterior["mu"], axis=1))
    assert all(abs(y) < 0.5 for y, _ in dots)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [f"chain {i}" for i in range(4)]


def test_given_axes_size_label_and_reference(trace):
    own = plt.subplots()[1]
    assert plot_forest(trace, ["mu"], ax=own, xlabel="points", reference=2.5) is own
    assert own.get_xlabel() == "points"
    assert any(np.allclose(line.get_xdata(), 2.5) for line in own.lines)
    assert plot_forest(trace, figsize=(3, 4)).figure.get_size_inches().tolist() == [3, 4]


def test_figures_grow_with_rows(trace):
    heights = [plot_forest(trace, names).figure.get_figheight() for names in (["theta"], ["theta", "cell"])]
    assert heights[1] > heights[0] * 1.5


@pytest.mark.parametrize(
    "ci_probs", [(0.9, 0.5), (0.5, 0.5), (0.5, 1.0), (0.5,), (50, 94), 0.9, "ab", (0.5, "x"), None, {0.5: 1, 0.9: 2}]
)
def test_bad_probabilities(trace, ci_probs):
    with pytest.raises(DataError, match="ci_probs"):
        plot_forest(trace, ci_probs=ci_probs)


def test_too_many_rows(caplog):
    """301 rows that were asked for are refused; by default those are drawn that fit, and that is said."""
    big = build_trace(groups={"posterior": {"x": np.random.default_rng(1).normal(size=(1, 4, 301))}})
    with pytest.raises(DataError, match=r"301 rows.*limit is 300.*var_names"):
        plot_forest(big, "x")
    with caplog.at_level("INFO", logger="finetti"):
        ax = plot_forest(big, ax=plt.subplots()[1])
    assert len(ax.get_yticks()) == 300
    assert caplog.messages == ["The first 300 of 301 scalars; var_names and coords select others."]
    assert ax.figure.get_suptitle() == ""
