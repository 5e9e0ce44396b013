"""What `import finetti` adds to a bare Python, beside NumPy alone; the three take turns."""

import os
import statistics
import subprocess
import sys
import time

from benchmarks import table
from benchmarks.reference import ROOT

PROGRAMS = {"bare Python": "pass", "import numpy": "import numpy", "import finetti": "import finetti"}
HEAVY = ("jax", "scipy", "xarray", "pandas", "matplotlib")
LOADED = f"import finetti, sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"


def seconds(program: str) -> float:
    """One fresh interpreter from spawn to exit."""
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, env=os.environ)
    return time.monotonic() - start


def heavy() -> list[str]:
    """Which of the heavy libraries the import brought along: none should be."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED], check=True, cwd=ROOT, capture_output=True, text=True
    )
    return done.stdout.split()


def job(*, import_repetitions: int = 40, **_) -> dict:
    """Time the three programs in turns and print the differences of the medians."""
    for program in PROGRAMS.values():
        seconds(program)  # byte code and files in memory
    times = {name: [] for name in PROGRAMS}
    for _ in range(import_repetitions):
        for name, program in PROGRAMS.items():
            times[name].append(seconds(program))
    bare = statistics.median(times["bare Python"])
    over = {name: statistics.median(values) - bare for name, values in times.items()}
    rows = [
        [name, table.three([1000 * t for t in values], 1), table.number(1000 * over[name], 1)]
        for name, values in times.items()
    ]
    print(table.render(("milliseconds", "min / median / max", "median over bare"), rows))
    brought = heavy()
    print(f"heavy libraries imported along: {', '.join(brought) or 'none'}")
    return {"seconds": times, "median_over_bare": over, "heavy": brought, "errors": []}
