"""Panels beside faces: a bar for each probability."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fervid.drawing.canvas import Canvas
from fervid.drawing.fonts import load_font, measure_text
from fervid.drawing.palette import INK, PAPER, emotion_colour
from fervid.drawing.placement import Obstacle, flank, measure_cost, move_near
from fervid.drawing.plate import Framed, Plate
from fervid.drawing.scale import Scale
from fervid.geometry import grow_box
from fervid.results import Box, Distribution, Face

_FONTS: Final = (1.0, 0.85, 0.72)
"""Sizes that are tried, as shares of the label's."""
_MAIN_FACE: Final = 0.5
"""Faces of less than this share of the largest face's side are in the background and get no panel."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars in their place.

    Attributes:
        box: where they go, px.
        font_px: height of their type.
        face: whose they are.
        footer: rows of type left free below the bars.
    """

    box: Box
    font_px: int
    face: Face
    footer: float = 0.0

    @property
    def footer_box(self) -> Box:
        """The room below the bars, px."""
        layout = PanelLayout(self.face.basis, self.font_px, self.footer)
        bottom, inset = self.box.y2 - layout.padding, layout.padding
        return Box(self.box.x1 + inset, bottom - layout.row * self.footer, self.box.x2 - inset, bottom)


class PanelLayout:
    """Columns and rows of a panel, px.

    Args:
        probabilities: what the bars show.
        font_px: height of the type.
        footer: rows to leave free below the bars.
    """

    def __init__(self, probabilities: Distribution, font_px: int, footer: float = 0.0) -> None:
        bold = load_font(font_px, bold=True)
        self.padding = font_px * 0.6
        self.row = font_px * 1.45
        self.names = max(measure_text(str(label), bold) for label in probabilities)
        self.bar = font_px * 6.0
        self.numbers = measure_text("100 %", bold)
        self.width = math.ceil(self.names + self.bar + self.numbers + 2 * self.padding + font_px)
        self.height = math.ceil(self.row * (len(probabilities) + footer) + 2 * self.padding)


def find_main(framed: Framed) -> list[tuple[Face, Box]]:
    """The faces that are not in the background."""
    return [(face, box) for face, box in framed if box.area >= _MAIN_FACE**2 * framed[0][1].area]


def place_panels(
    canvas: Canvas, framed: Framed, plates: Sequence[Plate], scale: Scale, *, footer: float = 0.0
) -> list[Panel]:
    """Room for the bars of every main face, or for none.

    Args:
        canvas: where they go.
        framed: all the faces, which are not covered.
        plates: nor are these.
        scale: of the picture.
        footer: rows to leave free below the bars.
    """
    taken = [Obstacle(grow_box(box, 2 * scale.line(box))) for _, box in framed]
    taken += [Obstacle(plate.box) for plate in plates]
    for share in _FONTS:
        panels: list[Panel] = []
        for face, box in find_main(framed):
            font_px = choose_panel_font(box, scale, share)
            room = _find_room(canvas, face, box, scale, font_px, footer, [*taken, *(Obstacle(p.box) for p in panels)])
            if room is None:
                break
            panels.append(Panel(room, font_px, face, footer))
        else:
            return panels
    return []


def choose_panel_font(box: Box, scale: Scale, share: float = 1.0) -> int:
    """Height of the type in the panel of a face, px."""
    return max(scale.smallest_panel_font(), round(scale.font(box) * share * 0.8))


def _find_room(
    canvas: Canvas, face: Face, box: Box, scale: Scale, font_px: int, footer: float, taken: Sequence[Obstacle]
) -> Box | None:
    layout = PanelLayout(face.basis, font_px, footer)
    if layout.height - layout.row * footer > 1.6 * max(box.height, box.width):
        return None
    for candidate in flank(box, layout.width, layout.height, scale.line(box) * 3):
        inside = move_near(candidate, box, canvas.width, canvas.height)
        if inside is not None and measure_cost(inside, taken) == 0:
            return inside
    return None


def draw_panel(canvas: Canvas, panel: Panel) -> None:
    """Draw the bars; the footer stays empty."""
    font_px, probabilities, box = panel.font_px, panel.face.basis, panel.box
    layout = PanelLayout(probabilities, font_px, panel.footer)
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
        canvas.write(f"{100 * share:.0f} %", box.x2 - layout.padding, middle, font, PAPER, anchor="rm")
