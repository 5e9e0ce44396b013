"""The parts of an affine form - factors, terms, monomials - and the arithmetic that keeps it.

See `affine` for what a form stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from finetti.model.graph import Apply, Node, Shape


@dataclass(frozen=True)
class Factor:
    """Values of an expression no latent enters: `node`, flattened, read at `index` (*shape, m), to `power` 1 or -1."""

    node: Node
    index: np.ndarray
    power: int = 1

    def at(self, pick: Callable[[np.ndarray], np.ndarray]) -> Factor:
        """The same factor with its index array rearranged."""
        return Factor(self.node, pick(self.index), self.power)


@dataclass(frozen=True)
class Term:
    """Weighted elements of one latent, or of none: `index` and `weight` of shape (*shape, m)."""

    latent: Node | None
    index: np.ndarray
    weight: np.ndarray
    factors: tuple[Factor, ...] = ()

    def at(self, pick: Callable[[np.ndarray], np.ndarray]) -> Term:
        """The same term with all its arrays rearranged."""
        return Term(self.latent, pick(self.index), pick(self.weight), tuple(f.at(pick) for f in self.factors))


@dataclass(frozen=True)
class Form:
    """An affine form over rows of the given shape."""

    shape: Shape
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Monomial:
    """A product of known weights and factors: arrays of the expression's own shape."""

    weight: np.ndarray
    factors: tuple[Factor, ...] = ()


# --- arithmetic of forms -------------------------------------------------------------------------------------------


def broadcast(form: Form, shape: Shape) -> Form:
    if form.shape == shape:
        return form
    lifted = (1,) * (len(shape) - len(form.shape))

    def wide(a: np.ndarray) -> np.ndarray:
        return np.broadcast_to(a.reshape(lifted + a.shape), (*shape, a.shape[-1]))

    return Form(shape, tuple(t.at(wide) for t in form.terms))


def add(left: Form, right: Form, shape: Shape) -> Form:
    return Form(shape, broadcast(left, shape).terms + broadcast(right, shape).terms)


def negated(form: Form) -> Form:
    return Form(form.shape, tuple(Term(t.latent, t.index, -t.weight, t.factors) for t in form.terms))


def scaled(form: Form, product: Monomial, shape: Shape) -> Form:
    weight = np.broadcast_to(product.weight, shape)[..., None]

    def times_product(t: Term) -> Term:
        def wide(index: np.ndarray) -> np.ndarray:
            return np.broadcast_to(np.broadcast_to(index, shape)[..., None], t.weight.shape)

        return Term(t.latent, t.index, t.weight * weight, t.factors + tuple(f.at(wide) for f in product.factors))

    return Form(shape, tuple(times_product(t) for t in broadcast(form, shape).terms))


def picked(form: Form, rows: np.ndarray) -> Form:
    """The form of a rearrangement: row r of the result is row rows[r], counted flat, of the form."""
    return Form(rows.shape, tuple(t.at(lambda a: a.reshape(-1, a.shape[-1])[rows]) for t in form.terms))


def reduced(form: Form, node: Apply, *, mean: bool) -> Form:
    """Sum or mean over axes: the rows summed over become further elements read by one row."""
    axes = [axis % len(form.shape) for axis in node.static["axis"]]
    kept = [axis for axis in range(len(form.shape)) if axis not in axes]
    count = int(np.prod([form.shape[axis] for axis in axes]))

    def merge(a: np.ndarray) -> np.ndarray:
        moved = np.transpose(a, (*kept, *axes, a.ndim - 1))
        return moved.reshape(*node.shape, -1)

    terms = [t.at(merge) for t in form.terms]
    scale = 1.0 / count if mean else 1.0
    return Form(node.shape, tuple(Term(t.latent, t.index, t.weight * scale, t.factors) for t in terms))


def accumulated(form: Form, axis: int) -> Form:
    """Cumulative sum: row i reads the rows up to i, the others with weight zero."""
    axis, n = axis % len(form.shape), form.shape[axis]

    def spread(a: np.ndarray) -> np.ndarray:
        last = np.moveaxis(a, axis, -2)
        wide = np.broadcast_to(last[..., None, :, :], (*last.shape[:-2], n, n, last.shape[-1]))
        return np.moveaxis(wide.reshape(*wide.shape[:-2], -1), -2, axis)

    mask, terms = np.tril(np.ones((n, n))), []
    for t in form.terms:
        wide, m = t.at(spread), t.weight.shape[-1]
        shaped = np.moveaxis(np.moveaxis(wide.weight, axis, -2) * np.repeat(mask, m, axis=1), -2, axis)
        terms.append(Term(t.latent, wide.index, shaped, wide.factors))
    return Form(form.shape, tuple(terms))


def product_with(matrix: Monomial, matrix_shape: Shape, form: Form, shape: Shape, *, flipped: bool) -> Form:
    """`matrix @ form`, or `form @ matrix` if flipped; rows of the result in order, shape left to the caller."""
    if flipped:
        weight, inner = _as_matrix(matrix.weight, row=False).T, _as_matrix_rows(form, shape, transpose=True)
        indices = [_as_matrix(f.index, row=False).T for f in matrix.factors]
    else:
        weight, inner = _as_matrix(matrix.weight, row=True), _as_matrix_rows(form, shape, transpose=False)
        indices = [_as_matrix(f.index, row=True) for f in matrix.factors]
    terms = [_term_product(weight, list(zip(matrix.factors, indices, strict=True)), t, flipped) for t in inner.terms]
    return Form((), tuple(terms))


def _as_matrix(a: np.ndarray, *, row: bool) -> np.ndarray:
    return a if a.ndim == 2 else a[None, :] if row else a[:, None]


def _as_matrix_rows(form: Form, shape: Shape, *, transpose: bool) -> Form:
    """The form as that of a matrix (p, c) whose rows are summed over."""
    matrix = shape if len(shape) == 2 else (1, *shape) if transpose else (*shape, 1)

    def arranged(a: np.ndarray) -> np.ndarray:
        whole = a.reshape(*matrix, a.shape[-1])
        return np.swapaxes(whole, 0, 1) if transpose else whole

    return Form(matrix, tuple(t.at(arranged) for t in form.terms))


def _term_product(weight: np.ndarray, indices: list, t: Term, flipped: bool) -> Term:
    """(n, p) times a term over (p, c): over (n, c), or (c, n) if flipped, each row reading p times as many elements."""
    n, (p, c, m) = weight.shape[0], t.weight.shape

    def of_term(a: np.ndarray) -> np.ndarray:
        wide = np.broadcast_to(np.moveaxis(a, 0, 1)[None], (n, c, p, m))
        return (np.swapaxes(wide, 0, 1) if flipped else wide).reshape(-1, p * m)

    def of_matrix(a: np.ndarray) -> np.ndarray:
        wide = np.broadcast_to(a[:, None, :, None], (n, c, p, m))
        return (np.swapaxes(wide, 0, 1) if flipped else wide).reshape(-1, p * m)

    factors = tuple(f.at(of_term) for f in t.factors)
    factors += tuple(Factor(f.node, of_matrix(index), f.power) for f, index in indices)
    return Term(t.latent, of_term(t.index), of_term(t.weight) * of_matrix(weight), factors)


# --- arithmetic of monomials ---------------------------------------------------------------------------------------


def times(a: Monomial, b: Monomial, shape: Shape) -> Monomial:
    factors = tuple(f.at(lambda index: np.broadcast_to(index, shape)) for f in a.factors + b.factors)
    return Monomial(np.broadcast_to(a.weight, shape) * np.broadcast_to(b.weight, shape), factors)


def inverse(a: Monomial) -> Monomial:
    with np.errstate(divide="ignore"):
        return Monomial(1.0 / a.weight, tuple(Factor(f.node, f.index, -f.power) for f in a.factors))


def rearranged(a: Monomial, rows: np.ndarray, shape: Shape) -> Monomial:
    def pick(array: np.ndarray) -> np.ndarray:
        return np.broadcast_to(array, shape).reshape(-1)[rows]

    return Monomial(pick(a.weight), tuple(f.at(pick) for f in a.factors))
