"""The contract of a distribution and its registry; what makes, checks and registers a random variable.

A distribution is a class that is never instantiated: only mathematics and declarations. Calling it with a name
enters a variable into the open model; `.dist(...)` makes an unnamed one.

    class Normal(Family):
        signature = ("mu", "sigma", "tau")                     positional order, other parametrisations included
        parameters = (Parameter("mu", ANY, 0.0), Parameter("sigma", POSITIVE_NUMBER, 1.0))
        others = (Parameter("tau", POSITIVE_NUMBER),)          of other parametrisations
        alternatives = {("tau",): lambda tau: {"sigma": tau**-0.5}}
        support = REAL
        location_scale = ("mu", "sigma")
        log_density(xp, x, mu, sigma), draw(rng, shape, mu, sigma), mean(xp, mu, sigma)

Each function gets the parameters in the order of `parameters`, as arrays that broadcast against x. Where a costly
term depends on the data and few parameters, a family splits it off: `log_density` = `log_kernel` + `log_carrier`, and
`log_carrier(xp, x, ...)` takes those of the parameters named in `carrier`, so that it can be computed once.

A family whose density asks for log x is written by `log_density_by_logs(xp, x, logs, ...)` in place of `log_density`:
`logs` holds the logarithm also where x is so near 0 that it can't be told from it, as draws of Gamma(0.01, 0.01) are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from finetti.distributions.bijections import Logs, Support
from finetti.distributions.domains import (
    Condition,
    Parameter,
    check_condition,
    check_parameter,
)
from finetti.distributions.guards import Guard, guards_of
from finetti.distributions.laws import check_law, check_law_values, known_value, title_of
from finetti.distributions.starts import checked_start
from finetti.errors import ModelError, ShapeError
from finetti.hints import OF_DISTRIBUTIONS
from finetti.model.context import Dims, Model
from finetti.model.evaluate import is_static
from finetti.model.graph import Node, Random, Shape, as_array, as_node, label
from finetti.model.intake import as_shape
from finetti.model.labels import check_labels
from finetti.model.law import Law

REGISTRY: dict[str, type[Family]] = {}


class Family:
    """A distribution. Subclasses declare; see the head of this module for the contract."""

    signature: ClassVar[tuple[str, ...]] = ()
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    alternatives: ClassVar[Mapping[tuple[str, ...], Callable[..., Mapping[str, Any]]]] = {}
    others: ClassVar[tuple[Parameter, ...]] = ()
    conditions: ClassVar[tuple[Condition, ...]] = ()
    support: ClassVar[Support]
    event_ndim: ClassVar[int] = 0
    discrete: ClassVar[bool] = False
    drawable: ClassVar[bool] = True
    location_scale: ClassVar[tuple[str, str] | None] = None
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = ()
    carrier: ClassVar[tuple[str, ...] | None] = None

    log_density_by_logs: ClassVar[Callable[..., Any] | None] = None
    draw: ClassVar[Callable[..., Any]]
    mean: ClassVar[Callable[..., Any]]
    log_kernel: ClassVar[Callable[..., Any]]
    log_carrier: ClassVar[Callable[..., Any]]

    def __init_subclass__(cls) -> None:
        REGISTRY[cls.__name__] = cls
        cls.signature = cls.signature or tuple(p.name for p in cls.parameters)

    def __new__(  # type: ignore[misc]
        cls, name: str = "", *args: Any, observed: Any = None, shape: Any = None, dims: Dims = None,
        initval: Any = None, **kwargs: Any,
    ) -> Random:  # fmt: skip
        model = Model.current()
        model.claim(name)
        parameters, guards = cls.resolve(name, args, kwargs, data=model.data)
        cls._check_labels(model, name, args, kwargs, dims)
        return variable(cls, name, parameters, guards, observed=observed, shape=shape, dims=dims, initval=initval)

    @classmethod
    def dist(cls, *args: Any, shape: Any = None, **kwargs: Any) -> Random:
        """The distribution without a name, to hand to another (a mixture's component, an `sd_dist`)."""
        parameters, guards = cls.resolve(None, args, kwargs)
        return unnamed_variable(cls, parameters, guards, shape=shape)

    @classmethod
    def _check_labels(cls, model: Model, name: str, args: tuple, kwargs: Mapping[str, Any], dims: Dims) -> None:
        """See that labels which parameters bring along are those of the dims."""
        names = model.resolve_dims(name, dims) or ()
        for key, value in {**dict(zip(cls.signature, args, strict=False)), **kwargs}.items():
            check_labels(f"{key!r} of {title_of(cls, name)}", value, names, model.coords)

    @classmethod
    def log_density(cls, xp: Any, x: Any, *parameters: Any) -> Any:
        """The log density at values, of a family written by their logarithms."""
        assert cls.log_density_by_logs is not None
        return cls.log_density_by_logs(xp, x, cls.logs_of(xp, x), *parameters)

    @staticmethod
    def logs_of(xp: Any, x: Any) -> Logs:
        """What `log_density_by_logs` asks for, of a value."""
        return Logs(xp.log(x))

    @classmethod
    def support_of(cls, parameters: tuple[Node, ...]) -> Support:
        """The support, where it depends on which parameters are given."""
        return cls.support

    @classmethod
    def bounds_of(cls, values: tuple[Any, ...], support: Support) -> list[Any]:
        """Those of the parameters' values that bound the support."""
        names = [p.name for p in cls.parameters]
        return [values[names.index(bound)] for bound in support.bounds]

    @classmethod
    def center(cls, xp: Any, *parameters: Any) -> Any:
        """A point well inside the bulk, where a chain may start; the mean unless the family says otherwise."""
        return cls.mean(xp, *parameters)

    @classmethod
    def event_shape(cls, parameters: tuple[Node, ...]) -> Shape:
        """The shape of one value, from the shapes of the parameters."""
        return ()

    @classmethod
    def arrange(cls, title: str, parameters: tuple[Node, ...]) -> tuple[Node, ...]:
        """The parameters in the shapes the density needs, where the user may give them in others."""
        return parameters

    @classmethod
    def resolve(
        cls,
        name: str | None,
        args: tuple,
        kwargs: Mapping[str, Any],
        *,
        data: Mapping[Node, np.ndarray] | None = None,
    ) -> tuple[tuple[Node, ...], tuple[Guard, ...]]:
        """The parameters as nodes in canonical order, from PyMC's positions, names and parametrisations; their guards.

        Guards speak of the parameters as they were given; see `guards_of`.
        """
        given = _bind(cls, name, args, kwargs)
        _check_given(cls, name, given, data or {})
        as_given = {key: _parameter_node(cls, name, key, value) for key, value in given.items()}
        for names, convert in cls.alternatives.items():
            if set(names) <= set(given):
                nodes = [_parameter_node(cls, name, n, given.pop(n)) for n in names]
                converted = convert(*nodes)
                _refuse_double(cls, name, names, given, converted)
                given |= converted
        _refuse_unused(cls, name, given)
        canonical = tuple(_canonical(cls, name, p, given) for p in cls.parameters)
        parameters = cls.arrange(title_of(cls, name), canonical)
        _check_axes(cls, name, parameters)
        arranged = dict(zip((p.name for p in cls.parameters), parameters, strict=True))
        as_given = {key: arranged.get(key, node) for key, node in as_given.items()}
        return parameters, guards_of(cls.parameters, cls.others, cls.conditions, as_given, arranged)

    @classmethod
    def check(cls, node: Random, data: Mapping[Node, np.ndarray]) -> None:
        """Refuse parameters outside their domain and data outside the support, wherever both are known now."""
        check_law(cls, node, data)

    @classmethod
    def check_values(cls, node: Random, values: Sequence[np.ndarray | None]) -> None:
        """Refuse values of the parameters outside their domain; None stands for a value that is not known."""
        check_law_values(cls, node, values)


def named(node: Random, name: str, *, shape: Any = None, dims: Dims = None) -> Random:
    """The unnamed distribution `node`, entered into the open model as the variable `name`."""
    model = Model.current()
    model.claim(name)
    shape = node.shape if shape is None and dims is None else shape
    return entered(model, replace(node, name=name), observed=None, shape=shape, dims=dims)


def variable(
    law: Law, name: str, parameters: tuple[Node, ...], guards: tuple[Guard, ...], *, observed: Any, shape: Any,
    dims: Dims, initval: Any,
) -> Random:  # fmt: skip
    """A variable of that law, entered into the open model.

    Args:
        law: a family, or a law made of others.
        name: of the variable.
        parameters: in the law's order.
        guards: what keeps them in their domains.
        observed, shape, dims, initval: as a user gives them.
    """
    model = Model.current()
    node = _random(law, name, parameters, guards, observed=observed, shape=shape, dims=dims, model=model)
    start = None if initval is None else checked_start(node, initval)
    model.register(node)
    if start is not None:
        model.initvals[name] = start
    return node


def unnamed_variable(law: Law, parameters: tuple[Node, ...], guards: tuple[Guard, ...], *, shape: Any) -> Random:
    """A distribution without a name, to hand to another."""
    node = _random(law, None, parameters, guards, observed=None, shape=shape, dims=None, model=None)
    law.check(node, {})
    return node


def entered(model: Model, node: Random, *, observed: Node | None, shape: Any, dims: Dims) -> Random:
    """A variable like `node`, with its parameters and guards, entered into another model.

    Args:
        model: the model.
        node: its name, family, parameters and guards; the parameters belong to the model.
        observed: its data.
        shape, dims: as a user gives them.
    """
    made = _random(
        node.family, node.name, node.parameters, node.guards, observed=observed, shape=shape, dims=dims, model=model
    )
    return model.register(made)


def _check_given(cls: type[Family], name: str | None, given: Mapping[str, Any], data: Mapping[Node, Any]) -> None:
    """Check what was given under another parametrisation, in the user's own terms."""
    title, canonical = title_of(cls, name), {p.name for p in cls.parameters}
    known = {key: known_value(_parameter_node(cls, name, key, value), data) for key, value in given.items()}
    for parameter in cls.others:
        value = known.get(parameter.name)
        if value is not None:
            check_parameter(title, parameter, value)
    for condition in cls.conditions:
        if not set(condition.names) <= canonical:
            check_condition(title, condition, known)


def _refuse_unused(cls: type[Family], name: str | None, given: Mapping[str, Any]) -> None:
    unused = [key for key in given if key not in {p.name for p in cls.parameters}]
    if unused:
        ways = [" and ".join(names) for names in cls.alternatives if set(unused) & set(names)]
        raise ModelError(f"{title_of(cls, name)} cannot use {' and '.join(unused)} alone; give {' or '.join(ways)}.")


def _check_axes(cls: type[Family], name: str | None, parameters: tuple[Node, ...]) -> None:
    for spec, node in zip(cls.parameters, parameters, strict=True):
        if node.ndim < spec.event_ndim:
            raise ShapeError(
                f"{spec.name!r} of {title_of(cls, name)} has shape {node.shape}, but one value of it has "
                f"{spec.event_ndim} {'axis' if spec.event_ndim == 1 else 'axes'}."
            )


def _bind(cls: type[Family], name: str | None, args: tuple, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    if len(args) > len(cls.signature):
        raise ModelError(f"{title_of(cls, name)} takes {', '.join(cls.signature)}; {len(args)} values were given.")
    given = dict(zip(cls.signature, args, strict=False))
    for key, value in kwargs.items():
        if key not in cls.signature:
            hint = f" For {key!r}: {OF_DISTRIBUTIONS[key]}." if key in OF_DISTRIBUTIONS else ""
            raise ModelError(
                f"{title_of(cls, name)} has no parameter {key!r}; it takes {', '.join(cls.signature)}"
                f" (and observed, shape, dims, initval).{hint}"
            )
        if key in given:
            raise ModelError(f"{title_of(cls, name)} got {key!r} twice, by position and by name.")
        given[key] = value
    return {key: value for key, value in given.items() if value is not None}


def _refuse_double(cls, name, names, given, converted) -> None:
    both = [key for key in converted if key in given]
    if both:
        raise ModelError(f"{title_of(cls, name)} got both {' and '.join((*names, *both))}; give one or the other.")


def _canonical(cls: type[Family], name: str | None, parameter: Parameter, given: Mapping[str, Any]) -> Node:
    if parameter.name in given:
        value = given[parameter.name]
    elif not parameter.required:
        value = parameter.default
    else:
        ways = [parameter.name] if parameter.name in cls.signature else []
        ways += [" and ".join(names) for names in cls.alternatives]
        raise ModelError(f"{title_of(cls, name)} needs {', or '.join(ways)}.")
    return _parameter_node(cls, name, parameter.name, value)


def _parameter_node(cls: type[Family], name: str | None, parameter: str, value: Any) -> Node:
    node = as_node(value, what=f"{parameter!r} of {title_of(cls, name)}")
    if isinstance(node, Random) and node.name is None:
        raise ModelError(
            f"{parameter!r} of {title_of(cls, name)} is an unnamed distribution; give it a name, so that it becomes "
            "a variable of the model."
        )
    return node


def _random(cls, name, parameters, guards, *, observed, shape, dims, model) -> Random:
    what = title_of(cls, name)
    if cls.discrete and observed is None and name is not None:
        raise ModelError(
            f"{what} is discrete and has no data, so it would be a discrete unknown, which NUTS cannot sample. "
            "Sum it out of the model by hand (for two classes: `Potential` with `math.logsumexp`), or pass `observed=`."
        )
    data = None if observed is None else _observed_node(cls, what, observed)
    names = None if model is None else model.resolve_dims(name, dims)
    full = _shape(cls, what, parameters, names, shape, data, model)
    if name is not None and names is not None:
        names = model.checked_dims(name, names, full)
        check_labels(f"The data of {what}", observed, names, model.coords)
    dtype = np.dtype(np.int64 if cls.discrete else np.float64)
    return Random(full, dtype, name, cls, parameters, data, names or (), guards)


def _observed_node(cls: type[Family], what: str, observed: Any) -> Node:
    if isinstance(observed, Node):
        if not is_static(observed):
            raise ModelError(f"{what} is observed as {label(observed)}, which is random; data must be known numbers.")
        return observed
    return as_node(as_array(observed, what=f"The data of {what}"))


def _shape(cls, what, parameters, dims, shape, data, model) -> Shape:
    """The full shape: that of the data, else `shape`, else dims, else what the parameters imply."""
    event = cls.event_shape(parameters)
    batches = [p.shape[: len(p.shape) - spec.event_ndim] for p, spec in zip(parameters, cls.parameters, strict=True)]
    try:
        implied = np.broadcast_shapes(*batches) + event
    except ValueError:
        parts = ", ".join(f"{s.name} {p.shape}" for s, p in zip(cls.parameters, parameters, strict=True))
        raise ShapeError(f"The parameters of {what} do not broadcast against each other: {parts}.") from None
    wanted = _wanted_shape(what, dims, shape, data, implied, model)
    fits = len(wanted) >= len(event) and wanted[len(wanted) - len(event) :] == event
    if not fits or not _broadcasts_to(implied, wanted):
        parts = ", ".join(f"{s.name} {p.shape}" for s, p in zip(cls.parameters, parameters, strict=True))
        source = "its data have shape" if data is not None and shape is None and dims is None else "it has shape"
        raise ShapeError(
            f"{what}: {source} {wanted}, but its parameters have shapes {parts}, which make {implied}. "
            "Nothing is broadcast to fit; index or reshape the parameters."
        )
    return wanted


def _wanted_shape(what: str, dims, shape, data, implied: Shape, model) -> Shape:
    if shape is not None:
        asked = as_shape(shape, what=what)
    elif dims is not None:
        asked = model.shape_of_dims(what, dims, implied if data is None else data.shape)
    else:
        return implied if data is None else data.shape
    if data is not None and data.shape != asked:
        by = f"dims {dims} give" if shape is None else "shape= gives"
        raise ShapeError(f"The data of {what} have shape {data.shape}, but {by} {asked}. Data are never broadcast.")
    return asked


def _broadcasts_to(shape: Shape, target: Shape) -> bool:
    try:
        return np.broadcast_shapes(shape, target) == target
    except ValueError:
        return False
