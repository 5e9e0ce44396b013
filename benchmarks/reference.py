"""The folder of reference posteriors, read in place: `FINETTI_REFERENCE`, else beside the checkout."""

import json
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("FINETTI_REFERENCE") or ROOT.parent / "shared" / "reference")

MISSING = (
    f"the reference posteriors are not at {FOLDER}: set FINETTI_REFERENCE to the folder "
    "that has one folder per posterior, each with data.json and reference.json"
)


def present() -> bool:
    """Whether the folder is there."""
    return (FOLDER / "eight_schools-eight_schools_centered" / "reference.json").exists()


def eight_schools() -> dict[str, list[float]]:
    """Rubin (1981): estimated effect of coaching and its standard error, points of a test score."""
    return {"y": [28, 8, -3, 7, -1, 1, 18, 12], "sigma": [15, 10, 16, 11, 9, 11, 10, 18]}


def data(posterior: str) -> dict:
    """The data of a posterior; those of eight schools need no folder."""
    if posterior.startswith("eight_schools"):
        return eight_schools()
    path = FOLDER / posterior / "data.json"
    if not path.exists():
        raise FileNotFoundError(MISSING)
    return json.loads(path.read_text())


def summaries(posterior: str) -> str | None:
    """The path of a posterior's reference summaries, or None where the folder is absent."""
    path = FOLDER / posterior / "reference.json"
    return str(path) if path.exists() else None
