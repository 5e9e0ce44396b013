"""A mixture of laws, as a value: its parameters are the weights and those of the laws, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from finetti.distributions.bijections import REAL, Support
from finetti.distributions.domains import SIMPLEX_PART, Condition, Parameter
from finetti.distributions.laws import ValueLaw, Write, everywhere, shown
from finetti.distributions.tails import Tails, has_tails, tails_of
from finetti.model.graph import Node, Shape
from finetti.model.law import Law
from finetti.model.namespace import Namespace


@dataclass(frozen=True)
class MixtureLaw(ValueLaw):
    """One of several laws, with probabilities `w`; or of one whose last axis are the components.

    Args:
        laws: of the components.
        stacked: whether there is one, whose parameters have an axis of components before those of one value.
    """

    laws: tuple[Law, ...]
    stacked: bool = False

    __name__: ClassVar[str] = "Mixture"

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The weights, and those of the components."""
        own = [Parameter("w", SIMPLEX_PART, event_ndim=1)]
        return (*own, *(self._named(k, p) for k, law in enumerate(self.laws) for p in law.parameters))

    def _named(self, k: int, parameter: Parameter) -> Parameter:
        axes = parameter.event_ndim + self.stacked
        return Parameter(self.name_of(k, parameter.name), parameter.domain, event_ndim=axes)

    def name_of(self, k: int, name: str) -> str:
        """What a parameter of component k is called."""
        return f"{name} of the components" if self.stacked else f"{name} of component {k}"

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """Those of the components."""
        return tuple(
            replace(c, names=tuple(self.name_of(k, name) for name in c.names))
            for k, law in enumerate(self.laws)
            for c in law.conditions
            if set(c.names) <= {p.name for p in law.parameters}
        )

    @property
    def event_ndim(self) -> int:
        """Axes of one value."""
        return self.laws[0].event_ndim

    @property
    def discrete(self) -> bool:
        """Whether values are whole numbers."""
        return self.laws[0].discrete

    @property
    def drawable(self) -> bool:
        """Where all components are."""
        return all(law.drawable for law in self.laws)

    def parts(self, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """The parameters of each component."""
        start = 0
        for law in self.laws:
            yield tuple(values[start : start + len(law.parameters)])
            start += len(law.parameters)

    def shown(self, write: Write, texts: Sequence[str]) -> str:
        """The weights, then each component."""
        parts = zip(self.laws, self.parts(texts[1:]), strict=True)
        inner = [shown(law, write, part) for law, part in parts]
        return write(self.__name__, [], [texts[0], *inner])

    def support_of(self, parameters: tuple[Node, ...]) -> Support:
        """That of the components where it is the same and fixed; else all numbers, for each is 0 outside its own."""
        supports = [law.support_of(p) for law, p in zip(self.laws, self.parts(parameters[1:]), strict=True)]
        first = supports[0]
        if all(support is first for support in supports) and not first.bounds:
            return first
        return WHOLE if self.discrete else REAL

    def bounds_of(self, values: tuple[Any, ...], support: Support) -> list[Any]:
        """None."""
        return []

    def event_shape(self, parameters: tuple[Node, ...]) -> Shape:
        """That of the components."""
        return self.laws[0].event_shape(next(self.parts(parameters[1:])))

    def log_density(self, xp: Namespace, x: Any, w: Any, *parameters: Any) -> Any:
        """Log of the weighted sum of the components' densities."""
        log_w = xp.where(w > 0, xp.log(xp.where(w > 0, w, 1.0)), -np.inf)
        return xp.logsumexp(log_w + self._terms(xp, x, parameters), axis=-1)

    def _terms(self, xp: Namespace, x: Any, parameters: Sequence[Any]) -> Any:
        """(..., component) log densities."""
        if self.stacked:
            axis = (..., None, *(slice(None),) * self.event_ndim)
            return everywhere(self.laws[0], xp, x[axis], parameters)
        terms = [everywhere(law, xp, x, p) for law, p in zip(self.laws, self.parts(parameters), strict=True)]
        shape = np.broadcast_shapes(*(term.shape for term in terms))
        return xp.stack([xp.broadcast_to(term, shape) for term in terms], axis=-1)

    def draw(self, rng: np.random.Generator, shape: Shape, w: Any, *parameters: Any) -> np.ndarray:
        """A component for each value, and a draw from it."""
        batch, event = shape[: len(shape) - self.event_ndim], shape[len(shape) - self.event_ndim :]
        below = np.cumsum(w, axis=-1)[..., :-1]
        chosen = np.broadcast_to((rng.random(batch)[..., None] > below).sum(axis=-1), batch)
        if self.stacked:
            drawn = self.laws[0].draw(rng, (*batch, w.shape[-1], *event), *parameters)
            at = chosen[(..., None, *(None,) * self.event_ndim)]
            return np.take_along_axis(drawn, at, axis=-1 - self.event_ndim).reshape(shape)
        found = np.zeros(shape)
        for k, (law, p) in enumerate(zip(self.laws, self.parts(parameters), strict=True)):
            of_k = (chosen == k)[(..., *(None,) * self.event_ndim)]
            found = np.where(of_k, law.draw(rng, shape, *p), found)
        return found

    def center(self, xp: Namespace, w: Any, *parameters: Any) -> Any:
        """The weighted mean of the components' centres."""
        return self._weighted(xp, w, parameters, "center")

    def mean(self, xp: Namespace, w: Any, *parameters: Any) -> Any:
        """The weighted mean of the components' means."""
        return self._weighted(xp, w, parameters, "mean")

    def _weighted(self, xp: Namespace, w: Any, parameters: Sequence[Any], what: str) -> Any:
        """The weighted mean of what each component answers."""
        over = (..., *(None,) * self.event_ndim)
        if self.stacked:
            values = getattr(self.laws[0], what)(xp, *parameters)
            return xp.sum(w[over] * values, axis=-1 - self.event_ndim)
        pairs = enumerate(zip(self.laws, self.parts(parameters), strict=True))
        return sum(w[..., k][over] * getattr(law, what)(xp, *p) for k, (law, p) in pairs)

    @property
    def tails(self) -> Tails | None:
        """The weighted sums of the components' cumulative probabilities, where all have some."""
        if self.event_ndim or not all(map(has_tails, self.laws)):
            return None
        each = [tails_of(law) for law in self.laws]
        return Tails(
            lambda xp, x, w, *p: self._sum_of(xp, x, w, p, [t.log_cdf for t in each]),
            lambda xp, x, w, *p: self._sum_of(xp, x, w, p, [t.log_sf for t in each]),
        )

    def _sum_of(self, xp: Namespace, x: Any, w: Any, parameters: Sequence[Any], logs: Sequence[Any]) -> Any:
        """log of the weighted sum of exp of functions of a value and each component's parameters."""
        if self.stacked:
            terms = logs[0](xp, x[..., None], *parameters)
        else:
            found = [log(xp, x, *p) for log, p in zip(logs, self.parts(parameters), strict=True)]
            shape = np.broadcast_shapes(*(term.shape for term in found))
            terms = xp.stack([xp.broadcast_to(term, shape) for term in found], axis=-1)
        log_w = xp.where(w > 0, xp.log(xp.where(w > 0, w, 1.0)), -np.inf)
        return xp.logsumexp(log_w + terms, axis=-1)


def _is_whole(x: Any) -> Any:
    return x % 1 == 0


WHOLE = Support("a whole number", _is_whole)
