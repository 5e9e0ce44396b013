"""The logic of the tree on plain numbers: aligned blocks of integers, and sums of arbitrary momenta."""

import numpy as np
import pytest

from finetti.engines.nuts import tree
from finetti.engines.nuts.tree import Notes, Span

DEPTHS = range(1, 9)


def blocks_ending_at(leaf: int) -> list[range]:
    """Every aligned block of 2, 4, 8, ... leaves whose last leaf this is, smallest first."""
    sizes = [2**k for k in range(1, 12)]
    return [range(leaf - size + 1, leaf + 1) for size in sizes if leaf >= size - 1 and (leaf + 1) % size == 0]


def noted(momenta: np.ndarray):
    """The table after each leaf of a subtree, with the number of the leaf that each row holds."""
    levels, size = len(momenta).bit_length() + 1, momenta.shape[1]
    notes = Notes(*(np.full((levels, size), np.nan) for _ in range(3)))
    holds, total, previous = [-1] * levels, np.zeros(size), np.full(size, np.nan)
    for leaf, momentum in enumerate(momenta):
        row = tree.row_of(int.bit_count, leaf)
        holds[row] = leaf
        notes.momentum[row], notes.previous[row], notes.before[row] = momentum, previous, total
        total, previous = total + momentum, momentum
        yield leaf, row, notes, list(holds), total


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_leaf_closes_exactly_the_aligned_blocks_that_end_with_it(depth):
    for leaf in range(2**depth):
        assert tree.spans_closed(int.bit_count, leaf) == len(blocks_ending_at(leaf))
    assert tree.spans_closed(int.bit_count, 2**depth - 1) == depth


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_row_holds_what_is_needed_whenever_it_is_needed(depth):
    for leaf, row, _, holds, _ in noted(np.zeros((2**depth, 1))):
        for k, block in enumerate(blocks_ending_at(leaf)):
            assert holds[row - 1 - k] == block[0]
            assert holds[row - k] == block[len(block) // 2]


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_rows_fit_a_table_of_one_row_a_level_and_one_more(depth):
    assert max(tree.row_of(int.bit_count, leaf) for leaf in range(2**depth)) == depth


@pytest.mark.parametrize("depth", DEPTHS)
def test_halves_are_the_two_halves_of_each_closed_block(depth):
    momenta = np.random.default_rng(depth).normal(size=(2**depth, 3))
    for leaf, row, notes, _, total in noted(momenta):
        for k, block in enumerate(blocks_ending_at(leaf)):
            halves = tree.halves(notes, row - 1 - k, momenta[leaf], total)
            middle = len(block) // 2
            for span, part in zip(halves, (momenta[block[:middle]], momenta[block[middle:]]), strict=True):
                np.testing.assert_array_equal(span.first, part[0])
                np.testing.assert_array_equal(span.last, part[-1])
                np.testing.assert_allclose(span.total, part.sum(axis=0), atol=1e-12)


def spans(momenta: np.ndarray) -> tuple[Span, Span]:
    middle = len(momenta) // 2
    return tuple(Span(part[0], part[-1], part.sum(axis=0)) for part in (momenta[:middle], momenta[middle:]))


def turned_by_hand(momenta: np.ndarray) -> bool:
    """All momenta, then one half with the first leaf of the other: the sum may point against neither end."""
    middle = len(momenta) // 2
    stretches = [momenta, momenta[: middle + 1], momenta[middle - 1 :]]
    return any(stretch.sum(axis=0) @ end <= 0 for stretch in stretches for end in (stretch[0], stretch[-1]))


def random_walks(count: int):
    """Slowly turning sequences of momenta, about half of which have turned."""
    rng = np.random.default_rng(12)
    for _ in range(count):
        steps = rng.normal(size=(2 ** rng.integers(1, 5), rng.integers(1, 4)))
        yield 0.4 * rng.normal(size=steps.shape[1]) + 0.4 * steps.cumsum(axis=0)


def test_turned_when_joined_is_the_formula_over_all_leaves():
    outcomes = []
    for momenta in random_walks(2000):
        outcomes.append(turned_by_hand(momenta))
        assert tree.turned_when_joined(np, *spans(momenta)) == outcomes[-1]
    assert 0.2 < np.mean(outcomes) < 0.8


def test_each_of_the_three_checks_alone_can_turn_a_span():
    """Whole, first half and the seam, the seam and second half: sequences that only one of them refuses."""
    only = set()
    for momenta in random_walks(2000):
        middle = len(momenta) // 2
        stretches = [momenta, momenta[: middle + 1], momenta[middle - 1 :]]
        refused = [any(s.sum(axis=0) @ end <= 0 for end in (s[0], s[-1])) for s in stretches]
        if sum(refused) == 1:
            only.add(refused.index(True))
            assert tree.turned_when_joined(np, *spans(momenta))
    assert only == {0, 1, 2}


def test_a_right_angle_counts_as_turned():
    assert tree.turned(np, np.array([1.0, 0.0]), np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    assert not tree.turned(np, np.array([1.0, 1e-9]), np.array([1.0, 0.0]), np.array([0.0, 1.0]))


def test_turning_reads_alike_from_either_end():
    for momenta in random_walks(500):
        backward = tree.turned_when_joined(np, *spans(momenta[::-1]))
        assert tree.turned_when_joined(np, *spans(momenta)) == backward


def test_join_is_the_span_of_both():
    momenta = np.random.default_rng(0).normal(size=(8, 2))
    whole = tree.join(*spans(momenta))
    np.testing.assert_array_equal(whole.first, momenta[0])
    np.testing.assert_array_equal(whole.last, momenta[-1])
    np.testing.assert_allclose(whole.total, momenta.sum(axis=0))
