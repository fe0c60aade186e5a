"""How long each answer of a film holds: frames become stretches of time, whatever the frame rate."""

from __future__ import annotations

import math
import statistics
from collections import deque
from dataclasses import dataclass
from typing import Final

from fervid.emotions import Emotion
from fervid.errors import UsageError
from fervid.results import Distribution, Frame

GAP_S: Final = 1.0
"""A person who is not seen for longer than this is absent in between."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time over which one answer for one person holds.

    Attributes:
        track_id: whose.
        start_s: when the face was seen, seconds of the film.
        stop_s: until when the answer holds.
        emotion: the face's; None is uncertain.
        probabilities: the face's ``basis``: smoothed, where the film is.
    """

    track_id: int
    start_s: float
    stop_s: float
    emotion: Emotion | None
    probabilities: Distribution

    @property
    def seconds(self) -> float:
        """From start to stop."""
        return self.stop_s - self.start_s


@dataclass(slots=True)
class _Pending:
    """A sighting whose end is not known yet, and how long the one before it held."""

    start_s: float
    emotion: Emotion | None
    probabilities: Distribution
    step_s: float


class Spans:
    """Makes spans of the frames of one film, in one pass.

    An answer holds until the person is seen next. When that is later than ``gap_s`` (and later than one and a half
    frames, where frames are rare), it holds as long as the one before it, and the person is absent for the rest. What
    frames without the person say does not matter, so that a table of faces gives the same spans as the frames.

    Args:
        gap_s: see :data:`GAP_S`.
        end_s: where the film, or the part of it that is read, ends, seconds of the film: no answer holds for longer.
            None when nobody knows.

    Raises:
        UsageError: ``gap_s`` is not above 0.
    """

    def __init__(self, gap_s: float = GAP_S, *, end_s: float | None = None) -> None:
        if not gap_s > 0:
            raise UsageError(f"gap_s is {gap_s}", advice="Use seconds above 0.")
        self.gap_s = gap_s
        self._end_s = math.inf if end_s is None else end_s
        self.start_s = math.nan
        self.last_s = math.nan
        self._step_s = math.inf
        self._steps: deque[float] = deque(maxlen=9)
        self._pending: dict[int, _Pending] = {}

    @property
    def stop_s(self) -> float:
        """End of the last frame, as long as the shortest one, or of the film before; NaN before the first."""
        step_s = self._step_s if math.isfinite(self._step_s) else 0.0
        return self.last_s + max(0.0, min(step_s, self._end_s - self.last_s))  # headers may say too little

    def add(self, frame: Frame) -> list[Span]:
        """The spans that this frame ends: the last answers of the people on it. Faces without a track are left out.

        Raises:
            UsageError: the frame is earlier than the last one.
        """
        if frame.time_s < self.last_s:
            raise UsageError(f"a frame at {frame.time_s} s after {self.last_s} s", advice="Give frames in their order.")
        if math.isnan(self.start_s):
            self.start_s = self.last_s = frame.time_s
        if frame.time_s > self.last_s:
            self._step_s = min(self._step_s, frame.time_s - self.last_s)
            self._steps.append(frame.time_s - self.last_s)
        self.last_s = frame.time_s
        spans = []
        for face in frame.faces:
            if face.track_id is None:
                continue
            before = self._pending.get(face.track_id)
            step_s = math.inf
            if before is not None:
                span = self._close(face.track_id, before, frame.time_s)
                spans.append(span)
                step_s = span.seconds
            self._pending[face.track_id] = _Pending(frame.time_s, face.emotion, face.basis, step_s)
        return [span for span in spans if span.seconds > 0]

    def finish(self) -> list[Span]:
        """The last spans of everybody, by track."""
        spans = [self._close(track, pending, math.inf) for track, pending in sorted(self._pending.items())]
        self._pending = {}
        return [span for span in spans if span.seconds > 0]

    def _close(self, track_id: int, pending: _Pending, next_s: float) -> Span:
        gap_s = max(self.gap_s, 1.5 * statistics.median_low(self._steps)) if self._steps else self.gap_s
        seconds = next_s - pending.start_s
        if seconds > gap_s:
            seconds = min(pending.step_s, self._step_s if math.isinf(pending.step_s) else math.inf)
            seconds = 0.0 if math.isinf(seconds) else min(seconds, gap_s, self.stop_s - pending.start_s)
        return Span(track_id, pending.start_s, pending.start_s + seconds, pending.emotion, pending.probabilities)
