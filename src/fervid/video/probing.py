"""What a film is, before it is read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fervid.errors import VideoError
from fervid.imaging import MAX_PIXELS
from fervid.video.clock import read_clock
from fervid.video.decoding import measure_duration
from fervid.video.library import check_pixels, choose_video_stream, open_container
from fervid.video.pixels import Orientation, measure_square_size, read_orientation

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Facts about a film. What its headers say may be wrong in a damaged one.

    Attributes:
        source: the path.
        size: (width, height) of the frames as they are read: upright, with square pixels.
        duration_s: seconds of video, or None where the film does not say.
        frame_rate: frames per second, on average, or None.
        frame_count: number of frames, or None.
        codec: FFmpeg's name of the video's coding, such as ``h264``.
        container: FFmpeg's name of the file's format, such as ``mov,mp4,m4a,3gp,3g2,mj2``.
        audio_codec: the same of the sound, or None for a silent film.
        orientation: what brings the stored frames upright.
        stored_size: (width, height) of the frames with square pixels, before they are brought upright.
        start_s: when the video begins, seconds of the film; above 0 where sound comes first.
    """

    source: str
    size: tuple[int, int]
    duration_s: float | None
    frame_rate: float | None
    frame_count: int | None
    codec: str
    container: str
    audio_codec: str | None
    orientation: Orientation
    stored_size: tuple[int, int]
    start_s: float = 0.0


def probe_video(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> VideoInfo:
    """Read a film's headers and decode its first frame.

    Raises:
        MissingExtraError: PyAV is not installed.
        InputError: the file cannot be opened.
        VideoError: it is no film, has no video stream, or no frame of it can be decoded.
        SizeError: its frames have too many pixels.
    """
    file = Path(path)
    with open_container(file) as container:
        audio = container.streams.best("audio")
        stream = choose_video_stream(container, file, max_pixels=max_pixels)
        rate = stream.average_rate or stream.guessed_rate
        frame = _decode_first(container, stream, file)
        size = measure_square_size(stream, frame)
        check_pixels(*size, file, max_pixels)
        orientation = read_orientation(frame)
        return VideoInfo(
            source=os.fspath(path),
            size=orientation.orient_size(*size),
            duration_s=measure_duration(container, stream, whole=True),
            frame_rate=None if not rate else float(rate),
            frame_count=stream.frames or None,
            codec=stream.codec_context.codec.canonical_name,
            container=container.format.name,
            audio_codec=None if audio is None or not audio.codec_context else audio.codec_context.codec.canonical_name,
            orientation=orientation,
            stored_size=size,
            start_s=_find_start(container, stream),
        )


def _find_start(container: InputContainer, stream: VideoStream) -> float:
    clock = read_clock(container, stream)
    return 0.0 if clock.is_constant or stream.start_time is None else clock.time(stream.start_time)


def _decode_first(container: InputContainer, stream: VideoStream, path: Path) -> VideoFrame:
    import av

    stream.codec_context.thread_count = 1
    packets = iter(container.demux(stream))
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError, ValueError):
            break
        try:
            for frame in packet.decode():
                return frame
        except (av.FFmpegError, ValueError):
            continue
    raise VideoError(f"no frame of {path} can be decoded", advice="It is damaged; copy or record it again.")
