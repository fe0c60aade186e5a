"""The few primitives that a face is drawn from; every renderer draws these and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]
Paint = tuple[float, float, float]
"""Red, green, blue, 0–255, sRGB."""
Cubic = tuple[Point, Point, Point]
"""Two control points and the end."""


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An ellipse with upright axes."""

    x: float
    y: float
    radius_x: float
    radius_y: float

    def flatten(self) -> list[Point]:
        """The outline as the corners of a polygon, accurate to 0.02 % of the radius."""
        steps = 160
        return [
            (self.x + self.radius_x * math.cos(angle), self.y + self.radius_y * math.sin(angle))
            for angle in (2 * math.pi * i / steps for i in range(steps))
        ]


@dataclass(frozen=True, slots=True)
class Curve:
    """A chain of cubic Bézier curves: a start, then (control, control, end) for each."""

    start: Point
    cubics: tuple[Cubic, ...]

    def flatten(self) -> list[Point]:
        """Points along the chain, 33 for each cubic."""
        points = [self.start]
        for first, second, end in self.cubics:
            origin = points[-1]
            for i in range(1, 33):
                t = i / 32
                a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                points.append(
                    (
                        a * origin[0] + b * first[0] + c * second[0] + d * end[0],
                        a * origin[1] + b * first[1] + c * second[1] + d * end[1],
                    )
                )
        return points

    def reverse(self) -> Curve:
        """The same chain from its end to its start."""
        ends = [self.start, *(cubic[2] for cubic in self.cubics)]
        return Curve(
            ends[-1], tuple((self.cubics[i][1], self.cubics[i][0], ends[i]) for i in reversed(range(len(self.cubics))))
        )

    def join(self, other: Curve) -> Curve:
        """This chain followed by another that starts where this one ends."""
        return Curve(self.start, self.cubics + other.cubics)


Outline = Ellipse | Curve


@dataclass(frozen=True, slots=True)
class Gradient:
    """A colour that runs straight down from one value to another, constant beyond."""

    top: Paint
    bottom: Paint
    y1: float
    y2: float


@dataclass(frozen=True, slots=True)
class Fill:
    """The inside of an outline; an open curve is closed by a straight line.

    Attributes:
        outline: what to fill.
        paint: with which colour.
        opacity: 0–1.
        clip: only inside this outline; everywhere when None.
    """

    outline: Outline
    paint: Paint | Gradient
    opacity: float = 1.0
    clip: Outline | None = None


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line of constant width along a curve, with round ends and joints."""

    outline: Curve
    paint: Paint
    width: float
    opacity: float = 1.0


Shape = Fill | Stroke
Shapes = Sequence[Shape]


def arc(start: Point, end: Point, bulge: float, roundness: float) -> Curve:
    """One cubic from ``start`` to ``end`` whose middle lies ``bulge`` below the middle of its chord (y downwards).

    Args:
        start: first end.
        end: last end.
        bulge: negative is above.
        roundness: 1 leaves the ends vertically, like half an ellipse; smaller values leave them at an angle.
    """
    middle, half = (start[0] + end[0]) / 2, (end[0] - start[0]) / 2 * roundness
    slope = (end[1] - start[1]) / 2 * roundness
    level = (start[1] + end[1]) / 2 + bulge * 4 / 3
    return Curve(start, (((middle - half, level - slope), (middle + half, level + slope), end),))


def waver(curve: Curve, amplitude: float) -> Curve:
    """A curve of one cubic bent up, down, up, down and up again, smooth where the bends meet."""
    pieces = []
    start, rest = curve.start, curve.cubics[0]
    for index in range(5):
        sign = amplitude * (0.4 if index in (0, 4) else 1.0) * (1 if index % 2 else -1)
        head, tail = _split(start, rest, 1 / (5 - index))
        first, second, end = head
        pieces.append(((first[0], first[1] + sign), (second[0], second[1] + sign), end))
        start, rest = end, tail
    return Curve(curve.start, tuple(pieces))


def _split(start: Point, cubic: Cubic, t: float) -> tuple[Cubic, Cubic]:
    """De Casteljau's division of a cubic at ``t``."""

    def mix(a: Point, b: Point) -> Point:
        return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t

    first, second, end = cubic
    a, b, c = mix(start, first), mix(first, second), mix(second, end)
    ab, bc = mix(a, b), mix(b, c)
    middle = mix(ab, bc)
    return (a, ab, middle), (bc, c, end)
