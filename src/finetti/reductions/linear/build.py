"""A linear-Gaussian block built from the pieces found in a model, its sums taken where they do not cancel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from finetti.coordinates.constrain import blocks_of, constrain, unconstrain
from finetti.coordinates.middle import central_values
from finetti.errors import ModelError
from finetti.model.graph import Node, Random
from finetti.model.namespace import NUMPY
from finetti.reductions.contract import placeholder
from finetti.reductions.linear.elimination import eliminate, quadratic, solve
from finetti.reductions.linear.gaussian import ROUNDING, LinearGaussian, Values, sorted_out
from finetti.reductions.linear.layout import System, arrange
from finetti.reductions.linear.members import Found
from finetti.reductions.linear.rows import compressed, standard

MOST_FLAT = 2000  # elements with flat priors among which a direction without data is looked for
HARMLESS = 1e4  # digits lost to cancellation before sums are taken again around the mean: four of sixteen


def linear_gaussian_of(found: Found, free: Sequence[Random], data: Mapping[Node, np.ndarray]) -> LinearGaussian:
    """The block of the members found.

    Args:
        found: members and pieces.
        free: the other free variables, parents first.
        data: values of the model's data.

    Raises:
        TooLarge: see `arrange`.
        ModelError: where flat priors leave the members undetermined, naming the variable.
    """
    block = _around(found, np.zeros(sum(m.size for m in found.members)))
    looked = [_Look.at(block, point) for point in _points(free, data)]
    if not any(look.sound for look in looked):
        for look in looked:
            refuse_undetermined(block, look.system)
        return block
    seen = next(look for look in looked if look.sound)
    if seen.cancelling < HARMLESS:
        return block
    return _around(found, np.where(_read_as_is(found), seen.mean, 0.0))


def _offsets(members: Sequence[Random]) -> dict[Node, int]:
    offsets: dict[Node, int] = {}
    for member in members:
        offsets[member] = sum(m.size for m in offsets)
    return offsets


def _read_as_is(found: Found) -> np.ndarray:
    """(element,) whether every row reads the element with known weights: then its mean can be taken off the data."""
    offsets = _offsets(found.members)
    known = np.ones(sum(m.size for m in found.members), bool)
    for piece in found.pieces:
        for term in piece.residual.terms:
            if term.latent is not None and term.factors:
                known[offsets[term.latent] + np.unique(term.index)] = False
    return known


def _around(found: Found, shift: np.ndarray) -> LinearGaussian:
    offsets = _offsets(found.members)
    rows = [compressed(piece.residual, piece.scale, offsets, shift) for piece in found.pieces if piece.node.size]
    proper = [offsets[m] + np.arange(m.size) for m in found.members if m.parameters]
    rows.append(standard(np.concatenate([np.zeros(0, int), *proper]), shift))
    layout = arrange(found.members, rows)
    shared, varying = sorted_out(rows, layout)
    constant = sum(piece.constant for piece in rows)
    return LinearGaussian(
        members=found.members,
        variables=(*found.members, *(p.node for p in found.pieces if p.node.observed is not None)),
        layout=layout,
        shared=shared,
        varying=varying,
        log_scale=tuple(pair for piece in rows for pair in piece.log_scale),
        log_terms=tuple((p.log_term, p.repeats) for p in found.pieces if p.log_term is not None),
        constant=constant,
        known=placeholder(np.asarray(constant)),
        shift=placeholder(shift),
    )


def _points(free: Sequence[Random], data: Mapping[Node, np.ndarray]) -> Iterator[Mapping[Node, np.ndarray]]:
    """Where the block is looked at: the prior's centre, and where that says nothing, two places away from it.

    There a coefficient whose prior is centred at 0 says nothing, and a vague scale is beyond all the data.
    """
    center = central_values(free, data)
    yield center
    blocks = blocks_of(free)
    steps = np.linspace(0.3, 0.9, sum(block.size for block in blocks))
    for flat in (unconstrain(blocks, center, center) + steps, steps):
        yield dict(center) | {block.node: value for block, value, _ in constrain(blocks, flat, center)}


@dataclass(frozen=True)
class _Look:
    """The block at one point of the rest.

    Args:
        system: Q, h and c.
        mean: (element,) of the members.
        cancelling: how many times larger than their difference the sums are.
        sound: whether elimination has left more than rounding error.
    """

    system: System
    mean: np.ndarray
    cancelling: float
    sound: bool

    @classmethod
    def at(cls, block: LinearGaussian, point: Mapping[Node, np.ndarray]) -> _Look:
        given = {node: np.asarray(value)[None] for node, value in point.items()}
        with np.errstate(all="ignore"):
            system = block.system(Values(block, given, NUMPY, 1))
            factors = eliminate(system, NUMPY)
            mean = block.layout.joined(*solve(factors, 1, None))[0]
            left = system.constant + 0.5 * quadratic(factors, NUMPY)
            cancelling = float(np.abs(system.constant / left).max())
        sound = bool(np.isfinite(mean).all() and np.min(factors.share) > ROUNDING)
        return cls(system, mean, cancelling, sound)


def refuse_undetermined(block: LinearGaussian, system: System) -> None:
    """See that no direction among members with flat priors is without data, whatever the scales of the others.

    A proper prior keeps every other direction: there Q may be lost to rounding, but the posterior is proper.

    Raises:
        ModelError: naming a member with a part in the flattest direction.
    """
    offsets = _offsets(block.members)
    none = np.zeros(0, int)
    flat = np.concatenate([none, *(offsets[m] + np.arange(m.size) for m in block.members if not m.parameters)])
    if not 0 < len(flat) <= MOST_FLAT:
        return
    precision = dense(block, system, flat)
    size = np.diagonal(precision)
    if not np.isfinite(precision).all():
        return
    scale = np.sqrt(np.where(size > 0, size, 1.0))
    values, vectors = np.linalg.eigh(precision / scale[:, None] / scale)
    if values[0] <= ROUNDING * len(flat):
        raise ModelError(_undetermined(block, int(flat[np.argmax(np.abs(vectors[:, 0]) / scale)])))


def _undetermined(block: LinearGaussian, element: int) -> str:
    for member in block.members:
        if element < member.size:
            break
        element -= member.size
    place = ", ".join(map(str, np.unravel_index(element, member.shape)))
    name = f"{member.name}[{place}]" if place else member.name
    return (
        f"The posterior is improper: data and priors do not determine {name!r}. Its prior is flat, and a change of it "
        "can be made up for by others. Give it a proper prior, or leave out what is collinear with it; a predictor far "
        "from 0 is all but collinear with an intercept until its mean is subtracted."
    )


def dense(block: LinearGaussian, system: System, elements: np.ndarray) -> np.ndarray:
    """Q at one point as a full matrix over some elements, (element, element)."""
    layout = block.layout
    place = np.full(layout.size + 1, -1)  # the last one for no element
    place[elements] = np.arange(len(elements))
    q = np.zeros((len(elements), len(elements)))
    border = place[layout.border]
    kept = border >= 0
    for i, row in enumerate(system.groups):
        at = place[layout.grid[i]]
        for j, entries in enumerate(row):
            other = place[layout.grid[j]]
            both = (at >= 0) & (other >= 0)
            q[at[both], other[both]] = q[other[both], at[both]] = entries[both, 0]
        coupling = system.coupling[i][kept][:, at >= 0, 0]
        q[np.ix_(border[kept], at[at >= 0])] = coupling
        q[np.ix_(at[at >= 0], border[kept])] = coupling.T
    q[np.ix_(border[kept], border[kept])] = system.border[0][np.ix_(kept, kept)]
    return q
