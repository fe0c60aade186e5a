"""Boxes: overlap, suppression, clipping, framing. All in px, half-open, pure arithmetic."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fervid.errors import ImageError, UsageError
from fervid.results import Box

BoxLike: TypeAlias = Box | Sequence[float] | NDArray[np.floating] | NDArray[np.integer]
"""A box, or its x1, y1, x2, y2."""

_BOX_ADVICE: Final = "Give a fervid.Box, or x1, y1, x2, y2 in px, for every face."


@dataclass(frozen=True, slots=True)
class Square:
    """A square of a picture that may be turned: what is cut out of it.

    Attributes:
        box: the square before it is turned; it may leave the picture.
        angle_deg: how far it is turned around its middle, clockwise. A face tilted by this angle stands upright in it.
    """

    box: Box
    angle_deg: float = 0.0

    @property
    def bounds(self) -> Box:
        """The upright box around it."""
        angle = math.radians(self.angle_deg)
        (x, y), reach = self.box.centre, (abs(math.cos(angle)) + abs(math.sin(angle))) * self.box.width / 2
        return Box(x - reach, y - reach, x + reach, y + reach) if angle else self.box

    def shrink(self, factor: float) -> Square:
        """Its central part with ``factor`` of its side, turned alike."""
        return Square(shrink_box(self.box, factor), self.angle_deg)


def intersection_over_union(boxes: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    """IoU of every box with every other: ``(N, 4)`` and ``(M, 4)`` of x1, y1, x2, y2 to ``(N, M)``."""
    a, b = np.asarray(boxes, dtype=np.float64)[:, None], np.asarray(others, dtype=np.float64)[None]
    width = np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0])
    height = np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1])
    overlap = np.maximum(width, 0) * np.maximum(height, 0)
    area_a = (a[..., 2] - a[..., 0]) * (a[..., 3] - a[..., 1])
    area_b = (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])
    union = area_a + area_b - overlap
    return np.asarray(np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0), dtype=np.float64)


def suppress_overlaps(
    boxes: NDArray[np.floating], scores: NDArray[np.floating], threshold: float, *, containment: float = 1.0
) -> list[int]:
    """Greedy non-maximum suppression.

    Args:
        boxes: ``(N, 4)``.
        scores: ``(N,)``.
        threshold: a box goes when its IoU with a better one is above this.
        containment: or when more than this share of the smaller of the two lies in the other.

    Returns:
        Indices of the boxes that stay, best first; ties keep their order.
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    table = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    kept: list[int] = []
    while len(order):
        best, order = int(order[0]), order[1:]
        kept.append(best)
        if not len(order):
            break
        rest = table[order]
        gone = intersection_over_union(table[best : best + 1], rest)[0] > threshold
        if containment < 1:
            gone |= _measure_containment(table[best], rest) > containment
        order = order[~gone]
    return kept


def _measure_containment(box: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(N,)`` share of the smaller of ``box`` and each of the others that lies in the larger."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    overlap = np.prod(np.maximum(sides, 0), axis=1)
    smaller = np.minimum(np.prod(box[2:] - box[:2]), np.prod(others[:, 2:] - others[:, :2], axis=1))
    return np.asarray(np.divide(overlap, smaller, out=np.zeros_like(overlap), where=smaller > 0), dtype=np.float64)


def clip_box(box: Box, width: float, height: float) -> Box:
    """The part of ``box`` inside a picture of that size; empty boxes collapse onto its border."""
    x1, x2 = min(max(box.x1, 0.0), width), min(max(box.x2, 0.0), width)
    y1, y2 = min(max(box.y1, 0.0), height), min(max(box.y2, 0.0), height)
    return Box(x1, y1, x2, y2)


def scale_box(box: Box, factor: float) -> Box:
    """``box`` in a picture that is ``factor`` times as large."""
    return Box(box.x1 * factor, box.y1 * factor, box.x2 * factor, box.y2 * factor)


def square_box(centre_x: float, centre_y: float, side: float) -> Box:
    """The square of that side around a point."""
    half = side / 2
    return Box(centre_x - half, centre_y - half, centre_x + half, centre_y + half)


def shrink_box(box: Box, factor: float) -> Box:
    """The central part of ``box`` with ``factor`` of its width and height (above 1 it grows)."""
    half_width, half_height = box.width / 2 * factor, box.height / 2 * factor
    centre_x, centre_y = box.centre
    return Box(centre_x - half_width, centre_y - half_height, centre_x + half_width, centre_y + half_height)


def move_points(points: NDArray[np.float64], box: Box, other: Box) -> NDArray[np.float64]:
    """Where ``(N, 2)`` points of ``box`` lie when it is moved and stretched to ``other``."""
    scale = np.array([other.width / box.width, other.height / box.height])
    return np.asarray((points - (box.x1, box.y1)) * scale + (other.x1, other.y1))


def grow_box(box: Box, margin: float) -> Box:
    """``box`` with ``margin`` px more at every side."""
    return Box(box.x1 - margin, box.y1 - margin, box.x2 + margin, box.y2 + margin)


def central_box(width: float, height: float, factor: float = 1.0) -> Box:
    """The central part of a picture."""
    return shrink_box(Box(0.0, 0.0, float(width), float(height)), factor)


def central_square(width: float, height: float) -> Box:
    """The largest square in the middle of a picture."""
    return square_box(width / 2, height / 2, min(width, height))


def make_square(box: Box) -> Box:
    """The square of the same middle and area; what is square, or empty, stays as it is."""
    if math.isclose(box.width, box.height) or not box.area:
        return box
    return square_box(*box.centre, math.sqrt(box.area))


def boxes_to_array(boxes: Sequence[Box]) -> NDArray[np.float64]:
    """``(N, 4)`` float64 of x1, y1, x2, y2."""
    return np.array([(b.x1, b.y1, b.x2, b.y2) for b in boxes], dtype=np.float64).reshape(-1, 4)


def read_boxes(given: Iterable[BoxLike], width: int, height: int) -> list[Box]:
    """Boxes that somebody has found in a picture of that size.

    Raises:
        UsageError: one is no box.
        ImageError: one, or its :func:`make_square`, is outside the picture: its pixels would be made up.
    """
    if not isinstance(given, Iterable):
        raise UsageError(f"{reprlib.repr(given)} is no list of boxes", advice=_BOX_ADVICE)
    boxes = [_read_box(box) for box in given]
    for box in boxes:
        name = f"the box {box.x1:g}, {box.y1:g}, {box.x2:g}, {box.y2:g}"
        for part, place in ((box, name), (make_square(box), f"the square in the middle of {name}")):
            if part.x2 <= 0 or part.y2 <= 0 or part.x1 >= width or part.y1 >= height:
                message = f"{place} is outside the picture ({width}×{height} px)"
                raise ImageError(message, advice="Give boxes in pixels of the picture.")
    return boxes


def _read_box(given: BoxLike) -> Box:
    if isinstance(given, Box):
        return given
    try:
        x1, y1, x2, y2 = (float(value) for value in given)
    except (TypeError, ValueError):
        raise UsageError(f"{reprlib.repr(given)} is no box", advice=_BOX_ADVICE) from None
    return Box(x1, y1, x2, y2)
