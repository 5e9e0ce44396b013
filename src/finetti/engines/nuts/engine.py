"""NUTS as an engine; what it needs is loaded only where there is a chain to run."""

from __future__ import annotations

from finetti.engines.contract import Offer, Order, Ready, Target

SUITS = "any differentiable density"


class Nuts:
    """The engine."""

    name = "nuts"

    def offers(self, target: Target) -> Offer:
        """Wherever a coordinate is left."""
        return Offer(target.left > 0 or target.as_written, SUITS)

    def ready(self, order: Order) -> Ready:
        """Find starts, compile."""
        from finetti.engines.nuts.sampler import ready_nuts

        return ready_nuts(order)
