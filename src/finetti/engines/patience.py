"""A word where something takes long that nobody sees happen."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LONG = 10.0  # seconds without a sign of life that need a word
logger = logging.getLogger("finetti")


@contextmanager
def said_if_long(words: str) -> Iterator[None]:
    """Log `words` once if the block takes long.

    Args:
        words: what is being done, and what would make it shorter.
    """
    timer = threading.Timer(LONG, logger.warning, [words])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
