"""What integrating latents out costs against what it saves: seconds foretold from sizes alone, the same each time.

`python -m benchmarks costs` holds them against the clock. They are meant to be right within a factor of three, which
changes no decision on a textbook model.
"""

from __future__ import annotations

from collections.abc import Iterable

from finetti.model.graph import Node, ancestors
from finetti.reductions.linear.gaussian import LinearGaussian

PRODUCT = 1.5e-8  # seconds for a product of two columns of rows that differ by key, added up where it belongs
TABLE = 2e-9  # for a known entry of rows whose factors are the same
MULTIPLICATION, ELIMINATION = 2e-11, 1e-10  # for a multiplication in a matrix product, and in a factorisation
NUMBER, AT_LEAST = 1e-9, 5e-6  # for a number that the model as written computes, and for all of it
PROPOSALS = 10_000  # evaluations where few unknowns are left and nothing is compiled
GRADIENTS = 2 * 2000 * 8  # two chains after one another, along a posterior without the latents
GRADIENTS_WRITTEN = 2 * 2000 * 60  # likewise among all latents, where trees are deeper
BEARABLE = 120.0  # seconds that exact draws are worth in any case


def seconds_of(block: LinearGaussian) -> float:
    """Of one evaluation of a block's marginal density."""
    slots, groups = block.layout.grid.shape
    border = len(block.layout.border)
    products = sum(rows.products.size for rows in block.varying)
    table = int((block.shared.table != 0).sum())
    multiplied = MULTIPLICATION * groups * slots * (slots * border + border**2)
    eliminated = ELIMINATION * (groups * slots**3 + border**3) / 3
    return PRODUCT * products + TABLE * table + multiplied + eliminated


def seconds_as_written(roots: Iterable[Node]) -> float:
    """Of one evaluation of the density of the model as it is written."""
    return AT_LEAST + NUMBER * sum(node.size for node in ancestors(roots))


def too_dear(block: LinearGaussian, left: int, roots: Iterable[Node], *, few: int) -> str:
    """Why a block is not worth what it costs; empty where it is.

    Args:
        block: of the members that would be integrated out.
        left: unconstrained coordinates that would be left.
        roots: the model's variables and potentials.
        few: how many may be left for draws without a compiled chain.
    """
    once = seconds_of(block)
    cost = once * (PROPOSALS if left <= few else GRADIENTS)
    if cost <= BEARABLE or cost <= seconds_as_written(roots) * GRADIENTS_WRITTEN:
        return ""
    return f"integrated out it would cost about {_rounded(once)} an evaluation, more than it saves"


def _rounded(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{1000 * seconds:.0f} ms"
