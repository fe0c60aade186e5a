"""A small picture of everybody."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.detection.resizing import resize_region
from fervid.geometry import clip_box, square_box
from fervid.results import Face, Frame

SIDE: Final = 96
"""Of a picture, px."""

_MARGIN: Final = 1.25
"""What is shown of a face, as a share of its box's height."""
_BETTER: Final = 1.2
"""A picture gives way to one that is better by this factor."""
_MOST_PICTURES: Final = 1000
"""Held at a time, 28 MB; a timeline shows a few dozen."""


class Thumbnails:
    """Keeps the best picture of every track; of very many only those of the tracks seen most often.

    Attributes:
        pictures: by track, each ``(96, 96, 3)`` uint8 RGB.
    """

    def __init__(self) -> None:
        self.pictures: dict[int, NDArray[np.uint8]] = {}
        self._worth: dict[int, float] = {}
        self._seen: Counter[int] = Counter()

    def add(self, frame: Frame, image: NDArray[np.uint8]) -> None:
        """Look at the next frame and its ``(H, W, 3)`` uint8 RGB picture."""
        height, width = image.shape[:2]
        self._seen.update(face.track_id for face in frame.faces if face.track_id is not None)
        for face in frame.faces:
            side = face.box.height * _MARGIN
            whole = square_box(*face.box.centre, min(side, width, height))
            inside = clip_box(whole, width, height)
            if face.track_id is None or inside.area < 0.8 * side * side:
                continue
            worth = judge(face)
            if worth > _BETTER * self._worth.get(face.track_id, 0.0):
                left = min(max(whole.x1, 0.0), width - whole.width)
                top = min(max(whole.y1, 0.0), height - whole.height)
                region = (left, top, left + whole.width, top + whole.height)
                self.pictures[face.track_id] = np.array(resize_region(image, region, SIDE, SIDE))
                self._worth[face.track_id] = worth
        if len(self.pictures) > _MOST_PICTURES:
            self._drop_rare()

    def _drop_rare(self) -> None:
        """Forget the pictures of the half that was seen least; whoever comes back gets a new one."""
        rare = sorted(self.pictures, key=self._seen.__getitem__)[: len(self.pictures) // 2]
        for track in rare:
            del self.pictures[track], self._worth[track]


def judge(face: Face) -> float:
    """How good a picture of somebody a face makes: sure, large and frontal ones are better."""
    yaw = 0.0 if face.quality is None or face.quality.yaw is None else face.quality.yaw
    return face.score * min(face.box.height, 2.0 * SIDE) / (1 + 2 * abs(yaw))
