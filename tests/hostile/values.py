"""What nobody should hand to a function, and what may come of it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from hypothesis import strategies as st

import finetti as pm

PATIENCE = 20  # seconds after which a call counts as one that hangs
PROTOCOL = ("positional argument", "keyword argument", "required argument", "multiple values", "abstract class")

PLAIN: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3, 2.5, -0.0, float("nan"), float("inf"), 10**30, 10**400, 1j, "", "a", "x", "g", "23",
    "a/b", ".", "..", "chain", "draw", "lp", "energy", "tau_log__", "Bé", "\x00", "x" * 300, b"x", (), [], {}, set(),
    {"x"}, {"g": None}, {"g": 2.5}, {"g": [1, 1]}, {"x": "sampled"}, {"x": None}, {1: 2}, (2, None), (2.7,), [None],
    ["g", 3], [[1, 2], [3]], ["a", 1.0], range(3), object(), type, len, lambda *_: 1,
)  # fmt: skip


def arrays() -> tuple[Any, ...]:
    """Arrays and frames, made anew for each call: some functions might change them."""
    return (
        np.zeros(0), np.zeros((2, 3)), np.arange(3.0), np.array([1.0, np.nan, 3.0]), np.array([1, -1, 0]),
        np.array([True, False, True]), np.array([0.5, 1.5, 2.0]), np.array(["a", "b", "c"]), np.array([None, 1, 2]),
        np.array(3), np.zeros((1,) * 40), np.array(["2020-01-01"], "datetime64[D]"), np.ma.masked_less([1, 2, 3], 2),
        np.arange(3) + 1e308 * 10, np.float32(1.5), np.zeros(3, complex), np.zeros(2, [("a", int)]),
        pd.Series([1.0, None, 3.0]), pd.Series(["a", "b", "a"], dtype="category"), pd.DataFrame({"a": [1, 2]}),
        pd.MultiIndex.from_tuples([(1, 2), (3, 4)]), xr.DataArray([1.0, 2.0, 3.0], dims="other"),
    )  # fmt: skip


def strange() -> st.SearchStrategy[Any]:
    """Any of these, alone or nested in lists, tuples and mappings."""
    one = st.sampled_from(PLAIN) | st.integers(0, len(arrays()) - 1).map(lambda k: arrays()[k])
    hashable = st.sampled_from([value for value in PLAIN if _hashable(value)])
    return st.recursive(
        one,
        lambda inner: st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(hashable, inner, max_size=2),
        max_leaves=4,
    )


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


class Hangs(BaseException):
    """A call that does not come back."""


@contextmanager
def patient(seconds: int = PATIENCE) -> Iterator[None]:
    """Ends what takes too long, where the system can."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def end(*_: Any) -> None:
        raise Hangs(f"no answer within {seconds} seconds")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def complaint(call: Callable[[], Any], *culprits: str, patience: int = PATIENCE) -> str:
    """What is wrong with how a call fails: empty if it does not, or by an error of ours that names a culprit.

    Args:
        call: the call.
        culprits: words of which the message must hold one: the argument, or the variable.
        patience: seconds.
    """
    try:
        with patient(patience):
            call()
    except pm.FinettiError as error:
        named = not culprits or any(word in str(error) for word in culprits)
        return "" if named else f"names none of {', '.join(culprits)}: {error}"
    except TypeError as error:
        protocol = any(words in str(error) for words in PROTOCOL) and "finetti" not in str(error)
        return "" if protocol else f"TypeError: {error}"
    except Hangs as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""
