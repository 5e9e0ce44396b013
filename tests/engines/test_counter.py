"""Random numbers by counting: published values, the same bits everywhere, and the usual tests of randomness."""

import numpy as np
import pytest
from scipy import stats

from finetti.engines.backend import load_jax
from finetti.engines.nuts import counter

KEYS = np.array([0, 1, 2, 1234567, 2**63, 2**64 - 1], np.uint64)
STREAMS = (counter.MOMENTUM, counter.DIRECTION, counter.MERGE, counter.LEAF)


def u64(*values):
    return np.array(values, np.uint64)


def key_with_bits(wanted: int) -> np.ndarray:
    """The key whose number 0 has these 64 bits: the hash undone step by step, in Python's own integers."""
    size = 2**64

    def unshift(z, by):
        out = z
        for _ in range(64 // by + 1):
            out = z ^ (out >> by)
        return out

    z = unshift(wanted, 31)
    z = unshift(z * pow(0x94D049BB133111EB, -1, size) % size, 27)
    z = unshift(z * pow(0xBF58476D1CE4E5B9, -1, size) % size, 30)
    return u64((z - 0x9E3779B97F4A7C15) % size)


def test_bits_are_those_of_splitmix64():
    """The first outputs for seed 1234567, from the generator's public-domain C program."""
    published = u64(
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821
    )
    np.testing.assert_array_equal(counter.bits(u64(1234567), np.arange(5, dtype=np.uint64)), published)


def test_numpy_and_jax_agree_bit_for_bit():
    jax = load_jax()
    count = np.concatenate([np.arange(1000, dtype=np.uint64) + stream for stream in STREAMS])
    with jax.enable_x64(True):
        for key in KEYS:
            keys = np.full_like(count, key)
            np.testing.assert_array_equal(np.asarray(jax.jit(counter.bits)(keys, count)), counter.bits(keys, count))
            ours = np.asarray(jax.jit(counter.uniform)(keys, count))
            np.testing.assert_array_equal(ours, counter.uniform(keys, count))


def test_normal_agrees_in_numpy_and_jax_to_rounding():
    jax = load_jax()
    with jax.enable_x64(True):
        for size in (1, 2, 7, 100):
            ours = jax.jit(lambda key, size=size: counter.normal(jax.numpy, key, size))(np.uint64(99))
            np.testing.assert_allclose(np.asarray(ours), counter.normal(np, u64(99), size), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("bits", [0, 1, 2**11 - 1, 2**63, 2**64 - 2**11, 2**64 - 1])
def test_uniform_is_strictly_inside_the_unit_interval(bits):
    key = key_with_bits(bits)
    assert int(counter.bits(key, u64(0))[0]) == bits
    value = counter.uniform(key, u64(0))[0]
    assert 0 < value < 1
    assert abs(value - bits / 2**64) < 2.0**-50


def test_streams_of_one_transition_and_of_the_next_share_no_number():
    """About 500,000 numbers of 64 bits: a repeat by chance has probability 7e-9."""
    chain_key = u64(7)
    numbers = []
    for n in range(32):
        key = counter.bits(chain_key, u64(n))
        for stream in STREAMS:
            numbers.append(counter.bits(key, stream + np.arange(4096, dtype=np.uint64)))
    flat = np.concatenate(numbers)
    assert len(np.unique(flat)) == len(flat)


def test_the_streams_lie_apart_however_large_the_model():
    """Room for 2**40 momenta and leaves in each."""
    starts = [int(s) for s in STREAMS]
    assert starts == sorted(starts) and min(np.diff(starts)) >= 2**40


@pytest.mark.parametrize("stream", STREAMS)
def test_uniforms_are_uniform_and_uncorrelated(stream):
    """Kolmogorov-Smirnov and lag-1 correlation, two keys a stream: false alarm 2e-4 for each of the four streams."""
    for key in (3, 2**50 + 1):
        x = counter.uniform(u64(key), stream + np.arange(100_000, dtype=np.uint64))
        assert stats.kstest(x, "uniform").pvalue > 5e-5
        assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) * np.sqrt(len(x)) < stats.norm.isf(2.5e-5)


def test_uniforms_across_neighbouring_keys_are_uniform():
    """The number at one place of 100,000 neighbouring keys; false alarm 1e-4."""
    x = counter.uniform(np.arange(100_000, dtype=np.uint64), u64(counter.LEAF))
    assert stats.kstest(x, "uniform").pvalue > 1e-4


def test_every_bit_is_as_often_one_as_zero_and_flips_half_the_others():
    """64 bits over 100,000 numbers, then 64 x 64 flips over 20,000: false alarm 1e-4 together (union bound)."""
    count = np.arange(100_000, dtype=np.uint64)
    numbers = counter.bits(u64(5), count)
    positions = np.arange(64, dtype=np.uint64)
    ones = ((numbers[:, None] >> positions) & np.uint64(1)).mean(axis=0)
    assert np.abs(ones - 0.5).max() * 2 * np.sqrt(len(count)) < stats.norm.isf(0.5e-4 / 64 / 2)
    some = count[:20_000]
    bound = stats.norm.isf(0.5e-4 / 64**2 / 2)
    for bit in positions:
        flipped = counter.bits(u64(5), some) ^ counter.bits(u64(5), some ^ (np.uint64(1) << bit))
        share = ((flipped[:, None] >> positions) & np.uint64(1)).mean(axis=0)
        assert np.abs(share - 0.5).max() * 2 * np.sqrt(len(some)) < bound


@pytest.mark.parametrize("size", [1, 5, 200_000])
def test_normals_are_normal(size):
    """Moments to the fourth and Kolmogorov-Smirnov over 200,000 numbers, many keys or one: false alarm 5e-4 each."""
    keys = counter.bits(u64(11), np.arange(200_000 // size, dtype=np.uint64))
    x = np.concatenate([counter.normal(np, keys[i : i + 1], size) for i in range(min(len(keys), 4000))])
    root = np.sqrt(len(x))
    bound = stats.norm.isf(5e-5)
    assert abs(x.mean()) * root < bound
    assert abs(np.mean(x**2) - 1) * root / np.sqrt(2) < bound
    assert abs(np.mean(x**3)) * root / np.sqrt(15) < bound
    assert abs(np.mean(x**4) - 3) * root / np.sqrt(96) < bound * 1.2  # the fourth power's own tail is heavy
    assert stats.kstest(x, "norm").pvalue > 1e-4


def test_the_two_halves_of_a_normal_vector_are_uncorrelated():
    """Sine and cosine share a radius: values and squares, 100,000 pairs; false alarm 1e-4."""
    x = counter.normal(np, u64(8), 200_000)
    a, b = x[:100_000], x[100_000:]
    bound = stats.norm.isf(2.5e-5) / np.sqrt(len(a))
    assert abs(np.corrcoef(a, b)[0, 1]) < bound
    assert abs(np.corrcoef(a**2, b**2)[0, 1]) < bound
