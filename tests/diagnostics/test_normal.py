"""Normal quantiles against SciPy's."""

import numpy as np
from scipy.special import ndtri

from finetti.diagnostics.normal import lower_quantiles


def test_quantiles_are_scipys():
    prob = np.concatenate([np.geomspace(1.4e-11, 0.49, 10_000), np.linspace(0.01, 0.49, 10_000), [0.075]])
    np.testing.assert_allclose(lower_quantiles(prob), ndtri(prob), rtol=1e-14)
    assert lower_quantiles(np.array([0.5])).tolist() == [0]
