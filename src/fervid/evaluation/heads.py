"""One head of a network, or the answer that blends both, measured against labels and votes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from fervid.emotions import Emotion
from fervid.evaluation.metrics import (
    ClassScores,
    ReliabilityBin,
    average_scores,
    bootstrap_interval,
    calibration_error_interval,
    class_scores,
    confusion_matrix,
    expected_calibration_error,
    macro_f1,
    macro_f1_interval,
    reliability_bins,
    risk_coverage,
    risk_coverage_area,
    risk_coverage_area_interval,
    row_losses,
    wilson_interval,
)

CURVE_POINTS: Final = 100


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval and the number of faces it rests on."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of_mean(cls, rows: NDArray[np.floating] | NDArray[np.bool_]) -> Self:
        """The mean of ``(N,)`` rows, of which there is at least one; the interval is a bootstrap's.

        That of booleans that are all alike is Wilson's: every draw of them is the same, which would leave no width.
        """
        n = len(rows)
        alike = rows.dtype == np.bool_ and rows.sum() in (0, n)
        interval = wilson_interval(int(rows.sum()), n) if alike else bootstrap_interval(rows)
        return cls(float(rows.mean()), *interval, n)

    @classmethod
    def of_rows(cls, rows: NDArray[np.bool_]) -> Self | None:
        """The share of ``(N,)`` rows that is True; None when there are none."""
        return cls.of_mean(rows) if len(rows) else None

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


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of the faces.

    Attributes:
        labels: ``(N,)`` FER2013's, as indices into the emotions evaluated.
        majority: ``(N,)`` the FER+ majority (:func:`fervid.datasets.faceset.find_truth`), −1 where there is none.
        exact_twin: ``(N,)`` whether the same pixels stand in Training; None when that is unknown.
        near_twin: ``(N,)`` whether an exact or a near-twin stands in Training; None when that is unknown.
    """

    labels: NDArray[np.int64]
    majority: NDArray[np.int64]
    exact_twin: NDArray[np.bool_] | None
    near_twin: NDArray[np.bool_] | None


@dataclass(frozen=True, slots=True, eq=False)
class HeadEvaluation:
    """One way to answer, measured on one split.

    Attributes:
        name: ``label head``, ``votes head`` or ``answer``.
        accuracy: official, over every face of the split.
        accuracy_deduplicated: over the faces without an exact twin in Training; None when that is unknown.
        accuracy_strict: over the faces without an exact or a near-twin in Training; None when that is unknown.
        majority_accuracy: against the FER+ majority; None without votes.
        macro_f1: mean F1 over the classes.
        nll: mean negative log-likelihood, nats.
        ece: expected calibration error, 15 bins; biased upwards, which its interval corrects
            (:func:`.metrics.calibration_error_interval`).
        classes: precision, recall with its interval, F1 and support, one per label.
        macro_average: their mean over the classes that occur.
        weighted_average: their mean weighted by support.
        confusion: ``(L, L)`` int64 counts, row = truth, column = answer, read-only.
        reliability: accuracy by confidence, 15 bins.
        curve: risk by coverage, at most 100 points.
        majority_curve: the same against the FER+ majority, over the faces that have one; empty without votes.
        aurc: area under the whole risk–coverage curve, the mean risk.
        probabilities: ``(N, L)`` float64, read-only: what was said of each face. Not in the JSON.
    """

    name: str
    accuracy: Estimate
    accuracy_deduplicated: Estimate | None
    accuracy_strict: Estimate | None
    majority_accuracy: Estimate | None
    macro_f1: Estimate
    nll: Estimate
    ece: Estimate
    classes: tuple[ClassScores, ...]
    macro_average: ClassScores
    weighted_average: ClassScores
    confusion: NDArray[np.int64]
    reliability: tuple[ReliabilityBin, ...]
    curve: tuple[CurvePoint, ...]
    majority_curve: tuple[CurvePoint, ...]
    aurc: Estimate
    probabilities: NDArray[np.float64]

    def to_dict(self, labels: tuple[Emotion, ...]) -> dict[str, Any]:
        """Plain tables, six decimals; ``labels`` name the classes.

        ``x_low`` and ``x_high`` are the ends of the 95 % interval of ``x``; null where there is none.
        """
        return {
            "accuracy": {
                "official": self.accuracy.to_dict(),
                "deduplicated": _to_dict(self.accuracy_deduplicated),
                "strict": _to_dict(self.accuracy_strict),
                "fer_plus_majority": _to_dict(self.majority_accuracy),
            },
            "macro_f1": self.macro_f1.to_dict(),
            "nll": self.nll.to_dict(),
            **_flatten("ece", self.ece),
            **_flatten("aurc", self.aurc),
            "classification_report": {
                **{str(e): _rounded(scores) for e, scores in zip(labels, self.classes, strict=True)},
                "macro average": _rounded(self.macro_average),
                "weighted average": _rounded(self.weighted_average),
            },
            "confusion_matrix": self.confusion.tolist(),
            "reliability": [_rounded(part) for part in self.reliability],
            "risk_coverage": [_rounded(point) for point in self.curve],
            "risk_coverage_fer_plus_majority": [_rounded(point) for point in self.majority_curve],
        }


def evaluate_head(name: str, probabilities: NDArray[np.float64], truth: Truth) -> HeadEvaluation:
    """Measure ``(N, L)`` probabilities, N above 0."""
    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    correct = answers == truth.labels
    voted = truth.majority >= 0
    matrix = confusion_matrix(truth.labels, answers, probabilities.shape[1])
    kept = probabilities.copy()
    matrix.flags.writeable = kept.flags.writeable = False
    n, right_by_majority = len(correct), (answers == truth.majority)[voted]
    error = expected_calibration_error(probabilities, truth.labels)
    area = risk_coverage_area(confidence, correct)
    return HeadEvaluation(
        name=name,
        accuracy=Estimate.of_mean(correct),
        accuracy_deduplicated=None if truth.exact_twin is None else Estimate.of_rows(correct[~truth.exact_twin]),
        accuracy_strict=None if truth.near_twin is None else Estimate.of_rows(correct[~truth.near_twin]),
        majority_accuracy=Estimate.of_rows(right_by_majority),
        macro_f1=Estimate(macro_f1(matrix), *macro_f1_interval(matrix), n),
        nll=Estimate.of_mean(row_losses(probabilities, truth.labels)),
        ece=Estimate(error, *calibration_error_interval(probabilities, truth.labels), n),
        classes=tuple(class_scores(matrix)),
        macro_average=average_scores(matrix),
        weighted_average=average_scores(matrix, weighted=True),
        confusion=matrix,
        reliability=tuple(reliability_bins(probabilities, truth.labels)),
        curve=_trace_curve(confidence, correct),
        majority_curve=_trace_curve(confidence[voted], right_by_majority),
        aurc=Estimate(area, *risk_coverage_area_interval(confidence, correct), n),
        probabilities=kept,
    )


def _trace_curve(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> tuple[CurvePoint, ...]:
    """The risk–coverage curve at every hundredth of coverage; nothing for no faces."""
    n = len(correct)
    coverage, risk = risk_coverage(confidence, correct)
    falling = np.sort(confidence)[::-1]
    ends = np.ceil(np.arange(1, CURVE_POINTS + 1) * n / CURVE_POINTS).astype(np.int64)
    picked = np.unique(ends[ends > 0] - 1)
    return tuple(CurvePoint(float(coverage[i]), float(risk[i]), float(falling[i])) for i in picked)


def _to_dict(estimate: Estimate | None) -> dict[str, Any] | None:
    return None if estimate is None else estimate.to_dict()


def _flatten(name: str, estimate: Estimate) -> dict[str, float]:
    """A figure that was a bare number before it had an interval, and stays one for who reads the JSON."""
    values = estimate.to_dict()
    return {name: values["value"], f"{name}_low": values["low"], f"{name}_high": values["high"]}


def _rounded(record: ClassScores | ReliabilityBin | CurvePoint) -> dict[str, Any]:
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(record).items()}
