"""The shape of a NUTS tree: which leaves close which spans, when a span has turned, what is kept to tell.

Nothing here knows of a Hamiltonian. The leaves of a subtree are numbered 0, 1, 2, ... as they are visited; each has a
momentum, and a span of neighbouring leaves is known by the momenta at its ends and the sum of all.

Every leaf n is noted in row popcount(n) of a short table. Leaf n closes one span for each trailing one of n in
binary; the span that opens at the leaf noted in row i has its seam before the leaf noted in row i + 1, for the rows
just below n's own. (The iterative form is Phan, Pradhan, Jankowiak 2019, arXiv 1912.11554, app. A, with the leaf before
each row's kept too, for the checks across the seam.)
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Span(NamedTuple):
    """A run of neighbouring leaves: the momenta at its two ends and the sum of all."""

    first: Any
    last: Any
    total: Any


class Notes(NamedTuple):
    """The table, one row a level, one column a coordinate.

    Args:
        momentum: (level, unconstrained) of the leaf noted.
        previous: (level, unconstrained) of the leaf before it.
        before: (level, unconstrained) sum over the leaves before it.
    """

    momentum: Any
    previous: Any
    before: Any


def row_of(count_ones, leaf):
    """The row in which a leaf is noted; `count_ones` counts the ones of an integer in binary."""
    return count_ones(leaf)


def spans_closed(count_ones, leaf):
    """How many spans end at a leaf: its trailing ones in binary."""
    return count_ones(leaf & ~(leaf + 1))


def halves(notes: Notes, row, last, total) -> tuple[Span, Span]:
    """The two halves of the span that opens at the leaf noted in `row` and ends now.

    Args:
        notes: the table.
        row: where the opening leaf is noted.
        last: momentum of the leaf now visited.
        total: sum of the momenta of all leaves up to it.
    """
    at_seam = notes.before[row + 1]
    left = Span(notes.momentum[row], notes.previous[row + 1], at_seam - notes.before[row])
    right = Span(notes.momentum[row + 1], last, total - at_seam)
    return left, right


def turned(xp, total, first, last):
    """Whether a span goes back on itself: its total momentum against its ends' (Betancourt 2017, app. A.4.2)."""
    return (xp.dot(total, first) <= 0) | (xp.dot(total, last) <= 0)


def turned_when_joined(xp, left: Span, right: Span):
    """Whether two neighbouring spans, joined, have turned: from end to end, and across the seam from either side.

    The two checks across the seam are those Stan added in 2.23: they see a turn that the outer ends miss.
    """
    return (
        turned(xp, left.total + right.total, left.first, right.last)
        | turned(xp, left.total + right.first, left.first, right.first)
        | turned(xp, left.last + right.total, left.last, right.last)
    )


def join(left: Span, right: Span) -> Span:
    """Two neighbouring spans as one."""
    return Span(left.first, right.last, left.total + right.total)
