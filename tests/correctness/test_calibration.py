"""What a user gets is calibrated, for each of the ways `sample` goes; `make validate` has ten times the replicates.

False alarm: 1e-4 for all tests of this file together, were the seeds drawn anew. NUTS runs half as many chains here,
and shorter ones, than by default.
"""

from __future__ import annotations

import numpy as np
import pytest
from calibration import CASES, KEPT, failures, places

QUICK = {"chains": 2, "draws": 300, "tune": 300}
REPLICATES = {"grid": 100, "proposals": 80, "exact": 200, "pairs": 80, "nuts": 32, "as written": 32}


@pytest.mark.parametrize("name", CASES)
def test_the_truth_is_one_more_draw(name):
    options = QUICK if CASES[name].sampler == "nuts" else {}
    assert not failures(places(CASES[name], REPLICATES[name], seed=2024, **options))


@pytest.mark.parametrize("name", ["nuts", "as written"])
def test_other_data_of_the_same_shapes_compile_nothing(name):
    """Every data set after the first finds its program where the first has left it."""
    import jax

    from finetti.engines.backend import cache_folder

    seen: list[str] = []
    jax.monitoring.register_event_listener(lambda event, **_: seen.append(event))
    places(CASES[name], 1, seed=1, **QUICK)
    seen.clear()
    places(CASES[name], 3, seed=2, **QUICK)
    assert seen.count("/jax/compilation_cache/cache_misses") == 0
    assert seen.count("/jax/compilation_cache/cache_hits") == (3 if cache_folder() else 0)


WRONG = {  # mean and standard deviation of the draws, from y
    "narrow": lambda y: (y.sum() / 6, 0.55 * 6**-0.5),
    "wide": lambda y: (y.sum() / 6, 1.8 * 6**-0.5),
    "variance for sd": lambda y: (y.sum() / 6, 1 / 6),
    "moved": lambda y: (y.sum() / 6 + 0.7 * 6**-0.5, 6**-0.5),
    "prior": lambda y: (0.0, 1.0),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_draws_fail(name):
    """mu ~ N(0, 1), y ~ N(mu, 1) five times: draws too narrow, too wide, beside the place, or blind to the data.

    The last are right for mu: only the log likelihood tells.
    """
    rng, found = np.random.default_rng(1), {"mu": [], "log likelihood": []}
    for _ in range(80):
        mu = rng.normal()
        y = mu + rng.normal(size=5)
        center, spread = WRONG[name](y)
        draws = center + spread * rng.normal(size=KEPT)
        pairs = {"mu": (draws, mu), "log likelihood": (_likelihood(draws, y), _likelihood(np.array([mu]), y))}
        for quantity, (drawn, true) in pairs.items():
            found[quantity].append(((drawn < true).sum() + rng.random()) / (KEPT + 1))
    failing = failures({quantity: np.array(values) for quantity, values in found.items()})
    assert failing
    assert name != "prior" or set(failing) == {"log likelihood"}


def _likelihood(mu: np.ndarray, y: np.ndarray) -> np.ndarray:
    return -0.5 * ((y - mu[:, None]) ** 2).sum(axis=1)
