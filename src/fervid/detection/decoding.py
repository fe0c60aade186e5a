"""From outputs of YuNet's layout, which :mod:`fervid.models.detectorspec` tells, to boxes, scores and points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.geometry import intersection_over_union, suppress_overlaps

AGREEING: Final = 0.65
"""Cells whose boxes overlap a kept one by this much say together where it is."""

HEARD: Final = 0.2
"""Score from which a cell is heard in that."""

_ROUNDING: Final = 1 - 1e-6
"""By how much a product of float32 may come out too small."""

PAIRS: Final = 1 << 22
"""Of boxes that are compared at once: in 12 megapixels an untrained network sees 10,000 faces in 250,000 cells."""

MAX_LOGARITHM: Final = 20.0  # of a box's side in strides: a damaged file must not overflow


def decode(
    outputs: Mapping[str, NDArray[np.float32]],
    width: int,
    height: int,
    strides: Sequence[int],
    *,
    score_threshold: float = 0.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Every cell's box, score and points, from a score on.

    Args:
        outputs: ``cls_S`` and ``obj_S`` ``(1, cells, 1)``, ``bbox_S`` ``(1, cells, 4)`` and ``kps_S``
            ``(1, cells, 10)`` for each stride S, cells row by row.
        width: of the network's input, px.
        height: of the network's input, px.
        strides: px of a cell.
        score_threshold: cells of a lower score are left out.

    Returns:
        ``(N, 4)`` boxes x1, y1, x2, y2 in px of the input, ``(N,)`` scores √(class × objectness), ``(N, 5, 2)`` points.
    """
    found = [np.zeros((0, 19))]
    for stride in strides:
        columns, rows = width // stride, height // stride
        parts = [outputs[f"{kind}_{stride}"].reshape(rows * columns, -1) for kind in ("cls", "obj", "bbox", "kps")]
        if score_threshold > 0:  # nearly all cells go at once; the rest are looked at closely
            likely = np.flatnonzero(parts[0] * parts[1] >= score_threshold**2 * _ROUNDING)
        else:
            likely = np.arange(rows * columns)
        if len(likely):
            places = np.stack([likely % columns, likely // columns, np.full_like(likely, stride)], axis=1)
            found.append(np.concatenate([places, *(part[likely] for part in parts)], axis=1))
    table = np.concatenate(found).astype(np.float64)
    scores = np.sqrt(np.clip(table[:, 3], 0, 1) * np.clip(table[:, 4], 0, 1))
    chosen = scores >= score_threshold
    table = table[chosen]
    cells, sides = table[:, :2], table[:, 2:3]
    centres = (cells + table[:, 5:7]) * sides
    halves = np.exp(np.minimum(table[:, 7:9], MAX_LOGARITHM)) * sides / 2
    landmarks = (table[:, 9:].reshape(-1, 5, 2) + cells[:, None]) * sides[:, None]
    return np.concatenate([centres - halves, centres + halves], axis=1), scores[chosen], landmarks


def merge_cells(
    boxes: NDArray[np.float64],
    scores: NDArray[np.float64],
    landmarks: NDArray[np.float64],
    *,
    overlap_threshold: float,
    score_threshold: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """One box, score and set of points for each face, best first.

    Args:
        boxes: ``(N, 4)``, of :func:`decode`.
        scores: ``(N,)``; include those from :data:`HEARD` on.
        landmarks: ``(N, 5, 2)``.
        overlap_threshold: a cell goes when its box's IoU with a better one's is above this.
        score_threshold: faces of a lower score are left out; their cells are heard all the same.
    """
    kept = [i for i in suppress_overlaps(boxes, scores, overlap_threshold) if scores[i] >= score_threshold]
    if not kept:
        return boxes[kept], scores[kept], landmarks[kept]
    means, points = average_cells(boxes, scores, landmarks, kept)
    return means, scores[kept], points


def average_cells(
    boxes: NDArray[np.float64], scores: NDArray[np.float64], landmarks: NDArray[np.float64], kept: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where faces are by all cells that see them, each counting by the square of its score.

    Box voting (Gidaris & Komodakis 2015, arXiv:1505.01749), of points too: cells err independently enough that a tenth
    of the points' error goes, and boxes overlap the true ones by two points of IoU more.

    Args:
        boxes: ``(N, 4)``.
        scores: ``(N,)``; include those from :data:`HEARD` on.
        landmarks: ``(N, 5, 2)``.
        kept: indices of the K cells that stand for faces.

    Returns:
        ``(K, 4)`` boxes and ``(K, 5, 2)`` points.
    """
    table = np.concatenate([boxes, landmarks.reshape(-1, 10)], axis=1)
    step = max(1, PAIRS // max(1, len(boxes)))
    blocks = [list(kept[start : start + step]) for start in range(0, len(kept), step)]
    means = np.concatenate([np.zeros((0, 14)), *(_average_block(boxes, scores, table, block) for block in blocks)])
    return means[:, :4], means[:, 4:].reshape(-1, 5, 2)


def _average_block(
    boxes: NDArray[np.float64], scores: NDArray[np.float64], table: NDArray[np.float64], chosen: list[int]
) -> NDArray[np.float64]:
    """Rows of ``table`` averaged over the cells that agree with each of the chosen ones."""
    agreeing = intersection_over_union(boxes[chosen], boxes) >= AGREEING
    agreeing[np.arange(len(chosen)), chosen] = True  # also a box without area
    heard = scores >= np.minimum(HEARD, scores[chosen])[:, None]
    voices = np.where(heard & agreeing, np.maximum(scores, 1e-6) ** 2, 0.0)
    return np.asarray(voices @ table / voices.sum(axis=1, keepdims=True))
