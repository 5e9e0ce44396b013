"""What every law answers alike, whether a family or a value: checks of what is known, its density anywhere, words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from finetti.distributions.bijections import REAL
from finetti.distributions.data import check_observed
from finetti.distributions.domains import Parameter, check_condition, check_parameter
from finetti.model.evaluate import is_static, static_value
from finetti.model.graph import Constant, Data, Node, Random, ancestors, label
from finetti.model.law import Law


def check_law(law: Law, node: Random, data: Mapping[Node, np.ndarray]) -> None:
    """Refuse parameters outside their domain and data outside the support, wherever both are known now."""
    values = [known_value(p, data) for p in node.parameters]
    law.check_values(node, values)
    observed = None if node.observed is None else static_value(node.observed, data)
    if observed is not None:
        check_observed(node, observed, values)


def check_law_values(law: Law, node: Random, values: Sequence[np.ndarray | None]) -> None:
    """Refuse values of the parameters outside their domain; None stands for a value that is not known."""
    title = title_of(law, node.name)
    for parameter, source, value in zip(law.parameters, node.parameters, values, strict=True):
        if value is not None:
            check_parameter(title, parameter, value, source_of(source))
    known = dict(zip((p.name for p in law.parameters), values, strict=True))
    for condition in law.conditions:
        check_condition(title, condition, known)


def everywhere(family: Law, xp: Any, x: Any, values: Sequence[Any]) -> Any:
    """The log density at any x, -inf outside the support, with finite gradients on both sides of its edge.

    Args:
        family: the law.
        xp: the namespace.
        x: (..., *event) values, inside the support or not.
        values: those of the law's parameters, which broadcast against x.
    """
    support = family.support_of(tuple(values))
    inside = support.contains(x, *family.bounds_of(values, support))
    per_event = inside[(..., *(None,) * family.event_ndim)]
    safe = x if support is REAL else xp.where(per_event, x, family.center(xp, *values))
    return xp.where(inside, family.log_density(xp, safe, *values), -np.inf)


def known_value(node: Node, data: Mapping[Node, np.ndarray]) -> np.ndarray | None:
    """The value of a node that rests on constants and on the data at hand alone."""
    if not is_static(node) or any(isinstance(n, Data) and n not in data for n in ancestors([node])):
        return None
    return static_value(node, data)


def title_of(cls: Law, name: str | None) -> str:
    return f"{name!r} ({cls.__name__})" if name else cls.__name__


def source_of(source: Node) -> str:
    return "" if isinstance(source, Constant) else f" (from {label(source)})"


Write = Callable[[str, Sequence[str], Sequence[str]], str]  # a name, names of parameters and their texts -> a text


class ValueLaw:
    """What laws that are values answer alike."""

    others: ClassVar[tuple[Parameter, ...]] = ()
    location_scale: ClassVar[None] = None
    carrier: ClassVar[None] = None
    log_density_by_logs: ClassVar[None] = None

    def shown(self, write: Write, texts: Sequence[str]) -> str:
        """The law in words, given the texts of its parameters."""
        raise NotImplementedError

    def check(self, node: Random, data: Mapping[Node, np.ndarray]) -> None:
        """See `Law.check`."""
        check_law(self, node, data)

    def check_values(self, node: Random, values: Sequence[np.ndarray | None]) -> None:
        """See `Law.check_values`."""
        check_law_values(self, node, values)


def shown(law: Law, write: Write, texts: Sequence[str]) -> str:
    """A law in words, given the texts of its parameters."""
    if isinstance(law, ValueLaw):
        return law.shown(write, texts)
    return write(law.__name__, [p.name for p in law.parameters], texts)
