"""Several classifiers on the same faces: their figures side by side, and which differences are more than chance.

Two accuracies on the same faces are not independent: most faces are easy or hard for both. What tells two models apart
are the faces that one gets right and the other wrong, so differences are paired face by face: a percentile bootstrap of
the mean difference (Efron & Tibshirani 1993), and McNemar's test in its exact form (McNemar 1947,
doi:10.1007/BF02295996).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fervid.emotions import Emotion
from fervid.errors import UsageError
from fervid.evaluation.evaluation import Evaluation, check_request
from fervid.evaluation.heads import Estimate
from fervid.evaluation.robustness import CorruptionBenchmark, HeadName, TruthName
from fervid.evaluation.summary import (
    Better,
    Cell,
    SummaryRow,
    format_percent,
    summarise,
    summarise_corruptions,
)

if TYPE_CHECKING:
    from fervid.classification.classifier import Classifier
    from fervid.evaluation.speed.benchmark import ModelFacts

SCHEMA: Final = "fervid-comparison/1"
"""Name and version of the JSON that :meth:`Comparison.to_dict` gives."""

SHORTEST_DIGEST: Final = 4
"""Hex digits by which two models of one name are told apart, if that is enough."""

TESTED: Final[tuple[tuple[HeadName, TruthName], ...]] = (("label head", "official"), ("answer", "FER+ majority"))
"""What is tested for a difference: each way to answer against the truth that it is about."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One model's accuracy less another's on the same faces.

    Attributes:
        model: ``name@sha256[:12]``.
        reference: the model it is held against, likewise.
        head: ``label head`` or ``answer``.
        truth: ``official`` or ``FER+ majority``.
        difference: of the accuracies, as a share; above 0 where ``model`` is better.
        only_model: faces that ``model`` alone gets right.
        only_reference: faces that ``reference`` alone gets right.
        p: of McNemar's exact test, two-sided: how often two equally good models would part as far.
    """

    model: str
    reference: str
    head: HeadName
    truth: TruthName
    difference: Estimate
    only_model: int
    only_reference: int
    p: float

    @property
    def verdict(self) -> str:
        """``better`` or ``worse`` where the whole interval says so."""
        if self.difference.low > 0:
            return "better"
        return "worse" if self.difference.high < 0 else "not told apart"

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, shares with six decimals."""
        return {
            "model": self.model,
            "reference": self.reference,
            "head": self.head,
            "truth": self.truth,
            "difference": self.difference.to_dict(),
            "only_model": self.only_model,
            "only_reference": self.only_reference,
            "mcnemar_p": float(f"{self.p:.6g}"),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two or more models on the same split.

    Attributes:
        evaluations: one per model; the first is what the others are held against.
        facts: of each model's file, in the same order.
        differences: every model but the first against the first.
        corruptions: on spoilt faces, in the same order; empty when that was not measured.
    """

    evaluations: tuple[Evaluation, ...]
    facts: tuple[ModelFacts, ...]
    differences: tuple[Difference, ...]
    corruptions: tuple[CorruptionBenchmark, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What the models are called side by side, see :func:`name_models`."""
        return name_models([evaluation.model for evaluation in self.evaluations])

    def to_dict(self) -> dict[str, Any]:
        """``{"schema": "fervid-comparison/1", "models": […], "differences": […]}``.

        Each model is what :meth:`.evaluation.Evaluation.to_dict` gives, with its file's facts under ``file`` and, when
        measured, its corruption benchmark under ``corruptions``.
        """
        spoilt = [{"corruptions": benchmark.to_dict()} for benchmark in self.corruptions] or [{}] * len(self.facts)
        return {
            "schema": SCHEMA,
            "models": [
                {
                    **evaluation.to_dict(),
                    "file": {
                        "bytes": facts.file_bytes,
                        "parameters": facts.parameters,
                        "multiply_adds": None if facts.flops is None else facts.flops // 2,
                    },
                    **extra,
                }
                for evaluation, facts, extra in zip(self.evaluations, self.facts, spoilt, strict=True)
            ],
            "differences": [difference.to_dict() for difference in self.differences],
        }


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One figure of every model.

    Attributes:
        name: what it is called.
        cells: one per model.
        best: whether the model's figure, as shown, is the best of the row; nowhere where all are equal or none counts
            as better.
        n: the faces it rests on as text; empty when unknown or not the same for all.
        meaning: what it says, in a few plain words; empty where that is plain.
    """

    name: str
    cells: tuple[Cell, ...]
    best: tuple[bool, ...]
    n: str = ""
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class ComparisonSection:
    """Rows under one heading."""

    title: str
    rows: tuple[ComparisonRow, ...]


def check_comparison(classifiers: Sequence[Classifier], split: str, labels: int) -> tuple[Emotion, ...]:
    """The emotions that a comparison would be in; costs nothing, so ask before reading the data.

    Raises:
        UsageError: see :func:`.evaluation.check_request`; or a model is given twice.
    """
    identities = [classifier.identity for classifier in classifiers]
    twice = next((identity for identity in identities if identities.count(identity) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is given twice", advice="Give each model once.")
    fewest = min(classifiers, key=lambda classifier: len(classifier.spec.labels))
    known = len(fewest.spec.labels)
    if len(classifiers) > 1 and known < labels == 7:
        raise UsageError(
            f"{fewest.identity} knows {known} labels, not {labels}",
            advice=f"Compare them with --labels {known}, or labels={known} in Python: the others' disgust then counts "
            "as anger.",
        )
    return check_request(fewest, split, labels)


def compare_evaluations(
    evaluations: Sequence[Evaluation],
    facts: Sequence[ModelFacts],
    corruptions: Sequence[CorruptionBenchmark] = (),
) -> Comparison:
    """Hold every model against the first.

    Args:
        evaluations: at least two, of the same faces in the same labels.
        facts: of each model's file, in the same order.
        corruptions: each model's, in the same order, or none.

    Raises:
        UsageError: fewer than two, or not of the same faces and labels.
    """
    if len(evaluations) < 2:
        raise UsageError("one model alone cannot be compared", advice="Give at least two.")
    first = evaluations[0]
    for other in evaluations[1:]:
        if (other.split, other.data, other.labels) != (first.split, first.data, first.labels):
            raise UsageError(
                f"{other.model} and {first.model} were not evaluated on the same faces and labels",
                advice="Evaluate them on the same split of the same data.",
            )
    found = [
        difference_between(other, first, head, truth)
        for other in evaluations[1:]
        for head, truth in TESTED
        if truth == "official" or first.answer.majority_accuracy is not None
    ]
    return Comparison(tuple(evaluations), tuple(facts), tuple(found), tuple(corruptions))


def difference_between(model: Evaluation, reference: Evaluation, head: HeadName, truth: TruthName) -> Difference:
    """One model's accuracy less another's, paired face by face."""
    right, right_before = (_find_correct(evaluation, head, truth) for evaluation in (model, reference))
    only_model, only_reference = int((right & ~right_before).sum()), int((right_before & ~right).sum())
    return Difference(
        model.model,
        reference.model,
        head,
        truth,
        Estimate.of_mean(right.astype(np.float64) - right_before),
        only_model,
        only_reference,
        mcnemar_p(only_model, only_reference),
    )


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Two-sided p of McNemar's exact test: a fair coin thrown once for each face that one alone gets right."""
    n, fewer = only_first + only_second, min(only_first, only_second)
    tail, choices = 0, 1
    for k in range(fewer + 1):
        tail += choices
        choices = choices * (n - k) // (k + 1)
    return min(1.0, 2 * tail / (1 << n))


def name_models(identities: Sequence[str]) -> tuple[str, ...]:
    """``name`` for each ``name@sha256[:12]``; two of one name keep as much of the digest as tells them apart.

    An identity without a digest is a name.
    """
    names = [identity.rpartition("@")[0] or identity for identity in identities]
    length = SHORTEST_DIGEST
    while len({_shorten(identity, length) for identity in identities}) < len(set(identities)):
        length += 1
    return tuple(
        _shorten(identity, length) if names.count(name) > 1 else name
        for name, identity in zip(names, identities, strict=True)
    )


def tabulate_comparison(comparison: Comparison) -> list[ComparisonSection]:
    """The rows that the terminal and the page share: label head, answer, F1 by expression, spoilt faces, files."""
    c = comparison
    summaries = [summarise(evaluation) for evaluation in c.evaluations]
    sections = [
        ComparisonSection("label head", _pick_rows(summaries, 0)),
        ComparisonSection("answer", _pick_rows(summaries, -1)),
    ]
    if c.corruptions:
        spoilt = [summarise_corruptions(benchmark) for benchmark in c.corruptions]
        sections.append(ComparisonSection("answer, spoilt faces", _pick_rows(spoilt, -1)))
    for title, at in (("F1, label head", 0), ("F1, answer", -1)):
        reports = [evaluation.heads[at].classes for evaluation in c.evaluations]
        rows = tuple(
            make_row(
                str(label),
                [Cell(f"{report[i].f1:.3f}") for report in reports],
                n=f"{reports[0][i].support:,}",
            )
            for i, label in enumerate(c.evaluations[0].labels)
        )
        sections.append(ComparisonSection(title, rows))
    return [*sections, ComparisonSection("model", _describe_files(c))]


def gather_notes(comparison: Comparison) -> list[str]:
    """What could not be said, once if it holds for all and with the models' names if not."""
    notes: dict[str, list[str]] = {}
    for name, evaluation in zip(comparison.names, comparison.evaluations, strict=True):
        for note in evaluation.notes:
            notes.setdefault(note, []).append(name)
    everybody = len(comparison.names)
    return [note if len(names) == everybody else f"{', '.join(names)}: {note}" for note, names in notes.items()]


def format_difference(difference: Difference) -> tuple[str, str]:
    """``+0.8`` and ``−0.2 to +1.8``, in percentage points."""
    d = difference.difference
    return _format_points(d.value), f"{_format_points(d.low)} to {_format_points(d.high)}"


def format_p(p: float) -> str:
    """``0.032``, or ``< 0.001``."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _shorten(identity: str, digits: int) -> str:
    name, at, digest = identity.rpartition("@")
    return f"{name}@{digest[:digits]}" if at else identity


def _format_points(share: float) -> str:
    text = f"{share * 100:+.1f}".replace("-", "−")
    return "0.0" if float(f"{share * 100:.1f}") == 0 else text


def _find_correct(evaluation: Evaluation, head: HeadName, truth: TruthName) -> NDArray[np.bool_]:
    """``(N,)`` or, by the majority, one row for each face that has one."""
    answers = next(h for h in evaluation.heads if h.name == head).probabilities.argmax(axis=1)
    truths = evaluation.truth.labels if truth == "official" else evaluation.truth.majority
    return np.asarray((answers == truths)[truths >= 0], dtype=np.bool_)


def _pick_rows(summaries: Sequence[Sequence[SummaryRow]], head: int) -> tuple[ComparisonRow, ...]:
    """One head's rows of every model's summary that say anything."""
    rows = []
    for same in zip(*summaries, strict=True):
        cells = [row.cells[head] for row in same]
        if any(cell.value for cell in cells):
            n = _keep_if_same([row.n for row in same], "")
            meaning = _keep_if_same([row.meaning for row in same], "at each model's own threshold")
            rows.append(make_row(same[0].name, cells, same[0].better, n=n, meaning=meaning))
    return tuple(rows)


def _describe_files(comparison: Comparison) -> tuple[ComparisonRow, ...]:
    facts, evaluations = comparison.facts, comparison.evaluations
    adds = [None if fact.flops is None else fact.flops / 2 for fact in facts]
    return (
        make_row("file", [Cell(f"{fact.file_bytes / 1e6:.2f} MB") for fact in facts], "lower"),
        make_row(
            "parameters", [Cell("unknown" if f.parameters is None else f"{f.parameters:,}") for f in facts], "lower"
        ),
        make_row(
            "multiply-adds",
            [Cell("unknown" if n is None else f"{n / 1e6:,.1f} M") for n in adds],
            "lower",
            meaning="for one face",
        ),
        make_row(
            "votes in answer",
            [Cell(format_percent(evaluation.blend, 0)) for evaluation in evaluations],
            "",
            meaning="share of the votes head; the label head has the rest",
        ),
        make_row(
            "threshold",
            [Cell(f"{evaluation.threshold:g}") for evaluation in evaluations],
            "",
            meaning="confidence below which the answer is “uncertain”",
        ),
    )


def make_row(
    name: str, cells: Sequence[Cell], better: Better = "higher", *, n: str = "", meaning: str = ""
) -> ComparisonRow:
    """A row that knows its best cells."""
    return ComparisonRow(name, tuple(cells), _find_best([cell.number for cell in cells], better), n, meaning)


def _find_best(numbers: Sequence[float | None], better: Better) -> tuple[bool, ...]:
    known = {number for number in numbers if number is not None}
    if not better or len(known) < 2:
        return (False,) * len(numbers)
    best = max(known) if better == "higher" else min(known)
    return tuple(number == best for number in numbers)


def _keep_if_same(values: Sequence[str], otherwise: str) -> str:
    return values[0] if len(set(values)) == 1 else otherwise
