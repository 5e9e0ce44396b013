"""What the scripts of all systems share: arguments, clocks and the JSON line they print.

A system's script hands `main` two functions. `load()` imports the library. `fits(job, library, watch)`
builds the model and yields one `Fit` per seed. The clock that counts starts in the parent, just before
it spawns the process, so that the interpreter's own start is in every number.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SPAWNED = "BENCHMARK_SPAWNED"  # environment variable: the parent's clock, in seconds, when it spawned us


@dataclass(frozen=True, kw_only=True)
class Job:
    """One model to fit, as often as there are seeds."""

    model: str
    draws: int
    tune: int
    chains: int
    cores: int
    target_accept: float | None
    seeds: tuple[int, ...]
    options: dict[str, Any]
    profile: bool

    @property
    def peers_target(self) -> float:
        """The acceptance that peers tune to; 0.8 is their own default."""
        return 0.8 if self.target_accept is None else self.target_accept


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Draws, what they cost, and the system's own summary as a function still to be called.

    `draws` maps a name to an array (chain, draw, ...). The gradients are leapfrog steps summed over the
    chains; None where the system does not count them. `seconds` are this fit's own, by phase; `sampling` is
    everything between the compiled model and draws of every variable.
    """

    draws: dict[str, Any]
    summarise: Callable[[], Any]
    gradients_warmup: int | None = None
    gradients_sampling: int | None = None
    divergences: int | None = None
    sampler: str = "nuts"
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass
class Stopwatch:
    """Seconds spent per named phase, and in the phase that ended last."""

    seconds: dict[str, float] = field(default_factory=dict)
    last: float = 0.0

    @contextmanager
    def __call__(self, phase: str):
        start = time.monotonic()
        yield
        self.last = time.monotonic() - start
        self.add(phase, self.last)

    def add(self, phase: str, seconds: float) -> None:
        """Count seconds that the library measured itself."""
        self.seconds[phase] = self.seconds.get(phase, 0.0) + float(seconds)


def since_spawn() -> float:
    """Seconds since the parent spawned this process; the monotonic clock is shared by processes."""
    return time.monotonic() - float(os.environ.get(SPAWNED, "nan"))


def parse() -> tuple[Job, argparse.Namespace]:
    """The job and the rest of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", help="name of the posterior")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--tune", type=int, default=1000)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--target-accept", type=float, help="each system's own default if not given")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--options", type=json.loads, default={}, help="JSON, handed to the system's sampler")
    parser.add_argument("--save", type=Path, help="folder for the draws: <seed>.npz, one array per variable")
    parser.add_argument("--profile", action="store_true", help="time what a plain run does not tell apart")
    parser.add_argument("--import-only", action="store_true", help="stop after the import")
    given = parser.parse_args()
    names = ("model", "draws", "tune", "chains", "cores", "target_accept", "options", "profile")
    return Job(**{name: getattr(given, name) for name in names}, seeds=tuple(given.seeds)), given


def save(folder: Path | None, seed: int, draws: dict[str, Any]) -> str | None:
    """Write the draws where the parent can read them."""
    if folder is None:
        return None
    import numpy as np  # after the clocks: no system pays for another's NumPy

    path = folder / f"{seed}.npz"
    np.savez(path, **{name: np.asarray(values) for name, values in draws.items()})
    return str(path)


def record(seed: int, fit: Fit, folder: Path | None) -> dict[str, Any]:
    """What one fit adds to the JSON line."""
    counts = ("gradients_warmup", "gradients_sampling", "divergences", "sampler", "seconds")
    return {"seed": seed, "draws": save(folder, seed, fit.draws)} | {
        name: getattr(fit, name) for name in counts
    }


def main(*, system: str, load: Callable, fits: Callable) -> None:
    """Run the job of the command line; the first fit is the one whose clocks are reported."""
    watch = Stopwatch({"start": since_spawn()})
    job, given = parse()
    with watch("import"):
        library = load()
    if given.import_only:
        return
    clocks, records, before = {}, [], None
    for seed, fit in zip(job.seeds, fits(job, library, watch), strict=True):
        if not clocks:
            clocks["to_draws"], before = since_spawn(), dict(watch.seconds)
            fit.summarise()
            clocks["to_summary"] = since_spawn()
        records.append(record(seed, fit, given.save))
    print(json.dumps({"system": system, "model": job.model, "seconds": before | clocks, "fits": records}))
