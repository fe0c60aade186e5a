"""Where labels go: inside the picture, close to their face, off other faces and off one another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from fervid.results import Box

_PATIENCE: Final = 0.02
"""What every further candidate costs, besides what it covers."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something not to cover; a label that hides it, or lies wholly on it, costs ``weight``."""

    box: Box
    weight: float = 1.0


def move_inside(box: Box, width: float, height: float) -> Box | None:
    """``box`` shifted by the least way into a picture of that size; None when it is larger than the picture."""
    if box.width > width or box.height > height:
        return None
    x = min(max(box.x1, 0.0), width - box.width)
    y = min(max(box.y1, 0.0), height - box.height)
    return Box(x, y, x + box.width, y + box.height)


def move_near(candidate: Box, face: Box, width: float, height: float) -> Box | None:
    """A place for the bars beside a face, moved into the picture if that does not take it away from the face."""
    inside = move_inside(candidate, width, height)
    near = inside is not None and abs(inside.x1 - candidate.x1) < 1 and abs(inside.y1 - candidate.y1) < face.height / 2
    return inside if near else None


def overlap_area(box: Box, other: Box) -> float:
    """Area that two boxes share, px²."""
    width = min(box.x2, other.x2) - max(box.x1, other.x1)
    height = min(box.y2, other.y2) - max(box.y1, other.y1)
    return max(0.0, width) * max(0.0, height)


def find_met(box: Box, obstacles: Iterable[Obstacle]) -> list[Obstacle]:
    """The obstacles that share an area with ``box``, in their order."""
    x1, y1, x2, y2 = box.x1, box.y1, box.x2, box.y2
    return [o for o in obstacles if o.box.x1 < x2 and o.box.x2 > x1 and o.box.y1 < y2 and o.box.y2 > y1]


def measure_cost(box: Box, obstacles: Iterable[Obstacle]) -> float:
    """How much ``box`` covers: the area that it shares with each obstacle, of the smaller of both, times its weight.

    Of ``box`` alone, a wide label would hide a small face for next to nothing.
    """
    return sum(
        obstacle.weight * overlap_area(box, obstacle.box) / max(min(box.area, obstacle.box.area), 1e-9)
        for obstacle in find_met(box, obstacles)
    )


def place(candidates: Sequence[Box], size: tuple[int, int], obstacles: Sequence[Obstacle]) -> tuple[float, Box] | None:
    """The candidate that covers the least once it is moved inside the picture.

    Args:
        candidates: best first.
        size: (width, height) of the picture, px.
        obstacles: what not to cover.

    Returns:
        Its cost and its place, or None when no candidate fits in the picture.
    """
    places = [
        (rank, candidate, inside)
        for rank, candidate in enumerate(candidates)
        if (inside := move_inside(candidate, *size)) is not None
    ]
    if not places:
        return None
    boxes = [inside for _, _, inside in places]
    left, top = min(box.x1 for box in boxes), min(box.y1 for box in boxes)
    right, bottom = max(box.x2 for box in boxes), max(box.y2 for box in boxes)
    near = find_met(Box(left, top, right, bottom), obstacles)  # few of a crowd: the rest is looked through only once
    best: tuple[float, Box] | None = None
    for rank, candidate, inside in places:
        shift = abs(inside.x1 - candidate.x1) / candidate.width + abs(inside.y1 - candidate.y1) / candidate.height
        cost = _PATIENCE * (rank + shift) + measure_cost(inside, near)
        if best is None or cost < best[0]:
            best = cost, inside
    return best


def surround(box: Box, width: float, height: float, gap: float) -> list[Box]:
    """Places for a label of that size around ``box``: above, below, then at its sides, then on its edges."""
    centre_x, centre_y = box.centre
    rows = (box.y1 - gap - height, box.y2 + gap)
    corners = [(x, y) for y in rows for x in (box.x1, box.x2 - width, centre_x - width / 2)]
    sides = [
        (x, y) for x in (box.x2 + gap, box.x1 - gap - width) for y in (box.y1, box.y2 - height, centre_y - height / 2)
    ]
    edges = [(centre_x - width / 2, box.y2 - height), (centre_x - width / 2, box.y1)]
    return [Box(x, y, x + width, y + height) for x, y in (*corners, *sides, *edges)]


def flank(box: Box, width: float, height: float, gap: float) -> list[Box]:
    """Places for a panel of that size around ``box``: at its right, at its left, then below and above."""
    tops = (box.y1, box.centre[1] - height / 2, box.y2 - height)
    sides = [(x, y) for x in (box.x2 + gap, box.x1 - gap - width) for y in tops]
    lefts = (box.x1, box.centre[0] - width / 2, box.x2 - width)
    rows = [(x, y) for y in (box.y2 + gap, box.y1 - gap - height) for x in lefts]
    return [Box(x, y, x + width, y + height) for x, y in (*sides, *rows)]
