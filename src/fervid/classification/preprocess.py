"""From a picture and face squares to the network's input: used by training, evaluation and inference alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fervid.geometry import Square
from fervid.imaging import crop_resize
from fervid.models.spec import ModelSpec


def preprocess(image: NDArray[np.uint8], squares: Sequence[Square], spec: ModelSpec) -> NDArray[np.float32]:
    """Cut, resize and normalise.

    Args:
        image: ``(H, W, 3)`` RGB or ``(H, W)`` grey, uint8.
        squares: one square per face in FER2013's framing.
        spec: of the network.

    Returns:
        ``(N, 1, S, S)`` float32.
    """
    inputs = np.empty((len(squares), 1, spec.size, spec.size), dtype=np.float32)
    for i, square in enumerate(squares):
        shown = square.shrink(spec.crop)
        inputs[i, 0] = crop_resize(image, shown.box, spec.size, shown.angle_deg)
    return (inputs - np.float32(spec.mean)) / np.float32(spec.std)


def stack_inputs(parts: Sequence[NDArray[np.float32]], spec: ModelSpec) -> NDArray[np.float32]:
    """The inputs of several pictures as one batch ``(N, 1, S, S)``; N may be 0."""
    return np.concatenate([np.empty((0, 1, spec.size, spec.size), dtype=np.float32), *parts])
