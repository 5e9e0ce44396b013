"""Models and expressions that grow at random: what a hand would not think of writing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

import finetti as pm
from finetti.model.graph import Node

SHAPES = ((), (1,), (2,), (3,), (4,), (2, 3), (3, 2), (3, 1), (1, 4))


def numbers(draw, shape) -> np.ndarray:
    """Known numbers of a shape, of either sign, now and then zero."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    return np.where(rng.random(shape) < 0.1, 0.0, rng.normal(size=shape))


def positive(draw, shape) -> np.ndarray:
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    return np.exp(0.5 * rng.normal(size=shape))


def reshaped(draw, node: Node, shape: tuple[int, ...]) -> Node:
    """`node` brought to `shape` by indexing, broadcasting, reshaping or summing."""
    if node.shape == shape:
        return node
    ways = ["index"]
    try:
        if np.broadcast_shapes(node.shape, shape) == shape:
            ways.append("broadcast")
    except ValueError:
        pass
    if node.size == int(np.prod(shape)):
        ways.append("reshape")
    if shape == ():
        ways += ["sum", "mean"]
    if node.ndim == 2 and shape == node.shape[:1]:
        ways += ["sum rows", "mean rows", "column"]
    if node.ndim == 2 and shape == node.shape[::-1]:
        ways.append("transpose")
    match draw(st.sampled_from(ways)):
        case "broadcast":
            return node + np.zeros(shape) if draw(st.booleans()) else pm.math.broadcast_to(node, shape)
        case "reshape":
            return node.reshape(shape) if shape else node.sum()
        case "sum":
            return node.sum()
        case "mean":
            return node.mean()
        case "sum rows":
            return node.sum(axis=1)
        case "mean rows":
            return node.mean(axis=-1)
        case "column":
            return node[:, draw(st.integers(0, node.shape[1] - 1))]
        case "transpose":
            return node.T
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    if node.ndim == 0:
        return node + np.zeros(shape)
    places = tuple(rng.integers(0, n, shape) for n in node.shape)
    return node[places if len(places) > 1 else places[0]]


def known(draw, shape, phis: Sequence[Node]) -> Node | np.ndarray:
    """Something no latent enters: numbers, an unknown of the model, a product or a quotient of them."""
    match draw(st.integers(0, 4)):
        case 0 | 1:
            return numbers(draw, shape)
        case 2:
            return reshaped(draw, draw(st.sampled_from(list(phis))), shape)
        case 3:
            return numbers(draw, shape) * reshaped(draw, draw(st.sampled_from(list(phis))), shape)
        case _:
            return numbers(draw, shape) / reshaped(draw, draw(st.sampled_from(list(phis))), shape)


def affine(draw, shape, latents: Sequence[Node], phis: Sequence[Node], depth: int) -> Node:
    """An expression of a shape that is affine in the latents, given the phis."""
    if depth == 0:
        return reshaped(draw, draw(st.sampled_from(list(latents))), shape)

    def inner(of: tuple[int, ...]) -> Node:
        return affine(draw, of, latents, phis, depth - 1)

    ways = ["sum", "sum", "difference", "product", "product", "quotient", "constant", "negative"]
    ways += ["reshaped", "named"] + ["cumsum", "joined", "backwards"] * (len(shape) > 0)
    ways += ["matrix"] * (0 < len(shape) < 3)
    ways += ["stacked", "other side"] * (len(shape) == 2) + ["inner", "reduced"]
    match draw(st.sampled_from(ways)):
        case "sum":
            return inner(shape) + inner(shape)
        case "difference":
            return inner(shape) - inner(shape)
        case "product":
            factor = known(draw, shape, phis)
            return factor * inner(shape) if draw(st.booleans()) else inner(shape) * factor
        case "quotient":
            return inner(shape) / reshaped(draw, draw(st.sampled_from(list(phis))), shape)
        case "constant":
            return inner(shape) + known(draw, shape, phis)
        case "negative":
            return -inner(shape)
        case "reshaped":
            return reshaped(draw, inner(draw(st.sampled_from(SHAPES))), shape)
        case "named":
            value = inner(shape)
            return pm.Deterministic(f"named_{len(pm.Model.current().named)}", value)
        case "matrix":
            n = draw(st.integers(1, 3))
            return known(draw, (shape[0], n), phis) @ inner((n, *shape[1:]))
        case "other side":
            n = draw(st.integers(1, 3))
            return inner((shape[0], n)) @ known(draw, (n, shape[1]), phis)
        case "cumsum":
            return np.cumsum(inner(shape), axis=draw(st.integers(-len(shape), len(shape) - 1)))
        case "joined":
            if shape[0] < 2:
                return inner(shape)
            cut = draw(st.integers(1, shape[0] - 1))
            first = known(draw, (cut, *shape[1:]), phis) if draw(st.booleans()) else inner((cut, *shape[1:]))
            return pm.math.concatenate([first, inner((shape[0] - cut, *shape[1:]))], axis=0)
        case "stacked":
            return pm.math.stack([inner(shape[1:]) for _ in range(shape[0])], axis=0)
        case "backwards":
            return inner(shape)[::-1]
        case "inner":
            n = draw(st.integers(1, 3))
            return reshaped(draw, inner((n,)) @ known(draw, (n,), phis), shape)
        case _:
            whole = inner((*shape, 2))
            return whole.sum(axis=-1) if draw(st.booleans()) else whole.mean(axis=-1)


def scale_of(draw, shape, phis: Sequence[Node]) -> Node | np.ndarray:
    """A standard deviation for a variable of a shape: known, unknown, or unknown times known."""
    match draw(st.integers(0, 4)):
        case 0:
            return positive(draw, ())
        case 1:
            return positive(draw, shape)
        case 2:
            return draw(st.sampled_from([p for p in phis if p.ndim == 0]))
        case 3:
            return reshaped_by_index(draw, draw(st.sampled_from(list(phis))), shape)
        case _:
            return positive(draw, shape) * draw(st.sampled_from([p for p in phis if p.ndim == 0]))


def reshaped_by_index(draw, node: Node, shape) -> Node:
    """Elements of a positive unknown, which stay positive."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    if node.ndim == 0:
        return node
    places = tuple(rng.integers(0, n, shape) for n in node.shape)
    return node[places if len(places) > 1 else places[0]]


def phis_of(draw) -> list[Node]:
    """Positive unknowns: at least one number, one vector."""
    with_matrix = [pm.HalfNormal("phi_c", 1, shape=(2, 2))] if draw(st.booleans()) else []
    return [pm.HalfNormal("phi_a", 1), pm.HalfNormal("phi_b", 1, shape=3), *with_matrix]


def latent(draw, number: int, latents: list[Node], phis: Sequence[Node], *, depth: int) -> Node:
    """One more Gaussian latent: centred, non-centred, or a vector of correlated ones."""
    shape = draw(st.sampled_from(SHAPES))
    if latents and draw(st.booleans()):
        loc = affine(draw, draw(st.sampled_from([(), shape])), latents, phis, depth)
    else:
        loc = known(draw, shape, phis)
    kind = draw(st.sampled_from(["centred", "centred", "non-centred", "correlated", "flat"]))
    name = f"latent_{number}"
    if kind == "flat" and number == 0:
        return pm.Flat(name, shape=draw(st.sampled_from([(), (2,)])))
    if kind == "non-centred":
        z = pm.Normal(name, 0, 1, shape=shape)
        return pm.Deterministic(f"{name}_value", loc + scale_of(draw, shape, phis) * z)
    if kind == "correlated" and shape:
        k = shape[-1]
        factor = np.tril(numbers(draw, (k, k)), -1) + np.diag(positive(draw, (k,)))
        scaled = factor * phis[0] if draw(st.booleans()) else factor
        return pm.MvNormal(name, 0.0 * np.zeros(shape) + loc, chol=scaled, shape=shape)
    return pm.Normal(name, loc, scale_of(draw, shape, phis), shape=shape)


@st.composite
def models(draw, *, flat_is_seen: bool = True) -> pm.Model:
    """A model of up to four Gaussian latents and up to three observed variables."""
    with pm.Model() as model:
        phis = phis_of(draw)
        latents: list[Node] = []
        for k in range(draw(st.integers(1, 4))):
            latents.append(latent(draw, k, latents, phis, depth=1))
        flat = [n for n in model.randoms if n.family is pm.Flat]
        for k in range(draw(st.integers(1, 3))):
            shape = draw(st.sampled_from([(), (1,), (2,), (5,), (7,), (2, 3)]))
            mean = affine(draw, shape, latents, phis, draw(st.integers(0, 2)))
            if shape and draw(st.integers(0, 4)) == 0:
                n = shape[-1]
                factor = np.tril(numbers(draw, (n, n)), -1) + np.diag(positive(draw, (n,)))
                pm.MvNormal(f"y_{k}", mean, chol=factor, observed=3 * numbers(draw, shape) + 1)
            else:
                pm.Normal(f"y_{k}", mean, scale_of(draw, shape, phis), observed=3 * numbers(draw, shape) + 1)
        for node in flat:  # the data must determine what the prior does not
            pm.Normal(f"seen_{node.name}", node, phis[0], observed=numbers(draw, node.shape))
    return model


__all__ = ["affine", "known", "latent", "models", "numbers", "phis_of", "positive"]
