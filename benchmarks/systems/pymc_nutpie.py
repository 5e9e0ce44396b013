"""PyMC's models, sampled by nutpie with its numba backend and its default settings.

nutpie's `n_steps` is the number of leapfrog steps of a draw: against a log density that counts its own
calls the sums agree but for the handful of evaluations at the start (2,916 steps, 2,932 calls).
"""

from types import SimpleNamespace

from benchmarks.systems.harness import Fit, main


def load():
    """Import both libraries."""
    import nutpie
    import pymc

    return SimpleNamespace(pm=pymc, nutpie=nutpie)


def as_fit(trace, seconds):
    """The draws of a trace and what they cost."""
    import arviz  # PyMC has imported it already

    return Fit(
        draws={name: values.values for name, values in trace["posterior"].data_vars.items()},
        summarise=lambda: arviz.summary(trace),
        gradients_warmup=int(trace["warmup_sample_stats"]["n_steps"].sum()),
        gradients_sampling=int(trace["sample_stats"]["n_steps"].sum()),
        divergences=int(trace["sample_stats"]["diverging"].sum()),
        seconds={"sampling": seconds, "chain": seconds},
    )


def fits(job, library, watch):
    """One trace per seed from one compiled model."""
    from benchmarks.models import build, data

    with watch("data"):
        given = data(job.model)
    with watch("build"):
        model = build(job.model, library.pm, given)
    with watch("compile"):
        compiled = library.nutpie.compile_pymc_model(model, backend="numba")
    for seed in job.seeds:
        with watch("sampling"):
            trace = library.nutpie.sample(
                compiled,
                draws=job.draws,
                tune=job.tune,
                chains=job.chains,
                cores=job.cores,
                seed=seed,
                target_accept=job.peers_target,
                progress_bar=False,
                **job.options,
            )
        yield as_fit(trace, watch.last)


if __name__ == "__main__":
    main(system="PyMC + nutpie", load=load, fits=fits)
