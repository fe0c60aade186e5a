"""Mixup: faces and their targets, averaged in pairs (Zhang et al. 2018, arXiv:1710.09412)."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from fervid.training.expressions.losses import Targets


def draw_shares(steps: int, batch_size: int, alpha: float, *, seed: int, epoch: int, place: torch.device) -> Tensor:
    """``(steps, batch_size)`` float32 shares that the faces of an epoch keep of themselves, from Beta(α, α).

    They are drawn ahead, off the device: torch draws no Beta from a generator, and a step must not wait for a number.
    """
    shares = np.random.default_rng((seed, epoch)).beta(alpha, alpha, (steps, batch_size))
    return torch.from_numpy(shares.astype(np.float32)).to(place)


def mix(faces: Tensor, targets: Targets, shares: Tensor) -> tuple[Tensor, Targets]:
    """Average each face with the one as far from the batch's other end; batches are in random order already.

    Args:
        faces: ``(n, 1, S, S)``.
        targets: of the faces; all of them distributions.
        shares: ``(n,)`` that each face keeps of itself.
    """

    def blend(values: Tensor) -> Tensor:
        weight = shares.view(-1, *[1] * (values.ndim - 1))
        return torch.lerp(values.flip(0), values, weight)

    mixed = {f.name: blend(value) for f in fields(targets) if (value := getattr(targets, f.name)) is not None}
    return blend(faces).contiguous(memory_format=torch.channels_last), Targets(**mixed)
