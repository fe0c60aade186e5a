"""Annotated films: H.264 in MP4, with every frame's own time and the sound of the source."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, cast

import numpy as np
from numpy.typing import NDArray

from fervid.errors import FervidError, OutputError, UsageError, VideoError
from fervid.files import write_atomically
from fervid.imaging import MAX_PIXELS
from fervid.video.audio import AudioCopy, open_sound
from fervid.video.library import require_av
from fervid.video.problems import Problem, ProblemLog

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

SUFFIXES: Final = frozenset({".mp4", ".m4v", ".mov"})
"""File name endings that :class:`VideoWriter` takes."""

_ENCODERS: Final = ("libx264", "libopenh264", "mpeg4")
_TICK_S: Final = Fraction(1, 60_000)  # whole numbers for 24, 25, 29.97, 30, 50 and 60 frames/s; MPEG-4 knows no finer
_SLOWEST: Final = Fraction(1, 1001)  # frames/s
_EARLY: Final = 30  # ticks by which a source's coarse clock may put its first frame before the start: 0.5 ms
_LONGEST: Final = 2**31 - 1  # ticks from one frame to the next that an MP4 can hold
_REPEATED: Final = 3600 * 60_000  # ticks after which a frame is repeated; encoders reorder, and sums must fit as well
_BT709: Final = 1
_LIMITED_RANGE: Final = 1
_KEYFRAME_S: Final = 2  # a player that jumps decodes at most this much


class VideoWriter:
    """Writes RGB frames to an MP4 that browsers play, each at its own time.

    The file appears under its name, whole, when the ``with`` block ends without an error or :meth:`close` is called;
    otherwise nothing is left of it. Frames of odd width or height get their last column or row twice, for H.264 has
    only even ones. A frame that is shown for more than an hour is repeated each hour. Memory grows by the film's index
    alone, some 80 bytes a frame.

    Args:
        path: the film to write, ``.mp4``, ``.m4v`` or ``.mov``; its folder is made if absent.
        frame_rate: frames per second to expect. Only the encoder's bookkeeping depends on it.
        audio_from: a film whose sound is carried over; None writes a silent film. AAC, MP3 (from 16 kHz on) and Opus
            are copied, other sound becomes AAC.
        start_s: time of the source at which the new film begins; None is the first frame's time.
        end_s: time of the source at which the sound ends; None is the source's end.
        shown_until_s: time of the source at which its pictures end: the last frame is shown no longer, but for one
            frame at ``frame_rate`` at least. None shows it as long as the one before.
        quality: x264's constant rate factor, 0 (lossless) to 51 (worst).
        preset: x264's preset, from ``ultrafast`` to ``veryslow``.
        threads: of the encoder; None means one per core.

    Attributes:
        path: the film.
        encoder: FFmpeg's name of the encoder.

    Raises:
        MissingExtraError: PyAV is not installed (extra ``video``).
        UsageError: an argument is out of range, or the source would be overwritten.
        OutputError: the file cannot be written.
        VideoError: this FFmpeg cannot encode films.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        frame_rate: float | None = None,
        audio_from: str | os.PathLike[str] | None = None,
        start_s: float | None = None,
        end_s: float | None = None,
        shown_until_s: float | None = None,
        quality: float = 20,
        preset: str = "veryfast",
        threads: int | None = None,
    ) -> None:
        require_av("Writing films")
        self.path = Path(path)
        self._audio_from = None if audio_from is None else Path(audio_from)
        _check_paths(self.path, self._audio_from)
        if not 0 <= quality <= 51:
            raise UsageError(f"a quality of {quality}", advice="Use 0 (lossless) to 51 (worst).")
        if frame_rate is not None and not 0 < frame_rate <= 1000:
            raise UsageError(f"a frame rate of {frame_rate}", advice="Use more than 0, up to 1000 frames/s.")
        self._log = ProblemLog()
        self.encoder = choose_encoder(self._log)
        self._rate = max(Fraction(frame_rate or 30).limit_denominator(1001), _SLOWEST)
        self._start_s = start_s
        self._end_s = end_s
        self._shown_until_s = shown_until_s
        self._options = {"crf": f"{quality:g}", "preset": preset} if self.encoder == "libx264" else {}
        self._threads = threads
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._sound: AudioCopy | None = None
        self._size: tuple[int, int] | None = None
        self._held: VideoFrame | None = None  # until the next one tells how long it is shown
        self._last_s = -math.inf
        self._step = self._shortest = max(1, round(1 / self._rate / _TICK_S))
        self._finished = False
        self._file = write_atomically(self.path)
        with self._explain():
            self._part = self._file.__enter__()
            self._part.touch()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What could not be carried over as it should."""
        return self._log.list()

    def write(self, image: NDArray[np.uint8], time_s: float) -> None:
        """Add a frame.

        Args:
            image: ``(H, W, 3)`` uint8 RGB, of the first frame's size; it may be changed or reused afterwards.
            time_s: its time in the source; later than the frame before.

        Raises:
            UsageError: the picture or the time does not fit, or the film is finished.
            OutputError: the film cannot be written.
            InputError: the sound cannot be opened.
            VideoError: the encoder refuses.
        """
        if self._finished:
            raise UsageError(f"{self.path} is finished", advice="Write all frames before close().")
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise UsageError(f"a frame of {image.dtype} {image.shape}", advice="Give (H, W, 3) uint8.")
        size = (image.shape[1], image.shape[0])
        if self._size is not None and size != self._size:
            raise UsageError(f"a frame of {size} in a film of {self._size}", advice="Give frames of one size.")
        with self._explain():
            if self._stream is None:
                self._open(size, time_s)
            frame = self._convert(image)
            frame.pts, frame.time_base = self._stamp(time_s), _TICK_S
            self._last_s = time_s
            self._push(frame)

    def close(self) -> None:
        """Finish the film; it takes its name.

        Raises:
            VideoError: no frame was written.
            OutputError: the film cannot be written.
        """
        if self._finished:
            return
        try:
            if self._container is None or self._stream is None:
                raise VideoError(f"no frame was written to {self.path}", advice="Is the chosen stretch empty?")
            with self._explain():
                self._push(None)
                self._container.mux(self._stream.encode(None))
                if self._sound is not None:
                    self._sound.finish()
                self._container.close()
                self._release()
                self._file.__exit__(None, None, None)
                self._finished = True
        finally:
            if not self._finished:
                self.discard()

    def discard(self) -> None:
        """Stop; nothing is left of the film, and a file that had its name stays."""
        if self._finished:
            return
        self._finished = True
        if self._container is not None:
            with suppress(Exception):  # what it says of an abandoned film is of no use
                self._container.close()
        self._release()
        error = VideoError("abandoned")
        self._file.__exit__(VideoError, error, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _open(self, size: tuple[int, int], time_s: float) -> None:
        """Make the streams, now that the size is known."""
        import av
        from av.codec.context import Flags
        from av.video.reformatter import VideoReformatter

        if self._start_s is None:
            self._start_s = time_s
        self._size = size
        self._reformatter = VideoReformatter()
        # The index stands first in the file ("fast start"), so that a browser can play while it loads.
        self._container = av.open(
            f"file:{os.fspath(self._part)}", "w", format="mp4", container_options={"movflags": "+faststart"}
        )
        stream = cast("VideoStream", self._container.add_stream(self.encoder, rate=self._rate, options=self._options))
        stream.width, stream.height = size[0] + size[0] % 2, size[1] + size[1] % 2
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = _TICK_S
        context.flags |= Flags.frame_duration
        context.gop_size = max(1, round(_KEYFRAME_S * self._rate))
        context.thread_count = self._threads or 0
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED_RANGE
        if not self._options:
            context.bit_rate = round(0.1 * size[0] * size[1] * float(self._rate))
        self._stream = stream
        if self._audio_from is not None:
            self._sound = open_sound(
                self._audio_from,
                self._container,
                start_s=self._start_s,
                end_s=self._end_s,
                max_pixels=MAX_PIXELS,
                problems=self._log,
            )

    def _stamp(self, time_s: float) -> int:
        """The frame's time in the new film, in ticks."""
        pts = round((Fraction(time_s) - Fraction(self._start_s or 0)) / _TICK_S)
        if self._held is None and -_EARLY <= pts < 0:
            return 0
        before = -1 if self._held is None or self._held.pts is None else self._held.pts
        if self._held is not None and time_s > self._last_s:
            pts = max(pts, before + 1)  # later by less than a tick
        if pts <= before:
            raise UsageError(
                f"a frame at {time_s} s does not come after the one before", advice="Give frames in their order."
            )
        if pts - before > _LONGEST:
            raise UsageError(f"the frame before that at {time_s} s is hours away", advice="Write two films.")
        return pts

    def _convert(self, image: NDArray[np.uint8]) -> VideoFrame:
        from av.video.frame import VideoFrame

        odd = [(0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0)]
        if odd[0][1] or odd[1][1]:
            image = np.pad(image, odd, mode="edge")
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
        return self._reformatter.reformat(
            frame, format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED_RANGE, threads=1
        )

    def _push(self, frame: VideoFrame | None) -> None:
        """Encode the frame before this one, whose duration is known now, and the sound up to it."""
        held, self._held = self._held, frame
        if held is None or held.pts is None or self._stream is None or self._container is None:
            return
        if frame is not None and frame.pts is not None:
            self._step = frame.pts - held.pts
            while frame.pts - held.pts > _REPEATED:
                self._encode(held, _REPEATED)
                held.pts += _REPEATED
            self._encode(held, frame.pts - held.pts)
        else:
            self._encode(held, self._measure_last(held.pts))

    def _measure_last(self, pts: int) -> int:
        """Ticks that the last frame is shown: as the one before, unless the source ends sooner."""
        if self._shown_until_s is None:
            return self._step
        left = round((Fraction(self._shown_until_s) - Fraction(self._start_s or 0)) / _TICK_S) - pts
        return min(self._step, max(left, self._shortest))  # headers may say too little

    def _encode(self, frame: VideoFrame, duration: int) -> None:
        """Encode a frame, and write the sound up to it."""
        assert self._container is not None
        assert self._stream is not None
        assert frame.pts is not None
        frame.duration = duration
        self._container.mux(self._stream.encode(frame))
        if self._sound is not None:
            self._sound.write_until(float(frame.pts * _TICK_S))

    def _release(self) -> None:
        if self._sound is not None:
            self._sound.close()
        self._container = self._stream = self._sound = self._held = None

    @contextmanager
    def _explain(self) -> Iterator[None]:
        """FFmpeg's and the system's errors in fervid's words."""
        import av

        try:
            yield
        except FervidError:
            raise
        except OSError as error:
            raise OutputError.for_place(self.path, error) from None
        except (av.FFmpegError, ValueError) as error:
            raise VideoError(f"cannot encode {self.path} ({error})", advice="Try another size.") from None


def choose_encoder(problems: ProblemLog) -> str:
    """The best encoder of this FFmpeg; notes it when browsers will not play its films.

    Raises:
        VideoError: there is none.
    """
    import av

    for name in _ENCODERS:
        try:
            av.codec.Codec(name, "w")
        except ValueError:
            continue
        if name == "mpeg4":
            problems.add("encoder", detail="this FFmpeg has no H.264 encoder: browsers will not play its MPEG-4 film")
        return name
    raise VideoError("this FFmpeg cannot encode films", advice="Install PyAV's own wheel: pip install --force av")


def _check_paths(path: Path, source: Path | None) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"no film format ends in {path.suffix!r}", advice=f"Use one of {', '.join(sorted(SUFFIXES))}.")
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise UsageError(f"{path} would be overwritten while it is read", advice="Give another name.")
