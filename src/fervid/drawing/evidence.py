"""Where in a face its expression was read, laid over a copy of the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fervid.drawing.canvas import Canvas
from fervid.drawing.fonts import load_font
from fervid.drawing.palette import INK, PAPER, SPEAKS_AGAINST, SPEAKS_FOR
from fervid.drawing.panel import Panel, PanelLayout, draw_panel, find_main, place_panels
from fervid.drawing.plate import Framed, Plate, draw_frame, draw_plate, frame_faces, measure_plate, place_plates
from fervid.drawing.scale import Scale
from fervid.errors import UsageError
from fervid.geometry import Square
from fervid.imaging import ImageLike
from fervid.results import Analysis, Box, Evidence, Face

_OPACITY: Final = 0.62
"""Of the strongest place; the face stays visible below it."""
_LEAST_STRONGEST: Final = 4.0
"""A map is shown relative to its strongest place, or to this many log-odds when that is weaker."""
_BORDER: Final = 0.06
"""Share of the square's side over which the overlay fades out."""
_ROWS: Final = 256
"""Rows of a face that are tinted at a time."""
_FOOTER: Final = 2.0
"""Rows of type that the legend takes below the bars."""
_GREY: Final = (128, 128, 128)
"""A face's grey below the legend's tints."""


def explain(image: ImageLike, analysis: Analysis) -> NDArray[np.uint8]:
    """Draw what in each face speaks for its expression (orange) and against it (blue), beside the probabilities.

    The square that the network saw, tilted as the face is, turns grey, as the network sees it, and is tinted the more
    the more a place counts, relative to the face's strongest place: tints compare the places of a face, not faces. Of
    an uncertain face the most probable expression is explained. The network decides in few, wide places (see
    :class:`fervid.Evidence`); the tint runs smoothly between their middles, and its shape within a place means nothing.

    Bars stand beside all the main faces. Where there is no room for that, the faces are numbered and the bars stand in
    a strip below the picture; crowds whose strip would be higher than the picture get the legend alone.

    Args:
        image: the picture that was analysed, ``(H, W, 3)`` uint8 RGB or whatever :func:`fervid.load_image` reads.
        analysis: its faces, analysed with ``evidence=True``.

    Returns:
        ``(H, W, 3)`` uint8 RGB, a new array; larger than the picture where a strip was needed.

    Raises:
        ImageError: the image is no picture.
        UsageError: it has another size than the picture that was analysed, or a face has no evidence.
    """
    canvas = Canvas.for_analysis(image, analysis)
    framed = frame_faces(canvas, [(face, _find_bounds(face)) for face in analysis.faces])
    if not framed:
        return canvas.array
    scale = Scale.of(canvas)
    for face, _ in reversed(framed):
        _lay_evidence(canvas, face)
    for face, box in reversed(framed):
        evidence = _find_evidence(face)
        draw_frame(canvas, face, evidence.square if evidence.angle_deg else box, scale, evidence.angle_deg)
    plates = place_plates((canvas.width, canvas.height), framed, scale, _describe)
    panels = place_panels(canvas, framed, plates, scale, footer=_FOOTER)
    if not panels:
        plates, panels = _extend_below(canvas, framed, plates, scale)
    for panel in panels:
        draw_panel(canvas, panel)
        _draw_legend(canvas, panel.footer_box, panel.font_px, panel.face.probabilities.top)
    for plate in plates:
        draw_plate(canvas, plate)
    return canvas.array


def _find_evidence(face: Face) -> Evidence:
    if face.evidence is None:
        raise UsageError("a face carries no evidence", advice="Analyse the picture with evidence=True.")
    return face.evidence


def _describe(face: Face, number: int | None = None) -> tuple[str, str]:
    """The label in full and in short; uncertain faces also say what is explained."""
    top = face.probabilities.top
    share = f"{top} {100 * face.confidence:.0f} %"
    full, short = (share, top) if face.emotion is not None else (f"uncertain: {share}", f"{top}?")
    if number is not None:
        return f"{number} · {full}", str(number)
    return (full, short) if face.track_id is None else (f"#{face.track_id} {full}", short)


def _lay_evidence(canvas: Canvas, face: Face) -> None:
    """Turn the visible part of a face's square grey and tint it, some rows at a time: close-ups are large."""
    evidence = _find_evidence(face)
    square, bounds = evidence.square, _find_bounds(face)
    places = evidence[face.probabilities.top]
    strength = (places / max(float(np.abs(places).max()), _LEAST_STRONGEST)).astype(np.float32)
    (middle_x, middle_y), angle = square.centre, math.radians(evidence.angle_deg)
    cosine, sine = math.cos(angle), math.sin(angle)
    left, right = max(0, math.ceil(bounds.x1 - 0.5)), min(canvas.width, math.ceil(bounds.x2 - 0.5))
    end = min(canvas.height, math.ceil(bounds.y2 - 0.5))
    for top in range(max(0, math.ceil(bounds.y1 - 0.5)), end if right > left else 0, _ROWS):
        bottom = min(top + _ROWS, end)
        x = (np.arange(left, right)[None] + 0.5 - middle_x) / square.width
        y = (np.arange(top, bottom)[:, None] + 0.5 - middle_y) / square.height
        # Shares of the square; for an upright one those across depend on the column alone, those down on the row.
        across, down = (x * cosine + y * sine, y * cosine - x * sine) if angle else (x, y)
        across, down = across + 0.5, down + 0.5
        fade = np.broadcast_to(_fade(across) * _fade(down), (bottom - top, right - left))
        _tint(canvas, (left, top, right, bottom), _read_places(strength, across, down), fade)


def _find_bounds(face: Face) -> Box:
    evidence = _find_evidence(face)
    return Square(evidence.square, evidence.angle_deg).bounds


def _read_places(
    places: NDArray[np.float32], across: NDArray[np.floating], down: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Values of a map ``(h, w)`` at positions of 0–1 across and down it, which broadcast to a window.

    A place's own value stands at its middle. Between two middles the value goes from one to the other along a cubic
    that is level at both ends, so that no tint appears that the map does not have; splines and Lanczos kernels ring.
    """
    (left, right, share_x), (top, below, share_y) = _locate(across, places.shape[1]), _locate(down, places.shape[0])
    upper = places[top, left] * (1 - share_x) + places[top, right] * share_x
    lower = places[below, left] * (1 - share_x) + places[below, right] * share_x
    return np.asarray(upper * (1 - share_y) + lower * share_y, dtype=np.float32)


def _locate(
    positions: NDArray[np.floating], count: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """The two places in a row between whose middles a position of 0–1 lies, and the share of the second."""
    middles = np.clip(positions * count - 0.5, 0, count - 1)
    first = middles.astype(np.intp)
    return first, np.minimum(first + 1, count - 1), _smooth(middles - first).astype(np.float32)


def _fade(positions: NDArray[np.floating]) -> NDArray[np.float32]:
    """1 inside, falling to 0 at the ends."""
    return _smooth(np.clip(np.minimum(positions, 1 - positions) / _BORDER, 0, 1)).astype(np.float32)


def _smooth(share: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(share * share * (3 - 2 * share))


def _tint(
    canvas: Canvas, window: tuple[int, int, int, int], field: NDArray[np.float32], fade: NDArray[np.float32]
) -> None:
    """Turn a window grey and lay signed strengths of −1 to 1 over it."""
    grey = canvas.picture.crop(window).convert("L").convert("RGB")
    canvas.picture.paste(grey, window, _mask(fade))
    canvas.picture.paste(SPEAKS_FOR, window, _mask(np.clip(field, 0, 1) * fade * _OPACITY))
    canvas.picture.paste(SPEAKS_AGAINST, window, _mask(np.clip(-field, 0, 1) * fade * _OPACITY))


def _mask(opacity: NDArray[np.float32]) -> Image.Image:
    return Image.fromarray((255 * opacity + 0.5).astype(np.uint8))


def _extend_below(
    canvas: Canvas, framed: Framed, plates: Sequence[Plate], scale: Scale
) -> tuple[list[Plate], list[Panel]]:
    """Extend the picture downwards by the panels of its main faces, or by a legend where they are too many.

    Returns:
        All the labels, the panels' headings among them, and the panels.
    """
    main = [face for face, _ in sorted(find_main(framed), key=lambda pair: pair[1].x1)]
    font_px = gap = scale.smallest_panel_font()
    layout = PanelLayout(main[0].probabilities, font_px, _FOOTER)
    columns = max(1, min(len(main), int(canvas.width / (layout.width + gap))))
    rows, row = math.ceil(len(main) / columns), layout.height + 2 * font_px + gap
    below, size = canvas.height, (canvas.width, canvas.height)
    if len(main) > 1 and rows * row > canvas.height:
        canvas.extend(18 * font_px, below + 4 * font_px, INK)
        _draw_legend(canvas, Box(gap, below + gap, 17 * font_px, below + 3 * font_px), font_px, "the expression")
        return list(plates), []
    canvas.extend(layout.width + 2 * gap, below + rows * row + gap, INK)
    numbers = {id(face): number for number, face in enumerate(main, start=1)} if len(main) > 1 else {}
    if numbers:
        labels = place_plates(size, framed, scale, lambda face: _describe(face, numbers.get(id(face))))
    else:  # what heads the panel need not stand beside the face as well
        labels = [plate for plate in plates if plate.face is not main[0]]
    panels = []
    for index, face in enumerate(main):
        left = canvas.width * (index % columns + 0.5) / columns - layout.width / 2
        y = below + gap + index // columns * row
        width, height = measure_plate(text := _describe(face, numbers.get(id(face)))[0], font_px)
        x = left + layout.padding
        labels.append(Plate(Box(x, y, x + width, y + height), text, font_px, face))
        y += 2 * font_px
        panels.append(Panel(Box(left, y, left + layout.width, y + layout.height), font_px, face, _FOOTER))
    return labels, panels


def _draw_legend(canvas: Canvas, box: Box, font_px: int, label: str) -> None:
    """What the tints mean: a strip from full blue to full orange over grey, and what its ends say."""
    font = load_font(font_px)
    window = (round(box.x1), round(box.y1 + font_px * 0.6), round(box.x2), round(box.y1 + font_px * 1.3))
    canvas.fill(Box(*window), _GREY)
    field = np.tile(np.linspace(-1, 1, window[2] - window[0], dtype=np.float32), (window[3] - window[1], 1))
    _tint(canvas, window, field, np.ones_like(field))
    y = window[3] + font_px * 0.9
    canvas.write("against", box.x1, y, font, PAPER)
    canvas.write(f"for {label}", box.x2, y, font, PAPER, anchor="rm")
