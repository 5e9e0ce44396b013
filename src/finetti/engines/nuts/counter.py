"""Random numbers by counting: the n-th number of a stream is a hash of the stream's key and n.

The hash is the output function of SplitMix64 (Steele, Lea, Flood 2014, OOPSLA, fig. 13). Numbers can be asked for in
any order inside a compiled loop, nothing is carried, and a chain's numbers depend on its key and the transition alone.
"""

from __future__ import annotations

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)

# Where the uses of one transition begin in its stream; none can run into the next.
MOMENTUM, DIRECTION, MERGE, LEAF = (np.uint64(k << 40) for k in range(4))


def bits(key, count):
    """64 random bits for (key, count), both uint64; elementwise, for NumPy and JAX arrays."""
    z = key + (count + np.uint64(1)) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


def uniform(key, count):
    """A uniform number in the open interval (0, 1): 52 bits and a half, so that the largest does not round to 1."""
    return ((bits(key, count) >> np.uint64(12)).astype("float64") + 0.5) * 2.0**-52


def normal(xp, key, size: int):
    """`size` standard normal numbers from the momentum part of a stream (Box and Muller 1958)."""
    half = (size + 1) // 2
    count = xp.arange(half, dtype="uint64") + MOMENTUM
    radius = xp.sqrt(-2.0 * xp.log(uniform(key, count)))
    angle = 2.0 * np.pi * uniform(key, count + np.uint64(half))
    return xp.concatenate([radius * xp.cos(angle), radius * xp.sin(angle)])[:size]
