"""The linear-Gaussian block leaves every model unchanged.

The oracle runs the model forwards and does dense linear algebra (`forward`); brute-force integrals of the density as it
is written, and decimal arithmetic, check where linear algebra could share a mistake. What must hold, exactly:

    log p(phi, y), from the block                  = the dense law's
    log p(phi, z, y), as written                   = log p(phi, y) + log p(z | phi, y)
"""

from __future__ import annotations

import numpy as np
import pytest
from forward import Law, assert_normal, flat_values, law, whitened
from gaussian_models import MODELS
from growing import models
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scipy import stats

import finetti as pm
from finetti.coordinates.constrain import constrain
from finetti.density import Density, density_of
from finetti.model.graph import Node
from finetti.model.namespace import jax_namespace
from finetti.planning import plan
from finetti.reductions.linear.gaussian import LinearGaussian

OFTEN = settings(
    deadline=None, derandomize=True, max_examples=100, report_multiple_bugs=False,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)  # fmt: skip


def integrated(model: pm.Model) -> tuple[LinearGaussian, Density]:
    """The block of a model, and the density without the latents in it."""
    (block,) = plan(model).reductions
    return block, density_of(model, [block])


def values_at(density: Density, model: pm.Model, flat: np.ndarray) -> dict[Node, np.ndarray]:
    """Data and sampled variables at a flat vector."""
    values = dict(density.arguments) | dict(model.data)
    return values | {block.node: np.asarray(v) for block, v, _ in constrain(density.blocks, flat, density.arguments)}


def law_of(block: LinearGaussian, given: dict[Node, np.ndarray]) -> Law:
    return law(block.members, [n for n in block.variables if n.observed is not None], given)


def batched(values: dict[Node, np.ndarray]) -> dict[Node, np.ndarray]:
    return {node: np.asarray(value)[None] for node, value in values.items()}


def check_marginal(model: pm.Model, rng: np.random.Generator, *, points: int = 3, rtol: float = 1e-8) -> None:
    """The block's log density is that of the dense law, at random phi."""
    block, density = integrated(model)
    for _ in range(points):
        given = values_at(density, model, 0.5 * rng.normal(size=density.size))
        expected = law_of(block, given).log_density
        found = float(np.squeeze(block.log_marginal(batched(given), lead=1)))
        assert found == pytest.approx(expected, rel=rtol, abs=1e-7)
        assert float(block.log_marginal(given)) == pytest.approx(expected, rel=rtol, abs=1e-7)


def check_chain_rule(model: pm.Model, rng: np.random.Generator) -> None:
    """log p(phi, z, y) as written = log p(phi, y) + log N(z; dense mean, dense covariance), at random phi and z."""
    block, density = integrated(model)
    written = density_of(model)
    flat = 0.5 * rng.normal(size=density.size)
    given = values_at(density, model, flat)
    conditional = law_of(block, given)
    root = np.linalg.cholesky(conditional.covariance)
    noise = rng.normal(size=len(root))
    z = conditional.mean + root @ noise
    log_conditional = -0.5 * noise @ noise - np.log(np.diag(root)).sum() - 0.5 * len(z) * np.log(2 * np.pi)
    whole = np.zeros(written.size)
    ends = np.cumsum([m.size for m in block.members])
    start = {m: end - m.size for m, end in zip(block.members, ends, strict=True)}
    sampled = {b.node: b for b in density.blocks}
    for b in written.blocks:
        source = flat[sampled[b.node].start :][: b.size] if b.node in sampled else z[start[b.node] :][: b.size]
        whole[b.start : b.start + b.size] = source
    expected = float(density(flat, density.arguments)) + log_conditional
    assert float(written(whole, written.arguments)) == pytest.approx(expected, rel=1e-7, abs=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_integrated_out(name):
    build, members = MODELS[name]
    block, _ = integrated(build())
    assert {m.name for m in block.members} == members


@pytest.mark.parametrize("name", MODELS)
def test_the_marginal_is_the_dense_one(name):
    check_marginal(MODELS[name][0](), np.random.default_rng(1), points=4)


@pytest.mark.parametrize("name", MODELS)
def test_density_as_written_is_marginal_times_conditional(name):
    check_chain_rule(MODELS[name][0](), np.random.default_rng(2))


@OFTEN
@given(models(), st.integers(0, 10**6))
def test_models_that_grow_at_random(model, seed):
    rng = np.random.default_rng(seed)
    if not plan(model).reductions:
        return
    check_marginal(model, rng, points=2, rtol=1e-6)
    check_conditional(model, rng)


def check_conditional(model: pm.Model, rng: np.random.Generator, *, draws: int = 400) -> None:
    """Draws at one phi have the dense law's mean and covariance; false alarm 1 in a million for each of two tests."""
    block, density = integrated(model)
    given = values_at(density, model, 0.5 * rng.normal(size=density.size))
    drawn = flat_values(block.members, block.draw(batched(given), draws, rng).values)
    assert drawn.shape == (draws, sum(m.size for m in block.members))
    assert_normal(drawn, law_of(block, given))


@pytest.mark.parametrize("name", MODELS)
def test_draws_have_the_exact_mean_and_covariance(name):
    """Given one phi: chi-squared for the mean, and the largest entry of the covariance; false alarm 2 in a million."""
    check_conditional(MODELS[name][0](), np.random.default_rng(3), draws=4000)


@pytest.mark.parametrize("name", ["eight schools, centred", "varying intercept and slope", "a scale for each group",
                                  "correlated slopes, LKJ, non-centred", "classes in schools"])  # fmt: skip
def test_each_draw_belongs_to_its_own_phi(name):
    """300 draws, each at its own phi: whitened by its own law they are standard normal (KS, false alarm 1 in 10^6).

    Draws assigned to the wrong phi have the wrong mean and scale; the phi differ widely."""
    model = MODELS[name][0]()
    block, density = integrated(model)
    rng = np.random.default_rng(5)
    flats = rng.normal(size=(300, density.size))
    given = {n: v[None] for n, v in {**density.arguments, **model.data}.items()}
    phi = {b.node: v for b, v, _ in constrain(density.blocks, flats, given, lead=1)}
    drawn = flat_values(block.members, block.draw({**given, **phi}, 300, rng).values)
    w = [whitened(row[None], law_of(block, values_at(density, model, f))) for row, f in zip(drawn, flats, strict=True)]
    assert stats.kstest(np.concatenate(w).ravel(), stats.norm.cdf).pvalue > 1e-6


def test_numbers_that_are_given_replace_its_own():
    """Other data, far from the first and with other zeros among them, through the pattern of the first."""

    def with_data(offset: float, x: np.ndarray) -> tuple[LinearGaussian, Density]:
        with pm.Model() as model:
            mu, tau, slope = pm.Normal("mu", 0, 1e4), pm.HalfNormal("tau", 2), pm.Normal("slope", 0, 1)
            theta = pm.Normal("theta", mu, tau, shape=3)
            scale = pm.HalfNormal("scale", 1, shape=3)
            y = offset + np.array([1.0, 2.0, 4.0, 0.0, 3.0, 2.0])
            index = np.array([0, 0, 1, 1, 2, 2])
            pm.Normal("y", theta[index] + slope * x, scale[index], observed=y)
        return integrated(model)

    block, density = with_data(0.0, np.array([1.0, 0.0, 2.0, 0.0, 1.0, 0.5]))
    other, wanted = with_data(1e6, np.array([0.0, 3.0, 0.0, 1.0, 1.0, -2.0]))
    assert len(block.arrays) == len(other.arrays) and np.any(other.shift.value) and not np.any(block.shift.value)
    given = dict(zip(density.arguments, wanted.arguments.values(), strict=True))
    batched_numbers = {node: value[None] for node, value in given.items()}
    flat = np.random.default_rng(1).normal(size=(20, density.size))
    right = wanted(flat, wanted.batched_arguments(), lead=1)
    np.testing.assert_allclose(density(flat, batched_numbers, lead=1), right, rtol=1e-9)
    phi = {b.node: v for b, v, _ in constrain(density.blocks, flat, batched_numbers, lead=1)}
    same = {b.node: v for b, v, _ in constrain(wanted.blocks, flat, wanted.batched_arguments(), lead=1)}
    draws = block.draw(batched_numbers | phi, 20, np.random.default_rng(2)).values
    expected = other.draw(wanted.batched_arguments() | same, 20, np.random.default_rng(2)).values
    for mine, its in zip(block.members, other.members, strict=True):
        np.testing.assert_allclose(draws[mine], expected[its], rtol=1e-9)


def test_draws_are_independent_of_each_other():
    """Where phi is constant or there is none, every draw is new: none twice, and no correlation at lag 1.

    False alarm 1 in a million."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        a = pm.Normal("a", mu, 2, shape=3)
        pm.Normal("y", a, 1, observed=[1.0, 2.0, 3.0])
    trace = pm.sample(2000, chains=2, random_seed=1, progressbar=False, model=model)
    draws = trace.posterior["a"].values.reshape(-1, 3)
    assert len(np.unique(draws, axis=0)) == 4000
    z = (draws - draws.mean(axis=0)) / draws.std(axis=0)
    lagged = (z[1:] * z[:-1]).mean(axis=0) * np.sqrt(len(z))
    assert np.abs(lagged).max() < stats.norm.isf(0.5e-6 / 3)
    by_chain = trace.posterior["mu"].values
    assert abs(np.corrcoef(by_chain)[0, 1]) * np.sqrt(2000) < stats.norm.isf(0.5e-6)


# --- brute force -------------------------------------------------------------------------------------------------


def brute_force(model: pm.Model, flat_of: dict[str, float], members: list[str], half_width: float) -> float:
    """Log of the integral of the density as written over one or two latents: the trapezoidal rule on a wide grid."""
    written = density_of(model)
    axis = np.linspace(-half_width, half_width, 801)
    mesh = np.stack(np.meshgrid(*[axis] * len(members), indexing="ij"), axis=-1).reshape(-1, len(members))
    flat = np.zeros((len(mesh), written.size))
    for block in written.blocks:
        name = str(block.node.name)
        flat[:, block.start] = mesh[:, members.index(name)] if name in members else flat_of[name]
    with np.errstate(all="ignore"):
        logs = written(flat, written.batched_arguments(), lead=1)
    return float(np.log(np.exp(logs - logs.max()).sum()) + logs.max() + len(members) * np.log(axis[1] - axis[0]))


def test_one_latent_integrated_by_brute_force():
    with pm.Model() as model:
        tau, s = pm.HalfNormal("tau", 1), pm.HalfNormal("s", 1)
        mu = pm.Normal("mu", 1, tau)
        pm.Normal("y", 2 * mu - 1, s, observed=[1.0, 2.5, 0.3])
    _, density = integrated(model)
    for point in ([0.3, -0.2], [-1.5, 0.4], [1.0, 1.0]):
        expected = brute_force(model, dict(zip(("tau", "s"), point, strict=True)), ["mu"], 40.0)
        assert float(density(np.array(point), density.arguments)) == pytest.approx(expected, abs=1e-9)


def test_two_latents_one_of_them_flat_integrated_by_brute_force():
    with pm.Model() as model:
        tau, s = pm.HalfNormal("tau", 1), pm.HalfNormal("s", 1)
        mu, z = pm.Flat("mu"), pm.Normal("z", 0, 1)
        pm.Normal("y", mu + tau * z * np.array([1.0, 1.0, -1.0]), s, observed=[1.0, 2.5, 0.3])
        pm.Normal("w", mu / s, 1, observed=0.7)
    _, density = integrated(model)
    for point in ([0.3, -0.2], [-1.5, 0.4], [1.0, 0.5]):
        expected = brute_force(model, dict(zip(("tau", "s"), point, strict=True)), ["mu", "z"], 25.0)
        assert float(density(np.array(point), density.arguments)) == pytest.approx(expected, abs=1e-8)


# --- JAX ---------------------------------------------------------------------------------------------------------


IN_JAX = (
    "eight schools, centred", "classes in schools", "correlated slopes, LKJ, non-centred", "many fixed effects",
    "a scale for each row", "a scale for each latent", "a multivariate normal that is observed", "half of it logistic",
    "a coefficient to be estimated", "a scale for each coefficient", "a scale for each coefficient, one by one",
)  # fmt: skip


@pytest.mark.parametrize("name", IN_JAX)
def test_jax_has_numpys_value_and_the_gradient_is_its_slope(name, in_double):
    jax = in_double
    model = MODELS[name][0]()
    _, density = integrated(model)
    flat = 0.5 * np.random.default_rng(4).normal(size=density.size)
    value_and_grad = jax.jit(jax.value_and_grad(lambda x: density(x, density.arguments, xp=jax_namespace())))
    value, gradient = value_and_grad(jax.numpy.asarray(flat))
    assert float(value) == pytest.approx(float(density(flat, density.arguments)), rel=1e-10)
    steps = 1e-5 * np.eye(density.size)
    ends = density(np.concatenate([flat + steps, flat - steps]), density.batched_arguments(), lead=1)
    slope = (ends[: density.size] - ends[density.size :]) / 2e-5
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-5 * (1 + np.abs(slope).max()))


