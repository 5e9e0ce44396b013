"""What a stranger sent: nothing but the file itself is read, no more memory is taken than there is, at once."""

from __future__ import annotations

import json
import os
import shutil
import socket
import zipfile

import h5py
import numpy as np
import pytest
import xarray as xr

from finetti.store import limits
from finetti.trace import load


def damaged(trace, tmp_path, change):
    """A file of ours opened by HDF5 and changed, without its seal."""
    path = tmp_path / "fit.nc"
    trace.to_netcdf(path)
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def test_external_storage(trace, tmp_path, refused):
    """HDF5 would read the local file named in the dataset."""
    (tmp_path / "secret").write_bytes(np.arange(200.0).tobytes())

    def change(file):
        file["posterior"].create_dataset("x", (4, 50), "f8", external=[(str(tmp_path / "secret"), 0, 1600)])

    said = refused(damaged(trace, tmp_path, change))
    assert "'/posterior/x' lies in another file" in said and "secret" in said


def test_links(trace, tmp_path, refused):
    for name, link in (("x", h5py.ExternalLink("other.nc", "/x")), ("y", h5py.SoftLink("/posterior"))):
        said = refused(damaged(trace, tmp_path, lambda file, n=name, to=link: file["posterior"].__setitem__(n, to)))
        assert f"'/posterior/{name}' is a link to somewhere else" in said


def test_a_circle_of_groups(trace, tmp_path, refused):
    said = refused(damaged(trace, tmp_path, lambda file: file["posterior"].__setitem__("again", file["posterior"])))
    assert "groups" in said


def test_virtual_datasets(trace, tmp_path, refused):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros((4, 50))
    layout = h5py.VirtualLayout((4, 50), "f8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (4, 50))
    path = damaged(trace, tmp_path, lambda file: file["posterior"].create_virtual_dataset("x", layout))
    assert "put together from other files" in refused(path)


@pytest.mark.parametrize("chunks", [None, (1000, 1000)])
def test_a_claim_of_64_gigabytes(trace, tmp_path, refused, chunks):
    side = 92_682

    def change(file):
        file["posterior"].create_dataset("x", (side, side), "f8", chunks=chunks or (side, 1), compression="gzip")

    said = refused(damaged(trace, tmp_path, change))
    assert "64.0 GiB" in said and "'/posterior/x'" in said


def test_hundreds_of_groups(trace, tmp_path, refused):
    assert "groups" in refused(damaged(trace, tmp_path, lambda file: [file.create_group(f"g{k}") for k in range(300)]))
    assert "deep" in refused(damaged(trace, tmp_path, lambda file: file.create_group("/".join("a" * 300))))


def test_a_filter_of_somebody_elses(trace, tmp_path, refused):
    def change(file):
        space, kind = h5py.h5s.create_simple((10,)), h5py.h5t.IEEE_F64LE
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((10,))
        properties.set_filter(32008, h5py.h5z.FLAG_OPTIONAL)
        h5py.h5d.create(file["posterior"].id, b"x", kind, space, properties)

    assert "filter 32008" in refused(damaged(trace, tmp_path, change))


def test_many_texts_that_share_a_long_one(trace, tmp_path, refused, monkeypatch):
    """A crafted file can have them share it: then each takes sixteen bytes there, and all of it in memory."""
    monkeypatch.setattr(limits, "memory_of_machine", lambda: 2**22)

    def change(file):
        long = "x" * 2**16
        space, kind = h5py.h5s.create_simple((200,)), h5py.h5t.py_create(h5py.string_dtype(), logical=True)
        made = h5py.h5d.create(file["posterior"].id, b"x", kind, space)
        h5py.Dataset(made)[:] = [long] * 200

    assert "claims" in refused(damaged(trace, tmp_path, change))


def test_lists_and_references(trace, tmp_path, refused):
    def lists(file):
        file["posterior"].create_dataset("x", (3,), h5py.vlen_dtype(np.float64))

    assert "lists or references" in refused(damaged(trace, tmp_path, lists))


def test_texts_of_any_length_are_read(tmp_path):
    """As xarray writes labels of Python strings."""
    labels = np.array(["a", "bb", "ccc"], object)
    posterior = xr.Dataset({"x": (("chain", "draw", "g"), np.zeros((1, 4, 3)))}, coords={"g": labels})
    xr.DataTree.from_dict({"/posterior": posterior}).to_netcdf(tmp_path / "fit.nc", engine="h5netcdf")
    assert load(tmp_path / "fit.nc")["posterior"]["g"].values.tolist() == ["a", "bb", "ccc"]


def test_pipes_sockets_and_devices(tmp_path, refused):
    os.mkfifo(tmp_path / "pipe.nc")
    assert "pipe" in refused(tmp_path / "pipe.nc")
    os.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.nc")
        assert "socket" in refused(tmp_path / "socket.nc")
    if os.path.exists("/dev/zero"):
        from pathlib import Path

        refused(Path("/dev/zero"))


# --- Zarr ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def unsealed(trace, tmp_path):
    """A store as another program would have written it."""
    path = tmp_path / "fit.zarr"
    xr.DataTree.from_dict(trace.to_dict()).to_zarr(path, consolidated=False)
    return path


def rewritten(path, **changes):
    node = json.loads(path.read_text())
    path.write_text(json.dumps({**node, **changes}))


def test_a_store_of_another_program_is_read(unsealed, trace):
    assert load(unsealed).posterior.identical(trace.posterior)


def test_a_changed_byte_in_a_store_is_named(trace, tmp_path, refused):
    path = tmp_path / "fit.zarr"
    trace.to_zarr(path)
    part = next(p for p in sorted((path / "posterior" / "theta").rglob("*")) if p.is_file() and p.name != "zarr.json")
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    assert f"'{part.relative_to(path).as_posix()}' is not what was saved" in refused(path)


def test_a_part_too_many(trace, tmp_path, refused):
    path = tmp_path / "fit.zarr"
    trace.to_zarr(path)
    (path / "posterior" / "more").write_text("")
    assert "'posterior/more' was not saved with it" in refused(path)


def test_a_zipped_store_that_lacks_a_part(trace, tmp_path, refused):
    path = tmp_path / "fit.zarr"
    trace.to_zarr(path)
    shutil.rmtree(path / "posterior" / "mu")
    shutil.make_archive(str(path), "zip", path)
    assert "'posterior/mu/" in refused(tmp_path / "fit.zarr.zip")


def test_a_link_out_of_a_store(unsealed, tmp_path, refused):
    (tmp_path / "secret").write_text("x")
    (unsealed / "posterior" / "mu" / "c").mkdir(exist_ok=True)
    (unsealed / "posterior" / "mu" / "c" / "7").symlink_to(tmp_path / "secret")
    assert "leads out of it" in refused(unsealed)


def test_a_store_that_claims_64_gigabytes(unsealed, refused):
    rewritten(unsealed / "posterior" / "mu" / "zarr.json", shape=[92_682, 92_682])
    said = refused(unsealed)
    assert "64.0 GiB" in said and "posterior/mu" in said


def test_a_store_of_hundreds_of_groups(unsealed, refused):
    for k in range(200):
        (unsealed / f"g{k}").mkdir()
        (unsealed / f"g{k}" / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    assert "groups" in refused(unsealed)


@pytest.mark.parametrize("codec", [{"name": "numcodecs.pickle"}, {"name": "numcodecs.json2"}, "pickle", {"x": 1}])
def test_a_codec_that_runs_code(unsealed, refused, codec):
    rewritten(unsealed / "posterior" / "mu" / "zarr.json", codecs=[codec])
    assert "codec" in refused(unsealed)


def test_a_pickled_array_of_the_former_format(tmp_path, refused):
    path = tmp_path / "fit.zarr"
    (path / "posterior" / "x").mkdir(parents=True)
    for group in (path, path / "posterior"):
        (group / ".zgroup").write_text('{"zarr_format": 2}')
    array = {"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|O", "order": "C", "fill_value": None}
    text = json.dumps({**array, "compressor": None, "filters": [{"id": "pickle"}]})
    (path / "posterior" / "x" / ".zarray").write_text(text)
    assert "codec 'pickle'" in refused(path)


NO_METADATA = ["[]", "{", "\x00", '{"node_type": "array"}', '{"node_type": "array", "shape": "x"}']


@pytest.mark.parametrize("content", NO_METADATA)
def test_metadata_that_is_none(unsealed, refused, content):
    (unsealed / "posterior" / "mu" / "zarr.json").write_text(content)
    assert "posterior/mu/zarr.json" in refused(unsealed)


def test_an_archive_that_unpacks_to_more_than_there_is(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(limits, "memory_of_machine", lambda: 2**20)
    with zipfile.ZipFile(tmp_path / "fit.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zarr.json", bytes(2**21))
    assert "claims" in refused(tmp_path / "fit.zip")


def test_a_part_that_is_missing_is_named(trace, tmp_path, refused):
    path = tmp_path / "fit.zarr"
    trace.to_zarr(path)
    part = sorted(p for p in path.rglob("*") if p.is_file() and p.name != "zarr.json")[0]
    part.unlink()
    assert f"{part.relative_to(path).as_posix()!r} is missing" in refused(path)
