"""A small trace, and what is needed to see that a load is refused at once."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from finetti.errors import DataError
from finetti.trace import Trace, build_trace, load


@pytest.fixture
def trace() -> Trace:
    rng = np.random.default_rng(1)
    groups = {
        "posterior": {"mu": rng.normal(size=(4, 50)), "theta": rng.normal(size=(4, 50, 3))},
        "sample_stats": {"diverging": rng.random((4, 50)) < 0.1},
    }
    return build_trace(groups=groups, dims={"theta": ("school",)}, coords={"school": ["A", "Bé", "C"]})


@pytest.fixture
def refused():
    """Loading fails by an error of ours that names the file; returned as text."""

    def check(path: Path) -> str:
        began = time.monotonic()
        with pytest.raises(DataError) as caught:
            load(path)
        assert time.monotonic() - began < 60  # not a measurement: it would be minutes, or for ever
        assert str(path) in str(caught.value)
        return str(caught.value)

    return check
