"""What is wrong with a labelled set of faces, in figures: imbalance, duplicates, leaks, blanks, disputed labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fervid.datasets.duplicates import NEAR_TWIN_CORRELATION, find_twins, hash_images
from fervid.datasets.faceset import PRIVATE_TEST, PUBLIC_TEST, SPLITS, TRAINING, FaceSet, find_truth
from fervid.emotions import Emotion, emotions_for

TEST_SPLITS: Final = (PUBLIC_TEST, PRIVATE_TEST)


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups of faces with equal pixels.

    Attributes:
        groups: sets of two or more.
        faces: faces in them.
        conflicts: groups whose faces do not all carry the same label.
    """

    groups: int
    faces: int
    conflicts: int

    @property
    def surplus(self) -> int:
        """Faces that would go if one of each group stayed."""
        return self.faces - self.groups

    def to_dict(self) -> dict[str, int]:
        """Plain dict, as JSON carries it."""
        return {
            "groups": self.groups,
            "faces": self.faces,
            "surplus": self.surplus,
            "label_conflicts": self.conflicts,
        }


@dataclass(frozen=True, slots=True)
class Overlap:
    """Faces of one split whose exact pixels also stand in another.

    Attributes:
        split: the one.
        other: the other.
        faces: how many of ``split``.
        conflicts: how many of those have a copy in ``other`` with another label.
    """

    split: str
    other: str
    faces: int
    conflicts: int

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, as JSON carries it."""
        return {"split": self.split, "other": self.other, "faces": self.faces, "label_conflicts": self.conflicts}


@dataclass(frozen=True, slots=True)
class Leak:
    """How much of a test split training has already seen.

    Attributes:
        split: the test split.
        faces: its size.
        exact: faces with the same pixels in Training.
        near: faces with an exact or a near twin in Training (:func:`fervid.datasets.duplicates.find_twins`).
    """

    split: str
    faces: int
    exact: int
    near: int

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, as JSON carries it."""
        return {
            "split": self.split,
            "faces": self.faces,
            "exact_twins_in_training": self.exact,
            "twins_in_training": self.near,
            "deduplicated": self.faces - self.exact,
            "strict": self.faces - self.near,
        }


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the label and the FER+ votes agree.

    Attributes:
        split: the split.
        faces: its size.
        decided: faces for which one of the emotions has more votes than anything else.
        agreeing: those of them where it is the label.
    """

    split: str
    faces: int
    decided: int
    agreeing: int

    @property
    def share(self) -> float | None:
        """Agreeing among decided; None when there are none."""
        return self.agreeing / self.decided if self.decided else None

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, as JSON carries it."""
        return {
            "split": self.split,
            "faces": self.faces,
            "n": self.decided,
            "agreeing": self.agreeing,
            "agreement": None if self.share is None else round(self.share, 6),
            "agreement_of_all_faces": round(self.agreeing / self.faces, 6) if self.faces else None,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Audit:
    """The findings.

    Attributes:
        emotions: the labels counted, C of them.
        counts: ``(3, C)`` faces by split and emotion.
        duplicates: in the whole set.
        duplicates_within: by split, counting only copies inside it.
        overlaps: for each pair of splits.
        leaks: for each test split; empty when the set has no Training rows.
        blanks: constant faces by split.
        agreements: by split; empty for a set without votes.
        vote_matrix: ``(C, C)`` faces by label and by FER+ majority, in all splits; None without votes.
    """

    emotions: tuple[Emotion, ...]
    counts: NDArray[np.int64]
    duplicates: Duplicates
    duplicates_within: dict[str, Duplicates]
    overlaps: tuple[Overlap, ...]
    leaks: tuple[Leak, ...]
    blanks: dict[str, int]
    agreements: tuple[Agreement, ...]
    vote_matrix: NDArray[np.int64] | None

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have rows."""
        return tuple(split for split, row in zip(SPLITS, self.counts, strict=True) if row.sum())

    @property
    def imbalance(self) -> float:
        """Faces of the commonest label per face of the rarest that occurs."""
        totals = self.counts.sum(axis=0)
        return float(totals.max() / totals[totals > 0].min())

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, as JSON carries it."""
        return {
            "faces": int(self.counts.sum()),
            "labels": [str(emotion) for emotion in self.emotions],
            "balance": {
                split: {str(e): int(n) for e, n in zip(self.emotions, row, strict=True)}
                for split, row in zip(SPLITS, self.counts, strict=True)
                if row.sum()
            },
            "imbalance": round(self.imbalance, 3),
            "duplicates": {
                **self.duplicates.to_dict(),
                "within": {split: found.to_dict() for split, found in self.duplicates_within.items()},
                "across": [overlap.to_dict() for overlap in self.overlaps],
            },
            "leaks": [leak.to_dict() for leak in self.leaks],
            "near_twin_correlation": NEAR_TWIN_CORRELATION,
            "blank": dict(self.blanks),
            "votes": None
            if self.vote_matrix is None
            else {
                "agreement": [agreement.to_dict() for agreement in self.agreements],
                "label_by_majority": self.vote_matrix.tolist(),
            },
        }


def audit_faces(faces: FaceSet, *, labels: int = 7, progress: Callable[[int, int], None] | None = None) -> Audit:
    """Examine a face set.

    Args:
        faces: the set, not empty.
        labels: 7, or 6 to count disgust as anger, in labels and in votes.
        progress: called with (steps done, steps in all).

    Raises:
        UsageError: ``labels`` is neither 7 nor 6.
    """
    emotions = emotions_for(labels)
    truths, majority = find_truth(faces, labels)
    counts = np.zeros((len(SPLITS), len(emotions)), dtype=np.int64)
    np.add.at(counts, (faces.splits, truths), 1)
    rows = {split: np.flatnonzero(faces.splits == index) for index, split in enumerate(SPLITS)}
    rows = {split: found for split, found in rows.items() if len(found)}
    _, copies = np.unique(hash_images(faces.images), return_inverse=True)
    matrix = None
    if faces.votes is not None:
        matrix = np.zeros((len(emotions), len(emotions)), dtype=np.int64)
        np.add.at(matrix, (truths[majority >= 0], majority[majority >= 0]), 1)
    blank = np.ptp(faces.images, axis=(1, 2)) == 0
    return Audit(
        emotions=emotions,
        counts=counts,
        duplicates=count_duplicates(copies, truths),
        duplicates_within={split: count_duplicates(copies[found], truths[found]) for split, found in rows.items()},
        overlaps=tuple(
            _count_overlap(split, other, copies, truths, rows)
            for other, split in combinations(SPLITS, 2)
            if split in rows and other in rows
        ),
        leaks=_count_leaks(faces, rows, progress),
        blanks={split: int(blank[found].sum()) for split, found in rows.items()},
        agreements=tuple(_count_agreement(split, truths[found], majority[found]) for split, found in rows.items())
        if faces.votes is not None
        else (),
        vote_matrix=matrix,
    )


def count_duplicates(copies: NDArray[np.int64], labels: NDArray[np.int64]) -> Duplicates:
    """Groups of equal faces, from ``(N,)`` numbers that are equal for equal pixels and ``(N,)`` labels."""
    _, group, size = np.unique(copies, return_inverse=True, return_counts=True)
    pairs = np.unique(np.stack([group, labels], axis=1), axis=0)
    kinds = np.bincount(pairs[:, 0], minlength=len(size))
    repeated = size > 1
    return Duplicates(int(repeated.sum()), int(size[repeated].sum()), int((repeated & (kinds > 1)).sum()))


def _count_overlap(
    split: str, other: str, copies: NDArray[np.int64], labels: NDArray[np.int64], rows: dict[str, NDArray[np.int64]]
) -> Overlap:
    known: dict[int, set[int]] = {}
    for row in rows[other]:
        known.setdefault(int(copies[row]), set()).add(int(labels[row]))
    shared = [(known[int(copies[row])], int(labels[row])) for row in rows[split] if int(copies[row]) in known]
    return Overlap(split, other, len(shared), sum(found != {label} for found, label in shared))


def _count_leaks(
    faces: FaceSet, rows: dict[str, NDArray[np.int64]], progress: Callable[[int, int], None] | None
) -> tuple[Leak, ...]:
    tests = [split for split in TEST_SPLITS if split in rows and TRAINING in rows]
    leaks = []
    for done, split in enumerate(tests, start=1):
        exact, near = find_twins(faces.images[rows[split]], faces.images[rows[TRAINING]])
        leaks.append(Leak(split, len(near), int(exact.sum()), int(near.sum())))
        if progress is not None:
            progress(done, len(tests))
    return tuple(leaks)


def _count_agreement(split: str, labels: NDArray[np.int64], majority: NDArray[np.int64]) -> Agreement:
    decided = majority >= 0
    return Agreement(split, len(labels), int(decided.sum()), int((decided & (majority == labels)).sum()))
