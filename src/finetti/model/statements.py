"""What is written inside `with Model():` beside distributions: data, named quantities, terms of the density."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finetti.calls import hinted
from finetti.errors import ModelError
from finetti.hints import OF_DATA, OF_EXPRESSIONS, OF_SET_DATA
from finetti.model.checks import check_parts, check_predictors, refuse_unnamed
from finetti.model.context import Dims, Model
from finetti.model.graph import Data, Deterministic, Node, as_array, as_node
from finetti.model.intake import as_coords
from finetti.model.labels import check_labels


@hinted(OF_DATA, "Data")
def named_data(name: str, value: Any, *, dims: Dims = None, coords: Mapping[str, Any] | None = None) -> Data:
    """Name an array of the model, so that it is kept with the draws and can be replaced with `set_data`.

    Args:
        name: its name.
        value: numbers from NumPy, lists, pandas, polars or xarray.
        dims: names of its axes.
        coords: labels for dims the model does not know yet.

    Returns:
        The data as a variable of the model.

    Raises:
        DataError: for values that are not numbers.

    Example:
        >>> import finetti as pm
        >>> with pm.Model() as model:
        ...     x = pm.Data("x", [0.0, 1.0, 2.0], dims="row")
        >>> model.set_data("x", [3.0, 4.0, 5.0])
    """
    model = Model.current()
    model.claim(name)
    array = as_array(value, what=f"{name!r}")
    for dim, labels in as_coords({} if coords is None else coords, what=repr(name)).items():
        model.add_coord(dim, labels)
    names = model.checked_dims(name, dims, array.shape)
    check_labels(repr(name), value, names, model.coords)
    node = Data(array.shape, array.dtype, name, names)
    model.data[node] = array
    model.register(node)
    return node


@hinted(OF_EXPRESSIONS, "Deterministic")
def deterministic(name: str, var: Any, *, dims: Dims = None) -> Deterministic:
    """Name a quantity computed from other variables, so that it is kept with the draws.

    Args:
        name: its name.
        var: an expression of variables.
        dims: names of its axes.

    Returns:
        The quantity as a variable.

    Raises:
        ShapeError: where dims and shape do not fit.

    Example:
        >>> import finetti as pm
        >>> with pm.Model() as model:
        ...     a = pm.Normal("a", 0, 1)
        ...     b = pm.Deterministic("b", 2 * a)
    """
    model = Model.current()
    value = as_node(var, what=f"{name!r}")
    return model.register(
        Deterministic(value.shape, value.dtype, name, value, model.checked_dims(name, dims, value.shape))
    )


@hinted(OF_EXPRESSIONS, "Potential")
def potential(name: str, var: Any) -> Node:
    """Add a term to the log density of the model.

    Args:
        name: its name, for error messages.
        var: an expression; the sum of its elements is added.

    Returns:
        The expression.

    Example:
        >>> import finetti as pm
        >>> with pm.Model() as model:
        ...     a = pm.Normal("a", 0, 1, shape=3)
        ...     near_zero = pm.Potential("near_zero", -100 * a.sum() ** 2)
    """
    model = Model.current()
    model.claim(name)
    term = as_node(var, what=f"{name!r}")
    check_parts(name, [term], model.named)
    refuse_unnamed(name, [term])
    check_predictors(name, [term], model.named, model.data)
    model.potentials[name] = term
    return term


@hinted(OF_SET_DATA, "set_data")
def set_data(new_data: Mapping[str, Any], model: Model | None = None) -> None:
    """Replace the values of several `Data`, one after the other.

    Args:
        new_data: arrays by name, each of the shape it replaces.
        model: by default the one being written.

    Raises:
        UnknownNameError: no `Data` of a name.
        ShapeError, DataError: values that do not fit; the old ones stay.

    Example:
        >>> import finetti as pm
        >>> with pm.Model() as model:
        ...     x = pm.Data("x", [0.0, 1.0])
        >>> pm.set_data({"x": [2.0, 3.0]}, model)
    """
    model = Model.current() if model is None else model
    if not isinstance(new_data, Mapping):
        raise ModelError(f'set_data takes a mapping, such as {{"x": [1.0, 2.0]}}; got {new_data!r}.')
    for name, values in new_data.items():
        model.set_data(name, values)
