"""Measures of a classifier, in NumPy alone.

Probabilities are ``(N, C)`` with rows that sum to 1, truths ``(N,)`` of class indices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]


def softmax(logits: Floats, temperature: float = 1.0) -> NDArray[np.float64]:
    """``(…, C)`` logits to probabilities, in float64."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), dtype=np.float64)


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
        predicted, support = float(matrix[:, index].sum()), int(matrix[index].sum())
        precision = hit / predicted if predicted else 0.0
        recall = hit / support if support else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        scores.append(ClassScores(precision, recall, f1, support))
    return scores


def macro_f1(matrix: NDArray[np.int64]) -> float:
    """Mean F1 over the classes that occur."""
    present = [score.f1 for score in class_scores(matrix) if score.support]
    return float(np.mean(present)) if present else 0.0


def negative_log_likelihood(probabilities: Floats, truths: Ints) -> float:
    """Mean −ln of the probability given to the truth, in nats."""
    picked = probabilities[np.arange(len(truths)), truths]
    return float(-np.log(np.maximum(picked, 1e-12)).mean())


def expected_calibration_error(probabilities: Floats, truths: Ints, *, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal-width bins (Guo et al. 2017, arXiv:1706.04599)."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == truths
    index = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gap = 0.0
    for b in range(bins):
        members = index == b
        if members.any():
            gap += abs(float(correct[members].mean()) - float(confidence[members].mean())) * float(members.mean())
    return gap


def bootstrap_interval(
    values: Floats,
    statistic: Callable[[Floats], float] | None = None,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval (Efron & Tibshirani 1993) of a statistic of rows.

    Args:
        values: ``(N, …)``, resampled along the first axis.
        statistic: from resampled values to a number; the mean when None.
        level: coverage.
        resamples: how often to draw.
        seed: of the draw; the same interval every time.
    """
    rng = np.random.default_rng(seed)
    n = len(values)
    draws = np.empty(resamples)
    for i in range(resamples):
        sample = values[rng.integers(0, n, n)]
        draws[i] = sample.mean() if statistic is None else statistic(sample)
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def fit_temperature(logits: Floats, truths: Ints) -> float:
    """The temperature that minimises the NLL of ``softmax(logits / T)`` (arXiv:1706.04599), to 0.1 %.

    ``truths`` may also be ``(N, C)`` target distributions. Found by golden-section search in ln T between 0.2 and 5.
    """
    targets = np.eye(logits.shape[1])[truths] if truths.ndim == 1 else truths

    def loss(log_temperature: float) -> float:
        return float(-(targets * np.log(softmax(logits, float(np.exp(log_temperature))) + 1e-12)).sum(axis=1).mean())

    ratio = (np.sqrt(5) - 1) / 2
    low, high = np.log(0.2), np.log(5.0)
    while high - low > 1e-3:
        inner_low, inner_high = high - ratio * (high - low), low + ratio * (high - low)
        if loss(inner_low) < loss(inner_high):
            high = inner_high
        else:
            low = inner_low
    return float(np.exp((low + high) / 2))


def risk_coverage(confidence: Floats, correct: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of rows answered and error among them, as the threshold falls (Geifman & El-Yaniv 2017, arXiv:1705.08500).

    Returns:
        ``(N,)`` coverage, rising to 1, and ``(N,)`` risk.
    """
    order = np.argsort(-confidence, kind="stable")
    wrong = ~correct[order]
    count = np.arange(1, len(wrong) + 1)
    return count / len(wrong), np.cumsum(wrong) / count
