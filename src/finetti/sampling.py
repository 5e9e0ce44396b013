"""`sample`: the whole program, from a model to a trace."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from finetti.calls import hinted
from finetti.density import Density, density_of
from finetti.distributions.flat import flat_priors
from finetti.distributions.guards import guarded
from finetti.engines.choose import draw
from finetti.engines.contract import Drawn, Order, Target
from finetti.engines.memory import keep_freed_memory, memory_of_machine
from finetti.engines.rounding import near_the_data, roughness, spoilt_at_its_centre, unspoilt
from finetti.engines.settings import Settings
from finetti.engines.start import NoStart, checked_wishes, with_initvals
from finetti.engines.threads import threads_for
from finetti.engines.unvisited import SEARCHED, unvisited
from finetti.errors import ModelError, SamplingError
from finetti.hints import OF_SAMPLE
from finetti.interrupts import forget, held
from finetti.model.context import Model
from finetti.model.planned import Geometry
from finetti.planning import AS_WRITTEN, Plan, plan
from finetti.trace import Trace

TOO_PRECISE = (
    "latents were not integrated out: the data fix them so much more closely than their priors that rounding would "
    "spoil the marginal density; they stayed in the chain"
)
STATISTICS = 8  # numbers that a sampler tells of each draw
MOST = {"draws": 10**9, "tune": 10**9, "chains": 10_000, "cores": 10**6}
logger = logging.getLogger("finetti")


@hinted(OF_SAMPLE)
def sample(
    draws: int = 1000,
    *,
    tune: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    target_accept: float | None = None,
    random_seed: int | Sequence[int] | np.random.Generator | np.random.SeedSequence | None = None,
    progressbar: bool = True,
    initvals: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    max_treedepth: int = 10,
    step: Literal["auto", "split", "leapfrog", "walnuts"] = "auto",
    geometry: Geometry = "auto",
    model: Model | None = None,
) -> Trace:
    """Draw from the posterior of a model.

    The model is first put into a geometry that is easy to sample: Gaussian latents are integrated out exactly and
    drawn back; where one or two unknowns are left, draws are independent and there is no Markov chain; where a few are
    left, the chain's proposals come from a distribution fitted to their posterior; all else is sampled with NUTS.
    `print(trace.geometry)` tells what was done. Chains run on threads of this process;
    the same seed gives the same draws whatever the number of cores. Ctrl-C returns what has been drawn, marked by the
    attribute `interrupted`.

    Args:
        draws: draws to keep from each chain.
        tune: warmup transitions of each chain, not kept; fewer where `step` is "split" and nothing is left to learn.
        chains: independent chains.
        cores: chains that run at the same time; by default as many as the machine has processors.
        target_accept: mean acceptance rate the step size is tuned to, between 0 and 1; by default 0.8, and 0.7 for
            steps along a Gaussian (see `step`) where that is good enough to be used.
        random_seed: an int or ints, or a NumPy `SeedSequence`, noted in the trace; or a NumPy `Generator`, from which
            some are drawn, so that the next call with it draws others; by default from the system.
        progressbar: show one, where there is a terminal or notebook.
        initvals: start values by variable name, for all chains, or one such mapping for each chain; they come before
            a variable's own `initval=`. Draws without a chain need none.
        max_treedepth: doublings of a trajectory at most, from 1 to 20.
        step: how NUTS gets from one point of a trajectory to the next. "split": along the Gaussian that warmup has
            learned, exactly, with kicks by what the posterior has besides; long steps where it is all but Gaussian.
            "leapfrog": in one leapfrog step of a fixed length. "walnuts": in as many shorter leapfrog steps as the
            curvature on the way asks for, so that a chain gets into a funnel's neck and out again; on a model
            without a funnel it costs up to a fifth more gradients for the same precision. "auto": "split", and
            "leapfrog" with `geometry="as_written"`. Named, it also asks for NUTS where proposals would serve; with
            one or two unknowns left it does not matter.
        geometry: "auto"; "as_written" for plain NUTS on the model as it stands; or a mapping from a variable's name to
            "centered", "noncentered" or "sampled", which keeps that variable in the chain.
        model: by default the one being written.

    Returns:
        Draws of every unknown and deterministic (chain, draw, *shape), the sampler's statistics and the data.

    Raises:
        ModelError: no model is open, or it has no unknown.
        SamplingError: settings out of range, or no start with a finite density.

    Source:
        Hoffman and Gelman (2014), JMLR 15; Betancourt (2017), arXiv 1701.02434, appendix A; warmup after nutpie;
        step="split": Casas, Sanz-Serna, Shaw (2022), Statistics and Computing 32, on preconditioned splitting;
        step="walnuts": Bou-Rabee, Carpenter, Kleppe, Liu (2025), arXiv 2506.18746.

    Example:
        >>> import finetti as pm
        >>> with pm.Model():
        ...     mu = pm.Normal("mu", 0, 10)
        ...     y = pm.Normal("y", mu, 1, observed=[1.2, 0.7, 1.9])
        ...     trace = pm.sample(200, tune=200, random_seed=1)
        >>> trace["posterior"]["mu"].shape
        (4, 200)
    """
    with held():
        if not isinstance(progressbar, bool | np.bool_):
            raise SamplingError(f"progressbar must be True or False; got {progressbar!r}.")
        how = how_of(
            draws, tune=tune, chains=chains, cores=cores, target_accept=target_accept, initvals=initvals,
            max_treedepth=max_treedepth, step=step, geometry=geometry,
        )  # fmt: skip
        trace = fitted(_model(model), how, seed_of(random_seed), progressbar=progressbar)
        if words := doubts(trace):
            logger.warning(words)
        forget()  # a Ctrl-C that comes after the last draw
    return trace


@dataclass(frozen=True)
class How:
    """How to sample, checked; see `sample` for each."""

    settings: Settings
    chains: int
    cores: int | None
    geometry: Geometry
    step: str
    initvals: Any


@hinted(OF_SAMPLE)
def how_of(
    draws: int = 1000, *, tune: int = 1000, chains: int = 4, cores: int | None = None,
    target_accept: float | None = None, initvals: Any = None, max_treedepth: int = 10, step: str = "auto",
    geometry: Geometry = "auto",
) -> How:  # fmt: skip
    """The arguments of `sample` that say how to sample.

    Raises:
        SamplingError: for settings out of range.
    """
    settings = _checked(draws, tune, chains, cores, target_accept, max_treedepth, _stepper(step, geometry))
    return How(settings, chains, cores, geometry, step, initvals)


def fitted(model: Model, how: How, seed: np.random.SeedSequence, *, progressbar: bool = False) -> Trace:
    """The draws of one model; nothing is said of them.

    Args:
        model: the model.
        how: to sample.
        seed: where all random numbers come from.
        progressbar: show one.
    """
    *seeds, seed_of_rest = seed.spawn(how.chains + 1)
    rng = np.random.default_rng(seed_of_rest)
    settings, geometry = how.settings, how.geometry

    planned = plan(model, geometry)
    density = density_of(model, planned.reductions, planned.coordinates)
    starts = with_initvals(model.initvals, how.initvals, how.chains)
    checked_wishes(density, starts, how.chains)
    _refuse_too_many(settings, how.chains, model)
    as_written = isinstance(geometry, str) and geometry == AS_WRITTEN
    target = Target(density.size, bool(density.reductions), as_written=as_written, step=how.step)
    order = Order(density, settings, seeds, rng, how.cores, starts, progressbar)
    keep_freed_memory()
    with np.errstate(all="ignore"):  # a point too far out is no event; what comes of it is judged
        drawn = _draw(order, target)
        if drawn is None:
            near = near_the_data(density, starts, how.chains, rng)
            planned = _all_in_the_chain(model, geometry, density)
            density = density_of(model, planned.reductions, planned.coordinates)
            settings = replace(settings, step=_stepper(how.step, geometry if planned.coordinates else AS_WRITTEN))
            drawn = draw(replace(order, density=density, settings=settings, starts=near), _by_nuts(density))
        checked = {"rounding": _roughness(density, drawn), **_missed(density, drawn, rng)}
    facts = _facts(settings, seed, geometry) | _of_model(model, density) | dict(drawn.told.facts) | checked
    return _trace(model, density, planned, drawn, facts, rng, threads_for(how.chains, how.cores))


def _by_nuts(density: Density) -> Target:
    """A target that only NUTS takes."""
    return Target(density.size, False, as_written=True)


def _all_in_the_chain(model: Model, geometry: Geometry, density: Density) -> Plan:
    """A plan that integrates nothing out: the model as written, where no member has a centring to learn."""
    members = {member: "sampled" for reduction in density.reductions for member in reduction.members}
    by_name = {str(member.name): wish for member, wish in members.items()}
    planned = plan(model, by_name | (dict(geometry) if isinstance(geometry, Mapping) else {}))
    if members.keys() & planned.coordinates.keys():
        return planned.with_notes(TOO_PRECISE)
    return plan(model, AS_WRITTEN).with_notes(TOO_PRECISE)


def _refuse_too_many(settings: Settings, chains: int, model: Model) -> None:
    """Refuse to begin with what no memory would hold in the end."""
    numbers = sum(node.size for node in (*model.free, *model.deterministics)) + STATISTICS
    needed, there = 8 * chains * settings.draws * numbers, memory_of_machine()
    if needed > there:
        raise SamplingError(
            f"{chains} chains of draws={settings.draws:,} of {numbers:,} numbers take {needed / 2**30:,.0f} GiB; this "
            f"machine has {there / 2**30:,.0f} GiB of memory. Ask for fewer draws."
        )


def _draw(order: Order, target: Target) -> Drawn | None:
    """Draws; None where rounding spoils the density with its latents integrated out."""
    density = order.density
    try:
        drawn = draw(order, target)
    except NoStart:  # where rounding leaves nothing of the marginal density no point has a finite one
        if not density.reductions or not spoilt_at_its_centre(density):
            raise
        return None
    return drawn if not density.reductions or _holds(density, drawn) else None


def _holds(density: Density, drawn: Drawn) -> bool:
    """Whether rounding spared the draws; where even that can't be told they are kept, for the verdict to judge."""
    try:
        return unspoilt(density, drawn)
    except Exception as error:
        logger.warning(f"Whether rounding spoils the draws could not be checked: {error!r}.")
        return True


def _roughness(density: Density, drawn: Drawn) -> float:
    """How far rounding scatters the log density; where that can't be told, by nothing."""
    try:
        return roughness(density, drawn) if density.size else 0.0
    except Exception as error:
        logger.warning(f"How far rounding scatters the log density could not be checked: {error!r}.")
        return 0.0


def _missed(density: Density, drawn: Drawn, rng: np.random.Generator) -> dict[str, Any]:
    """What a search for modes says of a chain that could not have seen them."""
    if not drawn.told.facts.get("unseen"):
        return {}
    try:
        found = unvisited(density, drawn, rng.spawn(1)[0])
    except Exception as error:
        logger.warning(f"Whether the chains missed a mode could not be checked: {error!r}.")
        found = None
    if found is None:
        return {}
    return {"unvisited": found[0] if found else "", "unseen": "" if found else SEARCHED}


def _trace(model: Model, density: Density, planned: Plan, drawn: Drawn, facts, rng, threads: int) -> Trace:
    """The trace; of what could be computed, where something could not, for draws are never lost."""
    from finetti.collect import trace_of
    from finetti.rescue import rescued

    attrs = facts
    try:
        attrs = facts | {"geometry": str(planned.carried_out(drawn.told))}
        return trace_of(model, density, drawn, attrs=attrs, rng=rng, threads=threads)
    except (Exception, KeyboardInterrupt) as error:
        return rescued(model, density, drawn, attrs=attrs, rng=rng, error=error)


def _checked(draws, tune, chains, cores, target_accept, max_treedepth, step) -> Settings:
    whole = (("draws", draws, 1), ("tune", tune, 0), ("chains", chains, 1), ("cores", 1 if cores is None else cores, 1))
    for name, value, least in whole:
        if not _is_whole(value) or not least <= value <= MOST[name]:
            most = f", and {MOST[name]:,} at most" if _is_whole(value) and value > MOST[name] else ""
            raise SamplingError(f"{name} must be a whole number, {least} or more{most}; got {value!r}.")
    known = target_accept is None or isinstance(target_accept, (float, int, np.floating))
    if not known or (target_accept is not None and not 0 < target_accept < 1):
        raise SamplingError(f"target_accept must be a number between 0 and 1; got {target_accept!r}.")
    if not _is_whole(max_treedepth) or not 1 <= max_treedepth <= 20:
        raise SamplingError(f"max_treedepth must be a whole number from 1 to 20; got {max_treedepth!r}.")
    if not isinstance(step, str) or step not in ("split", "leapfrog", "walnuts"):
        raise SamplingError(f'step must be "auto", "split", "leapfrog" or "walnuts"; got {step!r}.')
    target = None if target_accept is None else float(target_accept)
    return Settings(int(draws), int(tune), target, int(max_treedepth), step)


def _stepper(step: Any, geometry: Geometry) -> Any:
    """The stepper's name; plain NUTS for a model as written."""
    if not isinstance(step, str) or step != "auto":
        return step
    return "leapfrog" if isinstance(geometry, str) and geometry == AS_WRITTEN else "split"


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _model(model: Any) -> Model:
    if model is not None and not isinstance(model, Model):
        raise ModelError(f"`model=` takes a Model; got {model!r}.")
    return Model.current() if model is None else model


def seed_of(random_seed: Any) -> np.random.SeedSequence:
    """Where random numbers come from, out of what a user may give."""
    if isinstance(random_seed, np.random.SeedSequence):  # the same one again gives the same draws
        return np.random.SeedSequence(random_seed.entropy, spawn_key=random_seed.spawn_key)
    try:
        if isinstance(random_seed, list | tuple | np.ndarray) and not len(random_seed):
            raise ValueError("no number")
        if isinstance(random_seed, np.random.Generator):
            random_seed = random_seed.integers(2**63, size=2).tolist()
        elif isinstance(random_seed, np.random.RandomState):
            random_seed = random_seed.randint(2**31, size=4).tolist()
        return np.random.SeedSequence(random_seed)
    except (TypeError, ValueError) as error:
        raise SamplingError(
            "random_seed must be a whole number, 0 or more, or a list of them, or a NumPy Generator or SeedSequence; "
            f"got {random_seed!r}."
        ) from error


def _of_model(model: Model, density: Density) -> dict[str, str]:
    """What the verdict wants to know of a model."""
    empty = ", ".join(repr(node.name) for node in model.observed if not node.size)
    priors = flat_priors(model.free)
    return {"guarded": guarded(density.guards), "flat_priors": priors, "empty_data": empty}


def _facts(settings: Settings, seed: np.random.SeedSequence, geometry: Geometry) -> dict[str, Any]:
    """What is worth knowing of any run afterwards."""
    import sys

    import finetti

    return {
        "inference_library_version": finetti.__version__,
        "python_version": ".".join(map(str, sys.version_info[:3])),
        "numpy_version": np.__version__,
        "random_seed": " ".join(map(str, (seed.entropy, *seed.spawn_key))),
        "draws_requested": settings.draws,
        "geometry_asked": geometry if isinstance(geometry, str) else "by name",
        "compile_time": 0.0,
        "interrupted": False,
    }


def doubts(trace: Trace) -> str:
    """In one line, what is wrong with the run; "" if nothing is. A failure to judge loses no draws."""
    from finetti.diagnostics.verdict import verdict_of

    try:
        verdict = verdict_of(trace)
        return "" if verdict.ok else verdict.line()
    except Exception as error:
        lost = trace.attrs.get("incomplete", "")
        return f"The draws are here, but could not be judged ({error!r}): look at `summary` before you use them. {lost}"
