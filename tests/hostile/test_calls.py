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
OPEN_KINDS = ("OverflowError: int too large", "RuntimeError: this function only supports up to 32 dimensions")
OPEN = {  # places where some errors are still not ours
    "Model(coords=)", "Model(coords={'g': })", "Normal(shape=)", "Normal(dims=)", "Data(dims=)", "x[index]",
    "x.sum(axis=)", "math.concatenate", "set_data(name)", "set_data(mapping)", "model[name]", "plan(geometry=)",
    "sample(draws=)", "sample(tune=)", "sample(chains=)", "sample(geometry=)", "trace[name]", "get_values(name)",
    "get_values(burn=)", "get_values(thin=)", "get_values(combine=)", "get_values(chains=)",
}  # fmt: skip


def marked(names):
    """The names as parameters; those with errors that are not ours yet are expected to fail."""
    return [pytest.param(n, marks=pytest.mark.xfail(reason="errors of others") if n in OPEN else ()) for n in names]


def fails(name: str, value: object) -> str:
    """What is wrong with how a call fails."""
    said = complaint(lambda: SLOTS[name].call(value), *SLOTS[name].culprits)
    plt.close("all")
    return "" if said.startswith(OPEN_KINDS) else said


@pytest.mark.parametrize("name", marked(SLOTS))
def test_every_strange_value(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = {repr(value)[:60]: said for value in (*PLAIN, *arrays()) if (said := fails(name, value))}
    assert not found


@pytest.mark.parametrize("name", marked(SLOTS))
def test_strange_values_in_lists_and_mappings(name):
    @settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
    @given(strange())
    def check(value):
        assert not fails(name, value)

    check()


def test_places_that_are_open_exist():
    assert not OPEN - set(SLOTS)


@pytest.mark.xfail(reason='2.7 becomes 2, "23" becomes (2, 3)')
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
