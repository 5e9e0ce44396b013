"""The search for modes, on densities whose modes and curvature are known."""

from __future__ import annotations

import numpy as np
import pytest

from finetti.engines.batches import Counting
from finetti.engines.modes import modes_from

FACTOR = np.array([[1.0, 0.0, 0.0], [1.5, 0.7, 0.0], [-0.4, 0.2, 2.0]])  # of a covariance


def gaussian(center, root):
    inverse = np.linalg.inv(root)
    return lambda points: -0.5 * (((points - center) @ inverse.T) ** 2).sum(axis=1)


def test_the_mode_and_curvature_of_a_gaussian():
    center = np.array([4.0, -30.0, 2.0])
    found = modes_from(gaussian(center, FACTOR), np.zeros((1, 3)))
    assert len(found) == 1
    np.testing.assert_allclose(found[0].place, center, atol=1e-3)
    np.testing.assert_allclose(found[0].root @ found[0].root.T, FACTOR @ FACTOR.T, rtol=1e-4)


def test_each_of_two_modes_is_named_once_the_higher_first():
    def two(points):
        return np.logaddexp(gaussian([-5.0, 0.0], np.eye(2))(points), 1.0 + gaussian([5.0, 1.0], np.eye(2))(points))

    starts = np.array([[-4.0, 0.0], [6.0, 0.0], [-6.0, 1.0], [4.0, 0.0]])
    found = modes_from(two, starts)
    np.testing.assert_allclose([mode.place for mode in found], [[5.0, 1.0], [-5.0, 0.0]], atol=1e-2)


def test_starts_without_a_finite_density_are_left_out():
    def half(points):
        return np.where(points[:, 0] > 0, gaussian([3.0, 0.0], np.eye(2))(points), -np.inf)

    assert modes_from(half, np.array([[-5.0, 0.0]])) == []
    assert len(modes_from(half, np.array([[-5.0, 0.0], [2.0, 0.0]]))) == 1


def test_a_narrow_ridge_far_from_the_start_is_climbed():
    """A coordinate in units a thousand times too small, all but determined by the other."""
    covariance = np.array([[1e-6, 0.999e-3], [0.999e-3, 1.0]])
    count = Counting(gaussian([2e-3, -7.0], np.linalg.cholesky(covariance)))
    (mode,) = modes_from(count, np.array([[3.0, 40.0]]))
    np.testing.assert_allclose(mode.root @ mode.root.T, covariance, rtol=1e-3)
    assert np.linalg.norm(np.linalg.solve(mode.root, mode.place - [2e-3, -7.0])) < 0.5 and count.evaluations < 400


@pytest.mark.parametrize("start", [40.0, -40.0])
def test_exponential_slopes_are_not_climbed_inch_by_inch(start):
    """The logarithm of a half-normal number: steps of Newton's would be 1/2 each on the one side."""
    count = Counting(lambda points: points[:, 0] - 0.5 * np.exp(2 * points[:, 0]))
    (mode,) = modes_from(count, np.array([[start]]))
    assert abs(mode.place[0]) < 0.2 and mode.root[0, 0] == pytest.approx(np.sqrt(0.5), rel=0.1)
    assert count.evaluations < 200


def test_a_start_of_astronomic_slope_does_not_spoil_the_others():
    """Where squares of its differences overflow a climb is given up."""

    def steep(points):
        return points[:, 0] - np.exp(10 * points[:, 0]) - 0.5 * points[:, 1] ** 2

    with np.errstate(all="ignore"):
        found = modes_from(Counting(steep), np.array([[0.0, 1.0], [70.0, 0.0], [-64.0, 64.0], [64.0, 0.0]]))
    np.testing.assert_allclose([mode.place for mode in found], [[np.log(0.1) / 10, 0.0]], atol=0.05)


def test_a_plane_has_no_mode():
    assert modes_from(lambda points: points[:, 0], np.zeros((1, 2))) == []
