"""Colours that everyone can tell apart, and text that can be read on them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fervid.drawing.mixing import mix_tints, oklab_to_rgb, rgb_to_oklab
from fervid.drawing.palette import INK, PAPER, contrast_ratio, emotion_colour, text_colour
from fervid.emotions import VOTE_LABELS
from fervid.errors import UsageError

LABELS = (*VOTE_LABELS, None)

# Machado, Oliveira & Fernandes 2009, severity 1, on linear sRGB.
VISION = {
    "full": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def see(colour: tuple[int, int, int], vision: str) -> np.ndarray:
    values = np.array(colour) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(VISION[vision]) @ linear, 0, 1)
    return rgb_to_oklab(255 * np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055))


@pytest.mark.parametrize("vision", VISION)
def test_any_two_expressions_differ_in_any_vision(vision: str) -> None:
    for first, second in itertools.combinations(LABELS, 2):
        distance = np.linalg.norm(see(emotion_colour(first), vision) - see(emotion_colour(second), vision))
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
