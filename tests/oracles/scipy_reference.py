"""SciPy's distribution for each family and each of its examples: written in SciPy's own terms, worked out by hand."""

from __future__ import annotations

import numpy as np
from scipy import special, stats

IMPROPER = {"Flat", "HalfFlat"}


class LkjCholesky:
    """Density of the Cholesky factor of an LKJ correlation matrix, by way of the density of the matrix itself.

    The normalising constant is equation (16) of Lewandowski, Kurowicka and Joe (2009); the Jacobian of the matrix in
    its factor is differentiated numerically.
    """

    def __init__(self, eta: float, n: int):
        self.eta, self.n = eta, n
        self.below = np.tril_indices(n, -1)

    def logpdf(self, factor):
        return np.array([self._one(f) for f in factor])

    def _one(self, factor):
        matrix = factor @ factor.T
        return (self.eta - 1) * np.linalg.slogdet(matrix)[1] + self._log_jacobian(factor) - self._log_constant()

    def _log_jacobian(self, factor):
        free, step = factor[self.below], 1e-20j  # complex step: exact to rounding
        columns = [self._correlations(free + step * unit).imag / 1e-20 for unit in np.eye(len(free))]
        return np.linalg.slogdet(np.stack(columns, -1))[1]

    def _correlations(self, free):
        factor = np.zeros((self.n, self.n), complex)
        factor[self.below] = free
        factor[np.diag_indices(self.n)] = np.sqrt(1 - (factor**2).sum(-1))
        return (factor @ factor.T)[self.below]

    def _log_constant(self):
        k = np.arange(1, self.n)
        powers = ((2 * self.eta - 2 + self.n - k) * (self.n - k)).sum() * np.log(2)
        shape = self.eta + (self.n - k - 1) / 2
        return powers + ((self.n - k) * special.betaln(shape, shape)).sum()


class Categorical:
    """Probabilities of 0, 1, ..., K-1, as one of SciPy's distributions on whole numbers."""

    def __new__(cls, p):
        return stats.rv_discrete(values=(np.arange(len(p)), np.asarray(p) / np.sum(p)))


def _softmax(x):
    return np.exp(x) / np.exp(x).sum()


_CHOL = np.array([[1.0, 0, 0], [0.5, 2.0, 0], [-0.3, 0.2, 0.4]])
_SYMMETRIC = np.array([[2.0, 0.6], [0.6, 1.0]])

REFERENCES = {
    "Normal": [stats.norm(-1.5, 2.5), stats.norm(3.0, 0.5)],
    "StudentT": [stats.t(4.5, -1.5, 2.5), stats.t(30.0, 1.0, 0.5)],
    "Cauchy": [stats.cauchy(-1.0, 2.5)],
    "Laplace": [stats.laplace(-1.0, 2.5)],
    "Logistic": [stats.logistic(-1.0, 2.5)],
    "Gumbel": [stats.gumbel_r(-1.0, 2.5)],
    "SkewNormal": [stats.skewnorm(-3.0, 1.0, 2.5), stats.skewnorm(1.0, 0.0, 0.5)],
    "HalfNormal": [stats.halfnorm(scale=2.5), stats.halfnorm(scale=0.5)],
    "HalfCauchy": [stats.halfcauchy(scale=2.5)],
    "HalfStudentT": [(stats.t(4.5, scale=2.5)), (stats.t(3.0, scale=0.5)), (stats.t(0.8))],
    "Exponential": [stats.expon(scale=0.4), stats.expon(scale=4.0)],
    "Gamma": [stats.gamma(2.5, scale=2.5), stats.gamma(0.6), stats.gamma(4.0, scale=0.75)],
    "InverseGamma": [stats.invgamma(3.5, scale=2.0), stats.invgamma(0.8, scale=2.0), stats.invgamma(6.0, scale=15.0)],
    "LogNormal": [stats.lognorm(0.8, scale=np.exp(-0.5)), stats.lognorm(0.5, scale=np.e)],
    "Weibull": [stats.weibull_min(1.7, scale=2.5), stats.weibull_min(0.8, scale=0.3)],
    "Pareto": [stats.pareto(4.5, scale=2.0), stats.pareto(0.9, scale=0.5)],
    "ChiSquared": [stats.chi2(4.5)],
    "Uniform": [stats.uniform(-1.5, 4.0), stats.uniform(0, 1)],
    "Beta": [stats.beta(2.5, 1.4), stats.beta(0.7, 0.6), stats.beta(1.275, 2.975), stats.beta(2.4, 5.6)],
    "Triangular": [stats.triang(0.375, -1, 4), stats.triang(1.0, 0, 2)],
    "VonMises": [stats.vonmises(2.5, 0.7), stats.vonmises(40.0, 0.0)],
    "TruncatedNormal": [
        stats.truncnorm(-0.75, 0.25, 1.0, 2.0), stats.truncnorm(0.5, np.inf, -1.0, 2.0),
        stats.truncnorm(-np.inf, 3.0, 0.5, 0.5), stats.truncnorm(9.0, 11.0, -9.0, 1.0), stats.norm(0.5, 1.5),
    ],
    "Bernoulli": [stats.bernoulli(0.3), stats.bernoulli(1 / (1 + np.exp(-1.2)))],
    "Binomial": [stats.binom(12, 0.3), stats.binom(7, 1 / (1 + np.exp(-1.2)))],
    "BetaBinomial": [stats.betabinom(12, 2.5, 1.4), stats.betabinom(5, 0.7, 0.6)],
    "Poisson": [stats.poisson(3.5), stats.poisson(40.0)],
    "NegativeBinomial": [stats.nbinom(1.7, 1.7 / 5.2), stats.nbinom(2.5, 0.3), stats.nbinom(250.0, 250 / 280)],
    "Geometric": [stats.geom(0.3), stats.geom(0.9)],
    "Categorical": [Categorical([0.2, 0.5, 0.3]), Categorical(_softmax(np.array([1.0, -0.5, 0.0, 2.0])))],
    "DiscreteUniform": [stats.randint(-2, 6)],
    "MvNormal": [
        stats.multivariate_normal([1.0, -0.5], _SYMMETRIC), stats.multivariate_normal([0.0, 0.5, 1.0], _CHOL @ _CHOL.T),
        stats.multivariate_normal([1.0, -0.5], np.linalg.inv(_SYMMETRIC)),
    ],
    "Dirichlet": [stats.dirichlet([2.5, 1.0, 0.7]), stats.dirichlet([3.0, 5.0])],
    "LKJCholeskyCorr": [LkjCholesky(2.0, 3), LkjCholesky(0.8, 2)],
}  # fmt: skip


class Folded:
    """A symmetric distribution around 0, folded onto the positive numbers."""

    def __init__(self, whole):
        self.whole = whole

    def logpdf(self, x):
        return np.log(2.0) + self.whole.logpdf(x)

    def cdf(self, x):
        return 2 * self.whole.cdf(x) - 1

    def rvs(self, *args, **kwargs):
        return np.abs(self.whole.rvs(*args, **kwargs))

    def mean(self):
        if self.whole.kwds.get("df", self.whole.args[0]) <= 1:
            return np.inf
        return 2 * self.whole.expect(lambda x: x, lb=0)

    def std(self):
        return np.sqrt(self.whole.var() - self.mean() ** 2) if self.whole.var() < np.inf else np.inf


REFERENCES["HalfStudentT"] = [Folded(whole) for whole in REFERENCES["HalfStudentT"]]
