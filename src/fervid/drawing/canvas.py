"""A copy of a picture that shapes and text are laid over, with smooth corners and opacity."""

from __future__ import annotations

import functools
import math
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from fervid.drawing.fonts import Font
from fervid.drawing.palette import Colour
from fervid.errors import UsageError
from fervid.imaging import MAX_PIXELS, ImageLike, load_image
from fervid.results import Analysis, Box

_ROWS: Final = 128


class Canvas:
    """A picture being drawn on; what was given stays as it was.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
    """

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self.picture = Image.fromarray(image)
        self.width, self.height = self.picture.size

    @classmethod
    def for_analysis(cls, image: ImageLike, analysis: Analysis) -> Self:
        """A copy of the picture that was analysed.

        Raises:
            ImageError: the image is no picture.
            UsageError: it has another size than the picture that was analysed.
        """
        width, height = analysis.size  # whoever analysed it has allowed as many pixels
        canvas = cls(load_image(image, max_pixels=max(MAX_PIXELS, width * height)))
        if (canvas.width, canvas.height) != (width, height):
            raise UsageError(
                f"the picture has {canvas.width}×{canvas.height} px, the analysis is of one of {width}×{height} px",
                advice="Draw on the picture that was analysed, upright as fervid.load_image gives it.",
            )
        return canvas

    @property
    def array(self) -> NDArray[np.uint8]:
        """``(H, W, 3)`` uint8 RGB, a fresh copy."""
        return np.array(self.picture)

    def extend(self, width: float, height: float, colour: Colour) -> None:
        """Add columns at the right and rows at the bottom up to that size."""
        size = (max(self.width, math.ceil(width)), max(self.height, math.ceil(height)))
        larger = Image.new("RGB", size, colour)
        larger.paste(self.picture)
        self.picture = larger
        self.width, self.height = larger.size

    def fill(self, box: Box, colour: Colour, *, radius: float = 0.0, opacity: float = 1.0) -> None:
        """Fill a rectangle, its edges rounded to whole pixels, its corners to ``radius``."""
        left, top, right, bottom = _snap(box)
        if right > left and bottom > top:
            self._lay(_faded_mask(right - left, bottom - top, round(radius), opacity), (left, top), colour)

    def outline(
        self,
        box: Box,
        colour: Colour,
        width: int,
        *,
        radius: float = 0.0,
        opacity: float = 1.0,
        dash: int = 0,
        angle_deg: float = 0.0,
    ) -> None:
        """Draw the border of a rectangle, ``width`` px inwards from its edge, dashed when ``dash`` px are given.

        With an angle it is turned clockwise around its middle.
        """
        if angle_deg:
            self._outline_turned(box, colour, width, radius, opacity, dash, math.radians(angle_deg))
            return
        left, top, right, bottom = _snap(box)
        columns, rows = right - left, bottom - top
        if columns <= 0 or rows <= 0:
            return
        mask = _rounded_mask(columns, rows, round(radius))
        if columns > 2 * width and rows > 2 * width:
            inner = (width, width, columns - width, rows - width)
            hole = _rounded_mask(columns - 2 * width, rows - 2 * width, max(0, round(radius) - width))
            mask.paste(ImageChops.subtract(mask.crop(inner), hole), inner)
        if dash > 0:
            _cut_gaps(mask, width, dash)
        self._lay(_fade(mask, opacity), (left, top), colour)

    def write(self, text: str, x: float, y: float, font: Font, colour: Colour, *, anchor: str = "lm") -> None:
        """Set a line of text; ``anchor`` as Pillow's, by default the left end of its middle line."""
        ImageDraw.Draw(self.picture).text((x, y), text, font=font, fill=colour, anchor=anchor)

    def _outline_turned(
        self, box: Box, colour: Colour, width: int, radius: float, opacity: float, dash: int, angle: float
    ) -> None:
        """By the distance of every pixel from the rounded rectangle, in the rectangle's own directions.

        Some rows at a time: close-ups are large, and every pixel takes 64 bytes on the way.
        """
        (middle_x, middle_y), cosine, sine = box.centre, math.cos(angle), math.sin(angle)
        halves = box.width / 2, box.height / 2
        reach_x = abs(cosine) * halves[0] + abs(sine) * halves[1] + 1
        reach_y = abs(sine) * halves[0] + abs(cosine) * halves[1] + 1
        left, right = max(0, math.floor(middle_x - reach_x)), min(self.width, math.ceil(middle_x + reach_x))
        end = min(self.height, math.ceil(middle_y + reach_y))
        for top in range(max(0, math.floor(middle_y - reach_y)), end if right > left else 0, _ROWS):
            x = np.arange(left, right, dtype=np.float32)[None] + 0.5 - middle_x
            y = np.arange(top, min(top + _ROWS, end), dtype=np.float32)[:, None] + 0.5 - middle_y
            across, down = x * cosine + y * sine, y * cosine - x * sine
            outside_x, outside_y = np.abs(across) - (halves[0] - radius), np.abs(down) - (halves[1] - radius)
            corner = np.hypot(np.maximum(outside_x, 0), np.maximum(outside_y, 0))
            distance = corner + np.minimum(np.maximum(outside_x, outside_y), 0) - radius
            opacities = np.clip(0.5 - distance, 0, 1) * np.clip(0.5 + distance + width, 0, 1) * opacity
            if dash > 0:
                along = np.where(outside_x - outside_y > 0, down + halves[1], across + halves[0])
                length = np.where(outside_x - outside_y > 0, box.height, box.width)
                pieces = 2 * np.maximum(1, np.round((length / dash - 1) / 2)) + 1
                opacities *= np.floor(along / length * pieces) % 2 == 0
            self._lay(Image.fromarray((255 * opacities + 0.5).astype(np.uint8)), (left, top), colour)

    def _lay(self, mask: Image.Image, corner: tuple[int, int], colour: Colour) -> None:
        self.picture.paste(colour, (*corner, corner[0] + mask.width, corner[1] + mask.height), mask)


def _snap(box: Box) -> tuple[int, int, int, int]:
    return round(box.x1), round(box.y1), round(box.x2), round(box.y2)


def _rounded_mask(width: int, height: int, radius: int) -> Image.Image:
    mask = Image.new("L", (width, height), 255)
    radius = min(radius, width // 2, height // 2)
    if radius < 1:
        return mask
    disc = _disc(radius)
    for x, from_x in ((0, 0), (width - radius, radius)):
        for y, from_y in ((0, 0), (height - radius, radius)):
            mask.paste(disc.crop((from_x, from_y, from_x + radius, from_y + radius)), (x, y))
    return mask


@functools.lru_cache(maxsize=64)
def _faded_mask(width: int, height: int, radius: int, opacity: float) -> Image.Image:
    """Kept, for pictures that follow one another repeat their shapes; not to be drawn on."""
    return _fade(_rounded_mask(width, height, radius), opacity)


def _fade(mask: Image.Image, opacity: float) -> Image.Image:
    return mask if opacity >= 1 else mask.point(_fading(opacity))


@functools.lru_cache(maxsize=16)
def _fading(opacity: float) -> list[int]:
    return [round(value * opacity) for value in range(256)]


@functools.lru_cache(maxsize=64)
def _disc(radius: int) -> Image.Image:
    disc = Image.new("L", (16 * radius, 16 * radius))
    ImageDraw.Draw(disc).ellipse((0, 0, 16 * radius - 1, 16 * radius - 1), fill=255)
    return disc.reduce(8)


def _cut_gaps(mask: Image.Image, width: int, dash: int) -> None:
    """Turn a border into dashes of about ``dash`` px; every side begins and ends with one."""
    pen, (columns, rows) = ImageDraw.Draw(mask), mask.size
    for start, stop in _gaps(columns, dash):
        pen.rectangle((start, 0, stop, width - 1), fill=0)
        pen.rectangle((start, rows - width, stop, rows - 1), fill=0)
    for start, stop in _gaps(rows, dash):
        pen.rectangle((0, start, width - 1, stop), fill=0)
        pen.rectangle((columns - width, start, columns - 1, stop), fill=0)


def _gaps(length: int, dash: int) -> list[tuple[int, int]]:
    count = max(1, round((length / dash - 1) / 2))
    piece = length / (2 * count + 1)
    return [
        (round(piece * (2 * i + 1)), max(round(piece * (2 * i + 2)) - 1, round(piece * (2 * i + 1))))
        for i in range(count)
    ]
