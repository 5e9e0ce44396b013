"""A trace goes straight into arviz_plots."""

import sys

import matplotlib
import pytest


# arviz_plots 0.8, the last for Python 3.11, cannot be imported beside matplotlib 3.11: docs/decisions/0003.
@pytest.mark.skipif(
    sys.version_info < (3, 12) and matplotlib.__version_info__ >= (3, 11), reason="arviz_plots 0.8 is broken"
)
def test_arviz_plots_accepts_a_trace(trace):
    import arviz_plots

    for plot in (arviz_plots.plot_forest, arviz_plots.plot_trace):
        drawn = plot(trace, var_names=["theta"], backend="matplotlib")
        assert drawn.viz is not None
