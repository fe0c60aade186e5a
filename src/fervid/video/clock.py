"""When a frame is shown, and the how manieth of its film it is."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

JUMP_BACK_S: Final = 1.0  # timestamps that fall back by more than this start a new count
JUMP_AHEAD_S: Final = 3600.0  # and so do those that leave out more than this: they are damaged
_USUAL_RATE: Final = Fraction(25)
_MOST_PENDING: Final = 4000
_COARSEST_S: Final = 0.0005  # half of Matroska's tick; coarser clocks (AVI, GIF) are exact


@dataclass(frozen=True, slots=True)
class Clock:
    """Turns timestamps of a stream into seconds from the start of the film.

    Attributes:
        tick_s: seconds per unit of a timestamp.
        origin_s: seconds at which the film starts, in timestamps; MPEG streams hardly ever start at 0.
        rate: frames per second, average; a guess where the film does not say.
        is_constant: frames have no timestamps of their own, they follow one another at ``rate``.
    """

    tick_s: Fraction
    origin_s: Fraction
    rate: Fraction
    is_constant: bool

    @property
    def tolerance_s(self) -> float:
        """How far a timestamp may lie from the true time, because the clock ticks coarsely."""
        return min(float(self.tick_s) / 2, _COARSEST_S) + 1e-9

    def time(self, pts: int) -> float:
        """Seconds from the start of the film."""
        return float(pts * self.tick_s - self.origin_s)

    def count_time(self, index: int) -> float:
        """Seconds from the start of a film without timestamps."""
        return float(index / self.rate)

    def timestamp(self, time_s: float) -> int:
        """The timestamp at or before ``time_s``."""
        return int((Fraction(time_s) + self.origin_s) // self.tick_s)


def read_clock(container: InputContainer, stream: VideoStream) -> Clock:
    """The clock of a stream.

    The film starts where its earliest stream does, so that picture and sound keep their distance; sound that starts
    before 0 (an encoder's lead-in, which players cut away) does not count.
    """
    tick = stream.time_base or Fraction(1, 1000)
    first = Fraction(0) if stream.start_time is None else stream.start_time * tick
    start = Fraction(container.start_time or 0, 1_000_000)
    origin = min(first, max(start, Fraction(0)))
    if abs(origin - first) < Fraction(1, 100_000):  # the container's start is rounded to microseconds
        origin = first
    # AVI numbers its packets in the order of decoding; with reordered frames its timestamps mean nothing.
    constant = container.format.name == "avi" and not stream.codec_context.codec.intra_only
    return Clock(tick, origin, stream.average_rate or stream.guessed_rate or _USUAL_RATE, constant)


class JumpBridge:
    """Lets the timestamps of a stream run on over jumps, such as those between joined recordings.

    Args:
        tick_s: seconds per unit of a timestamp.

    Attributes:
        shift: ticks to add to the timestamps of the latest packet.
        last: time of decoding of the latest packet, shifted; None before the first.
    """

    def __init__(self, tick_s: Fraction) -> None:
        self._back, self._ahead = JUMP_BACK_S / tick_s, JUMP_AHEAD_S / tick_s
        self.shift = 0
        self.last: int | None = None

    def add(self, dts: int, duration: int) -> bool:
        """Take the next packet's time of decoding; whether it has jumped."""
        jumped = self.last is not None and not -self._back <= dts + self.shift - self.last <= self._ahead
        if jumped and self.last is not None:
            self.shift = self.last + duration - dts
        self.last = dts + self.shift
        return jumped

    def move(self, ticks: int) -> None:
        """Shift further."""
        self.shift += ticks
        if self.last is not None:
            self.last += ticks


class FrameCounter:
    """Numbers frames by the rank of their timestamp among those of all packets, decoded or not.

    So a frame has the same number whether the film is read whole, in part, or around a damaged place.

    Args:
        first: number of the first frame that will be counted.
        on_step: called with every two timestamps that follow one another.

    Attributes:
        last_pts: the latest timestamp that a frame has come up to.
    """

    def __init__(self, first: int = 0, on_step: Callable[[int, int], None] | None = None) -> None:
        self._pending: list[int] = []
        self._passed = first
        self._next = first
        self.last_pts: int | None = None
        self._on_step = on_step

    @property
    def seen(self) -> int:
        """Frames up to the last packet that was counted, or the last frame that was numbered."""
        return max(self._passed + len(self._pending), self._next)

    def add(self, pts: int) -> None:
        """Count a packet."""
        heapq.heappush(self._pending, pts)
        if len(self._pending) > _MOST_PENDING:  # nothing was wanted for minutes: frames of the older half are long past
            for _ in range(_MOST_PENDING // 2):
                self._pass()

    def number(self, pts: int | None) -> int:
        """The number of the frame that was decoded just now; without a timestamp it follows the one before."""
        if pts is not None:
            while self._pending and self._pending[0] < pts:
                self._pass()
            index = max(self._passed, self._next)
            if self._pending and self._pending[0] == pts:
                self._pass()
        else:
            index = self._next
        self._next = index + 1
        return index

    def finish(self) -> None:
        """Step over what is left."""
        while self._pending:
            self._pass()

    def _pass(self) -> None:
        pts = heapq.heappop(self._pending)
        self._passed += 1
        if self.last_pts is not None and self._on_step is not None:
            self._on_step(self.last_pts, pts)
        self.last_pts = pts
