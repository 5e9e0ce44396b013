"""A law that a user writes: its log density as an expression of the value and the parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np

from finetti.calls import hinted
from finetti.distributions.base import unnamed_variable, variable
from finetti.distributions.bijections import BINARY, COUNTS, POSITIVE, POSITIVE_COUNTS, REAL, UNIT, Support
from finetti.distributions.domains import ANY, Condition, Parameter
from finetti.distributions.laws import ValueLaw, Write
from finetti.distributions.tails import Tails
from finetti.errors import ModelError, ShapeError
from finetti.hints import OF_CUSTOM
from finetti.model.context import Dims, Model
from finetti.model.evaluate import evaluate
from finetti.model.graph import Apply, Data, Deterministic, Node, Random, Shape, ancestors, as_node, label
from finetti.model.namespace import NUMPY, Namespace

SUPPORTS = {
    "real": REAL, "positive": POSITIVE, "unit": UNIT, "binary": BINARY, "counts": COUNTS,
    "positive counts": POSITIVE_COUNTS,
}  # fmt: skip
INSIDE = {REAL: 0.0, POSITIVE: 1.0, UNIT: 0.5, BINARY: 0.0, COUNTS: 1.0, POSITIVE_COUNTS: 1.0}
TRIED = np.array([0.3, 0.6, 0.8])  # values at which a function of JAX is seen to be elementwise

Function = Callable[..., Any]


@dataclass(frozen=True)
class CustomLaw(ValueLaw):
    """A law by its functions of values and parameters.

    Args:
        logp: `(value, *parameters) -> log density` of each element, an expression.
        names: of the parameters.
        where: values are: a key of `SUPPORTS`.
        random: `(*parameters, rng=, size=) -> draws`, in NumPy; None where there are none.
        logcdf: like `logp`, of the values up to there.
        support_point: `(*parameters) -> a point in the bulk`, an expression.
    """

    logp: Function
    names: tuple[str, ...]
    where: str
    random: Function | None = None
    logcdf: Function | None = None
    support_point: Function | None = None

    __name__: ClassVar[str] = "CustomDist"
    conditions: ClassVar[tuple[Condition, ...]] = ()
    event_ndim: ClassVar[int] = 0

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Each may be any number: the density says where it is 0."""
        return tuple(Parameter(name, ANY) for name in self.names)

    @property
    def support(self) -> Support:
        """Where values are."""
        return SUPPORTS[self.where]

    @property
    def discrete(self) -> bool:
        """Whether values are whole numbers."""
        return self.support.bijection is None

    @property
    def drawable(self) -> bool:
        """Whether there are draws."""
        return self.random is not None

    @property
    def tails(self) -> Tails | None:
        """Cumulative probabilities, where `logcdf` is given; far above, they are as exact as 1 - exp(logcdf) is."""
        if self.logcdf is None:
            return None
        below = self._below
        return Tails(below, lambda xp, x, *p: xp.log1mexp(xp.minimum(below(xp, x, *p), 0.0)))

    def _below(self, xp: Namespace, x: Any, *parameters: Any) -> Any:
        assert self.logcdf is not None
        return _computed(self.logcdf, xp, (x, *parameters))

    def shown(self, write: Write, texts: Sequence[str]) -> str:
        """The parameters by their names."""
        return write(self.__name__, list(self.names), texts)

    def support_of(self, parameters: tuple[Any, ...]) -> Support:
        """As it was given."""
        return self.support

    def bounds_of(self, values: tuple[Any, ...], support: Support) -> list[Any]:
        """None."""
        return []

    def event_shape(self, parameters: tuple[Any, ...]) -> Shape:
        """One number."""
        return ()

    def log_density(self, xp: Namespace, x: Any, *parameters: Any) -> Any:
        """What `logp` says."""
        return _computed(self.logp, xp, (x, *parameters))

    def draw(self, rng: np.random.Generator, shape: Shape, *parameters: Any) -> np.ndarray:
        """What `random` draws."""
        if self.random is None:
            raise ModelError(
                "A CustomDist without `random=` cannot be drawn from; give it a function "
                f"`random({', '.join(self.names)}, rng=None, size=None)` written with NumPy."
            )
        drawn = np.asarray(self.random(*parameters, rng=rng, size=shape), float)
        if drawn.shape != shape:
            raise ShapeError(f"`random` of a CustomDist was asked for size={shape} and gave shape {drawn.shape}.")
        return drawn

    def center(self, xp: Namespace, *parameters: Any) -> Any:
        """`support_point`, or some point inside the support."""
        if self.support_point is None:
            return xp.asarray(INSIDE[self.support])
        return _computed(self.support_point, xp, parameters)


class CustomDist:
    """A distribution by its log density, written with `finetti.math` like any expression of a model.

    Args:
        name: of the variable.
        dist_params: the parameters, numbers or variables; everything that `logp` reads of the model is among them.
        logp: `(value, *dist_params) -> log density` of each element; elementwise, so that it holds for any shape.
        random: `(*dist_params, rng=None, size=None) -> draws` of that size, written with NumPy; needed where draws of
            it are asked for.
        logcdf: like `logp`, the log probability of values up to there; needed by `Truncated` and `Censored`.
        support: where values are: "real", "positive", "unit" (between 0 and 1), "binary", "counts" (0, 1, 2, ...) or
            "positive counts".
        support_point: `(*dist_params) -> a point in the bulk`, where chains start.
        observed, shape, dims, initval: as for any distribution.

    Raises:
        ModelError: no `logp`, one that fails, mixes elements, or reads a variable that is not among `dist_params`.
        ShapeError: a `logp` that gives another shape than the value's.

    Example:
        >>> import finetti as pm
        >>> def logp(value, mu, beta):
        ...     z = (value - mu) / beta
        ...     return -z - pm.math.exp(-z) - pm.math.log(beta)
        >>> with pm.Model():
        ...     mu = pm.Normal("mu", 0, 10)
        ...     y = pm.CustomDist("y", mu, 2.0, logp=logp, observed=[1.2, 3.4, 0.7])
    """

    @hinted(OF_CUSTOM, "CustomDist")
    def __new__(  # type: ignore[misc]
        cls, name: str, *dist_params: Any, logp: Function | None = None, random: Function | None = None,
        logcdf: Function | None = None, support: str = "real", support_point: Function | None = None,
        observed: Any = None, shape: Any = None, dims: Dims = None, initval: Any = None,
    ) -> Random:  # fmt: skip
        Model.current().claim(name)
        what = f"{name!r} (CustomDist)"
        law, parameters = _law(what, dist_params, logp, random, logcdf, support, support_point)
        return variable(law, name, parameters, (), observed=observed, shape=shape, dims=dims, initval=initval)

    @staticmethod
    @hinted(OF_CUSTOM, "CustomDist.dist")
    def dist(
        *dist_params: Any, logp: Function | None = None, random: Function | None = None,
        logcdf: Function | None = None, support: str = "real", support_point: Function | None = None,
        shape: Any = None,
    ) -> Random:  # fmt: skip
        """The distribution without a name, to hand to another."""
        law, parameters = _law("CustomDist", dist_params, logp, random, logcdf, support, support_point)
        return unnamed_variable(law, parameters, (), shape=shape)


def _law(
    what: str, given: Sequence[Any], logp: Any, random: Any, logcdf: Any, support: Any, support_point: Any
) -> tuple[CustomLaw, tuple[Node, ...]]:
    """The law and its parameters, checked."""
    functions = {"random": random, "logcdf": logcdf, "support_point": support_point}
    wrong = next((k for k, v in functions.items() if v is not None and not callable(v)), None)
    if not callable(logp) or wrong:
        key, value = (wrong, functions[wrong]) if wrong else ("logp", logp)
        raise ModelError(f"{what} needs a function for {key!r}, such as `def {key}(...)`; got {value!r}.")
    if not isinstance(support, str) or support not in SUPPORTS:
        raise ModelError(f"'support' of {what} must be one of {', '.join(map(repr, SUPPORTS))}; got {support!r}.")
    names = _names_of(logp, len(given))
    nodes = tuple(as_node(v, what=f"{n!r} of {what}") for n, v in zip(names, given, strict=True))
    pairs = zip(names, nodes, strict=True)
    unnamed = next((name for name, node in pairs if isinstance(node, Random) and not node.name), None)
    if unnamed:
        raise ModelError(f"{unnamed!r} of {what} is an unnamed distribution; give it a name, or use it in `Mixture`.")
    law = CustomLaw(logp, names, support, random, logcdf, support_point)
    parameters = [node.shape for node in nodes]
    for key, function, shapes in (
        ("logp", logp, [np.broadcast_shapes(*parameters), *parameters]), ("support_point", support_point, parameters),
        ("logcdf", logcdf, [np.broadcast_shapes(*parameters), *parameters]),
    ):  # fmt: skip
        if function is not None:
            _check(f"{key!r} of {what}", function, tuple(shapes))
    return law, nodes


def _names_of(logp: Function, count: int) -> tuple[str, ...]:
    """What `logp` calls its parameters, or numbers where it does not say."""
    try:
        arguments = inspect.signature(logp).parameters.values()
        places = [p for p in arguments if p.kind in (p.POSITIONAL_OR_KEYWORD, p.POSITIONAL_ONLY)]
    except (TypeError, ValueError):
        places = []
    names = [p.name for p in places[1:]]
    return tuple(names) if len(names) == count else tuple(f"parameter {k}" for k in range(1, count + 1))


# --- functions of a user on arrays ------------------------------------------------------------------------------


def _computed(function: Function, xp: Namespace, arrays: Sequence[Any]) -> Any:
    """A function written for variables, at arrays that broadcast against each other."""
    shapes = tuple(tuple(np.shape(array)) for array in arrays)
    try:
        places, node = _graph(function, shapes)
    except TypeError:  # not hashable
        places, node = _graph.__wrapped__(function, shapes)
    return evaluate([node], dict(zip(places, arrays, strict=True)), xp=xp)[0]


@lru_cache(maxsize=256)
def _graph(function: Function, shapes: tuple[Shape, ...]) -> tuple[tuple[Data, ...], Node]:
    """Stand-ins for arrays of these shapes, and what the function makes of them."""
    places = tuple(Data(shape, np.dtype(float), f"argument {k}") for k, shape in enumerate(shapes, start=1))
    return places, as_node(function(*places))


def _check(what: str, function: Function, shapes: tuple[Shape, ...]) -> None:
    """See that a function gives one number for each element, from that element alone and from nothing else."""
    try:
        places, node = _graph.__wrapped__(function, shapes)
    except Exception as error:
        raise ModelError(
            f"{what} failed: {type(error).__name__}: {error} It is called with variables: write it with "
            "`finetti.math` and operators, and JAX functions inside `finetti.wrap`."
        ) from error
    _refuse_others(what, node, places)
    mixing = {n.op.name for n in ancestors([node]) if isinstance(n, Apply) and not n.op.elementwise}
    if mixing - {"wrapped"}:
        raise ModelError(
            f"{what} uses {', '.join(sorted(mixing - {'wrapped'}))}, which mixes elements. It must give the log "
            "density of each element by itself; the model adds them up."
        )
    expected = np.broadcast_shapes(*shapes)
    if node.shape != expected:
        raise ShapeError(f"{what} gives shape {node.shape} for values and parameters of shape {expected}.")
    if mixing:
        _check_wrapped(what, function, len(shapes))


def _refuse_others(what: str, node: Node, places: Sequence[Node]) -> None:
    """Refuse variables of the model that are not among the parameters: the graph would not show them."""
    for other in ancestors([node], known=places):
        if isinstance(other, Random | Data | Deterministic):
            raise ModelError(
                f"{what} reads {label(other)} of the model. Pass it among `dist_params`, and take it as an argument."
            )


def _check_wrapped(what: str, function: Function, count: int) -> None:
    """See that a function of JAX gives for several values what it gives for each."""
    arrays = [np.roll(TRIED, k) for k in range(count)]
    together = np.asarray(_computed(function, NUMPY, arrays))
    alone = [np.asarray(_computed(function, NUMPY, [a[k] for a in arrays])) for k in range(len(TRIED))]
    if together.shape != TRIED.shape or not np.allclose(together, np.array(alone).reshape(-1), equal_nan=True):
        raise ModelError(f"{what} gives for several values another result than for each of them: it mixes elements.")
