"""When to ask the detector: on every k-th frame, k growing while the faces are where they were expected."""

from __future__ import annotations

import math
from typing import Final

from fervid.errors import UsageError
from fervid.tracking.tracker import Tracker

_CALM: Final = 0.15
"""Predictions that were off by less, in face sizes, are within a detector's own jitter."""
_LATE: Final = 0.3
"""Predictions that were off by more came too seldom: at half of this a crop begins to cost accuracy."""


class Schedule:
    """Chooses the frames on which the detector runs; between them :meth:`Tracker.predict` says where the faces are.

    ``stride`` begins at 1, grows by 1 with each calm detection (nobody came, nobody was lost, everyone was where the
    tracker expected them) and falls back to 1 when somebody comes, is lost or moved faster than expected.

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
        self._detected_s = self._asked_s = -math.inf
        self._waited = 0

    def is_due(self, time_s: float) -> bool:
        """Whether the detector should run on the next frame, which is at this time; to be asked once per frame."""
        self._waited += 1
        step_s, self._asked_s = time_s - self._asked_s, time_s
        too_late = not time_s + step_s - self._detected_s <= self.longest_s  # for the next frame
        if self._waited < self.stride and not too_late:
            return False
        self.stride = min(self.stride, self._waited)
        self._waited, self._detected_s = 0, time_s
        return True

    def adapt(self, tracker: Tracker) -> None:
        """Learn from what :meth:`Tracker.update` made of the frame on which the detector ran."""
        worst = max((t.error for t in tracker.visible if t.error is not None), default=0.0)
        if tracker.births or tracker.losses or worst > _LATE or any(not t.confirmed for t in tracker.tracks):
            self.stride = 1
        elif worst <= _CALM:
            self.stride = min(self.stride + 1, self.longest_frames)

    def reset(self) -> None:
        """Ask on the next frame: another scene begins."""
        self.stride, self._waited, self._detected_s = 1, 0, -math.inf
