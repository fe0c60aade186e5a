"""How often something happens."""

from __future__ import annotations

from collections import deque
from typing import Final

_WINDOW_S: Final = 2.0


class Rate:
    """Counts events over the last two seconds."""

    def __init__(self) -> None:
        self._times_s: deque[float] = deque(maxlen=1000)

    def add(self, time_s: float) -> None:
        """Something happened; each time is later than the one before."""
        self._times_s.append(time_s)

    def measure(self, now_s: float) -> float:
        """Events per second."""
        times_s = [time_s for time_s in list(self._times_s) if now_s - time_s <= _WINDOW_S]
        if len(times_s) < 2 or times_s[-1] <= times_s[0]:
            return 0.0
        return (len(times_s) - 1) / (max(now_s - 1 / 5, times_s[-1]) - times_s[0])
