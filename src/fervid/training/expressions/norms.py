"""The statistics of a trained network's norms, measured anew on clean faces."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Final

import torch
from torch import nn

from fervid.training.expressions.data import TrainingData, sample_inputs
from fervid.training.expressions.network import ExpressionNetwork

FACES: Final = 2048
"""Training faces that are read, each with its mirror image."""

BATCH: Final = 128
"""Of them at most so many are read at once."""


def measure_norms(network: ExpressionNetwork, data: TrainingData) -> ExpressionNetwork:
    """A copy whose norms hold the mean and variance of clean Training faces, as the product sees them.

    While it trains, a network sees faces that are cut, turned, covered and spoilt, and its norms remember those. It is
    also what a mean of several networks' weights needs, whose statistics are nobody's. "Precise BatchNorm" (Wu and
    Johnson 2021, arXiv:2105.07576).
    """
    fresh = deepcopy(network).eval()
    norms = [module for module in fresh.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean of all batches, so these must be of one size, give or take a face
        norm.train()
    inputs = sample_inputs(data, FACES)
    with torch.no_grad():
        for batch in torch.tensor_split(inputs, math.ceil(len(inputs) / BATCH)):
            fresh(torch.cat([batch, batch.flip(-1)]))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return fresh.eval()
