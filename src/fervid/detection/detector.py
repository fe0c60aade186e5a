"""What a detector is, and which one to take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from fervid.detection.framing import Framing
from fervid.errors import UnknownModelError
from fervid.results import Box

DETECTORS: Final = ("auto", "haar", "yunet")
"""The names that :func:`create_detector` knows."""


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

    def detect(self, image: NDArray[np.uint8], *, min_face: float) -> list[Detection]:
        """Faces of a ``(H, W, 3)`` RGB uint8 picture whose box is at least ``min_face`` px high, best first."""


def create_detector(name: str = "auto", *, threads: int | None = None) -> Detector:
    """The detector of that name.

    ``auto`` is YuNet when its file is on this machine (``fervid models pull yunet``), else OpenCV's Haar cascade, which
    is part of every install.

    Raises:
        UnknownModelError: no such name.
        ModelError: ``yunet`` is asked for and its file is not on this machine, or not the published one.
    """
    if name == "auto":
        from fervid.detection.yunet import is_available

        name = "yunet" if is_available() else "haar"
    if name == "yunet":
        from fervid.detection.yunet import YuNetDetector

        return YuNetDetector(threads=threads)
    if name == "haar":
        from fervid.detection.haar import HaarDetector

        return HaarDetector()
    raise UnknownModelError(f"there is no detector {name!r}", advice=f"Known: {', '.join(DETECTORS)}.")
