"""Traces as Zarr stores: every part under its digest, and looked through by hand before a library reads them."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from finetti.errors import DataError
from finetti.store.beside import beside
from finetti.store.limits import SMALL, Claims

ROOT, PARTS, OWN, ORDER = "zarr.json", "finetti_parts", "finetti_digest", "finetti_order"
FILES = 200_000
CODECS = frozenset({
    "bytes", "zstd", "gzip", "zlib", "blosc", "lz4", "bz2", "lzma", "crc32c", "crc32", "transpose", "shuffle", "delta",
    "fixedscaleoffset", "sharding_indexed", "vlen-utf8", "vlen-bytes", "string", "variable_length_utf8",
})  # fmt: skip
_FORMER = (".zgroup", ".zattrs", ".zarray", ".zmetadata")  # of the format's second version


def write(
    target: Path, save: Callable[[Path], Any], *, append: bool, order: Mapping[str, Sequence[str]]
) -> None:
    """Write a Zarr store in place of the one that is there; whatever fails, that stays as it is.

    Args:
        target: the folder.
        save: writes to the folder it is given.
        append: whether to add to what is there.
        order: variables by group, for a store has no order of its own.

    Raises:
        DataError: something else is there, which would be lost.
        OSError: the store cannot be written.
    """
    if target.exists() and not _is_store(target):
        raise DataError(f"{target} is no Zarr store but something else, which would be lost. Nothing was written.")
    with beside(target, copied=append) as part, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata")  # which older programs look for, and newer ignore
        warnings.filterwarnings("ignore", ".*does not have a Zarr V3 specification")  # labels, as zarr itself has them
        save(part)
        _seal(part, order)


def _is_store(path: Path) -> bool:
    """Whether a path is a Zarr store, or an empty folder."""
    return path.is_dir() and ((path / ROOT).exists() or (path / ".zgroup").exists() or not any(path.iterdir()))


def check(path: Path) -> None:
    """Refuse a store that lacks or has other parts than were saved, leads out of itself or claims what it can't hold.

    Args:
        path: a folder, or a file of a zipped one.

    Raises:
        DataError: with the part that is wrong.
    """
    parts = _zipped(path) if path.is_file() else _folder(path)
    claims = Claims(path, sum(size for size, _ in parts.values()))
    if len(parts) > FILES:
        claims.refuse(f"it has {len(parts):,} parts")
    for name in sorted(parts):
        if name.rsplit("/", 1)[-1] in (ROOT, *_FORMER):
            if parts[name][0] > SMALL:
                claims.refuse(f"the metadata {name!r} are {parts[name][0]:,} bytes long")
            _look_at(name, _json(path, name, parts[name][1]()), claims)
    if ROOT in parts:
        _check_seal(path, parts)


def without_seal(attrs: dict[str, Any]) -> dict[str, Any]:
    """The attributes a user gave, without the digests."""
    return {name: value for name, value in attrs.items() if name not in (PARTS, OWN, ORDER)}


def order_of(attrs: Mapping[str, Any]) -> dict[str, list[str]]:
    """Variables by group as they were saved; empty where that was not noted."""
    noted = attrs.get(ORDER)
    return dict(noted) if isinstance(noted, Mapping) else {}


Parts = dict[str, tuple[int, Callable[[], bytes]]]  # name -> size, and how to read it


def _folder(path: Path) -> Parts:
    return {name: (file.stat().st_size, file.read_bytes) for name, file in _files(path)}


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            file = Path(folder, name)
            if file.is_symlink() or not (file.is_file() or file.is_dir()):
                raise DataError(f"{path} was not read: {str(file.relative_to(path))!r} leads out of it.")
        for name in files:
            file = Path(folder, name)
            yield file.relative_to(path).as_posix(), file


def _zipped(path: Path) -> Parts:
    archive = zipfile.ZipFile(path)
    members = [member for member in archive.infolist() if not member.is_dir()]
    claims = Claims(path, path.stat().st_size)
    for member in members:
        claims.array(member.filename, member.file_size)
    return {member.filename: (member.compress_size, partial(archive.read, member)) for member in members}


def _json(path: Path, name: str, content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise DataError(f"{path} is damaged: {name!r} is not JSON ({error}).") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} is damaged: {name!r} holds {type(found).__name__}, not an object.")
    return found


def _look_at(name: str, node: dict[str, Any], claims: Claims) -> None:
    """One group or array by its metadata."""
    last = name.rsplit("/", 1)[-1]
    if node.get("node_type") == "group" or last == ".zgroup":
        claims.group(name, name.count("/"))
    if node.get("node_type") != "array" and last != ".zarray":
        return
    used = [*node.get("codecs", ()), *(node.get("filters") or ()), *filter(None, [node.get("compressor")])]
    for codec in used:
        called = codec.get("name", codec.get("id")) if isinstance(codec, dict) else codec
        if str(called).removeprefix("numcodecs.") not in CODECS:
            claims.refuse(f"{name!r} needs the codec {called!r}, which is none of {', '.join(sorted(CODECS))}")
    try:
        size = prod(int(n) for n in node["shape"]) * _item_size(node)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{claims.path} is damaged: {name!r} has no shape or type ({error!r}).") from error
    claims.array(name, size)


def _item_size(node: dict[str, Any]) -> int:
    """Bytes of one element, roughly where they vary."""
    kind = node.get("data_type", node.get("dtype"))
    if isinstance(kind, dict):
        settings = kind.get("configuration", {})
        return int(settings.get("length_bytes", 8))
    try:
        return max(1, np.dtype(str(kind)).itemsize)
    except TypeError:
        return 8


def _seal(folder: Path, order: Mapping[str, Sequence[str]]) -> None:
    """Note the digest of every part in the root's metadata, and there also that of the metadata itself."""
    root = folder / ROOT
    if not root.exists():
        return  # the format's second version has no place that other programs would not show
    node = json.loads(root.read_bytes())
    before = node.get("attributes", {})
    attrs = without_seal(before)
    attrs[ORDER] = order_of(before) | {group: [*names] for group, names in order.items()}
    attrs[PARTS] = {name: _digest(file.read_bytes()) for name, file in sorted(_files(folder)) if name != ROOT}
    node["attributes"] = attrs
    attrs[OWN] = _digest_of_root(node)
    root.write_text(json.dumps(node, indent=1))


def _check_seal(path: Path, parts: Parts) -> None:
    node = _json(path, ROOT, parts[ROOT][1]())
    attrs = node.get("attributes", {})
    if not isinstance(attrs, dict) or not {PARTS, OWN} & attrs.keys():
        return  # another program's
    noted = attrs.get(PARTS)
    if not isinstance(noted, dict) or attrs.get(OWN) != _digest_of_root(node):
        raise _damaged(path, f"{ROOT!r} is not what was saved")
    there = parts.keys() - {ROOT}
    for name in sorted(noted.keys() - there):
        raise _damaged(path, f"{name!r} is missing")
    for name in sorted(there - noted.keys()):
        raise _damaged(path, f"{name!r} was not saved with it")
    for name in sorted(noted):
        if _digest(parts[name][1]()) != noted[name]:
            raise _damaged(path, f"{name!r} is not what was saved")


def _damaged(path: Path, what: str) -> DataError:
    return DataError(f"{path} is damaged: {what}. Take a copy, or sample again.")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest_of_root(node: dict[str, Any]) -> str:
    """Of the root's metadata, without this digest itself."""
    attrs = {name: value for name, value in node["attributes"].items() if name != OWN}
    return _digest(json.dumps({**node, "attributes": attrs}, sort_keys=True).encode())
