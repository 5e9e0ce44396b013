"""A damaged file is refused by an error of ours, or read as what was saved; never as something else."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from slots import trace
from values import PLAIN, complaint, patient

import finetti as pm

pytestmark = pytest.mark.filterwarnings("ignore")
FLIPS, CUTS, STRIDE = 120, 24, 7919  # bytes changed one at a time, a prime apart; lengths at which a file is cut off


def wrong(path) -> str:
    """How reading a damaged copy fails; empty where it is refused as it should be, or right."""
    try:
        with patient():
            found = pm.load(path)
            same = all(np.array_equal(found["posterior"][k].values, v) for k, v in trace()["posterior"].items())
            return "" if same else "read as something else"
    except pm.FinettiError:
        return ""
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A netCDF file and a Zarr store of the same trace."""
    folder = tmp_path_factory.mktemp("saved")
    trace().to_netcdf(folder / "trace.nc")
    trace().to_zarr(folder / "trace.zarr")
    return folder


def test_what_was_not_damaged_is_read(saved):
    for name in ("trace.nc", "trace.zarr"):
        for variable, values in trace()["posterior"].items():
            np.testing.assert_array_equal(pm.load(saved / name)["posterior"][variable], values)


def test_one_byte_changed(saved, tmp_path):
    whole, found = (saved / "trace.nc").read_bytes(), {}
    for k in range(FLIPS):
        at = k * STRIDE % len(whole)
        changed = bytearray(whole)
        changed[at] ^= 0xFF
        (tmp_path / "trace.nc").write_bytes(changed)
        if said := wrong(tmp_path / "trace.nc"):
            found[at] = said
    assert not found


def test_a_file_cut_off(saved, tmp_path):
    whole, found = (saved / "trace.nc").read_bytes(), {}
    for k in range(CUTS):
        (tmp_path / "trace.nc").write_bytes(whole[: len(whole) * k // CUTS])
        if said := wrong(tmp_path / "trace.nc"):
            found[k] = said
    assert not found


def test_a_part_of_a_store_removed(saved, tmp_path):
    store, found = saved / "trace.zarr", {}
    for part in sorted(p.relative_to(store) for p in store.rglob("*") if p.is_file()):
        copy = tmp_path / "trace.zarr"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(store, copy)
        (copy / part).unlink()
        if said := wrong(copy):
            found[str(part)] = said
    assert not found


def test_what_is_no_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not {repr(value)[:60]: said for value in PLAIN if (said := complaint(lambda value=value: pm.load(value)))}


def test_a_named_pipe(tmp_path):
    os.mkfifo(tmp_path / "trace.nc")
    assert not complaint(lambda: pm.load(tmp_path / "trace.nc"), patience=3)
