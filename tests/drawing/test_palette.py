"""Colours that everyone can tell apart, and text that can be read on them."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from fervid.drawing.mixing import mix_tints, oklab_to_rgb, rgb_to_oklab
from fervid.drawing.palette import INK, PAPER, contrast_ratio, emotion_colour, text_colour
from fervid.emotions import VOTE_LABELS
from fervid.errors import UsageError

LABELS = (*VOTE_LABELS, None)
See = Callable[[tuple[int, int, int]], np.ndarray]


def test_any_two_expressions_differ_in_any_vision(see: See) -> None:
    for first, second in itertools.combinations(LABELS, 2):
        distance = np.linalg.norm(see(emotion_colour(first)) - see(emotion_colour(second)))
        assert distance >= 0.1, (first, second, distance)


@pytest.mark.parametrize("label", LABELS)
def test_text_on_a_plate_and_bars_on_a_panel_can_be_read(label: str | None) -> None:
    colour = emotion_colour(label)
    assert contrast_ratio(text_colour(colour), colour) >= 4.5
    assert contrast_ratio(colour, INK) >= 3


def test_contrast_of_black_and_white() -> None:
    assert contrast_ratio((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast_ratio((9, 9, 9), (9, 9, 9)) == 1
    assert text_colour((0, 0, 0)) == PAPER
    assert text_colour((255, 255, 255)) == INK


def test_an_unknown_label_has_no_colour() -> None:
    with pytest.raises(UsageError, match="joy"):
        emotion_colour("joy")


def test_oklab_and_back() -> None:
    colours = np.random.default_rng(1).uniform(0, 255, (500, 3))
    assert oklab_to_rgb(rgb_to_oklab(colours)) == pytest.approx(colours, abs=1e-6)
    assert rgb_to_oklab(np.array([255.0, 255.0, 255.0])) == pytest.approx([1, 0, 0], abs=1e-6)
    red = rgb_to_oklab(np.array([255.0, 0.0, 0.0]))
    assert red == pytest.approx([0.62796, 0.22486, 0.12585], abs=1e-4)  # Ottosson's own value


def test_a_tint_mixed_with_itself_stays() -> None:
    assert mix_tints([(200, 90, 30), (200, 90, 30)], [0.3, 0.7]) == pytest.approx((200, 90, 30), abs=1e-6)


def test_opposite_tints_mix_to_a_grey_without_a_jump() -> None:
    shares = np.linspace(0, 1, 201)
    mixed = np.array([mix_tints([(232, 62, 48), (94, 154, 240)], [share, 1 - share]) for share in shares])
    assert np.abs(np.diff(mixed, axis=0)).max() < 6
