"""From faces that were found to faces that are read: what photos, films and cameras share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fervid.classification.classifier import Classifier, Prediction
from fervid.classification.evidence import blend_evidence
from fervid.classification.preprocess import preprocess, stack_inputs
from fervid.classification.quality import measure_quality
from fervid.detection.detector import Detection
from fervid.emotions import Emotion, fold_disgust
from fervid.geometry import Square, central_box, central_square
from fervid.results import Distribution, Evidence, Face, Quality


@dataclass(frozen=True, slots=True, eq=False)
class PreparedFace:
    """A face that was found, cut out; the picture is not needed any more.

    Attributes:
        detection: what the detector said.
        square: the face in FER2013's framing, turned as it is tilted.
        quality: how readable it is.
        inputs: ``(1, 1, S, S)`` float32, what the network will see.
    """

    detection: Detection
    square: Square
    quality: Quality
    inputs: NDArray[np.float32]


class FaceReader:
    """Reads prepared faces with one network.

    Args:
        classifier: the network.
        labels: of the answers; six of them fold disgust into anger.
    """

    def __init__(self, classifier: Classifier, labels: tuple[Emotion, ...]) -> None:
        self.classifier = classifier
        self.labels = labels

    def prepare(self, image: NDArray[np.uint8], detection: Detection, square: Square) -> PreparedFace:
        """Cut a face out of a ``(H, W, 3)`` RGB uint8 picture."""
        quality = measure_quality(image, square, detection.landmarks)
        return PreparedFace(detection, square, quality, preprocess(image, [square], self.classifier.spec))

    def prepare_chip(self, image: NDArray[np.uint8]) -> PreparedFace:
        """Cut the central square out of a ``(H, W, 3)`` RGB uint8 picture that shows one face and nothing else."""
        size = image.shape[1], image.shape[0]
        return self.prepare(image, Detection(central_box(*size), 1.0), Square(central_square(*size)))

    def predict(self, prepared: Sequence[PreparedFace]) -> Prediction:
        """The network's answers, all faces in as few runs as it takes."""
        return self.classifier.predict_inputs(self.stack(prepared))

    def map_evidence(self, prepared: Sequence[PreparedFace], prediction: Prediction) -> NDArray[np.float64]:
        """``(N, labels, h, w)`` in the order of :attr:`labels`; see :meth:`.Classifier.map_evidence`."""
        maps = self.classifier.map_evidence(self.stack(prepared))
        return blend_evidence(maps, prediction, self.classifier.spec.blend, len(self.labels))

    def stack(self, prepared: Sequence[PreparedFace]) -> NDArray[np.float32]:
        """The inputs of several faces as one batch ``(N, 1, S, S)``; N may be 0."""
        return stack_inputs([face.inputs for face in prepared], self.classifier.spec)

    def place_evidence(self, maps: NDArray[np.float64], square: Square) -> Evidence:
        """Evidence ``(labels, h, w)`` on the part of a face's square that the network saw."""
        shown = square.shrink(self.classifier.spec.crop)
        return Evidence(self.labels, maps, shown.box, shown.angle_deg)

    def make_face(
        self,
        detection: Detection,
        quality: Quality,
        probabilities: NDArray[np.float64],
        votes: NDArray[np.float64],
        *,
        evidence: Evidence | None = None,
        track_id: int | None = None,
    ) -> Face:
        """One face of the results.

        Args:
            detection: what the detector said.
            quality: how readable it is.
            probabilities: ``(labels,)``, the network's answer.
            votes: ``(8,)``.
            evidence: see :meth:`place_evidence`.
            track_id: its number in a film.
        """
        spec = self.classifier.spec
        folded = fold_disgust(probabilities) if len(self.labels) < len(probabilities) else probabilities
        distribution = Distribution(self.labels, folded)
        confidence = distribution[distribution.top]
        return Face(
            box=detection.box,
            score=float(detection.score),  # a detector of one's own may give NumPy's, which is no JSON
            emotion=Emotion(distribution.top) if confidence >= spec.threshold else None,
            confidence=confidence,
            probabilities=distribution,
            votes=Distribution(spec.vote_labels, votes),
            landmarks=detection.landmarks,
            quality=quality,
            track_id=track_id,
            evidence=evidence,
        )
