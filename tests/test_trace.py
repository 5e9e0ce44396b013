"""A trace is an ArviZ tree, answers PyMC3's names, and survives netCDF and Zarr with nothing changed."""

import copy
import pickle
import shutil
from datetime import UTC, datetime

import arviz_base
import arviz_stats
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from finetti.errors import DataError, FinettiError, ShapeError, UnknownNameError
from finetti.trace import Trace, build_trace, load

CHAINS, DRAWS, SCHOOLS = 3, 50, ["A", "Bé", "Choate"]
SEED = 2**100
quiet_zarr = pytest.mark.filterwarnings("ignore:.*(Consolidated metadata|Zarr V3 specification).*")


def numbered(*shape, dtype=float):
    """Every entry differs, so any wrong axis or order shows."""
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


@pytest.fixture
def arrays():
    tau = 1 + numbered(CHAINS, DRAWS)
    return {
        "posterior": {
            "tau": tau,
            "theta": numbered(CHAINS, DRAWS, 3),
            "weight": numbered(CHAINS, DRAWS, 2, 2),
        },
        "unconstrained_posterior": {"tau_log__": np.log(tau)},
        "sample_stats": {
            "diverging": numbered(CHAINS, DRAWS, dtype=int) % 7 == 0,
            "tree_depth": np.ones((CHAINS, DRAWS), np.int32),
        },
        "observed_data": {"y": numbered(3)},
        "constant_data": {},
    }


@pytest.fixture
def trace(arrays):
    return build_trace(
        groups=arrays,
        dims={"theta": ("school",), "y": ("school",), "weight": (None, "side")},
        coords={"school": SCHOOLS, "unused": [1]},
        attrs={
            "created_at": datetime(2020, 1, 2, tzinfo=UTC),
            "sampling_time": np.float64(1.5),
            "tuning_steps": np.int64(1000),
            "interrupted": False,
            "random_seed": SEED,
            "seeds": np.array([3, 4]),
            "nothing": None,
            "plan": {"tau": "log"},
        },
    )


def test_groups_dims_and_labels(trace):
    assert list(trace) == ["posterior", "unconstrained_posterior", "sample_stats", "observed_data"]
    posterior = trace.posterior
    assert posterior["theta"].dims == ("chain", "draw", "school")
    assert posterior["weight"].dims == ("chain", "draw", "weight_dim_0", "side")
    assert posterior["school"].values.tolist() == SCHOOLS
    assert posterior["weight_dim_0"].values.tolist() == [0, 1]
    assert posterior["draw"].values.tolist() == list(range(DRAWS))
    assert trace.observed_data["y"].dims == ("school",)
    assert "unused" not in posterior.coords


def test_dims_are_named_as_arviz_names_them(arrays):
    del arrays["constant_data"]
    ours = build_trace(groups=arrays)
    theirs = arviz_base.from_dict(arrays)
    for group in arrays:
        assert ours[group].to_dataset().equals(theirs[group].to_dataset()), group


def test_attrs_on_root_and_groups(trace):
    expected = {
        "created_at": "2020-01-02T00:00:00+00:00",
        "inference_library": "finetti",
        "sampling_time": 1.5,
        "tuning_steps": 1000,
        "interrupted": 0,
        "random_seed": str(SEED),
        "seeds": [3, 4],
        "plan": '{"tau": "log"}',
    }
    assert trace.attrs == expected
    assert trace.observed_data.attrs == expected
    assert trace.posterior.attrs == {**expected, "sample_dims": ["chain", "draw"]}


def test_bare_names_give_all_chains_in_order(trace, arrays):
    diverging = trace["diverging"]
    assert diverging.dtype == bool
    assert diverging.tolist() == [bool(d) for chain in arrays["sample_stats"]["diverging"] for d in chain]
    assert trace["theta"].tolist() == [d.tolist() for chain in arrays["posterior"]["theta"] for d in chain]
    assert trace["theta"][diverging].shape == (diverging.sum(), 3)
    np.testing.assert_array_equal(np.exp(trace["tau_log__"]).round(), trace["tau"])
    assert isinstance(trace["posterior"], xr.DataTree)
    assert isinstance(trace["posterior/theta"], xr.DataArray)


def test_get_values(trace, arrays):
    theta = arrays["posterior"]["theta"]
    by_chain = trace.get_values("theta", burn=10, thin=4, combine=False, chains=[2, 0])
    assert len(by_chain) == 2
    np.testing.assert_array_equal(by_chain[0], theta[2, 10::4])
    np.testing.assert_array_equal(by_chain[1], theta[0, 10::4])
    np.testing.assert_array_equal(trace.get_values("theta", chains=1), theta[1])
    np.testing.assert_array_equal(trace.get_values(varname="theta"), theta.reshape(-1, 3))
    with pytest.raises(UnknownNameError, match=r"chain named 7.*0, 1, 2"):
        trace.get_values("theta", chains=7)
    with pytest.raises(DataError, match="got 0"):
        trace.get_values("theta", thin=0)
    with pytest.raises(DataError, match="not chain and draw"):
        trace.mean("draw")["theta"]


def test_names_and_lengths(trace):
    assert trace.varnames == ["tau", "theta", "weight", "tau_log__"]
    assert trace.nchains == CHAINS
    assert len(trace) == 4
    assert "theta" not in trace and "posterior" in trace


def test_unknown_name_lists_what_there_is(trace):
    message = r"Did you mean 'theta'.*posterior.*weight.*tau_log__.*diverging"
    with pytest.raises(KeyError, match=message) as raised:
        trace["thata"]
    assert isinstance(raised.value, FinettiError)
    with pytest.raises(UnknownNameError, match="tau, theta"):
        trace.posterior["nope"]
    assert trace.get("nope") is None
    assert not hasattr(trace, "nope")


@pytest.mark.parametrize(
    "operation",
    [
        lambda t: t.copy(),
        lambda t: t.sel(draw=slice(10, None)),
        lambda t: t.isel(chain=[1]),
        lambda t: t.assign(),
        lambda t: t.mean("draw"),
        copy.deepcopy,
        lambda t: pickle.loads(pickle.dumps(t)),
    ],
)
def test_operations_that_give_a_trace(trace, operation):
    result = operation(trace)
    assert type(result) is Trace
    assert list(result) == list(trace)
    assert result.attrs == trace.attrs or not result.attrs


def test_copies_are_equal_and_selections_select(trace):
    assert copy.deepcopy(trace).identical(trace)
    assert pickle.loads(pickle.dumps(trace)).identical(trace)
    np.testing.assert_array_equal(trace.isel(chain=[1])["tau"], trace.posterior["tau"].values[1])
    doubled = trace.map_over_datasets(lambda data: data * 2)
    np.testing.assert_array_equal(doubled["posterior/tau"], 2 * trace.posterior["tau"])
    assert type(Trace.from_dict(doubled.to_dict())) is Trace


@pytest.mark.parametrize("labels", [pd.Series(SCHOOLS), np.array(SCHOOLS, object), tuple(SCHOOLS)])
def test_labels_become_plain_text(labels):
    groups = {"observed_data": {"y": np.zeros(3)}}
    tree = build_trace(groups=groups, dims={"y": ["school"]}, coords={"school": labels})
    school = tree["observed_data/school"]
    assert school.dtype == "<U6"
    assert school.values.tolist() == SCHOOLS


def save_zip(trace, path):
    folder = path.with_suffix("")
    trace.to_zarr(folder)
    shutil.make_archive(str(folder), "zip", folder)


SAVERS = {
    "fit.nc": Trace.to_netcdf,
    "fit.zarr": Trace.to_zarr,
    "fit.zarr.zip": save_zip,
    "named_anyhow": Trace.to_netcdf,
}


@quiet_zarr
@pytest.mark.parametrize("name", SAVERS)
def test_round_trip(trace, tmp_path, name):
    SAVERS[name](trace, tmp_path / name)
    back = load(tmp_path / name)
    assert type(back) is Trace
    assert back.identical(trace)
    assert back.attrs == trace.attrs and back.posterior.attrs == trace.posterior.attrs
    for group in trace:
        for variable in trace[group].variables:
            assert back[group][variable].dtype == trace[group][variable].dtype, variable
    assert back["diverging"].dtype == bool


def test_the_file_is_closed_after_loading(trace, tmp_path):
    file = tmp_path / "fit.nc"
    trace.to_netcdf(file)
    back = load(str(file))
    trace.isel(chain=[0]).to_netcdf(file)  # fails when the file is still open
    assert load(file).nchains == 1
    np.testing.assert_array_equal(back["theta"], trace["theta"])  # read before, not now


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"\x89HDF\r\n\x1a\n broken", b"PK\x03\x04 broken"])
def test_loading_something_else(tmp_path, content):
    file = tmp_path / "fit.nc"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"fit\.nc"):
        load(file)


def test_loading_nothing(tmp_path):
    with pytest.raises(DataError, match="no file"):
        load(tmp_path / "missing.nc")
    with pytest.raises(DataError, match="neither"):
        load(tmp_path)
    xr.Dataset({"x": 1}).to_netcdf(tmp_path / "flat.nc")
    with pytest.raises(DataError, match="no groups"):
        load(tmp_path / "flat.nc")


@pytest.mark.parametrize(
    ("variables", "dims", "coords", "message"),
    [
        ({"a": np.zeros(3)}, {}, {}, r"'a' has shape \(3,\).*chain, draw"),
        ({"a": np.zeros((2, 5)), "b": np.zeros((2, 6))}, {}, {}, "'b' has length 6 along 'draw'.* 5"),
        ({"a": np.zeros((2, 5, 3))}, {"a": ("x", "y")}, {}, "'a' has 1 axes.*2 dims"),
        ({"a": np.zeros((2, 5, 3))}, {"a": ("x",)}, {"x": "ab"}, "'x'.*3 labels"),
        ({"a": np.zeros((2, 5, 3))}, {"a": ("x",)}, {"x": ["a", "b"]}, r"'x' have shape \(2,\).*3 labels"),
        ({"a": np.zeros((2, 5, 3))}, {"a": ("a",)}, {}, "'a' names both"),
    ],
)
def test_parts_that_do_not_fit(variables, dims, coords, message):
    with pytest.raises(ShapeError, match=message):
        build_trace(groups={"posterior": variables}, dims=dims, coords=coords)


def test_arviz_reads_it():
    """ESS of 800 seeded independent draws; outside (400, 1600) with chance far below 1e-6."""
    theta = np.random.default_rng(1).normal(size=(4, 200, 3))
    trace = build_trace(groups={"posterior": {"theta": theta}}, dims={"theta": ["school"]}, coords={"school": SCHOOLS})
    assert arviz_base.convert_to_datatree(trace) is trace
    assert arviz_base.extract(trace, var_names="theta").sizes == {"school": 3, "sample": 800}
    summary = arviz_stats.summary(trace, round_to=8)
    assert list(summary.index) == ["theta[A]", "theta[Bé]", "theta[Choate]"]
    np.testing.assert_allclose(summary["mean"].astype(float), theta.mean((0, 1)), atol=1e-7)
    ess = arviz_stats.ess(trace)
    ess = ess["posterior"] if "posterior" in getattr(ess, "children", {}) else ess
    assert 400 < float(ess["theta"].sel(school="A")) < 1600


def test_a_group_has_what_a_dataset_has():
    trace = build_trace(groups={"posterior": {"mu": np.arange(8.0).reshape(2, 4)}})
    stacked = trace.posterior.stack(sample=("chain", "draw"))
    np.testing.assert_array_equal(stacked["mu"], np.arange(8.0))
    with pytest.raises(AttributeError):
        trace.stack(sample=("chain", "draw"))
    with pytest.raises(AttributeError):
        trace.posterior.no_such_thing  # noqa: B018
