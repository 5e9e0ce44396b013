"""A name of PyMC that is not there says what to write instead, and that is there."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import numpy as np
import pytest

import finetti as pm
from finetti import hints
from finetti.errors import ArgumentError, ModelError

TABLES = {
    "NAMES": hints.NAMES, "IN_MODEL": hints.IN_MODEL, "OF_SAMPLE": hints.OF_SAMPLE,
    "OF_DISTRIBUTIONS": hints.OF_DISTRIBUTIONS, "IN_MATH": hints.IN_MATH, "OF_MODELS": hints.OF_MODELS,
    "IN_VARIABLES": hints.IN_VARIABLES, "OF_SUMMARY": hints.OF_SUMMARY, "OF_PLOTS": hints.OF_PLOTS,
}  # fmt: skip


def model() -> pm.Model:
    with pm.Model() as written:
        x = pm.Normal("x", 0, 1, shape=3)
        pm.Deterministic("twice", 2 * x)
        pm.Normal("y", x, 1, observed=[1.0, 2.0, 3.0])
    return written


@pytest.mark.parametrize("name", hints.NAMES)
def test_a_name_of_the_package(name):
    with pytest.raises(AttributeError, match=f"'finetti' has no attribute {name!r}: ."):
        getattr(pm, name)


@pytest.mark.parametrize("name", hints.IN_MODEL)
def test_a_name_of_a_model(name):
    assert not hasattr(model(), name) or name == "deterministic"
    with pytest.raises(AttributeError, match=f"A Model has no attribute {name!r}: ."):
        getattr(model(), name)


@pytest.mark.parametrize("name", hints.IN_MATH)
def test_a_name_of_math(name):
    with pytest.raises(AttributeError, match=f"finetti.math has no attribute {name!r}: ."):
        getattr(pm.math, name)


@pytest.mark.parametrize("name", hints.OF_SAMPLE)
def test_an_argument_of_sample(name):
    with pytest.raises(ArgumentError, match=f"sample has no argument {name!r}: ."):
        pm.sample(model=model(), **{name: 1})


@pytest.mark.parametrize("name", hints.OF_DISTRIBUTIONS)
def test_an_argument_of_a_distribution(name):
    with pm.Model(), pytest.raises(ModelError, match=f"has no parameter {name!r}.*For {name!r}: ."):
        pm.Normal("x", 0, **{name: 1})


@pytest.mark.parametrize("name", hints.OF_MODELS)
def test_an_argument_of_a_model(name):
    with pytest.raises(ArgumentError, match=f"Model has no argument {name!r}: ."):
        pm.Model(**{name: 1})


@pytest.mark.parametrize("name", hints.IN_VARIABLES)
def test_a_name_of_a_variable(name):
    x = model().named["x"]
    with pytest.raises(AttributeError, match=f"'x' has no attribute {name!r}: ."):
        getattr(x, name)
    with pytest.raises(AttributeError, match=f"has no attribute {name!r}: ."):
        getattr(2 * x, name)


@pytest.mark.parametrize("name", hints.OF_SUMMARY)
def test_an_argument_of_summary(name):
    with pytest.raises(ArgumentError, match=f"summary has no argument {name!r}: ."):
        pm.summary(None, **{name: 1})


@pytest.mark.parametrize("plot", [pm.plot_forest, pm.plot_pair, pm.plot_trace], ids=lambda plot: plot.__name__)
@pytest.mark.parametrize("name", hints.OF_PLOTS)
def test_an_argument_of_a_plot(plot, name):
    if name not in inspect.signature(plot).parameters:
        with pytest.raises(ArgumentError, match=f"{plot.__name__} has no argument {name!r}: ."):
            plot(None, **{name: 1})


def test_other_names_are_refused_plainly():
    with pytest.raises(AttributeError, match=r"'finetti' has no attribute 'nonsense'\.$"):
        _ = pm.nonsense
    with pytest.raises(ArgumentError, match="no argument 'nonsense'; it takes draws, tune"):
        pm.sample(model=model(), nonsense=1)
    with pytest.raises(AttributeError, match=r"'Random' object has no attribute 'nonsense'\.$"):
        _ = model().named["x"].nonsense
    assert issubclass(ArgumentError, TypeError) and issubclass(ArgumentError, pm.FinettiError)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_what_to_write_instead_is_there(table):
    """Every name between backticks, by where it would be found."""
    rooms = {"math": pm.math, "np": np, "model": model(), "Model": pm.Model}
    called = (pm.sample, pm.summary, pm.plot_forest, pm.plot_pair, pm.plot_trace)
    settings = {name for function in called for name in inspect.signature(function).parameters}
    parameters = {name for family in _families() for name in family.signature}
    parameters |= {"shape", "dims", "observed", "initval"}
    seen = 0
    for words in table.values():
        for code in re.findall(r"`([^`]+)`", words):
            for room, name in re.findall(r"\b(math|np|model|Model)\.(\w+)", code):
                assert hasattr(rooms[room], name), code
                seen += 1
            for name in re.findall(r"\b([a-z_]+)=", code):
                assert name in settings | parameters | {"axis", "keepdims", "coords", "kind"}, code
            for name in re.findall(r"(?<![\w.])([A-Z]\w+)\b(?!\.)", code):
                assert hasattr(pm, name) or name in ("True", "False", "None"), code
                seen += 1
            if re.fullmatch(r"[a-z_]+", code):
                assert hasattr(pm, code) or code in settings | parameters | {"step", "max_treedepth"}, code
                seen += 1
    assert seen or table is hints.OF_SAMPLE or table is hints.OF_DISTRIBUTIONS


def _families():
    from finetti.distributions.base import REGISTRY

    for name in pm.__all__:  # each is loaded when it is first asked for
        getattr(pm, name)
    return REGISTRY.values()


def test_replacements_compute_what_they_replace():
    """Those that are written out."""
    with pm.Model() as written:
        a, b = pm.Normal("a", 0, 1), pm.Normal("b", 0, 1)
        z = pm.Normal("z", 0, 1, shape=4)
        pm.Deterministic("logdiffexp", a + 2 + pm.math.log1mexp(b - a - 2))
        pm.Deterministic("log_softmax", z - pm.math.logsumexp(z, axis=-1, keepdims=True))
        pm.Deterministic("logit_normal", pm.math.sigmoid(z))
        pm.Deterministic("zero_sum", z - z.mean())
        pm.Deterministic("walk", pm.math.cumsum(z))
    posterior = pm.sample(50, model=written, random_seed=1, progressbar=False)["posterior"]
    a, b, z = (posterior[name].values for name in "abz")
    with np.errstate(all="ignore"):
        right = np.log(np.exp(a + 2) - np.exp(b))
    np.testing.assert_allclose(posterior["logdiffexp"], right, rtol=1e-6)
    np.testing.assert_allclose(np.exp(posterior["log_softmax"]).sum(axis=-1), 1.0)
    np.testing.assert_allclose(posterior["zero_sum"].sum(axis=-1), 0.0, atol=1e-12)
    np.testing.assert_allclose(posterior["walk"], np.cumsum(z, axis=-1))


def test_a_model_is_still_a_plain_object():
    written = model()
    assert copy.copy(written).named == written.named
    assert "x" in written and not hasattr(written, "__array__")
    assert pickle.loads(pickle.dumps(pm.ModelError("words"))).args == ("words",)


@pytest.mark.parametrize(("call", "words"), [
    (lambda m: pm.Potential("p", m["a"], dims="g"), "Potential has no argument 'dims': a potential is the sum"),
    (lambda m: pm.Data("x", [1], mutable=True), "Data has no argument 'mutable': every `Data` can be replaced"),
    (lambda m: pm.set_data({"d": [2.0]}, coords={}), "set_data has no argument 'coords'.*finetti.rebuild"),
    (lambda m: m.set_data("d"), "set_data: missing a required argument: 'values'; it takes name, values"),
    (lambda m: pm.sample(100, m), "sample: too many positional arguments; it takes draws, and by name tune=.*model="),
    (lambda m: pm.Deterministic("q"), "Deterministic: missing a required argument: 'var'"),
    (lambda m: pm.summary(), "summary: missing a required argument: 'trace'"),
    (lambda m: pm.rebuild(m, cords={}), "rebuild has no argument 'cords'; it takes model, data, coords"),
    (lambda m: pm.Mixture("m"), "Mixture: missing a required argument: 'w'"),
    (lambda m: pm.Truncated("m", pm.Normal.dist(0, 1), low=2), "Truncated has no argument 'low'; it takes .*lower"),
    (lambda m: pm.LKJCholeskyCov("c", 2), "LKJCholeskyCov: missing a required argument: 'n'"),
    (lambda m: pm.load(), "load: missing a required argument: 'path'"),
])  # fmt: skip
def test_arguments_that_are_missing_or_too_many(call, words):
    with pm.Model() as model:
        pm.Normal("a", 0, 1)
        pm.Data("d", [1.0])
        with pytest.raises(pm.ArgumentError, match=words):
            call(model)
