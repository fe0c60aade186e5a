"""Whether bfloat16 pays on this machine: measured, not guessed."""

from __future__ import annotations

import time
from typing import Final

import torch
from torch import nn

WORTHWHILE: Final = 0.9
"""Share of float32's time that bfloat16 may take on a CPU; a smaller gain is noise and not worth the lost digits."""


def choose_precision(network: nn.Module, batch_size: int, size: int, place: torch.device, *, steps: int = 2) -> bool:
    """True when forward and backward passes in bf16 autocast are clearly faster than in float32.

    A GPU is taken at its word. A CPU gains where it has the instructions (AMX, AVX512-BF16) and loses without them,
    which a few timed steps of each tell.

    Args:
        network: the network to time; its weights, statistics, gradients and mode are left as they were.
        batch_size: faces in a step.
        size: input side, px.
        place: the device.
        steps: timed steps of each kind.
    """
    if place.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    x = torch.zeros(batch_size, 1, size, size).contiguous(memory_format=torch.channels_last)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    random_state, mode = torch.get_rng_state(), network.training
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
    network.train(mode)
    torch.set_rng_state(random_state)
    return seconds[True] < WORTHWHILE * seconds[False]
