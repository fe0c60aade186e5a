"""From a detection to the square that is cut out: in the network's framing, turned as the face is tilted.

The network learnt from nearly upright faces. ``benchmarks/alignment.py`` measures the points below and what turning is
worth.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.detection.detector import Detection
from fervid.detection.framing import Framing
from fervid.geometry import Square

MEAN_POINTS: Final = ((0.318, 0.384), (0.681, 0.377), (0.503, 0.596), (0.353, 0.761), (0.659, 0.755))
"""Where the points of FER2013's faces lie in their square, as shares of its side: medians of Training faces."""

UPRIGHT_DEG: Final = 10.0
"""Faces tilted by no more than this are left as they are: upright faces' points are off by as much."""

TILTED_DEG: Final = 16.0
"""Faces tilted by this or more are turned wholly; between, by a share, so that a film does not jump."""


def align(detection: Detection, framing: Framing) -> Square:
    """The square of a face.

    Args:
        detection: the face; without landmarks its square stays upright.
        framing: of the detector.
    """
    return Square(framing.apply(detection.box), choose_angle(detection.landmarks))


def measure_tilt(landmarks: NDArray[np.float64]) -> float:
    """Clockwise tilt of ``(5, 2)`` points, degrees: that of the similarity from the mean ones (Umeyama 1991)."""
    mean, points = (np.asarray(p, dtype=np.float64) @ np.array([1, 1j]) for p in (MEAN_POINTS, landmarks))
    return math.degrees(float(np.angle((np.conj(mean - mean.mean()) * (points - points.mean())).sum())))


def choose_angle(landmarks: NDArray[np.float64] | None) -> float:
    """How far to turn the square, degrees clockwise; 0 without landmarks or when the face is nearly upright."""
    if landmarks is None:
        return 0.0
    tilt = measure_tilt(landmarks)
    share = (abs(tilt) - UPRIGHT_DEG) / (TILTED_DEG - UPRIGHT_DEG)
    return tilt * min(share, 1.0) if share > 0 else 0.0
