"""Run all jobs, or those named: `python -m benchmarks [job ...]`; README.md beside this says what each means."""

import argparse
import json
import sys
import time

from benchmarks import (
    centring,
    costs,
    eight_schools,
    first_cell,
    gradients,
    imports,
    logistic,
    many,
    million,
    steps,
    varying,
)
from benchmarks.environment import HERE, facts, peers

JOBS = {
    "imports": imports.job,
    "first_cell": first_cell.job,
    "eight_schools": eight_schools.job,
    "gradients": gradients.job,
    "steps": steps.job,
    "varying": varying.job,
    "million": million.job,
    "logistic": logistic.job,
    "centring": centring.job,
    "costs": costs.job,
    "many": many.job,
}


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="finetti side by side with its peers"
    )
    parser.add_argument(
        "jobs", nargs="*", metavar="job", help=f"any of {', '.join(JOBS)}; all when none is named"
    )
    parser.add_argument("--repetitions", type=int, default=3, help="turns of every job that takes times")
    parser.add_argument("--import-repetitions", type=int, default=40, help="of every interpreter of imports")
    parser.add_argument("--seeds", type=int, default=5, help="fits of every model of gradients, steps and centring")
    parser.add_argument(
        "--only", nargs="*", default=(), help="gradients, steps, centring, varying: what contains one of these"
    )
    given = parser.parse_args()
    unknown = sorted(set(given.jobs) - set(JOBS))
    if unknown:
        parser.error(f"no job named {', '.join(unknown)}: there are {', '.join(JOBS)}")
    return given


def describe(machine: dict) -> str:
    """The machine and the versions in three lines."""
    load = machine["load_at_start"]
    lines = [
        f"{machine['processor']}, {machine['cpus']} CPUs, {machine['system']}"
        + (f", load {load:.1f} at the start" if load is not None else "")
    ]
    for side in ("own", "peers"):
        found = machine[side] or {}
        lines.append(
            f"{side}: " + ", ".join(f"{name} {version or 'absent'}" for name, version in found.items())
        )
    return "\n".join(lines)


def keep(name: str, result: dict, machine: dict) -> None:
    """Write a job's numbers to benchmarks/results."""
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    (folder / f"{name}.json").write_text(
        json.dumps({"when": stamp, "machine": machine} | result, indent=1) + "\n"
    )


def main() -> int:
    """Run the jobs; 1 when a system failed somewhere, after everything else has run."""
    given = parse()
    names = given.jobs or list(JOBS)
    machine = facts(None if set(names) <= {"imports", "costs", "many"} else peers())
    print(describe(machine), flush=True)
    failed = []
    for name in names:
        print(f"\n## {name}\n", flush=True)
        result = JOBS[name](**{key: value for key, value in vars(given).items() if key != "jobs"})
        keep(name, result, machine)
        failed += result.get("errors", [])
    for failure in failed:
        print(f"\n{failure['system']} failed ({failure.get('model', 'eight schools')}):\n{failure['error']}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
