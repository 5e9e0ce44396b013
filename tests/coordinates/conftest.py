"""Lets the tests of this folder import helpers: the oracle and the generated models."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "reductions" / "linear"))


@pytest.fixture(scope="session")
def in_double():
    """JAX in double precision for the tests that ask for it."""
    import jax

    with jax.enable_x64(True):
        yield jax
