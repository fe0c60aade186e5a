"""A run as a picture: how accuracy and loss went, epoch by epoch, and what they were driven by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from fervid.files import make_file
from fervid.training.curves import BLUE, DPI, GREY, ORANGE, Metrics, add_legend, finish_panel, part_labels, plot_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAND: Final = "#f3f4f6"


def draw_curves(metrics: Metrics, path: str | Path, *, title: str = "") -> None:
    """Draw accuracy and loss, and below them learning rate and input size, over the epochs to a PNG.

    Bands behind the curves mark the stages of equal input size.

    Args:
        metrics: the lines of ``metrics.jsonl``, at least one.
        path: of the picture, which appears whole or not at all.
        title: of the run.

    Raises:
        OutputError: it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    (accuracy, loss), (rate, size) = figure.subplots(2, 2, sharex=True, height_ratios=[5, 1])
    figure.suptitle(_summarise(metrics, title), x=0.01, ha="left", fontsize=12, fontweight="bold")

    plot_curve(accuracy, metrics, "public_accuracy", "PublicTest, label", BLUE, 100, "{:.1f} %")
    plot_curve(accuracy, metrics, "public_votes_accuracy", "PublicTest, FER+ majority", ORANGE, 100, "{:.1f} %")
    accuracy.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    plot_curve(loss, metrics, "public_nll", "PublicTest NLL, label", BLUE, 1, "{:.3f}")
    plot_curve(loss, metrics, "train_loss", "Training, label + votes", GREY, 1, "{:.3f}")
    plot_curve(rate, metrics, "learning_rate", "", GREY, 1)
    rate.set_ylim(0, 1.25 * max(line["learning_rate"] for line in metrics) or 1)
    plot_curve(size, metrics, "size", "", GREY, 1, steps=True)
    size.set_yticks(sorted({line["size"] for line in metrics}))

    for axes, name in ((accuracy, "accuracy"), (loss, "loss, nats"), (rate, "learning rate"), (size, "input size, px")):
        finish_panel(axes, metrics, name)
        _mark_stages(axes, metrics)
    for axes in (accuracy, loss):
        add_legend(axes)
    for axes in (rate, size):
        axes.set_xlabel("epoch")
    part_labels(figure)
    with make_file(path) as part:
        figure.savefig(part, format="png")


def _summarise(metrics: Metrics, title: str) -> str:
    last, best = metrics[-1], max(metrics, key=lambda line: float(line["public_accuracy"]))
    text = f"PublicTest {last['public_accuracy'] * 100:.1f} % after epoch {last['epoch']}"
    if best is not last:
        text += f", best {best['public_accuracy'] * 100:.1f} % after {best['epoch']}"
    return f"{title}: {text}" if title else text


def _mark_stages(axes: Axes, metrics: Metrics) -> None:
    """Bands behind every other stage of equal input size."""
    starts = [i for i, line in enumerate(metrics) if i == 0 or line["size"] != metrics[i - 1]["size"]]
    for start, stop in zip(starts[1::2], [*starts[2::2], len(metrics)], strict=False):
        axes.axvspan(metrics[start]["epoch"] - 0.5, metrics[stop - 1]["epoch"] + 0.5, color=BAND, zorder=0, linewidth=0)
