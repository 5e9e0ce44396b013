"""Whatever is handed to the public API: an answer, or an error of ours that names the culprit; nothing hangs.

A wrong number of arguments, or an unknown keyword, may stay Python's own error.
"""

from __future__ import annotations

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import slots
from hypothesis import HealthCheck, given, settings
from values import PLAIN, arrays, complaint, strange

import finetti as pm

matplotlib.use("Agg")
pytestmark = pytest.mark.filterwarnings("ignore")

SLOTS = {**slots.WRITING, **slots.parameters(), **slots.settings(), **slots.shown()}
def fails(name: str, value: object) -> str:
    """What is wrong with how a call fails."""
    said = complaint(lambda: SLOTS[name].call(value), *SLOTS[name].culprits)
    plt.close("all")
    return said


@pytest.mark.parametrize("name", SLOTS)
def test_every_strange_value(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = {repr(value)[:60]: said for value in (*PLAIN, *arrays()) if (said := fails(name, value))}
    assert not found


@pytest.mark.parametrize("name", SLOTS)
def test_strange_values_in_lists_and_mappings(name):
    @settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
    @given(strange())
    def check(value):
        assert not fails(name, value)

    check()


def test_a_shape_that_is_taken_is_numpys():
    """Of those that NumPy takes: what it takes for no shape is none."""
    wrong = []
    for value in (*PLAIN, *arrays()):
        try:
            with pm.Model():
                shape = pm.Normal("x", 0, 1, shape=value).shape
        except Exception:
            continue  # judged above
        if value is not None and shape != slots.accepted_shape(value):
            wrong.append((value, shape))
    assert not wrong


def test_an_index_that_is_taken_reads_what_numpy_would():
    """Elements of 0, 1, 2 by value: negative ones count from the end where NumPy lets them, or are refused."""
    numbers = np.arange(3.0)
    for value in (*PLAIN, *arrays()):
        try:
            with pm.Model():
                x = pm.Data("x", numbers)
                chosen = np.asarray(pm.Deterministic("chosen", x[value] + 0.0).value.shape)
        except Exception:
            continue  # judged above
        assert tuple(chosen) == numbers[value].shape, repr(value)
