"""How good a detector is on photos with marked faces.

Photos are read one at a time, as the product reads them: asked for faces of 20 px, which it looks for unless told
otherwise, and once more for smaller ones, where those are measured. With a low score threshold of the detector's own
the same answers give the figures at the product's threshold and the whole precision–recall curve::

    threshold = create_detector(name).score_threshold
    detector = create_detector(name, threads=1, score_threshold=CURVE_FROM)
    evaluation = evaluate_detector(detector, iterate_photos(path, split="validation"), threshold=threshold)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fervid.datasets.photos import KINDS, Kind, LabelledPhoto
from fervid.detection.detector import Detector, identify
from fervid.errors import DatasetError, UsageError
from fervid.evaluation.detection_metrics import OVERLAP, Findings, ratio_interval
from fervid.evaluation.detection_reading import Reading
from fervid.evaluation.heads import Estimate
from fervid.pipeline import DEFAULT_MIN_FACE

SCHEMA: Final = "fervid-detection/1"
"""Name and version of the JSON that :meth:`DetectionEvaluation.to_dict` gives."""

SMALLEST: Final = 12.0
"""Height of the smallest face that is measured, px."""

EDGES: Final = (DEFAULT_MIN_FACE, 32.0, 64.0, 128.0)
"""Between the bands of height, px; the figures over all sizes begin at the first, which the product asks for."""

CURVE_FROM: Final = 0.05
"""Score threshold to give a detector whose curve is wanted."""

CURVE_STEP: Final = 0.01

PRECISION: Final = 0.97
"""Precision at which recalls of detectors are compared, whatever their own thresholds are."""


@dataclass(frozen=True, slots=True)
class LandmarkFigures:
    """How far the five points are off, as a share of the distance between the eyes, over the faces found.

    Attributes:
        n: faces with points on both sides.
        median: half of them are better.
        p90: nine in ten are better.
        profiles: found faces that are left out, since they are seen from the side.
    """

    n: int
    median: float
    p90: float
    profiles: int

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, as JSON carries it."""
        return {"n": self.n, "median": _round(self.median), "p90": _round(self.p90), "profiles": self.profiles}


@dataclass(frozen=True, slots=True)
class SizeFigures:
    """Faces of a range of heights, at the threshold.

    Attributes:
        low: least height, px.
        high: heights are less than this, px; None for no limit.
        recall: share of the faces that are found, n faces; None when there is no face.
        precision: share of the detections that are a face, n detections; None when there is no detection.
        average_precision: area under the precision–recall curve; None when there is no face.
        landmarks: None when the detector gives no points or the photos hold none.
    """

    low: float
    high: float | None
    recall: Estimate | None
    precision: Estimate | None
    average_precision: float | None
    landmarks: LandmarkFigures | None

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, as JSON carries it."""
        return {
            "low": self.low,
            "high": self.high,
            "recall": _to_dict(self.recall),
            "precision": _to_dict(self.precision),
            "average_precision": _round(self.average_precision),
            "landmarks": None if self.landmarks is None else self.landmarks.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Precision and recall when scores from ``threshold`` on count; precision is None when nothing does."""

    threshold: float
    recall: float
    precision: float | None


@dataclass(frozen=True, slots=True)
class BackgroundFigures:
    """Photos that show nobody, at the threshold.

    Attributes:
        clean: share of the photos without any detection, n photos.
        alarms: detections per photo, n photos.
    """

    clean: Estimate
    alarms: Estimate


@dataclass(frozen=True, slots=True)
class DetectionEvaluation:
    """A detector measured on photos.

    Attributes:
        detector: its name.
        identity: ``name@sha256[:12]`` of a network's file; the name alone where there is none.
        threshold: score from which a detection counts.
        floor: the detector's own threshold: where the curve ends.
        min_face: height of the smallest face that is measured, px.
        data: digest of the photos and their boxes, 12 hex digits.
        photos: how many, by kind.
        skipped: photos that could not be decoded.
        overall: faces of 20 px and more (``min_face`` and more, where that is larger), all kinds of photos. The
            detector was asked for those; all figures but a smaller band's are of that reading.
        kinds: the same by kind of photo, where there are faces.
        bands: by height, from ``min_face`` on. For one below ``overall`` the detector was asked for ``min_face``.
        curve: of ``overall``, thresholds rising.
        strict: the most recall of ``overall`` at a precision of 0.97, and the threshold that gives it; None if none.
        background: detections of ``overall``'s heights; None when there is no such photo.
        latency_ms: median time of one photo. Informative: it depends on the machine, is no part of equality, and holds
            what hits between ``floor`` and ``threshold`` cost.
    """

    detector: str
    identity: str
    threshold: float
    floor: float
    min_face: float
    data: str
    photos: dict[Kind, int]
    skipped: int
    overall: SizeFigures
    kinds: dict[Kind, SizeFigures]
    bands: tuple[SizeFigures, ...]
    curve: tuple[CurvePoint, ...]
    strict: tuple[float, float] | None
    background: BackgroundFigures | None
    latency_ms: float = field(compare=False)

    def to_dict(self) -> dict[str, Any]:
        """``{"schema": "fervid-detection/1", …}``: shares as 0–1, six decimals; times under ``informative``."""
        strict, background = self.strict, self.background
        return {
            "schema": SCHEMA,
            "detector": self.detector,
            "identity": self.identity,
            "threshold": _round(self.threshold),
            "floor": _round(self.floor),
            "min_face": self.min_face,
            "overlap": OVERLAP,
            "data": self.data,
            "photos": dict(self.photos),
            "skipped": self.skipped,
            "overall": self.overall.to_dict(),
            "kinds": {kind: figures.to_dict() for kind, figures in self.kinds.items()},
            "bands": [figures.to_dict() for figures in self.bands],
            "recall_at_precision": strict
            and {"precision": PRECISION, "recall": _round(strict[0]), "threshold": _round(strict[1])},
            "background": background
            and {"clean": background.clean.to_dict(), "alarms_per_photo": background.alarms.to_dict()},
            "curve": [[p.threshold, _round(p.recall), _round(p.precision)] for p in self.curve],
            "informative": {"latency_ms_p50": round(self.latency_ms, 3)},
        }


def evaluate_detector(
    detector: Detector,
    photos: Iterable[LabelledPhoto],
    *,
    threshold: float | None = None,
    min_face: float = SMALLEST,
    on_progress: Callable[[int, int | None], None] | None = None,
    on_bad: Callable[[DatasetError], None] | None = None,
) -> DetectionEvaluation:
    """Look for faces in every photo and compare with the marked ones at an IoU of 0.5; one photo in memory at a time.

    The detector is asked for faces of 20 px, and once more where ``min_face`` is less. Detections are cut off at the
    picture's border, as marked boxes are. What overlaps a doubtful box counts for nothing, nor does what is smaller
    than was asked for.

    Args:
        detector: its own threshold is where the curve ends.
        photos: with marked faces.
        threshold: score from which a detection counts in the figures; None means the detector's own.
        min_face: height of the smallest face that is measured, px.
        on_progress: called with (photos done, photos in all, None when unknown).
        on_bad: called with the error of each photo that cannot be decoded, which is then left out; None raises it.

    Raises:
        DatasetError: there is no photo, or one cannot be decoded.
        UsageError: ``threshold`` is below the detector's own, or ``min_face`` is not above 0.
    """
    floor = detector.score_threshold
    if threshold is None:
        threshold = floor
    if not floor <= threshold <= 1:
        message = f"a threshold of {threshold:g} with a detector that answers from {floor:g} on"
        raise UsageError(message, advice="Create the detector with a lower score_threshold.")
    if not 0 < min_face < math.inf:
        raise UsageError(f"a smallest face of {min_face:g} px", advice="Give more than 0.")
    readings = [Reading(detector, height) for height in sorted({max(EDGES[0], min_face), min_face}, reverse=True)]
    skipped = 0
    total = len(photos) if isinstance(photos, Sized) else None
    for done, photo in enumerate(photos, start=1):
        try:
            image = photo.decode()
        except DatasetError as error:
            if on_bad is None:
                raise
            on_bad(error)
            skipped += 1
        else:
            for reading in readings:
                reading.add(photo, image)
        if on_progress is not None:
            on_progress(done, total)
    if not readings[0].kinds:
        raise DatasetError("there is no photo to measure on", advice="Choose another split, kind or file.")
    return _summarise(detector, threshold, readings, skipped)


def _summarise(detector: Detector, threshold: float, readings: Sequence[Reading], skipped: int) -> DetectionEvaluation:
    """The figures of one reading or two, the one for larger faces first."""
    first, floor = readings[0], detector.score_threshold
    found = {reading.min_face: reading.gather() for reading in readings}
    low, min_face = first.min_face, readings[-1].min_face
    overall = found[low].select(low)
    edges = (min_face, *(edge for edge in EDGES if edge > min_face), math.inf)
    in_kind = {kind: np.array([k == kind for k in first.kinds]) for kind in KINDS}
    return DetectionEvaluation(
        detector=detector.name,
        identity=identify(detector),
        threshold=threshold,
        floor=floor,
        min_face=min_face,
        data=first.digest.hexdigest()[:12],
        photos={kind: first.kinds.count(kind) for kind in KINDS},
        skipped=skipped,
        overall=_measure(overall, low, None, threshold),
        kinds={
            kind: _measure(part, low, None, threshold)
            for kind, members in in_kind.items()
            if len((part := overall.select(low, photos=members)).face_photo)
        },
        bands=tuple(
            _measure(found[min(begin, low)].select(begin, end), begin, end if end < math.inf else None, threshold)
            for begin, end in itertools.pairwise(edges)
        ),
        curve=_trace(overall, floor),
        strict=overall.recall_at(PRECISION),
        background=_measure_background(overall.count(threshold)[2][in_kind["background"]]),
        latency_ms=float(np.median(first.times_ms)),
    )


def _measure(findings: Findings, low: float, high: float | None, threshold: float) -> SizeFigures:
    faces, found, alarms = findings.count(threshold)
    return SizeFigures(
        low=low,
        high=high,
        recall=_estimate_ratio(found, faces),
        precision=_estimate_ratio(found, found + alarms),
        average_precision=findings.average_precision(),
        landmarks=_measure_landmarks(findings.face_error[findings.face_score >= threshold]),
    )


def _estimate_ratio(top: NDArray[np.int64], bottom: NDArray[np.int64]) -> Estimate | None:
    n = int(bottom.sum())
    return Estimate(float(top.sum() / n), *ratio_interval(top, bottom), n) if n else None


def _trace(findings: Findings, floor: float) -> tuple[CurvePoint, ...]:
    """Precision and recall at every hundredth from the detector's own threshold on; empty without a face."""
    points = []
    faces = len(findings.face_score)
    for step in range(math.ceil(round(floor / CURVE_STEP, 6)), round(1 / CURVE_STEP) + 1):
        threshold = round(step * CURVE_STEP, 6)
        hits, alarms = ((scores >= threshold).sum() for scores in (findings.face_score, findings.alarm_score))
        if faces:
            precision = float(hits / (hits + alarms)) if hits + alarms else None
            points.append(CurvePoint(threshold, float(hits / faces), precision))
    return tuple(points)


def _measure_landmarks(errors: NDArray[np.float64]) -> LandmarkFigures | None:
    known = errors[np.isfinite(errors)]
    if not len(known):
        return None
    median, p90 = np.quantile(known, [0.5, 0.9])
    return LandmarkFigures(len(known), float(median), float(p90), int(np.isposinf(errors).sum()))


def _measure_background(alarms: NDArray[np.int64]) -> BackgroundFigures | None:
    if not len(alarms):
        return None
    return BackgroundFigures(clean=Estimate.of_mean(alarms == 0), alarms=Estimate.of_mean(alarms.astype(np.float64)))


def _to_dict(estimate: Estimate | None) -> dict[str, Any] | None:
    return None if estimate is None else estimate.to_dict()


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
