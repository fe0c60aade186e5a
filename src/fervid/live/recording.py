"""The film of a session, drawn and encoded in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from fervid.errors import VideoError
from fervid.live.view import draw_faces
from fervid.results import Face
from fervid.video.camera import CameraFrame
from fervid.video.writing import VideoWriter

_WAITING: Final = 12
"""Pictures that may wait for the encoder; more are left out."""


class FilmRecorder:
    """Records pictures with the faces on them, not mirrored.

    The film appears, whole, when the ``with`` block ends without an error. When the encoder falls behind, pictures are
    left out; the others keep their times.

    Args:
        path: the film to write.
        frame_rate: pictures per second to expect.

    Attributes:
        written: pictures in the film.
        left_out: pictures that the encoder had no time for.

    Raises:
        MissingExtraError: PyAV is not installed.
        UsageError: the path does not end in a film's suffix.
        InputError: it cannot be written.
    """

    def __init__(self, path: Path, *, frame_rate: float | None = None) -> None:
        self.path = path
        self.written = 0
        self.left_out = 0
        self._writer = VideoWriter(path, frame_rate=frame_rate)
        self._waiting: queue.Queue[tuple[CameraFrame, Sequence[Face], bool] | None] = queue.Queue(_WAITING)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="fervid-recorder", daemon=True)
        self._thread.start()

    def add(self, frame: CameraFrame, faces: Sequence[Face], *, emoji: bool = False) -> None:
        """Record a picture with ``faces`` on it.

        Raises:
            FervidError: an earlier one could not be written.
        """
        if self._error is not None:
            raise self._error
        try:
            self._waiting.put_nowait((frame, faces, emoji))
        except queue.Full:
            self.left_out += 1

    def close(self) -> None:
        """Finish the film. One without pictures is not made.

        Raises:
            FervidError: it could not be written.
        """
        self._finish()
        if self._error is not None:
            self._writer.discard()
            raise self._error
        if self.written:
            self._writer.close()
        else:
            self._writer.discard()
            raise VideoError(f"{self.path} was not made: there was no picture to record")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._finish()
            self._writer.discard()

    def _finish(self) -> None:
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            if self._error is None:
                try:
                    self._write(*item)
                except BaseException as error:  # the thread that gives the pictures must learn of it
                    self._error = error

    def _write(self, frame: CameraFrame, faces: Sequence[Face], emoji: bool) -> None:
        image: NDArray[np.uint8] = draw_faces(frame.image, faces, emoji=emoji) if faces else frame.image
        self._writer.write(image, frame.time_s)
        self.written += 1
