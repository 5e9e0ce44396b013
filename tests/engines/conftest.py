"""Lets the tests of this folder import its helpers and the slow literal programs in tests/reference."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "reference")]
