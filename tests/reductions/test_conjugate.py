"""Conjugate pairs against SciPy's integrals and distributions, and their finder against forms that are none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

import finetti as pm
from finetti.density import Density, density_of
from finetti.model.namespace import jax_namespace
from finetti.reductions.conjugate import BetaBinomial, GammaPoisson

RNG = np.random.default_rng(7)
GROUP = np.array([0, 2, 1, 1, 0, 2, 2])
EXPOSURE = np.array([94.3, 15.7, 62.9, 126.0, 5.24, 31.4, 1.05])
COUNTS = np.array([5, 1, 5, 14, 3, 19, 0])
X = RNG.normal(size=7)


def pumps() -> None:
    a, b = pm.Exponential("a", 1), pm.Gamma("b", 0.1, 1)
    rate = pm.Gamma("rate", a, b, shape=7)
    pm.Poisson("y", rate * EXPOSURE, observed=COUNTS)


def rows_of_groups() -> None:
    a = pm.Exponential("a", 1, shape=3)
    rate = pm.Gamma("rate", mu=a, sigma=pm.HalfNormal("s", 2), shape=3)
    pm.Poisson("y", 2.5 * rate[GROUP] / EXPOSURE, observed=COUNTS)


def exposures_that_are_unknown() -> None:
    slope, scale = pm.Normal("slope", 0, 1), pm.HalfNormal("scale", 1)
    rate = pm.Gamma("rate", pm.Exponential("a", 1), 2.0, shape=3)
    pm.Poisson("y", rate[GROUP] * pm.math.exp(slope * X) / scale, observed=COUNTS)
    pm.Poisson("z", rate, observed=[1, 0, 2])


def waiting() -> None:
    rate = pm.Exponential("rate", pm.HalfNormal("scale", 1), shape=(2, 3))
    pm.Poisson("y", rate.T, observed=[[1, 2], [0, 3], [5, 0]])


def one_rate() -> None:
    rate = pm.Gamma("rate", pm.HalfNormal("a", 1), 1)
    pm.Poisson("y", rate, observed=COUNTS)


def batting() -> None:
    phi, kappa = pm.Uniform("phi", 0, 1), pm.Pareto("kappa", 1.5, 1)
    share = pm.Beta("share", phi * kappa, (1 - phi) * kappa, shape=3)
    pm.Binomial("hits", n=[45, 40, 12], p=share, observed=[18, 0, 12])


def coins() -> None:
    share = pm.Beta("share", mu=pm.Beta("mu", 2, 2), nu=pm.Exponential("nu", 0.1), shape=3)
    pm.Bernoulli("y", share[GROUP], observed=COUNTS > 4)
    pm.Binomial("z", n=5, logit_p=pm.math.logit(share), observed=[1, 5, 0])


def evenly() -> None:
    other = pm.HalfNormal("other", 1)
    share = pm.Uniform("share", shape=2)
    pm.Binomial("y", n=[10, 4], p=share, observed=[3, 4])
    pm.Poisson("z", other, observed=2)


MODELS = {
    "pumps": pumps, "several rows of a group": rows_of_groups, "exposures that are unknown": exposures_that_are_unknown,
    "an exponential prior": waiting, "one rate": one_rate, "batting averages": batting,
    "single tosses beside sums": coins, "a uniform prior": evenly,
}  # fmt: skip


def densities(write) -> tuple[pm.Model, Density, Density]:
    with pm.Model() as model:
        write()
    planned = pm.plan(model)
    assert planned.reductions
    return model, density_of(model, planned.reductions), density_of(model)


@pytest.mark.parametrize("write", MODELS.values(), ids=MODELS)
def test_the_marginal_is_the_integral(write):
    """Over each element by a dense sum of the model as written, at three places."""
    _, density, written = densities(write)
    members = {m.name for reduction in density.reductions for m in reduction.members}
    inside = np.concatenate([np.full(b.size, b.node.name in members) for b in written.blocks])
    z = np.arange(-500.0, 500.0, 0.02)
    for seed in range(3):
        flat = np.zeros(written.size)
        flat[~inside] = np.random.default_rng(seed).normal(size=density.size)  # the rest is in the same order
        reference = float(written(flat[None], written.batched_arguments(), lead=1)[0])
        total = reference
        for k in np.flatnonzero(inside):
            points = np.repeat(flat[None], len(z), axis=0)
            points[:, k] = z
            with np.errstate(all="ignore"):
                along = written(points, written.batched_arguments(), lead=1)
            total += logsumexp(along - reference) + np.log(z[1] - z[0])
        found = float(np.asarray(density(flat[~inside][None], density.batched_arguments(), lead=1))[0])
        assert found == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("write", MODELS.values(), ids=MODELS)
def test_jax_has_numpys_value_and_the_gradient_is_its_slope(write, in_double):
    _, density, _ = densities(write)
    jax, nodes, numbers = in_double, tuple(density.arguments), tuple(density.arguments.values())

    def log_density(flat):
        return density(flat, dict(zip(nodes, numbers, strict=True)), xp=jax_namespace())

    for seed in range(3):
        flat = np.random.default_rng(seed).normal(size=density.size)
        value, gradient = jax.value_and_grad(log_density)(flat)
        steps = 1e-5 * np.eye(density.size)
        near = [density(flat + sign * steps, density.batched_arguments(), lead=1) for sign in (1, -1)]
        assert value == pytest.approx(float(density(flat[None], density.batched_arguments(), lead=1)[0]), rel=1e-12)
        np.testing.assert_allclose(gradient, (near[0] - near[1]) / 2e-5, rtol=2e-5, atol=1e-5)


def conditional(trace: pm.Trace, name: str, law) -> None:
    """Uniform probabilities of the draws given the rest: a false alarm in 10,000 runs of the generator."""
    posterior = trace["posterior"]
    p = law(posterior).cdf(posterior[name])
    for column in p.reshape(-1, p.shape[-1]).T if p.ndim > 2 else [p.ravel()]:
        assert stats.kstest(column, "uniform").pvalue > 1e-4 / 8


def test_rates_are_drawn_back_from_their_gamma():
    with pm.Model() as model:
        pumps()
    trace = pm.sample(1000, model=model, random_seed=1, progressbar=False)

    def law(p):
        return stats.gamma(p["a"].values[..., None] + COUNTS, scale=1 / (p["b"].values[..., None] + EXPOSURE))

    conditional(trace, "rate", law)
    np.testing.assert_allclose(np.exp(trace["unconstrained_posterior"]["rate_log__"]), trace["posterior"]["rate"])


def test_probabilities_are_drawn_back_from_their_beta():
    with pm.Model() as model:
        batting()
    trace = pm.sample(1000, model=model, random_seed=1, progressbar=False)
    hits, misses = np.array([18, 0, 12]), np.array([27, 40, 0])

    def law(p):
        phi, kappa = p["phi"].values[..., None], p["kappa"].values[..., None]
        return stats.beta(phi * kappa + hits, (1 - phi) * kappa + misses)

    conditional(trace, "share", law)
    odds = trace["unconstrained_posterior"]["share_logodds__"]
    np.testing.assert_allclose(1 / (1 + np.exp(-odds)), trace["posterior"]["share"])


def test_rates_whose_exposures_are_drawn():
    with pm.Model() as model:
        exposures_that_are_unknown()
    trace = pm.sample(1000, model=model, random_seed=2, progressbar=False)
    sums = np.bincount(GROUP, COUNTS) + np.array([1, 0, 2])

    def law(p):
        exposure = np.exp(p["slope"].values[..., None] * X) / p["scale"].values[..., None]
        total = exposure @ (GROUP[:, None] == np.arange(3)) + 1.0
        return stats.gamma(p["a"].values[..., None] + sums, scale=1 / (2.0 + total))

    conditional(trace, "rate", law)


def test_the_pumps_posterior_is_that_of_a_dense_sum():
    """BUGS's pumps over (log a, log b), by SciPy's negative binomial; means within 5 of their standard errors."""
    with pm.Model() as model:
        pumps()
    trace = pm.sample(2000, model=model, random_seed=3, progressbar=False)
    assert trace.attrs["sampler"] == "quadrature" and model.plan().reductions[0].members[0].name == "rate"
    u, v = np.meshgrid(np.linspace(-6, 3, 400), np.linspace(-9, 4, 400), indexing="ij")
    a, b = np.exp(u), np.exp(v)
    log_density = stats.expon.logpdf(a) + u + stats.gamma.logpdf(b, 0.1) + v
    for count, exposure in zip(COUNTS, EXPOSURE, strict=True):
        log_density = log_density + stats.nbinom.logpmf(count, a, b / (b + exposure))
    weight = np.exp(log_density - log_density.max())
    for name, value in (("a", a), ("b", b)):
        mean = (weight * value).sum() / weight.sum()
        sd = np.sqrt((weight * (value - mean) ** 2).sum() / weight.sum())
        assert abs(trace[name].mean() - mean) < 5 * sd / np.sqrt(8000)
        assert trace[name].std() == pytest.approx(sd, rel=0.1)


def test_with_nothing_left_the_draws_are_exact():
    with pm.Model() as model:
        share = pm.Beta("share", 2, 3)
        pm.Binomial("y", n=10, p=share, observed=7)
    trace = pm.sample(2000, model=model, random_seed=1, progressbar=False)
    assert trace.attrs["sampler"] == "exact"
    assert stats.kstest(trace["share"], stats.beta(9, 6).cdf).pvalue > 1e-4


@pytest.mark.parametrize("shape", [0.1, 1e-3])
def test_values_below_floating_point_keep_their_logarithm(shape):
    with pm.Model() as model:
        pm.Poisson("y", pm.Gamma("rate", shape, 1.0), observed=0)
    trace = pm.sample(2000, model=model, random_seed=1, progressbar=False)
    logs = trace["unconstrained_posterior"]["rate_log__"].values.ravel()
    assert np.isfinite(logs).all() and (trace["rate"] > 0).all() and (logs.min() < -800) == (shape < 0.01)
    near_zero = stats.expon(scale=1 / shape)  # where rate**shape is all that counts: -log(rate) is exponential
    assert stats.kstest(-logs[logs < -50] - 50, near_zero.cdf).pvalue > 1e-4


OTHER = {
    "pumps": ({"y": COUNTS + 3}, GammaPoisson), "batting averages": ({"hits": [3, 4, 5]}, BetaBinomial),
    "exposures that are unknown": ({"y": COUNTS[::-1]}, GammaPoisson),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER)
def test_numbers_that_are_given_replace_its_own(name, monkeypatch):
    """Another model's numbers through the pattern of the first."""
    data, kind = OTHER[name]
    _, density, _ = densities(MODELS[name])
    law = {"y": pm.Poisson, "hits": pm.Binomial}

    def with_other_data(family):
        written = family.__new__
        return lambda cls, *args, **kw: written(cls, *args, **{**kw, "observed": data.get(args[0], kw.get("observed"))})

    for variable in data:
        monkeypatch.setattr(law[variable], "__new__", with_other_data(law[variable]))
    _, other, _ = densities(MODELS[name])
    flat = np.random.default_rng(1).normal(size=(20, density.size))
    assert isinstance(density.reductions[0], kind)
    numbers = dict(zip(density.reductions[0].arrays, other.reductions[0].arrays.values(), strict=True))
    given = density.batched_arguments() | {node: value[None] for node, value in numbers.items()}
    wanted = other(flat, other.batched_arguments(), lead=1)
    np.testing.assert_allclose(density(flat, given, lead=1), wanted, rtol=1e-12)
    assert not np.allclose(density(flat, density.batched_arguments(), lead=1), wanted)


def beside(what: str) -> None:
    rate, share = pm.Gamma("rate", 2, 1, shape=3), pm.Beta("share", 2, 2, shape=3)
    counts, a = [1, 2, 3], pm.Normal("a", 0, 1)
    match what:
        case "a potential":
            pm.Poisson("y", rate, observed=counts)
            pm.Potential("soft", -rate.sum())
        case "added":
            pm.Poisson("y", rate + 1, observed=counts)
        case "two elements":
            pm.Poisson("y", rate + rate[::-1], observed=counts)
        case "not as a multiple":
            pm.Poisson("y", rate**2, observed=counts)
        case "another law":
            pm.Poisson("y", rate, observed=counts)
            pm.Normal("z", rate, 1, observed=counts)
        case "unobserved":
            pm.Poisson("y", rate, observed=counts)
            pm.Normal("z", rate, 1, shape=3)
        case "a sign":
            pm.Poisson("y", rate * a, observed=counts)
        case "not all rows":
            pm.Poisson("y", rate * np.array([1.0, 0.0, 2.0]), observed=[1, 0, 2])
        case "a function":
            pm.Binomial("y", n=5, p=1 - share, observed=counts)
        case "by halves":
            pm.Binomial("y", n=5, p=share / 2, observed=counts)
    pm.Normal("w", a, 1, observed=0.0)


@pytest.mark.parametrize(("what", "name", "words"), [
    ("a potential", "rate", "it enters the potential 'soft'"),
    ("added", "rate", "something is added to it in the mean of 'y'"),
    ("two elements", "rate", "row 0 of 'y' does not read exactly one of its elements"),
    ("not as a multiple", "rate", "does not enter the mean of 'y' as a multiple"),
    ("another law", "rate", "'z' depends on it and is Normal"),
    ("unobserved", "rate", "'z' depends on it and is Normal"),
    ("a sign", "rate", "parameters of 'y' may leave their domain"),
    ("not all rows", "rate", "row 1 of 'y' does not read exactly one of its elements"),
    ("a function", "share", "it is not itself the probability of 'y'|stands beside|added"),
    ("by halves", "share", "it is not itself the probability of 'y'"),
])  # fmt: skip
def test_what_is_no_pair_stays_and_says_why(what, name, words):
    with pm.Model() as model:
        beside(what)
    (decision,) = (d for d in pm.plan(model).decisions if d.name == name)
    assert decision.what == "sampled"
    assert any(part in decision.why for part in words.split("|")), decision.why


def test_a_pair_that_shall_stay_in_the_chain():
    with pm.Model() as model:
        pumps()
    planned = pm.plan(model, {"rate": "sampled"})
    assert not planned.reductions
    assert not pm.plan(model, "as_written").reductions
    assert "conjugate to 'y'; 7 fewer to sample" in str(pm.plan(model))


def test_rounding_is_told_and_small():
    _, density, _ = densities(pumps)
    given = density.batched_arguments()
    given |= {block.node: np.array([2.0]) for block in density.blocks}
    assert 0 < density.reductions[0].rounding(given)[0] < 1e-12
