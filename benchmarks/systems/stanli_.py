"""Stan's own models and sampler, run by the interpreter stanli."""

from benchmarks.systems.harness import Fit, main

DATA = """
data {
  int<lower=0> J;
  vector[J] y;
  vector<lower=0>[J] sigma;
}
"""

EIGHT_SCHOOLS_CENTERED = (
    DATA
    + """
parameters {
  real mu;
  real<lower=0> tau;
  vector[J] theta;
}
model {
  tau ~ cauchy(0, 5);
  mu ~ normal(0, 5);
  theta ~ normal(mu, tau);
  y ~ normal(theta, sigma);
}
"""
)

EIGHT_SCHOOLS_NONCENTERED = (
    DATA
    + """
parameters {
  real mu;
  real<lower=0> tau;
  vector[J] eta;
}
transformed parameters {
  vector[J] theta = mu + tau * eta;
}
model {
  tau ~ cauchy(0, 5);
  mu ~ normal(0, 5);
  eta ~ std_normal();
  y ~ normal(theta, sigma);
}
"""
)

MODELS = {
    "eight_schools-eight_schools_centered": EIGHT_SCHOOLS_CENTERED,
    "eight_schools-eight_schools_noncentered": EIGHT_SCHOOLS_NONCENTERED,
}


def load():
    """Import the library."""
    import stanli

    return stanli


def as_fit(fit, job):
    """The draws, each variable as (chain, draw, ...), and the leapfrogs after warmup."""
    names = ("mu", "tau", "theta")
    draws = {name: fit[name].reshape(job.chains, job.draws, *fit[name].shape[1:]) for name in names}
    return Fit(
        draws=draws,
        summarise=lambda: str(fit.summary()),
        gradients_sampling=int(fit["n_leapfrog__"].sum()),
        divergences=int(fit.divergences.sum()),
    )


def fits(job, stanli, watch):
    """One fit per seed from one interpreted program."""
    from benchmarks.reference import eight_schools

    data = eight_schools()
    with watch("compile"):
        model = stanli.Model(stan_code=MODELS[job.model], data={"J": len(data["y"]), **data})
    for seed in job.seeds:
        with watch("sampling"):
            fit = model.sample(
                chains=job.chains,
                seed=seed,
                warmup=job.tune,
                samples=job.draws,
                delta=job.peers_target,
                parallel_chains=job.cores,
                refresh=0,
                **job.options,
            )
        yield as_fit(fit, job)


if __name__ == "__main__":
    main(system="stanli", load=load, fits=fits)
