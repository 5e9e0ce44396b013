"""The reference posteriors, each written once in the syntax that finetti and PyMC share.

A builder takes the library as `pm` and the data as arrays, and returns the model. Two of the posteriors
come in both forms, centred and not; the others in the form a textbook would use.
"""

import numpy as np

from benchmarks import reference, simulated


def eight_schools_centered(pm, data):
    """Effects drawn around mu: the funnel."""
    with pm.Model() as model:
        tau = pm.HalfCauchy("tau", 5)
        mu = pm.Normal("mu", 0, 5)
        theta = pm.Normal("theta", mu, tau, shape=8)
        pm.Normal("y", mu=theta, sigma=data["sigma"], observed=data["y"])
    return model


def eight_schools_noncentered(pm, data):
    """Standard normal effects, scaled by tau."""
    with pm.Model() as model:
        tau = pm.HalfCauchy("tau", 5)
        mu = pm.Normal("mu", 0, 5)
        eta = pm.Normal("eta", 0, 1, shape=8)
        theta = pm.Deterministic("theta", mu + tau * eta)
        pm.Normal("y", mu=theta, sigma=data["sigma"], observed=data["y"])
    return model


def radon_pooled_centered(pm, data):
    """One intercept per county, nothing else."""
    county = data["county_idx"] - 1
    with pm.Model() as model:
        mu_alpha = pm.Normal("mu_alpha", 0, 10)
        sigma_alpha = pm.HalfNormal("sigma_alpha", 1)
        sigma_y = pm.HalfNormal("sigma_y", 1)
        alpha = pm.Normal("alpha", mu_alpha, sigma_alpha, shape=int(data["J"]))
        pm.Normal("y", mu=alpha[county], sigma=sigma_y, observed=data["log_radon"])
    return model


def radon_pooled_noncentered(pm, data):
    """The same posterior from standard normal county effects."""
    county = data["county_idx"] - 1
    with pm.Model() as model:
        mu_alpha = pm.Normal("mu_alpha", 0, 10)
        sigma_alpha = pm.HalfNormal("sigma_alpha", 1)
        sigma_y = pm.HalfNormal("sigma_y", 1)
        alpha_raw = pm.Normal("alpha_raw", 0, 1, shape=int(data["J"]))
        alpha = pm.Deterministic("alpha", mu_alpha + sigma_alpha * alpha_raw)
        pm.Normal("y", mu=alpha[county], sigma=sigma_y, observed=data["log_radon"])
    return model


def radon_intercept_noncentered(pm, data):
    """County intercepts beside the uranium of the county and the floor of the house."""
    county = data["county_idx"] - 1
    with pm.Model() as model:
        mu_alpha = pm.Normal("mu_alpha", 0, 10)
        beta = pm.Normal("beta", 0, 10, shape=2)
        sigma_alpha = pm.HalfNormal("sigma_alpha", 1)
        sigma_y = pm.HalfNormal("sigma_y", 1)
        alpha_raw = pm.Normal("alpha_raw", 0, 1, shape=int(data["J"]))
        alpha = pm.Deterministic("alpha", mu_alpha + sigma_alpha * alpha_raw)
        slopes = beta[0] * data["log_uppm"] + beta[1] * data["floor_measure"]
        pm.Normal("y", mu=alpha[county] + slopes, sigma=sigma_y, observed=data["log_radon"])
    return model


def seeds(pm, data):
    """Logistic regression with one effect per plate, centred as written."""
    x1, x2 = data["x1"], data["x2"]
    with pm.Model() as model:
        alpha0 = pm.Normal("alpha0", 0, 1)
        alpha1 = pm.Normal("alpha1", 0, 1)
        alpha2 = pm.Normal("alpha2", 0, 1)
        alpha12 = pm.Normal("alpha12", 0, 1)
        sigma = pm.HalfCauchy("sigma", 1)
        b = pm.Normal("b", 0, sigma, shape=int(data["I"]))
        eta = alpha0 + alpha1 * x1 + alpha2 * x2 + alpha12 * (x1 * x2) + b
        pm.Binomial("y", n=data["N"], logit_p=eta, observed=data["n"])
    return model


def kilpisjarvi(pm, data):
    """A straight line over years that are not centred."""
    with pm.Model() as model:
        alpha = pm.Normal("alpha", float(data["pmualpha"]), float(data["psalpha"]))
        beta = pm.Normal("beta", float(data["pmubeta"]), float(data["psbeta"]))
        sigma = pm.HalfFlat("sigma")
        pm.Normal("y", mu=alpha + beta * data["x"], sigma=sigma, observed=data["y"])
    return model


def wells_dist(pm, data):
    """Logistic regression on a distance in metres."""
    with pm.Model() as model:
        beta = pm.Flat("beta", shape=2)
        pm.Bernoulli("y", logit_p=beta[0] + beta[1] * data["dist"], observed=data["switched"])
    return model


def glmm_poisson(pm, data):
    """A cubic in the year and one effect per year, from standard normal effects."""
    year = data["year"]
    with pm.Model() as model:
        alpha = pm.Uniform("alpha", -20, 20)
        beta1 = pm.Uniform("beta1", -10, 10)
        beta2 = pm.Uniform("beta2", -10, 10)
        beta3 = pm.Uniform("beta3", -10, 10)
        sigma = pm.Uniform("sigma", 0, 5)
        eps_raw = pm.Normal("eps_raw", 0, 1, shape=int(data["n"]))
        eps = pm.Deterministic("eps", sigma * eps_raw)
        trend = alpha + beta1 * year + beta2 * year**2 + beta3 * year**3
        log_lambda = pm.Deterministic("log_lambda", trend + eps)
        pm.Poisson("C", pm.math.exp(log_lambda), observed=data["C"])
    return model


def ar_k(pm, data):
    """Five lags, given the first five values."""
    y, lags = data["y"], int(data["K"])
    past = np.column_stack([y[lags - k : len(y) - k] for k in range(1, lags + 1)])
    with pm.Model() as model:
        alpha = pm.Normal("alpha", 0, 10)
        beta = pm.Normal("beta", 0, 10, shape=lags)
        sigma = pm.HalfCauchy("sigma", 2.5)
        pm.Normal("y", mu=alpha + past @ beta, sigma=sigma, observed=y[lags:])
    return model


def blr(pm, data):
    """Linear regression without an intercept."""
    with pm.Model() as model:
        beta = pm.Normal("beta", 0, 10, shape=int(data["D"]))
        sigma = pm.HalfNormal("sigma", 10)
        pm.Normal("y", mu=data["X"] @ beta, sigma=sigma, observed=data["y"])
    return model


def kidscore(pm, data):
    """A child's score on the mother's schooling and IQ."""
    with pm.Model() as model:
        beta = pm.Flat("beta", shape=3)
        sigma = pm.HalfCauchy("sigma", 2.5)
        mean = beta[0] + beta[1] * data["mom_hs"] + beta[2] * data["mom_iq"]
        pm.Normal("y", mu=mean, sigma=sigma, observed=data["kid_score"])
    return model


def flat_regression(pm, columns, y):
    """Linear regression with flat priors on an intercept, one slope per column, and sigma."""
    design = np.column_stack([np.ones(len(y)), *columns])
    with pm.Model() as model:
        beta = pm.Flat("beta", shape=design.shape[1])
        sigma = pm.HalfFlat("sigma")
        pm.Normal("y", mu=design @ beta, sigma=sigma, observed=y)
    return model


def nes(pm, data):
    """Party identification on eight columns; ages as three indicators."""
    ages = [(data["age_discrete"] == level).astype(float) for level in (2, 3, 4)]
    columns = [data["real_ideo"], data["race_adj"], *ages, data["educ1"], data["gender"], data["income"]]
    return flat_regression(pm, columns, data["partyid7"].astype(float))


def mesquite_logva(pm, data):
    """Leaf weight on canopy volume, area and group, in logarithms."""
    area = data["diam1"] * data["diam2"]
    columns = [np.log(area * data["canopy_height"]), np.log(area), data["group"]]
    return flat_regression(pm, columns, np.log(data["weight"]))


def logearn_interaction(pm, data):
    """Log earnings on height, sex and their product."""
    height, male = data["height"], data["male"]
    return flat_regression(pm, [height, male, height * male], np.log(data["earn"]))


MODELS = {
    "eight_schools-eight_schools_centered": eight_schools_centered,
    "eight_schools-eight_schools_noncentered": eight_schools_noncentered,
    "radon_mn-radon_partially_pooled_centered": radon_pooled_centered,
    "radon_mn-radon_partially_pooled_noncentered": radon_pooled_noncentered,
    "radon_mn-radon_hierarchical_intercept_noncentered": radon_intercept_noncentered,
    "seeds_data-seeds_stanified_model": seeds,
    "kilpisjarvi_mod-kilpisjarvi": kilpisjarvi,
    "wells_data-wells_dist": wells_dist,
    "GLMM_Poisson_data-GLMM_Poisson_model": glmm_poisson,
    "arK-arK": ar_k,
    "sblrc-blr": blr,
    "kidiq-kidscore_momhsiq": kidscore,
    "nes1980-nes": nes,
    "mesquite-logmesquite_logva": mesquite_logva,
    "earnings-logearn_interaction": logearn_interaction,
}


FIRST_CELL = "eight_schools-first_cell"


def first_cell(pm, schools):
    """The first model of the eight schools notebook, letter for letter; `schools` is its pandas frame."""
    with pm.Model() as centered_model:
        # Hyperparameters
        tau = pm.HalfCauchy("tau", 5)
        mu = pm.Normal("mu", mu=0, sigma=5)

        # Parameter vector
        theta = pm.Normal("theta", mu=mu, sigma=tau, shape=8)

        # Data likelihood
        pm.Normal("y_obs", mu=theta, sigma=schools["SE"], observed=schools["Effect"])
    return centered_model


def schools_frame():
    """The notebook's table."""
    import pandas as pd

    given = reference.eight_schools()
    return pd.DataFrame({"School": list("ABCDEFGH"), "Effect": given["y"], "SE": given["sigma"]})


def data(name):
    """The data of a model by name, as its builder wants them."""
    if name == FIRST_CELL:
        return schools_frame()
    if simulated.known(name):
        return simulated.data(name)
    return {key: np.asarray(values) for key, values in reference.data(name).items()}


def build(name, pm, given):
    """A model in the library `pm` (finetti or PyMC) from its data."""
    if name == FIRST_CELL:
        return first_cell(pm, given)
    if simulated.known(name):
        return simulated.build(name, pm, given)
    return MODELS[name](pm, given)
