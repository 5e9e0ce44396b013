"""The affine form of an expression: which latents it is a weighted sum of, and with what weights.

An expression e that is affine in chosen latents z is held as a sum of terms. A term reads, for each element of e, one or
more elements of one latent, each with a weight: a known number times, perhaps, values of expressions that the
latents do not enter (a scale, a correlation). Indexing, broadcasting, scaling, sums and products with matrices keep
the form; anything else ends it.

    e[row] = sum over terms, sum over m:  weight[row, m] * product of factors[row, m] * z[index[row, m]]

A latent is read in standardised coordinates: theta ~ Normal(m, s) is m + s z with z ~ Normal(0, 1), where m is read in
turn, up to the top of the hierarchy. So a model has the same forms whichever way it was written, and nothing is ever
divided by a scale that may be all but zero.

The part without a latent is a term too, with no latent. Rearrangements (indexing, reshaping, stacking) are applied to
row numbers once, and the arrays of every term follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetti.model.evaluate import static_value
from finetti.model.graph import Apply, Deterministic, Node, Random, Shape, apply
from finetti.model.namespace import NUMPY

MAX_TERMS = 64
REARRANGING = frozenset({"getitem", "reshape", "broadcast_to", "transpose", "diagonal"})


class NotAffine(Exception):
    """An expression is not affine: why, and which latents are to blame."""

    def __init__(self, why: str, latents: frozenset[Node]):
        super().__init__(why)
        self.why, self.latents = why, latents


@dataclass(frozen=True)
class Factor:
    """Values of an expression that no latent enters: `node`, flattened, read at `index` (*shape, m), to `power` 1 or -1."""

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


class Reader:
    """Reads expressions as affine forms in a set of latents.

    Args:
        latents: the variables the forms may be affine in.
        data: values of the model's data.
    """

    def __init__(self, latents: frozenset[Node], data: Mapping[Node, np.ndarray]):
        self.latents, self.data = latents, data
        self._touched: dict[Node, frozenset[Node]] = {}
        self._forms: dict[Node, Form] = {}
        self._static: dict[Node, np.ndarray | None] = {}

    def touched(self, root: Node) -> frozenset[Node]:
        """The latents an expression reads."""
        for node in expression(root, self._touched):
            if isinstance(node, Random):
                found = frozenset({node}) & self.latents
            else:
                found = frozenset().union(*(self._touched[child] for child in node.inputs))
            self._touched[node] = found
        return self._touched[root]

    def form(self, root: Node) -> Form:
        """The affine form of an expression.

        Raises:
            NotAffine: where there is none.
        """
        self.touched(root)
        for node in expression(root, self._forms):
            if self._touched[node]:
                self._forms[node] = self._read(node)
            else:
                self._forms[node] = Form(node.shape, ())  # read when it is needed, as a constant
        return self._forms[root] if self._touched[root] else self._constant(root)

    def monomial(self, node: Node) -> Monomial:
        """An expression that no latent enters, as a product of what is known and what is not."""
        value = self.static(node)
        if value is not None:
            return Monomial(value.astype(float))
        match node:
            case Deterministic():
                return self.monomial(node.value)
            case Apply(op=op, arguments=arguments) if op.name in ("multiply", "true_divide"):
                left, right = self.monomial(arguments[0]), self.monomial(arguments[1])
                return _times(left, _inverse(right) if op.name == "true_divide" else right, node.shape)
            case Apply(op=op, arguments=(argument,)) if op.name in ("negative", "reciprocal"):
                inner = self.monomial(argument)
                return _inverse(inner) if op.name == "reciprocal" else Monomial(-inner.weight, inner.factors)
            case Apply(op=op) if op.name in REARRANGING and all(
                self.static(a) is not None for a in node.arguments[1:]
            ):
                inner, rows = self.monomial(node.arguments[0]), self._source_rows(node, 0)
                return _rearranged(inner, rows, node.arguments[0].shape)
            case _:
                return Monomial(np.ones(node.shape), (Factor(node, np.arange(node.size).reshape(node.shape)),))

    def static(self, node: Node) -> np.ndarray | None:
        """The value of an expression of data and constants alone."""
        if node not in self._static:
            self._static[node] = static_value(node, self.data)
        return self._static[node]

    # --- one node -------------------------------------------------------------------------------------------------

    def _read(self, node: Node) -> Form:
        match node:
            case Random():
                return self._latent(node)
            case Deterministic():
                return self._of(node.value)
            case Apply():
                return self._apply(node)
        raise NotAffine("it is entered in an unknown way", self._touched[node])

    def _latent(self, node: Random) -> Form:
        """A latent as its mean plus its scale times a standard normal; as it is, where its prior is flat."""
        index = np.arange(node.size).reshape(*node.shape, 1)
        own = Form(node.shape, (Term(node, index, np.ones(index.shape)),))
        if not node.parameters:
            return own
        mean, scale = node.parameters
        self._refuse_if_read(scale, "it enters a scale")
        if node.family.event_ndim and scale.ndim > 2:
            raise NotAffine("its covariance differs from vector to vector", frozenset({node}))
        if node.family.event_ndim:
            matrix = self.monomial(apply("transpose", scale, axes=(1, 0)))
            spread = _product_with(matrix, scale.shape, own, node.shape, flipped=True)
            spread = Form(node.shape, tuple(t.at(lambda a: a.reshape(*node.shape, a.shape[-1])) for t in spread.terms))
        else:
            spread = _scaled(own, self.monomial(scale), node.shape)
        form = _sum(self.form(mean), spread, node.shape)
        if len(form.terms) > MAX_TERMS:
            raise NotAffine("it stands at the end of a long chain of latents", frozenset({node}))
        return form

    def _refuse_if_read(self, node: Node, why: str) -> None:
        if self.touched(node):
            raise NotAffine(why, self._touched[node])

    def _of(self, node: Node) -> Form:
        return self._forms[node] if self._touched[node] else self._constant(node)

    def _constant(self, node: Node) -> Form:
        """The form of an expression no latent enters: one term for each summand."""
        if isinstance(node, Deterministic):
            return self._constant(node.value)
        if isinstance(node, Apply) and node.op.name in ("add", "subtract") and self.static(node) is None:
            left, right = (self._constant(a) for a in node.arguments)
            return _sum(left, right if node.op.name == "add" else _negative(right), node.shape)
        product = self.monomial(node)
        factors = tuple(f.at(lambda a: a[..., None]) for f in product.factors)
        weight = product.weight[..., None]
        return Form(node.shape, (Term(None, np.zeros(weight.shape, int), weight, factors),))

    def _apply(self, node: Apply) -> Form:
        name = node.op.name
        if name in ("add", "subtract"):
            left, right = (self._of(a) for a in node.arguments)
            return _sum(left, right if name == "add" else _negative(right), node.shape)
        if name == "negative":
            return _negative(self._of(node.arguments[0]))
        if name in ("multiply", "true_divide"):
            return self._product(node)
        if name in REARRANGING:
            source = node.arguments[0]
            return _picked(self._of(source), self._source_rows(node, 0))
        if name in ("stack", "concatenate"):
            return self._joined(node)
        if name in ("sum", "mean"):
            return _reduced(self._of(node.arguments[0]), node, mean=name == "mean")
        if name == "cumsum":
            return _accumulated(self._of(node.arguments[0]), node.static["axis"])
        if name == "matmul":
            return self._matrix_product(node)
        raise NotAffine(f"it is entered through `{name}`", self._touched[node])

    def _product(self, node: Apply) -> Form:
        left, right = node.arguments
        touched = self._touched[left], self._touched[right]
        if touched[1] and node.op.name == "true_divide":
            raise NotAffine("it is divided by", touched[1])
        if touched[0] and touched[1]:
            blamed = min(touched, key=lambda latents: sum(latent.size for latent in latents))
            raise NotAffine("it is multiplied by another latent", blamed)
        form, other = (self._of(left), right) if touched[0] else (self._of(right), left)
        product = self.monomial(other)
        return _scaled(form, _inverse(product) if node.op.name == "true_divide" else product, node.shape)

    def _source_rows(self, node: Apply, argument: int) -> np.ndarray:
        """For each element of a rearranging operation, the element of its argument that it is."""
        source = node.arguments[argument]
        numbers = np.arange(source.size).reshape(source.shape)
        rest = [self.static(a) for a in node.arguments[1:]]
        return np.asarray(node.op.compute(NUMPY, 0, numbers, *rest, **node.static))

    def _joined(self, node: Apply) -> Form:
        """Stacking and concatenating: each argument's form, with weight zero where another argument is."""
        terms: list[Term] = []
        for k, argument in enumerate(node.arguments):
            numbers = [np.full(a.shape, -1) for a in node.arguments]
            numbers[k] = np.arange(argument.size).reshape(argument.shape)
            rows = np.asarray(node.op.compute(NUMPY, 0, *numbers, **node.static))
            present = (rows >= 0)[..., None]
            picked = _picked(self._of(argument), np.maximum(rows, 0))
            terms += [Term(t.latent, t.index, np.where(present, t.weight, 0.0), t.factors) for t in picked.terms]
        return Form(node.shape, tuple(terms))

    def _matrix_product(self, node: Apply) -> Form:
        left, right = node.arguments
        if self._touched[left] and self._touched[right]:
            raise NotAffine("it is multiplied by another latent", self._touched[right])
        if left.ndim > 2 or right.ndim > 2:
            raise NotAffine("it is entered through a stack of matrix products", self._touched[node])
        if self._touched[left]:  # a @ B = (B' a')'
            form = _product_with(self.monomial(right), right.shape, self._of(left), left.shape, flipped=True)
        else:
            form = _product_with(self.monomial(left), left.shape, self._of(right), right.shape, flipped=False)
        return Form(node.shape, tuple(t.at(lambda a: a.reshape(*node.shape, a.shape[-1])) for t in form.terms))


def expression(root: Node, known: Mapping[Node, Any]) -> Iterator[Node]:
    """Nodes of an expression without an entry in `known`, inputs first; random variables are its leaves."""
    stack, done = [(root, False)], set(known)
    while stack:
        node, ready = stack.pop()
        if node in done:
            continue
        if ready or isinstance(node, Random) or not node.inputs:
            done.add(node)
            yield node
        else:
            stack.append((node, True))
            stack.extend((child, False) for child in node.inputs)


# --- arithmetic of forms -------------------------------------------------------------------------------------------


def _broadcast(form: Form, shape: Shape) -> Form:
    if form.shape == shape:
        return form
    lifted = (1,) * (len(shape) - len(form.shape))

    def wide(a: np.ndarray) -> np.ndarray:
        return np.broadcast_to(a.reshape(lifted + a.shape), (*shape, a.shape[-1]))

    return Form(shape, tuple(t.at(wide) for t in form.terms))


def _sum(left: Form, right: Form, shape: Shape) -> Form:
    return Form(shape, _broadcast(left, shape).terms + _broadcast(right, shape).terms)


def _negative(form: Form) -> Form:
    return Form(form.shape, tuple(Term(t.latent, t.index, -t.weight, t.factors) for t in form.terms))


def _scaled(form: Form, product: Monomial, shape: Shape) -> Form:
    wide = _broadcast(form, shape)
    weight = np.broadcast_to(product.weight, shape)[..., None]
    terms = []
    for t in wide.terms:
        more = tuple(
            f.at(lambda index: np.broadcast_to(np.broadcast_to(index, shape)[..., None], t.weight.shape))
            for f in product.factors
        )
        terms.append(Term(t.latent, t.index, t.weight * weight, t.factors + more))
    return Form(shape, tuple(terms))


def _picked(form: Form, rows: np.ndarray) -> Form:
    """The form of a rearrangement: row r of the result is row rows[r], counted flat, of the form."""
    return Form(rows.shape, tuple(t.at(lambda a: a.reshape(-1, a.shape[-1])[rows]) for t in form.terms))


def _reduced(form: Form, node: Apply, *, mean: bool) -> Form:
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


def _accumulated(form: Form, axis: int) -> Form:
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


def _product_with(matrix: Monomial, matrix_shape: Shape, form: Form, shape: Shape, *, flipped: bool) -> Form:
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


def _times(a: Monomial, b: Monomial, shape: Shape) -> Monomial:
    factors = tuple(f.at(lambda index: np.broadcast_to(index, shape)) for f in a.factors + b.factors)
    return Monomial(np.broadcast_to(a.weight, shape) * np.broadcast_to(b.weight, shape), factors)


def _inverse(a: Monomial) -> Monomial:
    with np.errstate(divide="ignore"):
        return Monomial(1.0 / a.weight, tuple(Factor(f.node, f.index, -f.power) for f in a.factors))


def _rearranged(a: Monomial, rows: np.ndarray, shape: Shape) -> Monomial:
    def pick(array: np.ndarray) -> np.ndarray:
        return np.broadcast_to(array, shape).reshape(-1)[rows]

    return Monomial(pick(a.weight), tuple(f.at(pick) for f in a.factors))
