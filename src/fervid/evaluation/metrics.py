"""Measures of a classifier, in NumPy alone.

Probabilities are ``(N, C)`` with rows that sum to 1, truths ``(N,)`` of class indices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
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
    """One row of the classification report. A share whose denominator is 0 counts as 0.

    Attributes:
        precision: share of the rows answered so that are so.
        recall: share of the rows that are so that are answered so.
        f1: harmonic mean of the two.
        support: rows that are so.
        recall_low: lower end of the recall's :func:`wilson_interval`; None without rows, and for averages.
        recall_high: upper end.
    """

    precision: float
    recall: float
    f1: float
    support: int
    recall_low: float | None = None
    recall_high: float | None = None


def class_scores(matrix: NDArray[np.int64]) -> list[ClassScores]:
    """Precision, recall with its interval, F1 and support of every class, from a confusion matrix."""
    scores = []
    for index in range(len(matrix)):
        hit = int(matrix[index, index])
        predicted, support = int(matrix[:, index].sum()), int(matrix[index].sum())
        precision = hit / predicted if predicted else 0.0
        recall = hit / support if support else 0.0
        f1 = 2 * hit / (predicted + support) if predicted + support else 0.0
        interval = wilson_interval(hit, support) if support else (None, None)
        scores.append(ClassScores(precision, recall, f1, support, *interval))
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
    _check_rows(n)
    draws = np.random.default_rng(0).multinomial(n, matrix.ravel() / n, size=BOOTSTRAP_RESAMPLES)
    return _percentile_interval(_macro_f1(draws.reshape(-1, *matrix.shape)), 0.95)


def wilson_interval(hits: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, ``hits`` of ``n``.

    Wilson 1927, JASA 22(158), 209–212 (doi:10.1080/01621459.1927.10502953). It needs no draws, and holds for few rows
    and for shares near 0 and 1 as well.

    Raises:
        UsageError: ``n`` is 0.
    """
    if n == 0:
        raise UsageError("a share of no rows has no interval", advice="Give at least one row.")
    share, z = hits / n, 1.959964
    middle, reach = share + z * z / (2 * n), z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # By rounding, the ends of a share of 0 or 1 would else lie just beside it.
    return max(0.0, min(share, (middle - reach) / scale)), min(1.0, max(share, (middle + reach) / scale))


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
    confidence, correct, index = _sort_into_bins(probabilities, truths, bins)
    result = []
    for b in range(bins):
        members = index == b
        count = int(members.sum())
        means = (float(confidence[members].mean()), float(correct[members].mean())) if count else (None, None)
        result.append(ReliabilityBin(b / bins, (b + 1) / bins, count, *means))
    return result


def expected_calibration_error(probabilities: Floats, truths: Ints, *, bins: int = CALIBRATION_BINS) -> float:
    """Mean gap between confidence and accuracy over equal-width bins (Guo et al. 2017, arXiv:1706.04599).

    Of few rows it is too high on average: chance parts the two in every bin, and no gap counts below 0 (Roelofs et al.
    2022, arXiv:2012.08668). See :func:`calibration_error_interval`.
    """
    gap = 0.0
    for part in reliability_bins(probabilities, truths, bins=bins):
        if part.accuracy is not None and part.confidence is not None:
            gap += abs(part.accuracy - part.confidence) * part.count / len(truths)
    return gap


def calibration_error_interval(
    probabilities: Floats, truths: Ints, *, bins: int = CALIBRATION_BINS
) -> tuple[float, float]:
    """95 % bootstrap interval of the :func:`expected_calibration_error` of all faces, of which these are a sample.

    A sample's error is too high on average, and that of a draw from the sample higher again: the draws' percentiles lie
    too high, and never hold an error near 0. The interval is theirs turned round the sample's error instead ("basic" or
    "reverse percentile", Davison & Hinkley 1997, section 5.2), which takes the bias off. It begins at 0 where chance
    alone would give rows of such confidence as large an error in at least 1 of 40 samples, and always holds the
    sample's error.

    Raises:
        UsageError: there are no rows.
    """
    n = len(truths)
    _check_rows(n)
    confidence, correct, index = _sort_into_bins(probabilities, truths, bins)
    # Rows are counted by bin and by right or wrong: within those, gaps differ too little to be drawn one by one.
    cells = 2 * index + correct
    counts = np.bincount(cells, minlength=2 * bins)
    gaps = np.bincount(cells, correct - confidence, minlength=2 * bins) / np.maximum(counts, 1)
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(n, counts / n, size=BOOTSTRAP_RESAMPLES) * gaps
    low, high = _percentile_interval(np.abs(drawn.reshape(-1, bins, 2).sum(axis=2)).sum(axis=1) / n, 0.95)
    chance = np.sqrt(np.bincount(index, confidence * np.maximum(1 - confidence, 0), minlength=bins))
    calibrated = np.abs(rng.normal(size=(BOOTSTRAP_RESAMPLES, bins)) * chance).sum(axis=1) / n
    error = expected_calibration_error(probabilities, truths, bins=bins)
    begins = 0.0 if error <= np.quantile(calibrated, 0.975) else min(error, max(0.0, 2 * error - high))
    return begins, min(1.0, max(error, 2 * error - low))


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
    _check_rows(n)
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


def risk_coverage_area(confidence: Floats, correct: NDArray[np.bool_]) -> float:
    """Area under :func:`risk_coverage`, the mean risk, of at least one row."""
    return float(risk_coverage(confidence, correct)[1].mean())


def risk_coverage_area_interval(confidence: Floats, correct: NDArray[np.bool_]) -> tuple[float, float]:
    """95 % percentile bootstrap interval of :func:`risk_coverage_area`.

    Raises:
        UsageError: there are no rows.
    """
    n = len(correct)
    _check_rows(n)
    levels, places = np.unique(-confidence, return_inverse=True)  # the most confident first
    # What is wrong at place j counts in the risk at every coverage from there on: 1/j + … + 1/n.
    weights = np.concatenate([[0.0], np.cumsum(np.cumsum(1 / np.arange(n, 0, -1))[::-1])])
    areas = []
    for counts in _draw_counts(places + len(levels) * ~correct, 2 * len(levels)):
        wrong = counts[:, len(levels) :]
        sizes = counts[:, : len(levels)] + wrong
        shares = np.diff(weights[np.cumsum(sizes, axis=1)], prepend=0.0, axis=1)
        areas.append((shares * wrong / np.maximum(sizes, 1)).sum(axis=1) / n)
    return _percentile_interval(np.concatenate(areas), 0.95)


def _check_rows(n: int) -> None:
    if n == 0:
        raise UsageError("there are no rows to draw from", advice="Give at least one row.")


def _draw_counts(cells: Ints, size: int) -> Iterator[NDArray[np.int64]]:
    """Draw as many rows as there are, with replacement, and count them by cell; all draws, in chunks.

    Args:
        cells: ``(N,)`` each row's.
        size: number of cells.

    Yields:
        ``(draws, size)``.
    """
    n, rng = len(cells), np.random.default_rng(0)
    chunk = max(1, 1_000_000 // n)  # rows in memory at a time
    for start in range(0, BOOTSTRAP_RESAMPLES, chunk):
        draws = min(chunk, BOOTSTRAP_RESAMPLES - start)
        drawn = cells[rng.integers(0, n, (draws, n), dtype=np.int32)] + size * np.arange(draws)[:, None]
        yield np.bincount(drawn.ravel(), minlength=draws * size).reshape(draws, size)


def _sort_into_bins(
    probabilities: Floats, truths: Ints, bins: int
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.int64]]:
    """``(N,)`` confidence, whether the answer is right, and the bin of the confidence."""
    confidence = probabilities.max(axis=1)
    index = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    return confidence, probabilities.argmax(axis=1) == truths, index


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
