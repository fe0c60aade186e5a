"""How a network does on PublicTest, the split that recipes, checkpoints and temperatures are chosen on."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fervid.classification.calibration import restrict_votes, softmax
from fervid.evaluation.metrics import accuracy, expected_calibration_error, negative_log_likelihood
from fervid.training.expressions.data import TrainingData

BATCH: Final = 256


def validate(network: nn.Module, data: TrainingData, place: torch.device) -> dict[str, float]:
    """The figures of an epoch, before calibration; the votes head against the FER+ majority when there are votes."""
    emotion_logits, vote_logits = predict(network, data.validation_inputs, place)
    emotions, majority = data.validation_emotions, data.validation_majority
    probabilities = softmax(emotion_logits)
    line = {
        "public_accuracy": round(accuracy(probabilities, emotions), 5),
        "public_nll": round(negative_log_likelihood(probabilities, emotions), 5),
        "public_ece": round(expected_calibration_error(probabilities, emotions), 5),
    }
    known = majority >= 0
    if known.any():
        votes = restrict_votes(softmax(vote_logits[known]), len(data.spec.labels))
        line["public_votes_accuracy"] = round(accuracy(votes, majority[known]), 5)
    return line


def predict(network: nn.Module, inputs: Tensor, place: torch.device) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both heads' logits as float64 arrays for ``(N, 1, S, S)`` normalised inputs. Leaves the network evaluating."""
    network.eval()
    emotion_parts, vote_parts = [], []
    with torch.inference_mode():
        for batch in torch.split(inputs, BATCH):
            emotion_logits, vote_logits = network(batch.to(place))
            emotion_parts.append(emotion_logits.double().cpu())
            vote_parts.append(vote_logits.double().cpu())
    return torch.cat(emotion_parts).numpy(), torch.cat(vote_parts).numpy()
