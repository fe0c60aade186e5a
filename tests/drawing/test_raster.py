"""Both renderers draw the same shapes: areas and colours that geometry predicts."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import numpy as np
import pytest

from fervid.drawing.face import build_face
from fervid.drawing.features import PURE_FEATURES
from fervid.drawing.raster import rasterise
from fervid.drawing.shapes import Curve, Ellipse, Fill, Gradient, Stroke, arc, waver
from fervid.drawing.svg import write_svg

RED, BLUE = (255.0, 0.0, 0.0), (0.0, 0.0, 255.0)


def measure_area(image: np.ndarray) -> float:
    """In the drawing's units²."""
    return float(image[..., 3].sum() / 255 * (200 / image.shape[0]) ** 2)


@pytest.mark.parametrize("size", [20, 100, 300])
def test_a_fill_covers_its_area(size: int) -> None:
    image = rasterise([Fill(Ellipse(10, -5, 60, 30), RED)], size)
    assert measure_area(image) == pytest.approx(math.pi * 60 * 30, rel=0.03)
    alpha, axis = image[..., 3] / image[..., 3].sum(dtype=float), (np.arange(size) + 0.5) * 200 / size - 100
    assert alpha.sum(axis=0) @ axis == pytest.approx(10, abs=0.3)
    assert alpha.sum(axis=1) @ axis == pytest.approx(-5, abs=0.3)


def test_a_stroke_covers_its_length_and_its_round_ends() -> None:
    image = rasterise([Stroke(arc((-50, 20), (50, 20), 0, 0.5), RED, 12)], 200)
    assert measure_area(image) == pytest.approx(100 * 12 + math.pi * 36, rel=0.03)


def test_a_clip_keeps_the_common_part() -> None:
    image = rasterise([Fill(Ellipse(0, 0, 50, 50), RED, clip=Ellipse(0, 50, 100, 50))], 200)
    assert image[110:, :, 3].max() == 255
    assert image[:95, :, 3].max() == 0
    assert measure_area(image) < math.pi * 2500 * 0.55


def test_opacity_and_order() -> None:
    image = rasterise([Fill(Ellipse(0, 0, 50, 50), RED), Fill(Ellipse(0, 0, 30, 30), BLUE, opacity=0.5)], 100)
    assert image[50, 50].tolist() == pytest.approx([127, 0, 128, 255], abs=2)
    assert image[50, 30].tolist() == [255, 0, 0, 255]
    alone = rasterise([Fill(Ellipse(0, 0, 30, 30), BLUE, opacity=0.5)], 100)
    assert alone[50, 50].tolist() == pytest.approx([0, 0, 255, 128], abs=1)


@pytest.mark.parametrize("rotation_deg", [0.0, 90.0, 180.0])
def test_a_gradient_runs_down_the_drawing_and_turns_with_it(rotation_deg: float) -> None:
    image = rasterise([Fill(Ellipse(0, 0, 99, 99), Gradient(RED, BLUE, -100, 100))], 100, rotation_deg=rotation_deg)
    upright = np.rot90(image, rotation_deg / 90)
    assert upright[10, 50, :3].tolist() == pytest.approx([228, 0, 27], abs=3)
    assert upright[50, 50, :3].tolist() == pytest.approx([127, 0, 128], abs=3)
    assert upright[90, 50, :3].tolist() == pytest.approx([25, 0, 230], abs=3)


def test_shapes_that_leave_the_drawing_are_cut() -> None:
    image = rasterise([Fill(Ellipse(100, 0, 50, 50), RED), Fill(Ellipse(500, 500, 9, 9), BLUE)], 100)
    assert measure_area(image) == pytest.approx(math.pi * 2500 / 2, rel=0.05)


def test_nothing_is_transparent() -> None:
    assert not rasterise([], 10).any()


def test_the_arc_passes_through_its_ends_and_its_bulge() -> None:
    points = arc((-40, 10), (40, 30), 15, 0.7).flatten()
    assert points[0] == (-40, 10)
    assert points[-1] == pytest.approx((40, 30))
    assert points[len(points) // 2] == pytest.approx((0, 35))


def test_a_wavering_curve_keeps_its_ends_and_stays_smooth() -> None:
    curve = arc((-40, 0), (40, 0), 10, 0.6)
    bent = waver(curve, 4)
    assert bent.start == curve.start
    assert bent.cubics[-1][2] == pytest.approx(curve.cubics[-1][2])
    for before, after in pairwise(bent.cubics):
        joint = before[2]
        incoming = math.atan2(joint[1] - before[1][1], joint[0] - before[1][0])
        outgoing = math.atan2(after[0][1] - joint[1], after[0][0] - joint[0])
        assert abs(incoming - outgoing) < 0.6


def test_reversing_a_chain_twice_gives_it_back() -> None:
    chain = arc((0, 0), (10, 0), 5, 0.5).join(arc((10, 0), (20, 5), -5, 0.5))
    assert chain.reverse().reverse() == chain
    assert chain.reverse().flatten() == [pytest.approx(point) for point in reversed(chain.flatten())]


@pytest.mark.parametrize("label", PURE_FEATURES)
def test_the_svg_holds_the_very_shapes_that_are_rasterised(label: str) -> None:
    shapes = build_face(PURE_FEATURES[label])
    root = ElementTree.fromstring(write_svg(shapes, "a face"))
    elements = [element for element in root if element.tag.endswith(("ellipse", "path"))]
    assert len(elements) == len(shapes)
    for element, shape in zip(elements, shapes, strict=True):
        if isinstance(shape.outline, Ellipse):
            got = [float(element.get(name, "nan")) for name in ("cx", "cy", "rx", "ry")]
            wanted = [shape.outline.x, shape.outline.y, shape.outline.radius_x, shape.outline.radius_y]
        else:
            got = [float(number) for number in re.findall(r"-?[0-9.]+", element.get("d", ""))]
            wanted = flatten_controls(shape.outline)
        assert got == pytest.approx(wanted, abs=0.006)
        if isinstance(shape, Stroke):
            assert float(element.get("stroke-width", "nan")) == pytest.approx(shape.width, abs=0.006)
            assert element.get("stroke-linecap") == element.get("stroke-linejoin") == "round"
        assert float(element.get("opacity", "1")) == pytest.approx(shape.opacity, abs=0.006)


def flatten_controls(curve: Curve) -> list[float]:
    points = [curve.start, *(point for cubic in curve.cubics for point in cubic)]
    return [value for point in points for value in point]


def test_titles_are_escaped() -> None:
    root = ElementTree.fromstring(write_svg([], "a < b & c"))
    assert root[0].text == "a < b & c"
