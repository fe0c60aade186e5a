"""Reads everybody's expression in a thread of its own: always on the latest picture, never in the way of the next."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Self

from fervid.live.rate import Rate
from fervid.pipeline import Analyzer
from fervid.results import Frame
from fervid.tracking.smoothing import SMOOTH_S
from fervid.video.camera import Camera, CameraFrame


class LiveReading:
    """Answers for a camera.

    While one picture is read, others arrive; the next one that is read is the latest. Closing the camera ends it.

    Args:
        camera: what to read.
        analyzer: with what.
        smooth_s: memory of the smoothed answers, s.
        takers: each is given every answer, in the thread.

    Attributes:
        latest: the last answer; None before the first.
        answered: how many there were.
        people: how many were given a number.
        rate: answers per second.
        delay_s: from a picture's arrival to its answer, on average.
    """

    def __init__(
        self,
        camera: Camera,
        analyzer: Analyzer,
        *,
        smooth_s: float = SMOOTH_S,
        takers: Sequence[Callable[[Frame], object]] = (),
    ) -> None:
        self.latest: Frame | None = None
        self.answered = 0
        self.people = 0
        self.delay_s = 0.0
        self.rate = Rate()
        self._error: BaseException | None = None
        self._arrived_s = 0.0
        self._closed = False
        self._camera = camera
        self._takers = tuple(takers)
        self._thread = threading.Thread(
            target=self._run, args=(analyzer, smooth_s), name="fervid-expressions", daemon=True
        )
        self._thread.start()

    def check(self) -> None:
        """Raise what ended it, if it was an error."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Wait for the answer that is being made; none comes after it."""
        self._closed = True
        self._camera.close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _watch(self) -> Generator[CameraFrame]:
        with closing(self._camera.watch()) as frames:
            for frame in frames:
                if self._closed:
                    return
                self._arrived_s = frame.arrived_s
                yield frame

    def _run(self, analyzer: Analyzer, smooth_s: float) -> None:
        camera = self._camera
        try:
            with closing(self._watch()) as frames:
                for answer in analyzer.stream(frames, live=True, smooth_s=smooth_s):
                    frame = dataclasses.replace(answer, source=camera.name)
                    now_s = camera.now_s
                    for take in self._takers:
                        take(frame)
                    self.answered += 1
                    self.people = max([self.people, *(face.track_id or 0 for face in frame.faces)])
                    self.rate.add(now_s)
                    self.delay_s += (now_s - self._arrived_s - self.delay_s) / min(self.answered, 10)
                    self.latest = frame
        except BaseException as error:  # the thread that shows the pictures must learn of it
            self._error = error
