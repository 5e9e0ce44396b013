"""The block's log density where doubles run short, against the dense law in decimal arithmetic of sixty digits.

Scales far from those of the residuals, data and predictors far from zero, a million rows. Where rounding would leave
only noise the density must say so (-inf), never something finite and wrong.
"""

from __future__ import annotations

from decimal import Decimal, getcontext

import numpy as np
import pytest

import finetti as pm
from finetti.density import density_of
from finetti.model.graph import Node
from finetti.planning import plan
from finetti.reductions.linear.gaussian import LinearGaussian

getcontext().prec = 60
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")
Matrix = list[list[Decimal]]

RNG = np.random.default_rng(2)
N, J = 10, 4
G, X, E, U = np.arange(N) % J, RNG.normal(size=N), RNG.normal(size=N), RNG.normal(size=J)


def decimals(array) -> Matrix:
    return [[Decimal(float(v)) for v in row] for row in np.atleast_2d(array)]


def product(a: Matrix, b: Matrix) -> Matrix:
    columns = list(zip(*b, strict=True))
    return [[sum((x * y for x, y in zip(row, c, strict=True)), Decimal(0)) for c in columns] for row in a]


def cholesky(a: Matrix) -> Matrix:
    n = len(a)
    lower = [[Decimal(0)] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1):
            rest = a[i][j] - sum((lower[i][m] * lower[j][m] for m in range(j)), Decimal(0))
            lower[i][j] = rest.sqrt() if i == j else rest / lower[j][j]
    return lower


def solved(lower: Matrix, b: Matrix) -> Matrix:
    """Forward substitution, for each column of b."""
    x: Matrix = []
    for i, row in enumerate(b):
        done = [sum((lower[i][m] * x[m][k] for m in range(i)), Decimal(0)) for k in range(len(row))]
        x.append([(value - d) / lower[i][i] for value, d in zip(row, done, strict=True)])
    return x


def log_law(y, fixed, vary, s: float, tau: float, prior: float | None) -> float:
    """log p(y) for y ~ N(fixed b + vary u, s^2 I), u ~ N(0, tau^2 I), b ~ N(0, prior^2 I) or flat (Harville 1974)."""
    n = len(y)
    v = product(decimals(vary), [list(c) for c in zip(*decimals(vary), strict=True)])
    f = decimals(fixed)
    ff = product(f, [list(c) for c in zip(*f, strict=True)])
    s2, t2 = Decimal(s) ** 2, Decimal(tau) ** 2
    p2 = Decimal(0) if prior is None else Decimal(prior) ** 2
    v = [[t2 * v[i][j] + p2 * ff[i][j] + (s2 if i == j else 0) for j in range(n)] for i in range(n)]
    lower = cholesky(v)
    r = solved(lower, [[Decimal(float(value))] for value in y])
    log_det = sum((lower[i][i].ln() for i in range(n)), Decimal(0))
    quadratic = sum((row[0] ** 2 for row in r), Decimal(0))
    if prior is None:
        w = solved(lower, f)
        wt = [list(c) for c in zip(*w, strict=True)]
        inner = cholesky(product(wt, w))
        n -= len(inner)
        log_det += sum((inner[i][i].ln() for i in range(len(inner))), Decimal(0))
        quadratic -= sum((row[0] ** 2 for row in solved(inner, product(wt, r))), Decimal(0))
    return float(-(Decimal(n) * (2 * PI).ln() + 2 * log_det + quadratic) / 2)


def regression(y, x, prior: float | None, *, centred: bool) -> pm.Model:
    with pm.Model() as model:
        tau, s = pm.HalfFlat("tau"), pm.HalfFlat("s")
        b = pm.Flat("b", shape=2) if prior is None else pm.Normal("b", 0, prior, shape=2)
        a = pm.Normal("a", b[0], tau, shape=J) if centred else b[0] + tau * pm.Normal("z", 0, 1, shape=J)
        pm.Normal("y", a[G] + b[1] * x, s, observed=y)
    return model


def both(y, x, s, tau, prior, *, centred=True) -> tuple[float, float]:
    """The block's log density and the decimal one."""
    model = regression(y, x, prior, centred=centred)
    given: dict[Node, np.ndarray] = {model["tau"]: np.array(float(tau)), model["s"]: np.array(float(s))}
    (block,) = plan(model).reductions
    exact = log_law(y, np.column_stack([np.ones(N), x]), np.eye(J)[G], s, tau, prior)
    return float(block.log_marginal(given)), exact


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("prior", [None, 10.0])
@pytest.mark.parametrize("tau", [1e-200, 1e-8, 1e-4, 1.0, 1e2, 1e4])
def test_scales_of_latents(tau, prior, centred):
    """Down to nothing, without loss; up to ten thousand residual scales, with a loss below 1e-7."""
    found, exact = both(E + min(tau, 1e4) * U[G], X, 1.0, tau, prior, centred=centred)
    assert found == pytest.approx(exact, abs=1e-11 if tau < 10 else 1e-7)


@pytest.mark.parametrize("tau", [1e5, 1e6, 1e7, 1e8, 1e10])
@pytest.mark.parametrize("prior", [None, 10.0, 1e6])
def test_scales_beyond_what_doubles_hold_give_no_density_rather_than_a_wrong_one(tau, prior):
    """A vague mean of latents some millions of residual scales wide: right to 0.05, or -inf."""
    found, exact = both(E + tau * U[G], X, 1.0, tau, prior)
    assert found == -np.inf or found == pytest.approx(exact, abs=0.05)
    assert found > -np.inf or tau > 1e6


@pytest.mark.parametrize("prior", [None, 10.0])
@pytest.mark.parametrize("s", [1e-8, 1e-6, 1e-4, 1e-2, 1e2, 1e4, 1e8])
def test_scales_of_residuals(s, prior):
    found, exact = both(s * E + U[G], X, s, 1.0, prior)
    if s >= 1e-4:
        assert found == pytest.approx(exact, rel=1e-7, abs=1e-7)
    else:
        assert found == -np.inf or found == pytest.approx(exact, abs=0.05)


@pytest.mark.parametrize("offset", [1e3, 1e6, 1e9])
def test_data_far_from_zero(offset):
    found, exact = both(E + U[G] + offset, X, 1.0, 1.0, None)
    assert found == pytest.approx(exact, abs=1e-6)
    found, exact = both(E + U[G] + offset, X, 1.0, 1.0, 10 * offset)
    assert found == pytest.approx(exact, abs=1e-6)


def test_predictors_far_from_zero():
    """Years, and kilpisjarvi's 4,000: digits are lost by the square of the distance, but few."""
    for shift, loss in ((100, 1e-10), (2000, 1e-8), (4000, 1e-7), (1e5, 1e-3)):
        found, exact = both(E + U[G] + 0.01 * X, X + shift, 1.0, 1.0, None)
        assert found == pytest.approx(exact, abs=loss)


def test_a_predictor_so_far_from_zero_that_it_is_an_intercept():
    with pytest.raises(pm.ModelError, match=r"do not determine 'b.*until its mean is subtracted"):
        plan(regression(E, X + 1e9, None, centred=True))


def test_data_without_any_residual():
    """All equal, all zero, or fitted exactly: the density is that of the law still."""
    for y in (np.zeros(N), np.full(N, 3.0), 2 * X):
        found, exact = both(y, X, 0.5, 0.3, None)
        assert found == pytest.approx(exact, abs=1e-10)


# --- a million rows ----------------------------------------------------------------------------------------------


def million() -> tuple[pm.Model, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    n, groups = 1_000_000, 200
    g, x = rng.integers(0, groups, n), rng.normal(size=n)
    y = 1e3 + rng.normal(size=groups)[g] + (0.5 + 0.3 * rng.normal(size=groups))[g] * x + rng.normal(size=n)
    with pm.Model() as model:
        ta, tb, s = pm.HalfFlat("ta"), pm.HalfFlat("tb"), pm.HalfFlat("s")
        ma, mb = pm.Flat("ma"), pm.Normal("mb", 0, 1)
        a, b = pm.Normal("a", ma, ta, shape=groups), pm.Normal("b", mb, tb, shape=groups)
        pm.Normal("y", a[g] + b[g] * x, s, observed=y)
    return model, g, x, y


def by_groups_in_long_double(g, x, y, ta, tb, s) -> float:
    """log p(y): each group by Woodbury's formula on its own sums, then the two means by generalised least squares.

    All sums are taken around the grand mean, in 80-bit numbers where the machine has them, group after group.
    """
    one = np.longdouble
    spread = np.diag([one(ta) ** 2, one(tb) ** 2])
    order = np.argsort(g, kind="stable")
    cuts = np.flatnonzero(np.diff(g[order])) + 1
    level = y.mean()
    information, pull, total = np.diag([one(0), one(1)]), np.zeros(2, one), one(0)
    for rows in np.split(order, cuts):
        z = np.stack([np.ones(len(rows)), x[rows]], axis=1).astype(one)
        r = y[rows].astype(one) - one(level)
        zz, zr = z.T @ z / one(s) ** 2, z.T @ r / one(s) ** 2
        inner = np.eye(2, dtype=one) + zz @ spread
        det = inner[0, 0] * inner[1, 1] - inner[0, 1] * inner[1, 0]
        inverse = np.array([[inner[1, 1], -inner[0, 1]], [-inner[1, 0], inner[0, 0]]]) / det
        total += r @ r / one(s) ** 2 - zr @ spread @ inverse @ zr + np.log(det) + 2 * len(rows) * np.log(one(s))
        information, pull = information + inverse @ zz, pull + inverse @ zr
    det = information[0, 0] * information[1, 1] - information[0, 1] ** 2
    best = np.array([[information[1, 1], -information[0, 1]], [-information[1, 0], information[0, 0]]]) @ pull / det
    total += np.log(det) - pull @ best
    return float(-0.5 * (total + (len(y) - 1) * np.log(2 * np.pi)))


def test_a_million_rows():
    model, g, x, y = million()
    (block,) = plan(model).reductions
    for ta, tb, s in ((1.0, 0.3, 1.0), (0.01, 2.0, 1.1), (1e-6, 1e-6, 3.0)):
        given = {model[name]: np.array(value) for name, value in (("ta", ta), ("tb", tb), ("s", s))}
        found = float(block.log_marginal(given))
        assert found == pytest.approx(by_groups_in_long_double(g, x, y, ta, tb, s), abs=2e-5)


def test_no_evaluation_touches_the_rows_again():
    """What the compiled program is given does not grow with the rows."""
    model, *_ = million()
    chosen = plan(model)
    density = density_of(model, chosen.reductions)
    assert sum(a.size for a in density.arguments.values()) < 20_000
    assert isinstance(block := chosen.reductions[0], LinearGaussian) and block.layout.grid.shape == (2, 200)


def test_the_oracle_agrees_with_scipy():
    from scipy import stats

    vary, fixed = np.eye(J)[G], np.column_stack([np.ones(N), X])
    v = 0.7**2 * vary @ vary.T + 9 * fixed @ fixed.T + 1.3**2 * np.eye(N)
    expected = stats.multivariate_normal(np.zeros(N), v).logpdf(E)
    assert log_law(E, fixed, vary, 1.3, 0.7, 3.0) == pytest.approx(expected, abs=1e-11)
    wide = log_law(E, fixed, vary, 1.3, 0.7, 1e12) + 2 * 0.5 * np.log(2 * np.pi) + 2 * np.log(1e12)
    assert log_law(E, fixed, vary, 1.3, 0.7, None) == pytest.approx(wide, abs=1e-11)
