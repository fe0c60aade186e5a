"""An evaluation in words and numbers that people read: the rows that the terminal and the page share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fervid.emotions import Emotion
from fervid.evaluation.evaluation import Evaluation
from fervid.evaluation.heads import Estimate, HeadEvaluation
from fervid.evaluation.metrics import ClassScores
from fervid.evaluation.robustness import CorruptionBenchmark, TruthName

Better = Literal["higher", "lower", ""]
"""Which way a figure improves; empty where it is a matter of taste."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure as text.

    Attributes:
        value: "unknown" when it is, empty where the figure makes no sense.
        interval: its 95 % interval; empty without one.
        margin: half the width of that interval; empty without one.
    """

    value: str = ""
    interval: str = ""
    margin: str = ""

    def __str__(self) -> str:
        return f"{self.value} ({self.interval})" if self.interval else self.value

    @property
    def number(self) -> float | None:
        """The value as it is shown, to rank by; None when it is unknown or empty."""
        return None if self.value in ("", "unknown") else float(self.value.split()[0].replace(",", ""))

    @property
    def short(self) -> str:
        """The value and its margin, for narrow places."""
        return f"{self.value} ± {self.margin}" if self.margin else self.value


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One figure of every way to answer.

    Attributes:
        name: what it is called.
        cells: one for each of :attr:`.evaluation.Evaluation.heads`, the answer's the last.
        n: the faces it rests on as text; empty when unknown.
        meaning: what it says, in a few plain words.
        better: which way it improves.
    """

    name: str
    cells: tuple[Cell, ...]
    n: str
    meaning: str
    better: Better = "higher"


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
    e, threshold = evaluation, f"{evaluation.threshold:g}"
    n, others = f"{e.n:,}", (Cell(),) * (len(e.heads) - 1)
    return [
        _make_row("accuracy", [h.accuracy for h in e.heads], "official: every face of the split"),
        _make_row(
            "de-duplicated", [h.accuracy_deduplicated for h in e.heads], "without faces whose pixels stand in Training"
        ),
        _make_row("strict", [h.accuracy_strict for h in e.heads], "without near-twins of Training faces either"),
        _make_row(
            "FER+ majority",
            [h.majority_accuracy for h in e.heads],
            "against the expression that got more of the ten votes than any other",
        ),
        _make_row(
            "macro-F1", [h.macro_f1 for h in e.heads], "mean F1 over the expressions, rare ones counting as much",
            percent=False,
        ),
        _make_row(
            "ECE", [h.ece for h in e.heads],
            "mean gap between confidence and accuracy, to which chance adds",
            percent=False, better="lower",
        ),
        _make_row(
            "NLL", [h.nll for h in e.heads], "surprise at the label, nats; lower is better", percent=False,
            better="lower",
        ),
        _make_row(
            "AURC", [h.aurc for h in e.heads], "error averaged over every share answered", percent=False,
            better="lower",
        ),
        SummaryRow(
            "uncertain", (*others, format_estimate(e.uncertain)), n, f"confidence below {threshold}", ""
        ),
        SummaryRow(
            "when certain", (*others, format_estimate(e.certain)), _count(e.certain),
            f"accuracy at a confidence of {threshold} or more", "",
        ),
        SummaryRow(
            "… by majority", (*others, format_estimate(e.certain_majority)), _count(e.certain_majority),
            "the same, against the FER+ majority", "",
        ),
    ]  # fmt: skip


def summarise_corruptions(benchmark: CorruptionBenchmark) -> list[SummaryRow]:
    """What bad pictures leave of each head's accuracy: clean, corrupted and the difference, by labels and by votes."""
    truths: tuple[tuple[TruthName, str, str], ...] = (
        ("official", "accuracy", "against the labels"),
        ("FER+ majority", "FER+ majority", "against the FER+ majority"),
    )
    rows = []
    for truth, name, meaning in truths:
        measures = [measure for head in benchmark.heads if (measure := benchmark.measure(head, truth)) is not None]
        if measures:
            lost = tuple(Cell(f"{m.drop.value * 100:.1f}", *_format_points(m.drop)) for m in measures)
            rows += [
                _make_row(f"{name}, clean", [m.clean for m in measures], f"the faces as they are, {meaning}"),
                _make_row("… corrupted", [m.mean for m in measures], "mean of eight corruptions in three strengths"),
                SummaryRow("… points lost", lost, _count(measures[0].drop), "the difference; lower is better", "lower"),
            ]
    return rows


def rank_confusions(evaluation: Evaluation, head: HeadEvaluation, count: int = 5) -> list[Confusion]:
    """The most frequent mistakes, the most frequent first; ties in label order."""
    matrix, labels = head.confusion, evaluation.labels
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


def describe_confidence(head: HeadEvaluation) -> str:
    """Whether mean confidence lies above or below accuracy, in words."""
    filled = [(part.count, part.confidence or 0.0) for part in head.reliability if part.count]
    mean = sum(count * confidence for count, confidence in filled) / head.accuracy.n
    gap = mean - head.accuracy.value
    if abs(gap) < 0.01:
        return "as high as accuracy"
    return f"{abs(gap) * 100:.1f} points too {'high' if gap > 0 else 'low'} on average"


def format_percent(share: float, digits: int = 1) -> str:
    """``0.713`` as ``71.3 %``."""
    return f"{share * 100:.{digits}f} %"


def format_estimate(estimate: Estimate | None, *, percent: bool = True) -> Cell:
    """A figure in percent, or as a number of three decimals."""
    if estimate is None:
        return Cell("unknown")
    if percent:
        return Cell(format_percent(estimate.value), *_format_points(estimate))
    half = (estimate.high - estimate.low) / 2
    return Cell(f"{estimate.value:.3f}", f"{estimate.low:.3f}–{estimate.high:.3f}", f"{half:.3f}")


def format_recall(scores: ClassScores) -> Cell:
    """A class's recall with its interval; that of averages has none."""
    if scores.recall_low is None or scores.recall_high is None:
        return Cell(f"{scores.recall:.3f}")
    return format_estimate(
        Estimate(scores.recall, scores.recall_low, scores.recall_high, scores.support), percent=False
    )


def _make_row(
    name: str,
    estimates: Sequence[Estimate | None],
    meaning: str,
    *,
    percent: bool = True,
    better: Better = "higher",
) -> SummaryRow:
    cells = tuple(format_estimate(estimate, percent=percent) for estimate in estimates)
    return SummaryRow(name, cells, _count(estimates[0]), meaning, better)


def _format_points(estimate: Estimate) -> tuple[str, str]:
    """Interval and margin in points of percent."""
    low, high = estimate.low * 100, estimate.high * 100
    return f"{low:.1f}–{high:.1f}", f"{(high - low) / 2:.1f}"


def _count(estimate: Estimate | None) -> str:
    return "" if estimate is None else f"{estimate.n:,}"
