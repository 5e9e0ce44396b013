"""Where draws go while a run goes on: memory, with or without somebody who watches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from finetti.engines.contract import Batch, Shown, Sink


class Memory:
    """Keeps all batches.

    Args:
        chains: how many.
        wanted: draws of each.
    """

    def __init__(self, chains: int, wanted: int):
        self.wanted = wanted
        self.batches: list[list[Batch]] = [[] for _ in range(chains)]

    def take(self, batch: Batch) -> None:
        """Keep it."""
        self.batches[batch.chain].append(batch)

    def watch(self, chains: Sequence[Shown]) -> None:
        """Nothing is watched."""

    def joined(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Draws (chain, draw, unconstrained) and statistics (chain, draw), as many as every chain has."""
        least = min(sum(len(batch.flat) for batch in batches) for batches in self.batches)
        names = self.batches[0][0].statistics
        flat = np.stack([np.concatenate([b.flat for b in batches])[:least] for batches in self.batches])
        return flat, {
            name: np.stack([np.concatenate([b.statistics[name] for b in batches])[:least] for batches in self.batches])
            for name in names
        }


class Watched:
    """A sink, and a function that is shown how far the chains are.

    Args:
        sink: takes the draws.
        show: called with the chains, such as the one `progress` gives.
    """

    def __init__(self, sink: Sink, show: Callable[[Sequence[Shown]], None]):
        self.sink, self.show = sink, show

    @property
    def wanted(self) -> int:
        """As many as the sink wants."""
        return self.sink.wanted

    def take(self, batch: Batch) -> None:
        """Hand it on."""
        self.sink.take(batch)

    def watch(self, chains: Sequence[Shown]) -> None:
        """Show it, and hand it on."""
        self.show(chains)
        self.sink.watch(chains)
