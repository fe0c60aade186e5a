"""The pictures of an evaluation: confusion matrix, reliability diagram, risk–coverage curve.

Each function takes an evaluation and gives an encoded picture; the same evaluation gives the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import numpy as np

from fervid.drawing.palette import contrast_ratio
from fervid.evaluation.evaluation import Evaluation
from fervid.evaluation.heads import HeadEvaluation
from fervid.evaluation.summary import describe_confidence, format_percent
from fervid.plotting import plain_style
from fervid.wording import count_nouns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fervid.evaluation.robustness import CorruptionBenchmark

Subject = TypeVar("Subject")

PNG_DPI: Final = 160
TITLE_LENGTH: Final = 52
"""Characters of a title that fit; a longer one is set smaller."""
FEW_FACES: Final = 20
"""A bin with fewer says little about accuracy; it is drawn pale."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a figure, hex.

    Attributes:
        background: of the whole figure.
        ink: text and axes.
        faint: grid and secondary text.
        accent: what is measured; the full end of the confusion matrix's scale.
        warm: where measure and ideal part.
        empty: the other end of the scale.
    """

    background: str
    ink: str
    faint: str
    accent: str
    warm: str
    empty: str


LIGHT: Final = Theme("#ffffff", "#1c2330", "#69717f", "#2459b3", "#d1641a", "#f3f6fb")
DARK: Final = Theme("#12161d", "#e8ecf3", "#98a2b3", "#6ea3f7", "#f0954f", "#1a2029")


def draw_confusion_matrix(
    evaluation: Evaluation, head: HeadEvaluation, *, theme: Theme = LIGHT, file_format: Literal["png", "svg"] = "png"
) -> bytes:
    """Rows are the labels, columns the answers of one head; each cell says percent of its row and count."""
    return render(partial(_draw_confusion_matrix, head=head), (7.0, 6.6), evaluation, theme, file_format)


def draw_reliability(
    evaluation: Evaluation, head: HeadEvaluation, *, theme: Theme = LIGHT, file_format: Literal["png", "svg"] = "png"
) -> bytes:
    """Accuracy by confidence in 15 bins against the diagonal, and below it how many faces each bin holds."""
    return render(partial(_draw_reliability, head=head), (6.4, 6.2), evaluation, theme, file_format)


def draw_risk_coverage(
    evaluation: Evaluation, *, theme: Theme = LIGHT, file_format: Literal["png", "svg"] = "png"
) -> bytes:
    """Error among the answered faces by the share answered, against labels and votes, with the threshold marked."""
    return render(_draw_risk_coverage, (6.4, 4.8), evaluation, theme, file_format)


def _draw_confusion_matrix(figure: Figure, evaluation: Evaluation, theme: Theme, *, head: HeadEvaluation) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    axes = add_axes(figure, theme)
    figure.subplots_adjust(left=0.17, right=0.97, bottom=0.1, top=0.88)
    counts = head.confusion
    support = counts.sum(axis=1)
    shares = counts / np.maximum(support, 1)[:, None]
    scale = LinearSegmentedColormap.from_list("share", [theme.empty, theme.accent])
    axes.imshow(shares, cmap=scale, vmin=0, vmax=1)
    axes.grid(visible=False)
    for row in range(len(counts)):
        for column in range(len(counts)):
            share = shares[row, column]
            ink = readable_ink(scale(share), theme)
            weight = "bold" if row == column else "normal"
            label = format_percent(share, 0)
            axes.text(column, row - 0.1, label, ha="center", va="center", color=ink, fontsize=11.5, fontweight=weight)
            axes.text(column, row + 0.24, f"{counts[row, column]:,}", ha="center", va="center", color=ink, fontsize=8.5)
    ticks = range(len(counts))
    axes.set_xticks(ticks, evaluation.labels)
    axes.set_yticks(ticks, [f"{e}\nn = {n:,}" for e, n in zip(evaluation.labels, support, strict=True)])
    axes.set_xticks(np.arange(len(counts) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(counts) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=theme.background, linewidth=2)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("answered expression", labelpad=8)
    axes.set_ylabel("labelled expression", labelpad=8)
    accuracy = head.accuracy
    interval = f"{accuracy.low * 100:.1f}–{accuracy.high * 100:.1f}"
    set_title(axes, evaluation, f"{head.name}: accuracy {format_percent(accuracy.value)} ({interval})", theme)


def _draw_reliability(figure: Figure, evaluation: Evaluation, theme: Theme, *, head: HeadEvaluation) -> None:
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3.6, 1], "hspace": 0.06})
    figure.subplots_adjust(left=0.13, right=0.95, bottom=0.09, top=0.88)
    _dress(upper, theme)
    _dress(lower, theme)
    filled = [(part, part.confidence, part.accuracy) for part in head.reliability if part.count]
    centres = [(part.low + part.high) / 2 for part, _, _ in filled]
    width = head.reliability[0].high - head.reliability[0].low
    confidence = np.array([c for _, c, _ in filled], dtype=np.float64)
    accuracy = np.array([a for _, _, a in filled], dtype=np.float64)
    bars = upper.bar(centres, accuracy, width * 0.92, color=theme.accent, zorder=2)
    gaps = upper.bar(
        centres, confidence - accuracy, width * 0.92, accuracy, facecolor="none", edgecolor=theme.warm, hatch="////",
        linewidth=1, zorder=3,
    )  # fmt: skip
    for bar, gap, (part, _, _) in zip(bars, gaps, filled, strict=True):
        if part.count < FEW_FACES:
            bar.set_alpha(0.35)
            gap.set_alpha(0.35)
    upper.bar([0], [0], facecolor="none", edgecolor=theme.warm, hatch="////", label="gap to mean confidence")
    upper.bar([0], [0], color=theme.accent, label=f"accuracy (pale: fewer than {FEW_FACES} faces)")
    upper.plot([0, 1], [0, 1], color=theme.faint, linestyle=(0, (4, 3)), linewidth=1.2, label="ideal", zorder=4)
    upper.set_ylim(0, 1)
    upper.set_ylabel("accuracy")
    upper.yaxis.set_major_formatter(percent_axis())
    legend = upper.legend(loc="upper left", frameon=False, labelcolor=theme.ink, fontsize=9)
    legend.set_zorder(6)
    lower.bar(centres, [part.count for part, _, _ in filled], width * 0.92, color=theme.faint, zorder=2)
    lower.set_ylabel("faces")
    lower.set_xlabel("confidence")
    lower.set_xlim(0, 1)
    lower.xaxis.set_major_formatter(percent_axis())
    error = f"{head.ece.value:.3f} ({head.ece.low:.3f}–{head.ece.high:.3f})"
    subtitle = f"{head.name}: ECE {error} · confidence {describe_confidence(head)}"
    set_title(upper, evaluation, subtitle, theme)


def _draw_risk_coverage(figure: Figure, evaluation: Evaluation, theme: Theme) -> None:
    axes = add_axes(figure, theme)
    figure.subplots_adjust(left=0.13, right=0.95, bottom=0.12, top=0.85)
    curves = [
        (evaluation.answer.curve, theme.accent, "against the labels", evaluation.certain),
        (evaluation.answer.majority_curve, theme.warm, "against the FER+ majority", evaluation.certain_majority),
    ]
    answered = 1 - evaluation.uncertain.value
    for curve, colour, name, certain in curves:
        if not curve:
            continue
        axes.plot([p.coverage for p in curve], [p.risk for p in curve], color=colour, linewidth=2.2, zorder=3)
        axes.plot([], [], color=colour, linewidth=2.2, label=name)
        if certain is not None:  # the share answered is that of all faces; a few of them have no majority
            axes.plot([answered], [1 - certain.value], "o", color=colour, markersize=7, zorder=5)
    if evaluation.certain is not None:
        axes.axvline(answered, color=theme.faint, linewidth=1.2, linestyle=(0, (4, 3)), zorder=2)
        axes.plot([], [], color=theme.faint, linestyle=(0, (4, 3)), label=f"threshold {evaluation.threshold:g}")
    top = max(max((p.risk for curve, *_ in curves for p in curve), default=0) * 1.25, 0.05)
    axes.legend(loc="upper left", frameon=False, labelcolor=theme.ink, fontsize=9)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, min(top, 1))
    axes.set_xlabel("share of the faces answered, the most confident first")
    axes.set_ylabel("wrong among the answered")
    axes.xaxis.set_major_formatter(percent_axis())
    axes.yaxis.set_major_formatter(percent_axis())
    subtitle = f"answer: {format_percent(answered)} of the faces reach the threshold"
    set_title(axes, evaluation, subtitle, theme)


def readable_ink(background: tuple[float, ...], theme: Theme) -> str:
    """Whichever of the theme's two extremes stands out more from an RGB(A) colour of 0–1."""
    from matplotlib.colors import to_rgb

    return max(
        theme.ink, theme.background, key=lambda ink: contrast_ratio(_to_bytes(background), _to_bytes(to_rgb(ink)))
    )


def _to_bytes(colour: tuple[float, ...]) -> tuple[int, int, int]:
    red, green, blue = (round(255 * value) for value in colour[:3])
    return red, green, blue


def percent_axis() -> Any:
    """Writes shares of 0–1 as percent along an axis."""
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda value, _: f"{value * 100:g} %")


def add_axes(figure: Figure, theme: Theme) -> Axes:
    """The figure's only axes, in the theme's colours."""
    axes = figure.add_subplot()
    _dress(axes, theme)
    return axes


def _dress(axes: Axes, theme: Theme) -> None:
    axes.set_facecolor(theme.background)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(theme.faint)
    axes.tick_params(colors=theme.ink, labelsize=9.5)
    axes.xaxis.label.set_color(theme.ink)
    axes.yaxis.label.set_color(theme.ink)
    axes.grid(color=theme.faint, alpha=0.2, linewidth=0.8, zorder=0)
    axes.set_axisbelow(True)


def set_title(axes: Axes, measured: Evaluation | CorruptionBenchmark, subtitle: str, theme: Theme) -> None:
    """Model, split and number of faces in bold, and a line below."""
    title = f"{measured.model} on {measured.split}, {count_nouns(measured.n, 'face')}"
    axes.annotate(
        title, (0, 1), (0, 26), xycoords="axes fraction", textcoords="offset points", color=theme.ink,
        fontsize=min(12.0, 12.0 * TITLE_LENGTH / len(title)), fontweight="bold",
    )  # fmt: skip
    axes.annotate(
        subtitle, (0, 1), (0, 10), xycoords="axes fraction", textcoords="offset points", color=theme.faint, fontsize=9.5
    )


def render(
    draw: Callable[[Figure, Subject, Theme], None],
    size: tuple[float, float],
    subject: Subject,
    theme: Theme,
    file_format: Literal["png", "svg"],
) -> bytes:
    """The picture that ``draw`` makes on an empty figure of ``size`` inches; the same bytes for the same subject."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    stream = io.BytesIO()
    with plain_style():
        figure = Figure(figsize=size, facecolor=theme.background)
        FigureCanvasAgg(figure)
        draw(figure, subject, theme)
        metadata = {"Date": None, "Creator": None} if file_format == "svg" else {"Software": None}
        figure.savefig(stream, format=file_format, dpi=PNG_DPI, metadata=metadata)
    return stream.getvalue()
