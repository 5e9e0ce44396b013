"""An affine form says what its expression is: at random values they agree.

Where there is none, the culprit is named.
"""

from __future__ import annotations

import numpy as np
import pytest
from forward import run
from growing import SHAPES, affine, latent, phis_of
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import finetti as pm
from finetti.model.evaluate import evaluate
from finetti.model.graph import Node
from finetti.reductions.linear.affine import NotAffine, Reader
from finetti.reductions.linear.forms import Form

OFTEN = settings(
    deadline=None, derandomize=True, max_examples=300, report_multiple_bugs=False,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)  # fmt: skip


def value_of(form: Form, z: dict[Node, np.ndarray], values: dict[Node, np.ndarray]) -> np.ndarray:
    """A form's value, read off its definition: weights times factors times standardised latents, summed."""
    total = np.zeros(form.shape)
    for term in form.terms:
        product = np.array(term.weight, float)
        assert product.shape[:-1] == form.shape == term.index.shape[:-1]
        for factor in term.factors:
            product = product * evaluate([factor.node], values)[0].ravel()[factor.index] ** float(factor.power)
        if term.latent is not None:
            product = product * z[term.latent].ravel()[term.index]
        total = total + product.sum(axis=-1)
    return total


def agree(model: pm.Model, root: Node, seed: int = 0) -> None:
    """The form of an expression in all Gaussian latents, at random noise, is the expression at the latents it makes."""
    rng = np.random.default_rng(seed)
    latents = [n for n in model.free if n.family in (pm.Normal, pm.MvNormal, pm.Flat)]
    values = {**model.data, **{n: np.exp(0.4 * rng.normal(size=n.shape)) for n in model.free if n not in set(latents)}}
    noise = rng.normal(size=(1, sum(n.size for n in latents)))
    made = {n: np.asarray(v[0]) for n, v in run(latents, values, noise).items()}
    ends = np.cumsum([n.size for n in latents])
    z = {n: noise[0, end - n.size : end].reshape(n.shape) for n, end in zip(latents, ends, strict=True)}
    form = Reader(frozenset(latents), model.data).form(root)
    expected = evaluate([root], made)[0]
    assert form.shape == root.shape
    np.testing.assert_allclose(value_of(form, z, values), expected, rtol=1e-9, atol=1e-9 * (1 + np.abs(expected).sum()))


@OFTEN
@given(st.data())
def test_forms_of_expressions_that_grow_at_random(data):
    with pm.Model() as model:
        phis = phis_of(data.draw)
        latents: list[Node] = []
        for k in range(data.draw(st.integers(1, 3))):
            latents.append(latent(data.draw, k, latents, phis, depth=1))
        root = affine(data.draw, data.draw(st.sampled_from(SHAPES)), latents, phis, data.draw(st.integers(0, 4)))
    agree(model, root, data.draw(st.integers(0, 99)))


RNG = np.random.default_rng(4)
X, G, H = RNG.normal(size=(7, 5)), RNG.integers(0, 5, 7), RNG.integers(0, 3, 7)
EXPRESSIONS = {
    "varying intercept and slope": lambda v: v.mu + v.tau * v.a[G] * X[:, 0] - v.b[H, 1] / v.s[H],
    "fixed effects": lambda v: X @ v.a + 2 * v.mu + v.tau,
    "fixed effects on the left": lambda v: v.a @ X.T,
    "a row": lambda v: v.a.dot(X[0]),
    "means stacked": lambda v: np.stack([v.a.sum(), v.mu, v.b.mean()]),
    "joined": lambda v: np.concatenate([np.cumsum(v.a), v.b[:, 0] * v.s]),
    "factor times effects": lambda v: ((v.tau * np.array([[1.0, 0.0], [0.3, 0.9]])) @ v.b.T).T[H, 0],
    "effects times factor": lambda v: v.b @ (v.tau * np.array([[1.0, 0.4], [0.0, 0.9]])),
    "a matrix of unknowns times effects": lambda v: (v.s[:, None] * v.s[None, :]) @ v.b,
    "cumulative along an axis": lambda v: np.cumsum(v.b, axis=1) + (v.tau - 1) * v.mu,
    "cumulative of the flattened": lambda v: np.cumsum(v.b),
    "with new axes": lambda v: v.a[None, :] * np.ones((2, 1)) + (v.tau + 2),
    "backwards": lambda v: v.b.sum(axis=0)[::-1] * (v.s[:2] / v.tau),
    "reduced with its axes kept": lambda v: v.b - v.b.mean(axis=0, keepdims=True),
    "reduced over all axes, kept": lambda v: v.b.sum(keepdims=True) + v.b,
    "the mean of means": lambda v: v.b.mean(axis=0).mean() + v.b.mean(axis=1).sum(),
    "a diagonal": lambda v: (v.b[:2, :] * v.tau).reshape(2, 2).T.ravel(),
    "one element": lambda v: v.b[2, 1],
    "one element from the end": lambda v: v.b[-1, -1] + v.a[-2],
    "a mask": lambda v: v.a[np.array([True, False, True, False, True])],
    "steps": lambda v: v.a[::2] * v.s,
    "an empty sum": lambda v: v.a[:0].sum() + v.mu,
    "no rows": lambda v: v.a[np.zeros(0, int)],
    "divided twice": lambda v: v.a / v.tau / v.s[0],
    "divided by a quotient": lambda v: v.a / (v.tau / v.s[0]),
    "a negated scale": lambda v: np.negative(-v.tau) * v.a,
    "the same latent twice": lambda v: v.a[G] - v.a[G[::-1]] + v.a[0],
    "a latent minus itself": lambda v: v.mu - v.mu,
    "zero times a latent": lambda v: 0.0 * v.a,
    "an offset of unknowns": lambda v: v.a + v.tau * v.s[0] - v.s[1] / v.tau + np.exp(v.tau),
    "a nonlinear function of unknowns": lambda v: np.sqrt(v.tau) * v.a + np.log(v.s[0]),
    "a power of an unknown": lambda v: v.a * v.tau**2,
    "the level above": lambda v: v.u[H, 0] + v.u[H, 1] * X[:, 2],
    "transposed twice": lambda v: v.b.T.T.transpose(1, 0)[0],
    "a flat effect": lambda v: v.f[0] + v.f[1] * X[:, 1],
    "known by where": lambda v: np.where(X[:, 0] > 0, 1.0, -1.0) * v.a[G],
    "truth values as numbers": lambda v: v.a[G] * (X[:, 0] > 0),
}


@pytest.fixture(scope="module")
def latents():
    from types import SimpleNamespace

    with pm.Model() as model:
        tau, s = pm.HalfCauchy("tau", 5), pm.HalfCauchy("s", 1, shape=3)
        mu = pm.Normal("mu", 2, 3)
        a = pm.Normal("a", mu, tau, shape=5)
        b = pm.Normal("b", a[:2], s[:, None], shape=(3, 2))
        u = pm.MvNormal("u", mu + np.zeros(2), chol=np.array([[1.0, 0.0], [0.5, 2.0]]) * tau, shape=(3, 2))
        f = pm.Flat("f", shape=2)
        t = pm.StudentT("t", 4, shape=5)
    return SimpleNamespace(model=model, tau=tau, s=s, mu=mu, a=a, b=b, u=u, f=f, t=t)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_forms_of_what_hands_write(name, latents):
    agree(latents.model, EXPRESSIONS[name](latents))


def test_three_levels_and_a_deterministic_between(latents):
    with pm.Model() as model:
        tau = pm.HalfNormal("tau", 1, shape=3)
        top = pm.Normal("top", 1, 2)
        z = pm.Normal("z", 0, 1, shape=4)
        middle = pm.Deterministic("middle", top + tau[0] * z)
        low = pm.Normal("low", middle[[0, 1, 1, 2, 3, 3]], tau[np.array([1, 2, 1, 2, 1, 2])])
        root = pm.Deterministic("root", 2 * low[::-1] - middle.mean())
    agree(model, root)


def test_vectors_on_more_than_one_axis():
    """A multivariate normal of shape (2, 3, 2): stacks of vectors are vectors all the same."""
    with pm.Model() as model:
        tau = pm.HalfNormal("tau", 1)
        chol = np.array([[1.0, 0.0], [0.5, 2.0]]) * tau
        u = pm.MvNormal("u", np.arange(6.0).reshape(3, 2), chol=chol, shape=(2, 3, 2))
    agree(model, u[:, 1, :] + u.sum())


BAD = {
    "exp": (lambda v: np.exp(v.a), {"a", "mu"}, "`exp`"),
    "square": (lambda v: v.a**2, {"a", "mu"}, "`power`"),
    "absolute value": (lambda v: abs(v.mu) + v.a[0], {"mu"}, "`abs`"),
    "maximum": (lambda v: np.maximum(v.a, 0), {"a", "mu"}, "`maximum`"),
    "product of latents": (lambda v: v.mu * v.f[0], {"mu"}, "multiplied"),
    "the smaller of two is blamed": (lambda v: v.a[G] * v.f[0], {"f"}, "multiplied"),
    "scalar product of latents": (lambda v: v.f @ v.f, {"f"}, "multiplied"),
    "division by a latent": (lambda v: v.a / v.mu, {"mu"}, "divided"),
    "division of a number by a latent": (lambda v: 1.0 / v.f, {"f"}, "divided"),
    "reciprocal": (lambda v: np.reciprocal(v.f), {"f"}, "`reciprocal`"),
    "comparing a latent": (lambda v: np.where(v.f > 0, 1.0, 0.0), {"f"}, "`greater`"),
    "choosing between latents": (lambda v: np.where(X[0, 0] > 0, v.f[0], v.f[1]), {"f"}, "`where`"),
    "softmax": (lambda v: pm.math.softmax(v.f), {"f"}, "`softmax`"),
    "product of elements": (lambda v: np.prod(v.f), {"f"}, "`prod`"),
    "standard deviation": (lambda v: v.f.std(), {"f"}, "`std`"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_affine_names_the_latents_to_blame(name, latents):
    expression, blamed, why = BAD[name]
    chosen = frozenset({latents.mu, latents.a, latents.f})
    with pytest.raises(NotAffine) as caught:
        Reader(chosen, {}).form(expression(latents))
    assert {n.name for n in caught.value.latents} <= blamed and caught.value.latents
    assert why in caught.value.why


def test_a_latent_left_out_is_a_factor_like_any_other(latents):
    """With `mu` no longer a latent, products with it are affine, and exp of it is a known number."""
    reader = Reader(frozenset({latents.a}), {})
    form = reader.form(latents.a * latents.mu + np.exp(latents.mu))
    values = {latents.mu: np.array(0.7), latents.tau: np.array(1.5)}
    z = {latents.a: np.arange(5.0)}
    np.testing.assert_allclose(value_of(form, z, values), (0.7 + 1.5 * np.arange(5.0)) * 0.7 + np.exp(0.7))


def test_a_scale_that_a_latent_enters_is_no_scale(latents):
    with pm.Model():
        a = pm.Normal("a", 0, 1)
        b = pm.Normal("b", 0, np.exp(a))
    with pytest.raises(NotAffine, match="scale") as caught:
        Reader(frozenset({a, b}), {}).form(b)
    assert caught.value.latents == {a}


def test_a_long_chain_of_latents_ends_before_it_costs_too_much():
    """A random walk written step by step: forms that would grow with the square of its length are given up."""
    with pm.Model() as model:
        x = pm.Normal("x_0", 0, 1)
        for k in range(1, 100):
            x = pm.Normal(f"x_{k}", x, 1)
    with pytest.raises(NotAffine, match="chain") as caught:
        Reader(frozenset(model.free), {}).form(x)
    assert len(caught.value.latents) == 1
