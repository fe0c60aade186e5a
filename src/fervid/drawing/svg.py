"""Shapes as SVG 1.1."""

from __future__ import annotations

import hashlib
from xml.sax.saxutils import escape

from fervid.drawing.shapes import Curve, Ellipse, Fill, Gradient, Outline, Paint, Point, Shapes


def write_svg(shapes: Shapes, title: str) -> str:
    """A document whose coordinates run from −100 to 100 on both axes.

    Identifiers carry a digest of the drawing, so that several drawings can stand in one page.

    Args:
        shapes: back to front.
        title: what a screen reader says.
    """
    prefix = "f" + hashlib.sha256(repr(shapes).encode()).hexdigest()[:8]
    definitions: dict[str, str] = {}

    def refer(element: str) -> str:
        identifier = definitions.setdefault(element, f"{prefix}{len(definitions)}")
        return f"url(#{identifier})"

    elements = []
    for shape in shapes:
        paint = refer(_gradient(shape.paint)) if isinstance(shape.paint, Gradient) else _colour(shape.paint)
        if isinstance(shape, Fill):
            style = f' fill="{paint}"'
            if shape.clip is not None:
                style += f' clip-path="{refer(f"<clipPath id={{}}>{_element(shape.clip)}</clipPath>")}"'
        else:
            style = (
                f' fill="none" stroke="{paint}" stroke-width="{_number(shape.width)}"'
                ' stroke-linecap="round" stroke-linejoin="round"'
            )
        if shape.opacity < 1:
            style += f' opacity="{_number(shape.opacity)}"'
        elements.append(_element(shape.outline, style))
    defs = "".join(element.replace("{}", f'"{identifier}"', 1) for element, identifier in definitions.items())
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-100 -100 200 200" role="img">'
        f"<title>{escape(title)}</title><defs>{defs}</defs>{''.join(elements)}</svg>\n"
    )


def _element(outline: Outline, style: str = "") -> str:
    if isinstance(outline, Ellipse):
        return (
            f'<ellipse cx="{_number(outline.x)}" cy="{_number(outline.y)}"'
            f' rx="{_number(outline.radius_x)}" ry="{_number(outline.radius_y)}"{style}/>'
        )
    return f'<path d="{_path(outline)}"{style}/>'


def _path(curve: Curve) -> str:
    cubics = "".join(f"C{' '.join(_point(point) for point in cubic)}" for cubic in curve.cubics)
    return f"M{_point(curve.start)}{cubics}"


def _gradient(gradient: Gradient) -> str:
    return (
        f'<linearGradient id={{}} gradientUnits="userSpaceOnUse" x1="0" x2="0"'
        f' y1="{_number(gradient.y1)}" y2="{_number(gradient.y2)}">'
        f'<stop offset="0" stop-color="{_colour(gradient.top)}"/>'
        f'<stop offset="1" stop-color="{_colour(gradient.bottom)}"/></linearGradient>'
    )


def _colour(paint: Paint) -> str:
    return "#" + "".join(f"{min(255, max(0, round(channel))):02x}" for channel in paint)


def _point(point: Point) -> str:
    return f"{_number(point[0])},{_number(point[1])}"


def _number(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
