"""How readable a face is, from its pixels and landmarks."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.geometry import Square
from fervid.imaging import crop_resize
from fervid.results import Quality

SIDE: Final = 48
"""Faces are compared at this size, px."""


def measure_quality(image: NDArray[np.uint8], square: Square, landmarks: NDArray[np.float64] | None = None) -> Quality:
    """Size, sharpness and pose hints of one face.

    Args:
        image: ``(H, W, 3)`` RGB or ``(H, W)`` grey, uint8.
        square: the face's square in FER2013's framing.
        landmarks: ``(5, 2)`` px (right eye, left eye, nose, mouth corners), or None.
    """
    grey = crop_resize(image, square.box, SIDE, square.angle_deg).astype(np.float64)
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    roll, yaw = None, None
    if landmarks is not None:
        right_eye, left_eye, nose = landmarks[0], landmarks[1], landmarks[2]
        across, down = left_eye - right_eye
        distance = math.hypot(across, down)
        if distance > 0:
            roll = math.degrees(math.atan2(down, across))
            offset = nose - (right_eye + left_eye) / 2
            yaw = float(offset @ np.array([across, down]) / distance**2)
    return Quality(square.box.width, float(laplacian.var()), roll, yaw)
