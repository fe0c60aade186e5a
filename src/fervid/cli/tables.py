"""Results as terminal tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fervid.cli.layout import print_fitting
from fervid.cli.terminal import escape_controls
from fervid.emotions import Emotion
from fervid.results import Analysis, Face
from fervid.wording import count_nouns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

BAR_WIDTHS: Final = (16, 12, 8)
"""Of the bars, characters: the first with which a terminal has room."""
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


def print_analysis(console: Console, analysis: Analysis) -> None:
    """The faces of one picture: number, place, expression, confidence and a bar per emotion."""
    from rich.text import Text

    count = len(analysis.faces)
    faces = count_nouns(count, "face") if count else "no face"
    width, height = analysis.size
    source = escape_controls(analysis.source or "picture")
    console.print(
        Text.assemble(
            (source, "bold"), f"  {width}×{height} px, {faces}  ", (f"{analysis.model}, {analysis.detector}", "dim")
        )
    )
    if count:
        print_fitting(console, (_build_table(analysis.faces, bar) for bar in BAR_WIDTHS))


def _build_table(faces: Sequence[Face], bar: int) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("face", justify="right")
    table.add_column("expression", no_wrap=True)
    table.add_column("confidence", justify="right")
    table.add_column("probabilities", no_wrap=True)
    for number, face in enumerate(faces, start=1):
        table.add_row(str(number), _describe(face), f"{face.confidence:.0%}", _draw_bars(face, bar))
    return table


def _describe(face: Face) -> str:
    if face.emotion is None:
        likely = Emotion(face.probabilities.top)
        name = f"[yellow]uncertain[/], {likely}? {likely.character}"
    else:
        name = f"[bold]{face.emotion}[/] {face.emotion.character}"
    box = face.box
    return f"{name}\n[dim]{box.width:.0f}×{box.height:.0f} px at {box.x1:.0f}, {box.y1:.0f}[/]"


def _draw_bars(face: Face, bar: int) -> Table:
    from rich.table import Table

    bars = Table.grid(padding=(0, 1))
    bars.add_column(no_wrap=True)
    bars.add_column(width=bar)
    bars.add_column(justify="right", no_wrap=True)
    for label, value in face.probabilities.items():
        strong = label == face.probabilities.top
        bars.add_row(str(label), draw_bar(value, bar), f"{value:.1%}", style="bold" if strong else "dim")
    return bars


def draw_bar(share: float, width: int) -> str:
    """A horizontal bar of ``share`` (0–1) of ``width`` characters, in eighths of a character."""
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")
