"""Every place of the public API that takes a value from a user, as a function of that value."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

import finetti as pm

DISTRIBUTIONS = [name for name in pm.__all__ if hasattr(getattr(pm, name), "dist")]
SHOWN = ("summary", "plot_forest", "plot_pair", "plot_trace")
SETTINGS = list(inspect.signature(pm.sample).parameters)


@dataclass(frozen=True)
class Slot:
    """A call with one argument open, and the words of which an error must hold one."""

    call: Callable[[Any], Any]
    culprits: tuple[str, ...]


def _model(write: Callable[[Any, pm.Model], Any]) -> Callable[[Any], Any]:
    def call(value: Any) -> Any:
        with pm.Model(coords={"g": ["a", "b", "c"]}) as model:
            pm.Data("d", [1.0, 2.0, 3.0], dims="g")
            pm.Normal("x", 0, 1, dims="g")
            return write(value, model)

    return call


def _observed(value: Any, model: pm.Model) -> Any:
    pm.Normal("new", model["x"], 1, observed=value)
    return model.plan()


WRITING: dict[str, Slot] = {
    "Model(coords=)": Slot(lambda v: pm.Model(coords=v), ("coords", "coord", "dim")),
    "Model(coords={'g': })": Slot(lambda v: pm.Model(coords={"g": v}), ("'g'",)),
    "Normal(name)": Slot(_model(lambda v, m: pm.Normal(v, 0, 1)), ("name", "Normal")),
    "Normal(mu)": Slot(_model(lambda v, m: pm.Normal("new", v, 1)), ("new",)),
    "Normal(sigma)": Slot(_model(lambda v, m: pm.Normal("new", 0, v)), ("new",)),
    "Normal(shape=)": Slot(_model(lambda v, m: pm.Normal("new", 0, 1, shape=v)), ("new",)),
    "Normal(dims=)": Slot(_model(lambda v, m: pm.Normal("new", 0, 1, dims=v)), ("new",)),
    "Normal(observed=)": Slot(_model(_observed), ("new",)),
    "Data(name)": Slot(_model(lambda v, m: pm.Data(v, [1.0, 2.0])), ("name", "Data")),
    "Data(value)": Slot(_model(lambda v, m: pm.Data("new", v)), ("new",)),
    "Data(dims=)": Slot(_model(lambda v, m: pm.Data("new", [1.0, 2.0, 3.0], dims=v)), ("new",)),
    "Deterministic(name)": Slot(_model(lambda v, m: pm.Deterministic(v, m["x"])), ("name", "Deterministic")),
    "Deterministic(value)": Slot(_model(lambda v, m: pm.Deterministic("new", v)), ("new",)),
    "Potential(name)": Slot(_model(lambda v, m: pm.Potential(v, m["x"])), ("name", "Potential")),
    "Potential(value)": Slot(_model(lambda v, m: pm.Potential("new", v)), ("new",)),
    "x[index]": Slot(_model(lambda v, m: m["x"][v]), ("x", "ind")),
    "x + value": Slot(_model(lambda v, m: m["x"] + v), ()),
    "x.sum(axis=)": Slot(_model(lambda v, m: m["x"].sum(axis=v)), ("axis",)),
    "math.concatenate": Slot(_model(lambda v, m: pm.math.concatenate(v)), ()),
    "math.exp": Slot(_model(lambda v, m: pm.math.exp(v)), ()),
    "set_data(values)": Slot(_model(lambda v, m: m.set_data("d", v)), ("d",)),
    "set_data(name)": Slot(_model(lambda v, m: m.set_data(v, [1.0, 2.0, 3.0])), ()),
    "set_data(mapping)": Slot(_model(lambda v, m: pm.set_data(v)), ()),
    "model[name]": Slot(_model(lambda v, m: m[v]), ()),
    "plan(geometry=)": Slot(_model(lambda v, m: m.plan(v)), ("geometry", "x")),
    "wrap": Slot(lambda v: pm.wrap(v), ()),
}


# What distributions made of others are given; those of families stand with them.
MADE: dict[str, Callable[[], dict[str, Any]]] = {
    "Mixture": lambda: {"w": [0.5, 0.5], "comp_dists": [pm.Normal.dist(0, 1), pm.Cauchy.dist(0, 1)]},
    "NormalMixture": lambda: {"w": [0.5, 0.5], "mu": [0.0, 1.0], "sigma": 1.0},
    "Truncated": lambda: {"dist": pm.Normal.dist(0, 1), "lower": -1.0, "upper": 2.0},
    "CustomDist": lambda: {"logp": lambda value: -(value**2), "support": "real", "observed": [0.0, 2.0]},
    "Censored": lambda: {"dist": pm.Normal.dist(0, 1), "lower": -1.0, "upper": 2.0, "observed": [0.0, 2.0]},
}


def _example(name: str) -> dict[str, Any]:
    from finetti.distributions.base import REGISTRY

    if name in MADE:
        return MADE[name]()
    examples = REGISTRY[name].examples
    return dict(examples[0]) if examples else {}


def parameters() -> dict[str, Slot]:
    """Every parameter of every distribution, the others at a valid example."""
    found = {}
    for name in DISTRIBUTIONS:
        example = _example(name)
        for open_ in example:
            rest = {k: v for k, v in example.items() if k != open_}

            def call(value: Any, name=name, open_=open_, rest=rest) -> Any:
                with pm.Model():
                    return getattr(pm, name)("new", **rest, **{open_: value})

            found[f"{name}({open_}=)"] = Slot(call, ("new",))
    return found


def settings() -> dict[str, Slot]:
    """Every setting of `sample`, on a model that draws at once."""

    def slot(name: str) -> Slot:
        def call(value: Any) -> Any:
            with pm.Model() as model:
                x = pm.Normal("x", 0, 1)
                pm.Normal("y", x, 1, observed=[1.0, 2.0])
            how = {"draws": 4, "tune": 4, "chains": 1, "progressbar": False, "random_seed": 1, "model": model}
            return pm.sample(**{**how, name: value})

        return Slot(call, (name, "x", "Model") if name in ("initvals", "geometry", "model") else (name,))

    return {f"sample({name}=)": slot(name) for name in SETTINGS}


@lru_cache
def trace() -> pm.Trace:
    """A small one, with a dim."""
    with pm.Model(coords={"g": ["a", "b", "c"]}):
        mu, tau = pm.Normal("mu", 0, 1), pm.HalfNormal("tau", 1)
        theta = pm.Normal("theta", mu, tau, dims="g")
        pm.Normal("y", theta, 1, observed=[0.1, 1.0, 2.0])
        return pm.sample(20, random_seed=1, progressbar=False)


def shown() -> dict[str, Slot]:
    """Every argument of the summary and the plots, and what is asked of a trace."""
    found = {}
    for function in SHOWN:
        for name in list(inspect.signature(getattr(pm, function)).parameters):
            if name in ("figsize", "ax"):  # Matplotlib's own, and judged by it
                continue

            def call(value: Any, function=function, name=name) -> Any:
                given = {name: value} if name == "trace" else {"trace": trace(), name: value}
                return getattr(pm, function)(**given)

            found[f"{function}({name}=)"] = Slot(call, ())
    found["trace[name]"] = Slot(lambda v: trace()[v], ())
    for name in list(inspect.signature(trace().get_values).parameters)[1:]:
        found[f"get_values({name}=)"] = Slot(lambda v, name=name: trace().get_values("theta", **{name: v}), ())
    found["get_values(name)"] = Slot(lambda v: trace().get_values(v), ())
    return found


def accepted_shape(value: Any) -> tuple[int, ...] | None:
    """The shape NumPy would make of it, where it takes it at all."""
    try:
        return np.empty(value).shape
    except (TypeError, ValueError, MemoryError):
        return None
