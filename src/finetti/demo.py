"""The eight schools, from the table to the forest plot: what the first notebook did, as one function."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import finetti as ft

SCHOOLS = tuple("ABCDEFGH")
EFFECT = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])  # points of a test score
STANDARD_ERROR = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])

Say = Callable[[object], None]


def centred(effect: np.ndarray, standard_error: Any) -> ft.Model:
    """The textbook's form: every school's effect drawn around the mean."""
    with ft.Model(coords={"school": SCHOOLS}) as model:
        mu = ft.Normal("mu", mu=0, sigma=5)
        tau = ft.HalfCauchy("tau", 5)
        theta = ft.Normal("theta", mu=mu, sigma=tau, dims="school")
        ft.Normal("y", mu=theta, sigma=standard_error, observed=effect)
    return model


def non_centred(effect: np.ndarray, standard_error: Any) -> ft.Model:
    """The same model, written so that the sampler sees independent standard normals."""
    with ft.Model(coords={"school": SCHOOLS}) as model:
        mu = ft.Normal("mu", mu=0, sigma=5)
        tau = ft.HalfCauchy("tau", 5)
        eta = ft.Normal("eta", 0, 1, dims="school")
        theta = ft.Deterministic("theta", mu + tau * eta, dims="school")
        ft.Normal("y", mu=theta, sigma=standard_error, observed=effect)
    return model


def run(*, output: Path, say: Say, draws: int = 5000, random_seed: int = 8, progressbar: bool = True) -> None:
    """Run the whole story.

    Args:
        output: folder for the pictures, made if it is not there.
        say: receives each line of the report.
        draws: draws of each of four chains.
        random_seed: for the simulated data and the chains.
        progressbar: show one.
    """
    import matplotlib

    matplotlib.use("Agg")
    output.mkdir(parents=True, exist_ok=True)
    options = {"draws": draws, "random_seed": random_seed, "progressbar": progressbar}
    say("Eight schools: effects of coaching on a test score, with standard errors (Rubin 1981)\n")
    for school, effect, error in zip(SCHOOLS, EFFECT, STANDARD_ERROR, strict=True):
        say(f"  {school}  {effect:6.0f}  +/- {error:.0f}")
    _as_written(output, say, options)
    _by_hand(output, say, options)
    _simulated(say, options)
    _found(output, say, options)


def _as_written(output: Path, say: Say, options: dict[str, Any]) -> None:
    model = centred(EFFECT, STANDARD_ERROR)
    say(f"\n1. Written centred, as in the textbook, and sampled with NUTS as it stands\n\n{model}\n")
    with _timed(say):
        trace = ft.sample(model=model, target_accept=0.9, geometry="as_written", **options)
    say(ft.summary(trace, var_names=["mu", "tau"]))
    _save(ft.plot_pair(trace, ["theta[0]", "log(tau)"]), output / "funnel_as_written.png", say)


def _by_hand(output: Path, say: Say, options: dict[str, Any]) -> None:
    model = non_centred(EFFECT, STANDARD_ERROR)
    say(f"\n2. Rewritten by hand, non-centred, and sampled as it stands\n\n{model}\n")
    with _timed(say):
        trace = ft.sample(model=model, target_accept=0.95, geometry="as_written", **options)
    say(ft.summary(trace, var_names=["mu", "tau"]))
    _save(ft.plot_pair(trace, ["theta[0]", "log(tau)"]), output / "funnel_non_centred.png", say)


def _simulated(say: Say, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(options["random_seed"])
    truth = {"mu": 5.0, "tau": 3.5}
    theta = rng.normal(truth["mu"], truth["tau"], len(SCHOOLS))
    effect = rng.normal(theta, 12.0)
    say(f"\n3. Simulated from mu = {truth['mu']}, tau = {truth['tau']}, every standard error 12: is the truth found?\n")
    with _timed(say):
        trace = ft.sample(model=centred(effect, 12.0), **options)
    say(ft.summary(trace, var_names=["mu", "tau"]))


def _found(output: Path, say: Say, options: dict[str, Any]) -> None:
    model = centred(EFFECT, STANDARD_ERROR)
    say("\n4. The textbook's model again; the geometry is found\n")
    with _timed(say):
        trace = ft.sample(model=model, **options)
    say(f"{trace.geometry}\n")
    say(ft.summary(trace, var_names=["mu", "theta", "tau"]))
    _save(ft.plot_pair(trace, ["theta[0]", "log(tau)"]), output / "funnel.png", say)
    _save(ft.plot_forest(trace, var_names=["theta"]), output / "forest.png", say)
    _save(ft.plot_trace(trace, var_names=["mu", "tau"]), output / "trace.png", say)
    path = output / "eight_schools.nc"
    trace.to_netcdf(path)
    say(f"wrote {path}")


@contextmanager
def _timed(say: Say) -> Iterator[None]:
    began = time.perf_counter()
    yield
    say(f"sampled in {time.perf_counter() - began:.2f} s, compilation included\n")


def _save(axes: Any, path: Path, say: Say) -> None:
    figure = np.atleast_1d(np.asarray(axes, dtype=object)).flat[0].figure
    figure.savefig(path, dpi=150, bbox_inches="tight")
    say(f"wrote {path}")
