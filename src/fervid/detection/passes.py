"""How a picture is read: at which scales, and in which overlapping tiles.

A network finds faces between two heights, px of its input. A small picture is read once. A large one is read at the
scale that its smallest faces need, in tiles, and again reduced, for the faces that are too large for a tile; a picture
whose faces may be smaller than what the network sees is enlarged, and so is a tiny one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_ENLARGEMENT: Final = 2.0
"""Pictures are enlarged by no more than this for their smallest faces: what is lost does not come back."""

LEAST_SIDE: Final = 320
"""Pictures whose longer side is shorter than this are enlarged to it, px: that costs next to nothing, and networks are
not at home in tiny pictures. Of FER2013's 48 px faces by themselves, which become 192 px, YuNet finds 75 % as they are
and 99 % enlarged, `faces` 89 % and 96 %."""

MOST_FOR_LEAST: Final = 4.0
"""But by no more than this."""

OVERLAP: Final = 1 / 8
"""How much neighbouring tiles share, as a share of the largest tile's side."""

MARGIN: Final = 0.1
"""How close to a seam a box may come before it counts as cut, as a share of its height."""

SLACK: Final = 1.5
"""By how much the heights that two passes find overlap, so that a face between them is found well by one."""

COMFORT: Final = 0.5
"""How large the largest face of a coarser pass becomes, as a share of what the network finds: less is cheaper, and
finds them as well, but says less exactly where they are."""

TALLEST: Final = 1.1
"""How tall a face's box may be, as a share of the picture's shorter side: that of a face that fills its picture goes
beyond it. Were this 1, such a face would at some sizes be read at the edge of what the network finds alone. Of 700 of
FER2013's faces by themselves, at 80 to 320 px, `faces` would miss 6.5 %, and misses 2.5 %; of 300 at 480 px, YuNet
would miss 18 %, and misses 1 %."""

MIN_STEP: Final = 0.75
"""From a pass to the next the scale falls at least by this, whatever a network finds."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a scaled picture, px of the scaled picture, half-open.

    Attributes:
        x1: left.
        y1: top.
        x2: right.
        y2: bottom.
    """

    x1: int
    y1: int
    x2: int
    y2: int

    @property
    def width(self) -> int:
        """x2 − x1."""
        return self.x2 - self.x1

    @property
    def height(self) -> int:
        """y2 − y1."""
        return self.y2 - self.y1


@dataclass(frozen=True, slots=True)
class Pass:
    """One reading of the whole picture.

    Attributes:
        width: of the scaled picture, px.
        height: of the scaled picture, px.
        tiles: that cover it; one when it is read in one piece.
    """

    width: int
    height: int
    tiles: tuple[Tile, ...]

    @property
    def pixels(self) -> int:
        """What the network reads, overlaps included."""
        return sum(tile.width * tile.height for tile in self.tiles)


def plan_passes(
    width: int, height: int, *, min_face: float, smallest: float, largest: float, tile: tuple[int, int]
) -> tuple[Pass, ...]:
    """The passes that find every face of ``min_face`` and more.

    Args:
        width: of the picture, px.
        height: of the picture, px.
        min_face: height of the smallest face to find, px of the picture.
        smallest: height of the smallest face that the network finds, px of its input.
        largest: height of the largest, px of its input.
        tile: largest width and height of the network's input, px.

    Returns:
        From the finest scale to the coarsest; a single pass of scale 1 where that does and the picture is not tiny.
    """
    whole = min(1.0, tile[0] / width, tile[1] / height)  # the scale that fits into one tile
    uncut = min(largest, min(tile) * OVERLAP / (1 + 2 * MARGIN))  # smaller faces stand whole in some tile
    biggest = min(width, height)
    needed = min(MAX_ENLARGEMENT, smallest / min_face)
    scale = max(whole, needed, min(MOST_FOR_LEAST, LEAST_SIDE / max(width, height)))
    passes = []
    while True:
        columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
        tiles = tuple(split_tiles(columns, rows, tile))
        passes.append(Pass(columns, rows, tiles))
        reach = largest if len(tiles) == 1 else uncut
        if reach >= TALLEST * biggest * scale:
            return tuple(passes)
        wanted = min(whole, COMFORT * largest / biggest)
        scale = min(max(wanted, scale * SLACK * smallest / reach), scale * MIN_STEP)


def split_tiles(width: int, height: int, tile: tuple[int, int]) -> Iterator[Tile]:
    """Tiles of about the same size that cover a picture, row by row; neighbours share :data:`OVERLAP`."""
    spans = [_split_side(length, limit) for length, limit in zip((width, height), tile, strict=True)]
    for top, bottom in spans[1]:
        for left, right in spans[0]:
            yield Tile(left, top, right, bottom)


def _split_side(length: int, limit: int) -> list[tuple[int, int]]:
    if length <= limit:
        return [(0, length)]
    shared = math.ceil(limit * OVERLAP)
    count = math.ceil((length - shared) / (limit - shared))
    side = math.ceil((length + (count - 1) * shared) / count)
    starts = [round(i * (length - side) / (count - 1)) for i in range(count)]
    return [(start, start + side) for start in starts]


def find_cut(boxes: NDArray[np.float64], tile: Tile, reading: Pass) -> NDArray[np.bool_]:
    """Which boxes reach to a seam of a tile, so that the face may go on beyond it.

    What is left of such a face after the cut must not stand for it: the face lies whole in the neighbouring tile or,
    when it is larger than what neighbours share, in a coarser pass.

    Args:
        boxes: ``(N, 4)`` x1, y1, x2, y2 in px of the scaled picture.
        tile: in which they were found.
        reading: the pass of the tile.

    Returns:
        ``(N,)``.
    """
    margin = (boxes[:, 3] - boxes[:, 1]) * MARGIN
    cut = np.zeros(len(boxes), dtype=np.bool_)
    if tile.x1 > 0:
        cut |= boxes[:, 0] < tile.x1 + margin
    if tile.y1 > 0:
        cut |= boxes[:, 1] < tile.y1 + margin
    if tile.x2 < reading.width:
        cut |= boxes[:, 2] > tile.x2 - margin
    if tile.y2 < reading.height:
        cut |= boxes[:, 3] > tile.y2 - margin
    return cut
