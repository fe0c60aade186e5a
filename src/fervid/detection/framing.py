"""From a detector's box to the square that the expression network was trained on: the one place that knows.

The network learnt from FER2013's crops. Each detector draws its own kind of box around the same face; a framing, below
for ``haar`` and in the spec of a network, brings it to FER2013's. ``benchmarks/measure_framing.py`` measured those of
``haar`` and YuNet. ``faces`` was taught by YuNet's boxes and carries YuNet's: its own boxes measure 1.026 instead of
0.933 (median scale of 926 faces), and expressions are read no better with that (64.7 % instead of 65.1 %, ``small``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fervid.geometry import square_box
from fervid.results import Box


@dataclass(frozen=True, slots=True)
class Framing:
    """A square relative to a detector's box.

    Attributes:
        scale: side of the square as a share of the box's height.
        shift_x: from the box's centre to the square's, to the right, as a share of the side.
        shift_y: the same, downwards.
    """

    scale: float
    shift_x: float
    shift_y: float

    def apply(self, box: Box) -> Box:
        """The square for ``box``; it may leave the picture."""
        side = box.height * self.scale
        centre_x, centre_y = box.centre
        return square_box(centre_x + self.shift_x * side, centre_y + self.shift_y * side, side)


HAAR: Final = Framing(scale=1.013, shift_x=0.0, shift_y=0.0)
