"""Mixing colours as eyes do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Tint = tuple[float, float, float]
"""Red, green, blue, 0–255, sRGB, not rounded."""

# Oklab (Ottosson 2020, https://bottosson.github.io/posts/oklab/): linear sRGB to cone responses, and their cube roots
# to lightness, green–red and blue–yellow.
_TO_CONES: Final = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB: Final = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_FROM_CONES: Final = np.linalg.inv(_TO_CONES)
_FROM_LAB: Final = np.linalg.inv(_TO_LAB)


def mix_tints(tints: Sequence[Tint], shares: Sequence[float]) -> Tint:
    """The weighted mean in Oklab, kept as vivid as its parts.

    The mean of red and green is a mud; its hue stays, and its chroma is raised towards the mean chroma of the parts, by
    at most a quarter.

    Args:
        tints: at least one.
        shares: as many weights that sum to 1.
    """
    labs, weights = rgb_to_oklab(np.array(tints, dtype=np.float64)), np.array(shares, dtype=np.float64)
    mean = weights @ labs
    wanted, got = float(weights @ np.hypot(labs[:, 1], labs[:, 2])), float(np.hypot(mean[1], mean[2]))
    mean[1:] *= min(1.25, wanted / got) if got > 1e-9 else 1.0
    red, green, blue = oklab_to_rgb(mean).tolist()
    return red, green, blue


def rgb_to_oklab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(…, 3)`` sRGB 0–255 to Oklab."""
    values = rgb / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T)


def oklab_to_rgb(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(…, 3)`` Oklab to sRGB, clipped to 0–255."""
    linear = np.clip((lab @ _FROM_LAB.T) ** 3 @ _FROM_CONES.T, 0, 1)
    return np.asarray(255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))
