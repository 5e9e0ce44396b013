"""What keeps a random parameter inside its domain: outside, the density of its variable is 0.

Where the values of a parameter are known they are checked once, with an error. Where they depend on unknowns, the check
goes into the density as a guard, unless the ranges of the expressions prove that it always holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from finetti.distributions.domains import CHOLESKY, Condition, Domain, Parameter
from finetti.distributions.ranges import Ranges
from finetti.model.evaluate import align, evaluate, is_static
from finetti.model.graph import Node, Random
from finetti.model.namespace import Namespace


@dataclass(frozen=True)
class Guard:
    """A domain of one parameter, or a condition on several, with the nodes they were given as.

    Args:
        rule: the domain or condition.
        names: of the parameters.
        nodes: what the user gave for them.
    """

    rule: Domain | Condition
    names: tuple[str, ...]
    nodes: tuple[Node, ...]

    def with_nodes(self, nodes: Sequence[Node]) -> Guard:
        """The same rule for other nodes."""
        return replace(self, nodes=tuple(nodes))

    def needed(self, ranges: Ranges) -> bool:
        """Whether some values of the unknowns may break it, as far as the form of the expressions tells."""
        if all(map(is_static, self.nodes)):
            return False
        if isinstance(self.rule, Condition):
            return not self.rule.follows(*map(ranges.of, self.nodes))
        return not (self.rule.shows or self.rule.proven(self.nodes[0], ranges))

    def elements(self, given: Mapping[Node, Any], xp: Namespace, lead: int) -> Any:
        """Whether it holds, for each element: (draw, ...) with `lead=1`."""
        values = evaluate(self.nodes, given, xp=xp, lead=lead)
        if isinstance(self.rule, Condition):
            rank = max(node.ndim for node in self.nodes)
            return self.rule.holds(*(align(v, rank) if lead else v for v in values))
        return self.rule.admits(xp, values[0])

    def holds(self, given: Mapping[Node, Any], xp: Namespace, lead: int) -> Any:
        """Whether it holds for all elements, (draw,) or ()."""
        held = self.elements(given, xp, lead)
        return held.all(tuple(range(lead, held.ndim)))

    def said_of(self, node: Random) -> str:
        """That nothing keeps it, what follows, and what would keep it."""
        whose = f"{node.name!r} ({node.family.__name__})"
        if isinstance(self.rule, Condition):
            what, then, link = f"{self.rule.words} for {whose}", "it does not hold", ""
        else:
            what, then, link = f"{self.names[0]} of {whose} {self.rule.words}", "it is not", self.rule.link
        way = f" Inside `{link}(...)` it always is." if link else ""
        return f"As far as its form shows, nothing keeps {what}; where {then}, the density is 0.{way}"


def guards_of(
    parameters: Sequence[Parameter], others: Sequence[Parameter], conditions: Sequence[Condition],
    given: Mapping[str, Node], canonical: Mapping[str, Node],
) -> tuple[Guard, ...]:
    """The guards of a variable, in the terms of the user: those of another parametrisation where it was given.

    A parameter that was computed from others needs none of its own, for their domains see to it. The exception is a
    Cholesky factor: whether a covariance matrix is positive definite shows in its factor alone.

    Args:
        parameters, others, conditions: as the family declares them.
        given: nodes of the parameters as the user gave them.
        canonical: nodes of `parameters`.
    """  # fmt: skip
    known = {**canonical, **given}
    own = [p for p in parameters if p.name in given or p.domain is CHOLESKY]
    other = [p for p in others if p.name in given]
    guards = [Guard(p.domain, (p.name,), (known[p.name],)) for p in (*own, *other)]
    names = {p.name for p in own} | {p.name for p in parameters if not p.required} | set(given)
    return (
        *guards,
        *(Guard(c, c.names, tuple(known[n] for n in c.names)) for c in conditions if names.issuperset(c.names)),
    )


def needed_guards(nodes: Iterable[Random], data: Mapping[Node, Any]) -> dict[Random, tuple[Guard, ...]]:
    """For each variable the guards that its density needs, if any."""
    ranges = Ranges(data)
    found = {node: tuple(guard for guard in node.guards if guard.needed(ranges)) for node in nodes}
    return {node: guards for node, guards in found.items() if guards}


def said(guards: Mapping[Random, Sequence[Guard]]) -> tuple[str, ...]:
    """What nothing keeps in its domain, in words, and what would."""
    return tuple(guard.said_of(node) for node, needed in guards.items() for guard in _told(needed))


def guarded(guards: Mapping[Random, Sequence[Guard]]) -> str:
    """The parameters that may leave their domain: "mu of 'c', p of 'y'"; "" where there are none."""
    found = (f"{' and '.join(g.names)} of {node.name!r}" for node, needed in guards.items() for g in _told(needed))
    return ", ".join(found)


def _told(needed: Sequence[Guard]) -> list[Guard]:
    """Without the factor of a covariance matrix that was given itself."""
    return [guard for guard in needed if guard.rule is not CHOLESKY or len(needed) == 1]
