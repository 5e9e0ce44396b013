"""Memory: how much there is, and that what is freed stays with the process, for arrays that come and go."""

from __future__ import annotations

import os
from functools import cache

import numpy as np

UNKNOWN_MEMORY = 64 << 30  # assumed where the system does not say
LARGEST = 31 << 20  # bytes; glibc learns from blocks of up to 32 MiB


@cache
def keep_freed_memory() -> None:
    """Have the C library keep freed memory, so that the next array of its size costs no page faults.

    glibc hands out large blocks straight from the system, and back to it when they are freed, until a larger one has
    been freed; from then on it keeps them (mallopt(3), on M_MMAP_THRESHOLD). Nothing is written to this one, so it
    costs no memory. Once is enough. Where another C library is used it does nothing.
    """
    np.empty(LARGEST, np.uint8)


def memory_of_machine() -> int:
    """Bytes of memory of this machine."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return UNKNOWN_MEMORY
