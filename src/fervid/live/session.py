"""One session at a camera: pictures to the window and the film, answers from a thread beside."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Final

from fervid.live.following import FaceFollower
from fervid.live.rate import Rate
from fervid.live.reading import LiveReading
from fervid.live.recording import FilmRecorder
from fervid.live.view import View, ViewMode
from fervid.live.window import QUIT, Window
from fervid.video.camera import Camera, CameraFrame, CameraStatus

HELP: Final = "e emoji · m mirror · f full screen · q quit"
_WAIT_S: Final = 0.02
"""Keys are heard at least this often."""
_SILENT_S: Final = 1.5
"""Without a picture for so long, the window says so."""
_STATUS_S: Final = 0.5
"""The status line changes no more often, so that it can be read."""


@dataclasses.dataclass(frozen=True, slots=True)
class SessionSummary:
    """What happened at a camera.

    Attributes:
        seconds: how long the session was.
        received: pictures that came from the camera.
        shown: pictures that were shown.
        answered: pictures in which expressions were read.
        people: how many were given a number.
        delay_s: from a picture's arrival to its answer, at the end.
        losses: how often the camera was lost.
    """

    seconds: float
    received: int
    shown: int
    answered: int
    people: int
    delay_s: float
    losses: int


class Session:
    """Shows a camera until somebody has had enough.

    Args:
        camera: what to show.
        reading: the answers for it.
        window: where; None shows nothing.
        recorder: records beside it; None records nothing.
        mode: how the window begins.
        notify: is told when the camera is lost and comes back, in a sentence.
    """

    def __init__(
        self,
        camera: Camera,
        reading: LiveReading,
        *,
        window: Window | None = None,
        recorder: FilmRecorder | None = None,
        mode: ViewMode | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        self._camera = camera
        self._reading = reading
        self._window = window
        self._recorder = recorder
        self._notify = notify or (lambda _: None)
        self.mode = mode or ViewMode()
        self._view = View(HELP)
        self._follower = FaceFollower()
        self._rate = Rate()
        self._frame: CameraFrame | None = None
        self._shown = 0
        self._status, self._status_s = "", -_STATUS_S
        self._state = CameraStatus("opening")  # as far as anybody was told

    def run(self, stop: threading.Event, *, end_s: float | None = None) -> SessionSummary:
        """Go on until ``stop`` is set, a key or the window says so, the film is over, or ``end_s`` seconds have passed.

        To be called in the thread that made the window.

        Raises:
            FervidError: the camera, reading, showing or recording failed.
        """
        camera, began_s = self._camera, self._camera.now_s
        while not stop.is_set() and not self._hear():
            self._reading.check()
            if self._recorder is not None:
                self._recorder.check()
            frame = camera.wait(-1 if self._frame is None else self._frame.index, timeout_s=_WAIT_S)
            status = camera.status
            if frame is None and status.state == "ended":
                break
            if end_s is not None and camera.now_s - began_s >= end_s:
                break
            self._tell(status)
            if frame is not None:
                self._take(frame)
            if frame is not None or camera.now_s - self._status_s >= _STATUS_S:
                self._show(status)
        self._reading.check()
        camera.check()  # the reading may not have heard of it
        return SessionSummary(
            seconds=camera.now_s - began_s,
            received=camera.received,
            shown=self._shown,
            answered=self._reading.answered,
            people=self._reading.people,
            delay_s=self._reading.delay_s,
            losses=camera.status.losses,
        )

    def _hear(self) -> bool:
        """Do what the keys say; True is to end."""
        for key in self._window.poll() if self._window is not None else ():
            if key == QUIT:
                return True
            if key == "e":
                self.mode = dataclasses.replace(self.mode, emoji=not self.mode.emoji)
                if self._recorder is not None:
                    self._recorder.emoji = self.mode.emoji
            elif key == "m":
                self.mode = dataclasses.replace(self.mode, mirror=not self.mode.mirror)
            elif key == "f" and self._window is not None:
                self._window.toggle_full_screen()
        return False

    def _take(self, frame: CameraFrame) -> None:
        self._frame = frame
        self._shown += 1
        self._rate.add(self._camera.now_s)
        latest = self._reading.latest
        if latest is not None:
            self._follower.update(latest)

    def _show(self, status: CameraStatus) -> None:
        if self._window is None or self._frame is None:
            return
        now_s = self._camera.now_s
        if now_s - self._status_s >= _STATUS_S:
            self._status, self._status_s = self._describe(now_s), now_s
        notice = self._warn(status, now_s)
        faces = () if notice else self._follower.place(self._frame.time_s)
        picture = self._view.compose(
            self._frame.image, faces, self._window.size, self.mode, status=self._status, notice=notice
        )
        self._window.show(picture)

    def _describe(self, now_s: float) -> str:
        shown, read = self._rate.measure(now_s), self._reading.rate.measure(now_s)
        parts = [f"{shown:.0f} pictures/s"]
        latest = self._reading.latest
        if latest is not None:
            parts.append(f"{read:.0f} readings/s, {1000 * self._reading.delay_s:.0f} ms behind")
            parts.append(f"{latest.model.partition('@')[0]}, {latest.detector}")
        else:
            parts.append("the first reading is being made")
        if self._recorder is not None:
            parts.append("● recording")
        return " · ".join(parts)

    def _warn(self, status: CameraStatus, now_s: float) -> str:
        """What the window says across the picture."""
        if status.state == "lost":
            return f"{self._camera.name} is lost: trying again"
        if self._frame is not None and now_s - self._frame.arrived_s > _SILENT_S and status.state == "live":
            return f"no picture for {now_s - self._frame.arrived_s:.0f} s"
        return ""

    def _tell(self, status: CameraStatus) -> None:
        """Say once that the camera was lost, and once that it is back."""
        if status.state == "lost" and self._state.state != "lost":
            self._notify(f"{status.detail}; trying again until it comes back")
        elif status.state == "live" and self._state.state == "lost":
            self._notify(f"{self._camera.name} is back after {status.since_s - self._state.since_s:.1f} s")
        self._state = status
