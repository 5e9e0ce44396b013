"""A file for the HDF5 library to write to that never fails, and tells afterwards what went wrong.

HDF5 does not survive every failure of a write: on a full disk, closing the file may end the process. So a write that
fails is kept to ourselves, whatever follows is dropped, and the first error is raised once the library is done.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any


class Sink(io.RawIOBase):
    """A file open for reading and writing.

    Args:
        path: of a file that is created, or written on where it exists.

    Attributes:
        error: the first error of a write, after which nothing is written any more.
    """

    def __init__(self, path: Path) -> None:
        self.error: OSError | None = None
        self._file = open(path, "r+b" if path.exists() else "w+b", buffering=0)  # noqa: SIM115  # closed by `close`
        self._size = self._file.seek(0, io.SEEK_END)  # the size it would have
        self._at = 0

    def readable(self) -> bool:
        """True."""
        return True

    def writable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, as if everything had been written."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; with zeros where what should be there could not be written."""
        view = memoryview(buffer).cast("B")
        wanted = max(0, min(len(view), self._size - self._at))
        self._file.seek(self._at)
        found = self._file.readinto(view[:wanted]) or 0
        view[found:wanted] = bytes(wanted - found)
        self._at += wanted
        return wanted

    def write(self, data: Any) -> int:
        """Write all of it, or keep the error and seem to have."""
        view = memoryview(data).cast("B")
        self._try(lambda: self._write_all(view))
        self._at += len(view)
        self._size = max(self._size, self._at)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Cut off or lengthen."""
        size = self._at if size is None else size
        self._try(lambda: self._file.truncate(size))
        self._size = size
        return size

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._file.close()
        super().close()

    def _write_all(self, view: memoryview) -> None:
        self._file.seek(self._at)
        while view:
            view = view[self._file.write(view) :]

    def _try(self, act: Any) -> None:
        if self.error is None:
            try:
                act()
            except OSError as error:
                self.error = error
