"""Charts of a session as SVG that stands alone: shares over time, and how many were lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from fervid.drawing.palette import Colour, emotion_colour
from fervid.web.rooms.aggregation import estimate_interval
from fervid.web.rooms.room import LOST, NONE, Mark, Room, Row

WIDTH: Final = 960
LEFT: Final = 44
RIGHT: Final = 28
TOP: Final = 22
MOST_BINS: Final = 180

_PACES: Final[dict[str, Colour]] = {
    LOST: (238, 80, 0),
    "slow_down": (245, 160, 34),
    "fine": (0, 154, 101),
    "speed_up": (61, 105, 154),
}


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows that stand side by side, as one.

    Attributes:
        start_s: since the room was made.
        end_s: likewise.
        contributors: mean over the rows that are shown.
        shares: per option, mean over the contributions that are shown; None when nothing is.
    """

    start_s: float
    end_s: float
    contributors: float
    shares: dict[str, float] | None


def choose_colour(option: str) -> str:
    """The colour of an option, as CSS; no answer is the page's own faint one."""
    if option == NONE:
        return "var(--empty)"
    red, green, blue = _PACES[option] if option in _PACES else emotion_colour(option)
    return f"#{red:02x}{green:02x}{blue:02x}"


def name_option(room: Room, option: str) -> str:
    """An option in words."""
    if option == NONE:
        return "no face, or uncertain" if room.kind == "expressions" else "no answer"
    return option.replace("_", " ")


def collect_bins(rows: Sequence[Row], *, most: int = MOST_BINS) -> list[Bin]:
    """Rows in at most ``most`` bins of the same duration, from the first row to the last."""
    if not rows:
        return []
    first, last = rows[0].bucket, rows[-1].bucket
    size = -(-(last - first + 1) // most)
    groups: dict[int, list[Row]] = {}
    for row in rows:
        groups.setdefault((row.bucket - first) // size, []).append(row)
    return [_average(group) for _, group in sorted(groups.items())]


def _average(rows: Sequence[Row]) -> Bin:
    shares, people = average_shares(rows)
    return Bin(rows[0].start_s, rows[-1].end_s, people, shares)


def average_shares(rows: Sequence[Row]) -> tuple[dict[str, float] | None, float]:
    """Mean shares over all contributions that are shown, and how many contributed in the mean."""
    shown = [row for row in rows if row.shares is not None]
    if not shown:
        return None, 0.0
    total = sum(row.contributors for row in shown)
    shares = {
        option: sum((row.shares or {})[option] * row.contributors for row in shown) / total
        for option in shown[0].shares or {}
    }
    return shares, total / len(shown)


def draw_shares(room: Room, rows: Sequence[Row], marks: Sequence[Mark]) -> str:
    """Stacked shares over time; what may not be shown is hatched."""
    plot = 240
    bins = collect_bins(rows)
    axis = _Axis(bins, plot)
    parts = [_draw_frame(axis, plot, [(1 - i / 4, f"{25 * i} %") for i in range(5)])]
    for each in bins:
        x, width = axis.place(each)
        if each.shares is None:
            parts.append(f'<rect class="hidden" x="{x:.1f}" y="{TOP}" width="{width:.1f}" height="{plot}"/>')
            continue
        below = float(TOP + plot)
        for option in room.options:
            part = each.shares[option] * plot
            below -= part
            if part > 0:
                parts.append(
                    f'<rect x="{x:.1f}" y="{below:.1f}" width="{width:.2f}" height="{part + 0.2:.1f}" '
                    f'style="fill:{choose_colour(option)}"/>'
                )
    parts.append(_draw_marks(axis, marks, plot))
    names = ", ".join(name_option(room, option) for option in room.options)
    label = f"Shares of {names} over time; the table has the figures"
    return _wrap("".join(parts), plot, label)


def draw_lost(rows: Sequence[Row], marks: Sequence[Mark]) -> str:
    """The share of those who were lost, with its interval, bin by bin."""
    plot = 140
    bins = collect_bins(rows)
    axis = _Axis(bins, plot)
    intervals = [
        None if each.shares is None else estimate_interval(each.shares[LOST], max(1, round(each.contributors)))
        for each in bins
    ]
    top = max((interval[1] for interval in intervals if interval is not None), default=1.0)
    scale = next(step for step in (0.2, 0.4, 0.6, 0.8, 1.0) if step >= min(1.0, top) - 1e-9)
    parts = [_draw_frame(axis, plot, [(1 - i / 2, f"{50 * scale * i:.0f} %") for i in range(3)])]
    bands, lines = [], []
    for each, interval in zip(bins, intervals, strict=True):
        x, width = axis.place(each)
        if each.shares is None or interval is None:
            parts.append(f'<rect class="hidden" x="{x:.1f}" y="{TOP}" width="{width:.1f}" height="{plot}"/>')
            continue
        low, high = (TOP + plot * (1 - value / scale) for value in interval)
        middle = TOP + plot * (1 - each.shares[LOST] / scale)
        bands.append(f'<rect x="{x:.1f}" y="{high:.1f}" width="{width:.2f}" height="{max(0.5, low - high):.1f}"/>')
        lines.append(f'<rect x="{x:.1f}" y="{middle - 1.5:.1f}" width="{width:.2f}" height="3"/>')
    colour = choose_colour(LOST)
    parts += [f'<g fill="{colour}" opacity=".28">', *bands, f'</g><g fill="{colour}">', *lines, "</g>"]
    parts.append(_draw_marks(axis, marks, plot))
    return _wrap("".join(parts), plot, "Share of those who were lost over time, with its 95 % interval")


def draw_people(rows: Sequence[Row]) -> str:
    """How many contributed, bin by bin."""
    plot = 56
    bins = collect_bins(rows)
    axis = _Axis(bins, plot)
    most = max((each.contributors for each in bins), default=0.0) or 1.0
    parts = [_draw_frame(axis, plot, [(0.0, f"{most:.0f}"), (1.0, "0")])]
    for each in bins:
        x, width = axis.place(each)
        height = plot * each.contributors / most
        parts.append(
            f'<rect class="people" x="{x:.1f}" y="{TOP + plot - height:.1f}" width="{width:.2f}" '
            f'height="{height:.1f}"/>'
        )
    return _wrap("".join(parts), plot, f"How many contributed over time, {most:.0f} at most")


class _Axis:
    """Time from left to right."""

    def __init__(self, bins: Sequence[Bin], plot: int) -> None:
        self.start_s = bins[0].start_s if bins else 0.0
        self.end_s = bins[-1].end_s if bins else 60.0
        self.bottom = TOP + plot

    def find(self, time_s: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (time_s - self.start_s) / max(1e-9, self.end_s - self.start_s)

    def place(self, each: Bin) -> tuple[float, float]:
        x = self.find(each.start_s)
        return x, self.find(each.end_s) - x + 0.5  # over the next one's edge, so that no seam shows

    def list_ticks(self) -> list[float]:
        span = self.end_s - self.start_s
        step = next((s for s in (10, 30, 60, 120, 300, 600, 1800, 3600, 7200) if span / s <= 10), 14400)
        first = -(-self.start_s // step) * step
        return [first + i * step for i in range(int((self.end_s - first) // step) + 1)]


def format_time(time_s: float) -> str:
    """``m:ss``, or ``h:mm:ss`` from an hour on."""
    minutes, seconds = divmod(round(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _draw_frame(axis: _Axis, plot: int, levels: Sequence[tuple[float, str]]) -> str:
    lines = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{TOP + plot * y:.1f}" y2="{TOP + plot * y:.1f}"/>'
        f'<text x="{LEFT - 6}" y="{TOP + plot * y + 4:.1f}" text-anchor="end">{text}</text>'
        for y, text in levels
    )
    ticks = "".join(
        f'<text x="{axis.find(t):.1f}" y="{axis.bottom + 18}" text-anchor="middle">{format_time(t)}</text>'
        for t in axis.list_ticks()
    )
    return lines + ticks


def _draw_marks(axis: _Axis, marks: Sequence[Mark], plot: int) -> str:
    inside = [(number, mark) for number, mark in enumerate(marks, 1) if axis.start_s <= mark.at_s <= axis.end_s]
    return "".join(
        f'<line class="mark" x1="{axis.find(mark.at_s):.1f}" x2="{axis.find(mark.at_s):.1f}" y1="{TOP}" '
        f'y2="{TOP + plot}"/><text class="mark" x="{axis.find(mark.at_s):.1f}" y="{TOP - 7}" text-anchor="middle">'
        f"{number}<title>{escape(mark.text)}</title></text>"
        for number, mark in inside
    )


def _wrap(inner: str, plot: int, label: str) -> str:
    # The hatching has its own name in every chart of a page, so that hiding one chart does not empty the other.
    name = f"hatch{plot}"
    pattern = (
        f'<defs><pattern id="{name}" width="7" height="7" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><line class="hatch" x1="0" y1="0" x2="0" y2="7"/></pattern></defs>'
    )
    inner = inner.replace('class="hidden"', f'class="hidden" fill="url(#{name})"')
    return (
        f'<svg viewBox="0 0 {WIDTH} {TOP + plot + 26}" role="img" aria-label="{escape(label)}" '
        f'shape-rendering="crispEdges" xmlns="http://www.w3.org/2000/svg">{pattern}{inner}</svg>'
    )
