"""A model built again is the model written again: same plan, same draws; and what cannot follow says so."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import finetti as pm
from finetti.density import density_of
from finetti.errors import DataError, ModelError, ShapeError, UnknownNameError

RNG = np.random.default_rng(1)
QUIET = {"progressbar": False, "random_seed": 3}


def schools(labels=("A", "B", "C"), y=(28.0, 8.0, -3.0), sigma=(15.0, 10.0, 16.0)) -> pm.Model:
    with pm.Model(coords={"school": list(labels)}) as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, dims="school")
        pm.Deterministic("gap", theta - theta[-1], dims="school")
        pm.Normal("y", theta, np.asarray(sigma) if len(sigma) == 3 else sigma[0], observed=y, dims="school")
    return model


def by_data(group=(0, 0, 1, 2), x=(1.0, 2.0, 0.5, 0.0), y=(3, 1, 0, 4), groups=3) -> pm.Model:
    """A Poisson regression with groups; rows have a dim without labels."""
    with pm.Model(coords={"group": groups}) as model:
        at, slope = pm.Data("at", np.array(group), dims="row"), pm.Normal("slope", 0, 1)
        predictor = pm.Data("predictor", np.array(x), dims="row")
        scale = pm.Exponential("scale", 1)
        level = pm.Normal("level", 0, scale, dims="group")
        rate = pm.Deterministic("rate", pm.math.exp(level[at] + slope * predictor), dims="row")
        pm.Poisson("y", rate, observed=np.array(y), dims="row")
        pm.Potential("soft", -0.5 * level.sum() ** 2)
    return model


def correlated(rows=4, groups=3) -> pm.Model:
    """Vectors, a mean, reshapes with -1, slices from the end, a function of the user's, and guards."""
    values = np.random.default_rng(rows * 100 + groups)
    with pm.Model(coords={"g": groups, "part": ["a", "b"]}) as model:
        x = pm.Data("x", values.normal(size=rows), dims="row")
        at = pm.Data("at", values.integers(0, groups, rows), dims="row")
        chol, _, _ = pm.LKJCholeskyCov("cov", n=2, eta=2.0, sd_dist=pm.HalfNormal.dist(1.0))
        both = pm.MvNormal("both", np.zeros(2), chol=chol, dims=("g", "part"))
        level = both.reshape(-1, 2)[:, 0] - both[:, 0].mean()
        size = pm.wrap(lambda v: (v**2).sum())(both)
        low, high = pm.Normal("low", 0, 1), pm.HalfNormal("high", 1)
        pm.Uniform("u", low, low + high, observed=values.random(rows) * 1e-9)
        pm.Normal("y", level[at] + both[at, 1] * x, 1 + size, observed=x.shape[0] * values.random(rows), dims="row")
    return model


def same(one: pm.Model, other: pm.Model) -> None:
    """Texts, plans, densities at random points, and the trace's layout."""
    assert str(one) == str(other) and str(pm.plan(one)) == str(pm.plan(other))
    assert one.coords == other.coords and one.dim_lengths == other.dim_lengths
    assert [n.shape for n in one.named.values()] == [n.shape for n in other.named.values()]
    densities = [density_of(model) for model in (one, other)]
    flat = np.random.default_rng(5).normal(size=(10, densities[0].size))
    with np.errstate(all="ignore"):
        values = [density(flat, density.batched_arguments(), lead=1) for density in densities]
    np.testing.assert_array_equal(values[0], values[1])
    traces = [pm.sample(20, tune=50, model=model, **QUIET) for model in (one, other)]
    for group in ("posterior", "observed_data"):
        assert traces[0][group].dataset.equals(traces[1][group].dataset)


def test_other_data_of_the_same_shape():
    same(pm.rebuild(schools(), {"y": [1, 2, 3]}), schools(y=(1.0, 2.0, 3.0)))


def test_nothing_new_is_the_same_model_with_variables_of_its_own():
    old = correlated()
    again = pm.rebuild(old)
    same(again, old)
    assert not {id(n) for n in again.named.values()} & {id(n) for n in old.named.values()}


def test_other_groups():
    new = pm.rebuild(
        schools(sigma=(9.0,)), {"y": [1.0, 2.0, 3.0, 5.0]}, coords={"school": ["A", "B", "X", "Y"]}
    )  # fmt: skip
    same(new, schools(("A", "B", "X", "Y"), (1.0, 2.0, 3.0, 5.0), (9.0,)))


def test_more_rows_and_more_groups():
    data = {"at": [0, 4, 3, 2, 1, 1], "predictor": RNG.normal(size=6), "y": [0, 1, 2, 3, 4, 5]}
    old = by_data()
    new = pm.rebuild(old, data, coords={"group": 5})
    same(new, by_data(tuple(data["at"]), tuple(data["predictor"]), (0, 1, 2, 3, 4, 5), 5))
    assert old["level"].shape == (3,) and old.data[old["at"]].shape == (4,)


def test_everything_that_follows():
    target = correlated(rows=7, groups=5)
    values = {name: target.data[target[name]] for name in ("x", "at")}
    values |= {name: target[name].observed.value for name in ("u", "y")}
    same(pm.rebuild(correlated(), values, coords={"g": 5}), target)


def test_starts_stay_where_they_fit():
    with pm.Model(coords={"g": 2}) as model:
        pm.Normal("a", 0, 1, initval=3.0)
        pm.Normal("b", 0, 1, dims="g", initval=[1.0, 2.0])
    again = pm.rebuild(model, coords={"g": 3})
    assert again.initvals.keys() == {"a"} and again["b"].shape == (3,)


def literal() -> pm.Model:
    with pm.Model() as model:
        at = pm.Data("at", [0, 1, 1])
        theta = pm.Normal("theta", 0, 1, shape=2)
        pm.Normal("y", theta[at], 1, observed=[1.0, 2.0, 3.0])
    return model


def masked(index) -> pm.Model:
    with pm.Model(coords={"g": 3}) as model:
        theta = pm.Normal("theta", 0, 1, dims="g")
        pm.Normal("y", theta[index].sum(), 1, observed=1.0)
    return model


@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda: pm.rebuild(literal(), {"at": [0, 2, 1]}), ShapeError,
     r"'theta' has length 2 on axis 0.* row 1 is 2.*'theta' \(shape=\(2,\)\) cannot follow.*write `dims=`"),
    (lambda: pm.rebuild(literal(), {"at": [0, 1]}), ShapeError, r"'y' \(Normal\): its data have shape \(3,\)"),
    (lambda: pm.rebuild(schools(), {"y": [1.0, 2.0]}), ShapeError,
     r"'y' now has 2 along 'school', whose 3 labels are those of the old data.*coords="),
    (lambda: pm.rebuild(schools(), {"y": [1.0, 2.0]}, coords={"school": ["A", "B"]}), ShapeError, "'y'"),
    (lambda: pm.rebuild(by_data(), {"at": [0, 1], "predictor": [1.0, 2.0, 3.0]}), ShapeError,
     "'at' and 'predictor' have different lengths along 'row'"),
    (lambda: pm.rebuild(by_data(), {"at": [0, 1, 7, 1]}), ShapeError, "'level' has length 3.* row 2 is 7"),
    (lambda: pm.rebuild(by_data(), {"at": [0.5, 1.0, 0.0, 0.0]}), DataError, "'at' holds values of type int64"),
    (lambda: pm.rebuild(by_data(), {"y": [1, -1, 0, 0]}), DataError, "data of 'y' must be a whole number.*row 1 is -1"),
    (lambda: pm.rebuild(by_data(), {"predictor": [1.0, np.nan, 0, 0]}), DataError, "'predictor'.*row 1 is nan"),
    (lambda: pm.rebuild(by_data(), {"predictor": np.ones((2, 2))}), ShapeError, "another number of axes"),
    (lambda: pm.rebuild(by_data(), {"predictr": [1.0]}), UnknownNameError, "Did you mean 'predictor'"),
    (lambda: pm.rebuild(by_data(), {"slope": 1.0}), UnknownNameError, "no data in the model"),
    (lambda: pm.rebuild(by_data(), coords={"grp": 3}), UnknownNameError, "Did you mean 'group'"),
    (lambda: pm.rebuild(by_data(), [1, 2]), ModelError, "takes a mapping"),
    (lambda: pm.rebuild("model"), ModelError, "takes a Model"),
    (lambda: pm.rebuild(masked(np.array([True, False, True])), coords={"g": 4}), ShapeError,
     "a mask.*3 elements.*4 now"),
    (lambda: pm.rebuild(masked([0, -1]), coords={"g": 4}), ShapeError, "from the end"),
])  # fmt: skip
def test_what_cannot_follow_says_so(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_an_index_from_the_end_stays_there():
    new = pm.rebuild(masked(-1), coords={"g": 5})
    (theta,) = new.free
    assert new["y"].parameters[0].arguments[0].static["template"] == (-1,) and theta.shape == (5,)


def test_data_of_data_are_given_themselves():
    with pm.Model() as model:
        raw = pm.Data("raw", [1.0, 2.0])
        pm.Normal("y", pm.Normal("mu", 0, 1), 1, observed=2 * raw)
    with pytest.raises(ModelError, match="data of 'y' are computed from 'raw': give those"):
        pm.rebuild(model, {"y": [1.0, 2.0]})
    assert pm.rebuild(model, {"raw": [1.0, 2.0, 3.0]})["y"].shape == (3,)


def test_a_model_in_another_process():
    """By pickle; a function of the user's must be one that pickle finds."""
    model = by_data()
    copy = pickle.loads(pickle.dumps(model))
    same(copy, model)
