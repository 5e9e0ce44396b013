"""Trees of arrays as words and back: every bit is kept, in NumPy and inside a compiled program."""

import numpy as np

from finetti.engines.backend import load_jax
from finetti.engines.nuts.packing import packed, packed_in, packing_of

ODD = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, 1.7976931348623157e308])
QUIET = np.array([0x7FF8000000000123, 0xFFF0000000000001], np.uint64).view(float)  # NaNs that carry bits


def tree():
    return {
        "odd": ODD,
        "nan": QUIET,
        "key": np.array(2**64 - 1, np.uint64),
        "count": np.array([[-3, 2**31 - 1]], np.int32),
        "truth": np.array([True, False]),
        "none": np.zeros((0, 4)),
        "plain": np.float64(0.1),
    }


def assert_same_bits(found, given):
    assert found.keys() == given.keys()
    for name, value in given.items():
        mine = np.asarray(found[name])
        assert mine.shape == np.shape(value) and mine.dtype == np.asarray(value).dtype
        assert mine.tobytes() == np.asarray(value).tobytes(), name


def test_there_and_back_in_numpy():
    jax, given = load_jax(), tree()
    packing, words = packing_of(jax, given), packed(jax, given)
    assert words.dtype == np.uint64 and len(words) == packing.size
    assert_same_bits(packing.unpacked(words), given)


def test_there_and_back_through_a_program():
    """Unpacked inside, packed again inside: what comes out is what went in."""
    jax, given = load_jax(), tree()
    packing, words = packing_of(jax, given), packed(jax, given)
    with jax.enable_x64(True):
        again = jax.jit(lambda w: packed_in(jax, packing.unpacked_in(jax, w)))(words)
    assert_same_bits(packing.unpacked(np.asarray(again)), given)
