"""How long things are timed, and in which order: in turn, so that what disturbs the machine disturbs all alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fervid.errors import ModelError, UsageError
from fervid.evaluation.speed.processes import Worker
from fervid.evaluation.speed.timing import Burst


@dataclass(frozen=True, slots=True)
class Effort:
    """How much time figures are worth.

    Attributes:
        seconds: for each figure.
        rounds: into which they are divided.
        least: runs per figure, if it takes longer.
        batches: of faces.
        processes: per command of the cold start.
        warm_up: start each command once more before.
    """

    seconds: float = 2.0
    rounds: int = 10
    least: int = 20
    batches: tuple[int, ...] = (1, 8, 32, 128)
    processes: int = 7
    warm_up: bool = True

    def __post_init__(self) -> None:
        if not (self.seconds > 0 and math.isfinite(self.seconds)):
            raise UsageError(f"seconds is {self.seconds}", advice="Give each figure a time above 0.")


QUICK: Final = Effort(seconds=0.1, rounds=2, least=2, batches=(1, 8, 32), processes=1, warm_up=False)
"""A look within seconds; its figures are not worth quoting."""


def time_rounds(
    workers: Mapping[str, Worker],
    batch: int,
    effort: Effort,
    failures: dict[str, str] | None = None,
) -> dict[str, list[Burst]]:
    """Time every worker in turn, round after round, so that what disturbs the machine disturbs all alike.

    Args:
        workers: by any key.
        batch: that each runs.
        effort: time and runs per worker, over all rounds.
        failures: takes the reason of every worker that stops, which is then left out; None lets it raise.

    Returns:
        One burst per round, by key.

    Raises:
        ModelError: a worker stopped, and ``failures`` is None.
    """
    bursts: dict[str, list[Burst]] = {key: [] for key in workers}
    for _ in range(effort.rounds):
        for key in list(bursts):
            try:
                burst = workers[key].time(
                    batch, effort.seconds / effort.rounds, math.ceil(effort.least / effort.rounds)
                )
            except ModelError as error:
                if failures is None:
                    raise
                failures[key] = error.message
                del bursts[key]
            else:
                bursts[key].append(burst)
    return bursts
