"""Random numbers of a generator whose state is data: a step takes a stream and gives the next."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Stream(NamedTuple):
    """The state of NumPy's PCG64."""

    state: int
    increment: int
    has_half: int
    half: int


def stream(seed: np.random.SeedSequence) -> Stream:
    """The stream that `np.random.default_rng(seed)` begins with."""
    return written(np.random.default_rng(seed))


def generator(at: Stream) -> np.random.Generator:
    """A generator that goes on from there."""
    bits = np.random.PCG64(0)
    inner = {"state": at.state, "inc": at.increment}
    state: Any = {"bit_generator": "PCG64", "state": inner, "has_uint32": at.has_half, "uinteger": at.half}
    bits.state = state
    return np.random.Generator(bits)


def written(rng: np.random.Generator) -> Stream:
    """Where a generator of PCG64 is."""
    state: Any = rng.bit_generator.state
    return Stream(state["state"]["state"], state["state"]["inc"], state["has_uint32"], state["uinteger"])
