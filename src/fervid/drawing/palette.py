"""The colour of every expression, the same in annotated pictures, plots and pages.

The hues are Okabe & Ito's (https://jfly.uni-koeln.de/color/) and a grey for neutral, moved a little so that any two are
at least 0.1 apart in Oklab for full colour vision and for simulated protanopia, deuteranopia and tritanopia
(Machado et al. 2009, doi:10.1109/TVCG.2009.113), and at least 3:1 in contrast to :data:`INK`.
"""

from __future__ import annotations

from typing import Final

from fervid.emotions import CONTEMPT, Emotion
from fervid.errors import UsageError

Colour = tuple[int, int, int]
"""Red, green, blue, 0–255, sRGB."""

INK: Final[Colour] = (22, 24, 29)
PAPER: Final[Colour] = (255, 255, 255)
UNCERTAIN: Final[Colour] = (255, 255, 255)

SPEAKS_FOR: Final[Colour] = (255, 84, 0)
SPEAKS_AGAINST: Final[Colour] = (0, 110, 255)
"""Warm and cool ends of the evidence: orange and blue stay apart in every colour vision."""

_COLOURS: Final[dict[str, Colour]] = {
    Emotion.ANGRY: (238, 80, 0),
    Emotion.DISGUST: (0, 154, 101),
    Emotion.FEAR: (177, 127, 185),
    Emotion.HAPPY: (255, 222, 58),
    Emotion.SAD: (61, 105, 154),
    Emotion.SURPRISE: (9, 206, 255),
    Emotion.NEUTRAL: (177, 177, 177),
    CONTEMPT: (245, 160, 34),
}


def emotion_colour(label: str | None) -> Colour:
    """The colour of an expression; of an uncertain face when ``label`` is None.

    Raises:
        UsageError: the label is none of :data:`fervid.emotions.VOTE_LABELS`.
    """
    if label is None:
        return UNCERTAIN
    try:
        return _COLOURS[label]
    except KeyError:
        raise UsageError(f"no colour for the label {label!r}", advice=f"Use one of: {', '.join(_COLOURS)}.") from None


def to_hex(colour: Colour) -> str:
    """``#rrggbb``."""
    return "#" + "".join(f"{channel:02x}" for channel in colour)


def relative_luminance(colour: Colour) -> float:
    """0 for black to 1 for white, as WCAG 2.2 defines it."""
    red, green, blue = (
        (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4) for v in (c / 255 for c in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast_ratio(colour: Colour, other: Colour) -> float:
    """1 for equal colours to 21 for black on white, as WCAG 2.2 defines it."""
    low, high = sorted((relative_luminance(colour), relative_luminance(other)))
    return (high + 0.05) / (low + 0.05)


def text_colour(background: Colour) -> Colour:
    """Ink or paper, whichever reads better on ``background``."""
    return max((INK, PAPER), key=lambda colour: contrast_ratio(colour, background))
