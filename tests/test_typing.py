"""What a type checker makes of finetti in a user's program, and that it sees the names Python sees."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import finetti

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "finetti"
PROGRAMS = ROOT / "tests" / "typing"


@pytest.fixture(scope="module")
def complaints(tmp_path_factory) -> dict[str, dict[int, str]]:
    """What `mypy --strict` says about the programs of `tests/typing`, by file and line."""
    options = ("--strict", "--config-file=", "--follow-imports=silent", "--no-error-summary", "--hide-error-context")
    cache = f"--cache-dir={tmp_path_factory.mktemp('mypy')}"
    files = [str(path.relative_to(ROOT)) for path in sorted(PROGRAMS.glob("*.py"))]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, cache, *files],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, "MYPYPATH": str(PACKAGE.parent)},
    )  # fmt: skip
    assert not done.stderr, done.stderr
    found: dict[str, dict[int, str]] = {Path(file).name: {} for file in files}
    for path, line, text in re.findall(r"^(.+?):(\d+): error: (.*)$", done.stdout, re.MULTILINE):
        found.setdefault(Path(path).name, {})[int(line)] = text
    assert done.returncode == (1 if any(found.values()) else 0), done.stdout
    return found


def test_a_program_as_users_write_it_is_accepted(complaints):
    assert complaints["user_program.py"] == {}


def test_mistakes_are_found_and_nothing_else(complaints):
    lines = (PROGRAMS / "user_mistakes.py").read_text().splitlines()
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    found = complaints["user_mistakes.py"]
    assert len(wrong) > 10
    assert set(found) == wrong, {number: found.get(number, "nothing was said") for number in set(found) ^ wrong}


def test_the_program_uses_names_of_every_room():
    """Else the two tests above would say little; what stays out are distributions, plots and errors like others."""
    used = {n.attr for n in ast.walk(ast.parse((PROGRAMS / "user_program.py").read_text())) if _is_of_pm(n)}
    wanted = {"Model", "Data", "Deterministic", "Potential", "wrap", "math", "plan", "sample", "summary", "set_data"}
    assert wanted | {"load", "Trace", "plot_forest", "plot_pair", "plot_trace", "SamplingError"} <= used


def _is_of_pm(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "pm"


def test_type_checkers_see_the_public_names_and_where_they_are():
    """The imports they read against the table that is followed when a name is first used."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    block = next(n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    imports = [n for n in block.body if isinstance(n, ast.ImportFrom)]
    seen = {alias.asname: (n.module, alias.name) for n in imports for alias in n.names}
    assert seen.pop("math") == ("finetti", "math")
    assert seen == finetti._ATTRIBUTES
    assert set(finetti.__all__) == {*seen, "math", "__version__"}


def test_the_package_says_that_it_is_typed():
    """PEP 561: without this file an installed package's types are not looked at."""
    assert (PACKAGE / "py.typed").exists()
