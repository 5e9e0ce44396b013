"""finetti: Bayesian hierarchical models, written as in a textbook.

The public names, each loaded when it is first used, so that `import finetti` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "finetti.model.context": ("Model",),
    "finetti.model.statements": ("set_data",),
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
    "finetti.distributions.custom": ("CustomDist",),
    "finetti.distributions.made": ("Mixture", "NormalMixture", "Truncated", "Censored"),
    "finetti.rebuilding": ("rebuild",),
    "finetti.planning": ("plan",),
    "finetti.sampling": ("sample",),
    "finetti.many": ("sample_many",),
    "finetti.trace": ("Trace", "load"),
    "finetti.diagnostics.summary": ("summary",),
    "finetti.plots": ("plot_forest", "forestplot", "plot_pair", "plot_trace"),
    "finetti.errors": (
        "FinettiError", "ModelError", "ShapeError", "DataError", "UnknownNameError", "ArgumentError", "SamplingError",
    ),
}  # fmt: skip

_ATTRIBUTES = {name: (module, name) for module, names in _WHERE.items() for name in names}
_ATTRIBUTES |= {
    "Data": ("finetti.model.statements", "named_data"),
    "Deterministic": ("finetti.model.statements", "deterministic"),
    "Potential": ("finetti.model.statements", "potential"),
}

# Type checkers take a name that was imported as another for a public one only where it is spelt out here.
__all__ = ["__version__", "math", "Data", "Deterministic", "Potential"]
__all__ += [name for names in _WHERE.values() for name in names]

if TYPE_CHECKING:  # the table again, for tools that read without running; a test compares the two
    # isort: off
    from finetti import math as math
    from finetti.model.context import Model as Model
    from finetti.model.statements import (
        set_data as set_data, named_data as Data, deterministic as Deterministic, potential as Potential,
    )
    from finetti.model.build import wrap as wrap
    from finetti.distributions.real import (
        Normal as Normal, StudentT as StudentT, Cauchy as Cauchy, Laplace as Laplace, Logistic as Logistic,
        Gumbel as Gumbel, SkewNormal as SkewNormal, Flat as Flat,
    )
    from finetti.distributions.positive import (
        HalfNormal as HalfNormal, HalfCauchy as HalfCauchy, HalfStudentT as HalfStudentT, HalfFlat as HalfFlat,
        Exponential as Exponential, Gamma as Gamma, InverseGamma as InverseGamma, LogNormal as LogNormal,
        Weibull as Weibull, Pareto as Pareto, ChiSquared as ChiSquared,
    )
    from finetti.distributions.interval import (
        Uniform as Uniform, Beta as Beta, Triangular as Triangular, VonMises as VonMises,
        TruncatedNormal as TruncatedNormal,
    )
    from finetti.distributions.discrete import (
        Bernoulli as Bernoulli, Binomial as Binomial, BetaBinomial as BetaBinomial, Poisson as Poisson,
        NegativeBinomial as NegativeBinomial, Geometric as Geometric, Categorical as Categorical,
        DiscreteUniform as DiscreteUniform,
    )
    from finetti.distributions.multivariate import (
        MvNormal as MvNormal, Dirichlet as Dirichlet, LKJCholeskyCov as LKJCholeskyCov,
    )
    from finetti.distributions.custom import CustomDist as CustomDist
    from finetti.distributions.made import (
        Mixture as Mixture, NormalMixture as NormalMixture, Truncated as Truncated, Censored as Censored,
    )
    from finetti.rebuilding import rebuild as rebuild
    from finetti.planning import plan as plan
    from finetti.sampling import sample as sample
    from finetti.many import sample_many as sample_many
    from finetti.trace import Trace as Trace, load as load
    from finetti.diagnostics.summary import summary as summary
    from finetti.plots import (
        plot_forest as plot_forest, forestplot as forestplot, plot_pair as plot_pair, plot_trace as plot_trace,
    )
    from finetti.errors import (
        FinettiError as FinettiError, ModelError as ModelError, ShapeError as ShapeError, DataError as DataError,
        UnknownNameError as UnknownNameError, ArgumentError as ArgumentError, SamplingError as SamplingError,
    )
    # isort: on
else:  # unseen by those tools, which would let it stand for any name, misspelt ones too

    def __getattr__(name: str) -> Any:
        if name == "math":
            return import_module("finetti.math")
        if name not in _ATTRIBUTES:
            from finetti.hints import NAMES, missing

            raise AttributeError(missing("module 'finetti'", name, NAMES))
        from finetti.interrupts import held

        module, attribute = _ATTRIBUTES[name]
        with held():  # what is half imported can't be mended
            value = getattr(import_module(module), attribute)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
