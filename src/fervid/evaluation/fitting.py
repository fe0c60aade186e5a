"""The few numbers that turn logits into honest answers, fitted on the split that recipes are chosen on.

A temperature per head, the share of each head in the answer, and the confidence below which no answer is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.evaluation.metrics import Floats, Ints, risk_coverage, row_losses

FEW_FACES: Final = 300
"""With fewer, chance moves a temperature by over a tenth, and a threshold by 0.1 (95 %, bootstrap of PublicTest)."""

PRIOR_FACES: Final = 2
"""What the prior of a temperature weighs, in faces; without any face, T is 1/2 to 2 in two cases of three."""

DECLINED_COST: Final = 0.5
"""What a withheld answer costs, in wrong answers: with a half, one that is more likely wrong than right is withheld."""


def fit_temperature(logits: Floats, truths: Ints | Floats) -> float:
    """The temperature T that calibrates ``softmax(logits / T)`` best, to 0.1 % (Guo et al. 2017, arXiv:1706.04599).

    Best is a proper score: against labels Brier's, against distributions the cross-entropy. Against labels that ten
    people would not all give, cross-entropy looks at the surest answers most, and leaves those in the middle too sure:
    cross-validated on PublicTest, Brier's score takes the calibration error of ``base`` from 0.024 to 0.020.

    A gamma prior of 1/T with its mode at 1 counts beside the faces: where all of a few are right, a score alone falls
    without end, and no answer would be unsure again. Thousands of faces outvote it.

    Args:
        logits: ``(N, C)``.
        truths: ``(N,)`` class indices, or ``(N, C)`` distributions.

    Returns:
        T between 0.2 and 5, whose nearer end is returned when the minimum lies outside.
    """
    labelled = truths.ndim == 1
    targets = np.eye(logits.shape[1])[truths.astype(np.int64)] if labelled else truths

    def loss(log_temperature: float) -> float:
        said = _log_softmax(logits, float(np.exp(log_temperature)))
        score = (np.exp(said) - targets) ** 2 if labelled else -targets * said
        prior = PRIOR_FACES * (float(np.exp(-log_temperature)) + log_temperature)
        return float(score.sum(axis=1).mean() + prior / len(logits))

    # Brier's score can have several minima: the lowest of a grid is looked at closely.
    grid = np.linspace(np.log(0.2), np.log(5.0), 65)
    best = int(np.argmin([loss(float(point)) for point in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    return float(np.exp(_minimise(loss, float(low), float(high))))


def fit_blend(
    label_probabilities: NDArray[np.float64],
    vote_probabilities: NDArray[np.float64],
    labels: Ints,
    vote_shares: Floats,
) -> float:
    """The share of the votes head in the answer that serves both truths: labels and votes, each counting as much.

    It minimises NLL against the labels plus cross-entropy against the votes, which is convex in the share.

    Args:
        label_probabilities: ``(N, L)`` of the label head, calibrated.
        vote_probabilities: ``(N, L)`` of the votes head, calibrated and restricted to the same labels.
        labels: ``(N,)``.
        vote_shares: ``(N, L)`` how people voted among the same labels; rows sum to 1.

    Returns:
        0–1, to 0.1 %.
    """

    def loss(share: float) -> float:
        answer = (1 - share) * label_probabilities + share * vote_probabilities
        against_votes = -(vote_shares * np.log(np.maximum(answer, 1e-12))).sum(axis=1)
        return float(row_losses(answer, labels).mean() + against_votes.mean())

    return _minimise(loss, 0.0, 1.0)


def choose_threshold(confidence: Floats, correct: NDArray[np.bool_], *, cost: float = DECLINED_COST) -> float:
    """The point of the risk–coverage curve where answering on would cost more than to decline (Chow 1970).

    It lies midway between the faces on either side of it, as a face to come may fall between them.

    Args:
        confidence: ``(N,)`` of the answers.
        correct: ``(N,)``.
        cost: of a declined answer, in wrong answers.

    Returns:
        The lowest confidence that is answered: 0 when every answer pays, 1 when none does.
    """
    coverage, risk = risk_coverage(confidence, correct)
    gain = coverage * (cost - risk)
    if not len(gain) or gain.max() <= 0:
        return 1.0
    best = len(gain) - 1 - int(np.argmax(gain[::-1]))  # among equals, the one that answers most
    if best == len(gain) - 1:
        return 0.0
    falling = np.sort(confidence)[::-1]
    return float(falling[best] + falling[best + 1]) / 2


def _minimise(loss: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one minimum has it, within 0.001, by golden-section search."""
    ratio = (5**0.5 - 1) / 2
    while high - low > 1e-3:
        inner_low, inner_high = high - ratio * (high - low), low + ratio * (high - low)
        if loss(inner_low) < loss(inner_high):
            high = inner_high
        else:
            low = inner_low
    return (low + high) / 2


def _log_softmax(logits: Floats, temperature: float) -> NDArray[np.float64]:
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    scaled = scaled - scaled.max(axis=-1, keepdims=True)
    return np.asarray(scaled - np.log(np.exp(scaled).sum(axis=-1, keepdims=True)), dtype=np.float64)
