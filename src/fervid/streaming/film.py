"""One film from the file to its frames."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fervid.detection.detector import Detector, identify
from fervid.errors import InputError, escape_bytes
from fervid.imaging import MAX_PIXELS
from fervid.reading import FaceReader
from fervid.results import Frame
from fervid.streaming.journal import Batch, Journal
from fervid.streaming.stream import FrameStream, StreamSettings
from fervid.video.probing import VideoInfo
from fervid.video.problems import Problem
from fervid.video.reading import VideoReader
from fervid.video.selection import Selection

_TOLERANCE_S = 1e-6
_FASTEST = 1000.0  # frames/s; odd timestamps make headers say more


class FilmStream:
    """A film whose frames are read as it is iterated over, as often as you like; stop wherever you like.

    Args:
        path: of the film.
        reader: reads faces.
        detector: see :class:`.stream.FrameStream`.
        settings: how.
        start_s: frames before this are left out, s.
        end_s: frames at or after this are left out, s.
        every_s: one frame for each interval of so many seconds; None means every frame.
        threads: of the decoder; None means one per core.
        max_pixels: the most width × height of a frame that is accepted.
        name: what results call the film; None is its path.

    Raises:
        MissingExtraError: PyAV is not installed (extra ``video``).
        InputError: the film cannot be opened, is none, or has no video.
        UsageError: an argument is out of range.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        reader: FaceReader,
        detector: Detector,
        settings: StreamSettings,
        *,
        start_s: float = 0.0,
        end_s: float | None = None,
        every_s: float | None = None,
        threads: int | None = None,
        max_pixels: int = MAX_PIXELS,
        name: str | None = None,
    ) -> None:
        self._path = Path(path)
        self._name = os.fspath(path) if name is None else name
        self._reader = reader
        self._detector = detector
        self._settings = settings
        self._selection: dict[str, float | None] = {"start_s": start_s, "end_s": end_s, "every_s": every_s}
        self._options = {"threads": threads, "max_pixels": max_pixels}
        self._earlier: tuple[Problem, ...] = ()
        self._whole = self._frames = VideoReader(
            path, start_s=start_s, end_s=end_s, every_s=every_s, threads=threads, max_pixels=max_pixels
        )

    @property
    def info(self) -> VideoInfo:
        """Facts of the film."""
        return self._frames.info

    @property
    def selection(self) -> Selection:
        """Which of its frames are read."""
        return Selection(self._selection["start_s"] or 0.0, self._selection["end_s"], self._selection["every_s"])

    @property
    def end_s(self) -> float | None:
        """Where the film ends by its headers, or the selection before, seconds of the film; None when neither says."""
        info, end_s = self.info, self.selection.end_s
        ends = [] if info.duration_s is None else [info.start_s + info.duration_s]
        return min(ends if end_s is None else [*ends, end_s], default=None)

    @property
    def is_cut(self) -> bool:
        """Whether the film goes on after ``end_s``, as the latest reading found; known when it has ended."""
        return self._frames.is_cut

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was wrong with the film, as far as it was read; of a resumed one also before the interruption."""
        found: dict[str, Problem] = {}
        for problem in (*self._earlier, *self._frames.problems):
            before = found.setdefault(problem.kind, problem)
            if problem.count > before.count:  # the part that met more of it says so; the first place stays
                found[problem.kind] = dataclasses.replace(problem, time_s=before.time_s)
        return tuple(found.values())

    @property
    def frame_rate(self) -> float | None:
        """Frames per second by the film's headers; None when they say nothing, or what cannot be."""
        rate = self.info.frame_rate
        return rate if rate is not None and 0 < rate <= _FASTEST else None

    def count_frames(self) -> int | None:
        """About how many frames there are to read, by what the film's headers say; None when they do not."""
        selection, info = self.selection, self.info
        if info.duration_s is None:
            return info.frame_count if selection.is_everything else None
        end_s = info.duration_s if selection.end_s is None else min(selection.end_s, info.duration_s)
        seconds = max(0.0, end_s - selection.start_s)
        rate = self.frame_rate or math.inf
        if selection.every_s:
            rate = min(rate, 1 / selection.every_s)
        return math.ceil(seconds * rate - 1e-6) if math.isfinite(rate) else None

    def __iter__(self) -> Iterator[Frame]:
        for frame, _ in self.read():
            yield frame

    def read(
        self, journal: Journal | None = None, *, keep_images: bool = False
    ) -> Generator[tuple[Frame, NDArray[np.uint8] | None]]:
        """The frames, and their pictures if they are kept.

        Args:
            journal: begins with what it holds, and goes on writing it.
            keep_images: see :class:`.stream.FrameStream`. A resumed film is then decoded from its beginning.
        """
        stream = FrameStream(
            self._reader,
            self._detector,
            self._settings,
            size=self.info.size,
            source=self._name,
            keep_images=keep_images,
        )
        last: Batch | None = None
        if journal is not None and not keep_images:
            for last in journal:  # noqa: B007  (the last one is wanted)
                pass
        self._frames = self._whole if last is None else self._reopen(last.last_frame[1])
        # A film that is decoded from its beginning meets everything again.
        self._earlier = () if journal is None or last is None else journal.problems
        images = iter(self._frames)
        recorded = () if journal is None else journal

        def record(batch: Batch) -> None:
            if journal is not None:
                journal.add(batch, self.problems)

        with (
            closing(images),  # type: ignore[type-var]  # its own reading alone: others may go on
            closing(stream.read(images, recorded=recorded, record=record)) as frames,
        ):
            yield from frames

    def describe(self) -> dict[str, Any]:
        """What a journal's header says of this film and of how it is read.

        Raises:
            InputError: the film has gone.
        """
        try:
            facts = self._path.stat()
        except OSError as error:
            raise InputError(f"cannot open {self._path} ({error.strerror})") from None
        spec = self._reader.classifier
        return {
            "journal": "fervid-journal/4",
            "film": escape_bytes(self._path.name),
            "bytes": facts.st_size,
            "model": spec.identity,
            "detector": identify(self._detector),
            "labels": len(self._reader.labels),
            **dataclasses.asdict(self._settings),
            **self._selection,
        }

    def close(self) -> None:
        """Stop whatever is being read."""
        self._frames.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _reopen(self, last_s: float) -> VideoReader:
        """A reader that begins with the frame of this time."""
        start_s, every_s = self._selection["start_s"] or 0.0, self._selection["every_s"]
        if every_s:
            begin_s = start_s + math.floor((last_s - start_s) / every_s + _TOLERANCE_S) * every_s
        else:
            begin_s = last_s - _TOLERANCE_S
        return VideoReader(
            self._path,
            start_s=max(start_s, begin_s),
            end_s=self._selection["end_s"],
            every_s=every_s,
            threads=self._options["threads"],
            max_pixels=self._options["max_pixels"] or MAX_PIXELS,
        )
