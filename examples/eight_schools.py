# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Eight schools
#
# In eight schools in the United States, pupils were coached for a verbal test. Each school ran its own experiment and
# reported an estimated effect, in points of the test, with a standard error (Rubin 1981). Did coaching work, and did
# it work better in some schools than in others?
#
# Each estimate alone is too uncertain to say. Taken as one, they would hide whatever differs between schools. A
# hierarchical model does neither: it learns from the eight estimates together how much schools differ, and pulls each
# estimate towards the common mean as far as that suggests. This is called partial pooling.

# %%
import numpy as np
import pandas as pd

import finetti as ft

schools = pd.DataFrame(
    {
        "school": ["A", "B", "C", "D", "E", "F", "G", "H"],
        "effect": [28, 8, -3, 7, -1, 1, 18, 12],
        "standard_error": [15, 10, 16, 11, 9, 11, 10, 18],
    }
).set_index("school")
schools

# %% [markdown]
# ## The model as a textbook writes it
#
# The true effect $\theta_j$ of each school is drawn around a mean $\mu$ with spread $\tau$, and the estimate $y_j$ is
# drawn around the true effect with the known standard error.

# %%
with ft.Model(coords={"school": schools.index}) as centred:
    mu = ft.Normal("mu", mu=0, sigma=5)
    tau = ft.HalfCauchy("tau", beta=5)
    theta = ft.Normal("theta", mu=mu, sigma=tau, dims="school")
    ft.Normal("y", mu=theta, sigma=schools["standard_error"], observed=schools["effect"], dims="school")

print(centred)

# %% [markdown]
# Printed, the model is what was written, with shapes; that is the moment to see a wrong one.
#
# Left to itself, `sample` looks for an easier way to the same posterior, and for this model finds one. First let us see
# why that is needed: `geometry="as_written"` runs Markov chains on the model just as it stands.

# %%
trace = ft.sample(5000, model=centred, target_accept=0.9, random_seed=8, geometry="as_written")
ft.summary(trace)

# %% [markdown]
# ## What the line below the table says
#
# The columns `r_hat` and `ess_bulk` tell whether the chains agree and how many independent draws they are worth; the
# means are known to about `mcse_mean`. The line below is about the sampler itself:
#
# - **Divergences.** The sampler simulates a ball that rolls over the surface of the posterior, in small straight
#   steps. Where the surface bends more sharply than a step can follow, the simulation breaks down, and that is
#   counted. Some region is then visited too rarely, and nothing in the table above shows which.
# - **E-BFMI** compares how far the ball's energy moves from one draw to the next with how far it has to move. Below
#   0.3 the tails are explored too slowly.
#
# Both say that this run is not to be trusted, however smooth its histograms look. Where it goes wrong is seen in a
# plot of one effect against the logarithm of the spread, with the divergent draws marked.

# %%
ft.plot_pair(trace, ["theta[A]", "log(tau)"])

# %% [markdown]
# It is a funnel. When $\tau$ is small the eight effects must lie close together, when it is large they may lie
# anywhere, and no one step size suits both ends. The divergent draws gather towards the neck. How much of the neck a
# chain sees is left to chance: most hardly enter it, and one that does may not find its way out for thousands of
# draws. So the mean of $\tau$ is too large in one run and too small in the next, and of 20,000 draws of it only a few
# hundred count, if that: see its `ess_bulk`.

# %% [markdown]
# ## The same model in other coordinates
#
# Instead of the effects themselves, let the sampler see how many spreads each lies from the mean:
# $\theta_j = \mu + \tau \eta_j$ with $\eta_j \sim \mathrm{Normal}(0, 1)$. The posterior of $\mu$, $\tau$ and $\theta$
# is exactly the same, but $\eta$ and $\tau$ hardly know of each other and the funnel is gone.
#
# Before it meets the data, let it meet effects we know: schools simulated from $\mu = 5$ and $\tau = 3.5$.


# %%
def non_centred(effect, standard_error):
    with ft.Model(coords={"school": schools.index}) as model:
        mu = ft.Normal("mu", mu=0, sigma=5)
        tau = ft.HalfCauchy("tau", beta=5)
        eta = ft.Normal("eta", mu=0, sigma=1, dims="school")
        theta = ft.Deterministic("theta", mu + tau * eta, dims="school")
        ft.Normal("y", mu=theta, sigma=standard_error, observed=effect, dims="school")
    return model


rng = np.random.default_rng(8)
true_effect = rng.normal(5, 3.5, size=8)
simulated = rng.normal(true_effect, 12)

options = {"target_accept": 0.95, "random_seed": 8, "geometry": "as_written"}
check = ft.sample(4000, model=non_centred(simulated, 12), **options)
ft.summary(check, var_names=["mu", "tau"])

# %% [markdown]
# Both true values lie well inside their intervals, which are wide: eight schools with standard errors of 12 points say
# little about a spread of 3.5.

# %% [markdown]
# ## The schools again

# %%
trace = ft.sample(5000, model=non_centred(schools["effect"], schools["standard_error"]), **options)
ft.summary(trace, var_names=["mu", "tau", "theta"])

# %%
ft.plot_pair(trace, ["theta[A]", "log(tau)"])

# %% [markdown]
# The neck reaches much further down than it seemed to. Compare `ess_bulk` and `r_hat` of $\tau$ with the first table.

# %% [markdown]
# ## Without rewriting by hand
#
# Given $\tau$, everything else in this model is Gaussian and can be integrated out exactly; what is left is one
# dimension, where draws need no Markov chain. `sample` sees that by itself, in the model as the textbook writes it, and
# the trace says what was done. Names, shapes and the posterior are those of the model that was written.

# %%
trace = ft.sample(5000, model=centred, random_seed=8)
print(trace.attrs["geometry"])
ft.summary(trace, var_names=["mu", "tau", "theta"])

# %% [markdown]
# ## The answer

# %%
ft.plot_forest(trace, var_names=["theta"], reference=0, xlabel="effect of coaching, points of the test")

# %% [markdown]
# The estimates ran from -3 to 28 points; the effects, pooled, lie around 4 with wide intervals that overlap nearly
# completely. School A's 28 points were mostly luck. Because the draws are joint, other questions are one line each:

# %%
theta = trace.posterior["theta"]
best = theta.argmax("school")
print(f"Coaching at A helps, probability     {float((theta.sel(school='A') > 0).mean()):.2f}")
print(f"A has the largest effect of all       {float((best == 0).mean()):.2f}")
print(f"A has a larger effect than C          {float((theta.sel(school='A') > theta.sel(school='C')).mean()):.2f}")

# %% [markdown]
# ## Keeping the draws
#
# A trace is an xarray tree in the layout that ArviZ reads. It is saved with its labels, the sampler's statistics, the
# data and the facts of the run.

# %%
trace.to_netcdf("eight_schools.nc")
again = ft.load("eight_schools.nc")
again.posterior["theta"].sel(school="A").mean().item(), again.attrs["random_seed"]
