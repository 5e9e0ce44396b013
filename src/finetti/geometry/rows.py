"""The rows of a linear-Gaussian block, compressed: every cross-product the marginal density needs, computed once.

Each scalar Normal in the block, a prior or an observation, is a row: a residual that is affine in the members, over a
scale. Rows that read the same elements through the same factors can differ only in known weights; they are added up
into one matrix of cross-products, and no evaluation sees them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from finetti.geometry.forms import Form, Monomial, Term
from finetti.model.graph import Node

CONSTANT = -1  # position of a column that reads no member


@dataclass(frozen=True)
class Slot:
    """A factor of the columns: values of `node`, flattened, read at `index` (key, column), to a power.

    -1 in `index` stands for a column without this factor.
    """

    node: Node
    power: int
    index: np.ndarray


@dataclass(frozen=True)
class Rows:
    """Rows with equal structure, added up by key.

    Args:
        position: (key, column) element of the members that a column reads; CONSTANT for the known part.
        products: (key, column, column) sums over rows of products of weights, each over its scale.
        slots: factors of the columns.
        log_scale: factors of the scales, for the normalising terms: each with how many rows read each element.
        constant: the known rest of the log density's normalising terms.
    """

    position: np.ndarray
    products: np.ndarray
    slots: tuple[Slot, ...]
    log_scale: tuple[tuple[Slot, np.ndarray], ...]
    constant: float


@dataclass(frozen=True)
class _Columns:
    """Columns of the rows before they are added up: arrays (row, column)."""

    position: np.ndarray
    weight: np.ndarray
    slots: list[Slot]


def compressed(residual: Form, scale: Monomial, offsets: Mapping[Node, int], shift: np.ndarray) -> Rows:
    """Add up the rows of one Normal.

    Args:
        residual: value minus mean, as an affine form.
        scale: its standard deviation.
        offsets: where each member's elements begin.
        shift: (element,) a point near the members' posterior mean, around which the sums are taken: what is added up
            are then small residuals, not large numbers that cancel.
    """
    columns = _merge_constants(_columns(_shifted(residual, offsets, shift), scale, offsets))
    scale_slots = [Slot(f.node, f.power, _wide(f.index, residual.shape)) for f in scale.factors]
    key, first = _keys(columns, scale_slots)
    size, known = len(columns.weight), np.broadcast_to(scale.weight, residual.shape)
    return Rows(
        position=columns.position[first],
        products=_products(columns.weight, key, len(first)),
        slots=tuple(Slot(s.node, s.power, s.index[first]) for s in columns.slots),
        log_scale=tuple(_counted(s) for s in scale_slots),
        constant=float(-np.log(np.abs(known)).sum() - 0.5 * size * np.log(2 * np.pi)),
    )


def _counted(slot: Slot) -> tuple[Slot, np.ndarray]:
    """A factor of the scale read once for each of its elements, and how many rows read that element."""
    elements, counts = np.unique(slot.index, return_counts=True)
    return Slot(slot.node, slot.power, elements), counts.astype(float)


def standard(position: np.ndarray, shift: np.ndarray) -> Rows:
    """The rows of members in standardised coordinates: element minus nothing, over one.

    Args:
        position: (element,) the elements that have a standard normal prior.
        shift: (element,) see `compressed`.
    """
    weight = np.stack([np.ones(len(position)), shift[position]], axis=1)
    return Rows(
        position=np.stack([position, np.full(len(position), CONSTANT)], axis=1),
        products=weight[:, :, None] * weight[:, None, :],
        slots=(),
        log_scale=(),
        constant=-0.5 * len(position) * np.log(2 * np.pi),
    )


def _shifted(form: Form, offsets: Mapping[Node, int], shift: np.ndarray) -> Form:
    """The form in the members' distance from `shift`: every term gains a known part."""
    known = [
        Term(None, np.zeros_like(t.index), t.weight * shift[offsets[t.latent] + t.index], t.factors)
        for t in form.terms
        if t.latent is not None and shift[offsets[t.latent] : offsets[t.latent] + t.latent.size].any()
    ]
    return Form(form.shape, (*form.terms, *known))


def _columns(form: Form, scale: Monomial, offsets: Mapping[Node, int]) -> _Columns:
    """All terms side by side, weights over the known part of the scale, its factors as slots of every column."""
    flat = [t.at(lambda a: a.reshape(-1, a.shape[-1])) for t in form.terms]
    position = np.concatenate(
        [np.full(t.index.shape, CONSTANT) if t.latent is None else offsets[t.latent] + t.index for t in flat], axis=1
    )
    known = np.broadcast_to(scale.weight, form.shape).reshape(-1, 1)
    weight = np.concatenate([t.weight for t in flat], axis=1) / known
    slots = _slots(flat, position.shape)
    for f in scale.factors:
        slots.append(Slot(f.node, -f.power, np.broadcast_to(_wide(f.index, form.shape), position.shape)))
    return _Columns(position, weight, slots)


def _wide(index: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """One column with an entry for each row."""
    return np.broadcast_to(index, shape).reshape(-1, 1)


def _slots(terms: Sequence[Term], shape: tuple[int, int]) -> list[Slot]:
    """One slot for each factor, the columns of other terms marked as without it."""
    slots, start = [], 0
    for term in terms:
        width = term.weight.shape[1]
        for factor in term.factors:
            index = np.full(shape, -1)
            index[:, start : start + width] = factor.index
            slots.append(Slot(factor.node, factor.power, index))
        start += width
    return _shared(slots)


def _shared(slots: list[Slot]) -> list[Slot]:
    """Slots of the same factor that no column has twice, as one."""
    merged: list[Slot] = []
    for slot in slots:
        for k, other in enumerate(merged):
            same = other.node is slot.node and other.power == slot.power
            if same and not ((other.index >= 0) & (slot.index >= 0)).any():
                merged[k] = Slot(slot.node, slot.power, np.maximum(other.index, slot.index))
                break
        else:
            merged.append(slot)
    return merged


def _merge_constants(columns: _Columns) -> _Columns:
    """Known columns with the same factors, added into one."""
    known = np.flatnonzero((columns.position == CONSTANT).all(axis=0))
    groups: dict[bytes, list[int]] = {}
    for column in known:
        groups.setdefault(b"".join(s.index[:, column].tobytes() for s in columns.slots), []).append(int(column))
    keep = [c for c in range(columns.position.shape[1]) if c not in set(known.tolist())]
    heads = [group[0] for group in groups.values()]
    weight = columns.weight.copy()
    for group in groups.values():
        weight[:, group[0]] = columns.weight[:, group].sum(axis=1)
    kept = keep + heads
    slots = [Slot(s.node, s.power, s.index[:, kept]) for s in columns.slots]
    return _Columns(columns.position[:, kept], weight[:, kept], slots)


def _keys(columns: _Columns, scale_slots: Sequence[Slot]) -> tuple[np.ndarray, np.ndarray]:
    """A number for each row, the same for rows of equal structure, and the first row of each number."""
    parts = [columns.position, *(s.index for s in columns.slots), *(s.index for s in scale_slots)]
    varying = [part[:, k] for part in parts for k in range(part.shape[1]) if (part[:, k] != part[0, k]).any()]
    code, base = np.zeros(len(columns.position), np.int64), 1
    for part in _distinct(varying):
        low, span = int(part.min()), int(part.max() - part.min()) + 1
        if base * span > 2**62:
            code = np.unique(code, return_inverse=True)[1]
            base = int(code.max()) + 1
        code, base = code * span + (part - low), base * span
    _, first, key = np.unique(code, return_index=True, return_inverse=True)
    return key, first


def _distinct(parts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The arrays that differ from each other."""
    seen: dict[bytes, np.ndarray] = {}
    for part in parts:
        contiguous = np.ascontiguousarray(part)
        seen.setdefault(contiguous.tobytes() if len(part) < 10_000 else _digest(contiguous), contiguous)
    return list(seen.values())


def _digest(array: np.ndarray) -> bytes:
    from hashlib import blake2b

    return blake2b(array.data, digest_size=16).digest()


def _products(weight: np.ndarray, key: np.ndarray, keys: int) -> np.ndarray:
    """Sums of w w' by key: (key, column, column)."""
    if keys == 1:
        return (weight.T @ weight)[None]
    if keys == len(weight):
        ordered = np.empty_like(weight)
        ordered[key] = weight
        return ordered[:, :, None] * ordered[:, None, :]
    columns = weight.shape[1]
    products = np.empty((keys, columns, columns))
    for a in range(columns):
        for b in range(a + 1):
            sums = np.bincount(key, weight[:, a] * weight[:, b], minlength=keys)
            products[:, a, b] = products[:, b, a] = sums
    return products
