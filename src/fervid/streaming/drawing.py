"""What is drawn on the frames of a film: as on photos, but everything stays where it is while that can be borne."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from fervid.drawing.annotation import describe_face
from fervid.drawing.canvas import Canvas
from fervid.drawing.emojification import emojify
from fervid.drawing.panel import Panel, PanelLayout, choose_panel_font, draw_panel, find_main
from fervid.drawing.placement import Obstacle, flank, measure_cost, move_inside, move_near, surround
from fervid.drawing.plate import Plate, draw_frame, draw_plate, frame_faces, measure_plate
from fervid.drawing.scale import Scale
from fervid.geometry import grow_box
from fervid.results import Box, Face, Frame

FilmStyle = Literal["labels", "over", "beside"]
"""Frames, labels and bars; or emoji over the faces or beside them."""

_RANK: Final = 0.02
"""What each further place costs, besides what a label covers."""
_STAY: Final = 0.5
"""A place is left for one that costs less by this."""
_FREE: Final = 0.02
"""Bars appear where they cover less than this, each thing by its share …"""
_BEARABLE: Final = 0.12
"""… and go when they cover more than this, each thing by its share and its weight."""
_GROWTH: Final = 0.15
"""Type keeps its size until it would change by this share."""
_FORGET_S: Final = 5.0


@dataclass(slots=True)
class _Place:
    """Where the label and the bars of a person stand: which of their places, and how high their type is, px."""

    seen_s: float
    plate: int | None = None
    plate_px: int = 0
    panel: int | None = None
    panel_px: int = 0


class FilmDrawer:
    """Draws on one frame after another.

    Args:
        style: what.
    """

    def __init__(self, style: FilmStyle) -> None:
        self.style = style
        self._places: dict[int, _Place] = {}

    def draw(self, image: NDArray[np.uint8], frame: Frame) -> NDArray[np.uint8]:
        """A ``(H, W, 3)`` uint8 RGB picture with its faces marked; itself where there are none."""
        if not frame.faces:
            return image
        if self.style != "labels":
            return emojify(image, frame, placement=self.style)
        canvas = Canvas.for_analysis(image, frame)
        scale = Scale.of(canvas)
        self._places = {t: p for t, p in self._places.items() if frame.time_s - p.seen_s <= _FORGET_S}
        framed = frame_faces(canvas, [(face, face.box) for face in frame.faces])
        places = [self._find_place(face, frame.time_s) for face, _ in framed]
        for face, box in reversed(framed):
            draw_frame(canvas, face, box, scale)
        size = (canvas.width, canvas.height)
        faces = [Obstacle(grow_box(box, scale.line(box))) for _, box in framed]
        plates: list[Plate] = []
        for index, ((face, box), place) in enumerate(zip(framed, places, strict=True)):
            others = [*faces[:index], *faces[index + 1 :], *(Obstacle(plate.box, 3.0) for plate in plates)]
            plate = _place_plate(face, box, place, scale, size, [*others, Obstacle(box, 0.8)])
            if plate is not None:
                plates.append(plate)
        panels: list[Panel] = []
        main = {id(face) for face, _ in find_main(framed)}
        for (face, box), place in zip(framed, places, strict=True):
            if id(face) in main and face.track_id is not None:
                taken = [*faces, *(Obstacle(plate.box) for plate in plates), *(Obstacle(p.box, 2.0) for p in panels)]
                panel = _place_panel(face, box, place, scale, size, taken)
                if panel is not None:
                    panels.append(panel)
        for panel in panels:
            draw_panel(canvas, panel)
        for plate in plates:
            draw_plate(canvas, plate)
        return canvas.array

    def _find_place(self, face: Face, time_s: float) -> _Place:
        if face.track_id is None:
            return _Place(time_s)
        place = self._places.setdefault(face.track_id, _Place(time_s))
        place.seen_s = time_s
        return place


def _place_plate(
    face: Face, box: Box, place: _Place, scale: Scale, size: tuple[int, int], taken: Sequence[Obstacle]
) -> Plate | None:
    place.plate_px = _keep_size(place.plate_px, scale.font(box))
    text = describe_face(face)
    width, height = measure_plate(text, place.plate_px)
    candidates = surround(box, width, height, scale.line(box) * 1.4)
    costs = [_measure(candidate, rank, size, taken) for rank, candidate in enumerate(candidates)]
    place.plate = _choose(costs, place.plate)
    inside = None if place.plate is None else move_inside(candidates[place.plate], *size)
    return None if inside is None else Plate(inside, text, place.plate_px, face)


def _place_panel(
    face: Face, box: Box, place: _Place, scale: Scale, size: tuple[int, int], taken: Sequence[Obstacle]
) -> Panel | None:
    """Room for the bars; they cover no face, and little else only while it passes."""
    place.panel_px = _keep_size(place.panel_px, choose_panel_font(box, scale))
    layout = PanelLayout(face.basis, place.panel_px)
    candidates = flank(box, layout.width, layout.height, scale.line(box) * 3)
    places = [move_near(candidate, box, *size) for candidate in candidates]
    covers = [math.inf if room is None else measure_cost(room, taken) for room in places]
    if layout.height > 1.6 * max(box.height, box.width):
        place.panel = None
    elif place.panel is None or covers[place.panel] > _BEARABLE:
        place.panel = next((rank for rank, cover in enumerate(covers) if cover <= _FREE), None)
    room = None if place.panel is None else places[place.panel]
    return None if room is None else Panel(room, place.panel_px, face)


def _measure(box: Box, rank: int, size: tuple[int, int], taken: Sequence[Obstacle]) -> float | None:
    """What a place costs: later ones, shifted ones and covering ones more; None when it has no room."""
    inside = move_inside(box, *size)
    if inside is None:
        return None
    shift = abs(inside.x1 - box.x1) / box.width + abs(inside.y1 - box.y1) / box.height
    return _RANK * rank + shift + measure_cost(inside, taken)


def _choose(costs: Sequence[float | None], last: int | None) -> int | None:
    """The cheapest place, or the last one while it is not dearer by much."""
    possible = [(cost, rank) for rank, cost in enumerate(costs) if cost is not None]
    if not possible:
        return None
    cost, rank = min(possible)
    before = None if last is None else costs[last]
    return last if before is not None and before <= cost + _STAY else rank


def _keep_size(last: int, wanted: int) -> int:
    return last if last and abs(wanted - last) <= _GROWTH * last else wanted
