"""What the network learns towards, and how far it is from it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from fervid.emotions import EMOTIONS, fold_disgust
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.data import TrainingData


@dataclass(frozen=True, slots=True)
class Targets:
    """What both heads should say to a batch of n faces.

    Attributes:
        emotions: ``(n,)`` int64 labels, or ``(n, labels)`` float32 distributions.
        votes: ``(n, 8)`` float32; a row sums to 1, or to 0 where nothing is known.
    """

    emotions: Tensor
    votes: Tensor


class TargetTable:
    """The targets of every training face, on the device that trains.

    Args:
        data: faces, labels and votes.
        config: the recipe.
        place: the device.
    """

    def __init__(self, data: TrainingData, config: TrainingConfig, place: torch.device) -> None:
        emotions = data.emotions
        if config.loss.label_share < 1 or config.augmentation.mixup > 0:
            emotions = soften_labels(data, config.labels, config.loss.label_share)
        self._emotions = emotions.to(place)
        self._votes = (data.votes * data.has_votes[:, None]).to(place)

    def select(self, rows: Tensor) -> Targets:
        """The targets of ``rows``, ``(n,)`` int64 on the device."""
        return Targets(self._emotions[rows], self._votes[rows])


def soften_labels(data: TrainingData, labels: int, share: float) -> Tensor:
    """``(N, labels)`` float32: ``share`` of each label, the rest from how people voted about the face.

    Votes for contempt, which no label names, and those of faces without votes count for the label.
    """
    votes = data.votes[:, : len(EMOTIONS)].numpy()
    if labels < len(EMOTIONS):
        votes = fold_disgust(votes)
    known = (1 - share) * data.has_votes[:, None] * torch.from_numpy(votes)
    certain = F.one_hot(data.emotions, labels).float()
    return known + certain * (1 - known.sum(1, keepdim=True))


def compute_loss(emotion_logits: Tensor, vote_logits: Tensor, targets: Targets, config: TrainingConfig) -> Tensor:
    """Mean over the batch: cross-entropy of the label head, smoothed, plus that of the votes head, times its weight."""
    loss = F.cross_entropy(emotion_logits.float(), targets.emotions, label_smoothing=config.loss.label_smoothing)
    if config.loss.votes_weight:
        votes = F.cross_entropy(vote_logits.float(), targets.votes, reduction="none").mean()
        loss = loss + config.loss.votes_weight * votes
    return loss
