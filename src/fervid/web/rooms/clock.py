"""The clock of rooms, which nobody sets.

What rooms promise is about time that passes: were the wall clock set ahead, every crowd would be over at once, and its
people in another one while pages still repeat the choice that the first one showed.
"""

from __future__ import annotations

import time
from typing import Final

_RUNNING: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
"""Also runs while the machine sleeps, as pages' choices lapse meanwhile; Windows has none."""


class SteadyClock:
    """Seconds since 1970 that pass one by one, whatever becomes of the wall clock.

    Args:
        start: what it says now, s since 1970; None is what the wall clock says.
    """

    def __init__(self, start: float | None = None) -> None:
        self._offset = (time.time() if start is None else start) - _measure_running()

    def __call__(self) -> float:
        return self._offset + _measure_running()


def _measure_running() -> float:
    """Seconds since a moment that stays the same while this process runs."""
    return time.monotonic() if _RUNNING is None else time.clock_gettime(_RUNNING)
