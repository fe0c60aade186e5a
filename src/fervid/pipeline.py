"""The analyzer: detector and classifier joined, for one picture or many."""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fervid.arrays import iterate_pictures
from fervid.classification.classifier import Classifier, Prediction
from fervid.detection.alignment import align
from fervid.detection.detector import Detection, Detector, rank_from_left
from fervid.detection.selection import create_detector
from fervid.emotions import Emotion, LabelCount, emotions_for
from fervid.errors import FervidError, UsageError
from fervid.geometry import BoxLike, Square, make_square, read_boxes
from fervid.imaging import MAX_PIXELS, ImageLike, hold_pictures, load_image
from fervid.models.spec import ModelSpec
from fervid.models.store import is_path
from fervid.reading import FaceReader, PreparedFace
from fervid.results import Analysis, Face, Failure, Frame
from fervid.streaming.film import FilmStream
from fervid.streaming.stream import DETECT_S, LIVE_DETECT_S, UNSURE, FrameStream, StreamSettings, TimedImage
from fervid.tracking.smoothing import SMOOTH_S

DEFAULT_MIN_FACE = 20.0
"""Faces lower than this are not looked for, px."""


@dataclass(slots=True)
class _Looked:
    """A picture between detection and classification."""

    size: tuple[int, int]
    prepared: list[PreparedFace]
    detector: str
    source: str | None
    timings_ms: dict[str, float] = field(default_factory=dict)


class Analyzer:
    """Finds every face and reads its expression. Load once, reuse, share between threads.

    Args:
        model: a bundled model's name, or the path of an ``.onnx`` file exported by ``fervid train``.
        detector: ``faces``, ``yunet``, ``haar``, ``auto`` (the first of the three that is here), the path of a
            detector's ``.onnx`` file, or an object with the methods of :class:`fervid.detection.detector.Detector`.
        labels: 7, or 6 to fold disgust into anger; None is as many as the model knows.
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
        detector: str | os.PathLike[str] | Detector = "auto",
        *,
        labels: LabelCount | None = 7,
        threads: int | None = None,
        min_face: float = DEFAULT_MIN_FACE,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        if threads is not None and threads < 1:
            raise UsageError(f"threads is {threads}", advice="Use 1 or more.")
        check_min_face(min_face)
        self.threads = threads
        self.min_face = min_face
        self.max_pixels = max_pixels
        self.classifier = Classifier(model, threads=threads)
        spec = self.classifier.spec
        self.labels = check_labels(len(spec.labels) if labels is None else labels, spec, self.classifier.identity)
        self._reader = FaceReader(self.classifier, self.labels)
        name: str | None = None
        if isinstance(detector, str | os.PathLike):
            name = os.fspath(detector)
            self.detector = create_detector(name, threads=threads)
        else:
            self.detector = detector
        # Made when it is first needed, and shared with whatever is derived.
        self._find_stream_detector = cache(partial(_create_stream_detector, self.detector, name, threads))

    def derive(
        self, *, labels: LabelCount | None = None, min_face: float | None = None, max_pixels: int | None = None
    ) -> Analyzer:
        """An analyzer with other options that shares this one's networks, and so costs nothing.

        What is not given stays as it is; see the class for what is.

        Raises:
            UsageError: an option is out of range, or the model knows only six labels.
        """
        derived = copy.copy(self)
        if min_face is not None:
            check_min_face(min_face)
            derived.min_face = min_face
        if max_pixels is not None:
            derived.max_pixels = max_pixels
        if labels is not None:
            derived.labels = check_labels(labels, self.classifier.spec, self.classifier.identity)
            derived._reader = FaceReader(self.classifier, derived.labels)
        return derived

    def analyze(self, source: ImageLike, *, boxes: Iterable[BoxLike] | None = None, evidence: bool = False) -> Analysis:
        """Read one picture.

        Args:
            source: a path, encoded bytes, a Pillow image, or an array, see :func:`fervid.load_image`.
            boxes: squares around faces that you found yourself, framed as in :meth:`classify`: each a
                :class:`fervid.Box`, or its x1, y1, x2, y2 in px, or an array ``(N, 4)`` of them; of another rectangle
                the square of its middle and area is read. No detector is asked then, its name in the answer is
                ``given``, and the faces have these boxes, in this order.
            evidence: every face also says where in it the answer comes from, for :func:`fervid.explain`; the network
                runs twice.

        Raises:
            InputError: the picture cannot be read; a box is empty, outside it or far larger.
            UsageError: a box is none.
            ContractError: ``evidence`` is asked of a model without such outputs.
        """
        looked = self._look(source, boxes)
        began = time.perf_counter()
        prediction = self._reader.predict(looked.prepared)
        maps = self._reader.map_evidence(looked.prepared, prediction) if evidence else None
        looked.timings_ms["classify"] = (time.perf_counter() - began) * 1000
        return self._conclude(looked, prediction, maps)

    def classify(self, chips: Sequence[ImageLike]) -> tuple[Face, ...]:
        """Read faces that are already cut out, for people who bring their own detector.

        Args:
            chips: pictures of any size that each show one face in FER2013's square: from the middle of the forehead to
                the chin, the eyes at 38 % of its height and 36 % of its side apart, the mouth at 76 %. Of one that is
                not square, the central square is read.

        Returns:
            One face per chip, in their order; its box is the chip and its score 1.

        Raises:
            InputError: a chip cannot be read.
            UsageError: ``chips`` is a single picture.
        """
        pictures = (load_image(chip, max_pixels=self.max_pixels) for chip in iterate_pictures(chips, "classify"))
        prepared = [self._reader.prepare_chip(picture) for picture in pictures]
        return self._make_faces(prepared, self._reader.predict(prepared))

    def map(
        self, sources: Iterable[ImageLike], *, batch_size: int = 32, evidence: bool = False
    ) -> Iterator[Analysis | Failure]:
        """Read many pictures; faces of ``batch_size`` pictures go through the network together.

        Decoding and detection run in ``threads`` threads. At most ``batch_size`` decoded pictures are in memory. Only
        paths and bytes wait for a thread: any other object may hold the next picture by then. ``evidence`` as in
        :meth:`analyze`. What ``sources`` raises comes after the answers to what it gave.

        Yields:
            One :class:`Analysis` per source, in their order; a :class:`Failure` for one that cannot be read.

        Raises:
            UsageError: ``batch_size`` is out of range, or ``sources`` is a single picture.
        """
        if batch_size < 1:
            raise UsageError(f"batch_size is {batch_size}", advice="Use 1 or more.")
        remaining, raised = iterate_pictures(sources, "map"), list[Exception]()
        with ThreadPoolExecutor(self.threads or os.cpu_count() or 1) as pool:
            while not raised:
                batch = hold_pictures(islice(remaining, batch_size), raised, self.max_pixels)
                if not (results := list(pool.map(self._look_or_fail, batch))):
                    break
                prepared = [face for result in results if isinstance(result, _Looked) for face in result.prepared]
                began = time.perf_counter()
                prediction = self._reader.predict(prepared)
                maps = self._reader.map_evidence(prepared, prediction) if evidence else None
                share = (time.perf_counter() - began) * 1000 / max(1, len(prepared))
                start = 0
                for result in results:
                    if isinstance(result, Failure):
                        yield result
                        continue
                    stop = start + len(result.prepared)
                    result.timings_ms["classify"] = share * len(result.prepared)
                    yield self._conclude(result, prediction[start:stop], None if maps is None else maps[start:stop])
                    start = stop
        if raised:
            raise raised[0]

    def video(
        self,
        source: str | os.PathLike[str],
        *,
        start_s: float = 0.0,
        end_s: float | None = None,
        every_s: float | None = None,
        smooth_s: float = SMOOTH_S,
        detect_s: float = DETECT_S,
        name: str | None = None,
    ) -> FilmStream:
        """Read a film: iterate over the answer for one :class:`fervid.Frame` after another, and stop where you like.

        A face carries the number of its track, the same for the same person until a cut or two seconds of absence; one
        that was seen too shortly has None. Needs the extra ``video``.

        Args:
            source: path of the film.
            start_s: frames before this are left out, s.
            end_s: frames at or after this are left out, s.
            every_s: one frame for each interval of so many seconds; None means every frame.
            smooth_s: memory of the smoothed answers, s; 0 leaves each frame its own.
            detect_s: the detector looks at least this often, s; in between faces are followed. 0 is every frame.
            name: what results call the film; None is its path.

        Raises:
            MissingExtraError: PyAV is not installed.
            InputError: the film cannot be opened, is none, or has no video.
            UsageError: an argument is out of range.
        """
        return FilmStream(
            source,
            self._reader,
            *self._prepare_stream(smooth_s, detect_s),
            start_s=start_s,
            end_s=end_s,
            every_s=every_s,
            threads=self.threads,
            max_pixels=self.max_pixels,
            name=name,
        )

    def stream(
        self,
        frames: Iterable[TimedImage],
        *,
        live: bool = True,
        smooth_s: float = SMOOTH_S,
        detect_s: float = LIVE_DETECT_S,
    ) -> Iterator[Frame]:
        """Read frames from anywhere: a camera, a screen, a film that you decode yourself.

        Args:
            frames: objects with ``image`` ``(H, W, 3)`` uint8 RGB, ``index`` and ``time_s``, such as
                :class:`fervid.VideoFrame`; each later than the one before.
            live: answer each frame before the next one is asked for. Otherwise frames wait until 16 faces or frames are
                together and it is decided who is on them: people have their numbers from their first frame on.
            smooth_s: see :meth:`video`.
            detect_s: see :meth:`video`.

        Yields:
            One :class:`fervid.Frame` per frame, in their order.
        """
        detector, settings = self._prepare_stream(smooth_s, detect_s, live=live)
        for frame, _ in FrameStream(self._reader, detector, settings).read(frames):
            yield frame

    def _prepare_stream(
        self, smooth_s: float, detect_s: float, *, live: bool = False
    ) -> tuple[Detector, StreamSettings]:
        """A detector that also says what it is unsure of, and the settings."""
        return self._find_stream_detector(), StreamSettings(
            min_face=self.min_face,
            smooth_s=smooth_s,
            detect_s=detect_s,
            sure_score=self.detector.score_threshold,
            live=live,
        )

    def _look_or_fail(self, source: ImageLike | Failure) -> _Looked | Failure:
        if isinstance(source, Failure):
            return source
        try:
            return self._look(source, None)
        except FervidError as error:
            return Failure(_name_source(source) or type(source).__name__, error)

    def _look(self, source: ImageLike, boxes: Iterable[BoxLike] | None) -> _Looked:
        began = time.perf_counter()
        image = load_image(source, max_pixels=self.max_pixels)
        loaded = time.perf_counter()
        if boxes is None:
            found = self.detector.detect(image, min_face=self.min_face)
            detections = sorted(found, key=rank_from_left)
            squares = [align(d, self.detector.framing) for d in detections]
        else:
            detections = [Detection(box, 1.0) for box in read_boxes(boxes, image.shape[1], image.shape[0])]
            squares = [Square(make_square(detection.box)) for detection in detections]
        detected = time.perf_counter()
        prepared = [self._reader.prepare(image, *pair) for pair in zip(detections, squares, strict=True)]
        times = (began, loaded, detected, time.perf_counter())
        timings = {name: (times[i + 1] - times[i]) * 1000 for i, name in enumerate(("load", "detect", "prepare"))}
        detector, size = "given" if boxes is not None else self.detector.name, (image.shape[1], image.shape[0])
        return _Looked(size, prepared, detector, _name_source(source), timings)

    def _conclude(self, looked: _Looked, prediction: Prediction, maps: NDArray[np.float64] | None = None) -> Analysis:
        return Analysis(
            faces=self._make_faces(looked.prepared, prediction, maps),
            size=looked.size,
            model=self.classifier.identity,
            detector=looked.detector,
            source=looked.source,
            timings_ms=looked.timings_ms,
        )

    def _make_faces(
        self, prepared: Sequence[PreparedFace], prediction: Prediction, maps: NDArray[np.float64] | None = None
    ) -> tuple[Face, ...]:
        return tuple(
            self._reader.make_face(
                face.detection,
                face.quality,
                prediction.probabilities[i],
                prediction.votes[i],
                evidence=None if maps is None else self._reader.place_evidence(maps[i], face.square),
            )
            for i, face in enumerate(prepared)
        )


def analyze(
    source: ImageLike,
    *,
    model: str | os.PathLike[str] = "base",
    detector: str | os.PathLike[str] = "auto",
    labels: LabelCount = 7,
    min_face: float = DEFAULT_MIN_FACE,
    evidence: bool = False,
) -> Analysis:
    """Read one picture; the analyzer is kept for the next call with the same options. See :meth:`Analyzer.analyze`.

    A model or a detector whose file has changed since is loaded anew.
    """
    names = os.fspath(model), os.fspath(detector)
    analyzer = _cached_analyzer(*names, labels, min_face, tuple(_stamp_file(name) for name in names))
    return analyzer.analyze(source, evidence=evidence)


def check_labels(labels: int, spec: ModelSpec, identity: str) -> tuple[Emotion, ...]:
    """The emotions of so many labels, 7 or 6, when the network of that spec and identity can tell them apart.

    Raises:
        UsageError: there is no system of so many, or the network knows only six.
    """
    emotions = emotions_for(labels)
    if len(emotions) > len(spec.labels):
        raise UsageError(f"{identity} was trained on six labels", advice="Use --labels 6, or labels=6 in Python.")
    return emotions


@lru_cache(maxsize=4)
def _cached_analyzer(
    model: str, detector: str, labels: LabelCount, min_face: float, _stamps: tuple[tuple[int, int] | None, ...]
) -> Analyzer:
    return Analyzer(model, detector, labels=labels, min_face=min_face)


def _stamp_file(model: str) -> tuple[int, int] | None:
    """What changes when the file is written anew; None for a name, and where no file is, which loading will say."""
    if not is_path(model):
        return None
    try:
        found = Path(model).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def check_min_face(min_face: float) -> None:
    """Refuse a height of the smallest face that is none.

    Raises:
        UsageError: it is not above 0 px, or not finite.
    """
    if not 0 < min_face < math.inf:
        raise UsageError(f"min_face is {min_face}", advice="Use a height in px above 0 that is finite.")


def _create_stream_detector(detector: Detector, name: str | None, threads: int | None) -> Detector:
    """The detector of that name, saying also what it is unsure of; one of the user's own stays as it is."""
    if name is None:
        return detector
    return create_detector(name, threads=threads, score_threshold=detector.score_threshold * UNSURE)


def _name_source(source: ImageLike) -> str | None:
    return os.fspath(source) if isinstance(source, str | os.PathLike) else None
