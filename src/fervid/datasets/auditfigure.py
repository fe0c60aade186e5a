"""The picture of an audit: balance, leaks, duplicates, and what FER+ says of the labels. It shows no face."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np

from fervid.datasets.audit import Audit
from fervid.datasets.duplicates import NEAR_TWIN_CORRELATION
from fervid.datasets.faceset import PRIVATE_TEST, PUBLIC_TEST, SPLITS, TRAINING
from fervid.plotting import plain_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PNG_DPI: Final = 130

_INK: Final = "#1c2330"
_FAINT: Final = "#69717f"
_PAPER: Final = "#ffffff"
_EMPTY: Final = "#f3f6fb"
_ACCENT: Final = "#2459b3"
_WARM: Final = "#d1641a"
_PALE_WARM: Final = "#f2b98d"
_SPLIT_COLOURS: Final = {TRAINING: "#2459b3", PUBLIC_TEST: "#6ea3f7", PRIVATE_TEST: "#b9c9e6"}


def draw_audit(audit: Audit, name: str) -> bytes:
    """An audit as PNG, the same bytes for the same audit.

    Args:
        audit: the findings.
        name: of the data, for the title.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    has_votes = audit.vote_matrix is not None
    with plain_style():
        figure = Figure(figsize=(14, 10.4), facecolor=_PAPER)
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(
            2, 2, width_ratios=(1, 1.08), height_ratios=(1.35, 1), hspace=0.36, wspace=0.24,
            left=0.075, right=0.975, top=0.855, bottom=0.045,
        )  # fmt: skip
        figure.text(0.02, 0.965, f"Audit of {name}", fontsize=17, fontweight="bold", color=_INK, va="center")
        figure.text(0.02, 0.932, _summary(audit), fontsize=11.5, color=_FAINT, va="center")
        _draw_balance(figure.add_subplot(grid[0, 0] if has_votes else grid[0, :]), audit)
        if has_votes:
            _draw_votes(figure.add_subplot(grid[0, 1]), audit)
        if audit.leaks:
            _draw_leaks(figure.add_subplot(grid[1, 0]), audit)
        _draw_findings(figure.add_subplot(grid[1, 1] if audit.leaks else grid[1, :]), audit)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return stream.getvalue()


def _draw_balance(axes: Axes, audit: Audit) -> None:
    """Share of each emotion in each split, as grouped bars, with counts of the first split."""
    _dress(axes, "Class balance", f"share of each split; the counts are of {audit.splits[0]}")
    splits = audit.splits
    height = 0.8 / len(splits)
    rows = np.arange(len(audit.emotions))
    counts = {split: audit.counts[SPLITS.index(split)] for split in splits}
    for place, split in enumerate(splits):
        share = counts[split] / counts[split].sum()
        label = f"{split} ({counts[split].sum():,})"
        bars = rows - 0.4 + height * (place + 0.5)
        axes.barh(bars, share, height * 0.9, color=_SPLIT_COLOURS[split], label=label, zorder=2)
        if place == 0:
            for y, value, count in zip(bars, share, counts[split], strict=True):
                text = f"{count:,} · {_percent(value)}"
                axes.annotate(text, (value, y), (5, 0), textcoords="offset points", va="center", color=_INK, fontsize=9)
    axes.set_yticks(rows, [str(emotion) for emotion in audit.emotions])
    axes.invert_yaxis()
    axes.set_xlim(0, axes.get_xlim()[1] * 1.16)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value * 100:g} %")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.06), ncols=3, frameon=False, labelcolor=_INK, fontsize=9.5)


def _draw_votes(axes: Axes, audit: Audit) -> None:
    """Label by FER+ majority, as percent of each label's row."""
    from matplotlib.colors import LinearSegmentedColormap

    matrix = audit.vote_matrix
    if matrix is None:
        return
    decided = int(matrix.sum())
    share = matrix.trace() / decided if decided else 0.0
    _dress(
        axes,
        f"FER+ majority: the label on {_percent(share)} of the faces",
        f"the emotion with the most of ten votes, in % of each label's row; {decided:,} faces have one",
    )
    totals = matrix.sum(axis=1)
    shares = matrix / np.maximum(totals, 1)[:, None]
    scale = LinearSegmentedColormap.from_list("share", [_EMPTY, _ACCENT])
    edges = np.arange(len(matrix) + 1) - 0.5
    axes.pcolormesh(edges, edges, shares, cmap=scale, vmin=0, vmax=1, edgecolors=_PAPER, linewidth=2)
    axes.invert_yaxis()
    for row, values in enumerate(shares):
        for column, value in enumerate(values):
            ink = _PAPER if value > 0.6 else _INK
            weight = "bold" if row == column else "normal"
            text = f"{value * 100:.0f}" if value >= 0.005 or not matrix[row, column] else "<1"
            axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=10.5, fontweight=weight)
    names = [str(emotion) for emotion in audit.emotions]
    places = np.arange(len(names))
    axes.set_xticks(places, names)
    axes.set_yticks(places, [f"{name}\nn = {total:,}" for name, total in zip(names, totals, strict=True)])
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("FER+ majority", color=_FAINT, fontsize=9.5)
    axes.set_ylabel("label", color=_FAINT, fontsize=9.5)


def _draw_leaks(axes: Axes, audit: Audit) -> None:
    """Share of each test split that training has already seen."""
    subtitle = f"faces of a test split that also stand in Training; near: correlation > {NEAR_TWIN_CORRELATION:g}"
    _dress(axes, "Leaks into the tests", subtitle)
    axes.grid(visible=False)
    axes.tick_params(axis="y", length=0)
    widest = max(leak.near / leak.faces for leak in audit.leaks)
    for row, leak in enumerate(audit.leaks):
        exact, near = leak.exact / leak.faces, (leak.near - leak.exact) / leak.faces
        axes.barh(row, exact, 0.34, color=_WARM, label="exact copy" if not row else None, zorder=2)
        axes.barh(row, near, 0.34, exact, color=_PALE_WARM, label="near twin only" if not row else None, zorder=2)
        if exact > 0.1 * widest:
            _write_inside(axes, exact / 2, row, str(leak.exact), _PAPER)
        if near > 0.1 * widest:
            _write_inside(axes, exact + near / 2, row, str(leak.near - leak.exact), _INK)
        text = f"{_percent(exact + near)} seen"
        axes.annotate(
            text, (exact + near, row), (7, 0), textcoords="offset points", va="center", color=_INK, fontsize=10.5
        )
        rest = (
            f"official {leak.faces:,}  →  de-duplicated {leak.faces - leak.exact:,}  →  "
            f"strict {leak.faces - leak.near:,}"
        )
        axes.annotate(rest, (0, row + 0.17), (0, -9), textcoords="offset points", va="top", color=_FAINT, fontsize=9.5)
    axes.set_yticks(range(len(audit.leaks)), [leak.split for leak in audit.leaks])
    axes.set_ylim(len(audit.leaks) - 0.35, -0.75)
    axes.set_xlim(0, max(widest * 1.25, 0.01))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value * 100:g} %")
    axes.legend(loc="upper right", ncols=2, frameon=False, labelcolor=_INK, fontsize=9.5, borderaxespad=0)


def _draw_findings(axes: Axes, audit: Audit) -> None:
    """The remaining counts, as a table by split."""
    _dress(axes, "Duplicates, blanks, disputes", "counted inside each split, and in all of the data")
    axes.set_axis_off()
    inside = [audit.duplicates_within[split] for split in audit.splits]
    every = [*inside, audit.duplicates]
    lines = [
        ("groups of equal faces", [f"{found.groups:,}" for found in every]),
        ("… with conflicting labels", [f"{found.conflicts:,}" for found in every]),
        ("surplus copies", [f"{found.surplus:,}" for found in every]),
        ("blank faces", [f"{n:,}" for n in (*audit.blanks.values(), sum(audit.blanks.values()))]),
    ]
    if audit.agreements:
        decided, agreeing = (sum(getattr(a, key) for a in audit.agreements) for key in ("decided", "agreeing"))
        shares = [*(a.share for a in audit.agreements), agreeing / decided if decided else None]
        counts = [*(a.decided for a in audit.agreements), decided]
        lines += [
            ("FER+ majority agrees", ["–" if share is None else _percent(share) for share in shares]),
            ("… of faces with a majority", [f"{n:,}" for n in counts]),
        ]
    columns = [*audit.splits, "all"]
    right = np.linspace(1, 1 - 0.175 * (len(columns) - 1), len(columns))[::-1]
    step = 0.92 / (len(lines) + 1)
    for x, column in zip(right, columns, strict=True):
        axes.text(x, 0.94, column, ha="right", va="center", color=_FAINT, fontsize=10, transform=axes.transAxes)
    for place, (label, values) in enumerate(lines, start=1):
        y = 0.94 - place * step
        axes.plot([0, 1], [y + step / 2] * 2, color=_FAINT, alpha=0.3, linewidth=0.8, transform=axes.transAxes)
        axes.text(0, y, label, va="center", color=_INK, fontsize=10.5, transform=axes.transAxes)
        for x, value in zip(right, values, strict=True):
            is_conflict = "conflicting" in label and value != "0"
            axes.text(
                x, y, value, ha="right", va="center", color=_WARM if is_conflict else _INK, fontsize=10.5,
                fontweight="bold" if x == right[-1] else "normal", transform=axes.transAxes,
            )  # fmt: skip


def _summary(audit: Audit) -> str:
    counts = audit.counts.sum(axis=0)
    common, rare = audit.emotions[int(counts.argmax())], audit.emotions[int(np.where(counts, counts, np.inf).argmin())]
    return (
        f"{counts.sum():,} faces · {audit.imbalance:.1f} {common} for each {rare} · "
        f"{audit.duplicates.surplus:,} surplus copies · labels differ in {audit.duplicates.conflicts:,} of "
        f"{audit.duplicates.groups:,} groups of equal faces · {sum(audit.blanks.values()):,} blank"
    )


def _dress(axes: Axes, title: str, subtitle: str) -> None:
    axes.set_facecolor(_PAPER)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_FAINT)
    axes.tick_params(colors=_INK, labelsize=10)
    axes.grid(color=_FAINT, alpha=0.2, linewidth=0.8)
    axes.set_axisbelow(True)
    for text, offset, size, weight, colour in ((title, 25, 13, "bold", _INK), (subtitle, 9, 9.5, "normal", _FAINT)):
        axes.annotate(
            text, (0, 1), (0, offset), xycoords="axes fraction", textcoords="offset points", fontsize=size,
            fontweight=weight, color=colour,
        )  # fmt: skip


def _write_inside(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    axes.text(x, y, text, ha="center", va="center", color=colour, fontsize=10, fontweight="bold", zorder=3)


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"
