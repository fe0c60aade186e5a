"""A labelled set of 48×48 faces in memory, and the names its columns go by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from fervid.emotions import CONTEMPT, EMOTIONS, VOTE_LABELS, Emotion, fold_label_indices
from fervid.errors import DatasetError

FACE_SIZE: Final = 48
"""Side of a FER2013 face, px."""

TRAINING: Final = "Training"
PUBLIC_TEST: Final = "PublicTest"
PRIVATE_TEST: Final = "PrivateTest"
SPLITS: Final = (TRAINING, PUBLIC_TEST, PRIVATE_TEST)
"""FER2013's splits by their official names."""

VOTERS: Final = 10
"""People who looked at each face for FER+."""

VOTE_COLUMNS: Final[dict[str, str]] = {
    Emotion.NEUTRAL: "neutral",
    Emotion.HAPPY: "happiness",
    Emotion.SURPRISE: "surprise",
    Emotion.SAD: "sadness",
    Emotion.ANGRY: "anger",
    Emotion.DISGUST: "disgust",
    Emotion.FEAR: "fear",
    CONTEMPT: "contempt",
    "unknown": "unknown",
    "not-a-face": "NF",
}
"""What each FER+ column counts, in the order of ``fer2013new.csv``."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceRow:
    """One labelled face on its way from a source to a :class:`FaceSet` or a file.

    Attributes:
        image: ``(48, 48)`` uint8 grey.
        emotion: index into :data:`fervid.emotions.EMOTIONS`.
        split: index into :data:`SPLITS`.
        votes: ten FER+ counts in the order of :data:`VOTE_COLUMNS`, or None.
        where: file and line, row or picture that it came from, as errors name it.
    """

    image: NDArray[np.uint8]
    emotion: int
    split: int
    votes: tuple[int, ...] | None = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class FaceSet:
    """Faces with their labels.

    Attributes:
        images: ``(N, 48, 48)`` uint8 grey.
        emotions: ``(N,)`` int64 indices into :data:`fervid.emotions.EMOTIONS`.
        splits: ``(N,)`` int64 indices into :data:`SPLITS`.
        votes: ``(N, 10)`` int64 FER+ counts in the order of :data:`VOTE_COLUMNS`, or None when they were not joined.
    """

    images: NDArray[np.uint8]
    emotions: NDArray[np.int64]
    splits: NDArray[np.int64]
    votes: NDArray[np.int64] | None = None

    @classmethod
    def from_rows(cls, rows: Sequence[FaceRow]) -> Self:
        """Gather rows; the set has votes when every row has."""
        votes = [row.votes for row in rows if row.votes is not None]
        return cls(
            np.array([row.image for row in rows], dtype=np.uint8).reshape(-1, FACE_SIZE, FACE_SIZE),
            np.array([row.emotion for row in rows], dtype=np.int64),
            np.array([row.split for row in rows], dtype=np.int64),
            np.array(votes, dtype=np.int64) if votes and len(votes) == len(rows) else None,
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: NDArray[np.integer] | NDArray[np.bool_] | slice) -> FaceSet:
        votes = None if self.votes is None else self.votes[rows]
        return FaceSet(self.images[rows], self.emotions[rows], self.splits[rows], votes)

    def split(self, name: str) -> FaceSet:
        """The rows of one split.

        Raises:
            DatasetError: there is no split of that name, or it has no rows.
        """
        if name not in SPLITS:
            raise DatasetError(f"unknown split {name!r}", advice=f"Use one of: {', '.join(SPLITS)}.")
        part = self[self.splits == SPLITS.index(name)]
        if not len(part):
            raise DatasetError(f"the data has no {name} rows", advice="Prepare it from a source that has this split.")
        return part

    def vote_distribution(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """How ten people would vote, as a distribution over the eight expressions.

        Returns:
            ``(N, 8)`` float32 in the order of :data:`fervid.emotions.VOTE_LABELS` (votes for *unknown* and *not a face*
            left out, rows sum to 1), and ``(N,)`` bool: whether more people chose an expression than left it out.
            Rows without that, and all rows of a set without votes, are uniform.
        """
        uniform = np.full((len(self), len(VOTE_LABELS)), 1 / len(VOTE_LABELS), dtype=np.float32)
        if self.votes is None:
            return uniform, np.zeros(len(self), dtype=np.bool_)
        names = list(VOTE_COLUMNS)
        counts = self.votes[:, [names.index(label) for label in VOTE_LABELS]].astype(np.float32)
        total = counts.sum(axis=1)
        usable = total > self.votes.sum(axis=1) - total
        distribution = np.where(usable[:, None], counts / np.maximum(total, 1)[:, None], uniform)
        return distribution.astype(np.float32), usable

    def vote_majority(self) -> NDArray[np.int64]:
        """The emotion that got more of the ten votes than anything else: a plurality, which three may be.

        Returns:
            ``(N,)`` indices into :data:`fervid.emotions.EMOTIONS`; −1 where two expressions tie, where contempt,
            *unknown* or *not a face* wins, and everywhere in a set without votes.
        """
        if self.votes is None:
            return np.full(len(self), -1, dtype=np.int64)
        names = list(VOTE_COLUMNS)
        emotions = [names.index(e) for e in Emotion]
        winner = self.votes.argmax(axis=1)
        unique = (self.votes == self.votes.max(axis=1, keepdims=True)).sum(axis=1) == 1
        lookup = np.full(len(names), -1, dtype=np.int64)
        lookup[emotions] = np.arange(len(emotions))
        return np.where(unique & (self.votes.max(axis=1) > 0), lookup[winner], -1)


def find_truth(faces: FaceSet, labels: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What the label says of each face, and what FER+'s votes say, in the system of 7 or 6 labels.

    Returns:
        ``(N,)`` labels and ``(N,)`` FER+ majorities (−1 where unknown, see :meth:`FaceSet.vote_majority`): indices into
        :func:`fervid.emotions.emotions_for`. With 6, a vote for disgust counts for anger before a majority is sought.
    """
    if labels == len(EMOTIONS):
        return faces.emotions, faces.vote_majority()
    majority = _fold_votes(faces).vote_majority()
    known = majority >= 0
    majority[known] = fold_label_indices(majority[known])
    return fold_label_indices(faces.emotions), majority


def _fold_votes(faces: FaceSet) -> FaceSet:
    """The faces with their votes for disgust counted as votes for anger."""
    if faces.votes is None:
        return faces
    names = list(VOTE_COLUMNS)
    angry, disgust = names.index(Emotion.ANGRY), names.index(Emotion.DISGUST)
    votes = faces.votes.copy()
    votes[:, angry] += votes[:, disgust]
    votes[:, disgust] = 0
    return FaceSet(faces.images, faces.emotions, faces.splits, votes)
