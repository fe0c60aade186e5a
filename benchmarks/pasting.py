"""Known faces in larger pictures: what a detector and the framing behind it are measured on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from fervid.geometry import square_box
from fervid.results import Box


def paste_face(
    face: NDArray[np.uint8], rng: np.random.Generator, *, canvas: int = 320, side: tuple[int, int] = (64, 160)
) -> tuple[NDArray[np.uint8], Box]:
    """Put one face somewhere into a picture whose surroundings continue its border, blurred.

    Args:
        face: ``(48, 48)`` grey uint8.
        rng: draws the size and the place.
        canvas: side of the picture, px.
        side: smallest and largest side of the face in the picture, px.

    Returns:
        ``(canvas, canvas, 3)`` uint8, and the square that the face fills.
    """
    length = int(rng.integers(*side, endpoint=True))
    left, top = (int(v) for v in rng.integers(length // 3, canvas - length - length // 3, size=2))
    large = np.asarray(Image.fromarray(face).resize((length, length), Image.Resampling.BICUBIC))
    margins = ((top, canvas - top - length), (left, canvas - left - length))
    surroundings = Image.fromarray(np.pad(large, margins, mode="edge")).filter(ImageFilter.GaussianBlur(length / 24))
    picture = np.array(surroundings)
    picture[top : top + length, left : left + length] = large
    square = square_box(left + length / 2, top + length / 2, length)
    return np.repeat(picture[:, :, None], 3, axis=2), square
