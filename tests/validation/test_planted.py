"""A test suite that notices nothing is worth nothing: each planted fault makes one of the named tests fail."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from planted import FAULTS, ROOT, mutated

FAILED, PASSED = 1, 0  # pytest's exit codes


def run(tests: tuple[str, ...], source) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
    environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_noticed(name, tmp_path):
    fault = FAULTS[name]
    done = run(fault.tests, mutated(fault, tmp_path))
    assert done.returncode == FAILED, f"{fault.tests} did not notice, or could not run:\n{done.stdout[-2000:]}"
    assert "FAILED " in done.stdout and "ERROR " not in done.stdout, done.stdout[-2000:]  # failed, not broken


def test_the_copy_is_what_is_tested(tmp_path):
    """The tests of a copy import the copy, and nothing else."""
    source = mutated(next(iter(FAULTS.values())), tmp_path)
    command = [sys.executable, "-c", "import finetti; print(finetti.__file__)"]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    where = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert where.startswith(str(source))
