"""Measures of a detector, in NumPy alone: matching, precision and recall by size, average precision, intervals.

Boxes are ``(N, 4)`` of x1, y1, x2, y2, px. Sizes are heights of boxes, px.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.evaluation.metrics import BOOTSTRAP_RESAMPLES, wilson_interval
from fervid.geometry import intersection_over_union

OVERLAP: Final = 0.5
"""Intersection over union from which a detection is that face, or that doubtful one."""

NOTHING: Final = -1
"""Outcome of a detection: nobody is there."""
IGNORED: Final = -2
"""Outcome of a detection: a doubtful face, which counts for nothing."""

PROFILE: Final = 0.15
"""Share of a box's height; where the eyes are closer to each other, their distance measures no face."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def match_detections(boxes: Floats, scores: Floats, faces: Floats, ignored: Floats) -> Ints:
    """Which face each detection is: greedily, best score first, one to one.

    A detection takes, of the faces still free, the one it overlaps most; what takes none and overlaps a doubtful face
    is ignored. Weaker detections change nothing about stronger ones, so one matching serves every threshold.

    Args:
        boxes: ``(N, 4)`` detections.
        scores: ``(N,)``.
        faces: ``(M, 4)``.
        ignored: ``(K, 4)`` doubtful faces.

    Returns:
        ``(N,)`` index of a face, :data:`NOTHING` or :data:`IGNORED`.
    """
    outcome = np.full(len(boxes), NOTHING, dtype=np.int64)
    if not len(boxes):
        return outcome
    overlaps = intersection_over_union(boxes, faces)
    doubtful = (intersection_over_union(boxes, ignored) >= OVERLAP).sum(axis=1)
    for index in np.argsort(-scores, kind="stable").tolist():
        row = overlaps[index]
        best = int(row.argmax()) if len(row) else NOTHING
        if best != NOTHING and row[best] >= OVERLAP:
            outcome[index] = best
            overlaps[:, best] = -1  # taken
        elif doubtful[index] > 0:
            outcome[index] = IGNORED
    return outcome


def landmark_errors(found: Floats, truth: Floats, heights: Floats) -> Floats:
    """Mean distance of five points from the true ones, as a share of the distance between the true eyes.

    Args:
        found: ``(N, 5, 2)`` px.
        truth: ``(N, 5, 2)`` px, the eyes first.
        heights: ``(N,)`` of the faces' boxes, px.

    Returns:
        ``(N,)``; NaN where points are unknown, inf where the eyes are closer than :data:`PROFILE` of the height (a face
        from the side).
    """
    distance = np.linalg.norm(truth[:, 0] - truth[:, 1], axis=-1)
    errors = np.linalg.norm(found - truth, axis=-1).mean(axis=-1)
    sideways = (distance < PROFILE * heights) & np.isfinite(errors)
    return np.where(sideways, np.inf, errors / np.where(sideways, 1, distance))


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What a detector found in many photos, flat: one entry per face, and one per detection where nobody is.

    Attributes:
        photos: how many there were.
        face_photo: ``(F,)`` which photo.
        face_height: ``(F,)`` px.
        face_score: ``(F,)`` score of the detection that found it; −1 where none did.
        face_error: ``(F,)`` of its landmarks, see :func:`landmark_errors`; NaN where unknown, inf from the side.
        alarm_photo: ``(A,)`` which photo.
        alarm_height: ``(A,)`` px.
        alarm_score: ``(A,)``.
    """

    photos: int
    face_photo: Ints
    face_height: Floats
    face_score: Floats
    face_error: Floats
    alarm_photo: Ints
    alarm_height: Floats
    alarm_score: Floats

    def select(self, low: float, high: float = np.inf, photos: NDArray[np.bool_] | None = None) -> Findings:
        """Faces and false alarms with low ≤ height < high; of the chosen photos, when a ``(photos,)`` mask is given.

        A detection of a face outside the range counts for nothing, as in COCO's evaluation by area.
        """
        chosen = np.ones(self.photos, dtype=np.bool_) if photos is None else photos
        faces = (self.face_height >= low) & (self.face_height < high) & chosen[self.face_photo]
        alarms = (self.alarm_height >= low) & (self.alarm_height < high) & chosen[self.alarm_photo]
        return Findings(
            self.photos,
            self.face_photo[faces],
            self.face_height[faces],
            self.face_score[faces],
            self.face_error[faces],
            self.alarm_photo[alarms],
            self.alarm_height[alarms],
            self.alarm_score[alarms],
        )

    def count(self, threshold: float) -> tuple[Ints, Ints, Ints]:
        """Of each photo ``(photos,)``: faces, faces found and false alarms, when scores from ``threshold`` on count."""
        found, false = self.face_score >= threshold, self.alarm_score >= threshold
        return (
            np.bincount(self.face_photo, minlength=self.photos),
            np.bincount(self.face_photo[found], minlength=self.photos),
            np.bincount(self.alarm_photo[false], minlength=self.photos),
        )

    def precision_recall(self) -> tuple[Floats, Floats, Floats]:
        """Precision and recall at every score that occurs.

        Returns:
            ``(K,)`` thresholds, falling; ``(K,)`` precision; ``(K,)`` recall. Empty when nothing was detected or there
            is no face.
        """
        found = self.face_score[self.face_score >= 0]
        if not len(self.face_score) or not len(found) + len(self.alarm_score):
            return np.empty(0), np.empty(0), np.empty(0)
        thresholds = np.unique(np.concatenate([found, self.alarm_score]))[::-1]
        hits = len(found) - np.searchsorted(np.sort(found), thresholds)
        alarms = len(self.alarm_score) - np.searchsorted(np.sort(self.alarm_score), thresholds)
        return thresholds, hits / (hits + alarms), hits / len(self.face_score)

    def average_precision(self) -> float | None:
        """Area under the precision–recall curve, precision made non-increasing (all points, PASCAL VOC 2010).

        It ends at the lowest score that the detector answered. None when there is no face.
        """
        if not len(self.face_score):
            return None
        _, precision, recall = self.precision_recall()
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        return float((np.diff(recall, prepend=0.0) * envelope).sum())

    def recall_at(self, precision: float) -> tuple[float, float] | None:
        """The most recall that some threshold gives at this precision or better, and that threshold; None if none."""
        thresholds, precisions, recalls = self.precision_recall()
        good = np.flatnonzero(precisions >= precision)
        return (float(recalls[good[-1]]), float(thresholds[good[-1]])) if len(good) else None


def ratio_interval(numerators: Ints, denominators: Ints, *, seed: int = 0) -> tuple[float, float]:
    """95 % percentile bootstrap interval of a ratio of sums, from resampling photos.

    Faces of one photo are found or missed together, so photos are drawn, not faces. Where every draw gives the same, as
    when all faces are found, that would leave no width: the interval is then Wilson's, of as many photos as have a
    denominator above 0.

    Args:
        numerators: ``(photos,)``, at most the denominators.
        denominators: ``(photos,)``, not all 0.
        seed: of the draws; the same interval every time.
    """
    n = len(denominators)
    rng = np.random.default_rng(seed)
    ratios = []
    chunk = max(1, 1_000_000 // n)  # indices in memory at a time
    for start in range(0, BOOTSTRAP_RESAMPLES, chunk):
        rows = rng.integers(0, n, (min(chunk, BOOTSTRAP_RESAMPLES - start), n), dtype=np.int32)
        top, bottom = numerators[rows].sum(axis=1), denominators[rows].sum(axis=1)
        ratios.append(top[bottom > 0] / bottom[bottom > 0])  # a draw without a face says nothing about the share found
    low, high = np.quantile(np.concatenate(ratios), [0.025, 0.975])
    if low == high:
        counted = int((denominators > 0).sum())
        return wilson_interval(float(low) * counted, counted)
    return float(low), float(high)
