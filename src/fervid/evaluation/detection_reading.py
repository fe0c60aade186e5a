"""What a detector that is asked for faces of some height finds in marked photos, matched with the marks one by one."""

from __future__ import annotations

import hashlib
import time
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.datasets.photos import Kind, LabelledPhoto
from fervid.detection.detector import Detection, Detector
from fervid.detection.network import NetworkDetector
from fervid.evaluation.detection_metrics import NOTHING, Findings, landmark_errors, match_detections
from fervid.geometry import boxes_to_array

KEPT: Final = 0.8
"""Share of the height that is asked for from which boxes are kept: a box may come out a little low, and who finds a
face of 12.5 px 11.9 px high has found it. YuNet's recall of 12–20 px is 5 points lower without."""


class Reading:
    """What is kept of each photo.

    Args:
        detector: that is asked.
        min_face: height of the smallest face that it is asked for, and that is measured, px.

    Attributes:
        min_face: the same.
        kinds: of the photos.
        times_ms: of the photos; finding alone.
        digest: of the photos and their marks.
    """

    def __init__(self, detector: Detector, min_face: float) -> None:
        self.min_face = min_face
        self.kinds: list[Kind] = []
        self.times_ms: list[float] = []
        self.digest = hashlib.sha256()
        self._detector = detector
        self._faces: list[NDArray[np.float64]] = []  # rows of photo, height, score, landmark error
        self._alarms: list[NDArray[np.float64]] = []  # rows of photo, height, score

    def add(self, photo: LabelledPhoto, image: NDArray[np.uint8]) -> None:
        """Look for faces in one photo, decoded, and match them."""
        start = time.perf_counter()
        detections = find_faces(self._detector, image, self.min_face)
        self.times_ms.append((time.perf_counter() - start) * 1000)
        number = len(self.kinds)
        self.kinds.append(photo.kind)
        for part in (photo.data, *(a.tobytes() for a in (photo.boxes, photo.landmarks, photo.ignore_boxes))):
            self.digest.update(hashlib.sha256(part).digest())
        boxes = np.clip(boxes_to_array([d.box for d in detections]), 0, np.array([*photo.size, *photo.size]))
        scores = np.array([d.score for d in detections], dtype=np.float64)
        outcome = match_detections(boxes, scores, photo.boxes, photo.ignore_boxes)
        heights = photo.boxes[:, 3] - photo.boxes[:, 1]
        faces = np.full((len(heights), 4), [number, 0, -1, np.nan])
        faces[:, 1] = heights
        hits = np.flatnonzero(outcome >= 0)
        faces[outcome[hits], 2] = scores[hits]
        marked = [i for i in hits.tolist() if detections[i].landmarks is not None]
        points = np.array([detections[i].landmarks for i in marked], dtype=np.float64).reshape(-1, 5, 2)
        targets = outcome[marked].astype(np.int64)
        faces[targets, 3] = landmark_errors(points, photo.landmarks[targets], heights[targets])
        self._faces.append(faces)
        tall = boxes[:, 3] - boxes[:, 1]
        false = (outcome == NOTHING) & (tall >= self.min_face)
        self._alarms.append(np.column_stack([np.full(false.sum(), number), tall[false], scores[false]]))

    def gather(self) -> Findings:
        """What was found in all photos, one at least."""
        faces, alarms = np.concatenate(self._faces), np.concatenate(self._alarms)
        return Findings(
            photos=len(self.kinds),
            face_photo=faces[:, 0].astype(np.int64),
            face_height=faces[:, 1],
            face_score=faces[:, 2],
            face_error=faces[:, 3],
            alarm_photo=alarms[:, 0].astype(np.int64),
            alarm_height=alarms[:, 1],
            alarm_score=alarms[:, 2],
        )


def find_faces(detector: Detector, image: NDArray[np.uint8], min_face: float) -> list[Detection]:
    """Faces of a picture, read as the product reads it for faces of ``min_face`` px; boxes from :data:`KEPT` of it on.

    A network enlarges a picture as far as the faces that it is asked for need, so asking it for lower ones would show
    it another picture. Other detectors only leave boxes out.
    """
    least = KEPT * min_face
    if isinstance(detector, NetworkDetector):
        height, width = image.shape[:2]
        return detector.read(image, detector.plan(width, height, min_face=min_face), least=least)
    return detector.detect(image, min_face=least)
