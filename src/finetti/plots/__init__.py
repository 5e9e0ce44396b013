"""Pictures of a trace, as matplotlib axes the caller goes on with."""

from finetti.plots.forest import plot_forest
from finetti.plots.pair import plot_pair
from finetti.plots.trace import plot_trace

forestplot = plot_forest  # the name PyMC3 had

__all__ = ["forestplot", "plot_forest", "plot_pair", "plot_trace"]
