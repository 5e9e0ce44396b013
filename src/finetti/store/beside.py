"""Writing beside what is there and putting it in its place at the end, so that a failure leaves the old one whole."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

LOOKS, STAYS, PAUSE = 200, 6, 0.05  # looks at most, how many in a row find it away, and seconds between


@contextmanager
def beside(target: Path, *, copied: bool = False) -> Iterator[Path]:
    """A path in the same folder to write to; it takes the target's place when the block ends without an error.

    After an error what was written is removed, and the target is as it was. After the end of the process itself
    something named `.<target>.<random>.part` may be left.

    Args:
        target: a file, or a folder; through a link, what that leads to.
        copied: whether to begin with a copy of what is there.

    Yields:
        The path, with nothing at it, or with the copy.

    Raises:
        OSError: no such folder, or something in the way that must not be replaced.
    """
    target = Path(os.path.realpath(target))  # through links: what they lead to is replaced, not they
    _check_target(target)
    part = target.with_name(f".{target.name}.{uuid4().hex[:8]}.part")
    try:
        if copied and target.exists():
            (shutil.copytree if target.is_dir() else shutil.copy2)(target, part)
        yield part
        if target.is_file():
            shutil.copymode(target, part)
        _put(part, target)
    except OSError as error:
        _remove_for_good(part)
        raise _told(error, target) from error
    except BaseException:
        _remove_for_good(part)
        raise


def _check_target(target: Path) -> None:
    """Refuse what renaming would replace although writing to it would fail, or do something else."""
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "There is no such folder to save to", str(target.parent))
    if target.exists() and not (target.is_file() or target.is_dir()):
        raise OSError(errno.EINVAL, "A pipe, a socket or a device is no place for a saved trace", str(target))
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "It is there and must not be written", str(target))


def _told(error: OSError, target: Path) -> OSError:
    """The error with the name that the user knows, and what became of what was there."""
    if error.errno is None:
        return error
    left = "what was there before is whole" if target.exists() else "nothing was written"
    words = f"{os.strerror(error.errno)}; {left}, and the draws are still in memory"
    return type(error)(error.errno, words, str(target))


def _put(part: Path, target: Path) -> None:
    """Give the target's name to what was written; a folder, which nothing replaces in one step, is moved away first."""
    if not (target.is_dir() or part.is_dir()) or not target.exists():
        os.replace(part, target)
        return
    before = target.with_name(f".{target.name}.{uuid4().hex[:8]}.before")
    os.rename(target, before)
    try:
        os.rename(part, target)
    except OSError:
        os.rename(before, target)
        raise
    _remove(before)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _remove_for_good(path: Path) -> None:
    """Remove what a failed write has left; a folder until it stays away, for other threads may still be writing."""
    folder, away = path.is_dir(), 0
    _remove(path)
    for _ in range(LOOKS if folder else 0):
        time.sleep(PAUSE)
        away = 0 if path.exists() else away + 1
        if away == STAYS:
            return
        _remove(path)
