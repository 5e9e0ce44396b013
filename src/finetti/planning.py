"""What is done to each unknown of a model before it is sampled, and why; printable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape

from finetti.calls import hinted
from finetti.coordinates.constrain import blocks_of
from finetti.coordinates.contract import Coordinates
from finetti.coordinates.finding import bends, centrings
from finetti.distributions.guards import needed_guards, said
from finetti.engines.choose import tried
from finetti.engines.contract import Target, Told
from finetti.engines.independence.chain import BY_PROPOSALS
from finetti.errors import ModelError, unknown_name
from finetti.model.context import Model
from finetti.model.graph import Node, Random, label
from finetti.model.jumps import jumping
from finetti.model.planned import Geometry
from finetti.reductions.choose import Sought, reductions_of
from finetti.reductions.contract import Reduction

AUTO, AS_WRITTEN = "auto", "as_written"
SAMPLED = ("sampled", "centered", "noncentered")


@dataclass(frozen=True)
class Decision:
    """What is done to one variable.

    Args:
        name: the variable.
        what: "integrated out", "on a grid", "sampled", ...
        why: in words.
    """

    name: str
    what: str
    why: str


@dataclass(frozen=True)
class Plan:
    """The geometry chosen for a model.

    Args:
        decisions: one for each unknown, in the order they were written.
        reductions: what is integrated out.
        engine: that drew; before sampling, those that will be tried, in order.
        coordinates: of variables that stay in the chain, where they are not the support's own.
        notes: parameters that may leave their domain, and what the engines had to say afterwards.
    """

    decisions: tuple[Decision, ...]
    reductions: tuple[Reduction, ...]
    engine: str
    coordinates: Mapping[Random, Coordinates] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def with_notes(self, *notes: str) -> Plan:
        """The plan with more said about it."""
        return replace(self, notes=(*self.notes, *notes))

    def carried_out(self, told: Told) -> Plan:
        """The plan as it was carried out."""
        decisions = tuple(replace(d, what=told.what) if d.what == "sampled" else d for d in self.decisions)
        engine = str(told.facts["sampler"])
        return replace(self, decisions=decisions, engine=engine, notes=(*self.notes, *told.notes))

    def __str__(self) -> str:
        width = max((len(d.name) for d in self.decisions), default=0)
        action = max((len(d.what) for d in self.decisions), default=0)
        lines = [f"{d.name:<{width}}  {d.what:<{action}}  {d.why}" for d in self.decisions]
        return "\n".join([*lines, f"engine: {self.engine}", *self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><td>{escape(d.name)}</td><td>{escape(d.what)}</td><td>{escape(d.why)}</td></tr>"
            for d in self.decisions
        )
        notes = "".join(f"<p>{escape(note)}</p>" for note in (f"engine: {self.engine}", *self.notes))
        head = "<tr><th>variable</th><th>what is done</th><th>why</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{cells}</tbody></table>{notes}"


@hinted({})
def plan(model: Model, geometry: Geometry = AUTO) -> Plan:
    """Decide what `sample` does to each unknown of a model.

    Args:
        model: the model.
        geometry: "auto"; "as_written" for plain NUTS; or a mapping from a variable's name to "centered",
            "noncentered" or "sampled" (its centring learned, if it has one), which keeps that variable in the chain.

    Raises:
        ModelError: for another word, or where the posterior is improper in variables that would be integrated out.
        UnknownNameError: for a name that is no unknown of the model.

    Returns:
        The plan; `print` it.

    Example:
        >>> import finetti as pm
        >>> with pm.Model() as model:
        ...     tau = pm.HalfCauchy("tau", 5)
        ...     theta = pm.Normal("theta", 0, tau, shape=3)
        ...     y = pm.Normal("y", theta, 1, observed=[1.0, 2.0, 0.5])
        >>> pm.plan(model).decisions[1].what
        'integrated out'
    """
    wishes = _wishes(model, geometry)
    notes = (*said(needed_guards(model.randoms, model.data)), *_jumps(model))
    if isinstance(geometry, str) and geometry == AS_WRITTEN:
        decisions = tuple(Decision(str(node.name), "sampled", "as written") for node in model.free)
        return Plan(decisions, (), tried(Target(_size(model.free), False, as_written=True)), notes=notes)
    sought = Sought(
        model.randoms, model.potentials, model.data, [node for node in model.free if node not in wishes],
        {node: f"asked for: {wish}" for node, wish in wishes.items()}, few=BY_PROPOSALS,
    )  # fmt: skip
    reductions, refused = reductions_of(sought)
    kept = _others(model, reductions)
    found, words = centrings(kept, [*model.randoms, *model.potentials.values()], wishes, model.data)
    for node, wish in wishes.items():
        if node not in found and wish != "sampled":
            raise ModelError(f"{label(node)} has no random location or scale, so there is no centring to choose.")
    reasons = {**refused, **{n: f"{refused.get(n, '')}; {text}".lstrip("; ") for n, text in words.items()}}
    decisions = tuple(_decision(node, reductions, reasons) for node in model.free)
    engine = tried(Target(_size(kept), bool(reductions)))
    return Plan(decisions, reductions, engine, {**bends(kept), **found}, notes)


def _jumps(model: Model) -> tuple[str, ...]:
    """A sentence where the density may jump as an unknown moves."""
    names = jumping([*model.randoms, *model.potentials.values()])
    if not names:
        return ()
    which = " and ".join(map(repr, names))
    return (
        f"The density may jump where {which} {'crosses' if len(names) == 1 else 'cross'} what it is compared with: "
        "slopes do not tell a chain of that, which may be slow there or stick. A steep `math.sigmoid` in place of the "
        "comparison has slopes; a few possible values can be summed over.",
    )


def _others(model: Model, reductions: Sequence[Reduction]) -> list[Random]:
    """The unknowns that are not integrated out."""
    members = {member for reduction in reductions for member in reduction.members}
    return [node for node in model.free if node not in members]


def _wishes(model: Model, geometry: Geometry) -> dict[Node, str]:
    """What the user asks for by name."""
    if not isinstance(geometry, Mapping):
        if not isinstance(geometry, str) or geometry not in (AUTO, AS_WRITTEN):
            raise ModelError(
                f'geometry must be "auto", "as_written" or a mapping such as {{"theta": "centered"}}; got {geometry!r}.'
            )
        return {}
    nodes = {str(n.name): n for n in model.free}
    for name, wish in geometry.items():
        if not isinstance(name, str) or name not in nodes:
            raise unknown_name(name, nodes, what="unknown in the model")
        if not isinstance(wish, str) or wish not in SAMPLED:
            raise ModelError(f"geometry of {name!r} must be one of {', '.join(SAMPLED)}; got {wish!r}.")
    return {nodes[name]: wish for name, wish in geometry.items()}


def _size(free: Sequence[Random]) -> int:
    """Unconstrained coordinates of some variables."""
    return sum(piece.size for piece in blocks_of(free))


def _decision(node: Random, reductions: Sequence[Reduction], refused: Mapping[Node, str]) -> Decision:
    by = next((reduction for reduction in reductions if node in set(reduction.members)), None)
    if by is not None:
        saved = f"{node.size} fewer to sample" if node.size > 1 else "one fewer to sample"
        why = f"{by.why(node)}; {saved}; drawn back exactly"
        return Decision(str(node.name), "integrated out", why)
    return Decision(str(node.name), "sampled", refused.get(node, ""))
