"""JAX as this library needs it: loaded late, in float64, with a compile cache on disk."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path

from finetti.errors import SamplingError
from finetti.interrupts import held

# Below 0.12 XLA leaves larger loops on the CPU to a slow interpreter of thunks unless told to compile them whole.
_WHOLE_LOOPS = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1000000000"
_OFF = {"0", "off", "no", "none", "false"}


def load_jax():
    """The `jax` module, ready: loop flag set where the version needs it, compile cache on.

    Raises:
        SamplingError: in a child made by `fork` of a process that has used JAX: its threads are gone there, and the
            first array would wait for them forever.
    """
    if _loaded and _loaded[0] != os.getpid():
        raise SamplingError(
            "This process was made by fork after NUTS had run in its parent, and JAX, which NUTS uses, does not "
            'survive a fork. Start processes with `multiprocessing.get_context("spawn")` (joblib\'s default "loky" '
            "does), or sample in the parent only after the children have been made."
        )
    with held():  # half an import can't be repaired
        jax = _ready_jax()
    _loaded[:] = [os.getpid()]
    return jax


_loaded: list[int] = []  # the process in which JAX was loaded


@lru_cache(maxsize=1)
def _ready_jax():
    _set_loop_flag()
    import jax

    jax.config.update("jax_cpu_enable_async_dispatch", False)  # a chunk is waited for at once: no hand-over to a thread
    folder = cache_folder()
    if folder is not None and jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return jax


def slow_loops() -> str:
    """A sentence for the plan where loops run slower than they could: JAX had started before, without the flag."""
    if not _too_late:
        return ""
    return (
        "JAX had run something before the first chain, so that this process runs loops several times slower than it "
        f"could: sample before that, or set XLA_FLAGS={_WHOLE_LOOPS} before Python starts"
    )


_too_late: list[bool] = []  # whether JAX had started when the flag was to be set


def _set_loop_flag() -> None:
    """Only before JAX has started: afterwards the flag would be read by nobody, or by a child of this process."""
    from importlib.metadata import version

    flags = os.environ.get("XLA_FLAGS", "")
    old = tuple(int(part) for part in version("jax").split(".")[:2]) < (0, 12)
    if not old or "xla_backend_extra_options" in flags:
        return
    if _has_started():
        _too_late.append(True)
    else:
        os.environ["XLA_FLAGS"] = f"{flags} {_WHOLE_LOOPS}".strip()


def _has_started() -> bool:
    """Whether JAX, which reads its flags when it makes its first array and not when it is imported, has made one."""
    if "jax" not in sys.modules:
        return False
    try:
        from jax._src.xla_bridge import backends_are_initialized
    except ImportError:  # not public: another version may have it elsewhere
        return True
    return backends_are_initialized()


def cache_folder() -> Path | None:
    """Where compiled programs are kept: FINETTI_CACHE, else the user's cache folder; None where it is turned off.

    The folder's name holds the versions and the processor, for a program compiled elsewhere may not run here.
    """
    setting = os.environ.get("FINETTI_CACHE", "")
    if setting.lower() in _OFF:
        return None
    base = Path(setting) if setting else _user_cache() / "finetti"
    folder = base / _build_name()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _build_name() -> str:
    from hashlib import sha256
    from importlib.metadata import version

    features = sha256(_processor().encode()).hexdigest()[:12]
    return f"jax-{version('jax')}-jaxlib-{version('jaxlib')}-{features}"


def _processor() -> str:
    """What the processor can do, as far as the system tells without a further package."""
    import platform

    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return f"{platform.machine()} {platform.processor()}"
