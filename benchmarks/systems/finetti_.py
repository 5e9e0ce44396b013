"""finetti: the models of `benchmarks.models`; `--options '{"geometry": "as_written"}'` for NUTS as it is written."""

import time

from benchmarks.systems.harness import Fit, main


def load():
    """Import the library."""
    import finetti

    return finetti


def count(trace, name):
    """A sum over all draws of a sampler statistic; 0 where no Markov chain was needed."""
    stats = trace["sample_stats"]
    return int(stats[name].sum()) if name in stats else 0


def as_fit(pm, trace, seconds):
    """The draws of a trace and what they cost."""
    return Fit(
        draws={name: values.values for name, values in trace["posterior"].data_vars.items()},
        summarise=lambda: pm.summary(trace),
        gradients_warmup=int(trace.attrs.get("tuning_gradients", 0)),
        gradients_sampling=count(trace, "n_steps"),
        divergences=count(trace, "diverging"),
        sampler=trace.attrs["sampler"],
        seconds=seconds,
    )


def spent(trace, call):
    """Seconds by phase: `sampling` is the whole call but for compiling, `chain` the chains or the grid alone."""
    compiling, chain = (float(trace.attrs.get(name, 0.0)) for name in ("compile_time", "sampling_time"))
    return {"sampling": call - compiling, "compile": compiling, "chain": chain, "rest": call - compiling - chain}


def planning(pm, job, model):
    """Seconds to plan the geometry once more: `sample` does it by itself."""
    start = time.monotonic()
    pm.plan(model, job.options.get("geometry", "auto"))
    return {"plan": time.monotonic() - start}


def fits(job, pm, watch):
    """One trace per seed; the library keeps what it compiled for the first."""
    from benchmarks.models import build, data

    with watch("data"):
        given = data(job.model)
    with watch("build"):
        model = build(job.model, pm, given)
    for seed in job.seeds:
        with watch("call"), model:
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
        seconds = spent(trace, watch.last)
        watch.add("compile", seconds["compile"])
        watch.add("sampling", seconds["chain"])
        yield as_fit(pm, trace, seconds | (planning(pm, job, model) if job.profile else {}))


if __name__ == "__main__":
    main(system="finetti", load=load, fits=fits)
