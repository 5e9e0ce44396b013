"""The notebook this library was made for runs as it is, with one word of one line changed: `pymc3` for `finetti`.

Only where the notebook is absent (`FINETTI_SEED`, else `../shared/seed` beside the checkout) is this skipped.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = Path(os.environ.get("FINETTI_SEED") or ROOT.parent / "shared" / "seed") / "eight_schools_notebook.txt"
MARKER = "In [None]:"
pytestmark = pytest.mark.skipif(
    not NOTEBOOK.exists(), reason=f"no notebook at {NOTEBOOK}; FINETTI_SEED names its folder"
)


def cells(text: str) -> list[str]:
    """The code after each marker, up to a heading, to prose, or to the next marker."""
    found = []
    for part in text.split(MARKER)[1:]:
        lines = part.strip("\n").split("\n")
        end = next((i for i, line in enumerate(lines) if _is_prose(lines, i)), len(lines))
        found.append("\n".join(lines[:end]).rstrip())
    return found


def _is_prose(lines: list[str], i: int) -> bool:
    """Prose starts at the left margin after an empty line, with a heading's marks or several words of a sentence."""
    after_gap = i > 0 and not lines[i - 1].strip()
    return after_gap and bool(re.match(r"#{2,} |[A-Z][a-z]* [a-z$]", lines[i]))


@pytest.fixture(scope="module")
def ran() -> list[dict[str, Any]]:
    """What every cell left behind: its names, `trace` among them, and the value of its last line as `_`."""
    namespace: dict[str, Any] = {}
    states = []
    for number, code in enumerate(cells(NOTEBOOK.read_text())):
        np.random.seed(number)  # the notebook simulates data without a seed
        states.append(_run(code.replace("pymc3 as pm", "finetti as pm"), namespace, number))
    return states


def _run(code: str, namespace: dict[str, Any], number: int) -> dict[str, Any]:
    """One cell as a notebook runs it: the last line, if it is an expression, is its value."""
    import ast

    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    name = f"<cell {number}>"
    exec(compile(tree, name, "exec"), namespace)
    value = eval(compile(ast.Expression(last.value), name, "eval"), namespace) if last else None
    return {**namespace, "_": value}


def test_every_code_cell_is_found():
    """Thirteen cells, and not a word of prose among them."""
    found = cells(NOTEBOOK.read_text())
    assert len(found) == NOTEBOOK.read_text().count(MARKER) == 13
    assert sum("pm.sample(" in cell for cell in found) == 4
    assert not any("presume" in cell or "estimates $" in cell for cell in found)


def test_the_four_fits_have_the_draws_asked_for(ran):
    traces = list({id(state["trace"]): state["trace"] for state in ran if "trace" in state}.values())
    assert [t.posterior.sizes["draw"] for t in traces] == [5000, 4000, 4000, 5000]
    for trace in traces:
        assert trace.posterior.sizes["chain"] == 4
        assert trace["theta"].shape == (4 * trace.posterior.sizes["draw"], 8)
        assert trace["tau"].shape == trace["mu"].shape == trace["diverging"].shape == trace["theta"].shape[:1]
        np.testing.assert_allclose(trace["tau_log__"], np.log(trace["tau"]), atol=1e-12)
        assert np.isfinite(trace["theta"]).all() and (trace["tau"] > 0).all()


def test_its_pair_plot_holds_every_draw_and_the_divergent_ones(ran):
    axes = next(state["_"] for state in ran if hasattr(state["_"], "get_title"))
    trace = next(state["trace"] for state in ran if "trace" in state)
    every, divergent = axes.lines
    assert len(every.get_xdata()) == 20_000
    assert len(divergent.get_xdata()) == trace["diverging"].sum()
    np.testing.assert_array_equal(every.get_ydata(), trace["tau_log__"])


def test_its_summaries_have_a_row_for_each_scalar(ran):
    """The notebook sets no seed; 0.4 is 12 Monte Carlo standard errors of the mean of tau."""
    tables = [state["_"] for state in ran if hasattr(state["_"], "verdict")]
    schools = [f"theta[{i}]" for i in range(8)]
    assert [sorted(t.index) for t in tables] == [
        sorted(["mu", "tau", *schools]), ["mu", "tau"], ["mu", "tau"], sorted(["mu", "tau", *schools])
    ]  # fmt: skip
    assert tables[-1].loc["tau", "mean"] == pytest.approx(3.6, abs=0.4)


def test_its_last_cell_draws_a_forest_of_eight_schools(ran):
    axes = ran[-1]["_"]
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"theta[{i}]" for i in range(8)]
