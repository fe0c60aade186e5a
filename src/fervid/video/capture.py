"""The doors of cameras: what a user calls one, and how FFmpeg opens it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray

from fervid.errors import FervidError, InputError, UsageError, mask_credentials
from fervid.imaging import MAX_PIXELS
from fervid.video.library import choose_video_stream, require_av
from fervid.video.pixels import FrameConverter, measure_square_size, read_orientation

if TYPE_CHECKING:
    from av.container import InputContainer

DEFAULT_SIZE: Final = (1280, 720)
"""(width, height) asked of a camera, px; it gives the nearest that it can."""

_RATE: Final = 30
_OPEN_S: Final = 10.0
_SILENCE_S: Final = 4.0
"""A camera that sends nothing for so long has gone."""
_SCHEMES: Final = frozenset({"http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "tcp", "srt"})
_PROTOCOLS: Final = "http,https,httpproxy,tcp,udp,rtp,rtsp,rtsps,rtmp,rtmps,tls,crypto,srt"
_SOON: Final = {"fflags": "nobuffer", "flags": "low_delay"}


@dataclass(frozen=True, slots=True)
class Door:
    """One camera.

    Attributes:
        kind: ``device`` (plugged in), ``stream`` (a network address) or ``film`` (a file that plays as a camera).
        name: what results and windows call it; an address without what it takes to be let in.
        target: what FFmpeg opens.
        file_format: FFmpeg's name of the kind of device; None lets it find out.
        options: sets of FFmpeg options, tried one after another.
    """

    kind: Literal["device", "stream", "film"]
    name: str
    target: str = field(repr=False)
    file_format: str | None = None
    options: tuple[dict[str, str], ...] = ({},)


def find_door(device: int | str | Path, *, size: tuple[int, int] = DEFAULT_SIZE, platform: str = sys.platform) -> Door:
    """What a user means by ``device``.

    Args:
        device: a number from 0, a device's path or name, an address with ``://``, or a film's path.
        size: (width, height) asked of a device, px.
        platform: as :data:`sys.platform`.

    Raises:
        UsageError: the number is negative, or the address of an unknown kind.
        InputError: there is no such device or file.
    """
    text = str(device).strip()
    if re.fullmatch(r"-?\d+", text):
        if int(text) < 0:
            raise UsageError(f"there is no camera {text}", advice="Cameras are numbered from 0.")
        return _find_device(int(text), size, platform)
    scheme, mark, _ = text.partition("://")
    if mark:
        if scheme.lower() not in _SCHEMES:
            raise UsageError(f"no camera speaks {scheme}://", advice=f"Use one of {', '.join(sorted(_SCHEMES))}.")
        options = {**_SOON, "analyzeduration": "1000000", "protocol_whitelist": _PROTOCOLS}
        if scheme.lower().startswith("rtsp"):
            options["rtsp_transport"] = "tcp"  # over UDP, lost packets tear pictures
        try:
            name = mask_password(text)
        except ValueError as error:
            shown = mask_credentials(text.rpartition("@")[2])
            raise UsageError(f"{shown} is no address ({error})", advice="Check its brackets.") from None
        return Door("stream", name, text, options=(options,))
    if text.startswith("/dev/"):
        return Door("device", text, text, "v4l2", _list_options(size, ("mjpeg", None)))
    if Path(text).is_file():
        return Door("film", text, text)
    raise InputError(f"there is no camera and no file {text}", advice=_advise(platform))


def mask_password(address: str) -> str:
    """An address without the user's name and password: before the host, in the path, or in what follows it.

    Raises:
        ValueError: it is no address.
    """
    parts = urlsplit(address)
    host, path = parts.netloc.rpartition("@")[2], mask_credentials(parts.path)
    return urlunsplit(parts._replace(netloc=host, path=path, query="", fragment=""))


def _find_device(number: int, size: tuple[int, int], platform: str) -> Door:
    name = f"camera {number}"
    if platform == "darwin":
        return Door("device", name, f"{number}:none", "avfoundation", _list_options(size, (None,)))
    if platform != "win32":
        return Door("device", name, f"/dev/video{number}", "v4l2", _list_options(size, ("mjpeg", None)))
    require_av("Reading a camera")
    import av

    found = [d for d in av.enumerate_input_devices("dshow") if "video" in d.media_types]
    if number >= len(found):
        raise InputError(f"there is no {name}: {len(found)} found", advice="Plug one in, or give an address or a film.")
    return Door("device", name, f"video={found[number].name}", "dshow", _list_options(size, (None,)))


def _list_options(size: tuple[int, int], formats: tuple[str | None, ...]) -> tuple[dict[str, str], ...]:
    """Many cameras send large pictures at full speed as JPEGs alone; what a camera cannot do at all is not asked."""
    wanted = {**_SOON, "video_size": f"{size[0]}x{size[1]}", "framerate": str(_RATE)}
    return (*({**wanted, "input_format": name} if name else wanted for name in formats), dict(_SOON))


class Capture:
    """A camera that is open.

    Args:
        door: which.
        size: (width, height) that pictures are brought to, px; None is the camera's own.
        max_pixels: the most width × height that is accepted.

    Attributes:
        size: (width, height) of the pictures, px; known with the first one.

    Raises:
        MissingExtraError: PyAV is not installed.
        InputError: the camera cannot be opened, or sends no video.
    """

    def __init__(self, door: Door, *, size: tuple[int, int] | None = None, max_pixels: int = MAX_PIXELS) -> None:
        require_av("Reading a camera")
        self._door = door
        self.size = size
        self._container = _open(door)
        try:
            self._stream = choose_video_stream(self._container, Path(door.name), max_pixels=max_pixels)
        except BaseException:
            self._container.close()
            raise
        self._stream.thread_type = "SLICE"  # threads that work frame by frame hold frames back

    def read(self) -> Iterator[tuple[NDArray[np.uint8], float | None]]:
        """``(H, W, 3)`` RGB uint8 pictures, upright, and the camera's own time in seconds, if it says one.

        Raises:
            InputError: the camera has gone.
        """
        import av

        converter: FrameConverter | None = None
        packets = self._container.demux(self._stream)
        try:
            for packet in packets:
                try:
                    frames = packet.decode()
                except (av.InvalidDataError, ValueError):  # a torn picture; the next one may be whole
                    continue
                for frame in frames:
                    if converter is None:
                        orientation = read_orientation(frame)
                        stored = measure_square_size(self._stream, frame)
                        if self.size is None:
                            self.size = orientation.orient_size(*stored)
                        else:
                            stored = orientation.orient_size(*self.size)
                        converter = FrameConverter(stored, orientation)
                    try:
                        image = converter.convert(frame)
                    except (av.FFmpegError, ValueError):  # a damaged frame: the camera has not gone
                        continue
                    yield image, frame.time
        except av.FFmpegError as error:
            raise _explain(self._door, error) from None

    def close(self) -> None:
        """Let go of the camera."""
        self._container.close()


def _open(door: Door) -> InputContainer:
    import av

    error: Exception | None = None
    for options in door.options:
        try:
            return av.open(
                door.target,
                "r",
                format=door.file_format,
                options=dict(options),
                timeout=(_OPEN_S, _SILENCE_S),
                metadata_errors="replace",
            )
        except (FileNotFoundError, PermissionError) as failure:
            raise _explain(door, failure) from None
        except (av.FFmpegError, ValueError) as failure:
            error = failure
    raise _explain(door, error or ValueError("nothing to try")) from None


def _explain(door: Door, error: Exception) -> FervidError:
    """Why a camera could not be opened, or has gone."""
    reason = getattr(error, "strerror", None) or str(error)
    if door.kind != "device":
        return InputError(f"cannot read {door.name} ({reason})", advice="Check the address, and that it is reachable.")
    if isinstance(error, FileNotFoundError):
        return InputError(f"there is no {door.name}", advice=_advise(sys.platform))
    if isinstance(error, PermissionError):
        return InputError(
            f"{door.name} may not be opened ({reason})",
            advice="Allow it in the system's settings; on Linux: sudo usermod -aG video $USER, then log in again.",
        )
    if "busy" in reason.lower():
        return InputError(f"another program uses {door.name}", advice="Close it, or choose another camera.")
    return InputError(f"cannot read {door.name} ({reason})", advice=_advise(sys.platform))


def _advise(platform: str) -> str:
    """What there is instead."""
    devices: list[str] = []
    with suppress(OSError):
        devices = sorted(str(p) for p in Path("/dev").glob("video*")) if platform.startswith("linux") else []
    found = f"Here are {', '.join(devices)}. " if devices else ""
    return f"{found}Plug a camera in, or give its number, an address (rtsp://…, http://…) or a film."
