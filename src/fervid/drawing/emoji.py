"""The project's own faces: one drawing for every mixture of expressions, as SVG and as pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.drawing.face import build_face
from fervid.drawing.features import blend_features, read_distribution
from fervid.drawing.svg import write_svg
from fervid.errors import UsageError
from fervid.results import Distribution

LARGEST_SIZE: Final = 2048
"""px; more than this is what the SVG is for."""


def draw_emoji(distribution: Distribution | Mapping[str, float]) -> str:
    """The face of a distribution over expressions, as SVG.

    Args:
        distribution: probabilities by label, over any of :data:`fervid.emotions.VOTE_LABELS`; absent labels count as 0.

    Returns:
        One ``<svg>`` element of less than 6 kB, without fonts, scripts or outside references; the same text every time.

    Raises:
        UsageError: a label is unknown, or the values are no distribution.
    """
    return write_svg(build_face(blend_features(distribution)), f"Expression: {describe(distribution)}")


def render_emoji(
    distribution: Distribution | Mapping[str, float], size: int, *, rotation_deg: float = 0.0
) -> NDArray[np.uint8]:
    """The same face as pixels.

    Args:
        distribution: as for :func:`draw_emoji`.
        size: side of the picture, px, 1–2048.
        rotation_deg: clockwise turn.

    Returns:
        ``(size, size, 4)`` uint8 RGBA, transparent around the head.

    Raises:
        UsageError: a label is unknown, the values are no distribution, or the size is out of its range.
    """
    from fervid.drawing.raster import rasterise

    if not 1 <= size <= LARGEST_SIZE:
        raise UsageError(f"an emoji of {size} px cannot be drawn", advice=f"Give a size of 1–{LARGEST_SIZE} px.")
    return rasterise(build_face(blend_features(distribution)), size, rotation_deg=rotation_deg)


def describe(distribution: Distribution | Mapping[str, float]) -> str:
    """A distribution in words, the three largest shares first: ``happy 60 %, surprise 40 %``.

    Raises:
        UsageError: a label is unknown, or the values are no distribution.
    """
    shares = sorted(read_distribution(distribution).items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{label} {share:.0%}".replace("%", " %") for label, share in shares if share >= 0.05)
