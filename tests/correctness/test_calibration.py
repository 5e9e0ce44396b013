"""Simulation-based calibration: parameters drawn from the prior rank uniformly among their posterior draws."""

import numpy as np
import pytest
from scipy import stats

import finetti as pm
from finetti.density import density_of
from finetti.engines.nuts.chain import ChainLog, Goal, Runner, live
from finetti.engines.nuts.program import compile_program, start_chain
from finetti.engines.settings import Settings
from finetti.model.namespace import jax_namespace

GROUPS, REPLICATES, THIN, KEPT, BINS = 4, 640, 12, 63, 16
SETTINGS = Settings(draws=THIN * KEPT, tune=300, target_accept=0.9)


def prior_and_data(rng: np.random.Generator) -> tuple[dict[str, float], np.ndarray]:
    """One draw of the model by hand, two measurements a group: what is ranked, and the data (group, 2)."""
    mu, tau = rng.normal(0, 2), abs(rng.normal(0, 1.5))
    theta = mu + tau * rng.normal(size=GROUPS)
    return {"mu": mu, "log tau": np.log(tau), "theta": theta[0]}, rng.normal(theta[:, None], 1.0, (GROUPS, 2))


def written(data: np.ndarray) -> pm.Model:
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 2)
        tau = pm.HalfNormal("tau", 1.5)
        z = pm.Normal("z", 0, 1, shape=GROUPS)
        theta = pm.Deterministic("theta", mu + tau * z)
        pm.Normal("y", theta[:, None], 1.0, observed=data)
    return model


class Posterior:
    """The model compiled once; other data are other arguments."""

    def __init__(self):
        placeholder = np.arange(GROUPS * 2, dtype=float).reshape(GROUPS, 2)
        self.density = density_of(written(placeholder))
        nodes = tuple(self.density.arguments)
        self.values = tuple(self.density.arguments.values())
        self.place = [np.array_equal(value, placeholder) for value in self.values].index(True)

        def log_density(flat, values):
            return self.density(flat, dict(zip(nodes, values, strict=True)), xp=jax_namespace())

        self.program = compile_program(log_density, self.values, self.density.size, rows=512, levels=10)

    def draws(self, data: np.ndarray, key: int) -> dict[str, np.ndarray]:
        values = tuple(data if k == self.place else v for k, v in enumerate(self.values))
        run, log = Runner(self.program, values, SETTINGS, 512), ChainLog(0)
        start = np.random.default_rng(key).uniform(-1, 1, self.density.size)
        for _ in live(run, start_chain(start, 0.0, key), log, Goal(SETTINGS.draws)):
            pass
        flat = np.concatenate([record.position for record in log.records])
        mu, log_tau, z = flat[:, 0], flat[:, 1], flat[:, 2]
        return {"mu": mu, "log tau": log_tau, "theta": mu + np.exp(log_tau) * z}


@pytest.fixture(scope="module")
def ranks() -> dict[str, np.ndarray]:
    """The rank of the truth among thinned draws, 0..63, by parameter, (replicate,)."""
    posterior, rng = Posterior(), np.random.default_rng(2024)
    found: dict[str, list[int]] = {"mu": [], "log tau": [], "theta": []}
    for replicate in range(REPLICATES):
        truth, data = prior_and_data(rng)
        for name, draws in posterior.draws(data, replicate).items():
            found[name].append(int((draws[::THIN] < truth[name]).sum()))
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.parametrize("name", ["mu", "log tau", "theta"])
def test_ranks_are_uniform(ranks, name):
    """Talts and others (2018), arXiv 1804.06788: 640 replicates in 16 bins, chi-square, and the mean and spread of the
    ranks; false alarm 3e-4 for each of the three parameters."""
    x = ranks[name]
    assert stats.chisquare(np.bincount(x * BINS // (KEPT + 1), minlength=BINS)).pvalue > 1e-4
    scaled = (x + 0.5) / (KEPT + 1) - 0.5
    bound = stats.norm.isf(5e-5) / np.sqrt(len(x))
    assert abs(scaled.mean()) * np.sqrt(12) < bound
    assert abs((scaled**2).mean() * 12 - 1) / np.sqrt(0.8) < bound
