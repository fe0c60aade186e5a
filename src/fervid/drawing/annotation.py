"""Faces framed, labelled and measured, on a copy of their picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.drawing.canvas import Canvas
from fervid.drawing.fonts import load_font, measure_text
from fervid.drawing.palette import INK, PAPER, emotion_colour, text_colour
from fervid.drawing.placement import Obstacle, flank, measure_cost, move_inside, place, surround
from fervid.geometry import clip_box
from fervid.imaging import ImageLike
from fervid.results import Analysis, Box, Distribution, Face

_SMALLEST_FONT: Final = 10
_PANEL_FONTS: Final = (1.0, 0.85, 0.72)
"""Sizes that are tried for the bars, as shares of the label's."""
_MAIN_FACE: Final = 0.5
"""Faces of less than this share of the largest face's side are in the background and get no bars."""


def annotate(image: ImageLike, analysis: Analysis, *, labels: bool = True) -> NDArray[np.uint8]:
    """Draw every face's frame, its expression and, where there is room, a bar for each probability.

    A frame has its expression's colour; an uncertain face's is dashed. Bars are drawn for all the main faces or for
    none. Lines and type grow with the picture and the faces.

    Args:
        image: the picture that was analysed, ``(H, W, 3)`` uint8 RGB or whatever :func:`fervid.load_image` reads.
        analysis: its faces.
        labels: False draws the frames alone.

    Returns:
        ``(H, W, 3)`` uint8 RGB, a new array.

    Raises:
        ImageError: the image is no picture.
        UsageError: it has another size than the picture that was analysed.
    """
    canvas = Canvas.for_analysis(image, analysis)
    scale = _Scale.of(canvas)
    framed = [(face, clip_box(face.box, canvas.width, canvas.height)) for face in analysis.faces]
    framed = [(face, box) for face, box in framed if box.area > 0]
    framed.sort(key=lambda pair: -pair[1].area)
    for face, box in reversed(framed):
        _draw_frame(canvas, face, box, scale)
    if labels:
        plates = _place_labels(canvas, framed, scale)
        panels = _place_panels(canvas, framed, plates, scale)
        for panel in panels:
            _draw_panel(canvas, panel)
        for plate in plates:
            _draw_plate(canvas, plate)
    return canvas.array


def describe_face(face: Face) -> str:
    """What the label says: ``happy 93 %``, or ``uncertain``, after the number of a tracked face."""
    text = "uncertain" if face.emotion is None else f"{face.emotion} {_percent(face.confidence)}"
    return text if face.track_id is None else f"#{face.track_id} {text}"


@dataclass(frozen=True, slots=True)
class _Scale:
    """What is legible in a picture of this size."""

    diagonal: float

    @classmethod
    def of(cls, canvas: Canvas) -> _Scale:
        return cls(math.hypot(canvas.width, canvas.height))

    def line(self, box: Box) -> int:
        """Width of a frame, px."""
        side = math.sqrt(box.area)
        return max(1, round(min(max(side * 0.018, self.diagonal * 0.0012), self.diagonal * 0.005, side * 0.1)))

    def font(self, box: Box) -> int:
        """Height of a label's type, px."""
        low, high = max(_SMALLEST_FONT, self.diagonal * 0.012), max(_SMALLEST_FONT, self.diagonal * 0.026)
        return round(min(max(math.sqrt(box.area) * 0.11, low), high))

    def smallest_panel_font(self) -> int:
        return round(max(_SMALLEST_FONT, self.diagonal * 0.0095))


@dataclass(frozen=True, slots=True)
class _Plate:
    box: Box
    text: str
    font_px: int
    face: Face


@dataclass(frozen=True, slots=True)
class _Panel:
    box: Box
    font_px: int
    face: Face


_Framed = Sequence[tuple[Face, Box]]


def _draw_frame(canvas: Canvas, face: Face, box: Box, scale: _Scale) -> None:
    line = scale.line(box)
    casing = max(1, round(line * 0.4))
    radius = min(box.width, box.height) * 0.06 + line
    outer = _grow(box, line + casing)
    canvas.outline(outer, INK, line + 2 * casing, radius=radius + casing, opacity=0.55)
    dash = max(3 * line, round(math.sqrt(box.area) / 11)) if face.emotion is None else 0
    canvas.outline(_grow(box, line), emotion_colour(face.emotion), line, radius=radius, dash=dash)


def _place_labels(canvas: Canvas, framed: _Framed, scale: _Scale) -> list[_Plate]:
    plates: list[_Plate] = []
    faces = [Obstacle(_grow(box, scale.line(box))) for _, box in framed]
    for index, (face, box) in enumerate(framed):
        others = [obstacle for i, obstacle in enumerate(faces) if i != index]
        obstacles = [*others, Obstacle(box, 0.8), *(Obstacle(plate.box, 3.0) for plate in plates)]
        best: tuple[float, _Plate] | None = None
        for penalty, text, font_px in _wordings(face, scale.font(box)):
            width, height = _plate_size(text, font_px)
            gap = scale.line(box) * 1.4
            placed = place(surround(box, width, height, gap), (canvas.width, canvas.height), obstacles)
            if placed and (best is None or placed[0] + penalty < best[0]):
                best = placed[0] + penalty, _Plate(placed[1], text, font_px, face)
        if best is not None:
            plates.append(best[1])
    return plates


def _wordings(face: Face, font_px: int) -> list[tuple[float, str, int]]:
    """Texts and sizes of a label with what each costs: in a crowd the share is dropped, then the type shrinks."""
    full = describe_face(face)
    short = "?" if face.emotion is None else str(face.emotion)
    smaller = max(8, round(font_px * 0.8))
    return [(0.0, full, font_px), (0.15, short, font_px), (0.2, full, smaller), (0.3, short, smaller)]


def _plate_size(text: str, font_px: int) -> tuple[float, float]:
    return math.ceil(measure_text(text, load_font(font_px, bold=True)) + font_px * 0.8), math.ceil(font_px * 1.5)


def _draw_plate(canvas: Canvas, plate: _Plate) -> None:
    colour = emotion_colour(plate.face.emotion)
    rim = max(1, round(plate.font_px * 0.06))
    canvas.fill(_grow(plate.box, rim), INK, radius=plate.font_px * 0.35 + rim, opacity=0.45)
    canvas.fill(plate.box, colour, radius=plate.font_px * 0.35)
    font = load_font(plate.font_px, bold=True)
    canvas.write(plate.text, *plate.box.centre, font, text_colour(colour), anchor="mm")


def _place_panels(canvas: Canvas, framed: _Framed, plates: Sequence[_Plate], scale: _Scale) -> list[_Panel]:
    """Room for the bars of every main face, or for none."""
    if not framed:
        return []
    largest = math.sqrt(framed[0][1].area)
    main = [(face, box) for face, box in framed if math.sqrt(box.area) >= _MAIN_FACE * largest]
    taken = [Obstacle(_grow(box, 2 * scale.line(box))) for _, box in framed] + [Obstacle(plate.box) for plate in plates]
    for share in _PANEL_FONTS:
        panels: list[_Panel] = []
        for face, box in main:
            panel = _place_panel(canvas, face, box, scale, share, [*taken, *(Obstacle(p.box) for p in panels)])
            if panel is None:
                break
            panels.append(panel)
        else:
            return panels
    return []


def _place_panel(
    canvas: Canvas, face: Face, box: Box, scale: _Scale, share: float, taken: Sequence[Obstacle]
) -> _Panel | None:
    font_px = max(scale.smallest_panel_font(), round(scale.font(box) * share * 0.8))
    layout = _PanelLayout(face.probabilities, font_px)
    if layout.height > 1.6 * max(box.height, box.width):
        return None
    for candidate in flank(box, layout.width, layout.height, scale.line(box) * 3):
        inside = move_inside(candidate, canvas.width, canvas.height)
        near = (
            inside is not None and abs(inside.x1 - candidate.x1) < 1 and abs(inside.y1 - candidate.y1) < box.height / 2
        )
        if inside is not None and near and measure_cost(inside, taken) == 0:
            return _Panel(inside, font_px, face)
    return None


class _PanelLayout:
    """Columns and rows of a panel of bars, px."""

    def __init__(self, probabilities: Distribution, font_px: int) -> None:
        bold = load_font(font_px, bold=True)
        self.padding = font_px * 0.6
        self.row = font_px * 1.45
        self.names = max(measure_text(str(label), bold) for label in probabilities)
        self.bar = font_px * 6.0
        self.numbers = measure_text("100 %", bold)
        self.width = math.ceil(self.names + self.bar + self.numbers + 2 * self.padding + font_px)
        self.height = math.ceil(self.row * len(probabilities) + 2 * self.padding)


def _draw_panel(canvas: Canvas, panel: _Panel) -> None:
    font_px, probabilities = panel.font_px, panel.face.probabilities
    layout, box = _PanelLayout(probabilities, font_px), panel.box
    canvas.fill(box, INK, radius=font_px * 0.5, opacity=0.8)
    start = box.x1 + layout.padding + layout.names + font_px * 0.5
    for index, (label, share) in enumerate(probabilities.items()):
        middle = box.y1 + layout.padding + layout.row * (index + 0.5)
        font = load_font(font_px, bold=label == probabilities.top)
        half = max(1.0, font_px * 0.3)
        canvas.write(str(label), box.x1 + layout.padding, middle, font, PAPER)
        track = Box(start, middle - half, start + layout.bar, middle + half)
        canvas.fill(track, PAPER, radius=half, opacity=0.16)
        length = layout.bar * min(1.0, max(0.0, share))
        canvas.fill(Box(start, middle - half, start + length, middle + half), emotion_colour(label), radius=half)
        canvas.write(_percent(share), box.x2 - layout.padding, middle, font, PAPER, anchor="rm")


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _grow(box: Box, margin: float) -> Box:
    return Box(box.x1 - margin, box.y1 - margin, box.x2 + margin, box.y2 + margin)
