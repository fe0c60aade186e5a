"""Drawn faces to practise on, for whoever has no data yet: a small FER2013 whose truth is known.

The faces are fervid's own drawings (:mod:`fervid.drawing.emoji`), which differ as photos do: light, place, tilt, noise.
Like the real set this one is unbalanced, its labels are noisy, ten people voted, and it holds copies, leaks and blanks.
A network that learned from drawings reads drawings: it is of no use on photos.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.datasets.faceset import FACE_SIZE, SPLITS, TRAINING, VOTE_COLUMNS, VOTERS, FaceSet
from fervid.drawing.emoji import render_emoji
from fervid.emotions import EMOTIONS, Emotion
from fervid.errors import UsageError
from fervid.imaging import crop_resize
from fervid.values import Box

FEWEST: Final = 200
"""Faces of the smallest set: each test split has 20 then."""

SHARES: Final = {
    Emotion.ANGRY: 0.14,
    Emotion.DISGUST: 0.03,
    Emotion.FEAR: 0.14,
    Emotion.HAPPY: 0.25,
    Emotion.SAD: 0.17,
    Emotion.SURPRISE: 0.11,
    Emotion.NEUTRAL: 0.16,
}
"""How common each expression is, about as in FER2013."""

FLAWED: Final = 0.02
"""Share of Training that has a copy: one half in Training itself, the other half in the tests."""

_DRAWINGS: Final = 12
"""Mixtures drawn of each expression; every face is a changed picture of one of them."""
_SIDE: Final = 96
_MOST_MIXED: Final = 0.45
"""Largest share of a mixture's second expression."""
_UNKNOWN: Final = 0.04
"""Share of the votes that name no expression."""


def draw_practice_faces(count: int = 3000, *, seed: int = 0) -> FaceSet:
    """Draw a labelled face set: four fifths Training, one tenth each PublicTest and PrivateTest.

    Each face mixes two expressions. The label is drawn from the mixture, as are ten votes: where a face is ambiguous
    the label may be the other one, and people disagree. A hundredth of Training stands in Training again, as many
    faces stand in a test split too, all of them labelled anew; and each split has a blank face.

    Args:
        count: faces, 200 or more.
        seed: of everything; the same faces every time.

    Raises:
        UsageError: there are fewer faces than that.
    """
    if count < FEWEST:
        raise UsageError(f"{count} practice faces are too few", advice=f"Ask for {FEWEST} or more.")
    rng = np.random.default_rng(seed)
    splits = np.repeat(np.arange(len(SPLITS)), (count - 2 * (count // 10), count // 10, count // 10))
    drawings, mixtures = _draw_mixtures()
    shares = np.array([SHARES[emotion] for emotion in EMOTIONS])
    kinds = rng.choice(len(EMOTIONS), count, p=shares / shares.sum())
    chosen = kinds * _DRAWINGS + rng.integers(0, _DRAWINGS, count)
    images = np.array([_change(drawings[i], rng) for i in chosen])
    truths = mixtures[chosen]
    emotions, votes = _ask_people(truths, rng)
    _plant_flaws(images, emotions, votes, truths, splits, rng)
    return FaceSet(images, emotions, splits.astype(np.int64), votes)


@lru_cache(maxsize=1)
def _draw_mixtures() -> tuple[tuple[NDArray[np.uint8], ...], NDArray[np.float64]]:
    """Drawings ``(96, 96, 4)``, as many of each expression, and their ``(N, 7)`` mixtures; the same for every seed."""
    rng = np.random.default_rng(0)
    drawings, mixtures = [], []
    for kind in range(len(EMOTIONS)):
        for _ in range(_DRAWINGS):
            mixture = np.zeros(len(EMOTIONS))
            other = (kind + rng.integers(1, len(EMOTIONS))) % len(EMOTIONS)
            mixture[other] = rng.uniform(0, _MOST_MIXED)
            mixture[kind] = 1 - mixture[other]
            drawings.append(render_emoji(dict(zip(EMOTIONS, mixture.tolist(), strict=True)), _SIDE))
            mixtures.append(mixture)
    return tuple(drawings), np.array(mixtures)


def _change(drawing: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """One ``(48, 48)`` photo of a drawing: in some light, before something, tilted, off the middle, and noisy."""
    y, x = np.mgrid[-1 : 1 : _SIDE * 1j, -1 : 1 : _SIDE * 1j]
    light = 1 + rng.uniform(-0.35, 0.35) * x + rng.uniform(-0.25, 0.25) * y
    behind = rng.uniform(20, 220) + rng.uniform(-60, 60) * x + rng.uniform(-60, 60) * y
    alpha = drawing[..., 3] / 255
    head = drawing[..., :3].mean(axis=2) * light * rng.uniform(0.55, 1.1)
    picture = np.clip(head * alpha + behind * (1 - alpha), 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    side = _SIDE * rng.uniform(0.72, 0.95)
    left, top = (_SIDE - side) / 2 + rng.uniform(-0.05, 0.05, 2) * _SIDE
    face = crop_resize(picture, Box(left, top, left + side, top + side), FACE_SIZE, float(rng.normal(0, 7)))
    noisy = face + rng.normal(0, rng.uniform(1, 14), face.shape)
    return np.asarray(np.clip(np.rint(noisy), 0, 255), dtype=np.uint8)


def _ask_people(mixtures: NDArray[np.float64], rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """One person's label ``(N,)`` of each face, and the votes ``(N, 10)`` of ten others."""
    names = list(VOTE_COLUMNS)
    labels = np.array([rng.choice(len(EMOTIONS), p=mixture) for mixture in mixtures], dtype=np.int64)
    chances = np.zeros((len(mixtures), len(names)))
    chances[:, [names.index(emotion) for emotion in EMOTIONS]] = mixtures * (1 - _UNKNOWN)
    chances[:, names.index("unknown")] = _UNKNOWN
    return labels, rng.multinomial(VOTERS, chances).astype(np.int64)


def _plant_flaws(
    images: NDArray[np.uint8],
    emotions: NDArray[np.int64],
    votes: NDArray[np.int64],
    mixtures: NDArray[np.float64],
    splits: NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    """Overwrite some faces with copies of Training faces, each labelled anew, and one of each split with nothing."""
    training = np.flatnonzero(splits == SPLITS.index(TRAINING))
    copies = max(2, round(FLAWED * len(training) / 2))
    picked = rng.permutation(training)
    tests = rng.permutation(np.flatnonzero(splits != SPLITS.index(TRAINING)))
    sources = picked[: 2 * copies]
    places = np.concatenate([picked[2 * copies : 3 * copies], tests[:copies]])
    images[places] = images[sources]
    emotions[places], votes[places] = _ask_people(mixtures[sources], rng)
    for split in range(len(SPLITS)):
        free = np.setdiff1d(np.flatnonzero(splits == split), np.concatenate([places, sources]))
        images[free[0]] = int(rng.integers(0, 256))
