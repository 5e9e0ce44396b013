"""A chain goes on from where it was, in coordinates that were learned on the way."""

from __future__ import annotations

import numpy as np

import finetti as pm
from finetti.coordinates.constrain import constrain
from finetti.density import density_of
from finetti.engines.nuts import metric as metrics
from finetti.engines.nuts.learning import recentre
from finetti.model.namespace import jax_namespace
from finetti.planning import plan


def test_the_chain_stays_at_the_same_values():
    """And the density of the values is the same there: log density less the log-determinants."""
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 1), pm.HalfNormal("tau", 1)
        theta = pm.Normal("theta", mu, tau, shape=4)
        pm.Binomial("y", n=[2, 9, 30, 90], logit_p=theta, observed=[1, 7, 12, 80])
    planned = plan(model, "auto")
    density = density_of(model, planned.reductions, planned.coordinates)
    draws = np.random.default_rng(3).normal(size=(200, density.size))
    position = draws[-1]
    new = recentre(density, density.arguments, draws, _gradients(density, draws), position, metrics.flat(position))
    assert any(not np.array_equal(new.arguments[node], value) for node, value in density.arguments.items())
    assert not np.allclose(new.position, position)
    here, there = (_values(density, *at) for at in ((position, density.arguments), (new.position, new.arguments)))
    for name, value in here.items():
        np.testing.assert_allclose(there[name], value, rtol=1e-9, err_msg=name)


def _values(density, flat, arguments) -> dict[str, np.ndarray]:
    """Values of the unknowns, and the log density of the values."""
    found, determinants = {}, 0.0
    for block, value, log_det in constrain(density.blocks, flat, arguments):
        found[str(block.node.name)] = value
        determinants = determinants + np.sum(log_det)
    return found | {"log density": density(flat, arguments) - determinants}


def _gradients(density, draws) -> np.ndarray:
    import jax

    with jax.enable_x64(True):
        one = jax.grad(lambda flat: density(flat, density.arguments, xp=jax_namespace()))
        return np.asarray(jax.vmap(one)(draws))
