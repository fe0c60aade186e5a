"""A detector's run as a picture: what it finds on the validation photos, and how the parts of its loss went."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fervid.files import make_file
from fervid.training.curves import (
    BLUE,
    DPI,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    Metrics,
    add_legend,
    finish_panel,
    plot_curve,
)

FOUND: Final = (
    ("recall_at_97", "recall at 97 % precision", BLUE),
    ("people_average_precision", "AP, people", ORANGE),
    ("small_average_precision", "AP, 12–20 px", PURPLE),
    ("background_clean", "clean background", GREEN),
)
PARTS: Final = (("objectness", BLUE), ("quality", GREY), ("box", ORANGE), ("landmarks", GREEN))


def draw_curves(metrics: Metrics, path: str | Path, *, title: str = "") -> None:
    """Draw recall and average precision, the loss, and below them landmark error and learning rate to a PNG.

    Args:
        metrics: the lines of ``metrics.jsonl``, at least one.
        path: of the picture, which appears whole or not at all.
        title: of the run.

    Raises:
        OutputError: it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    (found, loss), (points, rate) = figure.subplots(2, 2, sharex=True, height_ratios=[4, 1.3])
    figure.suptitle(_summarise(metrics, title), x=0.01, ha="left", fontsize=12, fontweight="bold")

    for key, name, colour in FOUND:  # values stand in the legend: beside the curves' ends they would meet
        plot_curve(found, metrics, key, _name_curve(metrics, key, name, 100, 1), colour, 100)
    for name, colour in PARTS:
        plot_curve(loss, metrics, f"train_{name}", _name_curve(metrics, f"train_{name}", name, 1, 2), colour, 1)
    plot_curve(points, metrics, "landmark_error", "", BLUE, 100, "{:.1f} %")
    plot_curve(rate, metrics, "learning_rate", "", GREY, 1)
    rate.set_ylim(0, 1.25 * max(line["learning_rate"] for line in metrics) or 1)
    for axes, name in (
        (found, "validation, %"),
        (loss, "loss"),
        (points, "landmarks, median error in eye distances, %"),
        (rate, "learning rate"),
    ):
        finish_panel(axes, metrics, name)
    loss.set_ylim(bottom=0)
    for axes in (found, loss):
        if axes.get_lines():
            add_legend(axes)
    for axes in (points, rate):
        axes.set_xlabel("epoch")
    with make_file(path) as part:
        figure.savefig(part, format="png")


def _name_curve(metrics: Metrics, key: str, name: str, scale: float, digits: int) -> str:
    """A curve's name and the last value."""
    values = [line[key] for line in metrics if line.get(key) is not None]
    return f"{name} {values[-1] * scale:.{digits}f}" if values else name


def _summarise(metrics: Metrics, title: str) -> str:
    measured = [line for line in metrics if line.get("recall_at_97") is not None]
    text = f"after epoch {metrics[-1]['epoch']}"
    if measured:
        last = measured[-1]
        text = f"{last['recall_at_97'] * 100:.1f} % of the faces at 97 % precision after epoch {last['epoch']}"
    return f"{title}: {text}" if title else text
