"""The command `finetti`: argument parsing only."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: words after `finetti`; by default those of this process.

    Returns:
        The exit status: 0, or 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    if options.command is None:
        _parser().print_help()
        return 0
    try:
        _schools(options)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    from finetti import __version__

    parser = argparse.ArgumentParser(prog="finetti", description="Bayesian hierarchical models.")
    parser.add_argument("--version", action="version", version=f"finetti {__version__}")
    commands = parser.add_subparsers(dest="command")
    schools = commands.add_parser("schools", help="the eight schools, from the table to the forest plot")
    schools.add_argument("--output", type=Path, default=Path("demo"), help="folder for the pictures (%(default)s)")
    schools.add_argument("--draws", type=int, default=5000, help="draws of each of four chains (%(default)s)")
    schools.add_argument("--seed", type=int, default=8, help="random seed (%(default)s)")
    schools.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


def _schools(options: argparse.Namespace) -> None:
    from finetti.demo import run

    run(
        output=options.output,
        say=print,
        draws=options.draws,
        random_seed=options.seed,
        progressbar=not options.quiet,
    )
