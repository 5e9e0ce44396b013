"""States of engines as a mapping of arrays, and back: to be written to a file, and gone on with in another process.

A state is made of named tuples, tuples, arrays, numbers, words and None. Its structure is written as JSON, with the
names of the named tuples; reading makes only those that the reader knows, and runs nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from finetti.errors import DataError

STRUCTURE = "structure"


def to_arrays(state: Any) -> dict[str, np.ndarray]:
    """The arrays of a state, numbered, and its structure as an array of one word.

    Args:
        state: of an engine, or a tuple of such.

    Example:
        >>> arrays = to_arrays((np.array([1.0, 2.0]), None, 3))
        >>> sorted(arrays), from_arrays(arrays, ())[2]
        (['0', 'structure'], 3)
    """
    arrays: dict[str, np.ndarray] = {}
    structure = _described(state, arrays)
    return arrays | {STRUCTURE: np.array(json.dumps(structure))}


def from_arrays(arrays: Mapping[str, np.ndarray], kinds: Iterable[type]) -> Any:
    """The state that was written.

    Args:
        arrays: from `to_arrays`.
        kinds: the named tuples that may be in it.

    Raises:
        DataError: for what `to_arrays` has not written, or a named tuple that is not among those.
    """
    known = {kind.__name__: kind for kind in kinds}
    try:
        return _made(json.loads(str(arrays[STRUCTURE])), arrays, known)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise DataError(f"These arrays hold no state of a run: {error!r}.") from error


def _described(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """JSON for a value; arrays go into `arrays` under the next number."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        name = str(len(arrays))
        arrays[name] = np.asarray(value)
        return {"array": name}
    if isinstance(value, tuple):
        kind = type(value).__name__ if hasattr(value, "_fields") else ""
        return {"kind": kind, "parts": [_described(part, arrays) for part in value]}
    raise TypeError(f"a {type(value).__name__} is no part of a state")


def _made(described: Any, arrays: Mapping[str, np.ndarray], known: Mapping[str, type]) -> Any:
    if not isinstance(described, dict):
        return described
    if "array" in described:
        return arrays[described["array"]]
    parts = [_made(part, arrays, known) for part in described["parts"]]
    return known[described["kind"]](*parts) if described["kind"] else tuple(parts)
