"""Class activation maps of two heads in terms of their common answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fervid.classification.calibration import TINY, restrict_votes
from fervid.classification.classifier import HeadMaps, Prediction
from fervid.emotions import EMOTIONS, Emotion, fold_disgust


def blend_evidence(maps: HeadMaps, prediction: Prediction, share: float, labels: int) -> NDArray[np.float64]:
    """What each place adds to the log-odds of each emotion against the others.

    Of each emotion, a head's evidence counts as much as the head contributes to the answer.

    Args:
        maps: of the same N faces as ``prediction``.
        prediction: the answers.
        share: of the votes head in the answer, 0–1.
        labels: 7, or 6 when disgust counts as anger.

    Returns:
        ``(N, labels, h, w)``, above 0 for the emotion, below 0 for its rivals.
    """
    known = len(EMOTIONS)
    heads = (
        (maps.labels, prediction.label_probabilities, 1 - share),
        (maps.votes[:, :known], restrict_votes(prediction.votes, known), share),
    )
    total, evidence = np.zeros(1), np.zeros(1)
    for head, probabilities, part in heads:
        if labels < head.shape[1]:
            head, probabilities = _fold_maps(head, probabilities), np.asarray(fold_disgust(probabilities))
        weights = (part * (probabilities + TINY))[:, :, None, None]
        total, evidence = total + weights, evidence + weights * contrast_maps(head, probabilities)
    return evidence / total


def contrast_maps(maps: NDArray[np.floating], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """From what each place adds to every logit to what it adds to the log-odds of each label against the others.

    The log-odds log p / (1 − p) of a softmax fall with a rival's logit by that rival's share of 1 − p. So a label's map
    is its own less its rivals', each weighed by that share: where a face speaks for the runner-up it is negative, and
    labels that nobody would think of count little.

    Args:
        maps: ``(N, labels, h, w)``.
        probabilities: ``(N, labels)``, the softmax of the logits.

    Returns:
        ``(N, labels, h, w)``.
    """
    count = probabilities.shape[1]
    shares = np.repeat(probabilities[:, None, :].astype(np.float64) + TINY, count, axis=1)
    shares[:, np.arange(count), np.arange(count)] = 0
    shares /= shares.sum(axis=2, keepdims=True)
    return np.asarray(maps - np.einsum("nkl,nlhw->nkhw", shares, maps), dtype=np.float64)


def _fold_maps(maps: NDArray[np.floating], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Disgust counts as anger: ``(N, 7, h, w)`` becomes ``(N, 6, h, w)``.

    The logarithm of a sum of probabilities changes with each part's logit by that part's share of the sum.
    """
    angry, disgust = EMOTIONS.index(Emotion.ANGRY), EMOTIONS.index(Emotion.DISGUST)
    parts = probabilities[:, [angry, disgust]] + TINY
    parts = parts / parts.sum(axis=1, keepdims=True)
    folded = np.delete(maps, disgust, axis=1).astype(np.float64)
    folded[:, angry] = np.einsum("np,nphw->nhw", parts, maps[:, [angry, disgust]])
    return folded
