"""Things in front of a face: glasses, a mask, a hand.

They are drawn where FER2013's faces have eyes and mouths on average. YuNet's landmarks on 384 PublicTest faces: eyes at
(15, 18) and (33, 18), nose at (24, 29), corners of the mouth at (16, 37) and (31, 37) px of 48, each ± 3 to 4 px.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fervid.datasets.faceset import FACE_SIZE

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

EYES: Final = ((15.0, 18.3), (33.0, 18.3))
"""Centres, px."""
MASK_TOP: Final = (40.5, 33.0, 26.0)
"""Where a mask begins, px: under the lips, under the nose, on the nose."""
LENS_OPACITY: Final = (0.12, 0.6, 0.96)
"""Clear, tinted, dark."""
HAND_REACH: Final = (0.34, 0.48, 0.62)
"""How far the fingertips come in from the border, in sides of the picture."""

_FINE: Final = 4
"""Shapes are drawn at so many times the size and reduced, so that their rims are smooth."""

Layer = tuple[NDArray[np.float32], "NDArray[np.float32] | float"]
"""Opacity ``(48, 48)`` of 0–1, and grey level of what is painted."""


def occlude(face: NDArray[np.uint8], strength: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Put glasses, a mask or a hand before a ``(48, 48)`` uint8 face, each on a third of the faces.

    Glasses are clear, tinted, then dark; a mask hangs under the lips, covers the mouth, then the nose too; a hand lies
    on the cheek, comes to the mouth, then over half of the face.
    """
    layers = (_wear_glasses, _wear_mask, _raise_hand)[int(rng.integers(3))](face, strength, rng)
    picture = face.astype(np.float32)
    for opacity, grey in layers:
        picture += opacity * (grey - picture)
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)


def _wear_glasses(_face: NDArray[np.uint8], strength: int, rng: np.random.Generator) -> list[Layer]:
    across, down, tilt = rng.uniform(-1, 1, 3) * (0.8, 0.8, 4.0)
    width, height = rng.uniform(6.8, 7.8), rng.uniform(4.8, 6.4)
    roundness, grey = rng.uniform(2, 6), rng.uniform(10, 50)
    rim = 1.1

    def draw_lenses(draw: ImageDraw.ImageDraw, grow: float) -> None:
        for x, y in EYES:
            corners = (x - width - grow, y - height - grow, x + width + grow, y + height + grow)
            draw.rounded_rectangle(_scale(corners), roundness * _FINE, fill=255)

    def draw_frame(draw: ImageDraw.ImageDraw) -> None:
        draw_lenses(draw, rim / 2)
        (left, y), (right, _) = EYES
        for start, stop in ((left, right), (-FACE_SIZE, left - width), (right + width, 2 * FACE_SIZE)):
            draw.line(_scale((start, y - 2, stop, y - 2)), 255, round(rim * 1.6 * _FINE))

    def place(shape: Callable[[ImageDraw.ImageDraw], None]) -> NDArray[np.float32]:
        return _draw(shape, tilt, across, down)

    lenses = place(lambda draw: draw_lenses(draw, -rim / 2))
    frame = np.clip(place(draw_frame) - lenses, 0, 1)
    # A lens reflects the sky in its upper part.
    sheen = np.linspace(1, 0, FACE_SIZE, dtype=np.float32)[:, None] * 60
    return [(lenses * np.float32(LENS_OPACITY[strength - 1]), np.float32(grey) + sheen), (frame, grey)]


def _wear_mask(_face: NDArray[np.uint8], strength: int, rng: np.random.Generator) -> list[Layer]:
    across, tilt = rng.uniform(-1, 1, 2) * (1.0, 4.0)
    light = rng.random() < 0.6
    grey = rng.uniform(185, 235) if light else rng.uniform(25, 60)
    top, middle = MASK_TOP[strength - 1], FACE_SIZE / 2

    def draw_mask(draw: ImageDraw.ImageDraw) -> None:
        outline = [(6, top + 3), (15, top + 0.8), (middle, top - 1.5), (33, top + 0.8), (42, top + 3)]
        outline += [(41, 44), (34, 60), (14, 60), (7, 44)]
        draw.polygon([value * _FINE for point in outline for value in point], fill=255)
        for side, ear in ((7, -4), (41, FACE_SIZE + 4)):
            draw.line(_scale((side, top + 4, ear, top - 5)), 200, _FINE)

    opacity = _draw(draw_mask, tilt, across, 0.0)
    y, x = np.mgrid[0:FACE_SIZE, 0:FACE_SIZE].astype(np.float32)
    curve = 1 - 0.25 * ((x - middle) / middle) ** 2  # cloth turns away from the light at the cheeks
    folds = 1 - 0.08 * (np.sin((y - top) * 2 * math.pi / 5.5) > 0.8)
    return [(opacity, grey * curve * folds)]


def _raise_hand(face: NDArray[np.uint8], strength: int, rng: np.random.Generator) -> list[Layer]:
    mirrored = rng.random() < 0.5
    slope, lift, width = rng.uniform(8, 28), rng.uniform(-2, 3), rng.uniform(6.0, 7.0)
    lengths = np.array((0.86, 1.0, 0.96, 0.8)) * rng.uniform(0.95, 1.05, 4)
    centre = face[12:36, 12:36]
    skin = float(np.clip(np.percentile(centre, 65) * rng.uniform(0.9, 1.1), 45, 235))
    reach = HAND_REACH[strength - 1] * FACE_SIZE
    down = math.tan(math.radians(slope))

    def draw_fingers(draw: ImageDraw.ImageDraw, thickness: float) -> None:
        for i, length in enumerate(lengths):
            x, y = reach * float(length) - thickness / 2, FACE_SIZE * 0.56 + lift + i * width * 0.98
            draw.line(_scale((-8, y + (x + 8) * down, x, y)), 255, round(thickness * _FINE))
            half = thickness / 2
            draw.ellipse(_scale((x - half, y - half, x + half, y + half)), fill=255)

    whole = _draw(lambda draw: draw_fingers(draw, width * 1.12), 0.0, 0.0, 0.0)
    inner = _draw(lambda draw: draw_fingers(draw, width * 0.8), 0.0, 0.0, 0.0)
    if mirrored:
        whole, inner = whole[:, ::-1], inner[:, ::-1]
    return [(whole, skin * 0.66), (inner, skin)]


def _draw(shape: Callable[[ImageDraw.ImageDraw], None], tilt: float, across: float, down: float) -> NDArray[np.float32]:
    """Opacity ``(48, 48)`` of a shape that is turned by degrees about the middle and moved by px."""
    from PIL import Image, ImageDraw

    canvas: Image.Image = Image.new("L", (FACE_SIZE * _FINE,) * 2)
    shape(ImageDraw.Draw(canvas))
    moved = canvas.rotate(tilt, translate=(round(across * _FINE), round(down * _FINE)))
    return np.asarray(moved.reduce(_FINE), dtype=np.float32) / np.float32(255)


def _scale(corners: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = corners
    return x1 * _FINE, y1 * _FINE, x2 * _FINE, y2 * _FINE
