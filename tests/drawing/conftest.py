"""Faces and pictures made up for the drawing tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from fervid.emotions import EMOTIONS, VOTE_LABELS, Emotion
from fervid.results import Analysis, Box, Distribution, Face, Quality

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
