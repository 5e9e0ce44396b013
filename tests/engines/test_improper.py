"""What neither prior nor data bound is refused before anything is drawn; what they bound ever so weakly is not."""

import numpy as np
import pytest

import finetti as pm

OPTIONS = {"draws": 200, "tune": 200, "random_seed": 1, "progressbar": False}
RNG = np.random.default_rng(0)
COUNTS = np.arange(20) % 4
X = RNG.normal(size=(30, 4))
COLLINEAR = np.column_stack([X[:, :3], 0.3 * X[:, 0] - 1.7 * X[:, 1]])


def difference():
    a, b = pm.Flat("a"), pm.Flat("b")
    pm.Poisson("y", pm.math.exp(a - b), observed=[3, 4])


def an_intercept_too_many():
    a, b = pm.Flat("a"), pm.Flat("b", shape=3)
    pm.Poisson("y", pm.math.exp(a + b[np.arange(20) % 3]), observed=COUNTS)


def collinear_predictors():
    b = pm.Flat("b", shape=4)
    pm.Bernoulli("y", logit_p=COLLINEAR @ b, observed=np.arange(30) % 2)


def product():
    s = pm.HalfFlat("s", shape=2)
    pm.Exponential("y", s[0] * s[1], observed=[1.0, 2.0, 0.3])


@pytest.mark.parametrize(
    ("write", "names"),
    [
        (difference, "'a' and 'b'"),
        (an_intercept_too_many, r"'a', 'b\[0\]', 'b\[1\]' and 'b\[2\]'"),
        (collinear_predictors, r"'b\[0\]', 'b\[1\]' and 'b\[3\]'"),
        (product, r"'s\[0\]' and 's\[1\]'"),
    ],
)
def test_combinations_that_nothing_bounds(write, names):
    with pm.Model():
        write()
        with pytest.raises(pm.ModelError, match=f"only a combination of {names} is determined.*give one of them a"):
            pm.sample(**OPTIONS)


@pytest.mark.parametrize(
    ("prior", "potential", "end"),
    [
        (lambda: pm.Normal("a", 0, 1), lambda a: 0.5 * a**2, "infinity"),
        (lambda: pm.Normal("a", 0, 1, shape=3), lambda a: 0.5 * (a**2).sum(), "infinity"),
        (lambda: pm.HalfNormal("a", 1), lambda a: 0.5 * a**2, "its upper end"),
        (lambda: pm.Exponential("a", 1), lambda a: -2 * pm.math.log(a), "its lower end"),
    ],
)
def test_a_prior_cancelled_by_a_potential(prior, potential, end):
    with pm.Model():
        pm.Potential("p", potential(prior()))
        with pytest.raises(pm.ModelError, match=rf"nothing keeps 'a.*' from {end}.*potentials.*Check their sign"):
            pm.sample(**OPTIONS)


def test_two_priors_cancelled_along_their_sum():
    with pm.Model():
        a, b = pm.Normal("a", 0, 1), pm.Normal("b", 0, 1)
        pm.Potential("p", a * b)
        with pytest.raises(pm.ModelError, match="combination of 'a' and 'b'.*potentials.*check their sign"):
            pm.sample(**OPTIONS)


@pytest.mark.parametrize("share", [0.9, 0.999999])
def test_two_priors_that_are_not_quite_cancelled(share):
    """exp(-a^2/2 - b^2/2 + share a b): variances 1 / (1 - share^2). False alarm below 1 in 10,000 each."""
    with pm.Model():
        a, b = pm.Normal("a", 0, 1), pm.Normal("b", 0, 1)
        pm.Potential("p", share * a * b)
        trace = pm.sample(**OPTIONS)
    assert trace["a"].std() == pytest.approx((1 - share**2) ** -0.5, rel=0.15)


def test_predictors_of_very_different_scales_are_bounded():
    """Years with an intercept, and columns from 1e-4 to 1e3: nothing is called improper."""
    for design, y in (
        (X * [1, 1, 1e3, 1e-4], np.arange(30) % 2),
        (np.column_stack([np.ones(30), np.arange(1990.0, 2020)]), np.arange(30) % 5),
    ):
        with pm.Model():
            b = pm.Flat("b", shape=design.shape[1])
            pm.Poisson("y", pm.math.exp(design @ b), observed=y)
            assert np.isfinite(pm.sample(**OPTIONS)["b"]).all()


def weibull(n):
    k, s = pm.HalfFlat("k"), pm.HalfFlat("s")
    pm.Weibull("y", k, s, observed=[1.3, 2.1, 0.7][:n])


def uniform(n):
    a, b = pm.Flat("a"), pm.Flat("b")
    pm.Uniform("y", a, b, observed=[1.3, 2.1, 0.7, 1.0][:n])


def product_of_bounds():
    a, b = pm.HalfFlat("a"), pm.HalfFlat("b")
    pm.Uniform("y", 0, a * b, observed=[1.3, 2.1, 0.7])


@pytest.mark.parametrize(("write", "names"), [
    (lambda: weibull(1), "'s' is flat"), (lambda: weibull(2), "'s' is flat"), (lambda: weibull(3), "'s' is flat"),
    (lambda: uniform(1), "'a' is flat"), (lambda: uniform(2), "combination of 'a' and 'b'"),
    (product_of_bounds, "combination of 'a' and 'b'"),
])  # fmt: skip
def test_what_is_bounded_at_the_start_and_not_elsewhere(write, names):
    """The integral over s of k^n s^(-nk) is infinite for k < 1 / n; over both bounds r dr / r^n is, for n <= 2."""
    with pm.Model():
        write()
        with pytest.raises(pm.ModelError, match=f"improper.*{names}"):
            pm.sample(**OPTIONS)


def test_bounds_of_a_uniform_that_four_rows_determine():
    """The width r has density (r - c) / r^4 beyond the data's range c, a anywhere; five standard errors."""
    with pm.Model():
        uniform(4)
        trace = pm.sample(1000, random_seed=1, progressbar=False)
    width = (trace["b"] - trace["a"]).ravel()
    # P(width > w) with n rows of range c: the integral of (r - c) r^-n from w, over the same from c; n = 4
    c, w = 2.1 - 0.7, 4.0
    beyond = (1 / (2 * w**2) - c / (3 * w**3)) / (1 / (2 * c**2) - c / (3 * c**3))
    assert abs((width > w).mean() - beyond) < 5 * np.sqrt(beyond * (1 - beyond) / 4000)
