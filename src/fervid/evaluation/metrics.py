"""Measures of a classifier, in NumPy alone.

Probabilities are ``(N, C)`` with rows that sum to 1, truths ``(N,)`` of class indices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fervid.errors import UsageError

CALIBRATION_BINS: Final = 15
"""Bins of confidence for the calibration error, as in Guo et al. 2017 (arXiv:1706.04599)."""

BOOTSTRAP_RESAMPLES: Final = 2000
"""How often an interval's sample is drawn again."""

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]


def accuracy(probabilities: Floats, truths: Ints) -> float:
    """Share of rows whose largest value is at the truth."""
    return float((probabilities.argmax(axis=1) == truths).mean())


def confusion_matrix(truths: Ints, predictions: Ints, classes: int) -> NDArray[np.int64]:
    """``(C, C)`` counts: row = truth, column = prediction."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (truths, predictions), 1)
    return matrix


@dataclass(frozen=True, slots=True)
class ClassScores:
    """One row of the classification report. A share whose denominator is 0 counts as 0."""

    precision: float
    recall: float
    f1: float
    support: int


def class_scores(matrix: NDArray[np.int64]) -> list[ClassScores]:
    """Precision, recall, F1 and support of every class, from a confusion matrix."""
    scores = []
    for index in range(len(matrix)):
        hit = float(matrix[index, index])
        predicted, support = int(matrix[:, index].sum()), int(matrix[index].sum())
        precision = hit / predicted if predicted else 0.0
        recall = hit / support if support else 0.0
        f1 = 2 * hit / (predicted + support) if predicted + support else 0.0
        scores.append(ClassScores(precision, recall, f1, support))
    return scores


def average_scores(matrix: NDArray[np.int64], *, weighted: bool = False) -> ClassScores:
    """The last row of the classification report: means over the classes.

    Args:
        matrix: ``(C, C)`` confusion matrix.
        weighted: weigh each class by its support; otherwise all classes that occur, among the truths or the
            predictions, count alike ("macro").
    """
    scores = class_scores(matrix)
    occurrences = matrix.sum(axis=0) + matrix.sum(axis=1)
    weights = np.array([s.support for s in scores]) if weighted else (occurrences > 0).astype(np.int64)
    support = int(matrix.sum())
    if not weights.sum():
        return ClassScores(0.0, 0.0, 0.0, support)
    precision, recall, f1 = np.average([(s.precision, s.recall, s.f1) for s in scores], axis=0, weights=weights)
    return ClassScores(float(precision), float(recall), float(f1), support)


def macro_f1(matrix: NDArray[np.int64]) -> float:
    """Mean F1 over the classes that occur, among the truths or the predictions."""
    return float(_macro_f1(matrix))


def macro_f1_interval(matrix: NDArray[np.int64]) -> tuple[float, float]:
    """95 % percentile bootstrap interval of :func:`macro_f1`, from a confusion matrix.

    To draw N rows with replacement and count them is to draw the counts from a multinomial, so the rows are not needed.

    Raises:
        UsageError: the matrix counts nothing.
    """
    n = int(matrix.sum())
    if n == 0:
        raise UsageError("there are no rows to draw from", advice="Give at least one row.")
    draws = np.random.default_rng(0).multinomial(n, matrix.ravel() / n, size=BOOTSTRAP_RESAMPLES)
    return _percentile_interval(_macro_f1(draws.reshape(-1, *matrix.shape)), 0.95)


def negative_log_likelihood(probabilities: Floats, truths: Ints) -> float:
    """Mean −ln of the probability given to the truth, in nats."""
    return float(row_losses(probabilities, truths).mean())


def row_losses(probabilities: Floats, truths: Ints) -> NDArray[np.float64]:
    """``(N,)`` −ln of the probability given to the truth, in nats; at most 27.6 (a probability of 1e-12)."""
    picked = probabilities[np.arange(len(truths)), truths]
    return np.asarray(-np.log(np.maximum(picked, 1e-12)), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The rows whose confidence lies in low ≤ c < high (the last bin includes 1).

    Attributes:
        low: lower edge.
        high: upper edge.
        count: rows in the bin.
        confidence: their mean confidence; None when there are none.
        accuracy: the share of them that is right; None when there are none.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def reliability_bins(probabilities: Floats, truths: Ints, *, bins: int = CALIBRATION_BINS) -> list[ReliabilityBin]:
    """Accuracy by confidence over equal-width bins: the reliability diagram."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == truths
    index = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    result = []
    for b in range(bins):
        members = index == b
        count = int(members.sum())
        means = (float(confidence[members].mean()), float(correct[members].mean())) if count else (None, None)
        result.append(ReliabilityBin(b / bins, (b + 1) / bins, count, *means))
    return result


def expected_calibration_error(probabilities: Floats, truths: Ints, *, bins: int = CALIBRATION_BINS) -> float:
    """Mean gap between confidence and accuracy over equal-width bins (Guo et al. 2017, arXiv:1706.04599)."""
    gap = 0.0
    for part in reliability_bins(probabilities, truths, bins=bins):
        if part.accuracy is not None and part.confidence is not None:
            gap += abs(part.accuracy - part.confidence) * part.count / len(truths)
    return gap


def bootstrap_interval(
    values: Floats | NDArray[np.bool_],
    *,
    level: float = 0.95,
    resamples: int = BOOTSTRAP_RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval (Efron & Tibshirani 1993) of the mean of rows.

    Args:
        values: ``(N, …)``, resampled along the first axis.
        level: coverage.
        resamples: how often to draw.
        seed: of the draw; the same interval every time.

    Raises:
        UsageError: there are no rows.
    """
    n = len(values)
    if n == 0:
        raise UsageError("there are no rows to draw from", advice="Give at least one row.")
    rng = np.random.default_rng(seed)
    means = np.asarray(values, dtype=np.float64).reshape(n, -1).mean(axis=1)
    draws = np.empty(resamples)
    chunk = max(1, 1_000_000 // n)  # indices in memory at a time
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        draws[start : start + size] = means[rng.integers(0, n, (size, n), dtype=np.int32)].mean(axis=1)
    return _percentile_interval(draws, level)


def risk_coverage(confidence: Floats, correct: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of rows answered and error among them, as the threshold falls (Geifman & El-Yaniv 2017, arXiv:1705.08500).

    Rows of equal confidence come in no order: each counts as wrong by the share of them that is.

    Returns:
        ``(N,)`` coverage, rising to 1, and ``(N,)`` risk.
    """
    order = np.argsort(-confidence, kind="stable")
    _, group = np.unique(confidence[order], return_inverse=True)
    wrong = (np.bincount(group, ~correct[order]) / np.bincount(group))[group] if len(order) else np.empty(0)
    count = np.arange(1, len(wrong) + 1)
    return count / max(1, len(wrong)), np.cumsum(wrong) / count


def _macro_f1(matrices: NDArray[np.int64]) -> NDArray[np.float64]:
    """``(…, C, C)`` confusion matrices to their macro-F1 ``(…)``; 0 where nothing is counted."""
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    occurrences = matrices.sum(axis=-1) + matrices.sum(axis=-2)
    f1 = 2 * hits / np.maximum(occurrences, 1)
    return np.asarray(f1.sum(axis=-1) / np.maximum((occurrences > 0).sum(axis=-1), 1), dtype=np.float64)


def _percentile_interval(draws: NDArray[np.float64], level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)
