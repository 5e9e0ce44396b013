"""Which latents can be integrated out together: the linear-Gaussian block, found in the graph, not asked for by name.

A member is a Normal or multivariate normal latent, or one with a flat prior, that reaches every other random variable
only through the mean of a Normal, and affinely. The rules are applied to all candidates at once; what breaks one is
struck out, with the reason, until nothing changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from finetti.distributions.multivariate import MvNormal
from finetti.distributions.real import Flat, Normal
from finetti.model.graph import Node, Random, apply
from finetti.reductions.linear.affine import NotAffine, Reader
from finetti.reductions.linear.forms import Form, Monomial


@dataclass(frozen=True)
class Piece:
    """One observed Normal that members reach.

    Args:
        node: the variable.
        residual: value minus mean as an affine form, whitened for a multivariate normal.
        scale: standard deviation of the residual.
        log_term: expression whose sum, times `repeats`, the log density has besides.
    """

    node: Random
    residual: Form
    scale: Monomial
    log_term: Node | None = None
    repeats: int = 1


@dataclass(frozen=True)
class Found:
    """The members, the pieces of their joint density, and why other latents are not among them."""

    members: tuple[Random, ...]
    pieces: tuple[Piece, ...]
    refused: Mapping[Node, str]


def find(
    randoms: Sequence[Random], potentials: Mapping[str, Node], data: Mapping[Node, np.ndarray],
    excluded: Mapping[Node, str],
) -> Found:
    """The largest block the rules allow.

    Args:
        randoms: every random variable of the model.
        potentials: by name.
        data: values of the model's data.
        excluded: latents that shall not be members, each with the reason.
    """  # fmt: skip
    refused: dict[Node, str] = dict(excluded)
    free = [n for n in randoms if n.observed is None and n not in refused]
    members = [n for n in free if n.family in (Normal, MvNormal, Flat) and n.size]
    refused |= {
        n: f"its prior is {n.family.__name__}, not Normal" for n in free if n.family not in (Normal, MvNormal, Flat)
    }
    while True:
        reader = Reader(frozenset(members), data)
        try:
            pieces = _pieces(randoms, potentials, reader)
        except _Struck as struck:
            members = [n for n in members if n not in struck.latents]
            refused |= dict.fromkeys(struck.latents, struck.why)
            continue
        return Found(tuple(members), pieces, refused)


class _Struck(Exception):
    """Latents that break a rule."""

    def __init__(self, latents: frozenset[Node], why: str):
        super().__init__(why)
        self.latents, self.why = latents, why


def _pieces(randoms: Sequence[Random], potentials: Mapping[str, Node], reader: Reader) -> tuple[Piece, ...]:
    for name, node in potentials.items():
        _strike(reader.touched(node), f"it enters the potential {name!r}")
    pieces = []
    for node in randoms:
        touched = frozenset().union(*(reader.touched(p) for p in node.parameters))
        if node in reader.latents:
            _read(node, node, reader)
        elif touched and node.observed is None:
            _strike(touched, f"{node.name!r} depends on it and cannot be integrated out itself")
        elif touched and node.family not in (Normal, MvNormal):
            _strike(touched, f"{node.name!r} depends on it and is {node.family.__name__}, not Normal")
        elif touched:
            pieces.append(_piece(node, reader))
    return tuple(pieces)


def _strike(latents: frozenset[Node], why: str) -> None:
    if latents:
        raise _Struck(latents, why)


def _read(root: Node, node: Random, reader: Reader) -> Form:
    """The affine form of an expression of `node`, or the end of this round."""
    try:
        return reader.form(root)
    except NotAffine as error:
        raise _Struck(error.latents, f"it does not enter the mean of {node.name!r} linearly: {error.why}") from None


def _piece(node: Random, reader: Reader) -> Piece:
    mean, scale = node.parameters
    what = "scale" if node.family is Normal else "covariance"
    _strike(reader.touched(scale), f"it enters the {what} of {node.name!r}")
    residual: Node = apply("subtract", node.observed, mean)
    log_term, repeats, deviation = None, 1, scale
    if node.family is MvNormal:
        if scale.ndim > 2:
            _strike(reader.touched(mean), f"the covariance of {node.name!r} varies")
        whitening = apply("transpose", apply("inverse", scale), axes=(1, 0))
        residual, deviation = apply("matmul", residual, whitening), apply("broadcast_to", 1.0, shape=residual.shape)
        log_term = apply("negative", apply("log", apply("diagonal", scale)))
        repeats = residual.size // scale.shape[0]
    form = _read(residual, node, reader)
    return Piece(node, form, _over(reader.monomial(deviation), residual.shape), log_term, repeats)


def _over(scale: Monomial, shape: tuple[int, ...]) -> Monomial:
    return Monomial(np.broadcast_to(scale.weight, shape), scale.factors)
