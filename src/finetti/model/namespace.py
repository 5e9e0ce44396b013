"""The two array namespaces in which a graph is evaluated: NumPy with SciPy's special functions, and JAX.

Each operation and each log density is written once, against the names found here: everything of `numpy`, the
special functions under SciPy's names, and a few that neither library spells in a stable way.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from finetti.model.special import betaln

# Gradients of rows that read the same element are added up in it, each waiting for the one before; and data often come
# sorted by group. Where elements have this many rows, neighbouring rows read one of this many copies, in turn.
CROWDED, COPIES = 20, 4
SMALL = 6  # matrices up to this order are factorised in plain array operations


class Namespace:
    """Attribute lookup through an array module, its special functions, and the few of our own."""

    def __init__(self, array_module: str, special_module: str, own: dict[str, Any]):
        self._array_module, self._special_module, self._own = array_module, special_module, own

    def __getattr__(self, name: str) -> Any:
        found = self._own.get(name)
        if found is None:
            found = getattr(import_module(self._array_module), name, None)
        if found is None:
            found = getattr(import_module(self._special_module), name)
        setattr(self, name, found)
        return found


def _numpy_take(x, index):
    return x[index]


def _numpy_solve_lower(lower, b):
    """x with lower @ x = b by forward substitution, for lower (..., k, k) and b (..., k); NaN where singular."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if 0 < lower.shape[-1] <= SMALL:
            return _unrolled_solve(np, lower, b)
        shape = np.broadcast_shapes(lower.shape[:-2], b.shape[:-1]) + b.shape[-1:]
        x = np.empty(shape)
        for i in range(shape[-1]):
            rest = np.sum(lower[..., i, :i] * x[..., :i], axis=-1)
            x[..., i] = (b[..., i] - rest) / lower[..., i, i]
    return x


def _matrixwise(function):
    """NumPy's function of a matrix or a stack of matrices, NaN where it fails, as JAX has it."""

    def guarded(a):
        if a.shape[-1] != a.shape[-2]:
            raise ValueError(f"a square matrix is needed, not shape {a.shape}")
        try:
            return function(a)
        except np.linalg.LinAlgError:
            if a.ndim == 2:
                return np.full(a.shape, np.nan)
            return np.stack([guarded(part) for part in a])

    return guarded


def _log1mexp_numpy(x):
    """log(1 - exp(x)) for x < 0 (Maechler 2012, Rmpfr vignette, eq. 7)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(x > -np.log(2.0), np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


NUMPY = Namespace(
    "numpy",
    "scipy.special",
    {
        "softplus": lambda x: np.logaddexp(0.0, x),
        "sigmoid": lambda x: np.exp(-np.logaddexp(0.0, -x)),
        "log1mexp": _log1mexp_numpy,
        "take_index": _numpy_take,
        "cholesky": _matrixwise(np.linalg.cholesky),
        "inverse": _matrixwise(np.linalg.inv),
        "solve_lower": _numpy_solve_lower,
    },
)


@lru_cache(maxsize=1)
def jax_namespace() -> Namespace:
    """The JAX namespace, made when first asked for, so that nothing else imports JAX."""
    import jax
    import jax.numpy as jnp

    @jax.custom_jvp
    def softplus(x):
        return jnp.maximum(x, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(x)))

    @softplus.defjvp
    def _(primals, tangents):
        (x,), (t,) = primals, tangents
        e = jnp.exp(-jnp.abs(x))  # serves value and slope alike: exponentials are what a logistic likelihood costs
        return jnp.maximum(x, 0.0) + jnp.log1p(e), t * jnp.where(x >= 0, 1.0, e) / (1.0 + e)

    def log1mexp(x):
        near = x > -np.log(2.0)
        safe_near, safe_far = jnp.where(near, x, -1.0), jnp.where(near, -1.0, x)
        return jnp.where(near, jnp.log(-jnp.expm1(safe_near)), jnp.log1p(-jnp.exp(safe_far)))

    def take_index(x, index):
        if isinstance(x, np.ndarray):  # data and constants stay out of the compiled function's graph
            return x[index]
        first = index[0] if isinstance(index, tuple) and index else None
        if getattr(first, "ndim", 0) == 1 and first.dtype.kind in "iu" and len(first) >= CROWDED * x.shape[0]:
            x = jnp.broadcast_to(x, (COPIES, *x.shape))
            index = (jnp.arange(len(first), dtype="int32") % COPIES, *index)
        return x.at[index].get(mode="promise_in_bounds")

    def cholesky(a):
        """Unrolled while small: a call into LAPACK would keep XLA from fusing the sampler's loop."""
        return _unrolled_cholesky(jnp, a) if a.shape[-1] <= SMALL else jnp.linalg.cholesky(a)

    def solve_lower(lower, b):
        if lower.shape[-1] <= SMALL:
            return _unrolled_solve(jnp, lower, b)
        if lower.ndim == 2:  # one factor for many vectors: one call, not one for each
            rows = b.reshape(-1, b.shape[-1])
            return jax.scipy.linalg.solve_triangular(lower, rows.T, lower=True).T.reshape(b.shape)
        batch = jnp.broadcast_shapes(lower.shape[:-2], b.shape[:-1])
        lower, b = jnp.broadcast_to(lower, batch + lower.shape[-2:]), jnp.broadcast_to(b, batch + b.shape[-1:])
        return jax.scipy.linalg.solve_triangular(lower, b[..., None], lower=True)[..., 0]

    own = {f.__name__: f for f in (log1mexp, take_index, cholesky, solve_lower)}
    own |= {"softplus": softplus, "sigmoid": jax.nn.sigmoid, "logsumexp": jax.scipy.special.logsumexp}
    own |= {"inverse": jnp.linalg.inv}
    own |= {name: _folded(name) for name in ("gammaln", "digamma", "betaln", "i0e", "ndtr", "log_ndtr")}
    own |= {"betaln": lambda a, b: betaln(jax_namespace(), a, b)}
    return Namespace("jax.numpy", "jax.scipy.special", own)


def _folded(name: str):
    """A special function that is computed at once where its arguments are numbers: it never enters the program."""
    in_jax, in_scipy = (getattr(import_module(m), name) for m in ("jax.scipy.special", "scipy.special"))

    def function(*arguments):
        known = all(isinstance(a, (float, int, np.ndarray, np.generic)) for a in arguments)
        return (in_scipy if known else in_jax)(*arguments)

    return function


def _unrolled_cholesky(xp, a):
    """Lower Cholesky factor of a (..., k, k), one scalar operation after the other (Golub and Van Loan, alg. 4.2.1)."""
    k, rows = a.shape[-1], []
    for i in range(k):
        row: list = []
        for j in range(i):
            row.append((a[..., i, j] - sum(row[m] * rows[j][m] for m in range(j))) / rows[j][j])
        row.append(xp.sqrt(a[..., i, i] - sum(value**2 for value in row)))
        rows.append(row)
    zero = xp.zeros_like(a[..., 0, 0])
    return xp.stack([xp.stack(row + [zero] * (k - len(row)), -1) for row in rows], -2)


def _unrolled_solve(xp, lower, b):
    """Forward substitution, one scalar operation after the other."""
    x: list = []
    for i in range(lower.shape[-1]):
        x.append((b[..., i] - sum(lower[..., i, j] * x[j] for j in range(i))) / lower[..., i, i])
    return xp.stack(x, -1)
