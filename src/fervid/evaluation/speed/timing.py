"""From single durations to the figures that are quoted."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np


@dataclass(frozen=True, slots=True)
class Burst:
    """Runs of one thing in one uninterrupted row.

    Attributes:
        seconds: wall time of each run.
        processor_s: processor time of all of them, over all threads of the process.
    """

    seconds: tuple[float, ...]
    processor_s: float

    @property
    def median_s(self) -> float:
        """Median wall time of a run."""
        return statistics.median(self.seconds)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a run takes.

    Attributes:
        runs: how many were timed, after warm-up.
        p50_ms: median wall time.
        p95_ms: what 95 % of the runs stayed below, interpolated linearly.
        cores_busy: processor time over wall time: shows whether a limit on threads was kept.
    """

    runs: int
    p50_ms: float
    p95_ms: float
    cores_busy: float

    @classmethod
    def of_bursts(cls, bursts: Iterable[Burst]) -> Self:
        """All runs of all bursts together; there is at least one."""
        rows = list(bursts)
        seconds = [value for burst in rows for value in burst.seconds]
        p50, p95 = np.percentile(seconds, [50, 95]) * 1000
        busy = sum(burst.processor_s for burst in rows) / max(sum(seconds), 1e-9)
        return cls(len(seconds), float(p50), float(p95), busy)

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, as JSON carries it: ms with four decimals."""
        return {
            "runs": self.runs,
            "p50_ms": round(self.p50_ms, 4),
            "p95_ms": round(self.p95_ms, 4),
            "cores_busy": round(self.cores_busy, 3),
        }


def compare_bursts(bursts: Sequence[Burst], reference: Sequence[Burst]) -> float:
    """How many times as long as the reference: the median over rounds of the ratio of the two medians of a round.

    Both were timed in every round, so what slows the machine for a while slows both and cancels.
    """
    return statistics.median(a.median_s / b.median_s for a, b in zip(bursts, reference, strict=True))
