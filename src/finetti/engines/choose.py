"""Which engine draws: the first that takes the target, and that the density suits."""

from __future__ import annotations

import time
from collections.abc import Iterable

from finetti.engines.contract import Declined, Drawn, Engine, Offer, Order, Ready, Target, Told
from finetti.engines.exact import Exact
from finetti.engines.grid import Quadrature
from finetti.engines.independence.chain import Proposals
from finetti.engines.nuts.engine import Nuts
from finetti.engines.progress import progress
from finetti.engines.run import run
from finetti.engines.sinks import Memory, Watched
from finetti.engines.threads import threads_for

ENGINES: tuple[Engine, ...] = (Exact(), Quadrature(), Proposals(), Nuts())


def offers(target: Target) -> dict[str, Offer]:
    """What each engine makes of a target, in the order in which they are tried."""
    return {engine.name: engine.offers(target) for engine in ENGINES}


def tried(target: Target) -> str:
    """The engines that may draw a target, in words."""
    return ", else ".join(name for name, offer in offers(target).items() if offer.takes)


def draw(order: Order, target: Target) -> Drawn:
    """Draws by the first engine that the density suits; why others did not is among the notes.

    Raises:
        SamplingError: where none has a start.
        KeyboardInterrupt: at Ctrl-C before every chain has a draw.
    """
    declined: list[str] = []
    for engine in ENGINES:
        if engine.offers(target).takes:
            began = time.perf_counter()
            try:
                ready = engine.ready(order)
                return carried_out(ready, order, began=began, notes=declined)
            except Declined as words:
                declined.append(f"not by {engine.name}: {words}")
    raise AssertionError("NUTS takes every target")


def carried_out(ready: Ready, order: Order, *, began: float, notes: Iterable[str] = ()) -> Drawn:
    """All draws of an order, in memory.

    Args:
        ready: an engine made ready for it.
        order: how many, and whether to show how far they are.
        began: when it was begun to make the engine ready.
        notes: what there is to tell beside what the engine does.
    """
    memory = Memory(len(order.seeds), order.settings.draws)
    wait, chains = ready.wait, len(order.seeds)
    total, tune = wait or (0, 0)
    with progress(wanted=wait is not None and order.progressbar, total=total, tune=tune, chains=chains) as show:
        threads = threads_for(chains, order.cores)
        states, interrupted = run(ready, ready.start(), Watched(memory, show), cores=threads)
    flat, statistics = memory.joined()
    told = ready.told(states, flat)
    seconds = time.perf_counter() - began - told.facts.get("compile_time", 0.0)
    facts = {**told.facts, "interrupted": interrupted, "sampling_time": seconds}
    return Drawn(flat, statistics, Told(facts, (*notes, *told.notes), told.what, told.arguments))
