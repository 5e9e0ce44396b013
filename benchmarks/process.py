"""Systems in fresh processes, on a fixed number of cores, with caches of their own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.environment import peers
from benchmarks.reference import ROOT
from benchmarks.systems.harness import SPAWNED


@dataclass(frozen=True)
class System:
    """A script of `benchmarks.systems`, whose environment it runs in, and what its sampler is told."""

    name: str
    module: str
    own: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def python(self) -> str:
        """The interpreter to run it with: the running one for finetti, the peers' for the rest."""
        return sys.executable if self.own else str(peers())


def cache_variables(folder: Path) -> dict[str, str]:
    """Every compile cache a system keeps, in one folder: empty is a cold start, filled a warm one."""
    return {
        "XDG_CACHE_HOME": str(folder / "xdg"),
        "PYTENSOR_FLAGS": f"base_compiledir={folder / 'pytensor'}",
        "NUMBA_CACHE_DIR": str(folder / "numba"),
    }


def jax_cache_variables(folder: Path) -> dict[str, str]:
    """JAX's own cache, which NumPyro leaves off unless told; turned on here, in NumPyro's favour."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(folder / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def environment(system: System, cache: Path | None) -> dict[str, str]:
    """The variables of the process, without the clock. Sources are compiled once, as an installer compiles them."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if cache is not None:
        variables |= cache_variables(cache)
        variables |= {} if system.own else jax_cache_variables(cache)
    return variables


def pin(cores: int):
    """A function that binds the process about to start to the first `cores` of ours, where that exists."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    chosen = sorted(os.sched_getaffinity(0))[:cores]
    return lambda: os.sched_setaffinity(0, chosen)


def spawn(command: Sequence[str], *, variables: dict[str, str], cores: int) -> tuple[float, Any]:
    """Seconds from spawn to exit, and the finished process."""
    start = time.monotonic()
    done = subprocess.run(
        command,
        env=variables | {SPAWNED: repr(start)},
        cwd=ROOT,
        preexec_fn=pin(cores),
        capture_output=True,
        text=True,
        check=False,
    )
    return time.monotonic() - start, done


def run(
    system: System, model: str, arguments: Sequence[str], *, cores: int, cache: Path | None = None
) -> dict:
    """One fresh process of a system: its JSON line plus the process's seconds, or {"error": ...}."""
    options = ["--options", json.dumps(system.options), "--cores", str(cores)]
    command = [system.python, "-m", f"benchmarks.systems.{system.module}", model, *arguments, *options]
    seconds, done = spawn(command, variables=environment(system, cache), cores=cores)
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"system"')]
    if done.returncode or not lines:
        return {"system": system.name, "error": "\n".join(done.stderr.splitlines()[-12:])}
    result = json.loads(lines[-1])
    return result | {"system": system.name, "seconds": result["seconds"] | {"process": seconds}}


def prime(system: System, *, cores: int) -> None:
    """Import once unmeasured, so that byte code is compiled and files are in memory for everyone."""
    command = [system.python, "-m", f"benchmarks.systems.{system.module}", "none", "--import-only"]
    spawn(command, variables=environment(system, None), cores=cores)


def effective_sizes(items: list[dict]) -> list[dict]:
    """Effective sample sizes of saved draws, computed in the peers' environment."""
    if not items:
        return []
    done = subprocess.run(
        [peers(), "-m", "benchmarks.ess"],
        input=json.dumps(items),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"effective sample sizes could not be computed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)
