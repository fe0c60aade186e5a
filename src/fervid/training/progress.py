"""What a training run says of itself as it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Progress:
    """Where a run stands; handed to the caller as it goes on.

    Attributes:
        epoch: the current one, from 1.
        epochs: in all.
        step: finished steps of the epoch.
        steps: of an epoch.
        size: input side of the epoch, px.
        loss: of the last step; the epoch's mean at its end.
        images_per_s: in this epoch.
        remaining_s: of the whole run.
        metrics: the line of the epoch just finished; empty within an epoch.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    size: int
    loss: float
    images_per_s: float
    remaining_s: float
    metrics: dict[str, Any] = field(default_factory=dict)
