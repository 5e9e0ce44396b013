"""A save that fails leaves the old file whole and the draws in memory, whatever made it fail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from finetti.errors import DataError
from finetti.trace import Trace, build_trace, load

KINDS = ("nc", "zarr")
SAVE = {"nc": "trace.to_netcdf(target)", "zarr": "trace.to_zarr(target, mode='w')"}
START = """
import os, resource, signal, sys
from pathlib import Path
import numpy as np
from finetti.trace import build_trace, load
target = Path(sys.argv[1])
trace = build_trace(groups={"posterior": {"mu": np.random.default_rng(2).normal(size=(4, 200_000))}})
"""


def save(trace: Trace, target: Path) -> None:
    if target.suffix == ".nc":
        trace.to_netcdf(target)
    else:
        trace.to_zarr(target, mode="w")


def run(code: str, target: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", START + textwrap.dedent(code), str(target)]
    return subprocess.run(command, capture_output=True, text=True)


def left_over(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if "fit." in name and not name.startswith("fit.")]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX's")
@pytest.mark.parametrize(("kind", "most"), [
    ("nc", 1000), ("nc", 100_000), ("nc", 1_000_000), ("nc", 3_000_000), ("zarr", 100), ("zarr", 3000),
])  # fmt: skip
def test_no_room(trace, tmp_path, kind, most):
    """By a limit on the size of files, which HDF5 by itself answers with the end of the process."""
    target = tmp_path / f"fit.{kind}"
    save(trace, target)
    done = run(f"""
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))
        try:
            {SAVE[kind]}
        except OSError as error:
            print("OSError", error.errno, trace["mu"].shape, error)
    """, target)  # fmt: skip
    assert done.returncode == 0 and done.stdout.split()[:2] == ["OSError", "27"], done.stderr
    assert "(800000,)" in done.stdout and "what was there before is whole" in done.stdout
    assert str(target) in done.stdout
    assert load(target).identical(trace)
    assert not left_over(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("kind", KINDS)
def test_the_process_is_killed_while_it_writes(trace, tmp_path, kind):
    target = tmp_path / f"fit.{kind}"
    save(trace, target)
    done = run(f"""
        import finetti.store.beside as beside
        beside._put = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        {SAVE[kind]}
    """, target)  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    assert load(target).identical(trace)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_there_is_replaced(trace, tmp_path, kind):
    target = tmp_path / f"fit.{kind}"
    save(trace, target)
    save(trace.isel(chain=[0]), target)
    assert load(target).nchains == 1
    assert os.listdir(tmp_path) == [target.name]


def test_a_store_is_not_replaced_unasked(trace, tmp_path):
    trace.to_zarr(tmp_path / "fit.zarr")
    with pytest.raises(DataError, match=r'fit\.zarr; mode="w" replaces it'):
        trace.to_zarr(tmp_path / "fit.zarr")


@pytest.mark.parametrize("kind", KINDS)
def test_groups_are_added(trace, tmp_path, kind):
    target = tmp_path / f"fit.{kind}"
    save(trace, target)
    more = Trace.from_dict({"/prior": xr.Dataset({"mu": (("chain", "draw"), np.zeros((1, 9)))})})
    (more.to_netcdf if kind == "nc" else more.to_zarr)(target, mode="a")
    back = load(target)
    assert set(back) == {"posterior", "sample_stats", "prior"}
    assert back.posterior.identical(trace.posterior)


def test_no_such_folder_is_an_error_of_the_system(trace, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder to save to: '.*nowhere'$"):
        trace.to_netcdf(tmp_path / "nowhere" / "fit.nc")


def test_what_is_no_trace_is_never_replaced(trace, tmp_path):
    """A folder in the way is somebody's work."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.tex").write_text("x")
    (tmp_path / "notes").write_text("x")
    for save in (trace.to_netcdf, trace.to_zarr, lambda path: trace.to_zarr(path, mode="w")):
        with pytest.raises(DataError, match="Nothing was written|already something at"):
            save(tmp_path / "work")
    with pytest.raises(DataError, match=r"notes.*Nothing was written"):
        trace.to_zarr(tmp_path / "notes", mode="w")
    assert (tmp_path / "work" / "thesis.tex").read_text() == (tmp_path / "notes").read_text() == "x"


def test_a_link_is_followed_and_keeps_leading_there(trace, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "fit.nc").symlink_to(tmp_path / "elsewhere" / "real.nc")
    trace.to_netcdf(tmp_path / "fit.nc")
    assert (tmp_path / "fit.nc").is_symlink() and load(tmp_path / "elsewhere" / "real.nc").identical(trace)


def test_pipes_and_devices_are_not_replaced(trace, tmp_path):
    os.mkfifo(tmp_path / "pipe.nc")
    with pytest.raises(OSError, match=r"no place for a saved trace.*pipe\.nc"):
        trace.to_netcdf(tmp_path / "pipe.nc")
    assert (tmp_path / "pipe.nc").is_fifo()


def test_the_mode_of_a_file_stays(trace, tmp_path):
    trace.to_netcdf(tmp_path / "fit.nc")
    (tmp_path / "fit.nc").chmod(0o640)
    trace.to_netcdf(tmp_path / "fit.nc")
    assert (tmp_path / "fit.nc").stat().st_mode & 0o777 == 0o640


def test_variables_keep_their_order(tmp_path):
    names = ["tau", "mu", "zeta", "alpha"]
    trace = build_trace(groups={"posterior": {name: np.zeros((1, 4)) for name in names}})
    for kind in KINDS:
        save(trace, tmp_path / f"fit.{kind}")
        assert load(tmp_path / f"fit.{kind}").varnames == names


def test_a_store_is_saved_without_a_warning_of_others(trace, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace.to_zarr(tmp_path / "fit.zarr")


def test_a_trace_as_bytes_and_into_an_open_file(trace, tmp_path):
    with open(tmp_path / "fit.nc", "wb") as file:
        file.write(trace.to_netcdf())
    assert load(tmp_path / "fit.nc").identical(trace)


@pytest.mark.parametrize("engine", ["h5netcdf", None])
def test_options_of_xarray_are_passed_on(trace, tmp_path, engine):
    smaller = {"/posterior": {"theta": {"zlib": True, "complevel": 9}}}
    trace.to_netcdf(tmp_path / "fit.nc", engine=engine, encoding=smaller)
    back = xr.open_datatree(tmp_path / "fit.nc")
    assert back["posterior"]["theta"].encoding["complevel"] == 9
    back.close()
    assert load(tmp_path / "fit.nc").identical(trace)


def test_other_programs_read_what_was_saved(trace, tmp_path):
    save(trace, tmp_path / "fit.nc")
    save(trace, tmp_path / "fit.zarr")
    for name, engine in (("fit.nc", "h5netcdf"), ("fit.zarr", "zarr")):
        with xr.open_datatree(tmp_path / name, engine=engine) as tree:
            xr.testing.assert_equal(tree["posterior"].to_dataset(), trace["posterior"].to_dataset())
