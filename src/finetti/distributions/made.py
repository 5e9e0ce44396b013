"""Distributions made of distributions, as a user writes them: `Mixture`, `NormalMixture`, `Truncated`, `Censored`.

Each takes what `.dist(...)` of another gives, and has a `.dist` itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from finetti.calls import hinted
from finetti.distributions.base import unnamed_variable, variable
from finetti.distributions.domains import BOUND, SIMPLEX_PART, check_condition, check_parameter
from finetti.distributions.guards import Guard
from finetti.distributions.interval import ORDERED, TruncatedNormal, Uniform
from finetti.distributions.mixtures import MixtureLaw
from finetti.distributions.modifiers import BoundedLaw, CensoredLaw, TruncatedLaw
from finetti.distributions.real import Normal
from finetti.distributions.tails import tails_of
from finetti.errors import DataError, ModelError, ShapeError
from finetti.hints import OF_DISTRIBUTIONS
from finetti.model import build
from finetti.model.context import Dims, Model
from finetti.model.graph import Constant, Node, Random, as_node, label

Made = tuple[Any, tuple[Node, ...], tuple[Guard, ...]]  # a law, its parameters, what keeps them in their domains


class Mixture:
    """A mixture of distributions with weights `w`.

    Args:
        name: of the variable.
        w: (..., component) weights that add to 1.
        comp_dists: a list of unnamed distributions; or one, whose last axis are the components.
        observed, shape, dims, initval: as for any distribution.

    Raises:
        ModelError: components that are no unnamed distributions, or that mix counts with real numbers.
        ShapeError: another number of weights than of components.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     w = pm.Dirichlet("w", [1.0, 1.0])
        ...     parts = [pm.Normal.dist(0, 1), pm.StudentT.dist(nu=4, mu=3, sigma=2)]
        ...     y = pm.Mixture("y", w=w, comp_dists=parts, observed=[0.2, 3.1, -0.4])
    """

    @hinted(OF_DISTRIBUTIONS, "Mixture")
    def __new__(  # type: ignore[misc]
        cls, name: str, w: Any, comp_dists: Any, *, observed: Any = None, shape: Any = None, dims: Dims = None,
        initval: Any = None,
    ) -> Random:  # fmt: skip
        Model.current().claim(name)
        made = _mixture(f"{name!r} (Mixture)", w, comp_dists)
        return variable(made[0], name, *made[1:], observed=observed, shape=shape, dims=dims, initval=initval)

    @staticmethod
    def dist(w: Any, comp_dists: Any, *, shape: Any = None) -> Random:
        """The distribution without a name, to hand to another."""
        law, parameters, guards = _mixture("Mixture", w, comp_dists)
        return unnamed_variable(law, parameters, guards, shape=shape)


class NormalMixture:
    """A mixture of normal distributions with means `mu` and standard deviations `sigma`, with weights `w`.

    Args:
        name: of the variable.
        w: (..., component) weights that add to 1.
        mu, sigma: (..., component), or a number for all components.
        observed, shape, dims, initval: as for any distribution.

    Raises:
        ShapeError: another number of weights than of components.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     mu = pm.Normal("mu", [0.0, 3.0], 1, shape=2)
        ...     y = pm.NormalMixture("y", w=[0.5, 0.5], mu=mu, sigma=1, observed=[0.2, 3.1, -0.4])
    """

    @hinted(OF_DISTRIBUTIONS, "NormalMixture")
    def __new__(  # type: ignore[misc]
        cls, name: str, w: Any, mu: Any, sigma: Any = 1.0, *, observed: Any = None, shape: Any = None,
        dims: Dims = None, initval: Any = None,
    ) -> Random:  # fmt: skip
        Model.current().claim(name)
        made = _normals(f"{name!r} (NormalMixture)", w, mu, sigma)
        return variable(made[0], name, *made[1:], observed=observed, shape=shape, dims=dims, initval=initval)

    @staticmethod
    def dist(w: Any, mu: Any, sigma: Any = 1.0, *, shape: Any = None) -> Random:
        """The distribution without a name, to hand to another."""
        law, parameters, guards = _normals("NormalMixture", w, mu, sigma)
        return unnamed_variable(law, parameters, guards, shape=shape)


class Truncated:
    """A distribution given that its value lies between `lower` and `upper`, both included.

    Args:
        name: of the variable.
        dist: an unnamed distribution.
        lower, upper: bounds, which may be random; either may be left out.
        observed, shape, dims, initval: as for any distribution.

    Raises:
        ModelError: for what is no unnamed distribution, or one whose cdf is not known.
        DataError: bounds that are known and not in order.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     rate = pm.Truncated("rate", pm.Gamma.dist(2, 1), lower=0.5)
        ...     y = pm.Truncated("y", pm.Poisson.dist(rate), lower=1, observed=[1, 3, 2])
    """

    @hinted(OF_DISTRIBUTIONS, "Truncated")
    def __new__(  # type: ignore[misc]
        cls, name: str, dist: Any, lower: Any = None, upper: Any = None, *, observed: Any = None, shape: Any = None,
        dims: Dims = None, initval: Any = None,
    ) -> Random:  # fmt: skip
        Model.current().claim(name)
        made = _bounded(TruncatedLaw, f"{name!r} (Truncated)", dist, lower, upper)
        return variable(made[0], name, *made[1:], observed=observed, shape=shape, dims=dims, initval=initval)

    @staticmethod
    def dist(dist: Any, lower: Any = None, upper: Any = None, *, shape: Any = None) -> Random:
        """The distribution without a name, to hand to another."""
        law, parameters, guards = _bounded(TruncatedLaw, "Truncated", dist, lower, upper)
        return unnamed_variable(law, parameters, guards, shape=shape)


class Censored:
    """Data that are `lower` where they lie at or below it, and `upper` where they lie at or above that.

    Args:
        name: of the variable.
        dist: an unnamed distribution.
        lower, upper: bounds; either may be left out; each may differ from row to row.
        observed: the data, each between its bounds.
        shape, dims: as for any distribution.

    Raises:
        ModelError: without data, for what is no unnamed distribution, or one whose cdf is not known.
        DataError: bounds that are not in order, or data beyond them.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     scale = pm.HalfNormal("scale", 10)
        ...     y = pm.Censored("y", pm.Weibull.dist(1.5, scale), upper=8.0, observed=[2.1, 8.0, 5.5, 8.0])
    """

    @hinted(OF_DISTRIBUTIONS, "Censored")
    def __new__(  # type: ignore[misc]
        cls, name: str, dist: Any, lower: Any = None, upper: Any = None, *, observed: Any = None, shape: Any = None,
        dims: Dims = None,
    ) -> Random:  # fmt: skip
        Model.current().claim(name)
        if observed is None:
            raise ModelError(
                f"{name!r} (Censored) has no data. An unknown is not censored: write the distribution itself, and "
                "`np.clip` of it where its censored value is needed."
            )
        made = _bounded(CensoredLaw, f"{name!r} (Censored)", dist, lower, upper)
        return variable(made[0], name, *made[1:], observed=observed, shape=shape, dims=dims, initval=None)


def _unnamed(what: str, given: Any) -> Random:
    """A distribution to make another of."""
    if isinstance(given, Random) and given.name is None:
        return given
    got = f"the variable {label(given)}" if isinstance(given, Random) else repr(given)
    raise ModelError(f"{what} is made of unnamed distributions, such as `Normal.dist(0, 1)`; got {got}.")


def _same_shape(what: str, node: Random) -> None:
    """Refuse a `shape=` that its parameters don't have: it would be lost."""
    specs = zip(node.parameters, node.family.parameters, strict=True)
    batch = np.broadcast_shapes(*(p.shape[: p.ndim - spec.event_ndim] for p, spec in specs))
    if node.shape != batch + node.family.event_shape(node.parameters):
        raise ShapeError(f"{what}: give `shape=` to it, not to what it is made of.")


def _mixture(what: str, w: Any, comp_dists: Any) -> Made:
    stacked = not isinstance(comp_dists, Sequence)
    parts = [_unnamed(what, part) for part in ([comp_dists] if stacked else comp_dists)]
    weights = as_node(w, what=f"'w' of {what}")
    if not parts:
        raise ModelError(f"{what} has no components.")
    _check_alike(what, parts)
    law = MixtureLaw(tuple(part.family for part in parts), stacked)
    inner = [_components(what, part, weights) if stacked else list(part.parameters) for part in parts]
    if not stacked and (weights.ndim == 0 or weights.shape[-1] != len(parts)):
        raise ShapeError(f"{what} has {len(parts)} components, but 'w' has shape {weights.shape}.")
    if isinstance(weights, Constant):
        check_parameter(what, law.parameters[0], weights.value)
    guards = [Guard(SIMPLEX_PART, ("w",), (weights,))]
    for k, part in enumerate(parts):
        guards += [replace(g, names=tuple(law.name_of(k, name) for name in g.names)) for g in part.guards]
    return law, (weights, *(node for nodes in inner for node in nodes)), tuple(guards)


def _normals(what: str, w: Any, mu: Any, sigma: Any) -> Made:
    """A mixture along the last axis of `mu` and `sigma`."""
    try:
        components = Normal.dist(mu, sigma)
    except (DataError, ModelError, ShapeError) as error:
        raise type(error)(f"{what}: {error}") from None
    return _mixture(what, w, components)


def _check_alike(what: str, parts: Sequence[Random]) -> None:
    for part in parts:
        _same_shape(what, part)
        if part.family.discrete != parts[0].family.discrete:
            raise ModelError(
                f"{what} mixes counts with real numbers ({parts[0].family.__name__} with {part.family.__name__}); "
                "such a law has no density."
            )
        if part.family.event_ndim != parts[0].family.event_ndim:
            first, other = parts[0].family.__name__, part.family.__name__
            raise ModelError(f"{what} mixes {first} with {other}, whose values have another number of axes.")


def _components(what: str, part: Random, weights: Node) -> list[Node]:
    """Parameters of one distribution whose last axis are the components, each with that axis."""
    number = weights.shape[-1] if weights.ndim else 0
    found: list[Node] = []
    for node, spec in zip(part.parameters, part.family.parameters, strict=True):
        if node.ndim == spec.event_ndim:  # one value for all components
            found.append(build.expand_dims(node, -1 - spec.event_ndim))
            continue
        if node.shape[-1 - spec.event_ndim] not in (1, number):
            raise ShapeError(
                f"{what}: 'w' has shape {weights.shape}, but {spec.name!r} of the components has shape {node.shape}; "
                "the last axis of both are the components."
            )
        found.append(node)
    return found


def _bounded(kind: type[BoundedLaw], what: str, dist: Any, lower: Any, upper: Any) -> Made:
    part = _unnamed(what, dist)
    _same_shape(what, part)
    if part.family in (Uniform, TruncatedNormal):
        raise ModelError(f"{what}: {part.family.__name__} has bounds of its own; write `lower=` and `upper=` there.")
    tails_of(part.family)  # or the error
    law = kind(part.family)
    low, high = (
        as_node(default if given is None else given, what=f"{end!r} of {what}")
        for end, given, default in (("lower", lower, -np.inf), ("upper", upper, np.inf))
    )
    if kind is TruncatedLaw and not law.discrete:
        low = _inside(low, part)
    for spec, node in zip(law.parameters[-2:], (low, high), strict=True):
        if isinstance(node, Constant):
            check_parameter(what, spec, node.value)
    known = {k: n.value for k, n in (("lower", low), ("upper", high)) if isinstance(n, Constant)}
    check_condition(what, ORDERED, known)
    ends = (Guard(BOUND, ("lower",), (low,)), Guard(BOUND, ("upper",), (high,)))
    guards = (*part.guards, *ends, Guard(ORDERED, ("lower", "upper"), (low, high)))
    return law, (*part.parameters, low, high), guards


def _inside(lower: Node, part: Random) -> Node:
    """The lower bound, or the lower end of the support where that is higher."""
    support = part.family.support_of(part.parameters)
    end = support.ends[0]
    if isinstance(end, str):
        named = part.family.bounds_of(part.parameters, support)[support.bounds.index(end)]
        return build.apply("maximum", lower, named) if not _none(lower) else named
    if not np.isfinite(end):
        return lower
    if isinstance(lower, Constant):
        return as_node(np.maximum(lower.value, float(end)))
    return build.apply("maximum", lower, float(end))


def _none(bound: Node) -> bool:
    return isinstance(bound, Constant) and bool(np.isneginf(bound.value).all())
