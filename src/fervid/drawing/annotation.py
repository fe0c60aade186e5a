"""Faces framed, labelled and measured, on a copy of their picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fervid.drawing.canvas import Canvas
from fervid.drawing.panel import draw_panel, place_panels
from fervid.drawing.plate import draw_frame, draw_plate, frame_faces, place_plates
from fervid.drawing.scale import Scale
from fervid.imaging import ImageLike
from fervid.results import Analysis, Face


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
    scale = Scale.of(canvas)
    framed = frame_faces(canvas, [(face, face.box) for face in analysis.faces])
    for face, box in reversed(framed):
        draw_frame(canvas, face, box, scale)
    if labels:
        plates = place_plates((canvas.width, canvas.height), framed, scale, _describe)
        for panel in place_panels(canvas, framed, plates, scale):
            draw_panel(canvas, panel)
        for plate in plates:
            draw_plate(canvas, plate)
    return canvas.array


def describe_face(face: Face) -> str:
    """What the label says: ``happy 93 %``, or ``uncertain``, after the number of a tracked face."""
    text = "uncertain" if face.emotion is None else f"{face.emotion} {100 * face.confidence:.0f} %"
    return text if face.track_id is None else f"#{face.track_id} {text}"


def _describe(face: Face) -> tuple[str, str]:
    return describe_face(face), "?" if face.emotion is None else str(face.emotion)
