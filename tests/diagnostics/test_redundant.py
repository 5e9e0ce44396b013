"""Rows that say nothing: judged by their draws, counted in words, never hidden from whoever asks for them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from finetti.diagnostics.redundant import redundant
from finetti.diagnostics.summary import summary
from finetti.plots import plot_forest

EPS = np.finfo(float).eps


def normal(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=(4, 100, *shape))


def tree(**variables):
    def dims(name, draws):
        return ("chain", "draw", *(f"{name}_dim_{axis}" for axis in range(draws.ndim - 2)))

    posterior = xr.Dataset({name: (dims(name, draws), draws) for name, draws in variables.items()})
    return xr.DataTree.from_dict({"posterior": posterior})


def correlations(size, seed=1):
    """Matrices as a program computes them, scaled after the product: ones off by the last digits."""
    factors = normal(size, size, seed=seed)
    cov = factors @ np.swapaxes(factors, -1, -2)
    sd = np.sqrt(np.einsum("...ii->...i", cov))
    return cov / sd[..., :, None] / sd[..., None, :]


def literal(draws):
    """The definition, one element at a time, for one matrix per draw."""
    size = draws.shape[-1]
    constant = np.zeros((size, size), bool)
    mirrored = np.zeros((size, size), bool)
    for i, j in np.ndindex(size, size):
        x, y = draws[..., i, j], draws[..., j, i]
        constant[i, j] = x.max() - x.min() <= 64 * EPS * np.abs(x).max()
        mirrored[i, j] = i > j and (np.abs(x - y) <= 64 * EPS * np.abs(x).max()).all()
    return constant, mirrored & ~constant


@pytest.mark.parametrize("size", [2, 3, 6])
def test_a_correlation_matrix(size):
    draws = correlations(size)
    assert 0 < np.ptp(draws[..., 1, 1]) < 1e-14  # rounding noise, not a quantity
    constant, mirrored = redundant(draws)
    np.testing.assert_array_equal(constant, np.eye(size, dtype=bool))
    np.testing.assert_array_equal(mirrored, np.tri(size, k=-1, dtype=bool))
    for found, expected in zip(redundant(draws), literal(draws), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_cholesky_factor():
    draws = np.tril(normal(3, 3))
    draws[..., 0, 0] = 1
    constant, mirrored = redundant(draws)
    np.testing.assert_array_equal(constant, np.triu(np.ones((3, 3), bool), 1) | (np.arange(9).reshape(3, 3) == 0))
    assert not mirrored.any()


def test_a_matrix_that_is_symmetric_in_all_draws_but_one():
    draws = correlations(3)
    draws[2, 57, 0, 1] += 1e-6
    assert not redundant(draws)[1].any()


def test_several_matrices():
    draws = np.stack([correlations(2, seed=1), correlations(2, seed=2)], axis=2)
    constant, mirrored = redundant(draws)
    assert constant.sum() == 4 and mirrored.tolist() == [[[False, False], [True, False]]] * 2


@pytest.mark.parametrize(
    "draws",
    [
        normal(),
        normal(3),
        normal(3, 3),
        normal(2, 3),
        1e9 + 1e-5 * normal(3),  # narrow, but far from the last digits
        np.array([1e-300, 1, 1e300]) * normal(3),
        np.zeros((4, 100)),
        np.full((4, 100, 2, 2), 7.0),  # constant throughout: someone wrote it, or the chains are stuck
        np.ones((1, 1, 3)),
        np.where(np.arange(2) == 0, np.nan, normal(2)),
        np.where(np.arange(2) == 0, np.inf, normal(2)),
        np.zeros((4, 100, 0)),
        normal(1, 1),
    ],
)
def test_rows_that_stay(draws):
    with np.errstate(all="raise"):
        assert not any(mask.any() for mask in redundant(draws))


def test_a_jump_after_many_equal_draws_is_seen():
    draws = np.stack([np.zeros((2, 500)), np.random.default_rng(1).normal(size=(2, 500))], axis=-1)
    assert redundant(draws)[0].tolist() == [True, False]
    draws[1, 250, 0] = 1
    assert redundant(draws)[0].tolist() == [False, False]


@pytest.mark.parametrize("dtype", [bool, np.int64, np.uint8, np.float32])
def test_other_types(dtype):
    draws = np.stack([np.ones((4, 100)), np.arange(400).reshape(4, 100) % 2], axis=-1).astype(dtype)
    assert redundant(draws)[0].tolist() == [True, False]


def test_the_line_below_the_table():
    trace = tree(mu=normal(), cov_corr=correlations(3))
    table = summary(trace)
    shown = ["mu", "cov_corr[0, 1]", "cov_corr[0, 2]", "cov_corr[1, 2]"]
    assert list(table.index) == shown
    line = "Left out: 3 constant, 3 mirrored rows of cov_corr; var_names shows them."
    assert table.left_out == line
    assert repr(table).splitlines()[-2] == line and f"<p>{line}</p>" in table._repr_html_()
    ax = plot_forest(trace)
    assert [label.get_text() for label in ax.get_yticklabels()] == shown
    assert ax.figure.get_suptitle() == line


@pytest.mark.parametrize(
    ("var_names", "rows"),
    [("cov_corr", 9), ("cov_corr[1, 1]", 1), ("cov_corr[1, 0]", 1), (["mu", "cov_corr"], 10), ("~mu", 4)],
)
def test_named_rows_are_shown(var_names, rows):
    table = summary(tree(mu=normal(), cov=normal(), cov_corr=correlations(3)), var_names)
    assert len(table) == rows
    assert bool(table.left_out) == (var_names == "~mu")


def test_a_constant_variable_is_shown_with_no_spread_and_no_diagnosis():
    row = summary(tree(mu=normal(), fixed=np.full((4, 100), 3.0))).loc["fixed"]
    assert row["mean"] == 3 and row["sd"] == 0 and np.isnan(row["r_hat"])


def test_one_row_and_many_variables_in_words():
    half = np.stack([np.ones((4, 100)), normal()], axis=-1)
    assert summary(tree(a=half)).left_out == "Left out: 1 constant row of a; var_names shows them."
    many = {name: half for name in "abcdef"}
    assert summary(tree(**many)).left_out == "Left out: 6 constant rows of a, b, c, d and 2 more; var_names shows them."


def test_coords_that_leave_a_constant_alone_show_it():
    trace = tree(c=correlations(2))
    coords = {"c_dim_0": 0, "c_dim_1": 0}
    assert list(summary(trace, coords=coords).index) == ["c[0, 0]"]
