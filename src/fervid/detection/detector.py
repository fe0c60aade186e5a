"""What a detector is and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fervid.detection.framing import Framing
from fervid.results import Box


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One face.

    Attributes:
        box: as the detector draws it, px of the picture; it may leave the picture.
        score: confidence, 0–1.
        landmarks: ``(5, 2)`` px (right eye, left eye, nose, right and left mouth corner), or None.
    """

    box: Box
    score: float
    landmarks: NDArray[np.float64] | None = None


class Detector(Protocol):
    """Finds faces; thread-safe."""

    @property
    def name(self) -> str:
        """What results say found the face."""

    @property
    def framing(self) -> Framing:
        """How its boxes map to the square that the expression network knows."""

    @property
    def score_threshold(self) -> float:
        """Detections of a lower score are left out."""

    def detect(self, image: NDArray[np.uint8], *, min_face: float) -> list[Detection]:
        """Faces of a ``(H, W, 3)`` RGB uint8 picture whose box is at least ``min_face`` px high, best first."""


def rank_from_left(detection: Detection) -> tuple[float, float]:
    """What sorts the faces of a picture from left to right."""
    return detection.box.x1, detection.box.y1


def identify(detector: Detector) -> str:
    """``name@sha256[:12]`` of a detector that was read from a file; what another says of itself, or its name."""
    return str(getattr(detector, "identity", detector.name))
