"""A linear-Gaussian block built from the pieces found in a model, its sums taken where they do not cancel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from finetti.errors import ModelError
from finetti.geometry.center import central_values
from finetti.geometry.constrain import blocks_of, constrain, unconstrain
from finetti.geometry.elimination import factorise, quadratic, solve
from finetti.geometry.gaussian import ROUNDING, GaussianBlock, Values, placeholder, sorted_out
from finetti.geometry.layout import System, arrange
from finetti.geometry.members import Found
from finetti.geometry.rows import compressed, standard
from finetti.model.graph import Node, Random
from finetti.model.namespace import NUMPY

HARMLESS = 1e4  # digits lost to cancellation before sums are taken again around the mean: four of sixteen


def block_of(found: Found, free: Sequence[Random], data: Mapping[Node, np.ndarray]) -> GaussianBlock:
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
    center = central_values(free, data)
    try:
        mean, cancelling = _posterior_mean(block, center)
    except ModelError:  # a coefficient whose prior is centred at 0 says nothing there, but it does elsewhere
        mean, cancelling = _posterior_mean(block, _moved(free, center))
    if cancelling < HARMLESS:
        return block
    return _around(found, np.where(_read_as_is(found), mean, 0.0))


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


def _around(found: Found, shift: np.ndarray) -> GaussianBlock:
    offsets = _offsets(found.members)
    rows = [compressed(piece.residual, piece.scale, offsets, shift) for piece in found.pieces if piece.node.size]
    proper = [offsets[m] + np.arange(m.size) for m in found.members if m.parameters]
    rows.append(standard(np.concatenate([np.zeros(0, int), *proper]), shift))
    layout = arrange(found.members, rows)
    shared, varying = sorted_out(rows, layout)
    constant = sum(piece.constant for piece in rows)
    return GaussianBlock(
        members=found.members,
        variables=(*found.members, *(p.node for p in found.pieces if p.node.observed is not None)),
        layout=layout,
        shared=shared,
        varying=varying,
        log_scale=tuple(pair for piece in rows for pair in piece.log_scale),
        log_terms=tuple((p.log_term, p.repeats) for p in found.pieces if p.log_term is not None),
        constant=constant,
        known=placeholder(np.asarray(constant)),
        shift=shift,
    )


def _moved(free: Sequence[Random], center: Mapping[Node, np.ndarray]) -> dict[Node, np.ndarray]:
    """A point away from the centre, each coordinate by a different step."""
    blocks = blocks_of(free)
    flat = unconstrain(blocks, center, center)
    flat = flat + np.linspace(0.3, 0.9, len(flat))
    return dict(center) | {block.node: value for block, value, _ in constrain(blocks, flat, center)}


def _posterior_mean(block: GaussianBlock, at: Mapping[Node, np.ndarray]) -> tuple[np.ndarray, float]:
    """The members' mean at a point of the rest, and how many times larger than their difference the sums are."""
    system = block.system(Values(block, {node: np.asarray(value)[None] for node, value in at.items()}, NUMPY, 1))
    with np.errstate(all="ignore"):
        factors = factorise(system, NUMPY)
        flat = block.layout.joined(*solve(factors, 1, None))[0]
        left = system.constant + 0.5 * quadratic(factors, NUMPY)
        cancelling = float(np.abs(system.constant / left).max())
    if not np.isfinite(flat).all() or not np.min(factors.share) > ROUNDING:
        raise ModelError(_undetermined(block, system))
    return flat, cancelling


def _undetermined(block: GaussianBlock, system: System) -> str:
    """Which member the data and priors do not determine: the largest part of the flattest direction."""
    precision = dense(block, system)
    scale = np.sqrt(np.maximum(np.diagonal(precision), 1e-300))
    _, vectors = np.linalg.eigh(precision / scale[:, None] / scale)
    worst, start = int(np.argmax(np.abs(vectors[:, 0]) / scale)), 0
    for member in block.members:
        if worst < start + member.size:
            break
        start += member.size
    place = ", ".join(map(str, np.unravel_index(worst - start, member.shape)))
    element = f"{member.name}[{place}]" if place else member.name
    return (
        f"The posterior is improper: data and priors do not determine {element!r}. Its prior is flat or all but flat, "
        "and a change of it can be made up for by others. Give it a proper prior, or leave out what is collinear with "
        "it; a predictor far from 0 is all but collinear with an intercept until its mean is subtracted."
    )


def dense(block: GaussianBlock, system: System) -> np.ndarray:
    """Q at one point as a full matrix (element, element), for messages and tests."""
    layout = block.layout
    q = np.zeros((layout.size, layout.size))
    border = layout.border
    for i, row in enumerate(system.blocks):
        here = layout.grid[i] >= 0
        at = layout.grid[i, here]
        for j, entries in enumerate(row):
            both = here & (layout.grid[j] >= 0)
            q[layout.grid[i, both], layout.grid[j, both]] = entries[both, 0]
            q[layout.grid[j, both], layout.grid[i, both]] = entries[both, 0]
        q[np.ix_(border, at)] = system.coupling[i][:, here, 0]
        q[np.ix_(at, border)] = system.coupling[i][:, here, 0].T
    q[np.ix_(border, border)] = system.border[0]
    return q
