"""Whether bfloat16 pays on this machine: measured, not guessed."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn


def choose_precision(network: nn.Module, images: Tensor, size: int, place: torch.device, *, steps: int = 2) -> bool:
    """True when forward and backward passes in bf16 autocast are faster than in float32.

    A GPU always uses bf16. A CPU does when it has the instructions (AMX, AVX512-BF16); without them it is slower,
    which two timed steps of each tell.

    Args:
        network: the network to time; its weights, statistics and gradients are left as they were.
        images: ``(N, 48, 48)``; only N and the device matter.
        size: input side, px.
        place: the device.
        steps: timed steps of each kind.
    """
    if place.type != "cpu":
        return True
    x = torch.zeros(len(images), 1, size, size).contiguous(memory_format=torch.channels_last)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    random_state = torch.get_rng_state()
    network.train()
    seconds = {}
    for enabled in (False, True):
        for step in range(steps + 1):
            if step == 1:  # the first pass of each kind prepares its kernels
                began = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                emotion_logits, vote_logits = network(x)
                loss = emotion_logits.float().square().mean() + vote_logits.float().square().mean()
            loss.backward()
        seconds[enabled] = time.perf_counter() - began
    network.zero_grad(set_to_none=True)
    network.load_state_dict(before)
    torch.set_rng_state(random_state)
    return seconds[True] < seconds[False]
