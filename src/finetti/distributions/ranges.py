"""Between which numbers an expression lies, as far as its form tells: interval arithmetic over the graph.

A parameter whose range lies inside its domain needs no check in the sampler's loop; a scale that is positive by its
form may serve as one. Ranges are those of exact arithmetic: exp(x) is positive, though exp(-1000) is 0 in floating
point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from finetti.model.evaluate import apply_op
from finetti.model.graph import Apply, Constant, Data, Deterministic, Node, Random, ancestors
from finetti.model.namespace import NUMPY
from finetti.model.range import ANYTHING, Range, spanned


@dataclass
class Ranges:
    """The ranges of a model's expressions, each found once.

    Args:
        data: values of the model's data.
    """

    data: Mapping[Node, np.ndarray]
    _found: dict[Node, Range] = field(default_factory=dict)
    _known: dict[Node, np.ndarray] = field(default_factory=dict)

    def of(self, node: Node) -> Range:
        """The range of all elements of an expression."""
        for part in ancestors([node], through=_not_random, known=self._found):
            value = self._value(part)
            if value is not None:
                self._known[part] = value
            self._found[part] = self._form(part) if value is None else spanned(value)
        return self._found[node]

    def _value(self, node: Node) -> np.ndarray | None:
        match node:
            case Constant(value=value):
                return value
            case Data():
                return self.data.get(node)
            case Deterministic(value=inner):
                return self._known.get(inner)
            case Apply(op=op, arguments=arguments) if all(a in self._known for a in arguments):
                with np.errstate(all="ignore"):
                    values = [self._known[a] for a in arguments]
                    return np.asarray(apply_op(op, values, node.static, xp=NUMPY, lead=0, rank=node.ndim))
        return None

    def _form(self, node: Node) -> Range:
        match node:
            case Random(observed=None):
                return self._support(node)
            case Random(observed=observed):
                return self.of(observed) if observed is not None else ANYTHING
            case Deterministic(value=inner):
                return self._found[inner]
            case Apply():
                rule = node.op.range
                return ANYTHING if rule is None else rule(node, [self._found[a] for a in node.arguments])
        return ANYTHING

    def _support(self, node: Random) -> Range:
        """A continuous variable is drawn from the inside of its support."""
        support = node.family.support_of(node.parameters)
        bounds = dict(zip(support.bounds, node.family.bounds_of(node.parameters, support), strict=True))
        discrete = support.bijection is None
        low, high = (self.of(bounds[end]) if isinstance(end, str) else Range(end, end) for end in support.ends)
        return Range(low.low, high.high, discrete, discrete, discrete)


def _not_random(node: Node) -> bool:
    return not isinstance(node, Random)
