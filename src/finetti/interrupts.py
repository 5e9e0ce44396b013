"""Ctrl-C kept until a place where it can be raised: inside a compiler or a library it is lost, or ends the process."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INSISTS = 3  # times Ctrl-C is pressed until it is raised wherever that is

_held = threading.Lock()  # by the outermost `held`
_pressed: list[int] = []


@contextmanager
def held() -> Iterator[None]:
    """Keep Ctrl-C back; it is raised by `check`, or at the end of the outermost of these.

    Does nothing outside the main thread, and where the program handles Ctrl-C itself.

    Raises:
        KeyboardInterrupt: at the end, if Ctrl-C was pressed and not raised before.
    """
    if not _is_pythons() or not _held.acquire(blocking=False):
        yield
        return
    _pressed.clear()
    signal.signal(signal.SIGINT, _note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _held.release()
    check()


def check() -> None:
    """Raise a Ctrl-C that was kept back, in the main thread.

    Raises:
        KeyboardInterrupt: if there is one.
    """
    if _pressed and threading.current_thread() is threading.main_thread():
        _pressed.clear()
        raise KeyboardInterrupt


def forget() -> None:
    """Let a Ctrl-C go that came too late to matter."""
    _pressed.clear()


def _note(*_: Any) -> None:
    _pressed.append(1)
    if len(_pressed) >= INSISTS:
        _pressed.clear()
        raise KeyboardInterrupt


def _is_pythons() -> bool:
    """Whether Ctrl-C would be raised here, by Python itself."""
    main = threading.current_thread() is threading.main_thread()
    return main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
