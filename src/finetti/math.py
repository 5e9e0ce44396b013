"""Functions of variables under the names of NumPy, SciPy and PyMC's `math`.

NumPy's own functions work on variables too (`np.exp(x)`); these are for those who like one place, and for the
functions NumPy does not have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from finetti.model.graph import Apply, apply

# isort: off
from finetti.model.build import (
    all as all, any as any, broadcast_to as broadcast_to, clip as clip, concatenate as concatenate,
    cumprod as cumprod, cumsum as cumsum, diagonal as diagonal, dot as dot, expand_dims as expand_dims,
    logsumexp as logsumexp, matmul as matmul, max as max, mean as mean, min as min, outer as outer, prod as prod,
    reshape as reshape, softmax as softmax, squeeze as squeeze, stack as stack, std as std, sum as sum,
    transpose as transpose, var as var, where as where,
)
# isort: on


def _elementwise(name: str, words: str) -> Callable[..., Apply]:
    def function(*arguments: Any) -> Apply:
        return apply(name, *arguments)

    function.__name__ = name
    function.__doc__ = f"{words}, element by element."
    return function


abs = _elementwise("abs", "Absolute value")
arccos = _elementwise("arccos", "Inverse cosine")
arcsin = _elementwise("arcsin", "Inverse sine")
arctan = _elementwise("arctan", "Inverse tangent")
arctan2 = _elementwise("arctan2", "Angle of the point (second, first)")
arctanh = _elementwise("arctanh", "Inverse hyperbolic tangent")
betaln = _elementwise("betaln", "Logarithm of the beta function of two arguments")
ceil = _elementwise("ceil", "Smallest whole number not below")
cos = _elementwise("cos", "Cosine")
cosh = _elementwise("cosh", "Hyperbolic cosine")
digamma = _elementwise("digamma", "Derivative of the logarithm of the gamma function")
eq = _elementwise("equal", "Whether two arguments are equal")
erf = _elementwise("erf", "Error function")
erfc = _elementwise("erfc", "1 - erf(x)")
erfinv = _elementwise("erfinv", "Inverse of the error function")
exp = _elementwise("exp", "Exponential")
expm1 = _elementwise("expm1", "exp(x) - 1, exact near 0")
floor = _elementwise("floor", "Largest whole number not above")
gammaln = _elementwise("gammaln", "Logarithm of the gamma function")
ge = _elementwise("greater_equal", "Whether the first argument is at least the second")
gt = _elementwise("greater", "Whether the first argument is above the second")
invlogit = sigmoid = expit = _elementwise("sigmoid", "1 / (1 + exp(-x))")
le = _elementwise("less_equal", "Whether the first argument is at most the second")
log = _elementwise("log", "Natural logarithm")
log10 = _elementwise("log10", "Logarithm to base 10")
log1mexp = _elementwise("log1mexp", "log(1 - exp(x)) for x < 0")
log1p = _elementwise("log1p", "log(1 + x), exact near 0")
log1pexp = softplus = _elementwise("softplus", "log(1 + exp(x))")
log2 = _elementwise("log2", "Logarithm to base 2")
logaddexp = _elementwise("logaddexp", "log(exp(x) + exp(y))")
logit = _elementwise("logit", "log(x / (1 - x))")
lt = _elementwise("less", "Whether the first argument is below the second")
maximum = _elementwise("maximum", "The larger of two arguments")
minimum = _elementwise("minimum", "The smaller of two arguments")
neq = _elementwise("not_equal", "Whether two arguments differ")
normal_cdf = invprobit = _elementwise("ndtr", "Standard normal distribution function")
normal_logcdf = _elementwise("log_ndtr", "Logarithm of the standard normal distribution function")
probit = _elementwise("ndtri", "Standard normal quantile")
sign = sgn = _elementwise("sign", "Sign")
sin = _elementwise("sin", "Sine")
sinh = _elementwise("sinh", "Hyperbolic sine")
sqr = square = _elementwise("square", "Square")
sqrt = _elementwise("sqrt", "Square root")
tan = _elementwise("tan", "Tangent")
tanh = _elementwise("tanh", "Hyperbolic tangent")
xlogy = _elementwise("xlogy", "x log(y), and 0 where x is 0")
switch = where
matrix_dot = dot


if not TYPE_CHECKING:  # type checkers would take every name for one that is there

    def __getattr__(name: str) -> Any:
        """Only for names that are not there."""
        from finetti.hints import IN_MATH, missing

        raise AttributeError(missing("finetti.math", name, IN_MATH))
