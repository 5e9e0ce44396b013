"""`python -m finetti` is the command `finetti`."""

from finetti.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
