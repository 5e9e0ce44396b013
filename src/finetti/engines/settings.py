"""What a run is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TARGET, TARGET_ALONG_GAUSSIAN = 0.8, 0.7  # acceptance, where none is asked for


@dataclass(frozen=True)
class Settings:
    """What a run of NUTS is asked for; names and defaults as in `sample`."""

    draws: int = 1000
    tune: int = 1000
    target_accept: float | None = None
    max_treedepth: int = 10
    step: str = "leapfrog"

    def target(self, metric: Any) -> float:
        """The acceptance to tune to; along a trusted Gaussian longer steps halve the gradients of a trajectory."""
        if self.target_accept is not None:
            return self.target_accept
        return TARGET_ALONG_GAUSSIAN if self.step == "split" and metric.trusted else TARGET

    @property
    def hurries(self) -> bool:
        """Whether warmup begins with shallow trees and ends when it has settled; plain NUTS does neither."""
        return self.step == "split"
