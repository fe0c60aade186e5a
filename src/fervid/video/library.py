"""The one door to PyAV: opening films, and FFmpeg's errors in fervid's words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fervid.errors import FervidError, InputError, MissingExtraError, SizeError, UsageError, VideoError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

ADVICE: Final = "Give a film, such as MP4, MOV, MKV, WebM, AVI, MPEG or an animated GIF."

FILM_SUFFIXES: Final = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".3gp"}
)
"""File name endings that are films' by their name alone."""

_NOT_FILMS: Final = frozenset({"tty", "image2", "image2pipe"})  # FFmpeg plays text as ANSI art and pictures as films


def require_av(purpose: str) -> None:
    """Check that PyAV can be imported.

    Raises:
        MissingExtraError: it cannot.
    """
    try:
        import av  # noqa: F401
    except ImportError:
        raise MissingExtraError.for_extra("video", "av", purpose) from None


def open_container(path: Path) -> InputContainer:
    """Open a local file for demuxing; other files and addresses that it names (playlists) are not followed.

    Raises:
        MissingExtraError: PyAV is not installed.
        UsageError: it is a pipe or a device: films are opened more than once, for their facts, pictures and sound.
        InputError: the file cannot be opened.
        VideoError: it is no film.
    """
    require_av("Reading films")
    import av

    if path.exists() and not path.is_file() and not path.is_dir():
        raise UsageError(
            f"{path} is no file that can be read more than once",
            advice="Save the film to a file first, or try fervid camera.",
        )
    try:
        # With "file:" a colon or a percent sign in a name means nothing to FFmpeg.
        container = av.open(
            f"file:{os.fspath(path)}",
            "r",
            container_options={"protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except (av.FFmpegError, ValueError) as error:
        raise _explain(path, error) from None
    if container.format.name in _NOT_FILMS or container.format.name.endswith("_pipe"):
        container.close()
        raise VideoError(f"{path} is no film (it reads as {container.format.long_name})", advice=ADVICE)
    return container


def choose_video_stream(container: InputContainer, path: Path, *, max_pixels: int) -> VideoStream:
    """The film's main video stream; the others are not read from then on.

    Cover art of a song is no video. The decoder refuses pictures that are much larger than ``max_pixels``, whatever
    the header says.

    Raises:
        VideoError: there is none, or no decoder for it.
        SizeError: its pictures have too many pixels.
    """
    from av.stream import Discard, Disposition

    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        kinds = sorted({s.type for s in container.streams if s.type != "video"})
        raise VideoError(f"{path} has no video stream (only: {', '.join(kinds) or 'nothing'})", advice=ADVICE)
    best = container.streams.best("video")
    stream = next((s for s in streams if best is not None and s.index == best.index), streams[0])
    if not stream.codec_context:  # the stubs say it is always there
        raise VideoError(f"{path} is coded in a way that this FFmpeg cannot decode", advice="Convert it to H.264.")
    check_pixels(stream.codec_context.width, stream.codec_context.height, path, max_pixels)
    for other in container.streams:
        other.discard = Discard.default if other.index == stream.index else Discard.all
    # Decoders count whole blocks of up to 128 px, which a small picture is far from filling.
    stream.codec_context.options = {"max_pixels": str(2 * max_pixels + 128 * 128)}
    return stream


def check_pixels(width: int, height: int, path: Path, max_pixels: int) -> None:
    """Refuse pictures that are too large.

    Raises:
        SizeError: there are more than ``max_pixels``.
    """
    if width * height > max_pixels:
        raise SizeError(
            f"{path} has {width}×{height} = {width * height:,} pixels a frame",
            advice=f"The limit is {max_pixels:,}; reduce the film, or in Python raise max_pixels.",
        )


def _explain(path: Path, error: Exception) -> FervidError:
    """Why ``path`` could not be opened."""
    if isinstance(error, IsADirectoryError):
        return InputError(f"{path} is a folder", advice="Give the films in it.")
    if isinstance(error, OSError):
        return InputError.for_path(path, error)
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(12)
    except (OSError, ValueError) as failure:
        return InputError(f"cannot open {path} ({failure})", advice="Check the path and its permissions.")
    if size == 0:
        return VideoError(f"{path} is empty", advice=ADVICE)
    if head[4:8] == b"ftyp":
        return VideoError(
            f"{path} is an MP4 without a readable index ({size:,} bytes)",
            advice="It was cut short while it was recorded or copied; copy it again, or repair it with its camera.",
        )
    return VideoError(f"{path} is not a film ({size:,} bytes)", advice=ADVICE)
