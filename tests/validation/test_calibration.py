"""The calibration of tests/correctness with ten times the replicates, and every setting as a user gets it.

False alarm: 1e-4 for all tests of this file together, were the seeds drawn anew.
"""

from __future__ import annotations

import pytest
from calibration import CASES, failures, places

REPLICATES = 1000


@pytest.mark.parametrize("name", CASES)
def test_the_truth_is_one_more_draw(name):
    assert not failures(places(CASES[name], REPLICATES, seed=7))
