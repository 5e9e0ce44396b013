"""NumPyro in double precision; `--options '{"chain_method": "vectorized"}'` chooses how chains are run."""

import sys

from benchmarks.systems.harness import Fit, main


def load():
    """Import the library; precision and devices must be set before JAX makes its first array."""
    import numpyro

    numpyro.enable_x64()
    if "parallel" in " ".join(sys.argv):
        numpyro.set_host_device_count(4)  # one device per chain, which is how NumPyro runs them at once
    return numpyro


def eight_schools_centered(numpyro, y, sigma):
    """Eight schools as a textbook writes it."""
    from numpyro import distributions as dist

    tau = numpyro.sample("tau", dist.HalfCauchy(5))
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    with numpyro.plate("school", len(y)):
        theta = numpyro.sample("theta", dist.Normal(mu, tau))
        numpyro.sample("y", dist.Normal(theta, sigma), obs=y)


def eight_schools_noncentered(numpyro, y, sigma):
    """The same posterior from standard normal effects."""
    from numpyro import distributions as dist

    tau = numpyro.sample("tau", dist.HalfCauchy(5))
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    with numpyro.plate("school", len(y)):
        eta = numpyro.sample("eta", dist.Normal(0, 1))
        theta = numpyro.deterministic("theta", mu + tau * eta)
        numpyro.sample("y", dist.Normal(theta, sigma), obs=y)


MODELS = {
    "eight_schools-eight_schools_centered": eight_schools_centered,
    "eight_schools-eight_schools_noncentered": eight_schools_noncentered,
}


def fits(job, numpyro, watch):
    """One run per seed; compiling and sampling are one call here, so one number."""
    import jax
    import numpy as np
    from numpyro.infer import MCMC, NUTS

    from benchmarks.reference import eight_schools

    data = {name: np.asarray(values, float) for name, values in eight_schools().items()}
    with watch("build"):
        kernel = NUTS(lambda: MODELS[job.model](numpyro, **data), target_accept_prob=job.peers_target)
        mcmc = MCMC(
            kernel,
            num_warmup=job.tune,
            num_samples=job.draws,
            num_chains=job.chains,
            progress_bar=False,
            **job.options,
        )
    for seed in job.seeds:
        with watch("compile_and_sampling"):
            mcmc.run(jax.random.PRNGKey(seed))
            draws = jax.device_get(mcmc.get_samples(group_by_chain=True))
        yield Fit(
            draws=draws,
            summarise=lambda draws=draws: numpyro.diagnostics.summary(draws),
            divergences=int(mcmc.get_extra_fields()["diverging"].sum()),
        )


if __name__ == "__main__":
    main(system="NumPyro", load=load, fits=fits)
