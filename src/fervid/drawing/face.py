"""From a face in numbers to the shapes that draw it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fervid.drawing.features import Features, fade_in
from fervid.drawing.mixing import Tint
from fervid.drawing.shapes import Curve, Ellipse, Fill, Gradient, Paint, Point, Shape, Stroke, arc, waver

INK: Final[Paint] = (74, 44, 26)
PUPIL: Final[Paint] = (48, 28, 18)
WHITE: Final[Paint] = (255, 255, 255)
MOUTH: Final[Paint] = (112, 32, 30)
TONGUE: Final[Paint] = (240, 98, 104)
WATER: Final[tuple[Paint, Paint]] = ((214, 242, 255), (44, 142, 228))

_EYE: Final[Point] = (35.0, -16.0)


def build_face(features: Features) -> tuple[Shape, ...]:
    """The shapes of a face, back to front, inside a circle of radius 98 around (0, 0)."""
    shapes = [*_head(features)]
    for side in (-1, 1):
        shapes += _eye(features, side)
    for side in (-1, 1):
        shapes += _brow(features, side)
    shapes += _wrinkles(features)
    shapes += _mouth(features)
    shapes += _drops(features)
    return tuple(shapes)


def _head(f: Features) -> Iterator[Shape]:
    rim = _darken(f.head_bottom, 0.86), _darken(f.head_top, 0.94)
    yield Fill(Ellipse(0, 0, 96, 96), Gradient(rim[1], rim[0], -96, 96))
    yield Fill(Ellipse(0, -2, 93, 92.5), Gradient(f.head_top, f.head_bottom, -92, 92))
    if f.blush > 0.01:
        for side in (-1, 1):
            yield Fill(Ellipse(side * 62, 18, 17, 11), (255, 110, 90), opacity=f.blush)


def _eye(f: Features, side: int) -> Iterator[Shape]:
    x, y = side * _EYE[0], _EYE[1]
    inner = (x - side * f.eye_width, y + f.lid_slant / 2)
    outer = (x + side * f.eye_width, y - f.lid_slant / 2)
    left, right = (outer, inner) if side < 0 else (inner, outer)
    upper = arc(left, right, -f.lid_upper, 1.0)
    gap = f.lid_upper + f.lid_lower
    if gap > 0.3:
        outline = upper.join(arc(left, right, f.lid_lower, 1.0).reverse())
        # A slit is a dark line, not a sliver of white and pupil.
        visible = fade_in(gap, 7, 11)
        if visible < 1:
            yield Fill(outline, INK)
        if visible > 0.01:
            middle = y + (f.lid_lower - f.lid_upper) / 2
            centre, glint = (x + f.gaze_x, middle + f.gaze_y), f.pupil * 0.3
            shine = (centre[0] - f.pupil * 0.35, centre[1] - f.pupil * 0.45)
            yield Fill(outline, WHITE, visible)
            yield Fill(Ellipse(*centre, f.pupil, f.pupil * 1.12), PUPIL, visible, clip=outline)
            yield Fill(Ellipse(*shine, glint, glint), WHITE, visible, clip=outline)
    if f.lash > 0.2:
        yield Stroke(upper, INK, f.lash)


def _brow(f: Features, side: int) -> Iterator[Shape]:
    height = _EYE[1] - f.brow_height - side * f.brow_asymmetry / 2
    inner = (side * 17.0, height + f.brow_slant / 2)
    outer = (side * 53.0, height - f.brow_slant / 2)
    yield Stroke(arc(inner, outer, -f.brow_arch, 0.4), INK, 8)


def _wrinkles(f: Features) -> Iterator[Shape]:
    depth = fade_in(f.wrinkle, 0.2, 0.9)
    if depth > 0.01:
        for side in (-1, 1):
            line = arc((side * 4, -26 - 5 * depth), (side * 6, -12), 0, 0.5)
            yield Stroke(line, INK, 3.2, opacity=0.75 * depth)


def _mouth(f: Features) -> Iterator[Shape]:
    opening = f.opening * fade_in(f.opening, 0, 20)
    upper, lower = _lip(f, f.smile - opening / 2), _lip(f, f.smile + opening / 2)
    inside = upper.join(lower.reverse())
    if opening > 0.3:
        yield Fill(inside, MOUTH)
        if f.tongue > 0.02:
            bottom = f.mouth_y + f.smile / 2 + opening / 2
            yield Fill(Ellipse(0, bottom, f.mouth_width * 0.62, opening * 0.42 * f.tongue), TONGUE, clip=inside)
        if f.teeth > 0.02:
            edge = _lip(f, f.smile - opening / 2 + opening * f.teeth)
            yield Fill(upper.join(edge.reverse()), WHITE, clip=inside)
    yield Stroke(inside if opening > 0.3 else upper, INK, 6.5)
    length = fade_in(f.tongue_out, 0.15, 0.95)
    if length > 0.02:
        yield from _tongue_outside(f.mouth_y + f.smile / 2 + opening / 2 - 3, length)


def _lip(f: Features, bulge: float) -> Curve:
    """From corner to corner; a skewed mouth curls up at its higher end."""
    left = (-f.mouth_width, f.mouth_y - f.smile / 2 + min(0.0, f.skew))
    right = (f.mouth_width, f.mouth_y - f.smile / 2 - max(0.0, f.skew))
    level, reach = max(left[1], right[1]) + bulge * 4 / 3, f.mouth_width * f.roundness
    curve = Curve(left, (((-reach, level), (reach, level), right),))
    return curve if abs(f.wave) < 0.05 else waver(curve, f.wave)


def _tongue_outside(top: float, length: float) -> Iterator[Shape]:
    width, bottom = 6 + 9 * length, top + 30 * length
    flesh = Curve(
        (-width, top),
        (
            ((-width, bottom + 4), (-width * 0.7, bottom + 8), (0, bottom + 8)),
            ((width * 0.7, bottom + 8), (width, bottom + 4), (width, top)),
        ),
    )
    yield Fill(flesh, TONGUE)
    yield Stroke(arc((0, top + 4), (0, top + 16 * length), 0, 0.5), _darken(TONGUE, 0.75), 3 * length)


def _drops(f: Features) -> Iterator[Shape]:
    yield from _drop(_EYE[0] + 7, 25, 11.5, f.tear)
    yield from _drop(75, -32, 10.5, f.sweat)


def _drop(x: float, y: float, radius: float, share: float) -> Iterator[Shape]:
    """A drop that fades in as it grows, so that a little of it is faint instead of a speck."""
    opacity = fade_in(share, 0.2, 0.5)
    if opacity < 0.02:
        return
    radius *= 0.5 + 0.5 * share
    tip, side = y - radius * 2.1, radius * 0.56
    outline = Curve(
        (x, tip),
        (
            ((x + radius * 0.25, tip + radius * 0.8), (x + radius, y - radius * 0.65), (x + radius, y)),
            ((x + radius, y + side), (x + side, y + radius), (x, y + radius)),
            ((x - side, y + radius), (x - radius, y + side), (x - radius, y)),
            ((x - radius, y - radius * 0.65), (x - radius * 0.25, tip + radius * 0.8), (x, tip)),
        ),
    )
    yield Fill(outline, Gradient(WATER[0], WATER[1], tip, y + radius), opacity)
    yield Stroke(
        arc((x - radius * 0.5, y + radius * 0.1), (x, y + radius * 0.6), radius * 0.15, 0.9), WHITE, 2, opacity
    )


def _darken(tint: Tint, factor: float) -> Paint:
    red, green, blue = tint
    return red * factor, green * factor, blue * factor
