"""The tutorials run, the code on every page runs, and so do the examples in docstrings, which no public name lacks."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import os
import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from scipy import stats

import finetti

matplotlib.use("Agg")

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
README = ROOT / "README.md"
ERRORS = ("FinettiError", "ModelError", "ShapeError", "DataError", "UnknownNameError", "SamplingError", "ArgumentError")
PUBLIC = [name for name in finetti.__all__ if name not in ("__version__", "math", *ERRORS)]
FUNCTIONS = [name for name in PUBLIC if inspect.isfunction(getattr(finetti, name))]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
MODULES = sorted(p for p in (ROOT / "src").rglob("*.py") if ">>> " in p.read_text())
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_a_tutorial_runs_as_a_notebook(path, tmp_path, monkeypatch):
    """Every cell, in a fresh kernel of this interpreter; tables and pictures come out."""
    import jupytext
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    _kernel_of_this_interpreter(tmp_path, monkeypatch)
    notebook = jupytext.read(path)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    assert "text/html" in kinds
    assert kinds.count("image/png") == sum(cell.source.count("ft.plot_") for cell in notebook.cells)
    assert not [o for o in outputs if o.output_type == "error" or "Warning" in o.get("text", "")]


def _kernel_of_this_interpreter(folder: Path, monkeypatch) -> None:
    """A kernel named python3, so that whichever the machine has under this name is not taken."""
    import json
    import sys

    kernel = folder / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.joinpath("kernel.json").write_text(
        json.dumps({"argv": command, "display_name": "Python 3", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(folder / "jupyter"))


def test_there_is_a_tutorial():
    assert [path.stem for path in EXAMPLES]


def test_the_readmes_code_runs(tmp_path, monkeypatch):
    """All of it in order, in one namespace, as a reader would paste it."""
    monkeypatch.chdir(tmp_path)
    assert FENCE.search(README.read_text())
    _run_page(README, {"__name__": "readme"})


@pytest.mark.parametrize("path", PAGES, ids=[path.stem for path in PAGES])
def test_the_code_of_a_page_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _run_page(path, {"__name__": path.stem})


def test_the_class_written_for_contributors_runs_where_it_says_it_belongs(monkeypatch):
    """It takes its namesake's place and has the same density."""
    from finetti.distributions import real
    from finetti.distributions.base import REGISTRY

    monkeypatch.setitem(REGISTRY, "Laplace", REGISTRY["Laplace"])  # put back afterwards
    namespace = dict(vars(real))
    _run_page(ROOT / "CONTRIBUTING.md", namespace)
    written, x = namespace["Laplace"], np.linspace(-3, 3, 7)
    assert written is not real.Laplace
    np.testing.assert_allclose(written.log_density(np, x, 1.0, 2.0), stats.laplace.logpdf(x, 1.0, 2.0))


def _run_page(path: Path, namespace: dict) -> None:
    for number, code in enumerate(FENCE.findall(path.read_text())):
        exec(compile(code, f"{path.name}, block {number + 1}", "exec"), namespace)


def test_all_is_every_name_the_package_gives():
    assert set(finetti.__all__) == set(dir(finetti))


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_names_docstring_begins_with_one_sentence_and_has_an_example(name):
    text = inspect.getdoc(getattr(finetti, name)) or ""
    first = text.split("\n\n")[0]
    assert first.endswith(".") and not re.search(r"\.\s+[A-Z]", first), f"not one sentence: {first!r}"
    assert doctest.DocTestParser().get_examples(text), "no example"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_functions_docstring_names_its_arguments_results_and_errors(name):
    function = inspect.unwrap(getattr(finetti, name))
    text = inspect.getdoc(function) or ""
    returns = inspect.signature(function).return_annotation
    assert "Returns:" in text or returns in (None, "None"), "no word on what it returns"
    described = text.partition("Args:")[2].partition("Returns:")[0]
    missing = [p for p in inspect.signature(function).parameters if not re.search(rf"\b{p}\b", described)]
    assert not missing, f"Args: leaves out {missing}"
    assert "Raises:" in text or not _raises(function), "no word on what it raises"


def _raises(function) -> bool:
    """Whether the function itself, not what it calls, has a `raise`."""
    tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(function)))
    return any(isinstance(node, ast.Raise) and node.exc is not None for node in ast.walk(tree))


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_names_examples_run(name, tmp_path, monkeypatch):
    """In the namespace of the module it stands in, methods included."""
    monkeypatch.chdir(tmp_path)
    value = getattr(finetti, name)
    module = inspect.getmodule(value)
    _run_examples(doctest.DocTestFinder().find(value, name, module=module, globs=dict(vars(module))))


@pytest.mark.parametrize("path", MODULES, ids=[path.stem for path in MODULES])
def test_a_modules_other_examples_run(path, tmp_path, monkeypatch):
    """Those of names that are not public."""
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(".".join(path.relative_to(ROOT / "src").with_suffix("").parts))
    public = {f"{module.__name__}.{getattr(finetti, name).__name__}" for name in PUBLIC}
    found = doctest.DocTestFinder().find(module, globs=dict(vars(module)))
    _run_examples([t for t in found if not any(f"{t.name}.".startswith(f"{name}.") for name in public)])


def _run_examples(found: list[doctest.DocTest]) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    report: list[str] = []
    for test in found:
        runner.run(test, out=report.append)
    assert runner.failures == 0, "".join(report)


@pytest.mark.parametrize("name", ERRORS)
def test_errors_say_when_they_are_raised(name):
    error = getattr(finetti, name)
    assert issubclass(error, finetti.FinettiError) and inspect.getdoc(error)
