"""Faces replaced or accompanied by the emoji of their expression, on a copy of their picture."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fervid.drawing.canvas import Canvas
from fervid.drawing.emoji import render_emoji
from fervid.drawing.placement import Obstacle, flank, place
from fervid.errors import UsageError
from fervid.geometry import clip_box, square_box
from fervid.imaging import ImageLike
from fervid.results import Analysis, Box, Distribution, Face

Placement = Literal["over", "beside"]

_COVER: Final = 1.22
"""Side of an emoji over a face, as a share of the box's longer side: hair line to chin."""
_BESIDE: Final = (0.8, 0.6, 0.45)
"""Sides of an emoji beside a face that are tried, as shares of the box's longer side."""
_LARGEST_RENDER: Final = 1024


def emojify(image: ImageLike, analysis: Analysis, *, placement: Placement = "over") -> NDArray[np.uint8]:
    """Draw the emoji of every face's probabilities over the face, tilted as it is, or upright beside it.

    Args:
        image: the picture that was analysed, ``(H, W, 3)`` uint8 RGB or whatever :func:`fervid.load_image` reads.
        analysis: its faces; uncertain ones get the face of their mixture as well.
        placement: ``over`` or ``beside``.

    Returns:
        ``(H, W, 3)`` uint8 RGB, a new array.

    Raises:
        ImageError: the image is no picture.
        UsageError: it has another size than the picture that was analysed, or the placement is unknown.
    """
    if placement not in get_args(Placement):
        raise UsageError(f"no placement {placement!r}", advice="Use 'over' or 'beside'.")
    canvas = Canvas.for_analysis(image, analysis)
    visible = [(face, clip_box(face.box, canvas.width, canvas.height)) for face in analysis.faces]
    visible = [(face, box) for face, box in visible if box.area > 0]
    visible.sort(key=lambda pair: -pair[0].box.area)
    if placement == "over":
        for face, _ in reversed(visible):  # the nearest face last, on top
            side = max(face.box.width, face.box.height) * _COVER
            _stamp(canvas, face, square_box(*face.box.centre, side), measure_tilt(face))
    else:
        for face, box in _place_beside(canvas, visible):
            _stamp(canvas, face, box, 0.0)
    return canvas.array


def measure_tilt(face: Face) -> float:
    """Tilt of the line between the eyes in degrees, clockwise positive; 0 when nothing says."""
    if face.quality is not None and face.quality.roll_deg is not None:
        return face.quality.roll_deg
    if face.landmarks is not None:
        (x1, y1), (x2, y2) = face.landmarks[0], face.landmarks[1]
        return math.degrees(math.atan2(y2 - y1, x2 - x1))
    return 0.0


def _place_beside(canvas: Canvas, visible: Sequence[tuple[Face, Box]]) -> list[tuple[Face, Box]]:
    placed: list[tuple[Face, Box]] = []
    size = (canvas.width, canvas.height)
    for face, box in visible:
        obstacles = [Obstacle(other) for _, other in visible] + [Obstacle(other, 2.0) for _, other in placed]
        best: tuple[float, Box] | None = None
        for rank, share in enumerate(_BESIDE):
            side = min(max(box.width, box.height) * share, *size)
            found = place(flank(box, side, side, side * 0.15), size, obstacles)
            if found and (best is None or found[0] + 0.1 * rank < best[0]):
                best = found[0] + 0.1 * rank, found[1]
        if best is not None:
            placed.append((face, best[1]))
    return placed


def _stamp(canvas: Canvas, face: Face, box: Box, tilt_deg: float) -> None:
    """Lay a face's emoji over the part of ``box`` that is in the picture."""
    side = max(1, round(box.width))
    left, top = round(box.x1), round(box.y1)
    window = (max(left, 0), max(top, 0), min(left + side, canvas.width), min(top + side, canvas.height))
    if window[2] <= window[0] or window[3] <= window[1]:
        return
    emoji = _render(face.basis, min(side, _LARGEST_RENDER), tilt_deg)
    scale = emoji.width / side
    x1, y1, x2, y2 = (
        min(max(value * scale, 0.0), float(emoji.width))
        for value in (window[0] - left, window[1] - top, window[2] - left, window[3] - top)
    )
    piece = emoji.resize((window[2] - window[0], window[3] - window[1]), Image.Resampling.BICUBIC, box=(x1, y1, x2, y2))
    canvas.picture.paste(piece.convert("RGB"), window, piece.getchannel("A"))


@functools.lru_cache(maxsize=16)
def _render(distribution: Distribution, size: int, tilt_deg: float) -> Image.Image:
    """Kept, for a live picture shows the same answer several times; not to be drawn on."""
    return Image.fromarray(render_emoji(distribution, size, rotation_deg=tilt_deg))
