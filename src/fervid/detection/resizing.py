"""Pictures at the size a detector looks at."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

_BLOCK_ROWS: Final = 256  # of the picture, that Pillow copies at a time


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
    return resize_region(image, (0.0, 0.0, float(image.shape[1]), float(image.shape[0])), width, height)


def resize_region(
    image: NDArray[np.uint8], region: tuple[float, float, float, float], width: int, height: int
) -> NDArray[np.uint8]:
    """Resize a part of a picture with antialiasing; needs memory for the result, not for the part.

    Args:
        image: ``(H, W, 3)`` or ``(H, W)`` uint8.
        region: x1, y1, x2, y2 inside the picture, px, on fractions of pixels too.
        width: of the result, px.
        height: of the result, px.

    Returns:
        ``(height, width, 3)`` or ``(height, width)`` uint8. Pixels around the region count where the kernel reaches
        there, so that parts cut side by side fit each other.
    """
    from PIL import Image

    x1, y1, x2, y2 = region
    across, down = (x2 - x1) / width, (y2 - y1) / height
    if (across, down) == (1, 1) and x1 == int(x1) and y1 == int(y1):
        return image[int(y1) : int(y2), int(x1) : int(x2)]
    # Pillow's kernel reaches one source pixel when enlarging, one target pixel when reducing.
    margin_x, margin_y = math.ceil(max(1, across)) + 1, math.ceil(max(1, down)) + 1
    # Whole blocks of pixels, counted from the picture's corner, are averaged first: in a third of the time.
    block = max(1, math.floor(across)), max(1, math.floor(down))
    left, top = max(0, math.floor(x1) - margin_x), max(0, math.floor(y1) - margin_y)
    left, top = left - left % block[0], top - top % block[1]
    part = image[top : math.ceil(y2) + margin_y, left : math.ceil(x2) + margin_x]
    corners = (x1 - left, y1 - top, x2 - left, y2 - top)
    if block == (1, 1):
        small = Image.fromarray(np.ascontiguousarray(part))
    else:
        small = Image.fromarray(_average_blocks(part, block))
        limits = (small.width, small.height) * 2
        corners = tuple(min(c / b, n) for c, b, n in zip(corners, block * 2, limits, strict=True))  # type: ignore[assignment]
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR, box=corners))


def _average_blocks(image: NDArray[np.uint8], block: tuple[int, int]) -> NDArray[np.uint8]:
    """Means of blocks of (width, height) px, few rows at a time; blocks at the end are smaller."""
    from PIL import Image

    step = block[1] * max(1, _BLOCK_ROWS // block[1])
    strips = [
        np.asarray(Image.fromarray(np.ascontiguousarray(image[start : start + step])).reduce(block))
        for start in range(0, len(image), step)
    ]
    return np.concatenate(strips)
