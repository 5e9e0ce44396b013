"""A process of a system that fits one model with several seeds, and the sample sizes of its draws."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.process import System, effective_sizes, run

CORES = 2
SETTINGS = ("--draws", "1000", "--tune", "1000", "--chains", "4")
SUSPECT = 4.5  # standard errors between two means, beyond which a fit is marked


def fitted(
    system: System, model: str, seeds: Sequence[int], folder: Path, *, cache: Path | None = None, profile: bool = False
) -> dict:
    """The JSON line of one process, its draws in `folder`."""
    drawn = folder / f"{system.name}-{model}-{seeds[0]}".replace(" ", "_").replace(",", "")
    drawn.mkdir(parents=True)
    arguments = [*SETTINGS, "--seeds", *map(str, seeds), "--save", str(drawn), *(["--profile"] if profile else [])]
    return run(system, model, arguments, cores=CORES, cache=cache) | {"model": model}


def add_sizes(
    results: list[dict], *, reference: str | None = None, names: Sequence[str] | None = None, rival: str | None = None
) -> None:
    """Write sample sizes into every fit of every process that ended well, and then remove the draws.

    Args:
        results: of processes that fitted the same posterior.
        reference: path of its reference summaries.
        names: variables looked at; all when None.
        rival: the system whose draws the others' means are held against.
    """
    good = [result for result in results if "error" not in result]
    fits = [(r["system"], fit) for r in good for fit in r["fits"]]
    others = [r["fits"][-1]["draws"] for r in good if r["system"] == rival]
    items = [
        {
            "draws": fit["draws"],
            "reference": reference,
            "names": list(names) if names else None,
            "against": others if system != rival else [],
        }
        for system, fit in fits
    ]
    for (_, fit), sizes in zip(fits, effective_sizes(items), strict=True):
        fit |= sizes
    for _, fit in fits:
        Path(fit["draws"]).unlink()


def gradients(fit: dict) -> int:
    """Leapfrog steps of a fit with its warmup."""
    return fit["gradients_sampling"] + fit["gradients_warmup"]


def per_gradient(fit: dict) -> dict[str, float | None]:
    """Smallest ESS per gradient of the draws and of draws and warmup; None where there was no gradient."""
    sampling = fit["gradients_sampling"]
    return {
        "per_sampling": fit["min_ess"] / sampling if sampling else None,
        "per_total": fit["min_ess"] / gradients(fit) if sampling else None,
    }


def timed(result: dict) -> list[dict]:
    """The fits whose clocks count: a process's first also pays for what is imported late."""
    return result["fits"][1:] or result["fits"]


def rate(fit: dict) -> float:
    """Smallest ESS per second of sampling."""
    return fit["min_ess"] / fit["seconds"]["sampling"]


def per_leapfrog(fit: dict) -> float | None:
    """Microseconds of one core per leapfrog step."""
    steps = gradients(fit)
    return 1e6 * CORES * fit["seconds"]["chain"] / steps if steps else None
