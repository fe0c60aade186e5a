"""Logits to probabilities, and two heads to one answer."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.emotions import EMOTIONS, fold_disgust

TINY: Final = 1e-12
"""Keeps a face whose votes all say contempt from dividing by nothing."""


def softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """``(…, C)`` logits to probabilities, in float64, with the temperature that calibrates them (arXiv:1706.04599)."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), dtype=np.float64)


def restrict_votes(votes: NDArray[np.float64], labels: int) -> NDArray[np.float64]:
    """``(N, 8)`` shares of votes as ``(N, labels)`` probabilities: no contempt, and for six labels disgust folded."""
    shares = votes[:, : len(EMOTIONS)] + TINY
    if labels < len(EMOTIONS):
        shares = np.asarray(fold_disgust(shares), dtype=np.float64)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=np.float64)


def blend_heads(
    label_probabilities: NDArray[np.float64], votes: NDArray[np.float64], share: float
) -> NDArray[np.float64]:
    """The answer of two calibrated heads: their mean, weighted (a linear opinion pool, Stone 1961).

    The label head has learned whom FER2013's labellers called what, posed faces among them; the votes head what ten
    people would see. Each fails where the other does not.

    Args:
        label_probabilities: ``(N, labels)``.
        votes: ``(N, 8)``.
        share: of the votes head, 0–1.
    """
    return (1 - share) * label_probabilities + share * restrict_votes(votes, label_probabilities.shape[1])
