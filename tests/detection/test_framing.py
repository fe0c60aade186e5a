import numpy as np
import pytest

from fervid.detection.framing import HAAR, Framing
from fervid.detection.yunet import SPEC
from fervid.results import Box

YUNET = Framing(*SPEC.framing)


def test_a_framing_moves_and_scales_by_the_boxes_height() -> None:
    square = Framing(scale=0.5, shift_x=0.1, shift_y=-0.2).apply(Box(10, 20, 30, 60))
    assert square.width == square.height == 20
    assert square.centre == pytest.approx((22, 36))


def test_the_constants_are_the_measured_ones() -> None:
    assert (YUNET.scale, YUNET.shift_x, YUNET.shift_y) == (0.933, 0.004, -0.012)
    assert HAAR.apply(Box(0, 0, 100, 100)).width == pytest.approx(100, rel=0.03)


@pytest.mark.parametrize("framing", [HAAR, YUNET])
def test_the_square_follows_the_box_at_every_scale(framing: Framing) -> None:
    small, large = framing.apply(Box(1, 2, 11, 14)), framing.apply(Box(10, 20, 110, 140))
    assert np.array([large.x1, large.y1, large.x2, large.y2]) / 10 == pytest.approx(
        [small.x1, small.y1, small.x2, small.y2]
    )
