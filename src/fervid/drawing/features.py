"""What a drawn face looks like as numbers, and how faces mix.

Every expression is a point in one continuous space, so a distribution over expressions is a mean of points: 60 % happy
and 40 % surprise is six tenths of the way from the surprised face to the happy one. Lengths are in the units of the
drawing, whose head is a circle of radius 96 around (0, 0), y downwards.
"""

from __future__ import annotations

import dataclasses
import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fervid.drawing.mixing import Tint, mix_tints
from fervid.emotions import CONTEMPT, VOTE_LABELS, Emotion, parse_emotion
from fervid.errors import UsageError
from fervid.results import Distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """A face in numbers; the defaults are the neutral face.

    Attributes:
        head_top: colour of the head at its top.
        head_bottom: colour of the head at its bottom.
        blush: opacity of the cheeks, 0–1.
        brow_height: how far the middle of the brows stands above the middle of the eyes.
        brow_slant: how much lower the inner end of a brow is than its outer end.
        brow_arch: how far a brow bulges upwards.
        brow_asymmetry: how much higher the brow on the picture's right stands than the one on its left.
        eye_width: half the distance between an eye's corners.
        lid_upper: how far the upper lid bulges above the corners.
        lid_lower: how far the lower lid hangs below the corners; negative when a cheek pushes it up.
        lid_slant: how much lower the inner corner is than the outer one.
        lash: thickness of the line along the upper lid.
        pupil: radius of the pupils.
        gaze_x: where the pupils look, to the picture's right.
        gaze_y: where the pupils look, downwards.
        wrinkle: depth of the folds above the nose, 0–1.
        mouth_y: height of the mouth.
        mouth_width: half the distance between its corners.
        smile: how far the corners stand above the middle of the line between the lips; negative hangs.
        opening: distance between the lips; below 20 they close faster than it falls.
        roundness: 0 for a mouth that ends in points, 1 for an oval.
        wave: amplitude of a wavering lip.
        skew: how much higher the corner on the picture's right stands than the one on its left.
        teeth: share of the opening that the upper teeth fill, 0–1.
        tongue: size of the tongue inside the mouth, 0–1.
        tongue_out: length of the tongue over the lower lip, 0–1.
        tear: size of the tear, 0–1.
        sweat: size of the drop at the temple, 0–1.
    """

    head_top: Tint = (255, 224, 102)
    head_bottom: Tint = (255, 186, 48)
    blush: float = 0.0
    brow_height: float = 33.0
    brow_slant: float = 0.0
    brow_arch: float = 5.0
    brow_asymmetry: float = 0.0
    eye_width: float = 15.0
    lid_upper: float = 16.0
    lid_lower: float = 17.0
    lid_slant: float = 0.0
    lash: float = 0.0
    pupil: float = 10.5
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    wrinkle: float = 0.0
    mouth_y: float = 44.0
    mouth_width: float = 28.0
    smile: float = 0.0
    opening: float = 0.0
    roundness: float = 0.45
    wave: float = 0.0
    skew: float = 0.0
    teeth: float = 0.0
    tongue: float = 0.0
    tongue_out: float = 0.0
    tear: float = 0.0
    sweat: float = 0.0


_TINTS: Final = ("head_top", "head_bottom")

PURE_FEATURES: Final[Mapping[str, Features]] = {
    Emotion.ANGRY: Features(
        head_top=(232, 62, 48),
        head_bottom=(255, 158, 64),
        brow_height=21,
        brow_slant=17,
        brow_arch=-2,
        eye_width=17,
        lid_upper=3,
        lid_lower=19,
        lid_slant=11,
        lash=3,
        pupil=8.5,
        gaze_y=1,
        wrinkle=0.5,
        mouth_y=46,
        mouth_width=30,
        smile=-14,
    ),
    Emotion.DISGUST: Features(
        head_top=(186, 205, 72),
        head_bottom=(104, 164, 62),
        brow_height=20,
        brow_slant=8,
        brow_arch=2,
        eye_width=17,
        lid_upper=6,
        lid_lower=7,
        lid_slant=4,
        lash=5,
        pupil=7,
        gaze_y=1,
        wrinkle=1,
        mouth_y=42,
        mouth_width=32,
        smile=-13,
        opening=17,
        roundness=0.6,
        tongue_out=1,
    ),
    Emotion.FEAR: Features(
        head_top=(94, 154, 240),
        head_bottom=(186, 222, 240),
        brow_height=38,
        brow_slant=-13,
        brow_arch=3,
        eye_width=18,
        lid_upper=20,
        lid_lower=19,
        pupil=5.5,
        mouth_y=50,
        mouth_width=35,
        smile=-12,
        opening=21,
        roundness=0.8,
        wave=2.6,
        teeth=1,
        sweat=1,
    ),
    Emotion.HAPPY: Features(
        blush=0.55,
        brow_height=36,
        brow_arch=8,
        eye_width=18,
        lid_upper=16,
        lid_lower=-15,
        lash=8.5,
        pupil=9,
        mouth_y=42,
        mouth_width=46,
        smile=25,
        opening=38,
        roundness=0.86,
        teeth=0.3,
        tongue=1,
    ),
    Emotion.SAD: Features(
        head_top=(255, 226, 128),
        head_bottom=(246, 178, 66),
        brow_height=30,
        brow_slant=-14,
        brow_arch=-3,
        eye_width=15,
        lid_upper=11,
        lid_lower=14,
        lid_slant=-6,
        lash=3.5,
        pupil=9.5,
        gaze_y=4,
        mouth_y=52,
        mouth_width=25,
        smile=-13,
        tear=1,
    ),
    Emotion.SURPRISE: Features(
        brow_height=47,
        brow_arch=9,
        eye_width=19,
        lid_upper=22,
        lid_lower=22,
        pupil=7.5,
        mouth_y=51,
        mouth_width=21,
        opening=46,
        roundness=1.05,
        tongue=0.5,
    ),
    Emotion.NEUTRAL: Features(),
    CONTEMPT: Features(
        head_top=(250, 214, 112),
        head_bottom=(238, 170, 62),
        brow_height=29,
        brow_slant=3,
        brow_asymmetry=15,
        eye_width=16,
        lid_upper=3,
        lid_lower=15,
        lash=6,
        pupil=9,
        gaze_x=7,
        gaze_y=1,
        mouth_width=27,
        smile=5,
        skew=20,
    ),
}
"""The eight pure faces."""


def read_distribution(distribution: Mapping[str, float]) -> Distribution:
    """A distribution over :data:`fervid.emotions.VOTE_LABELS`, in their order, from any part of them.

    Raises:
        UsageError: a label is unknown or named twice, or the values are no distribution.
    """
    _check_mapping(distribution)
    given = Distribution(
        [label if label == CONTEMPT else parse_emotion(label) for label in distribution], list(distribution.values())
    )
    values = [max(0.0, given.get(label, 0.0)) for label in VOTE_LABELS]
    total = math.fsum(values)
    return Distribution(VOTE_LABELS, [value / total for value in values])


def _check_mapping(given: object) -> None:
    """A name would be read letter by letter."""
    if not isinstance(given, Mapping):
        advice = "Give probabilities, such as face.probabilities or {'happy': 1.0}."
        raise UsageError(f"{reprlib.repr(given)} is no distribution", advice=advice)


def blend_features(distribution: Mapping[str, float]) -> Features:
    """The face of a distribution over expressions: the mean of the pure faces, weighted by their probabilities.

    Tints mix in Oklab; see :func:`mix_tints`. A nearly even distribution gets a look of indecision on top, which fades
    in above 60 % of the entropy of seven equal probabilities.

    Raises:
        UsageError: see :func:`read_distribution`.
    """
    pairs = [(PURE_FEATURES[label], share) for label, share in read_distribution(distribution).items() if share > 0]
    shares = [share for _, share in pairs]
    values: dict[str, float | Tint] = {}
    for name in (field.name for field in dataclasses.fields(Features)):
        parts = [getattr(pure, name) for pure, _ in pairs]
        values[name] = (
            mix_tints(parts, shares)
            if name in _TINTS
            else math.fsum(part * share for part, share in zip(parts, shares, strict=True))
        )
    entropy = -math.fsum(share * math.log(share) for share in shares) / math.log(7)
    return _hesitate(Features(**values), fade_in(entropy, 0.6, 1.0))  # type: ignore[arg-type]


def _hesitate(features: Features, degree: float) -> Features:
    """One brow up, lips closed and crooked, eyes that look aside, the tint of no expression in particular."""
    calm = Features()
    shares = [1 - 0.7 * degree, 0.7 * degree]
    return dataclasses.replace(
        features,
        head_top=mix_tints([features.head_top, calm.head_top], shares),
        head_bottom=mix_tints([features.head_bottom, calm.head_bottom], shares),
        brow_asymmetry=features.brow_asymmetry + 13 * degree,
        gaze_x=features.gaze_x - 5 * degree,
        gaze_y=features.gaze_y - 3 * degree,
        opening=features.opening * (1 - 0.9 * degree),
        skew=features.skew + 9 * degree,
    )


def fade_in(value: float, start: float, stop: float) -> float:
    """0 up to ``start``, 1 from ``stop`` on, and a smooth step (3t² − 2t³) between."""
    t = min(1.0, max(0.0, (value - start) / (stop - start)))
    return t * t * (3 - 2 * t)
