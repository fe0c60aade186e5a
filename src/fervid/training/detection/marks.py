"""The faces of a picture, and what becomes of them when it is scaled, turned, mirrored and cut."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

MIRRORED: Final = (1, 0, 2, 4, 3)
"""Order of the five points in a mirrored picture: right and left change places."""

KEPT: Final = 0.6
"""Share of a box that must be in sight for a face to count; a smaller one is neither positive nor negative."""

FORGOTTEN: Final = 0.15
"""Share of a box in sight below which there is nothing of a face."""


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Faces and doubtful places of a picture, px.

    Attributes:
        boxes: ``(N, 4)`` float32 x1, y1, x2, y2.
        landmarks: ``(N, 5, 2)`` float32; NaN where unknown.
        scores: ``(N,)`` float32, how sure each face is, 0–1.
        ignored: ``(M, 4)`` float32, neither positive nor negative.
    """

    boxes: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    scores: NDArray[np.float32]
    ignored: NDArray[np.float32]

    @classmethod
    def none(cls) -> Self:
        """Of a picture without faces."""
        empty = np.zeros((0, 4), np.float32)
        return cls(empty, np.zeros((0, 5, 2), np.float32), np.zeros(0, np.float32), empty)

    @classmethod
    def join(cls, parts: Sequence[Marks]) -> Self:
        """All of several."""
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.landmarks for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.ignored for part in parts]),
        )

    def mirror(self, width: float) -> Marks:
        """In the mirrored picture of that width."""
        points = self.landmarks[:, MIRRORED] * _floats(-1, 1) + _floats(width, 0)
        return Marks(_mirror(self.boxes, width), points, self.scores, _mirror(self.ignored, width))

    def place(self, scale: float, angle: float, source: tuple[float, float], target: tuple[float, float]) -> Marks:
        """After scaling and turning about ``source``, which comes to lie on ``target``.

        A box becomes the box around the turned ellipse that it holds, since a face is round.

        Args:
            scale: factor.
            angle: counter-clockwise as one sees it, degrees.
            source: x, y in this picture.
            target: x, y in the other.
        """
        cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        turn = _floats(cosine, -sine, sine, cosine).reshape(2, 2) * scale  # rows are points: (x, y) @ turn
        origin, goal = _floats(*source), _floats(*target)

        def move(points: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.asarray((points - origin) @ turn + goal, dtype=np.float32)

        def bound(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
            centres = move(0.5 * (boxes[:, :2] + boxes[:, 2:]))
            squares = (0.5 * scale * (boxes[:, 2:] - boxes[:, :2])) ** 2
            halves = np.sqrt(squares @ _floats(cosine**2, sine**2, sine**2, cosine**2).reshape(2, 2))
            return np.concatenate([centres - halves, centres + halves], axis=1).astype(np.float32)

        return Marks(bound(self.boxes), move(self.landmarks), self.scores, bound(self.ignored))

    def cut(self, window: tuple[float, float, float, float], smallest: float) -> Marks:
        """What of it is in sight through a window x1, y1, x2, y2.

        Args:
            window: what is in sight.
            smallest: height of a face that counts, px; lower ones are ignored.
        """
        boxes, shares = _clip(self.boxes, window)
        ignored, ignored_shares = _clip(self.ignored, window)
        tall = boxes[:, 3] - boxes[:, 1] >= smallest
        kept = (shares >= KEPT) & tall
        doubtful = ~kept & (shares > FORGOTTEN)
        ignored = np.concatenate([ignored[ignored_shares > FORGOTTEN], boxes[doubtful]])
        return Marks(boxes[kept], self.landmarks[kept], self.scores[kept], ignored)

    def hide(self, window: tuple[float, float, float, float]) -> Marks:
        """After something opaque came to lie on a window: faces behind it go, faces half behind it are doubtful."""
        _, shares = _clip(self.boxes, window)
        _, ignored_shares = _clip(self.ignored, window)
        kept, doubtful = shares < 0.25, (shares >= 0.25) & (shares < 1 - FORGOTTEN)
        ignored = np.concatenate([self.ignored[ignored_shares < 1 - FORGOTTEN], self.boxes[doubtful]])
        return Marks(self.boxes[kept], self.landmarks[kept], self.scores[kept], ignored)


def _mirror(boxes: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    return np.asarray(boxes[:, [2, 1, 0, 3]] * _floats(-1, 1, -1, 1) + _floats(width, 0, width, 0))


def _clip(
    boxes: NDArray[np.float32], window: tuple[float, float, float, float]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Boxes cut off at a window, and the share of each that is inside."""
    x1, y1, x2, y2 = window
    inside = np.clip(boxes, _floats(x1, y1, x1, y1), _floats(x2, y2, x2, y2))
    sides, whole = inside[:, 2:] - inside[:, :2], boxes[:, 2:] - boxes[:, :2]
    return inside, sides.prod(axis=1) / np.maximum(whole.prod(axis=1), 1e-6)


def _floats(*values: float) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)
