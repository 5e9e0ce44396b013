"""How the house is built: who may import whom, what an import costs, and how long files and functions may grow."""

from __future__ import annotations

import ast
import os
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import finetti

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "finetti"
FILES = sorted(SOURCE.rglob("*.py"))
ROOMS = (
    ("errors", "hints", "calls", "interrupts"), ("model", "math"), ("distributions",), ("rebuilding",),
    ("coordinates",), ("reductions",), ("density",), ("engines",), ("planning",),
    ("schema", "store"), ("trace", "collect", "rescue"), ("diagnostics",), ("sampling",), ("many",), ("plots",),
    ("demo",), ("cli", "__main__"),
)  # fmt: skip
FLOOR = {room: number for number, rooms in enumerate(ROOMS) for room in rooms}
MAX_FILE, MAX_FUNCTION = 400, 60


def name_of(path: Path) -> str:
    """`finetti.model.graph` for its file."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


def room(module: str) -> str:
    """The first word below `finetti`."""
    return module.split(".")[1]


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Modules of this package that a file imports: name, line, whether at its head, also for type checkers alone."""
    for node, at_load in _import_statements(ast.parse(path.read_text()), at_load=True):
        for module in _named(node):
            if module.split(".")[0] == "finetti":
                yield module, node.lineno, at_load


def _import_statements(tree: ast.AST, *, at_load: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, at_load
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _import_statements(node, at_load=at_load)
        else:
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _import_statements(node, at_load=at_load and not inside)


def _named(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The modules an import statement names; `from finetti.model import build` names `finetti.model.build`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert node.level == 0, "relative imports hide where an arrow leads"
    parts = [f"{node.module}.{alias.name}" for alias in node.names]
    return [part if part in MODULES else str(node.module) for part in parts]


def test_every_file_has_its_room():
    strangers = [module for module in MODULES if module != "finetti" and room(module) not in FLOOR]
    assert not strangers, f"{strangers}: give them a place in ROOMS, and in docs/architecture.md"


@pytest.mark.parametrize("module", [m for m in MODULES if m != "finetti"])
def test_nothing_imports_what_stands_to_its_right(module):
    """Imports inside functions count as well; only `finetti` itself, for its version, may be named from anywhere."""
    wrong = [
        f"line {line}: {imported}"
        for imported, line, _ in imports(MODULES[module])
        if imported != "finetti" and FLOOR[room(imported)] > FLOOR[room(module)]
    ]
    assert not wrong, f"{module} imports from a room further along: {wrong}"


def test_only_the_demo_and_the_command_use_the_public_names():
    """Elsewhere the package itself may be named for its version, and for `plan` by `Model.plan`: it leads to all."""
    for module, path in MODULES.items():
        whole = [line for imported, line, _ in imports(path) if imported == "finetti"]
        if whole and module != "finetti" and room(module) not in ("demo", "cli", "__main__"):
            names = {n.attr for n in ast.walk(ast.parse(path.read_text())) if _is_of_finetti(n)}
            allowed = {"__version__", "plan"} if module == "finetti.model.context" else {"__version__"}
            assert names <= allowed, f"{module} uses {names} of finetti"


def _is_of_finetti(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "finetti"


def test_no_modules_import_each_other_in_a_circle():
    """Of imports at the head of files, those for type checkers among them; but operators say that they make nodes."""
    arrows = {m: {i for i, _, at_load in imports(path) if at_load and i in MODULES} for m, path in MODULES.items()}
    arrows = {module: targets - {module, "finetti"} for module, targets in arrows.items()}
    arrows["finetti.model.operators"] -= {"finetti.model.graph"}
    while free := [module for module, targets in arrows.items() if not targets & arrows.keys()]:
        for module in free:
            del arrows[module]
    assert not arrows, f"a circle among {sorted(arrows)}"


def loaded_after(code: str) -> set[str]:
    """Top-level packages in memory after `code` has run in a fresh interpreter."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE.parent)}
    report = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True, env=environment)
    return set(done.stdout.split())


def test_importing_costs_next_to_nothing():
    heavy = {"jax", "scipy", "xarray", "pandas", "matplotlib", "numpy", "rich"}
    assert not loaded_after("import finetti") & heavy


def test_the_first_cell_needs_neither_scipy_nor_jax():
    """Their imports would cost more than its draws."""
    code = """
import finetti as pm
with pm.Model():
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
    theta = pm.Normal("theta", mu, tau, shape=3)
    pm.Normal("y", theta, [15, 10, 16], observed=[28, 8, -3])
    str(pm.summary(pm.sample(100, random_seed=1)))
"""
    found = loaded_after(code)
    assert "xarray" in found and not found & {"jax", "scipy", "matplotlib"}


def test_writing_and_printing_a_model_needs_numpy_alone():
    code = """
import finetti as pm
with pm.Model(coords={"school": ["A", "B"]}) as model:
    mu = pm.Normal("mu", 0, 5)
    tau = pm.HalfCauchy("tau", 5)
    theta = pm.Normal("theta", mu, tau, dims="school")
    y = pm.Normal("y", theta, [15, 10], observed=[28, 8])
str(model)
"""
    found = loaded_after(code)
    assert "numpy" in found
    assert not found & {"jax", "xarray", "pandas", "matplotlib", "rich"}


def test_the_version_is_written_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    version = project["project"].get("version")
    if version is None:
        assert project["tool"]["hatch"]["version"]["path"] == "src/finetti/__init__.py"
    else:
        assert version == finetti.__version__


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(SOURCE)) for p in FILES])
def test_files_and_functions_stay_short(path):
    """A function's docstring is not counted."""
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= MAX_FUNCTION, f"{node.name} has {lines} lines"


def test_every_public_name_is_there():
    for name in finetti.__all__:
        assert getattr(finetti, name) is not None
    assert len(set(finetti.__all__)) == len(finetti.__all__)
    with pytest.raises(AttributeError, match="Normall"):
        finetti.Normall  # noqa: B018


def test_faults_to_be_planted_have_their_place():
    """Those that `make validate` plants, each in a line that the source still has, once."""
    known = runpy.run_path(str(ROOT / "tests" / "validation" / "planted.py"))["FAULTS"]
    lost = [name for name, fault in known.items() if (SOURCE / fault.file).read_text().count(fault.old) != 1]
    assert not lost, f"plant them anew: {lost}"
