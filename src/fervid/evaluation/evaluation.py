"""How good a classifier is on one split of a labelled face set: every figure fervid quotes comes from here.

The label is FER2013's; *official* counts every face of the split, *de-duplicated* leaves out the faces whose exact
pixels also stand in Training, *strict* those with a near-twin as well. FER+ majority is the second truth: the emotion
that most of ten people chose.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from fervid.datasets.duplicates import find_twins
from fervid.datasets.faceset import SPLITS, TRAINING, VOTE_COLUMNS, FaceSet
from fervid.emotions import EMOTIONS, Emotion, emotions_for, fold_disgust, fold_label_indices
from fervid.errors import UsageError
from fervid.evaluation.metrics import (
    ClassScores,
    ReliabilityBin,
    average_scores,
    bootstrap_interval,
    class_scores,
    confusion_matrix,
    expected_calibration_error,
    macro_f1,
    macro_f1_interval,
    reliability_bins,
    risk_coverage,
    row_losses,
)

if TYPE_CHECKING:
    from fervid.classification.classifier import Classifier

SCHEMA: Final = "fervid-evaluation/1"
"""Name and version of the JSON that :meth:`Evaluation.to_dict` gives."""

CURVE_POINTS: Final = 100
CHUNK: Final = 256
"""Faces between two reports of progress."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % bootstrap interval and the number of faces it rests on."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of_mean(cls, rows: NDArray[np.floating] | NDArray[np.bool_]) -> Self:
        """The mean of ``(N,)`` rows, of which there is at least one."""
        return cls(float(rows.mean()), *bootstrap_interval(rows), len(rows))

    def to_dict(self) -> dict[str, Any]:
        """Plain dict with six decimals, as JSON carries it."""
        return {"value": round(self.value, 6), "low": round(self.low, 6), "high": round(self.high, 6), "n": self.n}


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One point of the risk–coverage curve.

    Attributes:
        coverage: share of the faces that are answered.
        risk: share of the answers that are wrong.
        confidence: the lowest confidence that is answered.
    """

    coverage: float
    risk: float
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """A classifier measured on one split.

    Attributes:
        model: the network, ``name@sha256[:12]``.
        split: of FER2013.
        data: digest of the split's pixels and labels, 12 hex digits.
        labels: the emotions, in the order of ``classes`` and ``confusion``.
        accuracy: official, over every face of the split.
        accuracy_deduplicated: over the faces without an exact twin in Training; None when that is unknown.
        accuracy_strict: over the faces without an exact or a near-twin in Training; None when that is unknown.
        macro_f1: mean F1 over the classes.
        nll: mean negative log-likelihood, nats.
        ece: expected calibration error, 15 bins.
        threshold: confidence below which the model says "uncertain".
        uncertain: share of the faces below it.
        accuracy_certain: over the faces at or above it; None when there are none.
        majority_accuracy: of the emotion head against the FER+ majority; None without votes.
        majority_accuracy_votes: of the votes head, restricted to the emotions, against the same.
        classes: precision, recall, F1 and support, one per label.
        macro_average: their mean over the classes that occur.
        weighted_average: their mean weighted by support.
        confusion: ``(L, L)`` int64 counts, row = truth, column = answer, read-only.
        reliability: accuracy by confidence, 15 bins.
        curve: risk by coverage, at most 100 points.
        aurc: area under the whole risk–coverage curve, the mean risk.
        notes: what could not be said, and why.
    """

    model: str
    split: str
    data: str
    labels: tuple[Emotion, ...]
    accuracy: Estimate
    accuracy_deduplicated: Estimate | None
    accuracy_strict: Estimate | None
    macro_f1: Estimate
    nll: Estimate
    ece: float
    threshold: float
    uncertain: Estimate
    accuracy_certain: Estimate | None
    majority_accuracy: Estimate | None
    majority_accuracy_votes: Estimate | None
    classes: tuple[ClassScores, ...]
    macro_average: ClassScores
    weighted_average: ClassScores
    confusion: NDArray[np.int64]
    reliability: tuple[ReliabilityBin, ...]
    curve: tuple[CurvePoint, ...]
    aurc: float
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """``{"schema": "fervid-evaluation/1", …}``: shares as 0–1, six decimals, nothing that a second run changes."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "split": self.split,
            "data": self.data,
            "labels": [str(label) for label in self.labels],
            "n": self.accuracy.n,
            "accuracy": {
                "official": self.accuracy.to_dict(),
                "deduplicated": _to_dict(self.accuracy_deduplicated),
                "strict": _to_dict(self.accuracy_strict),
                "certain": _to_dict(self.accuracy_certain),
            },
            "fer_plus_majority": {
                "emotion_head": _to_dict(self.majority_accuracy),
                "votes_head": _to_dict(self.majority_accuracy_votes),
            },
            "macro_f1": self.macro_f1.to_dict(),
            "nll": self.nll.to_dict(),
            "ece": round(self.ece, 6),
            "aurc": round(self.aurc, 6),
            "threshold": round(self.threshold, 6),
            "uncertain": self.uncertain.to_dict(),
            "classification_report": {
                **{str(e): _rounded(scores) for e, scores in zip(self.labels, self.classes, strict=True)},
                "macro average": _rounded(self.macro_average),
                "weighted average": _rounded(self.weighted_average),
            },
            "confusion_matrix": self.confusion.tolist(),
            "reliability": [_rounded(part) for part in self.reliability],
            "risk_coverage": [_rounded(point) for point in self.curve],
            "notes": list(self.notes),
        }


def check_request(classifier: Classifier, split: str, labels: int) -> tuple[Emotion, ...]:
    """The emotions that an evaluation would be in; costs nothing, so ask before reading the data.

    Raises:
        UsageError: no such split, no such number of labels, or the model cannot tell so many apart.
    """
    if split not in SPLITS:
        raise UsageError(f"unknown split {split!r}", advice=f"Use one of: {', '.join(SPLITS)}.")
    emotions = emotions_for(labels)
    known = classifier.spec.labels
    if len(known) < len(emotions):
        raise UsageError(
            f"{classifier.identity} knows {len(known)} labels ({', '.join(known)}), not {labels}",
            advice=f"Evaluate it with --labels {len(known)}.",
        )
    return emotions


def evaluate_model(
    classifier: Classifier,
    faces: FaceSet,
    split: str,
    *,
    labels: int = 7,
    on_progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure a classifier on one split.

    Args:
        classifier: the network.
        faces: the split's rows, and the Training rows if twins are to be found.
        split: ``Training``, ``PublicTest`` or ``PrivateTest``.
        labels: 7, or 6 to count disgust as anger in answers, labels and votes alike.
        on_progress: called with (faces done, faces in all).

    Raises:
        UsageError: see :func:`check_request`.
        DatasetError: the data has no rows of the split.
    """
    emotions = check_request(classifier, split, labels)
    rows = faces.split(split)
    probabilities, votes = _predict(classifier, rows, on_progress)
    truths, majority = rows.emotions, rows.vote_majority()
    vote_shares = votes[:, : len(EMOTIONS)]
    if labels == 6:
        majority = _fold_votes(rows).vote_majority()
        known = majority >= 0
        majority[known] = fold_label_indices(majority[known])
        truths, vote_shares = fold_label_indices(truths), np.asarray(fold_disgust(vote_shares), dtype=np.float64)
        if probabilities.shape[1] == 7:
            probabilities = np.asarray(fold_disgust(probabilities), dtype=np.float64)

    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    correct = answers == truths
    certain = confidence >= classifier.spec.threshold
    matrix = confusion_matrix(truths, answers, len(emotions))
    matrix.flags.writeable = False
    notes: list[str] = []
    deduplicated, strict = _measure_without_twins(correct, rows, faces, split, notes)
    voted = majority >= 0
    if not voted.any():
        notes.append("FER+ majority accuracy is unknown: the data has no FER+ votes.")
    if not certain.any():
        notes.append(f"No face reaches the threshold {classifier.spec.threshold:g}: every answer is uncertain.")
    coverage, risk = risk_coverage(confidence, correct)
    return Evaluation(
        model=classifier.identity,
        split=split,
        data=_digest(rows),
        labels=emotions,
        accuracy=Estimate.of_mean(correct),
        accuracy_deduplicated=deduplicated,
        accuracy_strict=strict,
        macro_f1=Estimate(macro_f1(matrix), *macro_f1_interval(matrix), len(rows)),
        nll=Estimate.of_mean(row_losses(probabilities, truths)),
        ece=expected_calibration_error(probabilities, truths),
        threshold=classifier.spec.threshold,
        uncertain=Estimate.of_mean(~certain),
        accuracy_certain=_share(correct[certain]),
        majority_accuracy=_share((answers == majority)[voted]),
        majority_accuracy_votes=_share((vote_shares.argmax(axis=1) == majority)[voted]),
        classes=tuple(class_scores(matrix)),
        macro_average=average_scores(matrix),
        weighted_average=average_scores(matrix, weighted=True),
        confusion=matrix,
        reliability=tuple(reliability_bins(probabilities, truths)),
        curve=_thin(coverage, risk, np.sort(confidence)[::-1]),
        aurc=float(risk.mean()),
        notes=tuple(notes),
    )


def _predict(
    classifier: Classifier, rows: FaceSet, on_progress: Callable[[int, int], None] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    probabilities, votes = [], []
    for start in range(0, len(rows), CHUNK):
        prediction = classifier.predict(list(rows.images[start : start + CHUNK]))
        probabilities.append(prediction.probabilities)
        votes.append(prediction.votes)
        if on_progress is not None:
            on_progress(min(start + CHUNK, len(rows)), len(rows))
    return np.concatenate(probabilities), np.concatenate(votes)


def _measure_without_twins(
    correct: NDArray[np.bool_], rows: FaceSet, faces: FaceSet, split: str, notes: list[str]
) -> tuple[Estimate | None, Estimate | None]:
    """De-duplicated and strict accuracy, or None with a note that says why."""
    unknown = "De-duplicated and strict accuracy are unknown: "
    if split == TRAINING:
        notes.append(f"{unknown}Training cannot be compared with itself. The network has seen these faces.")
        return None, None
    training = faces.images[faces.splits == SPLITS.index(TRAINING)]
    if not len(training):
        notes.append(f"{unknown}the data has no Training rows to compare with.")
        return None, None
    exact, near = find_twins(rows.images, training)
    if near.all():
        notes.append(f"Every {split} face has a twin in Training; nothing is left for the strict accuracy.")
    return _share(correct[~exact]), _share(correct[~near])


def _fold_votes(rows: FaceSet) -> FaceSet:
    """The rows with their votes for disgust counted as votes for anger, before a majority is sought."""
    if rows.votes is None:
        return rows
    names = list(VOTE_COLUMNS)
    angry, disgust = names.index(Emotion.ANGRY), names.index(Emotion.DISGUST)
    votes = rows.votes.copy()
    votes[:, angry] += votes[:, disgust]
    votes[:, disgust] = 0
    return FaceSet(rows.images, rows.emotions, rows.splits, votes)


def _thin(
    coverage: NDArray[np.float64], risk: NDArray[np.float64], confidence: NDArray[np.float64]
) -> tuple[CurvePoint, ...]:
    """The curve at every hundredth of coverage."""
    n = len(coverage)
    picked = np.unique(np.ceil(np.arange(1, CURVE_POINTS + 1) * n / CURVE_POINTS).astype(np.int64) - 1)
    return tuple(CurvePoint(float(coverage[i]), float(risk[i]), float(confidence[i])) for i in picked)


def _digest(rows: FaceSet) -> str:
    pixels_and_labels = rows.images.tobytes() + rows.emotions.astype("<i8").tobytes()
    return hashlib.sha256(pixels_and_labels).hexdigest()[:12]


def _share(rows: NDArray[np.bool_]) -> Estimate | None:
    return Estimate.of_mean(rows) if len(rows) else None


def _to_dict(estimate: Estimate | None) -> dict[str, Any] | None:
    return None if estimate is None else estimate.to_dict()


def _rounded(record: ClassScores | ReliabilityBin | CurvePoint) -> dict[str, Any]:
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(record).items()}
