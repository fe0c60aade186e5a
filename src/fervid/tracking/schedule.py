"""When to ask the detector: on every k-th frame, k growing while the faces are where they were expected."""

from __future__ import annotations

import math
from typing import Final

from fervid.errors import UsageError
from fervid.tracking.tracker import Tracker

_STILL: Final = 0.06
"""Predictions that were off by less, in face sizes, are as good as a detector's own word."""
_CALM: Final = 0.15
"""Predictions that were off by less are within a detector's own jitter."""
_LATE: Final = 0.3
"""Predictions that were off by more came too seldom: at half of this a crop begins to cost accuracy."""
_NEWCOMER: Final = 2
"""Somebody who may be there is looked at again after so many frames."""


class Schedule:
    """Chooses the frames on which the detector runs; between them :meth:`Tracker.predict` says where the faces are.

    The faces have a pace: that many frames may pass between looks. It grows by 1 with each look that finds everyone
    where the tracker expected them, doubles where they hardly move, and falls back to 1 when somebody moved otherwise
    than expected. ``stride``, the frames up to the next look, is that pace while everyone is there and known. It is
    2 while it is open whether a newcomer is one, 1 when somebody is lost, and grows by 1 while they stay away; a
    detection that flickers leaves the pace as it was.

    Args:
        longest_s: the detector runs at least this often, where frames are not farther apart; a newcomer waits no
            longer. 0 asks it on every frame.
        longest_frames: ``stride`` grows no further.

    Raises:
        UsageError: ``longest_s`` is negative, or ``longest_frames`` less than 1.
    """

    def __init__(self, longest_s: float = 0.25, longest_frames: int = 1000) -> None:
        if not (longest_s >= 0 and longest_frames >= 1):
            raise UsageError(
                f"longest_s is {longest_s}, longest_frames {longest_frames}", advice="Use 0 s or more, 1 frame or more."
            )
        self.longest_s = longest_s
        self.longest_frames = longest_frames
        self.stride = 1
        self._pace = 1
        self._detected_s = self._asked_s = -math.inf
        self._waited = 0

    def is_due(self, time_s: float) -> bool:
        """Whether the detector should run on the next frame, which is at this time; to be asked once per frame."""
        self._waited += 1
        step_s, self._asked_s = time_s - self._asked_s, time_s
        too_late = not time_s + step_s - self._detected_s <= self.longest_s  # for the next frame
        if self._waited < self.stride and not too_late:
            return False
        if self._waited < self.stride:  # no more than this fit; where frames come closer later, it grows again
            self._pace = self.stride = self._waited
        self._waited, self._detected_s = 0, time_s
        return True

    def adapt(self, tracker: Tracker) -> None:
        """Learn from what :meth:`Tracker.update` made of the frame on which the detector ran."""
        worst = max((t.error for t in tracker.visible if t.error is not None), default=0.0)
        undecided = any(not t.confirmed for t in tracker.tracks)
        if worst > _LATE:
            self._pace = 1
        elif worst <= _CALM and not undecided:
            grown = 2 * self._pace if worst <= _STILL else self._pace + 1
            self._pace = min(grown, self.longest_frames)
        if undecided:
            self.stride = min(_NEWCOMER, self._pace)
        elif tracker.losses:
            self.stride = 1
        elif len(tracker.visible) < len(tracker.tracks):
            self.stride = min(self.stride + 1, self._pace)
        else:
            self.stride = self._pace

    def reset(self) -> None:
        """Ask on the next frame: another scene begins."""
        self.stride, self._pace, self._waited, self._detected_s = 1, 1, 0, -math.inf
