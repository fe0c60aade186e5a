"""Pictures at the size a detector looks at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def resize_longest(image: NDArray[np.uint8], longest: int) -> tuple[NDArray[np.uint8], float]:
    """Reduce a picture so that its longer side is at most ``longest`` px.

    Args:
        image: ``(H, W, 3)`` uint8.
        longest: px.

    Returns:
        The picture, and the factor by which it was multiplied (1 when it was small enough).
    """
    height, width = image.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return image, 1.0
    return resize(image, max(1, round(width * factor)), max(1, round(height * factor))), factor


def resize(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resize ``(H, W, 3)`` or ``(H, W)`` uint8 with antialiasing."""
    from PIL import Image

    picture = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(picture)
