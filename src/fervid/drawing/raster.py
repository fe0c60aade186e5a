"""Shapes as pixels, with Pillow."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from fervid.drawing.shapes import Fill, Gradient, Outline, Paint, Point, Shape, Shapes, Stroke

_SUPERSAMPLING: Final = 4
_LEAST_CANVAS: Final = 512  # Pillow draws on whole pixels: a small picture needs more of them to stay smooth
_LARGEST_CANVAS: Final = 2048


def rasterise(shapes: Shapes, size: int, *, rotation_deg: float = 0.0) -> NDArray[np.uint8]:
    """Draw shapes whose coordinates run from −100 to 100 on both axes.

    Drawn at four times the size and averaged; at more for pictures below 128 px, at three times or twice above 512 px.

    Args:
        shapes: back to front.
        size: side of the picture, px, at least 1.
        rotation_deg: clockwise turn around the middle.

    Returns:
        ``(size, size, 4)`` uint8 RGBA, alpha not premultiplied.
    """
    factor = max(2, min(_SUPERSAMPLING, _LARGEST_CANVAS // size), math.ceil(_LEAST_CANVAS / size))
    side = size * factor
    canvas = Image.new("RGBA", (side, side))
    view = _View(side, math.radians(rotation_deg))
    for shape in shapes:
        _composite(canvas, shape, view)
    return np.array(canvas.reduce(factor))


class _View:
    """From the drawing's coordinates to the canvas's."""

    def __init__(self, side: int, angle: float) -> None:
        self.side = side
        self.scale = side / 200
        self.cosine, self.sine = math.cos(angle), math.sin(angle)

    def project(self, points: Sequence[Point]) -> list[Point]:
        return [
            (
                (self.cosine * x - self.sine * y + 100) * self.scale,
                (self.sine * x + self.cosine * y + 100) * self.scale,
            )
            for x, y in points
        ]


def _composite(canvas: Image.Image, shape: Shape, view: _View) -> None:
    points = view.project(shape.outline.flatten())
    margin = shape.width * view.scale / 2 + 2 if isinstance(shape, Stroke) else 2
    left = max(0, math.floor(min(x for x, _ in points) - margin))
    top = max(0, math.floor(min(y for _, y in points) - margin))
    right = min(view.side, math.ceil(max(x for x, _ in points) + margin))
    bottom = min(view.side, math.ceil(max(y for _, y in points) + margin))
    if right <= left or bottom <= top:
        return
    frame = (left, top, right, bottom)
    if isinstance(shape, Fill):
        mask = _fill_mask(points, frame)
        if shape.clip is not None:
            mask = ImageChops.multiply(mask, _outline_mask(shape.clip, view, frame))
    else:
        mask = _stroke_mask(points, shape.width * view.scale, frame)
    if shape.opacity < 1:
        mask = mask.point([round(value * shape.opacity) for value in range(256)])
    layer = _paint_layer(shape.paint, view, frame)
    layer.putalpha(mask)
    canvas.alpha_composite(layer, (left, top))


def _outline_mask(outline: Outline, view: _View, frame: tuple[int, int, int, int]) -> Image.Image:
    return _fill_mask(view.project(outline.flatten()), frame)


def _fill_mask(points: Sequence[Point], frame: tuple[int, int, int, int]) -> Image.Image:
    left, top, right, bottom = frame
    mask = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in points], fill=255)
    return mask


def _stroke_mask(points: Sequence[Point], width: float, frame: tuple[int, int, int, int]) -> Image.Image:
    """The union of a disc at every point and a rectangle between every two."""
    left, top, right, bottom = frame
    mask = Image.new("L", (right - left, bottom - top))
    pen = ImageDraw.Draw(mask)
    half = width / 2
    moved = [(x - left, y - top) for x, y in points]
    for x, y in moved:
        pen.ellipse((x - half, y - half, x + half, y + half), fill=255)
    for (x1, y1), (x2, y2) in itertools.pairwise(moved):
        length = math.hypot(x2 - x1, y2 - y1)
        if length > 0:
            across, down = (y2 - y1) / length * half, (x1 - x2) / length * half
            corners = [(x1 + across, y1 + down), (x2 + across, y2 + down), (x2 - across, y2 - down)]
            pen.polygon([*corners, (x1 - across, y1 - down)], fill=255)
    return mask


def _paint_layer(paint: Paint | Gradient, view: _View, frame: tuple[int, int, int, int]) -> Image.Image:
    left, top, right, bottom = frame
    if not isinstance(paint, Gradient):
        red, green, blue = (min(255, max(0, round(channel))) for channel in paint)
        return Image.new("RGB", (right - left, bottom - top), (red, green, blue))
    ramp = np.linspace(paint.top, paint.bottom, 256).round().astype(np.uint8)
    # The drawing's y of every pixel, by the inverse rotation; one column is enough for an upright drawing.
    x = np.arange(left, right if view.sine else left + 1, dtype=np.float32)[None] + 0.5
    y = np.arange(top, bottom, dtype=np.float32)[:, None] + 0.5
    height = (y / view.scale - 100) * view.cosine - (x / view.scale - 100) * view.sine
    steps = np.clip((height - paint.y1) * (255 / (paint.y2 - paint.y1)) + 0.5, 0, 255).astype(np.uint8)
    return Image.fromarray(ramp[steps]).resize((right - left, bottom - top), Image.Resampling.NEAREST)
