"""Linear-Gaussian models as hands write them, each with the names of the latents that must be integrated out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import finetti as pm

RNG = np.random.default_rng(11)
J, N = 5, 23
G = np.concatenate([np.arange(J), RNG.integers(0, J, N - J)])
H = RNG.integers(0, 4, N)
X, Y = RNG.normal(size=N), RNG.normal(size=N) + 3
MODELS: dict[str, tuple[Callable[[], pm.Model], set[str]]] = {}


def of(name: str, *members: str):
    """Enter a function that writes a model."""

    def enter(write: Callable[[], None]):
        def build() -> pm.Model:
            with pm.Model() as model:
                write()
            return model

        MODELS[name] = build, set(members)
        return write

    return enter


@of("eight schools, centred", "mu", "theta")
def _():
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
    theta = pm.Normal("theta", mu, tau, shape=8)
    pm.Normal("y", theta, [15, 10, 16, 11, 9, 11, 10, 18], observed=[28, 8, -3, 7, -1, 1, 18, 12])


@of("eight schools, non-centred", "mu", "eta")
def _():
    eta, mu, tau = pm.Normal("eta", 0, 1, shape=8), pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
    theta = pm.Deterministic("theta", mu + tau * eta)
    pm.Normal("y", theta, [15, 10, 16, 11, 9, 11, 10, 18], observed=[28, 8, -3, 7, -1, 1, 18, 12])


@of("varying intercept and slope", "ma", "mb", "a", "b")
def _():
    sa, sb, s = pm.HalfNormal("sa", 1), pm.HalfNormal("sb", 1), pm.HalfNormal("s", 1)
    ma, mb = pm.Normal("ma", 0, 5), pm.Normal("mb", 0, 5)
    a, b = pm.Normal("a", ma, sa, shape=J), pm.Normal("b", mb, sb, shape=J)
    pm.Normal("y", a[G] + b[G] * X, s, observed=Y)


@of("varying intercept and slope, non-centred, flat means", "ma", "mb", "za", "zb")
def _():
    sa, sb, s = pm.HalfNormal("sa", 1), pm.HalfNormal("sb", 1), pm.HalfNormal("s", 1)
    ma, mb = pm.Flat("ma"), pm.Flat("mb")
    za, zb = pm.Normal("za", 0, 1, shape=J), pm.Normal("zb", 0, 1, shape=J)
    pm.Normal("y", ma + sa * za[G] + (mb + sb * zb)[G] * X, s, observed=Y)


@of("classes in schools", "mu", "school", "class")
def _():
    t1, t2, s = pm.HalfNormal("t1", 1), pm.HalfNormal("t2", 1), pm.HalfNormal("s", 1)
    mu = pm.Flat("mu")
    school = pm.Normal("school", mu, t1, shape=3)
    classes = pm.Normal("class", school[np.array([0, 0, 1, 2, 2])], t2, shape=J)
    pm.Normal("y", classes[G], s, observed=Y)


@of("subjects by items", "mu", "subject", "item", "slope")
def _():
    ts, ti, s = pm.HalfNormal("ts", 1), pm.HalfNormal("ti", 1), pm.HalfNormal("s", 1)
    mu, slope = pm.Normal("mu", 0, 10), pm.Normal("slope", 0, 1)
    subject, item = pm.Normal("subject", 0, ts, shape=J), pm.Normal("item", 0, ti, shape=4)
    pm.Normal("y", mu + subject[G] + item[H] + slope * X, s, observed=Y)


@of("correlated slopes", "mu", "u")
def _():
    sd, s = pm.HalfNormal("sd", 1, shape=2), pm.HalfNormal("s", 1)
    mu = pm.Normal("mu", 0, 1, shape=2)
    u = pm.MvNormal("u", mu, chol=sd[:, None] * np.array([[1.0, 0.0], [0.5, 0.9]]), shape=(J, 2))
    pm.Normal("y", u[G, 0] + u[G, 1] * X, s, observed=Y)


@of("correlated slopes, LKJ, non-centred", "z", "mean")
def _():
    chol, _, _ = pm.LKJCholeskyCov("chol", eta=2, n=2, sd_dist=pm.HalfNormal.dist(1))
    z, mean, s = pm.Normal("z", 0, 1, shape=(2, J)), pm.Normal("mean", 0, 2), pm.HalfNormal("s", 1)
    u = pm.Deterministic("u", (chol @ z).T)
    pm.Normal("y", mean + u[G, 0] + u[G, 1] * X, s, observed=Y)


@of("correlated slopes, LKJ, centred", "u", "mean")
def _():
    chol = pm.LKJCholeskyCov("chol", eta=2, n=2, sd_dist=pm.HalfNormal.dist(1), compute_corr=False)
    mean, s = pm.Normal("mean", 0, 2, shape=2), pm.HalfNormal("s", 1)
    u = pm.MvNormal("u", mean, chol=chol, shape=(J, 2))
    pm.Normal("y", u[G, 0] + u[G, 1] * X, s, observed=Y)


@of("fixed effects", "beta")
def _():
    beta, s = pm.Normal("beta", 0, [1.0, 2.0, 3.0], shape=3), pm.HalfNormal("s", 1)
    pm.Normal("y", np.column_stack([np.ones(N), X, X**2]) @ beta, s, observed=Y)


@of("fixed effects, flat", "beta", "a")
def _():
    beta, s, tau = pm.Flat("beta", shape=3), pm.HalfNormal("s", 1), pm.HalfNormal("tau", 1)
    a = pm.Normal("a", 0, tau, shape=J)
    pm.Normal("y", np.column_stack([np.ones(N), X, X**2]) @ beta + a[G], s, observed=Y)


@of("many fixed effects", "beta", "a")
def _():
    beta, s, tau = pm.Normal("beta", 0, 2, shape=9), pm.HalfNormal("s", 1), pm.HalfNormal("tau", 1)
    a = pm.Normal("a", 0, tau, shape=J)
    pm.Normal("y", np.stack([X**k for k in range(9)], axis=1) @ beta + a[G], s, observed=Y)


@of("means of means", "mu", "a", "b")
def _():
    t, s = pm.HalfNormal("t", 1), pm.HalfNormal("s", 1)
    mu = pm.Normal("mu", 0, 3)
    a, b = pm.Normal("a", mu, t, shape=J), pm.Normal("b", 1, 2, shape=3)
    centred = a - a.mean()
    pm.Normal("y", centred[G] + b.mean() + mu, s, observed=Y)
    pm.Normal("sum", a.sum() - b.sum(), 2.0, observed=7.0)


@of("known scales that differ by row", "mu", "a")
def _():
    t, mu = pm.HalfNormal("t", 1), pm.Normal("mu", 0, 3)
    a = pm.Normal("a", mu, t, shape=J)
    pm.Normal("y", a[G], np.linspace(0.3, 3, N), observed=Y)


@of("a scale times weights by row", "mu", "a")
def _():
    t, mu, s = pm.HalfNormal("t", 1), pm.Normal("mu", 0, 3), pm.HalfNormal("s", 1)
    a = pm.Normal("a", mu, t, shape=J)
    pm.Normal("y", a[G], s / np.sqrt(np.linspace(1, 9, N)), observed=Y)


@of("a scale for each group", "mu", "a")
def _():
    t, mu, s = pm.HalfNormal("t", 1), pm.Normal("mu", 0, 3), pm.HalfNormal("s", 1, shape=4)
    a = pm.Normal("a", mu, t, shape=J)
    pm.Normal("y", a[G], s[H], observed=Y)


@of("a scale for each row", "mu", "a")
def _():
    t, mu, s = pm.HalfNormal("t", 1), pm.Normal("mu", 0, 3), pm.HalfNormal("s", 1, shape=N)
    a = pm.Normal("a", mu, t, shape=J)
    pm.Normal("y", a[G], s, observed=Y)


@of("a scale that grows with a predictor", "mu", "a")
def _():
    t, mu, s, k = pm.HalfNormal("t", 1), pm.Normal("mu", 0, 3), pm.HalfNormal("s", 1), pm.HalfNormal("k", 1)
    a = pm.Normal("a", mu, t, shape=J)
    pm.Normal("y", a[G], np.exp(np.log(s) + 0.2 * k * X), observed=Y)


@of("a scale for each latent", "mu", "a")
def _():
    t, mu, s = pm.HalfNormal("t", 1, shape=J), pm.Normal("mu", 0, 3), pm.HalfNormal("s", 1)
    a = pm.Normal("a", mu, t, shape=J)
    pm.Normal("y", a[G], s, observed=Y)


@of("a scale for each coefficient", "z")
def _():
    lam, x = pm.HalfNormal("lam", 1, shape=12), RNG.normal(size=(15, 12))
    z = pm.Normal("z", 0, lam, shape=12)
    pm.Normal("y", x @ z, pm.HalfNormal("s", 3), observed=x[:, 0] * 3 + RNG.normal(size=15))


@of("a scale for each coefficient, one by one", "c", *(f"z{j}" for j in range(11)))
def _():
    x, mean = RNG.normal(size=(15, 11)), pm.Normal("c", 0, 2)
    for j in range(11):
        mean = mean + x[:, j] * pm.Normal(f"z{j}", 0, pm.HalfNormal(f"lam{j}", 1))
    pm.Normal("y", mean, pm.HalfNormal("s", 3), observed=x[:, 0] * 3 + RNG.normal(size=15))


@of("several observed variables", "mu", "a", "b")
def _():
    t, mu, s = pm.HalfNormal("t", 1), pm.Normal("mu", 0, 3), pm.HalfNormal("s", 1, shape=2)
    a, b = pm.Normal("a", mu, t, shape=J), pm.Normal("b", 0, 1, shape=J)
    pm.Normal("y", a[G], s[0], observed=Y)
    pm.Normal("w", 2 * a[G] - b[G] * X, s[1], observed=Y[::-1])
    pm.Normal("v", b.sum(), 0.5, observed=1.5)


@of("a coefficient to be estimated", "f")
def _():
    load, s = pm.Normal("load", 0, 1, shape=4), pm.HalfNormal("s", 1)
    f = pm.Normal("f", 0, 1, shape=J)
    pm.Normal("y", load[H] * f[G], s, observed=Y)


@of("a matrix of latents", "mu", "m")
def _():
    t, mu, s = pm.HalfNormal("t", 1, shape=4), pm.Normal("mu", 0, 3, shape=(J, 1)), pm.HalfNormal("s", 1)
    m = pm.Normal("m", mu, t, shape=(J, 4))
    pm.Normal("y", m[G, H], s, observed=Y)
    pm.Normal("column means", m.mean(axis=0), 1.0, observed=np.ones(4))


@of("a multivariate normal that is observed", "mu", "a")
def _():
    sd, mu = pm.HalfNormal("sd", 1, shape=3), pm.Normal("mu", 0, 3)
    a = pm.Normal("a", mu, 2, shape=3)
    chol = sd[:, None] * np.array([[1.0, 0, 0], [0.5, 0.8, 0], [0.1, 0.2, 0.9]])
    pm.MvNormal("y", a, chol=chol, observed=Y[:12].reshape(4, 3))


@of("a multivariate normal that is observed once", "a")
def _():
    a, t = pm.Normal("a", 0, 1, shape=3), pm.HalfNormal("t", 1)
    cov = np.array([[2.0, 0.8, 0.0], [0.8, 1.0, -0.3], [0.0, -0.3, 0.5]])
    pm.MvNormal("y", t * a, cov=cov, observed=Y[:3])


@of("vectors within vectors", "top", "u")
def _():
    t, s = pm.HalfNormal("t", 1), pm.HalfNormal("s", 1)
    top = pm.MvNormal("top", [1.0, -1.0], cov=[[2.0, 0.5], [0.5, 1.0]])
    u = pm.MvNormal("u", top, chol=t * np.array([[1.0, 0.0], [0.4, 0.7]]), shape=(J, 2))
    pm.Normal("y", u[G, 0] + u[G, 1] * X, s, observed=Y)


@of("a random walk", "x")
def _():
    t, s = pm.HalfNormal("t", 1), pm.HalfNormal("s", 1)
    x = pm.Normal("x", 0, 1, shape=8)
    pm.Normal("y", np.cumsum(t * x), s, observed=Y[:8])


@of("four levels", "a", "b", "c", "d")
def _():
    t, s = pm.HalfNormal("t", 1, shape=3), pm.HalfNormal("s", 1)
    a = pm.Normal("a", 2, 3)
    b = pm.Normal("b", a, t[0], shape=2)
    c = pm.Normal("c", b[np.array([0, 0, 1])], t[1], shape=3)
    d = pm.Normal("d", c[np.array([0, 1, 2, 2, 1])], t[2], shape=J)
    pm.Normal("y", d[G], s, observed=Y)


@of("half of it logistic", "mu", "a")
def _():
    t, s, w = pm.HalfNormal("t", 1), pm.HalfNormal("s", 1), pm.Normal("w", 0, 1, shape=4)
    mu = pm.Normal("mu", 0, 3)
    a = pm.Normal("a", mu, t, shape=J)
    pm.Normal("y", a[G] + w[H], s, observed=Y)
    pm.Bernoulli("k", logit_p=w[H], observed=(X > 0).astype(int))


@of("a variable that is named Data", "mu")
def _():
    x, y = pm.Data("x", X), pm.Data("y_data", Y)
    mu, s = pm.Normal("mu", 0, 3), pm.HalfNormal("s", 1)
    pm.Normal("y", mu * x, s, observed=y)
