"""finetti: Bayesian hierarchical models, written as in a textbook.

The public names, each loaded when it is first used, so that `import finetti` costs next to nothing.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "finetti.model.context": ("Model", "set_data"),
    "finetti.model.build": ("wrap",),
    "finetti.distributions.real": (
        "Normal", "StudentT", "Cauchy", "Laplace", "Logistic", "Gumbel", "SkewNormal", "Flat",
    ),
    "finetti.distributions.positive": (
        "HalfNormal", "HalfCauchy", "HalfStudentT", "HalfFlat", "Exponential", "Gamma", "InverseGamma", "LogNormal",
        "Weibull", "Pareto", "ChiSquared",
    ),
    "finetti.distributions.interval": ("Uniform", "Beta", "Triangular", "VonMises", "TruncatedNormal"),
    "finetti.distributions.discrete": (
        "Bernoulli", "Binomial", "BetaBinomial", "Poisson", "NegativeBinomial", "Geometric", "Categorical",
        "DiscreteUniform",
    ),
    "finetti.distributions.multivariate": ("MvNormal", "Dirichlet", "LKJCholeskyCov"),
    "finetti.geometry.plan": ("plan",),
    "finetti.sampling": ("sample",),
    "finetti.trace": ("Trace", "load"),
    "finetti.diagnostics.summary": ("summary",),
    "finetti.plots": ("plot_forest", "forestplot", "plot_pair", "plot_trace"),
    "finetti.errors": ("FinettiError", "ModelError", "ShapeError", "DataError", "UnknownNameError", "SamplingError"),
}  # fmt: skip

_ATTRIBUTES = {name: (module, name) for module, names in _WHERE.items() for name in names}
_ATTRIBUTES |= {
    "Data": ("finetti.model.context", "named_data"),
    "Deterministic": ("finetti.model.context", "deterministic"),
    "Potential": ("finetti.model.context", "potential"),
}

__all__ = ["__version__", "math", *_ATTRIBUTES]


def __getattr__(name: str) -> Any:
    if name == "math":
        return import_module("finetti.math")
    if name not in _ATTRIBUTES:
        raise AttributeError(f"module 'finetti' has no attribute {name!r}")
    module, attribute = _ATTRIBUTES[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
