"""Hierarchical models with data simulated from a fixed seed, in the syntax that finetti and PyMC share.

A name says all: `varying-919x85-centred` (varying intercept and slope, Gaussian: rows x groups, and how it is
written), `logistic-20000x500-noncentred` (a logistic regression with varying intercepts, row by row),
`binomial-20-centred` and `poisson-mixed-noncentred` (one count per group, of 20 trials; of 1 and of 500 by halves).
"""

import numpy as np

SEED = 20_261
GROUPS = 50  # of binomial and poisson
FORMS = ("centred", "noncentred")
COMPARED = {
    "varying": ("mu_a", "mu_b", "sd_a", "sd_b", "sigma", "a", "b"),
    "logistic": ("mu", "beta", "tau", "a"),
    "binomial": ("mu", "tau", "theta"),
    "poisson": ("mu", "tau", "theta"),
}


def effects(pm, name, loc, scale, groups, form):
    """Effects of groups, Normal(loc, scale), written either way; `name` is theirs in both."""
    if form == "centred":
        return pm.Normal(name, loc, scale, shape=groups)
    raw = pm.Normal(f"{name}_raw", 0, 1, shape=groups)
    return pm.Deterministic(name, loc + scale * raw)


def varying_data(size):
    """Rows in groups of unequal size, one covariate."""
    rows, groups = (int(part) for part in size.split("x"))
    rng = np.random.default_rng(SEED)
    a, b = rng.normal(1.0, 0.5, groups), rng.normal(-0.5, 0.3, groups)
    group = np.concatenate([np.arange(groups), rng.integers(groups, size=rows - groups)])
    x = rng.normal(size=rows)
    y = a[group] + b[group] * x + rng.normal(0.0, 0.8, rows)
    return {"group": group, "x": x, "y": y, "groups": groups}


def varying(pm, data, form):
    """Intercept and slope vary by group, independently; everything in the middle is linear and Gaussian."""
    group, groups = data["group"], data["groups"]
    with pm.Model() as model:
        mu_a = pm.Normal("mu_a", 0, 5)
        mu_b = pm.Normal("mu_b", 0, 5)
        sd_a = pm.HalfNormal("sd_a", 1)
        sd_b = pm.HalfNormal("sd_b", 1)
        sigma = pm.HalfNormal("sigma", 1)
        a = effects(pm, "a", mu_a, sd_a, groups, form)
        b = effects(pm, "b", mu_b, sd_b, groups, form)
        pm.Normal("y", a[group] + b[group] * data["x"], sigma, observed=data["y"])
    return model


def logistic_data(size):
    """Rows in groups of unequal size, two covariates, a yes or no for each row."""
    rows, groups = (int(part) for part in size.split("x"))
    rng = np.random.default_rng(SEED)
    a = rng.normal(-0.5, 0.7, groups)
    group = np.concatenate([np.arange(groups), rng.integers(groups, size=rows - groups)])
    x = rng.normal(size=(rows, 2))
    logit = a[group] + x @ np.array([0.8, -0.4])
    return {"group": group, "x": x, "groups": groups, "y": rng.binomial(1, 1 / (1 + np.exp(-logit)))}


def logistic(pm, data, form):
    """The intercept varies by group, the slopes do not."""
    group, x = data["group"], data["x"]
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 2)
        tau = pm.HalfNormal("tau", 2)
        beta = pm.Normal("beta", 0, 2, shape=2)
        a = effects(pm, "a", mu, tau, data["groups"], form)
        logit = a[group] + beta[0] * x[:, 0] + beta[1] * x[:, 1]
        pm.Bernoulli("y", logit_p=logit, observed=data["y"])
    return model


def trials(word):
    """Trials of each group: the same for all, or 1 and 500 by halves."""
    return np.repeat([1, 500], GROUPS // 2) if word == "mixed" else np.full(GROUPS, int(word))


def binomial_data(word):
    """Successes of each group."""
    rng = np.random.default_rng(SEED)
    theta = rng.normal(0.0, 1.0, GROUPS)
    return {"n": trials(word), "y": rng.binomial(trials(word), 1 / (1 + np.exp(-theta)))}


def binomial(pm, data, form):
    """Logits of groups from a common Normal."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 2)
        tau = pm.HalfNormal("tau", 2)
        theta = effects(pm, "theta", mu, tau, GROUPS, form)
        pm.Binomial("y", n=data["n"], logit_p=theta, observed=data["y"])
    return model


def poisson_data(word):
    """Counts of each group: one trial is exposure that gives about one event."""
    rng = np.random.default_rng(SEED)
    theta = rng.normal(0.0, 0.7, GROUPS)
    return {"n": trials(word).astype(float), "y": rng.poisson(trials(word) * np.exp(theta))}


def poisson(pm, data, form):
    """Log rates of groups from a common Normal."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 2)
        tau = pm.HalfNormal("tau", 2)
        theta = effects(pm, "theta", mu, tau, GROUPS, form)
        pm.Poisson("y", mu=data["n"] * pm.math.exp(theta), observed=data["y"])
    return model


KINDS = {
    "varying": (varying_data, varying),
    "logistic": (logistic_data, logistic),
    "binomial": (binomial_data, binomial),
    "poisson": (poisson_data, poisson),
}


def known(name):
    """Whether a name is one of this module's."""
    return name.split("-")[0] in KINDS


def data(name):
    """The data of a model."""
    kind, size, _ = name.split("-")
    return KINDS[kind][0](size)


def build(name, pm, given):
    """The model in the library `pm` (finetti or PyMC)."""
    kind, _, form = name.split("-")
    return KINDS[kind][1](pm, given, form)


def compared(name):
    """The variables that a model has however it is written: those that sample sizes are taken over."""
    return COMPARED[name.split("-")[0]]
