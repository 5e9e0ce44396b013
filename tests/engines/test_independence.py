"""The independence chain: its parts against SciPy, its draws against integrals of their own, and when it stands back.

Moments are compared at 5 standard errors and laws at a level of 1e-6; with about 60 such comparisons a false alarm in
less than 1 of 10,000 runs, were the seeds not fixed.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

import finetti as pm
from finetti.density import density_of
from finetti.diagnostics.convergence import ess_bulk, mcse_mean
from finetti.engines.batches import Counting
from finetti.engines.choose import carried_out
from finetti.engines.contract import Declined, Order, Target
from finetti.engines.independence import chain as chains
from finetti.engines.independence.chain import Proposals, ReadyProposals, _accepted
from finetti.engines.independence.mixture import Mixture, fitted, joined, one
from finetti.engines.independence.proposal import (
    Fit,
    Margins,
    Proposal,
    efficiency_of,
    fitted_margins,
    fitted_proposal,
    unmapped,
)
from finetti.engines.modes import Mode, modes_from
from finetti.engines.run import run
from finetti.engines.search import Found
from finetti.engines.settings import Settings
from finetti.engines.sinks import Memory
from finetti.planning import plan

LEVEL = 1e-6
CORRELATED = np.array([[1.0, 0.0, 0.0], [1.5, 0.7, 0.0], [-0.4, 0.2, 2.0]])  # a factor of a covariance


# --- mixtures ----------------------------------------------------------------------------------------------------


def two_components() -> Mixture:
    far = one(np.array([3.0, -2.0, 1.0]), 0.5 * np.eye(3), 4.0)
    return joined([(0.7, one(np.zeros(3), CORRELATED)), (0.3, far)])


def scipy_laws(mixture: Mixture) -> list:
    return [
        stats.multivariate_t(center, root @ root.T, df=freedom)
        for center, root, freedom in zip(mixture.center, mixture.root, mixture.freedom, strict=True)
    ]


def test_density_of_a_mixture():
    mixture, points = two_components(), np.random.default_rng(0).normal(size=(50, 3)) * 4
    densities = [share * law.pdf(points) for share, law in zip(mixture.share, scipy_laws(mixture), strict=True)]
    np.testing.assert_allclose(mixture.log_density(points), np.log(sum(densities)), rtol=1e-10)


def test_draws_of_a_mixture_have_its_law_along_every_axis():
    mixture = two_components()
    points = mixture.draw(20_000, np.random.default_rng(1))
    for axis in range(3):

        def cdf(x, axis=axis):
            parts = zip(mixture.share, mixture.center, mixture.root, mixture.freedom, strict=True)
            return sum(w * stats.t.cdf(x, f, c[axis], np.linalg.norm(root[axis])) for w, c, root, f in parts)

        assert stats.kstest(points[:, axis], cdf).pvalue > LEVEL


def test_a_fit_is_more_likely_than_one_component_and_finds_both_centres():
    rng = np.random.default_rng(2)
    points = np.concatenate([rng.normal(size=(3000, 2)), rng.normal([6.0, -6.0], 0.3, size=(1000, 2))])
    weight = np.full(4000, 1 / 4000)
    likelihood = {k: weight @ fitted(points, weight, k, np.random.default_rng(0)).log_density(points) for k in (1, 2)}
    truth = 0.75 * stats.multivariate_normal.pdf(points, np.zeros(2), np.eye(2))
    truth += 0.25 * stats.multivariate_normal.pdf(points, [6, -6], 0.09 * np.eye(2))
    assert likelihood[1] < likelihood[2] - 0.5
    assert likelihood[2] > np.log(truth).mean() - 0.02
    centers = fitted(points, weight, 2, np.random.default_rng(0)).center
    assert sorted(np.round(centers[:, 0]).tolist()) == [0, 6]


def test_weights_count_as_repeated_points():
    rng = np.random.default_rng(3)
    points, counts = rng.normal(size=(300, 2)), rng.integers(0, 4, 300)
    repeated = np.repeat(points, counts, axis=0)
    a = fitted(points, counts / counts.sum(), 1, np.random.default_rng(0))
    b = fitted(repeated, np.full(len(repeated), 1 / len(repeated)), 1, np.random.default_rng(0))
    np.testing.assert_allclose(a.center, b.center, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(a.root, b.root, rtol=1e-4, atol=1e-4)


# --- margins and proposals ---------------------------------------------------------------------------------------

MARGINS = Margins(np.array([1.0, -3.0]), np.array([0.5, 20.0]), np.array([-0.9, 0.3]), np.array([0.65, 1.25]))


def test_margins_back_and_forth_and_their_log_determinant():
    points = np.random.default_rng(0).normal(size=(40, 2)) * [2.0, 50.0]
    x, log_det = MARGINS.mapped(points)
    np.testing.assert_allclose(MARGINS.back(x), points, rtol=1e-9, atol=1e-9)
    slopes = [(MARGINS.mapped(points + h)[0] - MARGINS.mapped(points - h)[0]) for h in (np.array([[1e-5, 1e-4]]),)]
    np.testing.assert_allclose(np.log(slopes[0] / [2e-5, 2e-4]).sum(axis=1), log_det, rtol=1e-5, atol=1e-6)


def test_fitted_margins_make_a_skewed_law_all_but_normal():
    """The logarithm of a half-normal number, whose lower tail is exponential."""
    u = np.log(np.abs(np.random.default_rng(0).normal(size=(20_000, 1))))
    x, _ = fitted_margins(u, np.full(20_000, 1 / 20_000)).mapped(u)
    assert abs(stats.skew(u[:, 0])) > 1.4 and abs(stats.skew(x[:, 0])) < 0.2
    assert abs(stats.kurtosis(x[:, 0])) < 0.5 < stats.kurtosis(u[:, 0])


def test_a_proposals_density_is_that_of_its_draws():
    """Weights against a law of the same place average to the ratio of the normalising constants, which is 1."""
    proposal = Proposal(MARGINS, one(np.array([0.2, -0.1]), np.array([[1.0, 0.0], [0.5, 0.8]]), 5.0))
    points = proposal.draw(200_000, np.random.default_rng(0))
    center, sd = np.median(points, axis=0), 0.3 * (np.quantile(points, 0.8, axis=0) - np.quantile(points, 0.2, axis=0))
    target = stats.norm.logpdf(points, center, sd).sum(axis=1)
    weight = np.exp(target - proposal.log_density(points))
    assert abs(weight.mean() - 1.0) < 5 * weight.std() / np.sqrt(len(weight))


# --- the fit and the walk ----------------------------------------------------------------------------------------


def skewed(points):
    """Logarithms of half-normal numbers, correlated through a common factor; the last is Gaussian."""
    a = points[:, 0] - 0.5 * np.exp(2 * points[:, 0])
    b = points[:, 1] - 0.5 * np.exp(2 * points[:, 1])
    return a + b - 0.5 * (points[:, 2] - points[:, 0]) ** 2


def test_a_fit_to_a_skewed_law_resembles_it():
    fit = fitted_proposal(skewed, modes_from(skewed, np.zeros((1, 3))), np.random.default_rng(0))
    points = fit.proposal.draw(20_000, np.random.default_rng(1))
    log_weight = skewed(points) - fit.proposal.log_density(points)
    assert efficiency_of(log_weight) > 0.85
    constant = np.log(np.pi / 2) + 0.5 * np.log(2 * np.pi)  # two half-normal integrals and a normal one
    weight = np.exp(log_weight - constant)
    assert abs(weight.mean() - 1) < 5 * weight.std() / np.sqrt(20_000)


def test_both_modes_of_a_law_are_proposed():
    def two(points):
        squares = [((points - center) ** 2).sum(axis=1) for center in ([-4.0, 0.0, 0.0], [4.0, 1.0, 0.0])]
        return np.logaddexp(*(-0.5 * square for square in squares))

    modes = modes_from(two, np.array([[-3.0, 0.0, 0.0], [3.0, 0.0, 0.0]]))
    fit = fitted_proposal(two, modes, np.random.default_rng(0))
    assert fit.efficiency > 0.8
    share = (fit.proposal.draw(10_000, np.random.default_rng(0))[:, 0] > 0).mean()
    assert 0.4 < share < 0.6


def test_a_law_without_a_mode_in_reach_has_no_fit():
    def nowhere(points):
        return np.full(len(points), -np.inf)

    assert fitted_proposal(nowhere, modes_from(nowhere, np.zeros((2, 3))), np.random.default_rng(0)) is None


@pytest.mark.parametrize(
    "log_density",
    [
        lambda x: -20 * np.log(1e-30 + (x**2).sum(axis=1)),  # a spike much narrower than any difference taken
        lambda x: x.sum(axis=1),  # no end upwards
        lambda x: np.zeros(len(x)),
        lambda x: np.where(np.abs(x).max(axis=1) < 1e-3, 0.0, -1e5 * np.abs(x).max(axis=1)),
        lambda x: -(np.abs(x).sum(axis=1) ** 0.1),  # tails without an integral
        lambda x: -np.exp(np.minimum(np.abs(x).sum(axis=1), 700.0)),
    ],
)
def test_nothing_odd_is_proposed_for_odd_laws(log_density, recwarn):
    """None, or a fit that says it is poor; the last is a law like any other."""
    fit = fitted_proposal(log_density, modes_from(log_density, np.full((2, 3), 0.3)), np.random.default_rng(0))
    assert fit is None or not fit.efficiency >= chains.EFFICIENCY or log_density(np.ones((1, 3)))[0] < -20
    assert not recwarn.list


def test_a_spike_no_wider_than_rounding_has_no_fit():
    """All proposals are the same point: there is no covariance to walk by."""

    def spike(points):
        return np.where(points[:, 0] == 0.25, 0.0, -np.inf)

    mode = Mode(np.array([0.25]), 0.0, np.array([[1e-30]]))
    assert fitted_proposal(spike, [mode], np.random.default_rng(0)) is None


def test_the_efficiency_of_weights():
    assert efficiency_of(np.zeros(10)) == 1.0
    assert efficiency_of(np.log([1.0, 1.0, 0.0 + 1e-300, 1e-300])) == pytest.approx(0.5)
    assert efficiency_of(np.full(3, -np.inf)) == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_the_walk_is_the_textbooks(seed):
    """Metropolis and Hastings, written out."""
    rng = np.random.default_rng(seed)
    log_weight, log_uniform = 2 * rng.normal(size=40), np.log(rng.random(39))
    path, state = [], 0
    for k in range(1, 40):
        if np.exp(log_uniform[k - 1]) < min(1.0, np.exp(log_weight[k]) / np.exp(log_weight[state])):
            state = k
        path.append(state)
    assert _accepted(log_weight, log_uniform) == path


def poor(draws: int, each: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A normal law by proposals half a standard deviation off and half as wide again."""
    proposal = Proposal(unmapped(1), one(np.array([0.5]), np.array([[1.5]])))
    points = proposal.draw(40, np.random.default_rng(9))
    fit = Fit(proposal, points, -0.5 * points[:, 0] ** 2, 0.7)
    order = Order(None, Settings(draws), [np.random.SeedSequence(k) for k in range(4)], np.random.default_rng(1))
    found, count = Found(points, fit.values, [], 40), Counting(lambda x: -0.5 * x[:, 0] ** 2)
    engine, memory = ReadyProposals(order, fit, found, 0, count, each), Memory(4, draws)
    run(engine, engine.start(), memory, cores=1)
    flat, statistics = memory.joined()
    return flat, statistics["lp"], statistics["acceptance_rate"]


def test_a_poor_proposal_changes_how_fast_but_not_what():
    position, lp, rate = poor(5000, each=1)
    x = position[..., 0]
    assert x.shape == lp.shape == rate.shape == (4, 5000)
    np.testing.assert_array_equal(lp, -0.5 * x**2)
    assert abs(x.mean()) < 5 * mcse_mean(x) and abs((x**2).mean() - 1) < 5 * mcse_mean(x**2)
    thinned = x[:, ::10].ravel()
    assert stats.kstest(thinned, stats.norm.cdf).pvalue > LEVEL
    changed = (np.diff(x, axis=1) != 0).mean()
    assert abs(changed - rate.mean()) < 0.02 and 0.5 < rate.mean() < 0.9


def test_with_two_proposals_a_draw_every_second_state_is_kept():
    every, second = poor(1000, each=1), poor(500, each=2)
    for a, b in zip(every[:2], second[:2], strict=True):
        np.testing.assert_array_equal(a[:, 1::2], b)
    np.testing.assert_allclose(every[2].reshape(4, 500, 2).mean(axis=2), second[2], rtol=1e-12)
    assert ess_bulk(second[0][..., 0]) / 500 > 1.3 * ess_bulk(every[0][..., 0]) / 1000


# --- whole models ------------------------------------------------------------------------------------------------

GROUP, ITEM = np.divmod(np.arange(12), 4)
SEEN = np.array([1.1, 0.2, 1.9, 0.6, -0.7, -1.6, 0.4, -1.0, 0.9, 0.4, 2.4, 1.0])


def crossed(prior=1.0) -> pm.Model:
    with pm.Model() as model:
        s, t, sigma = (pm.HalfNormal(name, prior) for name in ("s", "t", "sigma"))
        a, b = pm.Normal("a", 0, s, shape=3), pm.Normal("b", 0, t, shape=4)
        pm.Normal("y", a[GROUP] + b[ITEM], sigma, observed=SEEN)
    return model


def by_brute_force(f) -> np.ndarray:
    """Posterior means of f(log s, log t, log sigma) (function,) on a lattice, the data's law a dense normal one."""
    axis = np.linspace(-7.0, 2.0, 46)
    u = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    z, w = np.eye(3)[GROUP], np.eye(4)[ITEM]
    variances = np.exp(2 * u)
    covariance = variances[:, 2, None, None] * np.eye(12)
    covariance = covariance + variances[:, 0, None, None] * (z @ z.T) + variances[:, 1, None, None] * (w @ w.T)
    _, log_det = np.linalg.slogdet(covariance)
    quadratic = np.linalg.solve(covariance, np.broadcast_to(SEEN[:, None], (len(u), 12, 1)))[..., 0] @ SEEN
    lp = -0.5 * (log_det + quadratic) + (stats.halfnorm.logpdf(np.exp(u)) + u).sum(axis=1)
    weight = np.exp(lp - lp.max())
    return np.array([weight @ value / weight.sum() for value in f(u)])


def test_three_standard_deviations_against_brute_force():
    def f(u):
        cut = np.sign(u - [-0.5, -0.8, -0.8])
        return [*np.moveaxis(u, -1, 0), *np.moveaxis(u**2, -1, 0), u[..., 0] * u[..., 2], *np.moveaxis(cut, -1, 0)]

    trace = pm.sample(10_000, chains=4, model=crossed(), random_seed=1, progressbar=False)
    assert trace.attrs["sampler"] == "independence"
    u = np.log(np.stack([trace[name] for name in ("s", "t", "sigma")], axis=-1))
    expected, seen = by_brute_force(f), f(u.reshape(4, 10_000, 3))
    gaps = [(x.mean() - e) / mcse_mean(x) for x, e in zip(seen[:7], expected[:7], strict=True)]
    assert np.abs(gaps).max() < 5
    for x, e in zip(seen[7:], expected[7:], strict=True):  # shares: a lattice of 0.2 cuts them less exactly
        assert abs(x.mean() - e) < 5 * mcse_mean(x) + 0.1


def test_members_drawn_back_have_the_moments_of_nuts_as_written():
    ours = pm.sample(4000, chains=4, model=crossed(), random_seed=1, progressbar=False)
    nuts = pm.sample(4000, chains=4, model=crossed(), random_seed=2, progressbar=False, geometry="as_written",
                     target_accept=0.95)  # fmt: skip
    assert (ours.attrs["sampler"], nuts.attrs["sampler"]) == ("independence", "nuts")
    for name in ("a", "b"):
        x, y = ours["posterior"][name].values, nuts["posterior"][name].values
        for k, moment in itertools.product(range(x.shape[-1]), (1, 2)):
            p, q = x[..., k] ** moment, y[..., k] ** moment
            assert abs(p.mean() - q.mean()) < 5 * np.hypot(mcse_mean(p), mcse_mean(q)), (name, k, moment)


def test_what_the_trace_and_the_plan_say():
    assert str(pm.plan(crossed())).splitlines()[-1] == "engine: independence, else nuts"
    trace = pm.sample(300, chains=3, model=crossed(), random_seed=1, progressbar=False)
    lines = trace.attrs["geometry"].splitlines()
    assert "engine: independence" in lines and "evaluations; proposals come from" in lines[-1]
    assert set(trace["sample_stats"].data_vars) == {"lp", "acceptance_rate", "diverging"}
    rate = float(trace["sample_stats"]["acceptance_rate"].mean())
    assert 0.6 < rate < 1 and 0.6 < trace.attrs["proposal_efficiency"] < 1
    moved = (np.diff(trace["posterior"]["s"].values, axis=1) != 0).mean()
    assert abs(moved - (1 - (1 - rate) ** 2)) < 0.06  # of two proposals a draw
    assert "900 draws by proposals fitted to the posterior" in str(pm.summary(trace))
    assert min(float(ess_bulk(trace["posterior"][name].values)) for name in ("s", "t", "sigma")) > 300


@pytest.mark.parametrize(("cheap", "each"), [(50_000_000, 2), (0, 1)])
def test_two_proposals_a_draw_where_they_are_cheap(cheap, each, monkeypatch):
    monkeypatch.setattr(chains, "CHEAP", cheap)
    more, fewer = (drawn(crossed(), draws).told.facts["evaluations"] for draws in (700, 300))
    assert more - fewer == each * 2 * 400


def test_the_same_seed_gives_the_same_draws_on_any_number_of_cores():
    one_core, two_cores = (
        pm.sample(400, chains=3, cores=cores, model=crossed(), random_seed=7, progressbar=False) for cores in (1, 3)
    )
    for group in ("posterior", "sample_stats"):
        for name in one_core[group].data_vars:
            np.testing.assert_array_equal(one_core[group][name], two_cores[group][name], err_msg=name)


def drawn(model: pm.Model, draws: int = 500):
    chosen = plan(model)
    seeds = np.random.SeedSequence(1).spawn(2)
    density = density_of(model, chosen.reductions, chosen.coordinates)
    order = Order(density, Settings(draws), seeds, np.random.default_rng(0))
    if not Proposals().offers(Target(density.size, bool(density.reductions))).takes:
        return None
    try:
        return carried_out(Proposals().ready(order), order, began=0.0)
    except Declined:
        return None


def interrupted_at(monkeypatch, number: int) -> None:
    """Ctrl-C in the middle of that block, counted from 0: the chains' way through the fit's own points."""
    calls, advanced = itertools.count(), chains._advanced

    def interrupted(*arguments):
        if next(calls) == number:
            raise KeyboardInterrupt
        return advanced(*arguments)

    monkeypatch.setattr(chains, "_advanced", interrupted)


def test_an_interrupted_run_keeps_its_draws(monkeypatch):
    monkeypatch.setattr(chains, "BLOCK", 200)
    with monkeypatch.context() as patch:
        interrupted_at(patch, 3)
        found = drawn(crossed(), 1000)
    assert found.told.facts["interrupted"] and found.flat.shape == (2, 400, 3)
    np.testing.assert_array_equal(drawn(crossed(), 1000).flat[:, :400], found.flat)


def test_ctrl_c_before_the_first_draw_is_ctrl_c(monkeypatch):
    interrupted_at(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        drawn(crossed(), 1000)


def test_more_chains_than_points_to_begin_with():
    trace = pm.sample(3, chains=700, model=crossed(), random_seed=1, progressbar=False)
    s = trace["posterior"]["s"].values
    assert s.shape == (700, 3) and abs(np.log(s[:, -1]).mean() - np.log(s).mean()) < 0.1


@pytest.mark.parametrize("batches", [2, 0])
def test_ctrl_c_while_members_are_drawn_back_keeps_the_draws_that_have_theirs(batches, monkeypatch):
    from finetti import collect

    settings = {"chains": 2, "cores": 1, "random_seed": 1, "progressbar": False}
    monkeypatch.setattr(collect, "BATCH_ELEMENTS", 40 * 33)
    whole = pm.sample(200, model=crossed(), **settings)
    calls, values = itertools.count(), collect.values_of

    def interrupted(*arguments):
        if next(calls) == 2 * batches:
            raise KeyboardInterrupt
        return values(*arguments)

    monkeypatch.setattr(collect, "values_of", interrupted)
    trace = pm.sample(200, model=crossed(), **settings)
    if not batches:  # then the chain's own draws come back, with members drawn back once more
        assert trace["posterior"].sizes["draw"] == 200 and trace.attrs["interrupted"]
        np.testing.assert_array_equal(trace["lp"], whole["lp"])
        return
    kept = trace["posterior"].sizes["draw"]
    assert 0 < kept < 200 and trace["sample_stats"].sizes["draw"] == kept and trace.attrs["interrupted"]
    np.testing.assert_array_equal(trace["posterior"]["a"], whole["posterior"]["a"][:, :kept])
    assert "of the 400 asked for" in str(pm.summary(trace))


@pytest.mark.parametrize("limit", ["EFFICIENCY", "HEAVIEST", "WORK", "BY_PROPOSALS"])
def test_it_stands_back_where_proposals_would_not_do(limit, monkeypatch):
    assert drawn(crossed()) is not None
    monkeypatch.setattr(chains, limit, {"EFFICIENCY": 1.0, "HEAVIEST": 1.0, "WORK": 1000, "BY_PROPOSALS": 2}[limit])
    assert drawn(crossed()) is None


def test_nuts_where_it_is_asked_for_or_nothing_is_integrated_out():
    settings = {"draws": 20, "tune": 50, "chains": 1, "random_seed": 1, "progressbar": False}
    assert pm.sample(model=crossed(), step="leapfrog", **settings).attrs["sampler"] == "nuts"
    assert pm.sample(model=crossed(), geometry="as_written", **settings).attrs["sampler"] == "nuts"
    with pm.Model() as model:
        s = pm.HalfNormal("s", 1, shape=3)
        pm.Normal("y", 0, s, observed=[1.0, 2.0, 3.0])
    assert drawn(model) is None and pm.sample(model=model, **settings).attrs["sampler"] == "nuts"


def test_no_jax_is_imported():
    import subprocess
    import sys

    program = (
        "import sys, numpy as np, finetti as pm\n"
        "with pm.Model() as model:\n"
        "    s, t, sigma = (pm.HalfNormal(name, 1) for name in 'stu')\n"
        "    a, b = pm.Normal('a', 0, s, shape=3), pm.Normal('b', 0, t, shape=4)\n"
        "    i, j = np.divmod(np.arange(12), 4)\n"
        "    pm.Normal('y', a[i] + b[j], sigma, observed=np.sin(np.arange(12.0)))\n"
        "    trace = pm.sample(50, random_seed=1, progressbar=False)\n"
        "print(trace.attrs['sampler'], 'jax' in sys.modules)\n"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["independence", "False"]
