"""From outputs of YuNet's layout, which :mod:`fervid.models.detectorspec` tells, to boxes, scores and points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

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
    boxes, scores, landmarks = [], [], []
    for stride in strides:
        columns, rows = width // stride, height // stride
        classes = np.clip(outputs[f"cls_{stride}"].reshape(rows * columns).astype(np.float64), 0, 1)
        objectness = np.clip(outputs[f"obj_{stride}"].reshape(rows * columns).astype(np.float64), 0, 1)
        score = np.sqrt(classes * objectness)
        chosen = np.flatnonzero(score >= score_threshold)
        cells = np.stack([chosen % columns, chosen // columns], axis=-1).astype(np.float64)
        offsets = outputs[f"bbox_{stride}"].reshape(rows * columns, 4)[chosen].astype(np.float64)
        centres = (cells + offsets[:, :2]) * stride
        halves = np.exp(np.minimum(offsets[:, 2:], MAX_LOGARITHM)) * stride / 2
        points = outputs[f"kps_{stride}"].reshape(rows * columns, 5, 2)[chosen].astype(np.float64)
        boxes.append(np.concatenate([centres - halves, centres + halves], axis=1))
        scores.append(score[chosen])
        landmarks.append((points + cells[:, None]) * stride)
    return np.concatenate(boxes), np.concatenate(scores), np.concatenate(landmarks)
