"""What the window shows: the picture, the faces on it, and a line that says how things are going."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fervid.drawing.annotation import annotate
from fervid.drawing.canvas import Canvas
from fervid.drawing.emojification import emojify
from fervid.drawing.fonts import load_font, measure_text
from fervid.drawing.palette import INK, PAPER
from fervid.geometry import scale_box
from fervid.results import Analysis, Box, Face

_LARGEST: Final = 1920
"""Wider pictures are drawn at this width; the window enlarges them."""
_SMALLEST: Final = 960
"""Windows begin at least this wide, so that type can be read."""
_STRIP: Final = 0.045
"""Height of the status line as a share of the picture's."""
_SWAPPED: Final = [1, 0, 2, 4, 3]
"""A mirrored person's right eye is at the left."""
_QUIET: Final = (150, 155, 165)


@dataclass(frozen=True, slots=True)
class ViewMode:
    """How the picture is shown.

    Attributes:
        mirror: left and right are exchanged, as in a mirror.
        emoji: faces are covered by their emoji instead of framed.
    """

    mirror: bool = False
    emoji: bool = False


def draw_faces(image: NDArray[np.uint8], faces: Sequence[Face], *, emoji: bool) -> NDArray[np.uint8]:
    """A copy of a ``(H, W, 3)`` picture with its faces framed and labelled, or covered by emoji."""
    analysis = Analysis(tuple(faces), (image.shape[1], image.shape[0]), "", "")
    return emojify(image, analysis) if emoji else annotate(image, analysis)


def fit_size(size: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """The largest size of that shape in ``room``, status line included, px; as it is, rather than all but as it is."""
    if size[0] <= room[0] < 1.02 * size[0] and size[1] + measure_strip(size[1]) <= room[1] and size[0] <= _LARGEST:
        return size
    scale = min(room[0] / size[0], room[1] / (size[1] * (1 + _STRIP)), _LARGEST / size[0])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def choose_window_size(size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of a window for pictures of that size, status line included, px."""
    scale = max(1.0, _SMALLEST / size[0])
    width, height = round(size[0] * scale), round(size[1] * scale)
    return width, height + measure_strip(height)


def measure_strip(height: int) -> int:
    """Height of the status line below a picture of that height, px."""
    return max(18, round(height * _STRIP))


class View:
    """Draws what the window shows.

    Args:
        help_line: which keys do what.
    """

    def __init__(self, help_line: str) -> None:
        self._help = help_line
        self._strip: tuple[tuple[int, int, str], NDArray[np.uint8]] | None = None

    def compose(
        self,
        image: NDArray[np.uint8],
        faces: Sequence[Face],
        room: tuple[int, int],
        mode: ViewMode,
        *,
        status: str = "",
        notice: str = "",
    ) -> NDArray[np.uint8]:
        """The whole contents of the window.

        Args:
            image: ``(H, W, 3)`` uint8 RGB, as the camera gave it.
            faces: in its pixels.
            room: (width, height) of the window, px.
            mode: how to show it.
            status: what the line below says.
            notice: what stands in the middle; empty for nothing.

        Returns:
            ``(h, w, 3)`` uint8 RGB that fits in ``room``.
        """
        size = (image.shape[1], image.shape[0])
        width, height = fit_size(size, room)
        picture = Image.fromarray(image)
        if mode.mirror:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            faces = [mirror_face(face, size[0]) for face in faces]
        if (width, height) != size:
            picture = picture.resize((width, height), Image.Resampling.BILINEAR)
            faces = [scale_face(face, width / size[0]) for face in faces]
        drawn = np.asarray(picture)
        if faces:
            drawn = draw_faces(drawn, faces, emoji=mode.emoji)
        if notice:
            drawn = draw_notice(drawn, notice)
        return np.concatenate([drawn, self._draw_strip(width, measure_strip(height), status)])

    def _draw_strip(self, width: int, height: int, status: str) -> NDArray[np.uint8]:
        if self._strip is None or self._strip[0] != (width, height, status):
            canvas = Canvas(np.full((height, width, 3), INK, dtype=np.uint8))
            font = load_font(max(9, round(height * 0.5)))
            margin, middle = height * 0.4, height / 2
            canvas.write(status, margin, middle, font, PAPER)
            if measure_text(status, font) + measure_text(self._help, font) + 4 * margin < width:
                canvas.write(self._help, width - margin, middle, font, _QUIET, anchor="rm")
            self._strip = (width, height, status), canvas.array
        return self._strip[1]


def draw_notice(image: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    """A dimmed copy of a picture with a line of text in its middle."""
    canvas = Canvas(image)
    canvas.fill(Box(0, 0, canvas.width, canvas.height), INK, opacity=0.55)
    size = max(12, round(canvas.height * 0.04))
    font = load_font(size, bold=True)
    fitting = min(1.0, 0.92 * canvas.width / max(1.0, measure_text(text, font)))
    font = load_font(max(9, int(size * fitting)), bold=True)
    canvas.write(text, canvas.width / 2, canvas.height / 2, font, PAPER, anchor="mm")
    return canvas.array


def mirror_face(face: Face, width: float) -> Face:
    """A face in the mirrored picture, whose width is given, px."""
    box = Box(width - face.box.x2, face.box.y1, width - face.box.x1, face.box.y2)
    points, quality = face.landmarks, face.quality
    if points is not None:
        points = np.column_stack([width - points[:, 0], points[:, 1]])[_SWAPPED]
    if quality is not None:
        roll, yaw = quality.roll_deg, quality.yaw
        quality = dataclasses.replace(
            quality, roll_deg=None if roll is None else -roll, yaw=None if yaw is None else -yaw
        )
    return dataclasses.replace(face, box=box, landmarks=points, quality=quality)


def scale_face(face: Face, factor: float) -> Face:
    """A face in a picture that is ``factor`` times as large."""
    points = None if face.landmarks is None else face.landmarks * factor
    return dataclasses.replace(face, box=scale_box(face.box, factor), landmarks=points)
