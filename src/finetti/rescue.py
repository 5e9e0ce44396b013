"""Draws that come back whatever fails after the last of them: a trace of what can still be computed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from finetti.collect import tree_of, values_of
from finetti.coordinates.constrain import constrain
from finetti.density import Density
from finetti.engines.contract import Drawn
from finetti.model.context import Model
from finetti.model.evaluate import evaluate
from finetti.schema import SAMPLE_DIMS, storable_attrs
from finetti.trace import Trace

FLAT = "unconstrained"  # what is left where not even the unknowns can be computed
MOST_WORDS = 200  # letters of an error's own words

logger = logging.getLogger("finetti")


def rescued(
    model: Model, density: Density, drawn: Drawn, *, attrs: Mapping[str, Any], rng: np.random.Generator,
    error: BaseException,
) -> Trace:
    """What is left of a run after an error; its attribute "incomplete" says what is not.

    Variables are computed one by one and those that fail left out. Where even then no tree can be made of them, they
    come without dims, coords and data.

    Args:
        model, density, drawn, attrs, rng: see `trace_of`.
        error: what went wrong.
    """  # fmt: skip
    posterior, missing = _one_by_one(model, density, drawn, rng)
    what = repr(error) if len(repr(error)) <= MOST_WORDS else f"{repr(error)[:MOST_WORDS]}..."
    lost = f" Not there: {', '.join(missing)}." if missing else ""
    words = f"The draws are here, but something failed after the last of them: {what}.{lost}"
    attrs = {**attrs, "interrupted": isinstance(error, KeyboardInterrupt)}
    if FLAT not in posterior:
        try:
            return tree_of(model, density, drawn, posterior, {}, attrs={**attrs, "incomplete": words})
        except (Exception, KeyboardInterrupt):
            logger.debug("no tree can be made of what is left", exc_info=True)
    words += " The trace has no coords, and no data; save it before you try again."
    nodes = {"/posterior": _plain(posterior), "/sample_stats": _plain(drawn.statistics)}
    return Trace.from_dict({"/": xr.Dataset(attrs=storable_attrs({**attrs, "incomplete": words})), **nodes})


def _one_by_one(
    model: Model, density: Density, drawn: Drawn, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Unknowns and deterministics (chain, draw, *shape) that can be computed, and the names of the others."""
    chains, draws, _ = drawn.flat.shape
    learned = drawn.arguments or (density.arguments,) * chains
    given = [{node: value[None] for node, value in arguments.items()} for arguments in learned]
    known = [_unknowns(model, density, rows, values, rng) for rows, values in zip(drawn.flat, given, strict=True)]
    found, missing = {}, []
    wanted: list[Any] = [*model.free, *model.deterministics]
    for node in wanted:
        try:
            with np.errstate(all="ignore"):
                parts = [np.asarray(evaluate([node], values, lead=1)[0]) for values in known]
            found[str(node.name)] = np.stack([np.broadcast_to(part, (draws, *node.shape)) for part in parts])
        except Exception:
            missing.append(str(node.name))
    return (found if found else {FLAT: drawn.flat}), missing


def _unknowns(model: Model, density: Density, rows: np.ndarray, given: Mapping[Any, Any], rng) -> dict[Any, Any]:
    """Values of one chain, with those that were integrated out if they can be drawn."""
    try:
        with np.errstate(all="ignore"):
            return values_of(model, density, rows, given, rng)[0]
    except Exception:
        values = {**given, **{node: array[None] for node, array in model.data.items()}}
    try:
        with np.errstate(all="ignore"):
            return values | {block.node: value for block, value, _ in constrain(density.blocks, rows, given, lead=1)}
    except Exception:
        return values


def _plain(variables: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Arrays without coords, each axis with a dim of its own."""
    return xr.Dataset({
        name: ((*SAMPLE_DIMS, *(f"{name}_dim_{k}" for k in range(np.ndim(array) - 2))), array)
        for name, array in variables.items()
    })  # fmt: skip
