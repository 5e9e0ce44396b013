"""Which unknowns are conjugate to the data that depend on them: found in the graph, not asked for by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from finetti.distributions.discrete import Bernoulli, Binomial, Poisson
from finetti.distributions.domains import unnamed
from finetti.distributions.interval import Beta, Uniform
from finetti.distributions.positive import Exponential, Gamma
from finetti.distributions.ranges import Ranges
from finetti.model.evaluate import static_value
from finetti.model.graph import Apply, Node, Random, as_node
from finetti.reductions.conjugate import BetaBinomial, GammaPoisson, Scaled
from finetti.reductions.contract import placeholder
from finetti.reductions.linear.affine import NotAffine, Reader
from finetti.reductions.linear.forms import Factor, broadcast


def find(
    randoms: Sequence[Random], potentials: Mapping[str, Node], data: Mapping[Node, np.ndarray], free: Sequence[Random]
) -> tuple[tuple[GammaPoisson | BetaBinomial, ...], dict[Node, str]]:
    """The pairs of a model.

    Args:
        randoms: every random variable of the model.
        potentials: by name.
        data: values of the model's data.
        free: unknowns that may be integrated out.

    Returns:
        The reductions, one for each unknown, and why others that stand before such data are none.
    """
    priors = (Gamma, Exponential, Beta)
    candidates = [node for node in free if node.size and (node.family in priors or _unit(node, data))]
    reader = Reader(frozenset(candidates), data, standardised=False)
    ranges, found = Ranges(data), []
    refused: dict[Node, str] = {}
    for member in candidates:
        try:
            pair = _pair(member, randoms, potentials, reader, ranges)
        except _Refused as error:
            refused[member] = str(error)
            continue
        if pair is not None:
            found.append(pair)
    return tuple(found), refused


class _Refused(Exception):
    """Why a pair is none."""


@dataclass
class _Sums:
    """What the data of one member add up to.

    Args:
        first, second: (element,) counts and exposures, or successes and failures.
        constant: the part of the log density that no unknown enters.
        scaled: counts whose exposures depend on other unknowns.
    """

    first: np.ndarray
    second: np.ndarray
    constant: float = 0.0
    scaled: list[Scaled] = field(default_factory=list)


def _unit(node: Random, data: Mapping[Node, np.ndarray]) -> bool:
    """Whether a variable is uniform from 0 to 1."""
    if node.family is not Uniform:
        return False
    ends = [static_value(parameter, data) for parameter in node.parameters]
    return all(value is not None and (value == end).all() for value, end in zip(ends, (0.0, 1.0), strict=True))


def _pair(
    member: Random, randoms: Sequence[Random], potentials: Mapping[str, Node], reader: Reader, ranges: Ranges
) -> GammaPoisson | BetaBinomial | None:
    """The reduction of one unknown; None where nothing that it is conjugate to depends on it."""
    below = [n for n in randoms if any(member in reader.touched(p) for p in n.parameters)]
    counts = member.family in (Gamma, Exponential)
    partners = (Poisson,) if counts else (Binomial, Bernoulli)
    if not any(n.family in partners and n.observed is not None for n in below):
        return None
    for name, node in potentials.items():
        if member in reader.touched(node):
            raise _Refused(f"it enters the potential {name!r}")
    sums = _Sums(np.zeros(member.size), np.zeros(member.size))
    for node in below:
        if node.observed is None or node.family not in partners:
            raise _Refused(f"{node.name!r} depends on it and is {node.family.__name__}")
        if any(guard.needed(ranges) for guard in node.guards):
            raise _Refused(f"parameters of {node.name!r} may leave their domain")
        (_add_counts if counts else _add_successes)(sums, node, member, reader)
    prior = _prior(member)
    first, second, constant = (placeholder(array) for array in (sums.first, sums.second, np.asarray(sums.constant)))
    kind = GammaPoisson if counts else BetaBinomial
    return kind(member, tuple(below), prior, first, second, constant, tuple(sums.scaled))


def _prior(member: Random) -> tuple[Node, Node]:
    if member.family is Exponential:
        return as_node(1.0), member.parameters[0]
    if member.family is Uniform:
        return as_node(1.0), as_node(1.0)
    first, second = member.parameters
    return first, second


def _add_counts(sums: _Sums, node: Random, member: Random, reader: Reader) -> None:
    """Poisson counts and their exposures."""
    from scipy.special import gammaln  # only where there is a pair: its import costs as much as a short run

    counts = _known(node.observed, node, reader)
    element, weight, factors = _rows(node.parameters[0], node, member, reader)
    np.add.at(sums.first, element, counts)
    sums.constant -= float(gammaln(counts + 1.0).sum())
    if factors:
        sums.scaled.append(Scaled(placeholder(counts), placeholder(weight), element, factors))
        return
    np.add.at(sums.second, element, weight)
    sums.constant += float((counts * np.log(weight)).sum())


def _add_successes(sums: _Sums, node: Random, member: Random, reader: Reader) -> None:
    """Successes and failures of Binomial or Bernoulli variables."""
    from scipy.special import betaln

    log_odds = unnamed(node.parameters[-1])
    if not (isinstance(log_odds, Apply) and log_odds.op.name == "logit"):
        raise _Refused(f"it is not itself the probability of {node.name!r}")
    element, weight, factors = _rows(log_odds.arguments[0], node, member, reader)
    if factors or (weight != 1).any():
        raise _Refused(f"it is not itself the probability of {node.name!r}")
    successes = _known(node.observed, node, reader)
    trials = _known(node.parameters[0], node, reader) if node.family is Binomial else np.ones(node.size)
    np.add.at(sums.first, element, successes)
    np.add.at(sums.second, element, trials - successes)
    sums.constant -= float((betaln(trials - successes + 1.0, successes + 1.0) + np.log(trials + 1.0)).sum())


def _known(value: Node | None, node: Random, reader: Reader) -> np.ndarray:
    """(row,) the numbers of an expression of data."""
    array = None if value is None else reader.static(value)
    if array is None:
        raise _Refused(f"the data or the trials of {node.name!r} are not known")
    return np.broadcast_to(array, node.shape).astype(float).ravel()


def _rows(
    mean: Node, node: Random, member: Random, reader: Reader
) -> tuple[np.ndarray, np.ndarray, tuple[Factor, ...]]:
    """Of each row of the data: the member's element that it reads, and what that is multiplied with.

    Returns:
        Elements (row,), known weights (row,), and factors that other unknowns enter.
    """
    try:
        form = broadcast(reader.form(mean), node.shape)
    except NotAffine as error:
        raise _Refused(f"it does not enter the mean of {node.name!r} as a multiple: {error.why}") from None
    element, weight, reads = np.zeros(node.size, int), np.zeros(node.size), np.zeros(node.size, int)
    factors: tuple[Factor, ...] = ()
    for term, index, weights in _parts(form):
        if term.latent is not member:
            raise _Refused(f"something is added to it in the mean of {node.name!r}, or stands beside it")
        used = weights != 0
        reads += used.sum(axis=1)
        element = np.where(used.any(axis=1), (index * used).sum(axis=1), element)
        weight = weight + (weights * used).sum(axis=1)
        if term.factors and (not used.all() or used.shape[1] != 1):
            raise _Refused(f"the exposures of {node.name!r} are of several forms")
        factors += tuple(f.at(lambda a: np.broadcast_to(a, (*form.shape, 1)).ravel()) for f in term.factors)
    if (reads != 1).any():
        row = int(np.argmax(reads != 1))
        raise _Refused(f"row {row} of {node.name!r} does not read exactly one of its elements")
    return element, weight, factors


def _parts(form) -> Iterator[tuple]:
    """Terms that count, with index and weight (row, m)."""
    for term in form.terms:
        weights = np.broadcast_to(term.weight, (*form.shape, term.weight.shape[-1]))
        flat = weights.reshape(-1, weights.shape[-1])
        if flat.any():
            yield term, np.broadcast_to(term.index, weights.shape).reshape(flat.shape), flat
