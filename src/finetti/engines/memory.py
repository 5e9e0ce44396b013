"""Memory that is freed stays with the process, for arrays that come and go by the thousand."""

from __future__ import annotations

from functools import cache

import numpy as np

LARGEST = 31 << 20  # bytes; glibc learns from blocks of up to 32 MiB


@cache
def keep_freed_memory() -> None:
    """Have the C library keep freed memory, so that the next array of its size costs no page faults.

    glibc hands out large blocks straight from the system, and back to it when they are freed, until a larger one has
    been freed; from then on it keeps them (mallopt(3), on M_MMAP_THRESHOLD). Nothing is written to this one, so it
    costs no memory. Once is enough. Where another C library is used it does nothing.
    """
    np.empty(LARGEST, np.uint8)
