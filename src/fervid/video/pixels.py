"""From FFmpeg's frames to upright RGB pictures."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from fervid.imaging import load_image

if TYPE_CHECKING:
    from av.filter import Graph
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_HD_HEIGHT: Final = 720  # from here on, players read untagged colours as BT.709, below as BT.601
_BT709: Final = 1
_BT601: Final = 5
_UNSPECIFIED: Final = (0, 2)
_TRANSPOSITIONS: Final = {
    (False, False): "cclock_flip",
    (True, False): "clock",
    (False, True): "cclock",
    (True, True): "clock_flip",
}


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a stored picture is brought upright: its axes are swapped first, then it is mirrored."""

    swap: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @classmethod
    def from_matrix(cls, matrix: Sequence[int]) -> Orientation:
        """The right angle nearest to a display matrix: nine numbers, row by row (ISO/IEC 14496-12, 6.2.2)."""
        a, b, _, c, d = matrix[:5]
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(False, a < 0, d < 0)
        return cls(True, c < 0, b < 0)

    def orient_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of the upright picture."""
        return (height, width) if self.swap else (width, height)

    @property
    def filters(self) -> list[tuple[str, str | None]]:
        """Names and arguments of the FFmpeg filters that bring a picture upright."""
        if self.swap:
            return [("transpose", _TRANSPOSITIONS[self.mirror_x, self.mirror_y])]
        return [(name, None) for name, needed in (("hflip", self.mirror_x), ("vflip", self.mirror_y)) if needed]


def read_orientation(frame: VideoFrame) -> Orientation:
    """How the frame is brought upright, by the display matrix it carries."""
    data = cast("Any", frame.side_data).get("DISPLAYMATRIX")
    if data is None:
        return Orientation()
    return Orientation.from_matrix([int(v) for v in np.frombuffer(bytes(data), dtype=np.int32)])


def measure_square_size(stream: VideoStream, frame: VideoFrame) -> tuple[int, int]:
    """(width, height) at which the frame's pixels are square: films of the DVD age store them oblong."""
    ratio = stream.sample_aspect_ratio
    if not ratio or not 0.25 <= ratio <= 4 or abs(ratio - 1) < 0.02:
        return frame.width, frame.height
    return max(1, round(frame.width * ratio)), frame.height


class FrameConverter:
    """Turns frames into RGB arrays of one size, upright.

    Args:
        size: (width, height) with square pixels, before the picture is brought upright.
        orientation: what brings it upright.
    """

    def __init__(self, size: tuple[int, int], orientation: Orientation) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()
        self._width, self._height = size
        self._orientation = orientation
        self._graphs: dict[str, Graph] = {}

    def convert(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """``(H, W, 3)`` uint8 RGB, upright, contiguous, not shared; transparency is laid over white."""
        transparent = any(component.is_alpha for component in frame.format.components) or frame.format.has_palette
        colours = frame.colorspace
        if colours in _UNSPECIFIED:
            colours = _BT709 if frame.height >= _HD_HEIGHT else _BT601
        converted = self._reformatter.reformat(
            frame,
            width=self._width,
            height=self._height,
            format="rgba" if transparent else "rgb24",
            src_colorspace=colours,
            threads=1,
        )
        shared = converted is frame  # it was RGB already; the decoder may still need it
        if self._orientation != Orientation():
            converted, shared = self._orient(converted), False
        image = _view_pixels(converted, 4 if transparent else 3)
        if transparent:
            image = image[:, :, :3] if image[:, :, 3].min() == 255 else load_image(image)
        return image.copy() if shared else np.ascontiguousarray(image)

    def _orient(self, frame: VideoFrame) -> VideoFrame:
        """The frame upright. FFmpeg does it in a tenth of NumPy's time."""
        graph = self._graphs.get(frame.format.name)
        if graph is None:
            graph = self._graphs[frame.format.name] = self._build_graph(frame)
        frame.pts = None
        graph.vpush(frame)
        return graph.vpull()

    def _build_graph(self, frame: VideoFrame) -> Graph:
        from av.filter import Graph

        graph = Graph()
        graph.threads = 1
        steps = [
            graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000))
        ]
        steps += [graph.add(name, arguments) for name, arguments in self._orientation.filters]
        graph.link_nodes(*steps, graph.add("buffersink")).configure()
        return graph


class FrameReducers:
    """Turns frames into upright RGB arrays of smaller sizes, whose converters are kept; thread-safe.

    Args:
        orientation: what brings them upright.
    """

    def __init__(self, orientation: Orientation) -> None:
        self._orientation = orientation
        self._lock = threading.Lock()
        self._converters: dict[tuple[int, int], FrameConverter] = {}

    def reduce(self, frame: VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
        """``(height, width, 3)`` uint8, as :meth:`FrameConverter.convert`."""
        size = self._orientation.orient_size(width, height)
        with self._lock:
            if size not in self._converters:
                self._converters[size] = FrameConverter(size, self._orientation)
            return self._converters[size].convert(frame)


def _view_pixels(frame: VideoFrame, channels: int) -> NDArray[np.uint8]:
    """``(H, W, channels)`` uint8, a view of a packed frame; it keeps the frame alive."""
    plane = frame.planes[0]
    pitch = abs(plane.line_size)
    rows = np.frombuffer(memoryview(cast("Any", plane)), dtype=np.uint8)[: frame.height * pitch]
    rows = rows.reshape(frame.height, pitch)[:: -1 if plane.line_size < 0 else 1]  # some are stored bottom up
    return rows[:, : frame.width * channels].reshape(frame.height, frame.width, channels)
