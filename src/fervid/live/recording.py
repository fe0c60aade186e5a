"""The film of a session, drawn and encoded in a thread of its own."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from fervid.live.following import FaceFollower, place_between
from fervid.live.reading import LiveReading
from fervid.live.view import draw_faces
from fervid.results import Face, Frame
from fervid.video.camera import Camera, CameraFrame
from fervid.video.writing import VideoWriter

_BACKLOG: Final = 16
"""Pictures that may wait for the encoder; they are held in memory, and more are left out."""
_HELD: Final = 12
"""Pictures that may wait for their answer: a film has time, so its frames sit where the faces are."""
LONGEST_S: Final = 3600.0
"""No picture of a film is shown for longer: its clock holds ten hours from one picture to the next, or five times two,
and a camera that was away for a night would cost all that was recorded."""


class FilmRecorder:
    """Records a camera with the faces on its pictures, not mirrored.

    The film appears, whole, when the ``with`` block ends without an error. When the encoder falls behind, pictures are
    left out; the others keep their times, but while the camera is away the film stands still for an hour at most.

    Args:
        path: the film to write.
        camera: what to record; whoever closes it ends the film.
        reading: the answers for it.

    Attributes:
        emoji: whether faces are covered by emoji from now on.
        written: pictures in the film.
        left_out: pictures that the encoder had no time for.
        shortened_s: by how much stretches without pictures were shortened, s.

    Raises:
        MissingExtraError: PyAV is not installed.
        UsageError: the path does not end in a film's suffix.
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path, camera: Camera, reading: LiveReading, *, emoji: bool = False) -> None:
        self.path = path
        self.emoji = emoji
        self.written = 0
        self.left_out = 0
        self.shortened_s = 0.0
        self._last_s: float | None = None
        self._camera = camera
        self._reading = reading
        self._writer = VideoWriter(path)
        self._follower = FaceFollower()
        self._answers: deque[Frame] = deque(maxlen=_BACKLOG + _HELD)
        self._error: BaseException | None = None
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="fervid-recorder", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise what went wrong, if something did."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Write what still waits and finish the film.

        Raises:
            FervidError: it could not be written.
        """
        try:
            self._camera.close()
            self._thread.join()
            self.check()
            self._writer.close()
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Stop; nothing is left of the film."""
        self._abandoned = True
        self._camera.close()
        self._thread.join()
        self._writer.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _run(self) -> None:
        next_index: int | None = None
        held: deque[CameraFrame] = deque()
        try:
            with closing(self._camera.watch(backlog=_BACKLOG)) as frames:
                for frame in frames:
                    if self._abandoned:
                        return
                    if next_index is not None:
                        self.left_out += frame.index - next_index
                    next_index = frame.index + 1
                    held.append(frame)
                    while held and (self._is_answered(held[0]) or len(held) > _HELD):
                        self._write(held.popleft())
            for frame in held:
                self._is_answered(frame)
                self._write(frame)
        except BaseException as error:  # the thread that shows the pictures must learn of it
            self._error = error

    def _is_answered(self, frame: CameraFrame) -> bool:
        """Whether the answers have come as far as this picture; takes the latest into account."""
        latest = self._reading.latest
        if latest is not None and (not self._answers or self._answers[-1] is not latest):
            self._answers.append(latest)
            self._follower.update(latest)
        return latest is not None and latest.index >= frame.index

    def _place(self, frame: CameraFrame) -> tuple[Face, ...]:
        """The faces on a picture: between the answers around it, or moved on from the last one."""
        while len(self._answers) > 1 and self._answers[1].index <= frame.index:
            self._answers.popleft()
        if len(self._answers) > 1 and self._answers[0].index <= frame.index:
            return place_between(self._answers[0], self._answers[1], frame.time_s)
        return self._follower.place(frame.time_s)

    def _write(self, frame: CameraFrame) -> None:
        faces = self._place(frame)
        image = draw_faces(frame.image, faces, emoji=self.emoji) if faces else frame.image
        if self._last_s is not None:
            self.shortened_s += max(0.0, frame.time_s - self._last_s - LONGEST_S)
        self._last_s = frame.time_s
        self._writer.write(image, frame.time_s - self.shortened_s)
        self.written += 1
