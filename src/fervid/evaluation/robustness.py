"""How much of a classifier's accuracy is left on bad pictures: the corruption benchmark.

Every face of a split is spoilt in 24 ways (:mod:`fervid.evaluation.corruptions`) and read again. The headline is the
mean accuracy over the 24; its interval and that of the drop come from resampling the faces, each with all its 25
answers, so that what the conditions share does not count twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fervid.datasets.faceset import FaceSet, find_truth
from fervid.emotions import Emotion
from fervid.errors import UsageError
from fervid.evaluation.corruptions import CORRUPTIONS, STRENGTHS, corrupt
from fervid.evaluation.evaluation import CHUNK, check_request, digest_rows, fold_prediction, knows_votes
from fervid.evaluation.heads import Estimate

if TYPE_CHECKING:
    from fervid.classification.classifier import Classifier

HeadName = Literal["label head", "votes head", "answer"]
TruthName = Literal["official", "FER+ majority"]

HEADS: Final[tuple[HeadName, ...]] = get_args(HeadName)
"""The ways to answer, as :class:`fervid.evaluation.evaluation.Evaluation` names them."""
TRUTHS: Final[tuple[TruthName, ...]] = get_args(TruthName)
"""FER2013's labels, every face; and the emotion that got more of the ten votes than any other, where there is one."""


@dataclass(frozen=True, slots=True, eq=False)
class Robustness:
    """One way to answer against one truth.

    Attributes:
        head: ``label head``, ``votes head`` or ``answer``.
        truth: ``official`` or ``FER+ majority``.
        clean: accuracy on the faces as they are.
        mean: accuracy, averaged over the 24 conditions.
        drop: ``clean`` less ``mean``.
        accuracy: ``(8, 3)`` float64 by corruption and strength, read-only.
    """

    head: HeadName
    truth: TruthName
    clean: Estimate
    mean: Estimate
    drop: Estimate
    accuracy: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CorruptionBenchmark:
    """A classifier measured on one split, spoilt in 24 ways.

    Attributes:
        model: the network, ``name@sha256[:12]``.
        split: of FER2013.
        data: digest of the split's pixels and labels, 12 hex digits.
        labels: the emotions.
        n: faces of the split.
        seed: of the corruptions' random choices.
        corruptions: names, in the order of the rows of every ``accuracy``.
        measures: every head that has learned anything against every truth that is known.
    """

    model: str
    split: str
    data: str
    labels: tuple[Emotion, ...]
    n: int
    seed: int
    corruptions: tuple[str, ...]
    measures: tuple[Robustness, ...]

    @property
    def heads(self) -> tuple[HeadName, ...]:
        """The ways to answer that were measured, the label head first."""
        return tuple(head for head in HEADS if any(m.head == head for m in self.measures))

    def measure(self, head: HeadName, truth: TruthName) -> Robustness | None:
        """One head against one truth; None when that truth is unknown or the head has learned nothing."""
        return next((m for m in self.measures if (m.head, m.truth) == (head, truth)), None)

    def to_dict(self) -> dict[str, Any]:
        """``{"seed": …, "label_head": {"official": {"clean": …, "mean": …, "drop": …, "conditions": …}, …}, …}``.

        ``conditions`` holds three accuracies per corruption, one per strength; shares as 0–1, six decimals.
        """
        return {
            "model": self.model,
            "split": self.split,
            "data": self.data,
            "labels": [str(label) for label in self.labels],
            "n": self.n,
            "seed": self.seed,
            **{
                _to_key(head): {_to_key(m.truth): self._tabulate(m) for m in self.measures if m.head == head} or None
                for head in HEADS
            },
        }

    def _tabulate(self, measure: Robustness) -> dict[str, Any]:
        rows = measure.accuracy.round(6).tolist()
        return {
            "clean": measure.clean.to_dict(),
            "mean": measure.mean.to_dict(),
            "drop": measure.drop.to_dict(),
            "conditions": dict(zip(self.corruptions, rows, strict=True)),
        }


def evaluate_corruptions(
    classifier: Classifier,
    faces: FaceSet,
    split: str,
    *,
    labels: int = 7,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> CorruptionBenchmark:
    """Read every face of a split as it is and spoilt in 24 ways; memory holds one chunk of pictures at a time.

    Args:
        classifier: the network.
        faces: the split's rows.
        split: ``Training``, ``PublicTest`` or ``PrivateTest``.
        labels: 7, or 6 to count disgust as anger in answers, labels and votes alike.
        seed: of the corruptions' random choices.
        on_progress: called with (faces read, faces to read), spoilt ones counted.

    Raises:
        UsageError: see :func:`fervid.evaluation.evaluation.check_request`; or the seed is negative.
        DatasetError: the data has no rows of the split.
    """
    emotions = check_request(classifier, split, labels)
    if seed < 0:
        raise UsageError(f"{seed} is no seed", advice="Give 0 or more.")
    rows = faces.split(split)
    truths = find_truth(rows, labels)
    conditions = [(corruption, strength) for corruption in CORRUPTIONS for strength in STRENGTHS]
    answers = np.empty((1 + len(conditions), len(HEADS), len(rows)), dtype=np.int8)
    done, total, knowing = 0, answers.shape[0] * len(rows), False
    for start in range(0, len(rows), CHUNK):
        images = rows.images[start : start + CHUNK]
        for i in range(1 + len(conditions)):
            spoilt = corrupt(images, *conditions[i - 1], seed=seed) if i else images
            prediction = classifier.predict(list(spoilt))
            knowing = knowing or knows_votes(prediction)
            heads = fold_prediction(prediction, labels)
            answers[i, :, start : start + CHUNK] = [head.argmax(axis=1) for head in heads]
            done += len(images)
            if on_progress is not None:
                on_progress(done, total)
    return CorruptionBenchmark(
        model=classifier.identity,
        split=split,
        data=digest_rows(rows),
        labels=emotions,
        n=len(rows),
        seed=seed,
        corruptions=tuple(corruption.name for corruption in CORRUPTIONS),
        measures=tuple(
            _measure(head, name, (answers[:, i] == truth)[:, truth >= 0])
            for i, head in enumerate(HEADS)
            for name, truth in zip(TRUTHS, truths, strict=True)
            if (truth >= 0).any() and (knowing or head != "votes head")
        ),
    )


def _measure(head: HeadName, truth: TruthName, correct: NDArray[np.bool_]) -> Robustness:
    """Figures of ``(25, N)`` right answers, the first row on the faces as they are."""
    clean, kept = correct[0], correct[1:].mean(axis=0)
    accuracy = correct[1:].mean(axis=1).reshape(len(CORRUPTIONS), len(STRENGTHS))
    accuracy.flags.writeable = False
    return Robustness(
        head,
        truth,
        clean=Estimate.of_mean(clean),
        mean=Estimate.of_mean(kept),
        drop=Estimate.of_mean(clean - kept),
        accuracy=accuracy,
    )


def _to_key(name: str) -> str:
    """``FER+ majority`` as ``fer_plus_majority``."""
    return name.lower().replace("+", " plus").replace(" ", "_")
