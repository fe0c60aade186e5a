"""The average of a network's weights: what is validated and exported."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


class WeightAverage(Generic[Network]):
    """The exponential moving average of a network's weights and statistics (Polyak & Juditsky 1992).

    Args:
        network: the one that learns; its tensors are watched, so it must keep them.
        decay: share of the average that stays at each update.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.network = copy.deepcopy(network).eval()
        self._decay = decay
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        self._mine = [mine for mine, _ in pairs if mine.is_floating_point()]
        self._theirs = [theirs for mine, theirs in pairs if mine.is_floating_point()]
        self._counts = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the network's present weights; ``step`` counts from 0 over the whole run."""
        decay = min(self._decay, (step + 1) / (step + 10))  # the first steps would otherwise weigh for ever
        torch._foreach_lerp_(self._mine, self._theirs, 1 - decay)
        for mine, theirs in self._counts:
            mine.copy_(theirs)
