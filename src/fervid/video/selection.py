"""Which frames are wanted: a stretch of the film, and one frame per interval of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fervid.errors import UsageError

_REMEMBERED = 64  # intervals; frames are reordered by a few places, not by this many intervals


@dataclass(frozen=True, slots=True)
class Selection:
    """The first frame of every interval of ``every_s`` from ``start_s`` on, up to ``end_s``.

    Attributes:
        start_s: frames before this are left out.
        end_s: frames at or after this are left out; None is the film's end.
        every_s: length of an interval; None means every frame.

    Raises:
        UsageError: a value is not finite or not above zero, or nothing lies between start and end.
    """

    start_s: float = 0.0
    end_s: float | None = None
    every_s: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and self.start_s >= 0):
            raise UsageError(f"a film cannot start at {self.start_s} s", advice="Give 0 or more seconds.")
        if self.end_s is not None and not (math.isfinite(self.end_s) and self.end_s > self.start_s):
            raise UsageError(f"nothing lies between {self.start_s} s and {self.end_s} s", advice="Give a later end.")
        if self.every_s is not None and not (math.isfinite(self.every_s) and self.every_s > 0):
            raise UsageError(f"one frame every {self.every_s} s", advice="Give more than 0 seconds.")

    @property
    def is_everything(self) -> bool:
        """Whether every frame of the film is wanted."""
        return self.start_s == 0 and self.end_s is None and self.every_s is None

    def contains(self, time_s: float, tolerance_s: float) -> bool:
        """Whether a frame at ``time_s`` lies between start and end."""
        return time_s >= self.start_s - tolerance_s and not self.ends_before(time_s, tolerance_s)

    def ends_before(self, time_s: float, tolerance_s: float) -> bool:
        """Whether the end is at or before ``time_s``."""
        return self.end_s is not None and time_s >= self.end_s - tolerance_s

    def interval(self, time_s: float, tolerance_s: float) -> int:
        """Number of the interval that ``time_s`` falls into. Only for selections with ``every_s``."""
        assert self.every_s is not None
        return math.floor((time_s - self.start_s + tolerance_s) / self.every_s)


class FrameChooser:
    """Chooses among frames in the order they are shown.

    Args:
        selection: what is wanted.
        tolerance_s: how far a stored timestamp may lie from the true one: half a tick of the container's clock.
    """

    def __init__(self, selection: Selection, tolerance_s: float) -> None:
        self._selection = selection
        self._tolerance_s = tolerance_s
        self._last = -1

    def choose(self, time_s: float) -> bool:
        """Whether the frame at ``time_s`` is wanted."""
        if not self._selection.contains(time_s, self._tolerance_s):
            return False
        if self._selection.every_s is None:
            return True
        interval = self._selection.interval(time_s, self._tolerance_s)
        if interval <= self._last:
            return False
        self._last = interval
        return True


class PacketForecast:
    """Says, before anything is decoded, which packets a :class:`FrameChooser` will surely not choose.

    Packets come in the order of decoding. A packet is ruled out when an earlier frame of its interval has been seen.
    """

    def __init__(self, selection: Selection, tolerance_s: float) -> None:
        self._selection = selection
        self._tolerance_s = tolerance_s
        self._firsts: dict[int, float] = {}

    def may_want(self, time_s: float) -> bool:
        """Whether the frame at ``time_s`` could be chosen."""
        if not self._selection.contains(time_s, self._tolerance_s):
            return False
        if self._selection.every_s is None:
            return True
        interval = self._selection.interval(time_s, self._tolerance_s)
        first = self._firsts.get(interval)
        if first is not None and first < time_s:
            return False
        self._firsts[interval] = time_s
        while len(self._firsts) > _REMEMBERED:
            del self._firsts[next(iter(self._firsts))]
        return True
