"""How thick lines and how high type must be in a picture of a given size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

from fervid.drawing.canvas import Canvas
from fervid.results import Box

_SMALLEST_FONT: Final = 10


@dataclass(frozen=True, slots=True)
class Scale:
    """What is legible in a picture of this size.

    Attributes:
        diagonal: of the picture, px.
    """

    diagonal: float

    @classmethod
    def of(cls, canvas: Canvas) -> Self:
        """The scale of a picture."""
        return cls(math.hypot(canvas.width, canvas.height))

    def line(self, box: Box) -> int:
        """Width of a frame, px."""
        side = math.sqrt(box.area)
        return max(1, round(min(max(side * 0.018, self.diagonal * 0.0012), self.diagonal * 0.005, side * 0.1)))

    def font(self, box: Box) -> int:
        """Height of a label's type, px."""
        low, high = max(_SMALLEST_FONT, self.diagonal * 0.012), max(_SMALLEST_FONT, self.diagonal * 0.026)
        return round(min(max(math.sqrt(box.area) * 0.11, low), high))

    def smallest_panel_font(self) -> int:
        """Height of the smallest type in a panel, px."""
        return round(max(_SMALLEST_FONT, self.diagonal * 0.0095))
