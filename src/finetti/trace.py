"""Draws, statistics and data as one xarray tree in the ArviZ schema, saved and read back without pickle.

A `Trace` is an `xarray.DataTree`, so everything that reads the ArviZ schema reads it; beyond that it only
answers the names PyMC3 users type (`trace['theta']`, `trace.get_values(...)`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from finetti.calls import hinted
from finetti.errors import DataError, FinettiError, unknown_name
from finetti.schema import SAMPLE_DIMS, dataset, python, storable_attrs
from finetti.store import limits, netcdf, zarr

_LOOKED_UP = ("posterior", "unconstrained_posterior", "sample_stats")
# Consolidated metadata saves round trips to a remote store; looking for it in a local one only warns.
_ZARR: dict[str, Any] = {"engine": "zarr", "consolidated": False}


class Trace(xr.DataTree):
    """The result of a fit: a `DataTree` whose groups follow the ArviZ schema.

    `copy`, `sel`, `isel`, `assign`, reductions such as `mean("draw")`, `deepcopy` and `pickle` give a `Trace`
    again; `map_over_datasets`, `filter`, `match`, `compute` and arithmetic give a plain `DataTree`, which
    `Trace.from_dict(tree.to_dict())` turns back. `len`, iteration and `in` mean what they mean for a
    `DataTree`: the groups.

    Example:
        >>> trace = build_trace(groups={"posterior": {"mu": np.zeros((4, 100))}})
        >>> trace["mu"].shape, trace.posterior["mu"].dims, list(trace)
        ((400,), ('chain', 'draw'), ['posterior'])
    """

    __slots__ = ()

    if not TYPE_CHECKING:  # type checkers would take every name for one that is there

        def __getattr__(self, name: str) -> Any:
            """What a dataset has and a tree lacks, such as `stack`: of a group, as in older versions of ArviZ."""
            if not name.startswith("_") and hasattr(xr.Dataset, name) and self.parent is not None:
                return getattr(self.to_dataset(), name)
            return super().__getattr__(name)

    def __getitem__(self, key: str | list[str]) -> Any:
        """A group, variable or path as in a `DataTree`; failing that, the draws of one name over all chains.

        Args:
            key: "posterior", "posterior/theta", ...; or the bare name of a posterior variable ("theta"), of
                an unconstrained one ("tau_log__") or of a sampler statistic ("diverging"); or a list of names of the
                posterior.

        Returns:
            `DataTree` or `DataArray` for a path; for a bare name an array (chain * draw, *shape), the draws
            of chain 0 first; for a list a `Dataset` of those variables.

        Raises:
            UnknownNameError: (a `KeyError`) no such name, with those there are.
        """
        if isinstance(key, list):
            return self._subset(key)
        if not isinstance(key, str):
            raise DataError(f"A trace is asked by a name, such as trace['theta'], or a list of names; got {key!r}.")
        try:
            return super().__getitem__(key)
        except (KeyError, ValueError):  # xarray's, for a path that leads out of the tree
            return self.get_values(key)

    def to_netcdf(self, filepath: Any = None, mode: Any = "w", **options: Any) -> Any:  # type: ignore[override]
        """Save as a netCDF-4 file, in place of what is there once all of it has been written.

        Whatever fails, an old file stays whole and the draws stay in memory. The file ends with its SHA-256, which
        other programs don't see and `load` checks.

        Args:
            filepath: where to; an open file, or None for the bytes, as in `xarray.DataTree.to_netcdf`.
            mode: "w" for a file of its own, "a" to add groups to the one that is there.
            options: of `xarray.DataTree.to_netcdf`.

        Raises:
            OSError: the file cannot be written.

        Example:
            >>> import tempfile
            >>> file = Path(tempfile.mkdtemp()) / "fit.nc"
            >>> trace = build_trace(groups={"posterior": {"mu": np.zeros((4, 100))}})
            >>> trace.to_netcdf(file)
            >>> load(file).varnames
            ['mu']
        """
        save = super().to_netcdf
        if not isinstance(filepath, str | PathLike) or not options.get("compute", True):
            return save(filepath, mode=mode, **options)
        chosen: dict[str, Any] = {**options, "mode": mode, "engine": options.get("engine") or "h5netcdf"}
        by_path = chosen["engine"] != "h5netcdf"
        netcdf.write(Path(filepath), lambda file: save(file, **chosen), append=mode != "w", by_path=by_path)
        return None

    def to_zarr(self, store: Any, mode: Any = "w-", **options: Any) -> Any:  # type: ignore[override]
        """Save as a Zarr store, in place of what is there once all of it has been written.

        Whatever fails, an old store stays whole and the draws stay in memory. The SHA-256 of every part is noted in
        the root's attributes, which `load` checks.

        Args:
            store: path of the folder; or a Zarr store, as in `xarray.DataTree.to_zarr`.
            mode: "w-" where there must be nothing, "w" to replace what is there, "a" or "r+" to add to it.
            options: of `xarray.DataTree.to_zarr`.

        Returns:
            None for a path; what xarray returns for a store.

        Raises:
            DataError: something that is there already: anything with `mode="w-"`, what is no store with any other.
            OSError: the store cannot be written.
        """
        save = super().to_zarr
        if not isinstance(store, str | PathLike) or "://" in str(store) or not options.get("compute", True):
            return save(store, mode=mode, **options)
        target = Path(store)
        if mode == "w-" and target.exists():
            raise DataError(f'There is already something at {target}; mode="w" replaces it, another path keeps it.')
        append = mode not in ("w", "w-")
        order = {name: [*map(str, group.data_vars)] for name, group in self.children.items()}
        zarr.write(target, lambda path: save(path, mode=mode, **options), append=append, order=order)
        return None

    def get_values(
        self,
        varname: str,
        *,
        burn: int = 0,
        thin: int = 1,
        combine: bool = True,
        chains: int | Sequence[int] | None = None,
    ) -> np.ndarray | list[np.ndarray]:
        """The draws of one variable or sampler statistic as NumPy arrays, as in PyMC3.

        Args:
            varname: name in the posterior, unconstrained posterior or sample stats, looked up in that order.
            burn: draws left out at the start of every chain; a negative number keeps that many at the end.
            thin: keep every thin-th draw.
            combine: one array over the chains, or a list of one array per chain.
            chains: labels of the chains wanted; all by default.

        Returns:
            Array (chain * draw, *shape), chain by chain; with `combine=False` a list of (draw, *shape).

        Raises:
            UnknownNameError: no such variable or chain.
            DataError: `thin` below 1, arguments of the wrong kind, or a trace already reduced over chain or draw.

        Example:
            >>> trace = build_trace(groups={"posterior": {"mu": np.zeros((4, 100))}})
            >>> trace.get_values("mu", burn=20, thin=4).shape
            (80,)
        """
        _check_whole("thin keeps every thin-th draw, so it", thin, least=1)
        _check_whole("burn leaves out that many draws, so it", burn, least=None)
        if not isinstance(combine, bool | np.bool_):
            raise DataError(f"combine must be True or False; got {combine!r}.")
        if not isinstance(varname, str):
            raise DataError(f"get_values takes the name of a variable; got {varname!r}.")
        array = self._find(varname)
        if not {*SAMPLE_DIMS} <= {*array.dims}:
            raise DataError(f"{varname!r} has dims {array.dims}, not chain and draw: use trace['posterior'].")
        array = array.transpose(*SAMPLE_DIMS, ...)
        per_chain = [array.values[i, burn::thin] for i in _chain_positions(array, chains)]
        return np.concatenate(per_chain) if combine else per_chain

    @property
    def varnames(self) -> list[str]:
        """Names of the posterior's variables, then of the unconstrained ones."""
        groups = [self.children[group] for group in _LOOKED_UP[:2] if group in self.children]
        return [str(name) for group in groups for name in group.data_vars]

    @property
    def geometry(self) -> GeometryText:
        """What was done to each unknown before sampling, and why, as text; a table in a notebook."""
        return GeometryText(self.attrs.get("geometry", "This trace does not say how it was sampled."))

    @property
    def nchains(self) -> int:
        """Number of chains in the posterior."""
        return self.children["posterior"].sizes["chain"] if "posterior" in self.children else 0

    def _subset(self, names: list[str]) -> xr.Dataset:
        """Some variables of the posterior."""
        posterior = self.children["posterior"].to_dataset() if "posterior" in self.children else xr.Dataset()
        for name in names:
            if not isinstance(name, str) or name not in posterior.data_vars:
                raise unknown_name(name, map(str, posterior.data_vars), what="variable in the posterior")
        return posterior[names]

    def _find(self, name: str) -> xr.DataArray:
        """The variable of that bare name in the first group that has it."""
        groups = [self.children[group].data_vars for group in _LOOKED_UP if group in self.children]
        for group in groups:
            if name in group:
                return group[name]
        there = [*self.children, *(name for group in groups for name in group), *self.data_vars]
        raise unknown_name(name, there, what="group, variable or sampler statistic")


class GeometryText(str):
    """A plan as text that a notebook shows as it stands."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self)}</pre>"


def build_trace(
    *,
    groups: Mapping[str, Mapping[str, np.ndarray]],
    dims: Mapping[str, Sequence[str | None]] | None = None,
    coords: Mapping[str, Sequence] | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> Trace:
    """Arrays by group and name as a `Trace` in the ArviZ schema.

    Args:
        groups: group -> variable -> array. Variables have axes (chain, draw, *shape), but (*shape) in groups
            with "data" in their name (observed_data, constant_data). Empty groups are left out.
        dims: variable -> names of the axes of *shape; `<variable>_dim_<i>` for those not given or None.
        coords: dim -> labels; dims without are labelled 0, 1, ...
        attrs: facts about the run, put on the root and on every group in a form every file format holds
            (bool as int, None left out, mappings as JSON); `created_at` and `inference_library` are added.

    Returns:
        The tree, every group with its own dims, coords and attrs.

    Raises:
        ShapeError: axes, dims and coords that do not fit together, with their lengths.

    Source: the schema of ArviZ, https://python.arviz.org/en/stable/schema/schema.html.

    Example:
        >>> trace = build_trace(groups={"posterior": {"theta": np.zeros((4, 100, 2))}},
        ...                     dims={"theta": ("school",)}, coords={"school": ["A", "B"]})
        >>> float(trace.posterior["theta"].sel(school="B").mean())
        0.0
    """
    always = {"created_at": datetime.now(UTC), "inference_library": "finetti"}
    facts = storable_attrs({**always, **(attrs or {})})
    nodes = {
        name: dataset(name, variables, dims=dims or {}, coords=coords or {}, attrs=facts)
        for name, variables in groups.items()
        if variables
    }
    return Trace.from_dict({"/": xr.Dataset(attrs=facts), **nodes})


@hinted({})
def load(path: str | Path) -> Trace:
    """A `Trace` saved with `to_netcdf` or `to_zarr`, read into memory and the file closed.

    Args:
        path: a netCDF file, a Zarr directory or a zipped Zarr store; the kind is told from the content. It may come
            from a stranger: nothing else is read, no code is run, and no more memory is taken than there is.

    Returns:
        The `Trace`, attributes as plain Python values.

    Raises:
        DataError: nothing at `path`, something that is not a saved trace, or one that is damaged.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "fit.zarr"
        >>> trace = build_trace(groups={"posterior": {"mu": np.zeros((4, 100))}})
        >>> trace.to_zarr(file)
        >>> load(file).varnames
        ['mu']
    """
    file = limits.checked_path(path)
    try:
        with _open(file) as tree:
            nodes = {name: node.load() for name, node in tree.to_dict().items()}
    except FinettiError:
        raise
    except Exception as error:  # of any library that reads it: what is wrong with a stranger's file has many names
        raise DataError(f"{path} could not be read as a saved trace: {error}") from error
    if len(nodes) < 2:
        raise DataError(f"{path} holds no groups such as 'posterior', so it is not a saved trace.")
    order = zarr.order_of(nodes["/"].attrs) if "/" in nodes else {}
    nodes = {name: _in_order(node, order.get(name.strip("/"), [])) for name, node in nodes.items()}
    for node in nodes.values():
        node.attrs = zarr.without_seal({str(key): python(value) for key, value in node.attrs.items()})
    return Trace.from_dict(nodes)


def _in_order(dataset: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """The variables as they were written, where that is known of all of them."""
    return dataset[list(names)] if sorted(names) == sorted(map(str, dataset.data_vars)) else dataset


def _chain_positions(array: xr.DataArray, chains: int | Sequence[int] | None) -> list[int]:
    """Positions along the chain axis of the labels asked for."""
    labels = array["chain"].values.tolist()
    if chains is None:
        return list(range(len(labels)))
    several = isinstance(chains, list | tuple | range) or (isinstance(chains, np.ndarray) and chains.ndim == 1)
    wanted: list[Any] = [*chains] if several else [chains]  # type: ignore[misc]
    if not wanted:
        raise DataError("get_values needs at least one chain; `chains` is empty. None stands for all of them.")
    for chain in wanted:
        if not isinstance(chain, int | np.integer | str) or isinstance(chain, bool) or chain not in labels:
            raise unknown_name(chain, map(str, labels), what="chain")
    return [labels.index(chain) for chain in wanted]


def _check_whole(what: str, value: Any, *, least: int | None) -> None:
    """Refuse what is no whole number, or too small a one."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or (least is not None and value < least):
        bound = "" if least is None else f", at least {least}"
        raise DataError(f"{what} must be a whole number{bound}; got {value!r}.")


def _open(path: Path) -> xr.DataTree:
    """Whatever lies at `path` as an open tree, once it has been looked through."""
    start = b"" if path.is_dir() else _first_bytes(path)
    if start == b"\x89HDF":
        netcdf.check(path)
        return xr.open_datatree(path, engine="h5netcdf")
    if start == b"PK\x03\x04":
        from zarr.storage import ZipStore

        zarr.check(path)
        store: Any = ZipStore(path, mode="r")  # which xarray's annotations leave out
        return xr.open_datatree(store, **_ZARR)
    if (path / "zarr.json").exists() or (path / ".zgroup").exists():
        zarr.check(path)
        return xr.open_datatree(path, **_ZARR)
    raise DataError(
        f"{path} is neither a netCDF-4 file nor a Zarr store; save one with trace.to_netcdf('fit.nc')."
    )


def _first_bytes(path: Path) -> bytes:
    """What tells the kind of a file, whatever its name."""
    with path.open("rb") as file:
        return file.read(4)
