"""Frames around faces and the plates that name their expressions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fervid.drawing.canvas import Canvas
from fervid.drawing.fonts import load_font, measure_text
from fervid.drawing.palette import INK, emotion_colour, text_colour
from fervid.drawing.placement import Obstacle, place, surround
from fervid.drawing.scale import Scale
from fervid.geometry import clip_box, grow_box
from fervid.results import Box, Face

Framed = Sequence[tuple[Face, Box]]
"""Faces and their frames inside the picture, the largest first."""


@dataclass(frozen=True, slots=True)
class Plate:
    """A label in its place.

    Attributes:
        box: where it goes, px.
        text: what it says.
        font_px: height of its type.
        face: whose it is.
    """

    box: Box
    text: str
    font_px: int
    face: Face


def frame_faces(canvas: Canvas, frames: Sequence[tuple[Face, Box]]) -> list[tuple[Face, Box]]:
    """The part of every face's frame that is in the picture, the largest first; faces outside are left out."""
    framed = [(face, clip_box(box, canvas.width, canvas.height)) for face, box in frames]
    return sorted((pair for pair in framed if pair[1].area > 0), key=lambda pair: -pair[1].area)


def draw_frame(canvas: Canvas, face: Face, box: Box, scale: Scale, angle_deg: float = 0.0) -> None:
    """Draw a frame in the colour of the expression, dashed when it is uncertain; turned clockwise around its middle."""
    line = scale.line(box)
    casing = max(1, round(line * 0.4))
    radius = min(box.width, box.height) * 0.06 + line
    outer = grow_box(box, line + casing)
    canvas.outline(outer, INK, line + 2 * casing, radius=radius + casing, opacity=0.55, angle_deg=angle_deg)
    dash = max(3 * line, round(math.sqrt(box.area) / 11)) if face.emotion is None else 0
    colour = emotion_colour(face.emotion)
    canvas.outline(grow_box(box, line), colour, line, radius=radius, dash=dash, angle_deg=angle_deg)


def place_plates(
    size: tuple[int, int], framed: Framed, scale: Scale, describe: Callable[[Face], tuple[str, str]]
) -> list[Plate]:
    """A place for every face's label, off other faces and other labels.

    Args:
        size: (width, height) of the picture, px.
        framed: the faces.
        scale: of the picture.
        describe: a face's label in full and in short, for crowds.
    """
    plates: list[Plate] = []
    faces = [Obstacle(grow_box(box, scale.line(box))) for _, box in framed]
    for index, (face, box) in enumerate(framed):
        others = [obstacle for i, obstacle in enumerate(faces) if i != index]
        obstacles = [*others, Obstacle(box, 0.8), *(Obstacle(plate.box, 3.0) for plate in plates)]
        best: tuple[float, Plate] | None = None
        for penalty, text, font_px in _wordings(*describe(face), scale.font(box)):
            width, height = measure_plate(text, font_px)
            gap = scale.line(box) * 1.4
            placed = place(surround(box, width, height, gap), size, obstacles)
            if placed and (best is None or placed[0] + penalty < best[0]):
                best = placed[0] + penalty, Plate(placed[1], text, font_px, face)
        if best is not None:
            plates.append(best[1])
    return plates


def _wordings(full: str, short: str, font_px: int) -> list[tuple[float, str, int]]:
    """Texts and sizes of a label with what each costs: in a crowd the share is dropped, then the type shrinks."""
    smaller = max(8, round(font_px * 0.8))
    return [(0.0, full, font_px), (0.15, short, font_px), (0.2, full, smaller), (0.3, short, smaller)]


def measure_plate(text: str, font_px: int) -> tuple[float, float]:
    """(width, height) of a label, px."""
    return math.ceil(measure_text(text, load_font(font_px, bold=True)) + font_px * 0.8), math.ceil(font_px * 1.5)


def draw_plate(canvas: Canvas, plate: Plate) -> None:
    """Draw a label in the colour of its expression."""
    colour = emotion_colour(plate.face.emotion)
    rim = max(1, round(plate.font_px * 0.06))
    canvas.fill(grow_box(plate.box, rim), INK, radius=plate.font_px * 0.35 + rim, opacity=0.45)
    canvas.fill(plate.box, colour, radius=plate.font_px * 0.35)
    font = load_font(plate.font_px, bold=True)
    canvas.write(plate.text, *plate.box.centre, font, text_colour(colour), anchor="mm")
