"""The affine form of an expression: which latents it is a weighted sum of, and with what weights.

An expression e that is affine in chosen latents z is held as a sum of terms. A term reads, for each element of e,
one or more elements of one latent, each with a weight: a known number times, perhaps, values of expressions that the
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

from collections.abc import Mapping

import numpy as np

from finetti.model.evaluate import expression, static_value
from finetti.model.graph import Apply, Deterministic, Node, Random, apply
from finetti.model.namespace import NUMPY
from finetti.model.ops import Affine
from finetti.reductions.linear.forms import (
    Factor,
    Form,
    Monomial,
    Term,
    accumulated,
    add,
    inverse,
    negated,
    picked,
    product_with,
    rearranged,
    reduced,
    scaled,
    times,
)

MAX_TERMS = 64
_SUMS = (Affine.SUM, Affine.DIFFERENCE)


class NotAffine(Exception):
    """An expression is not affine: why, and which latents are to blame."""

    def __init__(self, why: str, latents: frozenset[Node]):
        super().__init__(why)
        self.why, self.latents = why, latents


class Reader:
    """Reads expressions as affine forms in a set of latents.

    Args:
        latents: the variables the forms may be affine in.
        data: values of the model's data.
        standardised: whether a Normal latent is read as its mean plus its scale times a standard one, or as it is.
    """

    def __init__(self, latents: frozenset[Node], data: Mapping[Node, np.ndarray], *, standardised: bool = True):
        self.latents, self.data, self.standardised = latents, data, standardised
        self._touched: dict[Node, frozenset[Node]] = {}
        self._forms: dict[Node, Form] = {}
        self._static: dict[Node, np.ndarray | None] = {}

    def touched(self, root: Node) -> frozenset[Node]:
        """The latents an expression reads."""
        for node in expression(root, self._touched):
            if isinstance(node, Random):
                found = frozenset[Node]({node}) & self.latents
            else:
                found = frozenset[Node]().union(*(self._touched[child] for child in node.inputs))
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
            case Apply(op=op, arguments=arguments) if op.affine in (Affine.PRODUCT, Affine.QUOTIENT):
                left, right = self.monomial(arguments[0]), self.monomial(arguments[1])
                return times(left, inverse(right) if op.affine is Affine.QUOTIENT else right, node.shape)
            case Apply(op=op, arguments=(argument,)) if op.affine in (Affine.NEGATIVE, Affine.RECIPROCAL):
                inner = self.monomial(argument)
                return inverse(inner) if op.affine is Affine.RECIPROCAL else Monomial(-inner.weight, inner.factors)
            case Apply(op=op) if op.rearranges and all(
                self.static(a) is not None for a in node.arguments[1:]
            ):
                inner, rows = self.monomial(node.arguments[0]), self._source_rows(node, 0)
                return rearranged(inner, rows, node.arguments[0].shape)
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
        if not node.parameters or not self.standardised:
            return own
        mean, scale = node.parameters
        self._refuse_if_read(scale, "it enters a scale")
        if node.family.event_ndim and scale.ndim > 2:
            raise NotAffine("its covariance differs from vector to vector", frozenset({node}))
        if node.family.event_ndim:
            matrix = self.monomial(apply("transpose", scale, axes=(1, 0)))
            vectors = (node.size // scale.shape[0], scale.shape[0])
            spread = product_with(matrix, scale.shape, own, vectors, flipped=True)
            spread = Form(node.shape, tuple(t.at(lambda a: a.reshape(*node.shape, a.shape[-1])) for t in spread.terms))
        else:
            spread = scaled(own, self.monomial(scale), node.shape)
        form = add(self.form(mean), spread, node.shape)
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
        if isinstance(node, Apply) and node.op.affine in _SUMS and self.static(node) is None:
            left, right = (self._constant(a) for a in node.arguments)
            return add(left, negated(right) if node.op.affine is Affine.DIFFERENCE else right, node.shape)
        product = self.monomial(node)
        factors = tuple(f.at(lambda a: a[..., None]) for f in product.factors)
        weight = product.weight[..., None]
        return Form(node.shape, (Term(None, np.zeros(weight.shape, int), weight, factors),))

    def _apply(self, node: Apply) -> Form:
        match node.op.affine:
            case Affine.SUM | Affine.DIFFERENCE as kind:
                left, right = (self._of(a) for a in node.arguments)
                return add(left, negated(right) if kind is Affine.DIFFERENCE else right, node.shape)
            case Affine.NEGATIVE:
                return negated(self._of(node.arguments[0]))
            case Affine.PRODUCT | Affine.QUOTIENT:
                return self._product(node)
            case Affine.REARRANGED:
                return picked(self._of(node.arguments[0]), self._source_rows(node, 0))
            case Affine.JOINED:
                return self._joined(node)
            case Affine.REDUCED:
                return reduced(self._of(node.arguments[0]), node, mean=node.op.name == "mean")
            case Affine.ACCUMULATED:
                return accumulated(self._of(node.arguments[0]), node.static["axis"])
            case Affine.MATRIX_PRODUCT:
                return self._matrix_product(node)
        raise NotAffine(f"it is entered through `{node.op.name}`", self._touched[node])

    def _product(self, node: Apply) -> Form:
        left, right = node.arguments
        touched = self._touched[left], self._touched[right]
        if touched[1] and node.op.affine is Affine.QUOTIENT:
            raise NotAffine("it is divided by", touched[1])
        if touched[0] and touched[1]:
            blamed = min(touched, key=lambda latents: sum(latent.size for latent in latents))
            raise NotAffine("it is multiplied by another latent", blamed)
        form, other = (self._of(left), right) if touched[0] else (self._of(right), left)
        product = self.monomial(other)
        return scaled(form, inverse(product) if node.op.affine is Affine.QUOTIENT else product, node.shape)

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
            chosen = picked(self._of(argument), np.maximum(rows, 0))
            terms += [Term(t.latent, t.index, np.where(present, t.weight, 0.0), t.factors) for t in chosen.terms]
        return Form(node.shape, tuple(terms))

    def _matrix_product(self, node: Apply) -> Form:
        left, right = node.arguments
        if self._touched[left] and self._touched[right]:
            raise NotAffine("it is multiplied by another latent", self._touched[right])
        if left.ndim > 2 or right.ndim > 2:
            raise NotAffine("it is entered through a stack of matrix products", self._touched[node])
        if self._touched[left]:  # a @ B = (B' a')'
            form = product_with(self.monomial(right), right.shape, self._of(left), left.shape, flipped=True)
        else:
            form = product_with(self.monomial(left), left.shape, self._of(right), right.shape, flipped=False)
        return Form(node.shape, tuple(t.at(lambda a: a.reshape(*node.shape, a.shape[-1])) for t in form.terms))
