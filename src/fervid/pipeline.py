"""The analyzer: detector and classifier joined, for one picture or many."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from fervid.classification.classifier import Classifier, Prediction
from fervid.classification.evidence import blend_evidence
from fervid.classification.preprocess import preprocess, stack_inputs
from fervid.classification.quality import measure_quality
from fervid.detection.detector import Detection, Detector
from fervid.detection.selection import create_detector
from fervid.emotions import Emotion, LabelCount, emotions_for, fold_disgust
from fervid.errors import FervidError, UsageError
from fervid.geometry import central_box, shrink_box
from fervid.imaging import MAX_PIXELS, ImageLike, load_image
from fervid.results import Analysis, Box, Distribution, Evidence, Face, Failure

DEFAULT_MIN_FACE = 20.0
"""Faces lower than this are not looked for, px."""


@dataclass(slots=True)
class _Looked:
    """A picture between detection and classification."""

    image: NDArray[np.uint8]
    detections: list[Detection]
    squares: list[Box]
    source: str | None
    timings_ms: dict[str, float] = field(default_factory=dict)


class Analyzer:
    """Finds every face and reads its expression. Load once, reuse, share between threads.

    Args:
        model: a bundled model's name, or the path of an ``.onnx`` file exported by ``fervid train``.
        detector: ``faces``, ``yunet``, ``haar``, ``auto`` (the first of the three that is here), the path of a
            detector's ``.onnx`` file, or an object with the methods of :class:`fervid.detection.detector.Detector`.
        labels: 7, or 6 to fold disgust into anger.
        threads: for the network within a run and for decoding in :meth:`map`; None means one per core.
        min_face: height of the smallest face box looked for, px of the upright picture. Large pictures take longer the
            smaller it is.
        max_pixels: the most width × height of a picture that is accepted.

    Raises:
        ModelError: the model or detector is unknown, damaged or not on this machine.
        UsageError: ``labels``, ``threads`` or ``min_face`` is out of range, or the model knows only six labels.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "base",
        detector: str | Detector = "auto",
        *,
        labels: LabelCount = 7,
        threads: int | None = None,
        min_face: float = DEFAULT_MIN_FACE,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        if threads is not None and threads < 1:
            raise UsageError(f"threads is {threads}", advice="Use 1 or more.")
        if not min_face > 0:
            raise UsageError(f"min_face is {min_face}", advice="Use a height in px above 0.")
        self.labels = emotions_for(labels)
        self.threads = threads
        self.min_face = min_face
        self.max_pixels = max_pixels
        self.classifier = Classifier(model, threads=threads)
        if len(self.labels) > len(self.classifier.spec.labels):
            raise UsageError(f"{self.classifier.identity} was trained on six labels", advice="Use labels=6.")
        self.detector = create_detector(detector, threads=threads) if isinstance(detector, str) else detector

    def analyze(self, source: ImageLike, *, boxes: Sequence[Box] | None = None, evidence: bool = False) -> Analysis:
        """Read one picture.

        Args:
            source: a path, encoded bytes, a Pillow image, or an array, see :func:`fervid.load_image`.
            boxes: squares around faces that you found yourself, cut as tightly as FER2013's (brows to chin); the
                detector is not asked then.
            evidence: every face also says where in it the answer comes from, for :func:`fervid.explain`; the network
                runs twice.

        Raises:
            InputError: the picture cannot be read.
            ContractError: ``evidence`` is asked of a model without such outputs.
        """
        looked = self._look(source, boxes)
        began = time.perf_counter()
        inputs = preprocess(looked.image, looked.squares, self.classifier.spec)
        prediction = self.classifier.predict_inputs(inputs)
        maps = self._map_evidence(inputs, prediction) if evidence else None
        looked.timings_ms["classify"] = (time.perf_counter() - began) * 1000
        return self._conclude(looked, prediction, maps)

    def classify(self, chips: Sequence[ImageLike]) -> tuple[Face, ...]:
        """Read faces that are already cut out, for people who bring their own detector.

        Args:
            chips: pictures that each show one face, square and as tight as FER2013's (brows to chin); any size.

        Returns:
            One face per chip, in their order; its box is the chip and its score 1.

        Raises:
            InputError: a chip cannot be read.
        """
        images = [load_image(chip, max_pixels=self.max_pixels) for chip in chips]
        prediction = self.classifier.predict(images)
        faces: list[Face] = []
        for i, image in enumerate(images):
            whole = central_box(image.shape[1], image.shape[0])
            faces.append(self._make_face(image, Detection(whole, 1.0), whole, prediction, i))
        return tuple(faces)

    def map(
        self, sources: Iterable[ImageLike], *, batch_size: int = 32, evidence: bool = False
    ) -> Iterator[Analysis | Failure]:
        """Read many pictures; faces of ``batch_size`` pictures go through the network together.

        Decoding and detection run in ``threads`` threads. At most ``batch_size`` decoded pictures are in memory.
        ``evidence`` as in :meth:`analyze`.

        Yields:
            One :class:`Analysis` per source, in their order; a :class:`Failure` for one that cannot be read.
        """
        if batch_size < 1:
            raise UsageError(f"batch_size is {batch_size}", advice="Use 1 or more.")
        remaining = iter(sources)
        with ThreadPoolExecutor(self.threads or os.cpu_count() or 1) as pool:
            while batch := list(islice(remaining, batch_size)):
                results = list(pool.map(self._look_or_fail, batch))
                looked = [result for result in results if isinstance(result, _Looked)]
                inputs = [preprocess(item.image, item.squares, self.classifier.spec) for item in looked]
                began = time.perf_counter()
                stacked = stack_inputs(inputs, self.classifier.spec)
                prediction = self.classifier.predict_inputs(stacked)
                maps = self._map_evidence(stacked, prediction) if evidence else None
                share = (time.perf_counter() - began) * 1000 / max(1, len(prediction))
                start = 0
                for result in results:
                    if isinstance(result, Failure):
                        yield result
                        continue
                    stop = start + len(result.squares)
                    result.timings_ms["classify"] = share * len(result.squares)
                    yield self._conclude(result, prediction[start:stop], None if maps is None else maps[start:stop])
                    start = stop

    def _look_or_fail(self, source: ImageLike) -> _Looked | Failure:
        try:
            return self._look(source, None)
        except FervidError as error:
            return Failure(_name_source(source) or type(source).__name__, error)

    def _look(self, source: ImageLike, boxes: Sequence[Box] | None) -> _Looked:
        began = time.perf_counter()
        image = load_image(source, max_pixels=self.max_pixels)
        loaded = time.perf_counter()
        if boxes is None:
            detections = self.detector.detect(image, min_face=self.min_face)
            detections.sort(key=lambda d: (d.box.x1, d.box.y1))
            squares = [self.detector.framing.apply(d.box) for d in detections]
        else:
            squares = list(boxes)
            detections = [Detection(box, 1.0) for box in squares]
        timings = {"load": (loaded - began) * 1000, "detect": (time.perf_counter() - loaded) * 1000}
        return _Looked(image, detections, squares, _name_source(source), timings)

    def _map_evidence(self, inputs: NDArray[np.float32], prediction: Prediction) -> NDArray[np.float64]:
        """``(N, labels, h, w)`` in the order of :attr:`labels`."""
        maps = self.classifier.map_evidence(inputs)
        return blend_evidence(maps, prediction, self.classifier.spec.blend, len(self.labels))

    def _conclude(self, looked: _Looked, prediction: Prediction, maps: NDArray[np.float64] | None = None) -> Analysis:
        faces = [
            self._make_face(looked.image, detection, square, prediction, i, maps)
            for i, (detection, square) in enumerate(zip(looked.detections, looked.squares, strict=True))
        ]
        height, width = looked.image.shape[:2]
        return Analysis(
            faces=tuple(faces),
            size=(width, height),
            model=self.classifier.identity,
            detector=self.detector.name,
            source=looked.source,
            timings_ms=looked.timings_ms,
        )

    def _make_face(
        self,
        image: NDArray[np.uint8],
        detection: Detection,
        square: Box,
        prediction: Prediction,
        index: int,
        maps: NDArray[np.float64] | None = None,
    ) -> Face:
        values = prediction.probabilities[index]
        if len(self.labels) < len(values):
            values = fold_disgust(values)
        probabilities = Distribution(self.labels, values)
        confidence = probabilities[probabilities.top]
        evidence = None
        if maps is not None:
            evidence = Evidence(self.labels, maps[index], shrink_box(square, self.classifier.spec.crop))
        certain = confidence >= self.classifier.spec.threshold
        return Face(
            box=detection.box,
            score=detection.score,
            emotion=Emotion(probabilities.top) if certain else None,
            confidence=confidence,
            probabilities=probabilities,
            votes=Distribution(self.classifier.spec.vote_labels, prediction.votes[index]),
            landmarks=detection.landmarks,
            quality=measure_quality(image, square, detection.landmarks),
            evidence=evidence,
        )


def analyze(
    source: ImageLike,
    *,
    model: str | os.PathLike[str] = "base",
    detector: str = "auto",
    labels: LabelCount = 7,
    min_face: float = DEFAULT_MIN_FACE,
    evidence: bool = False,
) -> Analysis:
    """Read one picture; the analyzer is kept for the next call with the same options. See :meth:`Analyzer.analyze`."""
    return _cached_analyzer(os.fspath(model), detector, labels, min_face).analyze(source, evidence=evidence)


@lru_cache(maxsize=4)
def _cached_analyzer(model: str, detector: str, labels: LabelCount, min_face: float) -> Analyzer:
    return Analyzer(model, detector, labels=labels, min_face=min_face)


def _name_source(source: ImageLike) -> str | None:
    return os.fspath(source) if isinstance(source, str | os.PathLike) else None
