"""Lets the tests of this folder import the list of planted faults, and the oracles."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "oracles")]
