"""A trace with a funnel, small enough to draw in milliseconds; every figure is closed afterwards."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

from finetti.trace import build_trace

CHAINS, DRAWS, SCHOOLS = 4, 50, ["Choate", "Deerfield", "Exeter"]


@pytest.fixture
def trace():
    rng = np.random.default_rng(20)
    tau = rng.lognormal(size=(CHAINS, DRAWS))
    diverging = np.zeros((CHAINS, DRAWS), bool)
    diverging[0, 3] = diverging[2, 7] = True
    return build_trace(
        groups={
            "posterior": {
                "mu": rng.normal(size=(CHAINS, DRAWS)),
                "theta": rng.normal(size=(CHAINS, DRAWS, 3)) * tau[..., None] + [0, 10, 20],
                "tau": tau,
                "cell": rng.normal(size=(CHAINS, DRAWS, 2, 3)),
                "count": rng.poisson(3, size=(CHAINS, DRAWS)),
            },
            "unconstrained_posterior": {"tau_log__": np.log(tau)},
            "sample_stats": {"diverging": diverging},
        },
        dims={"theta": ("school",), "cell": ("year", "school")},
        coords={"school": SCHOOLS, "year": [2001, 2002]},
    )


@pytest.fixture(autouse=True)
def closed_figures():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")
