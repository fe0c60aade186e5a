"""What is drawn on the frames of a film."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fervid.drawing.annotation import annotate
from fervid.drawing.emojification import emojify
from fervid.results import Frame

FilmStyle = Literal["labels", "over", "beside"]
"""Frames, labels and bars; or emoji over the faces or beside them."""


class FilmDrawer:
    """Draws on one frame after another.

    Args:
        style: what.
    """

    def __init__(self, style: FilmStyle) -> None:
        self.style = style

    def draw(self, image: NDArray[np.uint8], frame: Frame) -> NDArray[np.uint8]:
        """A drawn-on copy of a ``(H, W, 3)`` uint8 RGB picture."""
        if not frame.faces:
            return image
        if self.style == "labels":
            return annotate(image, frame)
        return emojify(image, frame, placement=self.style)
