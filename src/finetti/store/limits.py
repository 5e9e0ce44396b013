"""What a saved trace may claim before it is read: no more memory than there is, no more parts than make sense."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from finetti.engines.memory import memory_of_machine
from finetti.errors import DataError

GROUPS, DEPTH, ARRAYS = 100, 6, 20_000  # an ArviZ tree has a dozen groups, one or two deep
SMALL = 64 * 2**20  # bytes that may be claimed whatever the file holds
PACKED = 20_000  # times as many bytes as are stored may be claimed beyond that: no compression of draws comes near


def checked_path(path: Any) -> Path:
    """The path of a file or folder that can be opened without waiting.

    Raises:
        DataError: something that is no path, nothing there, or a pipe, a socket or a device.
    """
    if not isinstance(path, str | os.PathLike) or isinstance(path, bytes):
        raise DataError(f"load takes the path of a saved trace, such as 'fit.nc'; got {path!r}.")
    try:
        found = Path(path)
        mode = found.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"There is no file or directory {path}.") from None
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path!r} cannot be opened as a saved trace: {error}") from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise DataError(f"{path} is neither a file nor a directory but a pipe, a socket or a device; nothing was read.")
    return found


class Claims:
    """Counts what a saved trace claims to hold, and refuses what can't be meant.

    Args:
        path: named in errors.
        stored: bytes that are there.
    """

    def __init__(self, path: Path, stored: int) -> None:
        self.path, self.stored = path, stored
        self.groups = self.arrays = self.bytes = 0
        self.most = min(memory_of_machine(), SMALL + PACKED * stored)

    def group(self, name: str, depth: int) -> None:
        """One more group."""
        self.groups += 1
        if self.groups > GROUPS or depth > DEPTH:
            self.refuse(f"it has more than {GROUPS} groups, or groups more than {DEPTH} deep (at {name!r})")

    def array(self, name: str, size: int) -> None:
        """One more array of `size` bytes."""
        self.arrays, self.bytes = self.arrays + 1, self.bytes + size
        if self.arrays > ARRAYS:
            self.refuse(f"it has more than {ARRAYS:,} arrays")
        if self.bytes > self.most:
            self.refuse(
                f"it claims {self.bytes / 2**30:,.1f} GiB up to {name!r}, but holds {self.stored:,} bytes, and this "
                f"machine has {memory_of_machine() / 2**30:,.0f} GiB of memory"
            )

    def refuse(self, why: str) -> None:
        """Refuse the file.

        Raises:
            DataError: always.
        """
        raise DataError(f"{self.path} was not read: {why}. Load only traces you know, and save them again from there.")
