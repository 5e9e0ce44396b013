"""A model -> the log density of one flat unconstrained vector, under NumPy over many draws or under JAX at one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from finetti.coordinates.constrain import Block, blocks_of, constrain
from finetti.coordinates.contract import Coordinates
from finetti.distributions.bijections import Logs
from finetti.distributions.guards import Guard, needed_guards
from finetti.errors import ModelError
from finetti.model.context import Model
from finetti.model.evaluate import align, evaluate, static_value
from finetti.model.graph import Constant, Data, Node, Random, ancestors
from finetti.model.namespace import NUMPY, Namespace
from finetti.reductions.contract import Reduction


@dataclass(frozen=True)
class Density:
    """The log density of a model over a flat unconstrained vector.

    Args:
        randoms: every random variable, parents first.
        potentials: further terms, by name.
        blocks: which slice of the vector holds which free variable.
        arguments: arrays the density is computed from, by node; a compiled program takes them as arguments, so that
            it serves other data of the same shapes.
        carriers: for some observed variables, the argument that holds the part of their log density no unknown enters.
        reductions: unknowns that have been integrated out: their part of the density is their marginal.
        guards: of variables whose parameters may leave their domain: there the density is 0.
    """

    randoms: tuple[Random, ...]
    potentials: Mapping[str, Node]
    blocks: tuple[Block, ...]
    arguments: Mapping[Node, np.ndarray]
    carriers: Mapping[Random, Node] = field(default_factory=dict)
    reductions: tuple[Reduction, ...] = ()
    guards: Mapping[Random, tuple[Guard, ...]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Length of the flat vector."""
        return sum(block.size for block in self.blocks)

    def name_of(self, position: int) -> str:
        """The unconstrained name of one position of the flat vector: tau_log__, or theta[3]."""
        block = next(b for b in self.blocks if b.start <= position < b.start + b.size)
        if not block.shape:
            return block.name
        index = np.unravel_index(position - block.start, block.shape)
        return f"{block.name}[{', '.join(map(str, index))}]"

    def terms(
        self, flat: Any, given: Mapping[Node, Any], *, xp: Namespace = NUMPY, lead: int = 0
    ) -> Iterator[tuple[str, Any]]:
        """Each variable's and potential's share of the log density, by name; Jacobians under the unconstrained name.

        Args:
            flat: (draw, unconstrained) with `lead=1`, or (unconstrained,).
            given: the arguments, each with a leading axis of length 1 where `lead=1`.
            xp: the namespace to compute in.
            lead: number of leading axes of draws.

        Yields:
            Name, and the term of shape (draw,) or ().
        """
        for name, term, inside in self._guarded_terms(flat, given, xp, lead):
            yield name, term if inside is True else xp.where(inside, term, -np.inf)

    def _guarded_terms(
        self, flat: Any, given: Mapping[Node, Any], xp: Namespace, lead: int
    ) -> Iterator[tuple[str, Any, Any]]:
        """Name, term, and whether the parameters of its variable are in their domains: True where they always are."""
        known = dict(given)
        logs: dict[Random, Logs | None] = {}
        for block, value, log_det in constrain(self.blocks, flat, given, xp=xp, lead=lead):
            logs[block.node] = block.logs(block.take(flat, lead), known, xp, lead)
            if block.transformed:
                name = block.name if block.name != block.node.name else f"{block.name} (coordinates)"
                yield name, _total(xp, log_det, lead), True
            known[block.node] = value
        for node in self.randoms:
            by = self._written_by(node, logs)
            term = _total(xp, _log_density(node, known, xp, lead, by), lead)
            term = term + known[self.carriers[node]] if node in self.carriers else term
            yield str(node.name), term, self._inside([node], known, xp, lead)
        for name, potential in self.potentials.items():
            yield name, _total(xp, evaluate([potential], known, xp=xp, lead=lead)[0], lead), True
        for reduction in self.reductions:
            name = f"{', '.join(str(m.name) for m in reduction.members)} (integrated out)"
            inside = self._inside(reduction.variables, known, xp, lead)
            yield name, reduction.log_marginal(known, xp=xp, lead=lead), inside

    def _inside(self, nodes: Sequence[Random], known: Mapping[Node, Any], xp: Namespace, lead: int) -> Any:
        """Whether the parameters of some variables are in their domains: (draw,) or (), True where they always are."""
        inside: Any = True
        for guard in (guard for node in nodes for guard in self.guards.get(node, ())):
            inside = inside & guard.holds(known, xp, lead)
        return inside

    def __call__(self, flat: Any, given: Mapping[Node, Any], *, xp: Namespace = NUMPY, lead: int = 0) -> Any:
        """The log density of the flat vector: the sum of all terms, of shape (draw,) or ().

        It is -inf where a parameter is outside its domain, whatever the terms are there.
        """
        total, everywhere = 0.0, True
        for _, term, inside in self._guarded_terms(flat, given, xp, lead):
            total, everywhere = total + term, everywhere & inside
        return total if everywhere is True else xp.where(everywhere, total, -np.inf)

    def broken(self, flat: np.ndarray, given: Mapping[Node, Any]) -> np.ndarray:
        """How many elements of the terms are not finite and of the guards do not hold, at points (draw, ...): (draw,).

        A search for a point of finite density goes by it: with many constraints none may be in sight, but better and
        better ones are.
        """
        known, count = dict(given), np.zeros(len(flat))
        logs: dict[Random, Logs | None] = {}
        for block, value, log_det in constrain(self.blocks, flat, given, lead=1):
            logs[block.node] = block.logs(block.take(flat, 1), known, NUMPY, 1)
            known[block.node] = value
            count += _not_finite(log_det, flat) + _not_finite(value, flat)
        for node in self.randoms:
            count += _not_finite(_log_density(node, known, NUMPY, 1, self._written_by(node, logs)), flat)
        for potential in self.potentials.values():
            count += _not_finite(evaluate([potential], known, lead=1)[0], flat)
        for guard in (guard for guards in self.guards.values() for guard in guards):
            count += _failures(guard.elements(known, NUMPY, 1), flat)
        for reduction in self.reductions:
            count += _not_finite(reduction.log_marginal(known, lead=1), flat)
        return count

    def _written_by(self, node: Random, logs: Mapping[Random, Logs | None]) -> Callable[..., Any]:
        """The log density of one variable as `(xp, x, *parameters)`: its kernel alone, or by logarithms, where due."""
        family, its_logs, by_logs = node.family, logs.get(node), node.family.log_density_by_logs
        if node in self.carriers:
            return family.log_kernel
        if its_logs is None or by_logs is None:
            return family.log_density
        return lambda xp, x, *parameters: by_logs(xp, x, its_logs, *parameters)

    def batched_arguments(self) -> dict[Node, np.ndarray]:
        """The arguments with a leading axis of length 1, for evaluation over draws."""
        return {node: value[None] for node, value in self.arguments.items()}


def density_of(
    model: Model, reductions: Sequence[Reduction] = (), coordinates: Mapping[Random, Coordinates] | None = None
) -> Density:
    """The density of a model, with the members of reductions integrated out.

    Args:
        model: the model.
        reductions: found in it; none for the model as it is written.
        coordinates: of variables, where they are not the support's own.

    Raises:
        ModelError: for a model without an unknown.
    """
    if not model.free:
        empty = "everything in it is observed" if model.randoms else "nothing was written in it"
        raise ModelError(f"The model has no unknown variable, for {empty}, so nothing can be sampled.")
    replaced = dict.fromkeys(node for reduction in reductions for node in reduction.variables)
    randoms = tuple(n for n in model.randoms if n not in replaced)
    free = [n for n in model.free if n not in replaced]
    carriers = _carriers(randoms, model.data)
    blocks = blocks_of(free, coordinates)
    chosen = [b.coordinates for b in blocks if b.coordinates is not None]
    roots = [*randoms, *model.potentials.values(), *(node for reduction in reductions for node in reduction.nodes)]
    guards = needed_guards([*randoms, *replaced], model.data)
    roots += [node for needed in guards.values() for guard in needed for node in guard.nodes]
    roots += [node for c in chosen for node in c.reads]
    arguments = _arguments(roots, model.data) | {node: value for node, value in carriers.values()}
    for reduction in reductions:
        arguments |= reduction.arrays
    arguments |= {c.place: c.place.value for c in chosen}
    placeholders = {node: pair[0] for node, pair in carriers.items()}
    return Density(randoms, dict(model.potentials), blocks, arguments, placeholders, tuple(reductions), guards)


def _carriers(randoms: Sequence[Random], data: Mapping[Node, np.ndarray]) -> dict[Random, tuple[Node, np.ndarray]]:
    """For each observed variable whose family has one and where it is known: a place for its carrier, and its value."""
    found: dict[Random, tuple[Node, np.ndarray]] = {}
    for node in randoms:
        family = node.family
        if node.observed is None or family.carrier is None:
            continue
        names = [p.name for p in family.parameters]
        wanted = [node.observed, *(node.parameters[names.index(name)] for name in family.carrier)]
        values = [static_value(n, data) for n in wanted]
        if all(value is not None for value in values):
            total = np.asarray(np.broadcast_to(family.log_carrier(NUMPY, *values), node.shape).sum(), float)
            found[node] = (Constant((), total.dtype, total), total)
    return found


def _log_density(
    node: Random, known: Mapping[Node, Any], xp: Namespace, lead: int, written_by: Callable[..., Any]
) -> Any:
    """Elementwise log density of one variable at its value or data."""
    at = node if node.observed is None else node.observed
    value, *parameters = evaluate([at, *node.parameters], known, xp=xp, lead=lead)
    if lead:
        batch = node.ndim - node.family.event_ndim
        parameters = [
            align(p, batch + spec.event_ndim) for p, spec in zip(parameters, node.family.parameters, strict=True)
        ]
    return _repeated(xp, written_by(xp, value, *parameters), node, lead)


def _repeated(xp: Namespace, log_density: Any, node: Random, lead: int) -> Any:
    """Over the variable's whole batch shape, where value and parameters are all narrower (an improper prior)."""
    batch = node.shape[: node.ndim - node.family.event_ndim]
    if log_density.shape[lead:] == batch:
        return log_density
    return xp.broadcast_to(log_density, log_density.shape[:lead] + batch)


def _not_finite(terms: Any, flat: np.ndarray) -> np.ndarray:
    return _failures(np.isfinite(terms), flat)


def _failures(held: Any, flat: np.ndarray) -> np.ndarray:
    """(draw,) how many of some truth values (draw, ...) are false."""
    held = np.asarray(held)
    return np.broadcast_to((~held).reshape(len(held), -1).sum(axis=1), len(flat))


def _total(xp: Namespace, terms: Any, lead: int) -> Any:
    """Sum over everything but the draws."""
    return xp.sum(terms, axis=tuple(range(lead, terms.ndim)))


def _arguments(roots: list[Node], data: Mapping[Node, np.ndarray]) -> dict[Node, np.ndarray]:
    """The largest sub-expressions that no random variable enters, evaluated once; plain numbers stay in the program."""
    random: set[int] = set()
    order = list(ancestors(roots))
    for node in order:
        if isinstance(node, Random) or any(id(child) in random for child in node.inputs):
            random.add(id(node))
    edge = [child for node in order if id(node) in random for child in node.inputs if id(child) not in random]
    edge += [root for root in roots if id(root) not in random]
    known = [n for n in dict.fromkeys(edge) if n.ndim or not isinstance(n, Constant)]
    given: dict[Node, np.ndarray] = {n: data[n] for n in order if isinstance(n, Data)}
    with np.errstate(all="ignore"):
        values = evaluate(known, given)
    return {node: np.asarray(value) for node, value in zip(known, values, strict=True)}
