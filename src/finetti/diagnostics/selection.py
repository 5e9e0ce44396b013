"""Which scalars of a trace a table or a picture is of: one language of names and coords for all of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from finetti.diagnostics.labels import Coords, element_of, indices, listed, narrowed, places_of
from finetti.diagnostics.redundant import redundant
from finetti.errors import DataError, unknown_name
from finetti.schema import SAMPLE_DIMS

Names = str | Collection[str] | None
_LOG = re.compile(r"log\((.+)\)")
_UNCONSTRAINED_LOG = re.compile(r"(.+)_log__(\[.+\])?")


@dataclass(frozen=True, eq=False)
class Block:
    """The scalars that one name stands for: what to call each, and their draws (chain, draw, scalar)."""

    labels: tuple[str, ...]
    draws: np.ndarray


@dataclass(frozen=True, eq=False)
class Selection:
    """What was asked for.

    `trace` is the tree with the chains and draws that were asked for; `by_default`, whether no name chose anything;
    `left_out`, a sentence on the rows nobody asked for that say nothing, or "".
    """

    trace: xr.DataTree
    blocks: tuple[Block, ...]
    by_default: bool
    left_out: str


@dataclass(frozen=True, eq=False)
class _Part:
    """Places in the flattened axes of a variable beyond chain and draw, and how often to take the logarithm."""

    name: str
    places: np.ndarray
    logs: int = 0


def select(trace: xr.DataTree, var_names: Names = None, *, coords: Mapping[str, Any] | None = None) -> Selection:
    """The scalars that names and coords choose, in the order of the names.

    Args:
        trace: tree in the ArviZ schema with a group `posterior` of variables (chain, draw, ...).
        var_names: a name or a list, tuple or set of names. "theta" is all its elements; "theta[A]", "theta[A, 2]"
            or "theta[3]", a position unless the labels are numbers, is one; "log(tau)" the logarithm of the draws;
            "tau_log__" an unconstrained variable. A name behind "~" is left out. None, or nothing but names left
            out, is the whole posterior without the rows that `redundant` finds.
        coords: dim -> label or list of labels to keep, for every variable with that dim.

    Returns:
        The blocks, one a name, no scalar twice.

    Raises:
        UnknownNameError: (a `KeyError`) a variable, dim or label that is not there, with those that are.
        DataError: no posterior, nothing chosen, a variable without chains and draws or not numeric, a logarithm of
            what is not positive, or names and coords of another type.

    Example:
        >>> posterior = xr.Dataset({"theta": (("chain", "draw", "school"), np.zeros((4, 100, 2)))},
        ...                        coords={"school": ["A", "B"]})
        >>> tree = xr.DataTree.from_dict({"posterior": posterior})
        >>> [block.labels for block in select(tree, ["theta[B]", "theta"]).blocks]
        [('theta[B]',), ('theta[A]',)]
    """
    posterior_of(trace)
    trace, kept = narrowed(trace, coords)
    variables = _variables(trace)
    asked = _listed_names(var_names, list(variables))
    refused = [name[1:] for name in asked if _leaves_out(name, variables)]
    whole = {name for name in refused if name in variables}  # not looked into: it may be what is broken
    names = [name for name in asked if not _leaves_out(name, variables)]
    by_default = not names and (bool(refused) or var_names is None)
    if by_default:
        wanted, left_out = _telling(trace, variables, kept, without=whole)
    else:
        wanted, left_out = [_part(name, variables, kept) for name in names if name not in whole], ""
    out = [_part(name, variables, kept) for name in refused if name not in whole]
    parts = _once([part for part in wanted if part.logs or part.name not in whole], without=out)
    if not parts:
        within = f" with coords={dict(kept)!r}" if kept else ""
        raise DataError(
            f"Nothing to plot or to summarise: var_names={var_names!r}{within} leaves no variable of "
            f"{', '.join(variables)}."
        )
    return Selection(trace, tuple(_block(part, variables[part.name]) for part in parts), by_default, left_out)


def posterior_of(trace: Any) -> xr.Dataset:
    """The posterior group of a tree, which holds at least one variable."""
    groups = getattr(trace, "children", None)
    if not isinstance(groups, Mapping) or "posterior" not in groups:
        held = ", ".join(map(repr, groups)) if isinstance(groups, Mapping) and groups else "none"
        raise DataError(
            "A summary or a plot needs the trace that sampling returned, a DataTree with a group 'posterior'; "
            f"got {type(trace).__name__}, groups: {held}."
        )
    posterior: xr.Dataset = groups["posterior"].dataset
    if not posterior.data_vars:
        raise DataError("The posterior holds no variables, so there is nothing to summarise or to plot.")
    return posterior


def _variables(trace: xr.DataTree) -> dict[str, xr.DataArray]:
    """Variables by name: those of the posterior, then the unconstrained ones."""
    found: dict[str, xr.DataArray] = {}
    for group in ("posterior", "unconstrained_posterior"):
        if group in trace.children:
            found |= {str(name): a for name, a in trace.children[group].data_vars.items() if str(name) not in found}
    return found


def _listed_names(var_names: Any, variables: Sequence[str]) -> list[str]:
    """The names as a list; those of a set, which has no order, in the order of the trace."""
    names = [] if var_names is None else listed(var_names)
    if names is None or not all(isinstance(name, str) for name in names):
        raise DataError(
            "var_names takes a name, or a list, tuple or set of names such as ['mu', 'theta[0]', '~tau']; "
            f"got {var_names!r} ({type(var_names).__name__})."
        )
    if isinstance(var_names, Set):
        names.sort(key=lambda name: (_position_of_base(name, variables), name))
    return names


def _position_of_base(name: str, variables: Sequence[str]) -> int:
    """Where the variable stands that a name is made of; the end for one that is unknown."""
    fitting = [at for at, variable in enumerate(variables) if variable in name]
    return max(fitting, key=lambda at: len(variables[at]), default=len(variables))


def _leaves_out(name: str, variables: Mapping[str, xr.DataArray]) -> bool:
    """Whether a name says what not to take."""
    return name.startswith("~") and name not in variables


def _part(name: str, variables: Mapping[str, xr.DataArray], coords: Coords) -> _Part:
    """What one name stands for."""
    if name in variables:
        return _Part(name, places_of(_sample_first(name, variables[name]), coords).ravel())
    if match := _LOG.fullmatch(name):
        inner = _part(match[1], variables, coords)
        return replace(inner, logs=inner.logs + 1)
    bases = [base for base in variables if name.startswith(f"{base}[") and name.endswith("]")]
    if bases:
        base = max(bases, key=len)
        array = _sample_first(base, variables[base])
        element = element_of(name, name[len(base) + 1 : -1], array)
        return _Part(base, element[np.isin(element, places_of(array, coords))])
    if name.count("[") != name.count("]"):
        raise DataError(f"{name!r} has a bracket that is not closed; an element is written like 'theta[A]'.")
    raise unknown_name(name.partition("[")[0], variables, what="variable")


def _telling(
    trace: xr.DataTree, variables: Mapping[str, xr.DataArray], coords: Coords, *, without: Set[str]
) -> tuple[list[_Part], str]:
    """The posterior without some variables and the rows that say nothing of their own, and a sentence on those rows."""
    parts: list[_Part] = []
    silent: dict[str, Counter[str]] = {}
    for name in (name for name in map(str, trace.children["posterior"].data_vars) if name not in without):
        array = _sample_first(name, variables[name])
        places = places_of(array, coords)
        constant, mirrored = redundant(_taken(array, places))
        parts.append(_Part(name, places[~(constant | mirrored)]))
        silent[name] = Counter(constant=int(constant.sum()), mirrored=int(mirrored.sum()))
    return parts, _left_out({name: counts for name, counts in silent.items() if counts.total()})


def _left_out(silent: Mapping[str, Counter[str]]) -> str:
    """How many rows are not shown, and of which variables."""
    if not silent:
        return ""
    counts = sum(silent.values(), Counter[str]())
    rows = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    more = f" and {len(silent) - 4} more" if len(silent) > 4 else ""
    unit = "row" if counts.total() == 1 else "rows"
    return f"Left out: {rows} {unit} of {', '.join([*silent][:4])}{more}; var_names shows them."


def _once(wanted: list[_Part], *, without: list[_Part]) -> list[_Part]:
    """The parts wanted less what is left out and what came before; none that is empty."""
    seen: dict[tuple[str, int], np.ndarray] = {}
    for part in without:
        key = (part.name, part.logs)
        seen[key] = np.append(seen.get(key, part.places[:0]), part.places)
    kept = []
    for part in wanted:
        key = (part.name, part.logs)
        before = seen.get(key, part.places[:0])
        fresh = part.places[~np.isin(part.places, before)]
        seen[key] = np.append(before, fresh)
        kept.append(replace(part, places=fresh))
    return [part for part in kept if part.places.size]


def _block(part: _Part, array: xr.DataArray) -> Block:
    """The labels and draws of a part."""
    array = _sample_first(part.name, array)
    block = Block(_labels(part.name, array, part.places), _taken(array, part.places))
    for _ in range(part.logs):
        block = _log(block)
    return block


def _log(block: Block) -> Block:
    """The logarithms of a block."""
    least = np.fmin.reduce(block.draws, axis=(0, 1))
    for label, value in zip(block.labels, least, strict=True):
        if value <= 0:
            raise DataError(f"log({label}) needs positive draws; the least is {value:.3g}.")
    return Block(tuple(f"log({label})" for label in block.labels), np.log(block.draws))


def _labels(name: str, array: xr.DataArray, places: np.ndarray) -> tuple[str, ...]:
    """What the scalars at these places are called: theta[Choate], or theta[0] without coords."""
    if array.ndim == 2:
        return (_UNCONSTRAINED_LOG.sub(r"log(\1)", name),)
    names = (f"{name}[{index}]" for index in indices(array, places))
    return tuple(_UNCONSTRAINED_LOG.sub(r"log(\1\2)", element) for element in names)


def _sample_first(name: str, array: xr.DataArray) -> xr.DataArray:
    """A numeric variable with the axes chain and draw in front."""
    remedy = f"leave it out with var_names='~{name}'."
    missing = [dim for dim in SAMPLE_DIMS if dim not in array.dims]
    if missing:
        lacking = " and ".join(missing)
        raise DataError(f"Variable {name!r} has dims {array.dims}, without {lacking}; {remedy}")
    if array.dtype.kind not in "fiub":
        raise DataError(f"Variable {name!r} is of type {array.dtype}, which has no mean; {remedy}")
    chains, draws = (array.sizes[dim] for dim in SAMPLE_DIMS)
    if not chains or not draws:
        raise DataError(f"Variable {name!r} has no draws: {chains} chains of {draws}.")
    return array.transpose(*SAMPLE_DIMS, ...)


def _taken(array: xr.DataArray, places: np.ndarray) -> np.ndarray:
    """Draws (chain, draw, *places) of a variable with chain and draw in front; a view where all are taken."""
    flat = array.values.reshape(*array.shape[:2], -1)
    whole = np.array_equal(places.ravel(), np.arange(flat.shape[-1]))
    return flat.reshape(*array.shape[:2], *places.shape) if whole else flat[..., places]
