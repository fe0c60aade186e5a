"""What a detector is taught: objectness, quality, box and points of its cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from fervid.training.detection.assignment import Grid, assign_cells, decode_boxes, pairwise_overlap
from fervid.training.detection.config import LossConfig
from fervid.training.detection.data import Batch

SURE: Final = (0.4, 0.8)
"""Teacher's scores at which a face counts nothing and fully; between them it counts in proportion."""

BEND: Final = 0.02
"""Where the points' smooth L1 turns from a square into a line, in sides of the face."""


def compute_losses(outputs: Sequence[Tensor], batch: Batch, grid: Grid, config: LossConfig) -> dict[str, Tensor]:
    """The loss and its parts, each per assigned cell and weighted.

    Objectness is a cross-entropy over all cells outside doubtful places; class is one over the assigned cells, whose
    target is the overlap of box and face (so the score tells how good a box is); boxes lose by EIoU (Zhang et al. 2022,
    arXiv:2101.08158), points by a smooth L1 in sides of the face. A face counts by its teacher's score.

    Args:
        outputs: of the network, one ``(N, cells, 16)`` per stride.
        batch: the scenes; images are not read.
        grid: of the input.
        config: weights of the parts.

    Returns:
        ``loss``, and ``objectness``, ``quality``, ``box`` and ``landmarks``, which it is the sum of.
    """
    numbers = torch.cat(list(outputs), dim=1).float()
    logits, found = numbers[..., :2], decode_boxes(numbers[..., 2:6], grid.origins, grid.strides)
    scenes, cells, faces = assign_cells(logits.detach(), found.detach(), batch.owners, batch.boxes, grid)
    weights = ((batch.scores - SURE[0]) / (SURE[1] - SURE[0])).clamp(0, 1)[faces]
    total = weights.sum().clamp(min=1)

    counted = (~find_doubtful(batch, grid, len(numbers))).float()
    targets = torch.zeros_like(counted)
    counted[scenes, cells], targets[scenes, cells] = weights, 1.0
    if config.focus:
        counted = counted * (targets - logits[..., 1].detach().sigmoid()).abs() ** config.focus
    objectness = F.binary_cross_entropy_with_logits(logits[..., 1], targets, counted, reduction="sum") / total

    boxes, truths = found[scenes, cells], batch.boxes[faces]
    overlaps = pairwise_overlap(boxes, truths)
    quality = F.binary_cross_entropy_with_logits(
        logits[scenes, cells, 0], overlaps.detach().clamp(0, 1), weights, reduction="sum"
    )
    box = (weights * measure_boxes(boxes, truths, overlaps)).sum()

    sides = (truths[:, 2:] - truths[:, :2]).prod(dim=1).clamp(min=1).sqrt()[:, None, None]
    offsets = numbers[scenes, cells, 6:].reshape(-1, 5, 2)
    points = grid.origins[cells][:, None] + offsets * grid.strides[cells][:, None, None]
    known = batch.landmarks[faces].isfinite()
    goals = torch.where(known, batch.landmarks[faces], points.detach())
    errors = F.smooth_l1_loss(points / sides, goals / sides, beta=BEND, reduction="none").sum(dim=(1, 2))
    landmarks = (weights * errors).sum()

    parts = {
        "objectness": config.objectness * objectness,
        "quality": config.quality * quality / total,
        "box": config.box * box / total,
        "landmarks": config.landmarks * landmarks / total,
    }
    return {"loss": torch.stack(list(parts.values())).sum(), **{key: part.detach() for key, part in parts.items()}}


def find_doubtful(batch: Batch, grid: Grid, scenes: int) -> Tensor:
    """``(N, C)`` cells whose middle lies in a doubtful place, or half a cell beside it."""
    result = torch.zeros(scenes, len(grid.strides), dtype=torch.bool, device=grid.strides.device)
    if not len(batch.ignored):
        return result
    middles, margin = grid.origins + grid.strides[:, None] / 2, grid.strides[:, None] / 2
    inside = (middles + margin >= batch.ignored[:, None, :2]) & (middles - margin <= batch.ignored[:, None, 2:])
    place, cell = inside.all(dim=-1).nonzero(as_tuple=True)
    result[batch.ignored_owners[place], cell] = True
    return result


def measure_boxes(boxes: Tensor, truths: Tensor, overlaps: Tensor) -> Tensor:
    """EIoU loss of boxes ``(P, 4)`` against truths: 1 − IoU and the distances of centres, widths and heights."""
    around = torch.maximum(boxes[:, 2:], truths[:, 2:]) - torch.minimum(boxes[:, :2], truths[:, :2])
    squares = around.square().clamp(min=1e-6)
    apart = ((boxes[:, :2] + boxes[:, 2:]) - (truths[:, :2] + truths[:, 2:])) / 2
    sides = (boxes[:, 2:] - boxes[:, :2]) - (truths[:, 2:] - truths[:, :2])
    distance = apart.square().sum(dim=1) / squares.sum(dim=1)
    return 1 - overlaps + distance + (sides.square() / squares).sum(dim=1)
