"""Films as streams of upright RGB frames with their true times."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from fervid.errors import UsageError
from fervid.imaging import MAX_PIXELS
from fervid.video.decoding import decode_film
from fervid.video.pixels import FrameConverter, FrameReducers
from fervid.video.prefetching import Prefetcher
from fervid.video.probing import VideoInfo, probe_video
from fervid.video.problems import Problem, ProblemLog
from fervid.video.selection import Selection

if TYPE_CHECKING:
    from av.video.frame import VideoFrame as StoredFrame


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One frame of a film.

    Attributes:
        image: ``(H, W, 3)`` uint8 RGB, upright; yours alone.
        index: number of the frame in the film, from 0, whichever part of it is read.
        time_s: seconds from the start of the film, by its own timestamps.
    """

    image: NDArray[np.uint8]
    index: int
    time_s: float


@dataclass(frozen=True, slots=True, eq=False)
class FilmFrame(VideoFrame):
    """A frame whose stored picture is still at hand."""

    _stored: StoredFrame
    _reducers: FrameReducers

    def reduce(self, width: int, height: int) -> NDArray[np.uint8]:
        """``(height, width, 3)`` uint8: the picture reduced with antialiasing, in a third of Pillow's time."""
        return self._reducers.reduce(self._stored, width, height)

    def detach(self) -> VideoFrame:
        """The frame without its stored picture, which takes half as much memory again."""
        return VideoFrame(self.image, self.index, self.time_s)


class VideoReader:
    """Reads a film, as often as it is iterated over, always from the start of the selection.

    Frames are decoded ahead in a thread, so that decoding overlaps with what is done with them. Stop wherever you like:
    the thread and the file are released when the loop's iterator is forgotten, and by :meth:`close` at the latest.
    Memory does not grow with the length of the film.

    Args:
        source: path of the film.
        start_s: frames before this are left out, s; what comes before the last key frame is not decoded.
        end_s: frames at or after this are left out, s.
        every_s: the first frame of each interval of so many seconds, counted from ``start_s``; None means every frame.
            What no wanted frame needs is not decoded. To go on where an interrupted reading stopped, start at a
            multiple of ``every_s`` after ``start_s``: the frames are the same ones.
        threads: of the decoder; None means one per core.
        prefetch: frames decoded ahead; 0 decodes in the thread that iterates.
        max_pixels: the most width × height of a frame that is accepted.

    Raises:
        MissingExtraError: PyAV is not installed (extra ``video``).
        InputError: the film cannot be opened.
        VideoError: it is no film, has no video stream, or no frame of it can be decoded.
        SizeError: its frames have too many pixels.
        UsageError: an argument is out of range; while it is read, that the film ends before ``start_s``.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        *,
        start_s: float = 0.0,
        end_s: float | None = None,
        every_s: float | None = None,
        threads: int | None = None,
        prefetch: int = 4,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        if threads is not None and threads < 1:
            raise UsageError(f"threads is {threads}", advice="Use 1 or more.")
        if prefetch < 0:
            raise UsageError(f"prefetch is {prefetch}", advice="Use 0 or more.")
        self.selection = Selection(start_s, end_s, every_s)
        self.info: VideoInfo = probe_video(source, max_pixels=max_pixels)
        self._path = Path(source)
        self._threads = threads
        self._prefetch = prefetch
        self._max_pixels = max_pixels
        self._log = ProblemLog()
        self._running: weakref.WeakSet[Prefetcher[FilmFrame]] = weakref.WeakSet()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was wrong with the film in the latest reading, as far as it has come; complete when it has ended."""
        return self._log.list()

    @property
    def is_cut(self) -> bool:
        """Whether the film goes on after ``end_s``, as the latest reading found; known when it has ended."""
        return self._log.is_cut

    def __iter__(self) -> Iterator[FilmFrame]:
        self._log = ProblemLog()
        frames = self._read(self._log)
        return frames if self._prefetch == 0 else self._read_ahead(frames)

    def close(self) -> None:
        """Stop whatever is being read; the loop over it ends."""
        for prefetcher in list(self._running):
            prefetcher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_ahead(self, frames: Iterator[FilmFrame]) -> Iterator[FilmFrame]:
        with Prefetcher(frames, self._prefetch) as prefetcher:
            self._running.add(prefetcher)
            yield from prefetcher

    def _read(self, log: ProblemLog) -> Iterator[FilmFrame]:
        import av

        converter = FrameConverter(self.info.stored_size, self.info.orientation)
        reducers = FrameReducers(self.info.orientation)
        decoded = decode_film(self._path, self.selection, log, max_pixels=self._max_pixels, threads=self._threads)
        coded: tuple[int, int] | None = None
        with closing(decoded):
            for item in decoded:
                if coded is None:
                    coded = (item.frame.width, item.frame.height)
                elif coded != (item.frame.width, item.frame.height):
                    coded = (item.frame.width, item.frame.height)
                    width, height = self.info.size
                    log.add("resized", item.time_s, f"{width}×{height}")
                try:
                    image = converter.convert(item.frame)
                except (av.FFmpegError, ValueError):  # a damaged header made colours of it that there are not
                    log.add("damaged", item.time_s)
                    continue
                yield FilmFrame(image, item.index, item.time_s, item.frame, reducers)
