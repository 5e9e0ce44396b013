"""Trees of small arrays as one array of 64-bit words, and back: what a compiled program is called with and returns.

Every array that crosses between NumPy and a compiled program costs some microseconds, whatever its size, and a short
chunk would spend most of its time on them. Bits are kept as they are; shorter integers and truths are widened.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

WORD = np.dtype(np.uint64)


@dataclass(frozen=True)
class Packing:
    """How a tree of one structure is laid out.

    Args:
        structure: the tree without its leaves, as JAX has it.
        leaves: shape and type of each leaf.
    """

    structure: Any
    leaves: tuple[tuple[tuple[int, ...], np.dtype], ...]

    @property
    def size(self) -> int:
        """Number of words."""
        return sum(prod(shape) for shape, _ in self.leaves)

    def pieces(self, words: Any) -> list[tuple[Any, np.dtype]]:
        """Each leaf's words in the leaf's shape, and its type."""
        found, start = [], 0
        for shape, dtype in self.leaves:
            stop = start + prod(shape)
            found.append((words[start:stop].reshape(shape), dtype))
            start = stop
        return found

    def unpacked(self, words: np.ndarray) -> Any:
        """The tree, with leaves that are views of the words where their type allows it."""
        return self.structure.unflatten([_from_words(piece, dtype) for piece, dtype in self.pieces(words)])

    def unpacked_in(self, jax, words) -> Any:
        """The tree inside a compiled program."""
        return self.structure.unflatten([_from_words_in(jax, piece, dtype) for piece, dtype in self.pieces(words)])


def packing_of(jax, tree) -> Packing:
    """The packing of trees like this one: of arrays, or of their shapes as JAX evaluates them."""
    leaves, structure = jax.tree.flatten(tree)
    return Packing(structure, tuple((np.shape(leaf), np.dtype(leaf.dtype)) for leaf in leaves))


def packed(jax, tree) -> np.ndarray:
    """One array of words, in NumPy."""
    return np.concatenate([_to_words(np.asarray(leaf)) for leaf in jax.tree.leaves(tree)])


def packed_in(jax, tree) -> Any:
    """One array of words, inside a compiled program."""
    return jax.numpy.concatenate([_to_words_in(jax, leaf) for leaf in jax.tree.leaves(tree)])


def _to_words(leaf: np.ndarray) -> np.ndarray:
    if leaf.dtype.itemsize == 8:
        return np.ascontiguousarray(leaf).reshape(-1).view(WORD)
    return leaf.reshape(-1).astype(WORD)


def _from_words(words: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return words.view(dtype) if dtype.itemsize == 8 else words.astype(dtype)


def _to_words_in(jax, leaf) -> Any:
    flat = jax.numpy.asarray(leaf).reshape(-1)
    return jax.lax.bitcast_convert_type(flat, WORD) if flat.dtype.itemsize == 8 else flat.astype(WORD)


def _from_words_in(jax, words, dtype: np.dtype) -> Any:
    return jax.lax.bitcast_convert_type(words, dtype) if dtype.itemsize == 8 else words.astype(dtype)
