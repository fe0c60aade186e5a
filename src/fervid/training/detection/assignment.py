"""Which cells answer for which face: SimOTA (Ge et al. 2021, arXiv:2107.08430, 2.1), for a whole batch at once.

The cells around a face's centre compete for it on every stride. Those that now answer best take it; how many, the sum
of the best overlaps says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from fervid.training.detection.network import STRIDES

REACH: Final = 2
"""Cells from a face's centre to the farthest candidate, along either axis, on every stride."""

MOST: Final = 10
"""Most cells of a face."""

OVERLAP_WEIGHT: Final = 3.0
"""What −log IoU counts against −log score."""

RANGES: Final = ((0.0, 40.0), (26.0, 104.0), (68.0, float("inf")))
"""Sizes of the faces that are natural to each stride, px; beyond them a candidate is worse by the distance in octaves,
times two: without it, the first steps would give faces to strides at random."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The cells of all strides, one after another.

    Attributes:
        origins: ``(C, 2)`` corner of each cell, px.
        strides: ``(C,)`` px.
        shapes: rows and columns of each stride.
        starts: first cell of each stride.
    """

    origins: Tensor
    strides: Tensor
    shapes: tuple[tuple[int, int], ...]
    starts: tuple[int, ...]


def make_grid(height: int, width: int, place: torch.device) -> Grid:
    """The cells of an input of that size, px."""
    origins, strides, shapes, starts, start = [], [], [], [], 0
    for stride in STRIDES:
        rows, columns = height // stride, width // stride
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        origins.append(torch.stack([x, y], dim=-1).reshape(-1, 2) * stride)
        strides.append(torch.full((rows * columns,), stride))
        shapes.append((rows, columns))
        starts.append(start)
        start += rows * columns
    return Grid(
        torch.cat(origins).float().to(place), torch.cat(strides).float().to(place), tuple(shapes), tuple(starts)
    )


def decode_boxes(numbers: Tensor, origins: Tensor, strides: Tensor) -> Tensor:
    """Boxes x1, y1, x2, y2 in px from the four numbers of cells, see :class:`.network.DetectionNetwork`."""
    centres = origins + numbers[..., :2] * strides[..., None]
    halves = numbers[..., 2:].clamp(max=8).exp() * strides[..., None] / 2
    return torch.cat([centres - halves, centres + halves], dim=-1)


def find_candidates(boxes: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """The cells around each face's centre, on every stride.

    Args:
        boxes: ``(F, 4)`` px.
        grid: of the input.

    Returns:
        ``(F, K)`` indices of cells, and whether each exists and lies in the face: within 0.4 of its width and height
        from the centre, or the cell that holds the centre.
    """
    centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    steps = torch.arange(-REACH, REACH + 1, device=boxes.device)
    dy, dx = (axis.reshape(-1) for axis in torch.meshgrid(steps, steps, indexing="ij"))
    cells, valid = [], []
    for stride, (rows, columns), start in zip(STRIDES, grid.shapes, grid.starts, strict=True):
        middle = (centres / stride).floor().long()
        x, y = middle[:, :1] + dx, middle[:, 1:] + dy
        inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
        distance_x = ((x + 0.5) * stride - centres[:, :1]).abs()
        distance_y = ((y + 0.5) * stride - centres[:, 1:]).abs()
        close = (distance_x <= 0.4 * sides[:, :1]) & (distance_y <= 0.4 * sides[:, 1:])
        close |= (dx == 0) & (dy == 0)
        cells.append(start + y.clamp(0, rows - 1) * columns + x.clamp(0, columns - 1))
        valid.append(inside & close)
    return torch.cat(cells, dim=1), torch.cat(valid, dim=1)


@torch.no_grad()
def assign_cells(
    logits: Tensor, found: Tensor, owners: Tensor, boxes: Tensor, grid: Grid
) -> tuple[Tensor, Tensor, Tensor]:
    """Give every face its cells.

    Args:
        logits: ``(N, C, 2)`` class and objectness.
        found: ``(N, C, 4)`` the boxes that the cells say, px.
        owners: ``(F,)`` scene of each face.
        boxes: ``(F, 4)`` px.
        grid: of the input.

    Returns:
        ``(P,)`` scene, cell and face of each pair; no cell occurs twice.
    """
    cells, valid = find_candidates(boxes, grid)
    scenes = owners[:, None].expand_as(cells)
    overlaps = pairwise_overlap(found[scenes, cells], boxes[:, None])
    score = torch.nn.functional.logsigmoid(logits[scenes, cells]).mean(dim=-1)  # of the square root of the product
    sizes = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).clamp(min=1).sqrt()[:, None]
    lows, highs = torch.tensor(RANGES, device=boxes.device).unbind(dim=1)
    level = torch.arange(len(STRIDES), device=boxes.device).repeat_interleave((2 * REACH + 1) ** 2)
    octaves = (sizes / highs[level]).log2().clamp(min=0) + (lows[level] / sizes).log2().clamp(min=0)
    cost = -score - OVERLAP_WEIGHT * overlaps.clamp(min=1e-8).log() + 2 * octaves
    cost = torch.where(valid, cost, torch.full_like(cost, 1e9))
    best = torch.where(valid, overlaps, torch.zeros_like(overlaps)).topk(MOST, dim=1).values.sum(dim=1)
    wanted = best.int().clamp(min=1)
    costs, order = cost.topk(MOST, dim=1, largest=False)
    taken = (torch.arange(MOST, device=boxes.device) < wanted[:, None]) & (costs < 1e8)
    faces, ranks = taken.nonzero(as_tuple=True)
    places = scenes[faces, 0] * logits.shape[1] + cells[faces, order[faces, ranks]]
    # A cell that several faces want goes to the one it answers best.
    price = costs[faces, ranks]
    cheapest = torch.full((logits.shape[0] * logits.shape[1],), torch.inf, device=boxes.device)
    cheapest.scatter_reduce_(0, places, price, "amin")
    won = price <= cheapest[places]
    places, faces = places[won], faces[won]
    places, first = _keep_first(places)
    return places // logits.shape[1], places % logits.shape[1], faces[first]


def _keep_first(places: Tensor) -> tuple[Tensor, Tensor]:
    """Each place once, and where it stood first: two faces may pay the same price."""
    unique, inverse = torch.unique(places, return_inverse=True)
    first = torch.full((len(unique),), len(places), device=places.device)
    first.scatter_reduce_(0, inverse, torch.arange(len(places), device=places.device), "amin")
    return unique, first


def pairwise_overlap(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of boxes with boxes, by broadcasting: ``(…, 4)`` to ``(…)``."""
    corner = torch.minimum(first[..., 2:], second[..., 2:]) - torch.maximum(first[..., :2], second[..., :2])
    shared = corner.clamp(min=0).prod(dim=-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(dim=-1) for boxes in (first, second)]
    return shared / (areas[0] + areas[1] - shared).clamp(min=1e-6)
