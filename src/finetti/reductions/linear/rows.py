"""The rows of a linear-Gaussian block, compressed: every cross-product the marginal density needs, computed once.

Each scalar Normal in the block, a prior or an observation, is a row: a residual that is affine in the members, over a
scale. Rows that read the same elements through the same factors can differ only in known weights; they are added up
into one matrix of cross-products, and no evaluation sees them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from finetti.model.graph import Node
from finetti.reductions.linear.forms import Form, Monomial, Term

CONSTANT = -1  # position of a column that reads no member
MANY = 4  # times as many possible structures as rows, beyond which they are sorted instead of counted


@dataclass(frozen=True)
class Reading:
    """A factor of the columns as it is read: values of `node`, flattened, read at `index` (key, column), to a power.

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
        readings: factors of the columns.
        log_scale: factors of the scales, for the normalising terms: each with how many rows read each element.
        constant: the known rest of the log density's normalising terms.
    """

    position: np.ndarray
    products: np.ndarray
    readings: tuple[Reading, ...]
    log_scale: tuple[tuple[Reading, np.ndarray], ...]
    constant: float


@dataclass(frozen=True)
class _Factor:
    """A factor of the columns, before rows are added up: for each column where it is read (row,), None where not."""

    node: Node
    power: int
    index: list[np.ndarray | None]


@dataclass(frozen=True)
class _Columns:
    """Columns of the rows before they are added up, one array (row,) each.

    What is the same in all rows is an array of stride 0, which costs neither memory nor time.
    """

    position: list[np.ndarray]
    weight: list[np.ndarray]
    factors: list[_Factor]


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
    reads = [(f, _flat(f.index, residual.shape)) for f in scale.factors]
    key, first = _keys(columns, [index for _, index in reads])
    known = _flat(scale.weight, residual.shape)
    return Rows(
        position=np.stack([column[first] for column in columns.position], axis=1),
        products=_products(columns.weight, key, len(first)),
        readings=tuple(_reading(factor, first) for factor in columns.factors),
        log_scale=tuple(_counted(f.node, f.power, index) for f, index in reads),
        constant=float(-np.log(np.abs(known)).sum() - 0.5 * len(known) * np.log(2 * np.pi)),
    )


def _reading(factor: _Factor, first: np.ndarray) -> Reading:
    """A factor read at some rows."""
    nowhere = np.full(len(first), -1)
    index = [nowhere if column is None else column[first] for column in factor.index]
    return Reading(factor.node, factor.power, np.stack(index, axis=1))


def _counted(node: Node, power: int, index: np.ndarray) -> tuple[Reading, np.ndarray]:
    """A factor of the scale read once for each of its elements, and how many rows read that element."""
    counts = np.bincount(index)
    elements = np.flatnonzero(counts)
    return Reading(node, power, elements), counts[elements].astype(float)


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
        readings=(),
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
    """All terms side by side, weights over the known part of the scale, its factors those of every column."""
    known = _flat(scale.weight, form.shape)
    position: list[np.ndarray] = []
    weight: list[np.ndarray] = []
    factors: list[_Factor] = []
    width = sum(term.weight.shape[-1] for term in form.terms)
    for term in form.terms:
        start, own = len(position), range(term.weight.shape[-1])
        for m in own:
            read = _flat(term.index[..., m], form.shape)
            if term.latent is None:
                position.append(_same(CONSTANT, read))
            else:
                position.append(_with(np.add, read, _same(offsets[term.latent], read)))
            weight.append(_with(np.divide, _flat(term.weight[..., m], form.shape), known))
        for factor in term.factors:
            columns: list[np.ndarray | None] = [None] * width
            columns[start : start + len(own)] = [_flat(factor.index[..., m], form.shape) for m in own]
            factors.append(_Factor(factor.node, factor.power, columns))
    factors = _shared(factors)
    for f in scale.factors:
        factors.append(_Factor(f.node, -f.power, [_flat(f.index, form.shape)] * width))
    return _Columns(position, weight, factors)


def _flat(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(row,) of an array that broadcasts to the rows; of stride 0 where it is a single number."""
    if array.size == 1 or not any(array.strides):
        return np.broadcast_to(array.reshape(-1)[:1], prod(shape))
    return np.broadcast_to(array, shape).reshape(-1)


def _same(value: float, like: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.asarray(value), like.shape)


def _constant(column: np.ndarray) -> bool:
    return not column.strides[0]


def _with(function: np.ufunc, column: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A function of two columns; of single entries where both are the same in all rows."""
    if _constant(column) and _constant(other):
        return _same(function(column[0], other[0]), column)
    return function(column, other)


def _shared(factors: list[_Factor]) -> list[_Factor]:
    """Factors of the same numbers that no column has twice, as one."""
    merged: list[_Factor] = []
    for factor in factors:
        for k, other in enumerate(merged):
            same = other.node is factor.node and other.power == factor.power
            pairs = list(zip(other.index, factor.index, strict=True))
            if same and all(a is None or b is None for a, b in pairs):
                merged[k] = _Factor(factor.node, factor.power, [b if a is None else a for a, b in pairs])
                break
        else:
            merged.append(factor)
    return merged


def _merge_constants(columns: _Columns) -> _Columns:
    """Known columns with the same factors, added into one."""
    known = [c for c, column in enumerate(columns.position) if (column == CONSTANT).all()]
    groups: dict[tuple, list[int]] = {}
    for c in known:
        groups.setdefault(tuple(_signature(f.index[c]) for f in columns.factors), []).append(c)
    kept = [c for c in range(len(columns.position)) if c not in known] + [group[0] for group in groups.values()]
    weight = list(columns.weight)
    for first, *others in groups.values():
        for other in others:
            weight[first] = _with(np.add, weight[first], weight[other])
    factors = [_Factor(f.node, f.power, [f.index[c] for c in kept]) for f in columns.factors]
    return _Columns([columns.position[c] for c in kept], [weight[c] for c in kept], factors)


def _signature(column: np.ndarray | None) -> Any:
    """The same for columns with the same entries, and for no others."""
    if column is None:
        return None
    if _constant(column) or (column == column[0]).all():
        return int(column[0])
    contiguous = np.ascontiguousarray(column)
    return contiguous.tobytes() if len(column) < 10_000 else _digest(contiguous)


def _keys(columns: _Columns, scale_reads: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A number for each row, the same for rows of equal structure, and the first row of each number."""
    parts = [*columns.position, *(i for f in columns.factors for i in f.index if i is not None), *scale_reads]
    varying = {}
    for part in parts:
        signature = _signature(part)
        if isinstance(signature, bytes):
            varying[signature] = part
    code, base = np.zeros(len(columns.position[0]), np.int64), 1
    for part in varying.values():
        low, span = int(part.min()), int(part.max() - part.min()) + 1
        if base * span > 2**62:
            code = np.unique(code, return_inverse=True)[1]
            base = int(code.max()) + 1
        code, base = code * span + (part - low), base * span
    if base > MANY * len(code):
        _, first, key = np.unique(code, return_index=True, return_inverse=True)
        return key, first
    seen = np.zeros(base, bool)
    seen[code] = True
    key = (np.cumsum(seen) - 1)[code]
    first = np.empty(np.count_nonzero(seen), int)
    first[key[::-1]] = np.arange(len(code))[::-1]  # of several assignments the last one stays
    return key, first


def _digest(array: np.ndarray) -> bytes:
    from hashlib import blake2b

    return blake2b(array.data, digest_size=16).digest()


def _products(weight: Sequence[np.ndarray], key: np.ndarray, keys: int) -> np.ndarray:
    """Sums of w w' by key: (key, column, column)."""
    if keys == len(key) > 1:
        ordered = np.empty((keys, len(weight)))
        ordered[key] = np.stack(weight, axis=1)
        return ordered[:, :, None] * ordered[:, None, :]
    products = np.empty((keys, len(weight), len(weight)))
    for a, one in enumerate(weight):
        for b, other in enumerate(weight[: a + 1]):
            product = _with(np.multiply, one, other)
            sums = product.sum() if keys == 1 else np.bincount(key, product, minlength=keys)
            products[:, a, b] = products[:, b, a] = sums
    return products
