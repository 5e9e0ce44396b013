"""finetti: the models of `benchmarks.models`."""

from benchmarks.systems.harness import Fit, main


def load():
    """Import the library."""
    import finetti

    return finetti


def count(trace, name):
    """A sum over all draws of a sampler statistic; 0 where no Markov chain was needed."""
    stats = trace["sample_stats"]
    return int(stats[name].sum()) if name in stats else 0


def as_fit(pm, trace):
    """The draws of a trace and what they cost."""
    return Fit(
        draws={name: values.values for name, values in trace["posterior"].data_vars.items()},
        summarise=lambda: pm.summary(trace),
        gradients_warmup=int(trace.attrs.get("tuning_gradients", 0)),
        gradients_sampling=count(trace, "n_steps"),
        divergences=count(trace, "diverging"),
    )


def fits(job, pm, watch):
    """One trace per seed; the library keeps what it compiled for the first."""
    with watch("build"):
        from benchmarks.models import build

        model = build(job.model, pm)
    for seed in job.seeds:
        with model:
            trace = pm.sample(
                job.draws,
                tune=job.tune,
                chains=job.chains,
                cores=job.cores,
                random_seed=seed,
                target_accept=job.target_accept,
                progressbar=False,
                **job.options,
            )
        watch.add("compile", trace.attrs["compile_time"])
        watch.add("sampling", trace.attrs["sampling_time"])
        yield as_fit(pm, trace)


if __name__ == "__main__":
    main(system="finetti", load=load, fits=fits)
