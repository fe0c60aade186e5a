"""A camera, read in a thread of its own: whoever looks sees the latest picture, however slow they are."""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from fervid.errors import InputError
from fervid.imaging import MAX_PIXELS
from fervid.video.capture import DEFAULT_SIZE, Capture, Door, find_door
from fervid.video.library import require_av
from fervid.video.reading import VideoReader

_FIRST_S: Final = 15.0
"""The first picture must come within this."""
_RETRIES_S: Final = (0.25, 0.5, 1.0, 2.0)
"""Waiting times before a lost camera is tried again; the last one repeats."""
_OUT_OF_STEP_S: Final = 0.5
"""A camera's clock that is off by more than this against ours is not believed."""


@dataclass(frozen=True, slots=True, eq=False)
class CameraFrame:
    """One picture of a camera.

    Attributes:
        image: ``(H, W, 3)`` uint8 RGB, upright; shared with everyone who looks.
        index: its number, from 0, in the order of arrival.
        time_s: when it was taken, as well as that is known; later than the one before.
        arrived_s: when it arrived, on the camera's clock.
    """

    image: NDArray[np.uint8]
    index: int
    time_s: float
    arrived_s: float


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """How a camera is doing.

    Attributes:
        state: ``opening``, ``live``, ``lost`` (it is being tried again) or ``ended``.
        since_s: when that began, on the camera's clock.
        detail: why it was lost; empty otherwise.
        losses: how often it was lost.
    """

    state: Literal["opening", "live", "lost", "ended"]
    since_s: float = 0.0
    detail: str = ""
    losses: int = 0


class _Mailbox:
    """The latest picture, and the camera's state; shared by the thread and everyone who looks."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.stop = threading.Event()
        self.frame: CameraFrame | None = None
        self.status = CameraStatus("opening")
        self.watchers: list[deque[CameraFrame]] = []
        self.error: BaseException | None = None
        self.epoch = time.monotonic()

    @property
    def now_s(self) -> float:
        return time.monotonic() - self.epoch

    def put(self, image: NDArray[np.uint8], time_s: float) -> None:
        with self.changed:
            before = self.frame
            self.frame = frame = CameraFrame(image, 0 if before is None else before.index + 1, time_s, self.now_s)
            for waiting in self.watchers:
                waiting.append(frame)
            if self.status.state != "live":
                self.status = replace(self.status, state="live", since_s=self.now_s, detail="")
            self.changed.notify_all()

    def lose(self, detail: str) -> None:
        with self.changed:
            losses = self.status.losses + (self.status.state == "live")
            since_s = self.status.since_s if self.status.state == "lost" else self.now_s
            self.status = CameraStatus("lost", since_s, detail, losses)
            self.changed.notify_all()

    def end(self, error: BaseException | None = None) -> None:
        with self.changed:
            self.error = error
            self.status = replace(self.status, state="ended", since_s=self.now_s)
            self.changed.notify_all()


class Camera:
    """Reads a camera from now on; the first picture is there when it has been made.

    Pictures are ``(H, W, 3)`` RGB uint8, not mirrored. They are numbered as they arrive, and their times are seconds
    from the first one by the camera's own clock, where it has one that runs with ours. Nothing is kept but the latest
    picture. A camera that drops is tried again for ever; its time and numbers go on. The thread ends with
    :meth:`close`, or when this object is forgotten.

    Args:
        device: a number from 0, a path such as ``/dev/video0``, an address (``rtsp://…``, ``http://…``), or a film,
            which plays at its own speed.
        size: (width, height) asked of a plugged-in camera, px; it gives the nearest that it can.
        loop: a film begins again when it is over.
        max_pixels: the most width × height that is accepted.

    Raises:
        MissingExtraError: PyAV is not installed (extra ``video``).
        InputError: the camera cannot be opened, or sends no picture.
        UsageError: no camera is called so.
    """

    def __init__(
        self,
        device: int | str | Path = 0,
        *,
        size: tuple[int, int] = DEFAULT_SIZE,
        loop: bool = False,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        require_av("Reading a camera")
        door = find_door(device, size=size)
        self.name = door.name
        self.kind = door.kind
        self._mailbox = mailbox = _Mailbox()
        if door.kind == "film":
            reader = VideoReader(door.target, prefetch=0, max_pixels=max_pixels)

            def play() -> None:
                _play_film(mailbox, reader, loop)
        else:

            def play() -> None:
                _play_live(mailbox, door, max_pixels)

        # The thread must not hold this object: that it is forgotten is a reason to stop.
        thread = threading.Thread(target=_run, args=(mailbox, play), name="fervid-camera", daemon=True)
        self.close: Callable[[], object] = weakref.finalize(self, _end, thread, mailbox)
        thread.start()
        first = self.wait(timeout_s=_FIRST_S)
        if first is None:
            error = mailbox.error
            self.close()
            raise error or InputError(f"{self.name} sends no picture", advice="Unplug it and plug it in again.")
        self.size = (first.image.shape[1], first.image.shape[0])

    @property
    def status(self) -> CameraStatus:
        """How it is doing just now."""
        return self._mailbox.status

    @property
    def now_s(self) -> float:
        """The time on the clock of :attr:`CameraFrame.arrived_s`."""
        return self._mailbox.now_s

    @property
    def received(self) -> int:
        """Pictures that have arrived."""
        frame = self._mailbox.frame
        return 0 if frame is None else frame.index + 1

    def check(self) -> None:
        """Raise what ended the camera, if it is not that it was closed or is a film that is over."""
        if self._mailbox.error is not None:
            raise self._mailbox.error

    def wait(self, after: int = -1, *, timeout_s: float | None = None) -> CameraFrame | None:
        """The latest picture, as soon as there is one with a number above ``after``; None at the end or in time-out."""
        mailbox = self._mailbox

        def is_over() -> bool:
            return mailbox.status.state == "ended" or (mailbox.frame is not None and mailbox.frame.index > after)

        with mailbox.changed:
            mailbox.changed.wait_for(is_over, timeout_s)
            frame = mailbox.frame
        return None if frame is None or frame.index <= after else frame

    def watch(self, *, backlog: int = 1) -> Generator[CameraFrame]:
        """The latest pictures, each once, from the one of now on; those that had to wait for too long are gone.

        Args:
            backlog: how many may wait.

        Raises:
            FervidError: what ended the camera, if it is not that it was closed or is a film that is over.
        """
        mailbox, waiting = self._mailbox, deque[CameraFrame](maxlen=backlog)
        with mailbox.changed:
            if mailbox.frame is not None:
                waiting.append(mailbox.frame)
            mailbox.watchers.append(waiting)
        try:
            while True:
                with mailbox.changed:
                    mailbox.changed.wait_for(lambda: waiting or mailbox.status.state == "ended")
                    if not waiting:
                        break
                    frame = waiting.popleft()
                yield frame
        finally:
            with mailbox.changed:
                mailbox.watchers = [other for other in mailbox.watchers if other is not waiting]
        self.check()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _run(mailbox: _Mailbox, play: Callable[[], None]) -> None:
    """The thread."""
    try:
        play()
        mailbox.end()
    except BaseException as error:  # it must reach whoever looks, whatever it is
        mailbox.end(error)


def _end(thread: threading.Thread, mailbox: _Mailbox) -> None:
    mailbox.stop.set()
    if thread is not threading.current_thread():
        thread.join()


def _play_film(mailbox: _Mailbox, reader: VideoReader, loop: bool) -> None:
    """Every frame at its time. Where this machine cannot keep up, the film plays slower."""
    offset_s, rate, delay_s = 0.0, reader.info.frame_rate or 25.0, 0.0
    while True:
        last_s = 0.0
        for frame in reader:
            if mailbox.frame is None:
                mailbox.epoch = time.monotonic() - frame.time_s
            time_s = offset_s + frame.time_s
            early_s = time_s + delay_s - mailbox.now_s
            if early_s < -_OUT_OF_STEP_S:
                delay_s -= early_s
            if mailbox.stop.wait(max(0.0, early_s)):
                return
            mailbox.put(frame.image, time_s)
            last_s = frame.time_s
        offset_s += last_s + 1 / rate
        if not loop:
            mailbox.stop.wait(
                max(0.0, offset_s + delay_s - mailbox.now_s)
            )  # the last frame is shown as long as the others
            return


def _play_live(mailbox: _Mailbox, door: Door, max_pixels: int) -> None:
    size: tuple[int, int] | None = None
    failures = 0
    while not mailbox.stop.is_set():
        try:
            capture = Capture(door, size=size, max_pixels=max_pixels)
            with closing(capture):
                clock = _Clock(mailbox)
                for image, camera_s in capture.read():
                    if mailbox.stop.is_set():
                        return
                    failures = 0
                    mailbox.put(image, clock.read(camera_s))
                size = capture.size
            detail = f"{door.name} stopped sending"
        except InputError as error:
            if mailbox.frame is None:
                raise
            detail = error.message
        if mailbox.frame is None:
            raise InputError(f"{door.name} sends no picture", advice="Check what it is.")
        size = (mailbox.frame.image.shape[1], mailbox.frame.image.shape[0])
        mailbox.lose(detail)
        mailbox.stop.wait(_RETRIES_S[min(failures, len(_RETRIES_S) - 1)])
        failures += 1


class _Clock:
    """Times of one connection: the camera's own steps, from when its first picture came."""

    def __init__(self, mailbox: _Mailbox) -> None:
        self._mailbox = mailbox
        self._shift_s: float | None = None
        self._last_s = -1.0

    def read(self, camera_s: float | None) -> float:
        mailbox = self._mailbox
        if mailbox.frame is None:
            mailbox.epoch = time.monotonic()
        else:
            self._last_s = mailbox.frame.time_s
        now_s = mailbox.now_s
        if camera_s is None:
            time_s = now_s
        else:
            if self._shift_s is None or abs(camera_s + self._shift_s - now_s) > _OUT_OF_STEP_S:
                self._shift_s = now_s - camera_s
            time_s = camera_s + self._shift_s
        return max(time_s, self._last_s + 1e-4)
