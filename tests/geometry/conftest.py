"""Lets the tests of this folder import its own helpers: the oracle and the generated models."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))


@pytest.fixture(scope="session")
def in_double():
    """JAX in double precision for the tests that ask for it."""
    import jax

    with jax.enable_x64(True):
        yield jax
