"""How many threads a run may use."""

from __future__ import annotations

import os


def threads_for(chains: int, cores: int | None) -> int:
    """One thread for each chain, as far as there are cores: those asked for, else those this process may use."""
    return min(cores or _processors(), chains)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
