"""What a verdict is made of: findings, typed, each with what was measured, the limit, the source and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

PAPER = "Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), Bayesian Analysis 16(2), doi:10.1214/20-BA1221"
SHOWN = 3  # names in a sentence


class Severity(IntEnum):
    """How far a finding goes, the worst first."""

    WRONG = 0  # the draws do not show the posterior
    DOUBTFUL = 1  # they may not, or not precisely
    NOTE = 2  # nothing is wrong with the draws that are there


class Kind(StrEnum):
    """What can be found, the worst first."""

    NOT_FINITE = "draws that are not finite"
    UNDETERMINED = "a direction that nothing determines"
    MODES = "chains in different modes"
    ROUGH = "a log density spoilt by rounding"
    STUCK = "chains that never moved"
    R_HAT = "chains that disagree"
    DIVERGENCES = "divergences"
    ESS = "small effective sample size"
    FEW_DRAWS = "too few draws to judge"
    ENERGY = "low E-BFMI"
    ONE_CHAIN = "one chain alone"
    INCOMPLETE = "not everything could be computed"
    INTERRUPTED = "interrupted"
    TREE_DEPTH = "trees cut off"
    EMPTY = "data without rows"
    HEAVY = "tails too long for averages"
    TOO_SMALL = "values below what floating point holds"


CAUSES = frozenset({Kind.NOT_FINITE, Kind.UNDETERMINED, Kind.MODES})  # the rest follows from them


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing found in a run.

    Args:
        kind: what it is.
        severity: how bad it is.
        value: what was measured.
        threshold: the limit that it does not keep.
        variables: the elements concerned, the worst first, such as `theta[Choate]`; none where it is the whole run.
        says: a sentence.
        next_steps: sentences, each with one thing to do.
        source: where measure and limit come from.
    """

    kind: Kind
    severity: Severity
    value: float
    threshold: float
    says: str
    next_steps: tuple[str, ...]
    source: str
    variables: tuple[str, ...] = ()

    @property
    def rank(self) -> tuple[int, int]:
        """Sorts findings, the worst first."""
        return self.severity, list(Kind).index(self.kind)


def listed(names: tuple[str, ...]) -> str:
    """Names in a sentence: mu, tau and 4 more."""
    first, more = names[:SHOWN], len(names) - SHOWN
    parts = [*first, f"{more:,} more"] if more > 0 else list(first)
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def number(count: int, what: str) -> str:
    """A count with its noun."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
