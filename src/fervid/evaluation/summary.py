"""An evaluation in words and numbers that people read: the rows that the terminal and the page share."""

from __future__ import annotations

from dataclasses import dataclass

from fervid.emotions import Emotion
from fervid.evaluation.evaluation import Estimate, Evaluation


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One figure.

    Attributes:
        name: what it is called.
        value: as text; "unknown" when it is.
        interval: its 95 % bootstrap interval as text; empty without one.
        n: the faces it rests on as text; empty when unknown.
        meaning: what it says, in a few plain words.
    """

    name: str
    value: str
    interval: str
    n: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Confusion:
    """A mistake and how often it was made.

    Attributes:
        label: what the face was labelled.
        answer: what the classifier said.
        count: faces.
        share: of the faces with that label.
    """

    label: Emotion
    answer: Emotion
    count: int
    share: float


def summarise(evaluation: Evaluation) -> list[SummaryRow]:
    """The headline figures, the most quoted first."""
    e = evaluation
    threshold = f"{e.threshold:g}"
    ece = SummaryRow(
        "ECE", f"{e.ece:.3f}", "", f"{e.accuracy.n:,}", "calibration error: mean gap of confidence and accuracy"
    )
    aurc = SummaryRow(
        "AURC", f"{e.aurc:.3f}", "", f"{e.accuracy.n:,}", "error averaged over every share of faces answered"
    )
    return [
        _percent_row("accuracy, official", e.accuracy, "every face of the split"),
        _percent_row(
            "accuracy, de-duplicated", e.accuracy_deduplicated, "without faces whose pixels stand in Training"
        ),
        _percent_row("accuracy, strict", e.accuracy_strict, "without near-twins of Training faces either"),
        _number_row("macro-F1", e.macro_f1, "mean F1 over the expressions, rare ones counting as much"),
        _percent_row("FER+ majority", e.majority_accuracy, "agreement with what most of ten people saw"),
        _percent_row(
            "FER+ majority, votes head", e.majority_accuracy_votes, "the same, for the head that predicts votes"
        ),
        _percent_row("uncertain", e.uncertain, f"confidence below the threshold {threshold}"),
        _percent_row("accuracy when certain", e.accuracy_certain, f"confidence of {threshold} or more"),
        _number_row("NLL", e.nll, "surprise at the label, nats; lower is better"),
        ece,
        aurc,
    ]


def rank_confusions(evaluation: Evaluation, count: int = 5) -> list[Confusion]:
    """The most frequent mistakes, the most frequent first; ties in label order."""
    matrix, labels = evaluation.confusion, evaluation.labels
    mistakes = [
        Confusion(labels[i], labels[j], int(matrix[i, j]), float(matrix[i, j] / matrix[i].sum()))
        for i in range(len(labels))
        for j in range(len(labels))
        if i != j and matrix[i, j]
    ]
    return sorted(mistakes, key=lambda mistake: -mistake.count)[:count]


def describe_labels(evaluation: Evaluation) -> str:
    """Which system of labels was measured, in words."""
    if len(evaluation.labels) == 6:
        return "6 labels, disgust counted as anger"
    return f"{len(evaluation.labels)} labels"


def describe_confidence(evaluation: Evaluation) -> str:
    """Whether mean confidence lies above or below accuracy, in words."""
    filled = [(part.count, part.confidence or 0.0) for part in evaluation.reliability if part.count]
    mean = sum(count * confidence for count, confidence in filled) / evaluation.accuracy.n
    gap = mean - evaluation.accuracy.value
    if abs(gap) < 0.01:
        return "as high as accuracy"
    return f"{abs(gap) * 100:.1f} points too {'high' if gap > 0 else 'low'} on average"


def format_percent(share: float, digits: int = 1) -> str:
    """``0.713`` as ``71.3 %``."""
    return f"{share * 100:.{digits}f} %"


def _percent_row(name: str, estimate: Estimate | None, meaning: str) -> SummaryRow:
    if estimate is None:
        return SummaryRow(name, "unknown", "", "", meaning)
    interval = f"{estimate.low * 100:.1f}–{estimate.high * 100:.1f}"
    return SummaryRow(name, format_percent(estimate.value), interval, f"{estimate.n:,}", meaning)


def _number_row(name: str, estimate: Estimate, meaning: str) -> SummaryRow:
    interval = f"{estimate.low:.3f}–{estimate.high:.3f}"
    return SummaryRow(name, f"{estimate.value:.3f}", interval, f"{estimate.n:,}", meaning)
