"""A timeline as a picture, drawn by matplotlib."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fervid.drawing.palette import emotion_colour, to_hex
from fervid.drawing.timeline import Chart, Lane, Thumbnails, describe_chart, format_time
from fervid.emotions import Emotion
from fervid.plotting import plain_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI: Final = 130
_WIDTH_IN: Final = 12.0
_COLUMNS: Final = 1000
_THIN_COLUMNS: Final = 450
"""Columns of a lane; finer bins are joined."""
_THIN_IN: Final = 0.42
"""Lanes of less height show what was said alone."""
_STRIP: Final = 0.24
"""Height of the strip that names the expression, as a share of the lane."""
_FILL: Final = 0.84
"""Share of a lane's room that it fills."""
STACKING: Final = (
    Emotion.NEUTRAL, Emotion.SAD, Emotion.FEAR, Emotion.DISGUST, Emotion.ANGRY, Emotion.SURPRISE, Emotion.HAPPY,
)  # fmt: skip
"""From the bottom up: what most faces show most of the time is the ground on which the rest stands."""
_TICKS_S: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a timeline, hex."""

    paper: str
    ink: str
    faint: str
    line: str
    empty: str


LIGHT: Final = Theme("#ffffff", "#1c2330", "#5f6875", "#d5dbe4", "#f1f3f7")
DARK: Final = Theme("#12161d", "#e8ecf3", "#9aa4b5", "#333d4d", "#1b222d")


def draw_timeline(chart: Chart, title: str, *, dark: bool = False, thumbnails: Thumbnails | None = None) -> bytes:
    """A PNG 1560 px wide, as high as it has people; the same chart gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    theme = DARK if dark else LIGHT
    pictures = thumbnails or {}
    count = max(1, len(chart.lanes))
    lane_in = min(1.5, max(0.27, 5.5 / count)) if count > 1 else 1.7
    thin = lane_in < _THIN_IN
    top, bottom = 1.05, 0.55
    height = top + bottom + lane_in * count
    left = 1.35 + (min(lane_in * _FILL, 0.8) + 0.1 if pictures else 0.0)
    stream = io.BytesIO()
    with plain_style(hatch_linewidth=0.7):
        figure = Figure(figsize=(_WIDTH_IN, height), facecolor=theme.paper)
        FigureCanvasAgg(figure)
        box = (bottom / height, (height - top - bottom) / height)
        axes = figure.add_axes((left / _WIDTH_IN, box[0], (_WIDTH_IN - left - 1.75) / _WIDTH_IN, box[1]))
        totals = figure.add_axes((1 - 1.6 / _WIDTH_IN, box[0], 1.35 / _WIDTH_IN, box[1]), sharey=axes)
        for axis in (axes, totals):
            _dress(axis, theme, count)
        for row, lane in enumerate(chart.lanes):
            _draw_lane(axes, chart, lane, row, theme, thin=thin)
            _draw_totals(totals, chart, lane, row, theme, min(_FILL * 0.62, 0.4 / lane_in))
            _draw_name(axes, chart, lane, row, theme, lane_in)
            if lane.track_id in pictures:
                _draw_thumbnail(axes, pictures[lane.track_id], row, lane_in, left)
        _draw_times(axes, chart, theme)
        _draw_head(figure, chart, title, theme, height, left, thin=thin)
        figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return stream.getvalue()


def join_bins(lane: Lane, factor: int) -> Lane:
    """The same lane in bins that are ``factor`` times as wide."""
    first = lane.first // factor
    before = lane.first - first * factor
    after = -(before + len(lane.label_s)) % factor
    seconds = lane.label_s.sum(axis=1, keepdims=True)
    parts = np.pad(np.hstack([lane.label_s, lane.probabilities * seconds]), ((before, after), (0, 0)))
    joined = parts.reshape(-1, factor, parts.shape[1]).sum(axis=1)
    labels = lane.label_s.shape[1]
    total = joined[:, :labels].sum(axis=1, keepdims=True)
    means = np.divide(joined[:, labels:], total, out=np.zeros((len(joined), labels - 1)), where=total > 0)
    return Lane(lane.track_id, first, joined[:, :labels], means)


def _draw_lane(axes: Axes, chart: Chart, lane: Lane, row: int, theme: Theme, *, thin: bool) -> None:
    """What was said in a strip, and the probabilities stacked below it; in a thin lane what was said alone."""
    factor = max(1, round(chart.seconds / chart.bin_s / (_THIN_COLUMNS if thin else _COLUMNS)))
    lane, bin_s = join_bins(lane, factor), chart.bin_s * factor
    upper, floor = row + (1 - _FILL) / 2, row + (1 + _FILL) / 2  # the axis points down
    middle = floor if thin else upper + _STRIP * _FILL
    axes.axhspan(floor, upper, color=theme.empty, linewidth=0, zorder=0)
    seen = lane.label_s.sum(axis=1)
    shares = np.divide(lane.label_s, seen[:, None], out=np.zeros_like(lane.label_s), where=seen[:, None] > 0)
    order = [chart.labels.index(e) for e in STACKING if e in chart.labels]
    colours = [to_hex(emotion_colour(chart.labels[i])) for i in order]
    for start, stop in _find_runs(seen > 0):
        edges = np.minimum((lane.first + np.arange(start, stop + 1)) * bin_s, chart.seconds)
        _stack(axes, edges, shares[start:stop][:, [*order, -1]], middle, upper, [*colours, theme.paper])
        unsure = shares[start:stop, -1]
        axes.fill_between(
            np.repeat(edges, 2)[1:-1], upper + np.repeat(unsure, 2) * (middle - upper), upper, facecolor="none",
            edgecolor=theme.faint, hatch="//////", linewidth=0, zorder=4,
        )  # fmt: skip
        if not thin:
            _stack(axes, edges, lane.probabilities[start:stop][:, order], floor, middle, colours, alpha=0.62)
            for first, last in _find_runs(unsure > 0.5):
                axes.fill_between(
                    edges[[first, last]], middle, floor, color=theme.paper, alpha=0.6, linewidth=0, zorder=3
                )


def _stack(
    axes: Axes, edges: NDArray[np.float64], parts: NDArray[np.float64], low: float, high: float, colours: list[str], *,
    alpha: float = 1.0,
) -> None:  # fmt: skip
    """Columns of stacked parts between two heights."""
    tops = low + np.cumsum(parts, axis=1) / np.maximum(parts.sum(axis=1, keepdims=True), 1e-9) * (high - low)
    bottom = np.full(len(parts), low)
    x = np.repeat(edges, 2)[1:-1]
    for index, colour in enumerate(colours):
        if parts[:, index].any():
            low_high = np.repeat(bottom, 2), np.repeat(tops[:, index], 2)
            axes.fill_between(x, *low_high, color=colour, alpha=alpha, linewidth=0, zorder=2)
        bottom = tops[:, index]


def _find_runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(start, stop) of every run of True."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return [(int(a), int(b)) for a, b in changes.reshape(-1, 2)]


def _draw_totals(axes: Axes, chart: Chart, lane: Lane, row: int, theme: Theme, height: float) -> None:
    """A bar of everybody's share of time."""
    left = 0.0
    middle = row + 0.5
    for share, label in zip(lane.shares, [*chart.labels, None], strict=True):
        if share <= 0:
            continue
        if label is None:
            axes.barh(
                middle, share, height, left, facecolor=theme.paper, edgecolor=theme.faint, hatch="//////", linewidth=0
            )
        else:
            axes.barh(middle, share, height, left, color=to_hex(emotion_colour(label)), linewidth=0)
        left += share


def _draw_name(axes: Axes, chart: Chart, lane: Lane, row: int, theme: Theme, lane_in: float) -> None:
    size = min(11.0, max(7.5, lane_in * 22))
    main, share = lane.find_main(chart.labels)
    name, detail = f"#{lane.track_id}", f"{main} {100 * share:.0f} %"

    def write(text: str, x: float, y: float, va: str, colour: str, fontsize: float, weight: str) -> None:
        axes.annotate(
            text, (0, row + 0.5), (x, y), xycoords=("axes fraction", "data"), textcoords="offset points", ha="right",
            va=va, color=colour, fontsize=fontsize, fontweight=weight,
        )  # fmt: skip

    if lane_in >= 0.5:
        write(name, -10, 1, "bottom", theme.ink, size, "bold")
        write(detail, -10, -2, "top", theme.faint, size * 0.8, "normal")
    else:
        write(name, -72, 0, "center", theme.ink, size, "bold")
        write(detail, -8, 0, "center", theme.faint, size * 0.92, "normal")


def _draw_thumbnail(axes: Axes, picture: NDArray[np.uint8], row: int, lane_in: float, left: float) -> None:
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    side_in = min(lane_in * _FILL, 0.8)
    image = OffsetImage(picture, zoom=72 * side_in / max(picture.shape[:2]), interpolation="lanczos")
    place = (-72 * (left - 0.12) + 36 * side_in, 0)
    box = AnnotationBbox(
        image,
        (0, row + 0.5),
        place,
        xycoords=("axes fraction", "data"),
        boxcoords="offset points",
        frameon=False,
        pad=0,
    )
    axes.add_artist(box)


def _draw_times(axes: Axes, chart: Chart, theme: Theme) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter

    seconds = max(chart.seconds, 1e-3)
    step = next((s for s in _TICKS_S if seconds / s <= 12), _TICKS_S[-1])
    first = np.ceil(chart.start_s / step - 1e-9) * step
    ticks = np.arange(first, chart.start_s + seconds + step * 1e-6, step) - chart.start_s
    decimals = 1 if step < 1 else 0
    axes.set_xlim(0, seconds)
    axes.xaxis.set_major_locator(FixedLocator(ticks.tolist()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: format_time(x + chart.start_s, decimals=decimals)))
    axes.grid(axis="x", color=theme.line, linewidth=0.8, zorder=1)


def _draw_head(
    figure: Figure, chart: Chart, title: str, theme: Theme, height: float, left: float, *, thin: bool
) -> None:
    from matplotlib.patches import Patch

    x = left / _WIDTH_IN
    shown = _replace_missing(title if len(title) <= 80 else title[:79] + "…")
    figure.text(x, 1 - 0.3 / height, shown, color=theme.ink, fontsize=14, fontweight="bold", va="center")
    note = describe_chart(chart) + ("" if thin else " · above: the expression as read, below: the probabilities")
    figure.text(x, 1 - 0.55 / height, note, color=theme.faint, fontsize=9.5, va="center")
    figure.text(1 - 1.6 / _WIDTH_IN, 1 - 0.86 / height, "share of time", color=theme.faint, fontsize=8.5, va="center")
    handles = [Patch(facecolor=to_hex(emotion_colour(e)), label=str(e)) for e in chart.labels]
    handles.append(
        Patch(facecolor=theme.paper, edgecolor=theme.faint, hatch="//////", linewidth=0.5, label="uncertain")
    )
    handles.append(Patch(facecolor=theme.empty, edgecolor=theme.line, linewidth=0.5, label="not there"))
    figure.legend(
        handles=handles, loc="center left", bbox_to_anchor=(x, 1 - 0.86 / height), ncols=len(handles), frameon=False,
        fontsize=8.5, labelcolor=theme.ink, borderpad=0, borderaxespad=0, handlelength=1.1, handleheight=1.0,
        columnspacing=1.2, handletextpad=0.5,
    )  # fmt: skip


def _replace_missing(title: str) -> str:
    """Letters that the font does not have as boxes, as matplotlib would draw them, but without a warning for each."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    known = get_font(findfont(FontProperties(weight="bold"))).get_charmap()
    return "".join(letter if ord(letter) in known else "□" for letter in title)


def _dress(axes: Axes, theme: Theme, lanes: int) -> None:
    axes.set_facecolor(theme.paper)
    axes.spines[:].set_visible(False)
    axes.set_ylim(lanes, 0)
    axes.tick_params(axis="both", length=0, colors=theme.faint, labelsize=9)
    axes.set_yticks([])
    axes.set_xticks([])
    axes.set_axisbelow(True)
