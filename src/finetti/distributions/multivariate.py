"""Distributions of vectors, probabilities and correlation matrices."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np

from finetti.calls import hinted
from finetti.distributions.base import Family, named
from finetti.distributions.bijections import CORRELATION_CHOLESKY, REAL, REAL_VECTOR, SIMPLEX
from finetti.distributions.domains import (
    CHOLESKY,
    COVARIANCE,
    POSITIVE_NUMBER,
    POSITIVE_VECTOR,
    VECTOR,
    Parameter,
    interval,
)
from finetti.errors import ModelError, ShapeError
from finetti.hints import OF_DISTRIBUTIONS
from finetti.model import build
from finetti.model.graph import Constant, Deterministic, Node, Random, Shape, apply, as_node, label
from finetti.model.statements import deterministic


class MvNormal(Family):
    """Multivariate normal with mean `mu` and covariance `cov`, or precision `tau`, or lower Cholesky factor `chol`.

    The last axis is that of the vector; axes before it are independent vectors.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     effects = pm.MvNormal("effects", mu=[0, 0], cov=[[1, 0.3], [0.3, 2]])
    """

    signature = ("mu", "cov", "tau", "chol")
    parameters = (Parameter("mu", VECTOR, 0.0, event_ndim=1), Parameter("chol", CHOLESKY, event_ndim=2))
    others = (Parameter("cov", COVARIANCE, event_ndim=2), Parameter("tau", COVARIANCE, event_ndim=2))
    alternatives = {
        ("cov",): lambda cov: {"chol": apply("cholesky", cov)},
        ("tau",): lambda tau: {"chol": apply("cholesky", apply("inverse", tau))},
    }
    support = REAL_VECTOR
    event_ndim = 1
    examples = (
        {"mu": np.array([1.0, -0.5]), "cov": np.array([[2.0, 0.6], [0.6, 1.0]])},
        {"mu": np.array([0.0, 0.5, 1.0]), "chol": np.array([[1.0, 0, 0], [0.5, 2.0, 0], [-0.3, 0.2, 0.4]])},
        {"mu": np.array([1.0, -0.5]), "tau": np.array([[2.0, 0.6], [0.6, 1.0]])},
    )

    @classmethod
    def arrange(cls, title, parameters):
        """A single number for `mu` stands for a vector of it."""
        mu, chol = parameters
        if chol.ndim < 2 or chol.shape[-1] != chol.shape[-2]:
            raise ShapeError(f"{title} needs a square matrix, but {label(chol)} has shape {chol.shape}.")
        k = chol.shape[-1]
        if mu.ndim and mu.shape[-1] not in (1, k):
            raise ShapeError(f"{title}: mu has shape {mu.shape}, but the matrix has order {k}.")
        return build.broadcast_to(mu, (*mu.shape[:-1], k)), chol

    @classmethod
    def event_shape(cls, parameters: tuple[Node, ...]) -> Shape:
        """The order of the matrix."""
        return parameters[1].shape[-1:]

    @staticmethod
    def log_density(xp, x, mu, chol):
        z = xp.solve_lower(chol, x - mu)
        log_scale = xp.sum(xp.log(xp.diagonal(chol, axis1=-2, axis2=-1)), axis=-1)
        return -0.5 * xp.sum(z**2, axis=-1) - log_scale - 0.5 * z.shape[-1] * np.log(2 * np.pi)

    @staticmethod
    def draw(rng, shape, mu, chol):
        return mu + np.einsum("...ij,...j->...i", chol, rng.standard_normal(shape))

    @staticmethod
    def mean(xp, mu, chol):
        return mu


class Dirichlet(Family):
    """Dirichlet distribution of probabilities that add to 1 on the last axis, with concentrations `a`.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     p = pm.Dirichlet("p", a=[1, 1, 1])
    """

    parameters = (Parameter("a", POSITIVE_VECTOR, event_ndim=1),)
    support = SIMPLEX
    event_ndim = 1
    examples = ({"a": np.array([2.5, 1.0, 0.7])}, {"a": np.array([3.0, 5.0])})

    @classmethod
    def event_shape(cls, parameters: tuple[Node, ...]) -> Shape:
        """As many parts as concentrations."""
        return parameters[0].shape[-1:]

    @staticmethod
    def log_density_by_logs(xp, x, logs, a):
        log_norm = xp.sum(xp.gammaln(a), axis=-1) - xp.gammaln(xp.sum(a, axis=-1))
        return xp.sum((a - 1) * logs.value, axis=-1) - log_norm

    @staticmethod
    def draw(rng, shape, a):
        from scipy.special import softmax

        # log of a gamma draw, which does not underflow for a near 0: Gamma(a) = Gamma(a + 1) U**(1 / a)
        log_gamma = np.log(rng.standard_gamma(a + 1.0, shape)) - rng.standard_exponential(shape) / a
        return softmax(log_gamma, axis=-1)

    @staticmethod
    def mean(xp, a):
        return a / xp.sum(a, axis=-1, keepdims=True)


_ORDER = interval("a whole number, 2 or more", 2, ends="[)", whole=True)


class LKJCholeskyCorr(Family):
    """Lower Cholesky factor of an `n` x `n` correlation matrix R with density proportional to det(R)**(`eta` - 1).

    Source: Lewandowski, Kurowicka and Joe (2009), Journal of Multivariate Analysis 100, 1989-2001. The density of the
    factor, over its entries below the diagonal, has the Jacobian of R in the factor, the product of L_ii**(n - i).

    Example:
        >>> import finetti as pm
        >>> from finetti.distributions.multivariate import LKJCholeskyCorr
        >>> with pm.Model():
        ...     factor = LKJCholeskyCorr("factor", eta=2, n=3)
    """

    parameters = (Parameter("eta", POSITIVE_NUMBER), Parameter("n", _ORDER))
    support = CORRELATION_CHOLESKY
    event_ndim = 2
    examples = ({"eta": 2.0, "n": 3}, {"eta": 0.8, "n": 2})

    @classmethod
    def arrange(cls, title, parameters):
        """`n` decides the shape, so it must be a number."""
        n = parameters[1]
        if not isinstance(n, Constant) or n.ndim or n.dtype.kind != "i":
            raise ModelError(f"'n' of {title} is the number of rows of the matrix and must be an int.")
        return parameters

    @classmethod
    def event_shape(cls, parameters: tuple[Node, ...]) -> Shape:
        """n rows and columns."""
        n = parameters[1]
        assert isinstance(n, Constant)  # `arrange` has seen to it
        return (int(n.value), int(n.value))

    @staticmethod
    def log_density(xp, x, eta, n):
        order = x.shape[-1]
        below = np.arange(order - 2, -1, -1.0)  # n - i for rows i = 2, ..., n
        log_diagonal = xp.log(xp.diagonal(x, axis1=-2, axis2=-1)[..., 1:])
        eta = xp.asarray(eta)[..., None]
        return xp.sum((below + 2.0 * eta - 2.0) * log_diagonal, axis=-1) - _lkj_log_norm(xp, eta, order)

    @staticmethod
    def draw(rng, shape, eta, n):
        """Row by row: its part left of the diagonal has a uniform direction and a beta-distributed squared length."""
        order, factor = shape[-1], np.zeros(shape)
        factor[..., 0, 0] = 1.0
        for i in range(1, order):
            direction = rng.standard_normal((*shape[:-2], i))
            direction /= np.sqrt(np.sum(direction**2, axis=-1, keepdims=True))
            left = rng.beta(eta + 0.5 * (order - 1 - i), 0.5 * i, shape[:-2])
            factor[..., i, :i] = direction * np.sqrt(1.0 - left)[..., None]
            factor[..., i, i] = np.sqrt(left)
        return factor

    @staticmethod
    def mean(xp, eta, n):
        """Zero below the diagonal; the mean of the root of a beta variable on it."""
        order = int(np.ravel(n)[0])
        free = 0.5 * np.arange(1.0, order)
        a = xp.asarray(eta)[..., None] + 0.5 * (order - 1.0) - free
        diagonal = xp.exp(xp.betaln(a + 0.5, free) - xp.betaln(a, free))
        ones = xp.ones_like(diagonal[..., :1])
        return xp.concatenate([ones, diagonal], axis=-1)[..., None] * np.eye(order)

    @classmethod
    def center(cls, xp, eta, n):
        """No correlation."""
        return xp.asarray(eta * 0.0)[..., None, None] + np.eye(int(np.ravel(n)[0]))


def _lkj_log_norm(xp, eta, order):
    """Integral of the product of L_ii**(n - i + 2 eta - 2): one ball of dimension i - 1 for each row i."""
    dimension = np.arange(1.0, order)
    balls = xp.gammaln(eta + 0.5 * (order - 1 - dimension)) - xp.gammaln(eta + 0.5 * (order - 1))
    return xp.sum(balls, axis=-1) + 0.25 * order * (order - 1) * np.log(np.pi)


@overload
def LKJCholeskyCov(
    name: str, eta: Any, n: int, sd_dist: Random, *, compute_corr: Literal[True] = True
) -> tuple[Deterministic, Deterministic, Random]: ...
@overload
def LKJCholeskyCov(name: str, eta: Any, n: int, sd_dist: Random, *, compute_corr: Literal[False]) -> Deterministic: ...


@hinted(OF_DISTRIBUTIONS)
def LKJCholeskyCov(name: str, eta: Any, n: int, sd_dist: Random, *, compute_corr: bool = True) -> Any:
    """Lower Cholesky factor of an `n` x `n` covariance matrix with LKJ correlations.

    Enters `{name}_stds`, `{name}_corr_chol` and the deterministics `{name}` = diag(stds) @ corr_chol and
    `{name}_corr`. PyMC's `{name}` is the factor packed into a vector; here it is the matrix.

    Args:
        name: name of the factor.
        eta: 1 for a uniform correlation matrix, above 1 for weaker correlations.
        n: number of rows.
        sd_dist: distribution of the standard deviations, without a name: `HalfNormal.dist(1)`.
        compute_corr: whether to return and keep the correlations too.

    Returns:
        Factor (n, n), correlations (n, n) and standard deviations (n,), or the factor alone.

    Raises:
        ModelError: for an `sd_dist` that has a name, or may be negative.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     chol, corr, stds = pm.LKJCholeskyCov("cov", eta=2, n=2, sd_dist=pm.HalfNormal.dist(1))
        ...     effects = pm.MvNormal("effects", mu=0, chol=chol, shape=(8, 2))
    """
    _check_sd_dist(name, sd_dist, n)
    stds = named(sd_dist, f"{name}_stds", shape=(int(n),))
    factor = LKJCholeskyCorr(f"{name}_corr_chol", eta, n)
    chol = deterministic(name, build.reshape(stds, (-1, 1)) * factor)
    if not compute_corr:
        return chol
    return chol, deterministic(f"{name}_corr", factor @ factor.T), stds


def _check_sd_dist(name: str, sd_dist: Random, n: int) -> None:
    if not isinstance(sd_dist, Random) or sd_dist.name is not None:
        raise ModelError(
            f"'sd_dist' of {name!r} must be a distribution without a name, such as `HalfNormal.dist(1)`; "
            f"{label(as_node(sd_dist))} was given."
        )
    family = sd_dist.family
    if family.discrete or family.event_ndim or family.support_of(sd_dist.parameters) is REAL:
        raise ModelError(
            f"'sd_dist' of {name!r} is the distribution of standard deviations, which are positive numbers; "
            f"{family.__name__} is not. `HalfNormal.dist(1)` and `Exponential.dist(1)` are."
        )
    if sd_dist.shape not in ((), (n,)):
        raise ShapeError(
            f"'sd_dist' of {name!r} has shape {sd_dist.shape}, but there are {n} standard deviations: give it the "
            f"shape ({n},), or none."
        )
