"""A run as a picture: how accuracy and loss went, epoch by epoch, and what they were driven by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fervid.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Metrics = Sequence[dict[str, Any]]

BLUE: Final = "#1f6fb4"
ORANGE: Final = "#c2620e"
GREY: Final = "#6b7280"
BAND: Final = "#f3f4f6"
DPI: Final = 150


def draw_curves(metrics: Metrics, path: str | Path, *, title: str = "") -> None:
    """Draw accuracy and loss, and below them learning rate and input size, over the epochs to a PNG.

    Bands behind the curves mark the stages of equal input size.

    Args:
        metrics: the lines of ``metrics.jsonl``, at least one.
        path: of the picture, which appears whole or not at all.
        title: of the run.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    (accuracy, loss), (rate, size) = figure.subplots(2, 2, sharex=True, height_ratios=[5, 1])
    figure.suptitle(_summarise(metrics, title), x=0.01, ha="left", fontsize=12, fontweight="bold")

    _plot(accuracy, metrics, "public_accuracy", "PublicTest, label", BLUE, 100, "{:.1f} %")
    _plot(accuracy, metrics, "public_votes_accuracy", "PublicTest, FER+ majority", ORANGE, 100, "{:.1f} %")
    accuracy.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    _plot(loss, metrics, "public_nll", "PublicTest NLL, label", BLUE, 1, "{:.3f}")
    _plot(loss, metrics, "train_loss", "Training, label + votes", GREY, 1, "{:.3f}")
    _plot(rate, metrics, "learning_rate", "", GREY, 1)
    rate.set_ylim(0, 1.25 * max(line["learning_rate"] for line in metrics) or 1)
    _plot(size, metrics, "size", "", GREY, 1, steps=True)
    size.set_yticks(sorted({line["size"] for line in metrics}))

    for axes, name in ((accuracy, "accuracy"), (loss, "loss, nats"), (rate, "learning rate"), (size, "input size, px")):
        axes.set_title(name, loc="left", fontsize=10)
        _finish(axes, metrics)
    for axes in (accuracy, loss):
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, fontsize=8, frameon=False, borderaxespad=0.2)
    for axes in (rate, size):
        axes.set_xlabel("epoch")
    with write_atomically(path) as part:
        figure.savefig(part, format="png")


def _summarise(metrics: Metrics, title: str) -> str:
    last, best = metrics[-1], max(metrics, key=lambda line: float(line["public_accuracy"]))
    text = f"PublicTest {last['public_accuracy'] * 100:.1f} % after epoch {last['epoch']}"
    if best is not last:
        text += f", best {best['public_accuracy'] * 100:.1f} % after {best['epoch']}"
    return f"{title}: {text}" if title else text


def _plot(
    axes: Axes,
    metrics: Metrics,
    key: str,
    label: str,
    colour: str,
    scale: float,
    text: str = "",
    *,
    steps: bool = False,
) -> None:
    """One curve with a mark per epoch, or steps; ``text`` formats its last value beside its end."""
    points = [(line["epoch"], line[key] * scale) for line in metrics if key in line]
    if not points:
        return
    epochs, values = zip(*points, strict=True)
    style = {"drawstyle": "steps-mid"} if steps else {"marker": "o", "markersize": 3.0 if label else 2.0}
    axes.plot(epochs, values, color=colour, linewidth=1.7 if label else 1.2, label=label or None, **style)
    if text:
        place: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": 8.5, "color": colour}
        axes.annotate(text.format(values[-1]), (epochs[-1], values[-1]), (7, 0), annotation_clip=False, **place)


def _finish(axes: Axes, metrics: Metrics) -> None:
    from matplotlib.ticker import MaxNLocator

    first, last = metrics[0]["epoch"], metrics[-1]["epoch"]
    axes.set_xlim(first - 0.5, max(last + 0.5 + 0.09 * (last - first + 1), first + 1.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(labelsize=8.5)
    axes.margins(y=0.12 if len(axes.get_lines()) > 1 else 0.25)
    axes.grid(axis="y", color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    starts = [i for i, line in enumerate(metrics) if i == 0 or line["size"] != metrics[i - 1]["size"]]
    for start, stop in zip(starts[1::2], [*starts[2::2], len(metrics)], strict=False):  # every other stage
        axes.axvspan(metrics[start]["epoch"] - 0.5, metrics[stop - 1]["epoch"] + 0.5, color=BAND, zorder=0, linewidth=0)
