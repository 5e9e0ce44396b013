"""The peers' own environment, and the facts of the machine that every result carries."""

import hashlib
import json
import os
import platform
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.reference import ROOT

HERE = ROOT / "benchmarks"
OWN_PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "xarray")
PEER_PACKAGES = ("pymc", "nutpie", "pytensor", "numba", "numpyro", "jax", "stanli", "arviz-stats", "numpy")

VERSIONS = """
import importlib.metadata as m, json, platform, sys
def version(name):
    try: return m.version(name)
    except m.PackageNotFoundError: return None
print(json.dumps({"python": platform.python_version()} | {n: version(n) for n in sys.argv[1:]}))
"""


def interpreter(folder: Path) -> Path:
    """The Python of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def peers() -> Path:
    """The peers' Python: that of `FINETTI_PEERS`, else of benchmarks/.peers, made when first needed."""
    given = os.environ.get("FINETTI_PEERS")
    folder = Path(given).resolve() if given else HERE / ".peers"
    complete = folder / "installed.txt"
    wanted = (HERE / "peers.txt").read_text()
    if given and not interpreter(folder).exists():
        raise SystemExit(f"FINETTI_PEERS={given} has no Python at {interpreter(folder)}")
    if given or (complete.exists() and complete.read_text() == wanted):
        return interpreter(folder)
    install(folder)
    complete.write_text(wanted)  # last, so that a broken installation is repeated and a new pin is noticed
    return interpreter(folder)


def install(folder: Path) -> None:
    """Make the environment with the running Python and install the pinned peers."""
    if sys.version_info < (3, 12):
        raise SystemExit(
            "PyMC and nutpie need Python 3.12 or newer: run the benchmarks with one, or set "
            f"FINETTI_PEERS to an environment that has them (this is {platform.python_version()})"
        )
    print(f"installing the peers into {folder}", flush=True)
    venv.create(folder, with_pip=True, clear=True)
    command = [interpreter(folder), "-m", "pip", "install", "--quiet", "-r", HERE / "peers.txt"]
    subprocess.run(command, check=True)


def processor() -> str:
    """The model name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def versions(python: Path, packages: tuple[str, ...]) -> dict[str, str | None]:
    """Versions of Python and of packages in an environment; None for what is absent."""
    done = subprocess.run([python, "-c", VERSIONS, *packages], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def source() -> str:
    """finetti's version and a digest of the source that is measured, installed or not."""
    import finetti

    assert finetti.__file__ is not None
    digest = hashlib.sha256()
    for path in sorted(Path(finetti.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return f"{finetti.__version__}, source {digest.hexdigest()[:10]}"


def facts(peers_python: Path | None) -> dict:
    """What a reader needs to judge the numbers: processor, load, versions."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": processor(),
        "cpus": os.cpu_count(),
        "system": platform.platform(),
        "load_at_start": load,
        "own": {"finetti": source()} | versions(Path(sys.executable), OWN_PACKAGES),
        "peers": versions(peers_python, PEER_PACKAGES) if peers_python else None,
    }
