"""Faces and pictures made up for the drawing tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from fervid.drawing.mixing import rgb_to_oklab
from fervid.emotions import EMOTIONS, VOTE_LABELS, Emotion
from fervid.results import Analysis, Box, Distribution, Face, Quality

# Machado, Oliveira & Fernandes 2009, severity 1, on linear sRGB.
VISION = {
    "full": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}

See = Callable[[tuple[int, int, int]], NDArray[np.float64]]
MakeFace = Callable[..., Face]
MakeAnalysis = Callable[..., Analysis]


def build_face(
    box: tuple[float, float, float, float],
    probabilities: Mapping[str, float] | None = None,
    *,
    uncertain: bool = False,
    labels: tuple[Emotion, ...] = EMOTIONS,
    landmarks: NDArray[np.float64] | None = None,
    roll_deg: float | None = None,
    track_id: int | None = None,
) -> Face:
    shares = dict(probabilities or {"happy": 1.0})
    distribution = Distribution(labels, [shares.get(label, 0.0) for label in labels])
    return Face(
        box=Box(*box),
        score=0.9,
        emotion=None if uncertain else Emotion(distribution.top),
        confidence=max(distribution.values()),
        probabilities=distribution,
        votes=Distribution(VOTE_LABELS, [1.0] + [0.0] * 7),
        landmarks=landmarks,
        quality=None if roll_deg is None else Quality(64.0, 100.0, roll_deg),
        track_id=track_id,
    )


def build_analysis(faces: list[Face], image: NDArray[np.uint8]) -> Analysis:
    return Analysis(tuple(faces), (image.shape[1], image.shape[0]), "none@000000000000", "none")


@pytest.fixture
def make_face() -> MakeFace:
    return build_face


@pytest.fixture
def make_analysis() -> MakeAnalysis:
    return build_analysis


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """A noisy 480×360 picture, so that any pixel that is drawn differs."""
    return np.random.default_rng(0).integers(60, 180, (360, 480, 3), dtype=np.uint8)


@pytest.fixture(params=VISION)
def see(request: pytest.FixtureRequest) -> See:
    """How a colour looks, in Oklab, to full colour vision and to each deficiency."""
    matrix = np.array(VISION[request.param])

    def convert(colour: tuple[int, int, int]) -> NDArray[np.float64]:
        values = np.array(colour) / 255
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
        seen = np.clip(matrix @ linear, 0, 1)
        return rgb_to_oklab(255 * np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055))

    return convert
