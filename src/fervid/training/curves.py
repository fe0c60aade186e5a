"""Parts of a picture of a run: curves over its epochs."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Metrics = Sequence[dict[str, Any]]
"""The lines of ``metrics.jsonl``, at least one."""

BLUE: Final = "#1f6fb4"
ORANGE: Final = "#c2620e"
GREEN: Final = "#2f855a"
PURPLE: Final = "#7c4dab"
GREY: Final = "#6b7280"
DPI: Final = 150


def plot_curve(
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
    """One curve with a mark per epoch, or steps; ``text`` formats its last value beside its end.

    Epochs without the key, or with null, have no mark.
    """
    points = [(line["epoch"], line[key] * scale) for line in metrics if line.get(key) is not None]
    if not points:
        return
    epochs, values = zip(*points, strict=True)
    style = {"drawstyle": "steps-mid"} if steps else {"marker": "o", "markersize": 3.0 if label else 2.0}
    axes.plot(epochs, values, color=colour, linewidth=1.7 if label else 1.2, label=label or None, **style)
    if text:
        place: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": 8.5, "color": colour}
        axes.annotate(text.format(values[-1]), (epochs[-1], values[-1]), (7, 0), annotation_clip=False, **place)


def finish_panel(axes: Axes, metrics: Metrics, title: str) -> None:
    """Title, grid and the epochs' axis, with room at the right for what stands beside the curves' ends."""
    from matplotlib.ticker import MaxNLocator

    axes.set_title(title, loc="left", fontsize=10)
    first, last = metrics[0]["epoch"], metrics[-1]["epoch"]
    axes.set_xlim(first - 0.5, max(last + 0.5 + 0.09 * (last - first + 1), first + 1.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(labelsize=8.5)
    axes.margins(y=0.12 if len(axes.get_lines()) > 1 else 0.25)
    axes.grid(axis="y", color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def add_legend(axes: Axes) -> None:
    """What the curves are, above the panel."""
    place = (1.0, 1.0)
    axes.legend(loc="lower right", bbox_to_anchor=place, ncols=2, fontsize=8, frameon=False, borderaxespad=0.2)


def part_labels(figure: Figure) -> None:
    """Move the values beside the curves' ends up and down until none is printed over another of its panel.

    Call it when all is in its place: how high a panel is, its whole figure decides.
    """
    from matplotlib.text import Annotation

    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out again, the panels would be a little higher
    for axes in figure.axes:
        texts = [text for text in axes.texts if isinstance(text, Annotation)]
        boxes = sorted(((text.get_window_extent(), text) for text in texts), key=lambda pair: pair[0].y0)
        middles = [(box.y0 + box.y1) / 2 for box, _ in boxes]
        moved = _part(middles, max((box.height for box, _ in boxes), default=0.0))
        for (_, text), old, new in zip(boxes, middles, moved, strict=True):
            right, up = text.get_position()
            text.set_position((right, up + (new - old) * 72 / figure.dpi))


def _part(middles: Sequence[float], gap: float) -> list[float]:
    """Positions at least ``gap`` apart, each as near as can be to its own of ``middles``, which rise."""
    groups: list[list[float]] = []  # of those that touch, where each of them would have the lowest of all
    for index, middle in enumerate(middles):
        groups.append([middle - index * gap])
        while len(groups) > 1 and fmean(groups[-2]) > fmean(groups[-1]):
            last = groups.pop()
            groups[-1] += last
    lowest = [fmean(group) for group in groups for _ in group]
    return [middle + index * gap for index, middle in enumerate(lowest)]
