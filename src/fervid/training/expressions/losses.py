"""What the network learns towards, and how far it is from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from fervid.emotions import EMOTIONS, fold_disgust
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.data import TrainingData
from fervid.training.expressions.teachers import SoftTargets


@dataclass(frozen=True, slots=True)
class Targets:
    """What both heads should say to a batch of n faces.

    Attributes:
        emotions: ``(n,)`` int64 labels, or ``(n, labels)`` float32 distributions.
        votes: ``(n, 8)`` float32; a row sums to 1, or to 0 where nothing is known.
        taught_emotions: ``(n, labels)`` float32, the teachers' at the recipe's temperature; None without teachers.
        taught_votes: ``(n, 8)`` float32, likewise.
    """

    emotions: Tensor
    votes: Tensor
    taught_emotions: Tensor | None = None
    taught_votes: Tensor | None = None


class TargetTable:
    """The targets of every training face, on the device that trains.

    Args:
        data: faces, labels and votes.
        config: the recipe.
        place: the device.
        taught: what the teachers say, if there are any.
    """

    def __init__(
        self, data: TrainingData, config: TrainingConfig, place: torch.device, taught: SoftTargets | None = None
    ) -> None:
        emotions = data.emotions
        if config.loss.label_share < 1 or config.augmentation.mixup > 0:
            emotions = soften_labels(data, config.labels, config.loss.label_share)
        self._emotions = emotions.to(place)
        self._votes = (data.votes * data.has_votes[:, None]).to(place)
        self._taught_emotions = None if taught is None else taught.emotions.to(place)
        self._taught_votes = None if taught is None else taught.votes.to(place)

    def select(self, rows: Tensor, mirrored: Tensor) -> Targets:
        """The targets of ``rows``, ``(n,)`` int64, of which those are ``mirrored``, ``(n,)`` bool; on the device."""
        targets = Targets(self._emotions[rows], self._votes[rows])
        if self._taught_emotions is None or self._taught_votes is None:
            return targets
        side = mirrored.long()
        return replace(
            targets, taught_emotions=self._taught_emotions[side, rows], taught_votes=self._taught_votes[side, rows]
        )


def teaches_votes(data: TrainingData, config: TrainingConfig) -> bool:
    """Whether the votes head has anything to learn from: votes about Training faces, or teachers."""
    taught = bool(config.distillation.teachers) and config.distillation.weight > 0
    return config.loss.votes_weight > 0 and (bool(data.has_votes.any()) or taught)


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
    """Mean over the batch: the label head's loss plus that of the votes head, times its weight.

    Each head's loss is the cross-entropy with its targets (smoothed for the labels); with teachers, ``weight`` of it is
    replaced by the distance to what they say.
    """
    emotion_logits, vote_logits, weight = emotion_logits.float(), vote_logits.float(), config.loss.votes_weight
    loss = F.cross_entropy(emotion_logits, targets.emotions, label_smoothing=config.loss.label_smoothing)
    if weight:
        loss = loss + weight * F.cross_entropy(vote_logits, targets.votes, reduction="none").mean()
    if targets.taught_emotions is None or targets.taught_votes is None:
        return loss
    temperature, share = config.distillation.temperature, config.distillation.weight
    distance = measure_distance(emotion_logits, targets.taught_emotions, temperature)
    if weight:
        distance = distance + weight * measure_distance(vote_logits, targets.taught_votes, temperature)
    return (1 - share) * loss + share * distance


def measure_distance(logits: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Kullback–Leibler divergence of the student from its teachers at a temperature T, times T², mean over the batch.

    The square keeps the gradient's size, whatever T (Hinton et al. 2015, arXiv:1503.02531).
    """
    student = F.log_softmax(logits / temperature, dim=1)
    return F.kl_div(student, taught, reduction="batchmean") * temperature**2
