"""Distributions on whole numbers. They describe data: an unknown that NUTS samples must be continuous."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from finetti.distributions.base import Family
from finetti.distributions.bijections import (
    BINARY,
    COUNTS,
    POSITIVE_COUNTS,
    Support,
    counts_to,
    integers_between,
)
from finetti.distributions.domains import (
    BOUND,
    CLOSED_PROBABILITY,
    COUNT,
    LOG_SIMPLEX,
    NOT_NEGATIVE,
    POSITIVE_NUMBER,
    SIMPLEX_PART,
    VECTOR,
    WHOLE,
    Condition,
    Parameter,
    interval,
    not_above,
    unnamed,
)
from finetti.distributions.special import log_rising
from finetti.model import build
from finetti.model.graph import Apply, Node, apply

_POSITIVE_PROBABILITY = interval("above 0 and at most 1", 0, 1, ends="(]", link="pm.math.sigmoid")
_LARGEST = 2.0**62  # NumPy draws counts of 64 bits


def _made_by(node: Node, op: str) -> Apply | None:
    """The node, under any names it was given, if it is the result of operation `op`."""
    node = unnamed(node)
    return node if isinstance(node, Apply) and node.op.name == op else None


def _log_odds(p: Node) -> dict[str, Node]:
    """The log odds of p; where p is written as a sigmoid, what it is the sigmoid of, which loses no digits."""
    sigmoid = _made_by(p, "sigmoid")
    return {"logit_p": apply("logit", p) if sigmoid is None else sigmoid.arguments[0]}


class Bernoulli(Family):
    """Bernoulli distribution of 0 or 1 with probability `p` of 1 (or its log odds `logit_p`).

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     ability = pm.Normal("ability", 0, 1)
        ...     correct = pm.Bernoulli("correct", logit_p=ability, observed=[0, 1, 1])
    """

    signature = ("p", "logit_p")
    parameters = (Parameter("logit_p", BOUND),)
    others = (Parameter("p", CLOSED_PROBABILITY),)
    alternatives = {("p",): _log_odds}
    support = BINARY
    discrete = True
    examples = ({"p": 0.3}, {"logit_p": 1.2})

    @staticmethod
    def log_density(xp, x, logit_p):
        return -xp.softplus((1.0 - 2.0 * x) * logit_p)

    @staticmethod
    def draw(rng, shape, logit_p):
        return (rng.logistic(size=shape) < logit_p).astype(np.int64)

    @staticmethod
    def mean(xp, logit_p):
        return xp.sigmoid(logit_p)


class Binomial(Family):
    """Binomial distribution of successes among `n` trials, each with probability `p` (or its log odds `logit_p`).

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     p = pm.Beta("p", 2, 2)
        ...     cured = pm.Binomial("cured", n=20, p=p, observed=[14, 11])
    """

    signature = ("n", "p", "logit_p")
    parameters = (Parameter("n", COUNT), Parameter("logit_p", BOUND))
    others = (Parameter("p", CLOSED_PROBABILITY),)
    alternatives = {("p",): _log_odds}
    support = counts_to("n")
    discrete = True
    carrier = ("n",)
    examples = ({"n": 12, "p": 0.3}, {"n": 7, "logit_p": 1.2})

    @staticmethod
    def log_kernel(xp, x, n, logit_p):
        successes = xp.where(x > 0, x * xp.softplus(-logit_p), 0.0)  # a probability of 0 is no harm to no success
        failures = xp.where(x < n, (n - x) * xp.softplus(logit_p), 0.0)
        return -successes - failures

    @staticmethod
    def log_carrier(xp, x, n):
        return _log_choose(xp, n, x)

    @staticmethod
    def log_density(xp, x, n, logit_p):
        return Binomial.log_kernel(xp, x, n, logit_p) + Binomial.log_carrier(xp, x, n)

    @staticmethod
    def draw(rng, shape, n, logit_p):
        return rng.binomial(np.asarray(n).astype(np.int64), 1.0 / (1.0 + np.exp(-logit_p)), shape)

    @staticmethod
    def mean(xp, n, logit_p):
        return n * xp.sigmoid(logit_p)


def _log_choose(xp, n, x):
    """Log of the number of ways to choose x among n; -inf where x lies outside 0 to n."""
    inside = (x >= 0) & (x <= n)
    chosen = xp.where(inside, x, 0.0)
    return xp.where(inside, -xp.betaln(n - chosen + 1.0, chosen + 1.0) - xp.log(n + 1.0), -np.inf)


class BetaBinomial(Family):
    """Successes among `n` trials whose probability is drawn from Beta(`alpha`, `beta`).

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     spread = pm.HalfNormal("spread", 10)
        ...     cured = pm.BetaBinomial("cured", alpha=spread, beta=spread, n=20, observed=[14, 11])
    """

    parameters = (Parameter("alpha", POSITIVE_NUMBER), Parameter("beta", POSITIVE_NUMBER), Parameter("n", COUNT))
    support = counts_to("n")
    discrete = True
    carrier = ("n",)
    examples = ({"alpha": 2.5, "beta": 1.4, "n": 12}, {"alpha": 0.7, "beta": 0.6, "n": 5})

    @staticmethod
    def log_kernel(xp, x, alpha, beta, n):
        x = xp.clip(x, 0, n)
        return log_rising(xp, alpha, x) + log_rising(xp, beta, n - x) - log_rising(xp, alpha + beta, n)

    @staticmethod
    def log_carrier(xp, x, n):
        return _log_choose(xp, n, x)

    @staticmethod
    def log_density(xp, x, alpha, beta, n):
        return BetaBinomial.log_kernel(xp, x, alpha, beta, n) + BetaBinomial.log_carrier(xp, x, n)

    @staticmethod
    def draw(rng, shape, alpha, beta, n):
        return rng.binomial(np.asarray(n).astype(np.int64), rng.beta(alpha, beta, shape), shape)

    @staticmethod
    def mean(xp, alpha, beta, n):
        return n * alpha / (alpha + beta)


class Poisson(Family):
    """Poisson distribution of counts with mean `mu`.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     rate = pm.Gamma("rate", alpha=2, beta=0.5)
        ...     count = pm.Poisson("count", mu=rate, observed=[3, 5, 2])
    """

    parameters = (Parameter("mu", NOT_NEGATIVE),)
    support = COUNTS
    discrete = True
    carrier = ()
    examples = ({"mu": 3.5}, {"mu": 40.0})

    @staticmethod
    def log_kernel(xp, x, mu):
        return x * xp.log(xp.where(x > 0, mu, 1.0)) - mu  # a mean of 0 is no harm to a count of 0

    @staticmethod
    def log_carrier(xp, x):
        return -xp.gammaln(x + 1.0)

    @staticmethod
    def log_density(xp, x, mu):
        return Poisson.log_kernel(xp, x, mu) + Poisson.log_carrier(xp, x)

    @staticmethod
    def draw(rng, shape, mu):
        return rng.poisson(np.minimum(mu, _LARGEST), shape)

    @staticmethod
    def mean(xp, mu):
        return mu


class NegativeBinomial(Family):
    """Counts with mean `mu` and variance mu + mu**2 / `alpha`; or failures before success `n` of probability `p`.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     alpha = pm.Exponential("alpha", 0.1)
        ...     count = pm.NegativeBinomial("count", mu=4, alpha=alpha, observed=[3, 0, 12])
    """

    signature = ("mu", "alpha", "p", "n")
    parameters = (Parameter("mu", NOT_NEGATIVE), Parameter("alpha", POSITIVE_NUMBER))
    others = (Parameter("p", _POSITIVE_PROBABILITY), Parameter("n", POSITIVE_NUMBER))
    alternatives = {
        ("n",): lambda n: {"alpha": n},
        ("p", "alpha"): lambda p, alpha: {"mu": alpha * (1.0 - p) / p, "alpha": alpha},
    }
    support = COUNTS
    discrete = True
    carrier = ()
    examples = ({"mu": 3.5, "alpha": 1.7}, {"n": 2.5, "p": 0.3}, {"mu": 30.0, "alpha": 250.0})

    @staticmethod
    def log_kernel(xp, x, mu, alpha):
        share = xp.where(x > 0, mu / (mu + alpha), 1.0)
        return log_rising(xp, alpha, x) + x * xp.log(share) - alpha * xp.log1p(mu / alpha)

    @staticmethod
    def log_carrier(xp, x):
        return -xp.gammaln(x + 1.0)

    @staticmethod
    def log_density(xp, x, mu, alpha):
        return NegativeBinomial.log_kernel(xp, x, mu, alpha) + NegativeBinomial.log_carrier(xp, x)

    @staticmethod
    def draw(rng, shape, mu, alpha):
        return rng.poisson(np.minimum(rng.standard_gamma(alpha, shape) * (mu / alpha), _LARGEST), shape)

    @staticmethod
    def mean(xp, mu, alpha):
        return mu + 0.0 * alpha


class Geometric(Family):
    """Number of trials up to and including the first success, each with probability `p`.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     p = pm.Beta("p", 2, 2)
        ...     tries = pm.Geometric("tries", p=p, observed=[1, 3, 2])
    """

    parameters = (Parameter("p", _POSITIVE_PROBABILITY),)
    support = POSITIVE_COUNTS
    discrete = True
    examples = ({"p": 0.3}, {"p": 0.9})

    @staticmethod
    def log_density(xp, x, p):
        return xp.log(p) + (x - 1.0) * xp.log1p(-xp.where(x > 1, p, 0.0))

    @staticmethod
    def draw(rng, shape, p):
        return rng.geometric(p, shape)

    @staticmethod
    def mean(xp, p):
        return 1.0 / p


def _log_parts(p: Node) -> dict[str, Node]:
    """log(p); where p is written as a softmax of its last axis, from what it is the softmax of."""
    softmax = _made_by(p, "softmax")
    if softmax is not None and softmax.static["axis"] == -1:
        return _normalised(softmax.arguments[0])
    return {"log_p": apply("log_probability", p)}


def _normalised(logit_p: Node) -> dict[str, Node]:
    return {"log_p": logit_p - build.logsumexp(logit_p, axis=-1, keepdims=True)}


@lru_cache
def _categories(n: int) -> Support:
    return Support(f"a whole number from 0 to {n - 1}", lambda x: (x >= 0) & (x < n) & (x % 1 == 0))


class Categorical(Family):
    """One of the categories 0, 1, ..., K-1, with probabilities `p` on the last axis (or their logarithms `logit_p`).

    `logit_p` need not be normalised.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     p = pm.Dirichlet("p", [1, 1, 1])
        ...     choice = pm.Categorical("choice", p=p, observed=[0, 2, 2])
    """

    signature = ("p", "logit_p")
    parameters = (Parameter("log_p", LOG_SIMPLEX, event_ndim=1),)
    others = (Parameter("p", SIMPLEX_PART, event_ndim=1), Parameter("logit_p", VECTOR, event_ndim=1))
    alternatives = {("p",): _log_parts, ("logit_p",): _normalised}
    support = COUNTS
    discrete = True
    examples = ({"p": np.array([0.2, 0.5, 0.3])}, {"logit_p": np.array([1.0, -0.5, 0.0, 2.0])})

    @classmethod
    def support_of(cls, parameters):
        """As many categories as there are probabilities."""
        return _categories(parameters[0].shape[-1])

    @staticmethod
    def log_density(xp, x, log_p):
        n = log_p.shape[-1]
        picked = xp.sum(xp.where(x[..., None] == np.arange(n), log_p, 0.0), axis=-1)
        return xp.where((x >= 0) & (x < n), picked, -np.inf)

    @staticmethod
    def draw(rng, shape, log_p):
        return np.argmax(log_p + rng.gumbel(size=(*shape, log_p.shape[-1])), axis=-1)

    @staticmethod
    def mean(xp, log_p):
        return xp.sum(np.arange(log_p.shape[-1]) * xp.exp(log_p), axis=-1)


class DiscreteUniform(Family):
    """Whole numbers from `lower` to `upper`, both included, all equally likely.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     die = pm.DiscreteUniform("die", lower=1, upper=6, observed=[3, 6, 1])
    """

    parameters = (Parameter("lower", WHOLE), Parameter("upper", WHOLE))
    conditions = (Condition(("lower", "upper"), "lower <= upper", lambda lower, upper: lower <= upper, not_above),)
    support = integers_between("lower", "upper")
    discrete = True
    examples = ({"lower": -2, "upper": 5},)

    @staticmethod
    def log_density(xp, x, lower, upper):
        return xp.where((x >= lower) & (x <= upper), -xp.log(upper - lower + 1.0), -np.inf)

    @staticmethod
    def draw(rng, shape, lower, upper):
        low, high = (np.asarray(bound).astype(np.int64) for bound in (lower, upper))
        return rng.integers(low, high, shape, endpoint=True)

    @staticmethod
    def mean(xp, lower, upper):
        return 0.5 * (lower + upper)
