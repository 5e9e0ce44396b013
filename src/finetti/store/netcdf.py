"""Traces as netCDF-4 files: sealed behind their end, and looked through by hand before a library reads them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from finetti.errors import DataError
from finetti.store.beside import beside
from finetti.store.limits import SMALL, Claims
from finetti.store.sink import Sink

SEAL = b"finetti sha-256:"  # followed by the digest of all that comes before; HDF5 does not read on so far
SEALED = len(SEAL) + hashlib.sha256().digest_size
FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "n-bit", 6: "scale-offset", 32000: "lzf"}
TEXTS = 100_000  # of any length in one array; draws are none
_BLOCK = 2**20


def write(target: Path, save: Callable[[Any], Any], *, append: bool, by_path: bool) -> None:
    """Write a netCDF file in place of what is there; whatever fails, that stays as it is.

    Args:
        target: where the file shall be.
        save: writes to what it is given, a file or a path.
        append: whether to add to what is there.
        by_path: whether `save` can only write to a path.

    Raises:
        DataError: a folder is in the way.
        OSError: the file cannot be written.
    """
    if target.is_dir():
        raise DataError(f"{target} is a folder; a netCDF file needs another name. Nothing was written.")
    with beside(target, copied=append) as part:
        if append and part.exists():
            _unseal(part)
        if by_path:
            save(part)
        else:
            _through_a_sink(part, save)
        _seal(part)


def check(path: Path) -> None:
    """Refuse a file that changed since it was sealed, or that reads other files or claims what it can't hold.

    Raises:
        DataError: with what is wrong, and where.
        OSError: it cannot be read at all.
    """
    import h5py

    _check_seal(path)
    claims = Claims(path, path.stat().st_size)
    with h5py.File(path, "r") as file:
        _look_through(file, claims, depth=0)


def _through_a_sink(part: Path, save: Callable[[Any], Any]) -> None:
    sink = Sink(part)
    try:
        save(sink)
    except Exception:
        if sink.error is not None:
            raise sink.error from None
        raise
    finally:
        sink.close()
    if sink.error is not None:
        raise sink.error


def _seal(path: Path) -> None:
    with path.open("r+b") as file:
        digest = _digest(file, path.stat().st_size)
        file.seek(0, os.SEEK_END)
        file.write(SEAL + digest)
        file.flush()
        os.fsync(file.fileno())


def _unseal(path: Path) -> None:
    with path.open("r+b") as file:
        if _sealed(file):
            file.truncate(path.stat().st_size - SEALED)


def _check_seal(path: Path) -> None:
    with path.open("rb") as file:
        sealed = _sealed(file)
        if sealed and _digest(file, path.stat().st_size - SEALED) != sealed:
            raise DataError(
                f"{path} is damaged: it is not what was saved (its SHA-256 differs). Take a copy, or sample again."
            )


def _sealed(file: BinaryIO) -> bytes:
    """The digest in the seal; empty where there is none."""
    size = file.seek(0, os.SEEK_END)
    if size < SEALED:
        return b""
    file.seek(size - SEALED)
    end = file.read(SEALED)
    return end[len(SEAL) :] if end.startswith(SEAL) else b""


def _digest(file: BinaryIO, size: int) -> bytes:
    file.seek(0)
    digest = hashlib.sha256()
    while size > 0 and (block := file.read(min(_BLOCK, size))):
        digest.update(block)
        size -= len(block)
    return digest.digest()


def _look_through(group: Any, claims: Claims, depth: int) -> None:
    """Every link and array below a group, before any of their numbers is read."""
    import h5py

    claims.group(group.name, depth)
    for name in group:
        where = f"{group.name.rstrip('/')}/{name}"
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            claims.refuse(f"{where!r} is a link to somewhere else")
        item = group[name]
        if isinstance(item, h5py.Group):
            _look_through(item, claims, depth + 1)
        elif isinstance(item, h5py.Dataset):
            _look_at(item, where, claims)


def _look_at(array: Any, where: str, claims: Claims) -> None:
    import h5py

    properties = array.id.get_create_plist()
    if properties.get_external_count():
        claims.refuse(f"{where!r} lies in another file, {properties.get_external(0)[0].decode(errors='replace')!r}")
    if array.is_virtual:
        claims.refuse(f"{where!r} is put together from other files")
    for k in range(properties.get_nfilters()):
        number = properties.get_filter(k)[0]
        if number not in FILTERS:
            claims.refuse(f"{where!r} needs the filter {number}, which is none of {', '.join(FILTERS.values())}")
    if array.shape is None:
        return
    claims.array(where, array.size * array.dtype.itemsize)
    if h5py.check_string_dtype(array.dtype) is not None and array.dtype.kind == "O":
        _add_up_texts(array, where, claims)
    elif array.dtype.kind == "O":
        claims.refuse(f"{where!r} holds lists or references, which no trace does")


def _add_up_texts(array: Any, where: str, claims: Claims) -> None:
    """Texts of any length, a few at a time: many can share one long one, so that their number says nothing."""
    if array.size > TEXTS:
        claims.refuse(f"{where!r} holds {array.size:,} texts; {TEXTS:,} is the most")
    if not array.shape:
        return claims.array(where, len(array[()]))
    step = max(1, SMALL // (claims.stored * max(1, array.size // len(array))))
    for k in range(0, len(array), step):
        claims.array(where, sum(map(len, array[k : k + step].ravel())))
    return None
