"""How good a classifier is on one split of a labelled face set: every figure fervid quotes comes from here.

The label is FER2013's; *official* counts every face of the split, *de-duplicated* leaves out the faces whose exact
pixels also stand in Training, *strict* those with a near-twin as well. FER+ majority is the second truth: the emotion
that got more of the ten votes than any other. Three ways to answer are measured: the label head, which FER2013's
accuracy is about, the votes head, and the answer that the product gives, which blends both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fervid.classification.calibration import restrict_votes
from fervid.datasets.duplicates import find_twins
from fervid.datasets.faceset import SPLITS, TRAINING, FaceSet, find_truth
from fervid.emotions import Emotion, emotions_for, fold_disgust
from fervid.errors import UsageError
from fervid.evaluation.heads import Estimate, HeadEvaluation, Truth, evaluate_head
from fervid.notebook import build_table
from fervid.wording import count_nouns

if TYPE_CHECKING:
    from fervid.classification.classifier import Classifier, Prediction

SCHEMA: Final = "fervid-evaluation/2"
"""Name and version of the JSON that :meth:`Evaluation.to_dict` gives."""

CHUNK: Final = 256
"""Faces between two reports of progress."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """A classifier measured on one split.

    Attributes:
        model: the network, ``name@sha256[:12]``.
        split: of FER2013.
        data: digest of the split's pixels and labels, 12 hex digits.
        labels: the emotions, in the order of every head's ``classes`` and ``confusion``.
        n: faces of the split.
        label_head: the head that learned FER2013's labels; published accuracies of FER2013 are about such a head.
        votes_head: the head that learned how ten people vote, restricted to the emotions; None where it has learned
            nothing (:func:`knows_votes`).
        answer: what the product says: both heads, blended.
        blend: share of the votes head in the answer.
        threshold: confidence below which the answer is "uncertain".
        uncertain: share of the faces below it.
        certain: accuracy of the answer over the faces at or above it; None when there are none.
        certain_majority: the same against the FER+ majority; None without such faces or votes.
        truth: what the answers were held against, face by face. Not in the JSON.
        notes: what could not be said, and why.
    """

    model: str
    split: str
    data: str
    labels: tuple[Emotion, ...]
    n: int
    label_head: HeadEvaluation
    votes_head: HeadEvaluation | None
    answer: HeadEvaluation
    blend: float
    threshold: float
    uncertain: Estimate
    certain: Estimate | None
    certain_majority: Estimate | None
    truth: Truth
    notes: tuple[str, ...] = ()

    @property
    def heads(self) -> tuple[HeadEvaluation, ...]:
        """All that were measured, the label head first."""
        return tuple(head for head in (self.label_head, self.votes_head, self.answer) if head is not None)

    def _repr_html_(self) -> str:
        from fervid.evaluation.summary import describe_labels, summarise  # which are made for this class

        title = [f"{self.model} on {self.split}", count_nouns(self.n, "face"), describe_labels(self)]
        rows = [[row.name, *map(str, row.cells), row.n] for row in summarise(self)]
        notes = " ".join(["In brackets: 95 % interval, bootstrap.", *self.notes])
        return build_table(title, ["figure", *(head.name for head in self.heads), "faces"], rows, notes)

    def to_dict(self) -> dict[str, Any]:
        """``{"schema": "fervid-evaluation/2", …}``: shares as 0–1, six decimals, nothing that a second run changes."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "split": self.split,
            "data": self.data,
            "labels": [str(label) for label in self.labels],
            "n": self.n,
            "label_head": self.label_head.to_dict(self.labels),
            "votes_head": None if self.votes_head is None else self.votes_head.to_dict(self.labels),
            "answer": {
                **self.answer.to_dict(self.labels),
                "blend": round(self.blend, 6),
                "threshold": round(self.threshold, 6),
                "uncertain": self.uncertain.to_dict(),
                "certain": None if self.certain is None else self.certain.to_dict(),
                "certain_fer_plus_majority": None if self.certain_majority is None else self.certain_majority.to_dict(),
            },
            "notes": list(self.notes),
        }


def check_request(classifier: Classifier, split: str, labels: int) -> tuple[Emotion, ...]:
    """The emotions that an evaluation would be in; costs nothing, so ask before reading the data.

    Raises:
        UsageError: no such split, no such number of labels, or the model cannot tell so many apart.
    """
    if split not in SPLITS:
        raise UsageError(f"unknown split {split!r}", advice=f"Use one of: {', '.join(SPLITS)}.")
    emotions = emotions_for(labels)
    known = classifier.spec.labels
    if len(known) < len(emotions):
        raise UsageError(
            f"{classifier.identity} knows {len(known)} labels ({', '.join(known)}), not {labels}",
            advice=f"Evaluate it with --labels {len(known)}, or labels={len(known)} in Python.",
        )
    return emotions


def evaluate_model(
    classifier: Classifier,
    faces: FaceSet,
    split: str,
    *,
    labels: int = 7,
    on_progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure a classifier on one split.

    Args:
        classifier: the network.
        faces: the split's rows, and the Training rows if twins are to be found.
        split: ``Training``, ``PublicTest`` or ``PrivateTest``.
        labels: 7, or 6 to count disgust as anger in answers, labels and votes alike.
        on_progress: called with (faces done, faces in all).

    Raises:
        UsageError: see :func:`check_request`.
        DatasetError: the data has no rows of the split.
    """
    emotions = check_request(classifier, split, labels)
    rows = faces.split(split)
    notes: list[str] = []
    truth = _find_truth(rows, faces, split, labels, notes)
    predictions = list(_predict(classifier, rows, on_progress))
    parts = [fold_prediction(part, labels) for part in predictions]
    label_probabilities, votes, answer = (np.concatenate(column) for column in zip(*parts, strict=True))
    knowing = any(knows_votes(part) for part in predictions)
    certain = answer.max(axis=1) >= classifier.spec.threshold
    correct, voted = answer.argmax(axis=1) == truth.labels, truth.majority >= 0
    right_by_majority = answer.argmax(axis=1) == truth.majority
    if not certain.any():
        notes.append(f"No face reaches the threshold {classifier.spec.threshold:g}: every answer is uncertain.")
    return Evaluation(
        model=classifier.identity,
        split=split,
        data=digest_rows(rows),
        labels=emotions,
        n=len(rows),
        label_head=evaluate_head("label head", label_probabilities, truth),
        votes_head=evaluate_head("votes head", votes, truth) if knowing else None,
        answer=evaluate_head("answer", answer, truth),
        blend=classifier.spec.blend,
        threshold=classifier.spec.threshold,
        uncertain=Estimate.of_mean(~certain),
        certain=Estimate.of_rows(correct[certain]),
        certain_majority=Estimate.of_rows(right_by_majority[certain & voted]),
        truth=truth,
        notes=tuple(notes),
    )


def _find_truth(rows: FaceSet, faces: FaceSet, split: str, labels: int, notes: list[str]) -> Truth:
    """All that is known of the rows; what is not is told in a note."""
    truths, majority = find_truth(rows, labels)
    unknown = "De-duplicated and strict accuracy are unknown: "
    training = faces.images[faces.splits == SPLITS.index(TRAINING)]
    exact, near = None, None
    if split == TRAINING:
        notes.append(f"{unknown}Training cannot be compared with itself. The network has seen these faces.")
    elif not len(training):
        notes.append(f"{unknown}the data has no Training rows to compare with.")
    else:
        exact, near = find_twins(rows.images, training)
        if near.all():
            notes.append(f"Every {split} face has a twin in Training; nothing is left for the strict accuracy.")
    if not (majority >= 0).any():
        why = "the data has no FER+ votes"
        if rows.votes is not None:
            why = "on no face of this split do the votes name one expression"
        notes.append(f"FER+ majority accuracy is unknown: {why}.")
    return Truth(truths, majority, exact, near)


def knows_votes(prediction: Prediction) -> bool:
    """Whether the votes head says anything; trained without votes, it gives all eight expressions the same share."""
    return bool(np.ptp(prediction.votes) > 0)


def fold_prediction(
    prediction: Prediction, labels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Label head, votes head and answer of a chunk in the system of 7 or 6 labels."""
    heads = [prediction.label_probabilities, prediction.probabilities]
    if labels < heads[0].shape[1]:
        heads = [np.asarray(fold_disgust(head), dtype=np.float64) for head in heads]
    return heads[0], restrict_votes(prediction.votes, labels), heads[1]


def digest_rows(rows: FaceSet) -> str:
    """12 hex digits of the rows' pixels and labels."""
    pixels_and_labels = rows.images.tobytes() + rows.emotions.astype("<i8").tobytes()
    return hashlib.sha256(pixels_and_labels).hexdigest()[:12]


def _predict(
    classifier: Classifier, rows: FaceSet, on_progress: Callable[[int, int], None] | None
) -> Iterator[Prediction]:
    for start in range(0, len(rows), CHUNK):
        yield classifier.predict(list(rows.images[start : start + CHUNK]))
        if on_progress is not None:
            on_progress(min(start + CHUNK, len(rows)), len(rows))
