"""Nothing left to sample: everything was integrated out, and draws come from the exact posterior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from finetti.engines.contract import Batch, Offer, Order, Target, Told

SUITS = "models of which everything is integrated out"


class Made(NamedTuple):
    """How many draws of each chain were made; there are no transitions beside, and nothing that could diverge."""

    drawn: int = 0

    @property
    def done(self) -> int:
        """Transitions are draws."""
        return self.drawn

    @property
    def divergences(self) -> int:
        """None."""
        return 0

    @property
    def step(self) -> float:
        """None."""
        return float("nan")


class Exact:
    """The engine."""

    name = "exact"

    def offers(self, target: Target) -> Offer:
        """Where no coordinate is left."""
        return Offer(target.left == 0 and not target.as_written, SUITS)

    def ready(self, order: Order) -> ReadyExact:
        """There is nothing to make ready."""
        return ReadyExact(order)


class ReadyExact:
    """Draws that consist of nothing.

    Args:
        order: what to draw from.
    """

    wait = None
    kinds = (Made,)

    def __init__(self, order: Order):
        self.order = order

    def start(self) -> tuple[Made, ...]:
        """No draws yet."""
        return (Made(),)

    def step(self, state: Made, wanted: int) -> tuple[Made, tuple[Batch, ...]]:
        """All that are wanted, with the one log density there is."""
        density, count = self.order.density, wanted - state.drawn
        with np.errstate(all="ignore"):  # where rounding has spoilt it all, which is noticed afterwards
            value = np.asarray(density(np.zeros((1, 0)), density.batched_arguments(), lead=1))
        lp = np.broadcast_to(value, (count,))
        flat = np.zeros((count, 0))
        chains = range(len(self.order.seeds))
        return Made(wanted), tuple(Batch(k, flat, statistics_of(lp)) for k in chains)

    def shown(self, state: Made) -> tuple[Made, ...]:
        """All chains are equally far."""
        return (state,) * len(self.order.seeds)

    def told(self, states: Sequence[Made], draws: np.ndarray) -> Told:
        """What was drawn from."""
        facts = {
            "sampler": Exact.name, "independent_draws": True, "trajectories": False,
            "drawn_from": "from the exact posterior: everything was integrated out",
        }  # fmt: skip
        return Told(facts, ("everything was integrated out: draws come from the exact posterior",))


def statistics_of(lp: np.ndarray) -> dict[str, np.ndarray]:
    """Of draws without trajectories (draw,): they have a log density, and cannot diverge."""
    return {"lp": lp, "diverging": np.zeros(lp.shape, bool)}
