"""The linear-Gaussian block: its marginal density, and draws of its members given everything else.

The members are taken in standardised coordinates z (see `affine`). Given the other unknowns phi their joint log density
is quadratic, -1/2 z'Qz + h'z + c, so that

    log p(phi, y) = c + 1/2 h'Q^-1 h - 1/2 log|Q| + (dim z)/2 log 2 pi,       z | phi, y ~ N(Q^-1 h, Q^-1).

Q is ordered as small blocks, one for each group, which do not touch each other, and a dense border (see `layout`):

    Q = [[D, B], [B', E]],     log|Q| = sum_j log|D_j| + log|S|,     S = E - sum_j B_j' D_j^-1 B_j

(Bates, Maechler, Bolker, Walker 2015, JSS 67(1), sections 3.3-3.5, for the same ordering in penalised least squares).
All entries are known arrays times products of a few numbers that depend on phi, so that one matrix product assembles
them, whatever the number of rows of the data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from finetti.model.evaluate import align, evaluate
from finetti.model.graph import Constant, Node, Random
from finetti.model.namespace import NUMPY, Namespace
from finetti.reductions.contract import DrawnBack, numbers_of, placeholder
from finetti.reductions.linear.elimination import diagonal, eliminate, log_of_product, quadratic, solve
from finetti.reductions.linear.layout import Layout, System
from finetti.reductions.linear.rows import Reading, Rows

LOG_2PI = float(np.log(2 * np.pi))
ONE_THREAD = 250_000  # multiplications of a matrix product up to which OpenBLAS takes no further threads
MANY_KINDS = 8  # coefficients of rows up to which their pairs are written out
LEAST_ROWS = 16  # of a piece of a matrix product, even where that is more
ROUNDING = 1e-14  # share of an entry of Q below which what elimination has left of it is mostly rounding error


@dataclass(frozen=True)
class Shared:
    """Rows whose factors are the same numbers for all: entries of the system = products of coefficients @ `table`.

    Args:
        coefficients: for each, the readings whose product it is: (node, power, element).
        pairs: (pair, 2) which two coefficients are multiplied.
        table: (pair, entry) known arrays, in the order of the layout's entries.
        place: the node under which a compiled program is given the table.
    """

    coefficients: tuple[tuple[tuple[Node, int, int], ...], ...]
    pairs: np.ndarray
    table: np.ndarray
    place: Node

    @cached_property
    def part(self) -> Callable[[int, int], tuple[np.ndarray, np.ndarray]]:
        """From two entries, start and stop, to the rows of the table that have one there, and these: (entry, row)."""
        return lru_cache(lambda start, stop: _part(self.table, start, stop))

    def part_of(self, table: Any, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """The same of other numbers, where they are others; its own come as themselves or as a view of them."""
        own = table is self.table or table.base is self.table
        return self.part(start, stop) if own else _part(table, start, stop)


@dataclass(frozen=True)
class Varying:
    """Rows whose factors differ by key: products (key, column, column) go to their `target` entries one by one."""

    products: np.ndarray
    target: np.ndarray
    readings: tuple[Reading, ...]
    place: Node


@dataclass(frozen=True)
class LinearGaussian:
    """A linear-Gaussian block of a model.

    Args:
        members: the latents integrated out.
        layout: the order of their elements.
        shared, varying: how the system is assembled.
        variables: members and the observed variables that depend on them: all whose density the marginal replaces.
        log_scale: readings of the normalising terms, each with the counts of its elements.
        log_terms: further log terms, with how often each occurs.
        constant: known normalising terms; `known` is the node under which a compiled program is given them.
        shift: place of (element,) the point the members are measured from.
    """

    members: tuple[Random, ...]
    variables: tuple[Random, ...]
    layout: Layout
    shared: Shared
    varying: tuple[Varying, ...]
    log_scale: tuple[tuple[Reading, np.ndarray], ...]
    log_terms: tuple[tuple[Node, int], ...]
    constant: float
    known: Node
    shift: Constant

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The expressions whose values the block needs."""
        nodes = [node for product in self.shared.coefficients for node, _, _ in product]
        nodes += [reading.node for rows in self.varying for reading in rows.readings]
        nodes += [reading.node for reading, _ in self.log_scale] + [node for node, _ in self.log_terms]
        return tuple(dict.fromkeys(nodes))

    @property
    def arrays(self) -> dict[Node, np.ndarray]:
        """What a compiled program takes as arguments."""
        tables = {self.shared.place: self.shared.table, self.known: np.asarray(self.constant)}
        tables[self.shift] = self.shift.value
        return tables | {rows.place: rows.products for rows in self.varying}

    def log_marginal(self, given: Mapping[Node, Any], *, xp: Namespace = NUMPY, lead: int = 0) -> Any:
        """Log density of phi and the data with the members integrated out, up to nothing: (draw,) or ().

        It is -inf where rounding would leave only noise of it: where Q is singular, or data and fit all but cancel,
        because scales of members are some millions of times those of the residuals.
        """
        values = Values(self, given, xp, lead)
        system = self.system(values)
        factors = eliminate(system, xp)
        log_determinant = xp.sum(xp.log(diagonal(factors.border, xp)), axis=-1)
        log_determinant = log_determinant + 0.5 * log_of_product(factors.pivot, xp)
        size = self.layout.size
        normalising = values.arrays[self.known] + 0.5 * size * LOG_2PI + values.log_normalising()
        exponent = system.constant + 0.5 * quadratic(factors, xp)
        sound = (factors.share > ROUNDING) & (exponent <= ROUNDING * system.constant + 0.1)
        return xp.where(sound, exponent - log_determinant + normalising, -np.inf)

    def rounding(self, given: Mapping[Node, Any]) -> np.ndarray:
        """About how wrong rounding makes the log marginal, at values (draw, *shape) by node: (draw,).

        Infinite where nothing is left of it, which is where `log_marginal` is -inf.
        """
        with np.errstate(all="ignore"):
            system = self.system(Values(self, given, NUMPY, 1))
            share = eliminate(system, NUMPY).share
            wrong = np.finfo(float).eps * (np.abs(system.constant) + 1.0 / share)
        return np.where(np.isfinite(wrong) & (share > ROUNDING), wrong, np.inf)

    def system(self, values: Values) -> System:
        """Q, h and c."""
        shared = values.shared_entries()
        varying = sum(values.varying_entries(v) for v in self.varying) if self.varying else None

        def entries(start: int, stop: int) -> Any:
            total = shared(start, stop)
            return total if varying is None else total + varying[start:stop]

        return self.layout.system(entries, values.xp)

    @property
    def width(self) -> int:
        """Numbers that one evaluation touches, about."""
        products = sum(rows.products.size for rows in self.varying)
        return self.layout.entries + max((node.size for node in self.nodes), default=1) + products

    def why(self, member: Random) -> str:
        """What allows a member to be integrated out."""
        return "linear and Gaussian given the rest"

    def draw(self, given: Mapping[Node, Any], draws: int, rng: np.random.Generator) -> DrawnBack:
        """A draw of every member for each draw of phi; see `Reduction.draw`."""
        with np.errstate(all="ignore"):  # where rounding has spoilt the system, which `rounding` tells
            numbers = Values(self, given, NUMPY, 1)
            factors = eliminate(self.system(numbers), NUMPY)
            flat = self.layout.joined(*solve(factors, draws, rng)) + numbers.arrays[self.shift]
        values, start = dict(given), 0
        for member in self.members:
            z = flat[:, start : start + member.size].reshape(-1, *member.shape)
            values[member] = _from_standard(member, z, values)
            start += member.size
        return DrawnBack({member: values[member] for member in self.members}, {})


def _from_standard(member: Random, z: np.ndarray, values: Mapping[Node, Any]) -> np.ndarray:
    """A member's value (draw, *shape) at its standardised coordinates, its own location and scale given."""
    if not member.parameters:
        return z
    mean, scale = evaluate(member.parameters, values, lead=1)
    if member.family.event_ndim:
        vectors = z.reshape(len(z), -1, z.shape[-1])
        return align(mean, member.ndim) + np.matmul(vectors, np.swapaxes(scale, -1, -2)).reshape(z.shape)
    return align(mean, member.ndim) + align(scale, member.ndim) * z


class Values:
    """The numbers a block needs of phi, at one point or over draws; draws are on the last axis of all of them."""

    def __init__(self, block: LinearGaussian, given: Mapping[Node, Any], xp: Namespace, lead: int):
        self.block, self.xp, self.lead = block, xp, lead
        values = evaluate(block.nodes, given, xp=xp, lead=lead)
        self.flat = {node: self._draws_last(value) for node, value in zip(block.nodes, values, strict=True)}
        self.arrays = numbers_of(block, given, lead)

    def _draws_last(self, value: Any) -> Any:
        """(*shape) as (element,), (draw, *shape) as (element, draw)."""
        flat = self.xp.reshape(value, (*value.shape[: self.lead], -1))
        return self.xp.ascontiguousarray(flat.T) if self.lead else flat

    def _along_draws(self, array: np.ndarray) -> np.ndarray:
        """A known array, to be combined with numbers that have draws on their last axis."""
        return array[..., None] if self.lead else array

    def _power(self, node: Node, power: int, index: Any) -> Any:
        value = self.flat[node][index]
        return value if power == 1 else 1.0 / value

    def _pair_weights(self) -> list:
        """The product of two coefficients for each row of the shared table."""
        shared, one = self.block.shared, self.xp.ones((1,) * self.lead)
        coefficients = []
        for product in shared.coefficients:
            value = one
            for node, power, element in product:
                value = value * self._power(node, power, element)
            coefficients.append(value)
        return [coefficients[a] * coefficients[b] for a, b in shared.pairs]

    def shared_entries(self) -> Callable[[int, int], Any]:
        """(entry[, draw]) from start to stop of the rows with shared factors: of few, for most have no entry there.

        Over draws they are a matrix product; at one point sums, which a compiled program fuses.
        """
        xp, weights, shared = self.xp, self._pair_weights(), self.block.shared
        table = self.arrays[shared.place]
        stacked = _stacked(weights) if weights and self.lead else None

        def entries(start: int, stop: int) -> Any:
            if stacked is not None:
                rows, part = shared.part_of(table, start, stop)
                if len(rows):
                    return _product(part, stacked[rows])
            rows, _ = shared.part(start, stop)
            total = xp.zeros((stop - start,) + (1,) * self.lead)
            for k in rows:
                total = total + weights[k] * table[k, start:stop]
            return total

        return entries

    def varying_entries(self, rows: Varying) -> Any:
        """(entry[, draw]) from rows whose factors differ by key."""
        xp = self.xp
        weight = xp.ones(rows.products.shape[:2] + (1,) * self.lead)
        for reading in rows.readings:
            value = self._power(reading.node, reading.power, np.maximum(reading.index, 0))
            weight = weight * xp.where(self._along_draws(reading.index >= 0), value, 1.0)
        sums = weight[:, :, None] * weight[:, None] * self._along_draws(self.arrays[rows.place])
        return _scattered(xp, xp.reshape(sums, (-1, *sums.shape[3:])), rows.target, self.block.layout.entries)

    def log_normalising(self) -> Any:
        """(draw,) what the scales of all rows add."""
        xp, total = self.xp, 0.0
        for reading, counts in self.block.log_scale:
            if len(reading.index) == 1:  # a plain number: no gathering in the sampler's loop
                value = self.flat[reading.node][int(reading.index[0])]
                total = total - reading.power * counts[0] * xp.log(xp.abs(value))
            else:
                value = xp.log(xp.abs(self.flat[reading.node][reading.index]))
                total = total - reading.power * xp.sum(self._along_draws(counts) * value, axis=0)
        for node, repeats in self.block.log_terms:
            total = total + repeats * xp.sum(self.flat[node], axis=0)
        return total


def _part(table: np.ndarray, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.flatnonzero(table[:, start:stop].any(axis=1))
    return rows, np.ascontiguousarray(table[rows, start:stop].T)


def _stacked(numbers: Sequence[np.ndarray]) -> np.ndarray:
    """(number, draw) of arrays (draw,), some of which may hold one number for all draws."""
    stacked = np.empty((len(numbers), max(map(len, numbers))))
    for k, array in enumerate(numbers):
        stacked[k] = array
    return stacked


def _product(tall: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The matrix product, in pieces so small that those of several Python threads do not wait for the same helpers."""
    if len(b) == 1:  # for which NumPy does not ask BLAS
        return tall * b
    step = max(LEAST_ROWS, ONE_THREAD // b.size)
    product = np.empty((len(tall), b.shape[1]))
    for k in range(0, len(tall), step):
        np.matmul(tall[k : k + step], b, out=product[k : k + step])
    return product


def _scattered(xp: Namespace, values: Any, target: np.ndarray, size: int) -> Any:
    """Add (value[, draw]) up at known targets; a last entry takes what has no place."""
    if xp is not NUMPY:
        return xp.zeros((size + 1, *values.shape[1:])).at[target].add(values)[:size]
    order = np.argsort(target, kind="stable")
    starts = np.flatnonzero(np.diff(target[order], prepend=-1))
    entries = np.zeros((size + 1, *values.shape[1:]))
    entries[target[order][starts]] = np.add.reduceat(values[order], starts, axis=0)
    return entries[:size]


def sorted_out(rows: Sequence[Rows], layout: Layout) -> tuple[Shared, tuple[Varying, ...]]:
    """Rows with shared factors put into one table, the others kept by key.

    So are rows of many coefficients, such as a scale for each: a table of all their pairs would be a line of program
    for each, which takes minutes to compile.
    """
    coefficients: dict[tuple, int] = {}
    table: dict[tuple[int, int], np.ndarray] = {}
    varying = []
    for piece in rows:
        target = layout.targets(piece.position)
        if any((reading.index != reading.index[:1]).any() for reading in piece.readings) or _many_kinds(piece):
            varying.append(Varying(piece.products, target.ravel(), piece.readings, placeholder(piece.products)))
            continue
        kinds = [_kind(piece.readings, c, coefficients) for c in range(piece.position.shape[1])]
        for a in set(kinds):
            for b in set(kinds):
                chosen = np.ix_(range(len(piece.products)), _where(kinds, a), _where(kinds, b))
                entries = np.bincount(target[chosen].ravel(), piece.products[chosen].ravel(), layout.entries + 1)
                pair = (min(a, b), max(a, b))
                table[pair] = table.get(pair, 0.0) + entries[: layout.entries]
    pairs = np.array(list(table), int).reshape(-1, 2)
    stacked = np.array(list(table.values())).reshape(len(pairs), layout.entries).copy()  # no view: see `part_of`
    return Shared(tuple(coefficients), pairs, stacked, placeholder(stacked)), tuple(varying)


def _many_kinds(piece: Rows) -> bool:
    """Whether the columns of rows of one structure are multiplied with more numbers than pairs of them are worth."""
    if not piece.readings:
        return False
    return len(np.unique(np.stack([reading.index[0] for reading in piece.readings]), axis=1).T) > MANY_KINDS


def _kind(readings: Sequence[Reading], column: int, coefficients: dict[tuple, int]) -> int:
    """The number of the coefficient a column is multiplied with."""
    product = [(s.node, s.power, int(s.index[0, column])) for s in readings if s.index[0, column] >= 0]
    return coefficients.setdefault(tuple(sorted(product, key=lambda f: (id(f[0]), f[1], f[2]))), len(coefficients))


def _where(kinds: Sequence[int], kind: int) -> list[int]:
    return [k for k, other in enumerate(kinds) if other == kind]

