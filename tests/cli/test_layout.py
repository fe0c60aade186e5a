"""What is printed for people in terminals of any width: no name and no figure is cut."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from fervid.batch.manifest import RunManifest
from fervid.batch.summary import GroupRow, Report
from fervid.cli.app import app
from fervid.cli.batchtables import print_report
from fervid.cli.filmtable import print_summary
from fervid.cli.layout import print_fitting
from fervid.cli.tables import print_analysis
from fervid.emotions import EMOTIONS, VOTE_LABELS, Emotion
from fervid.models.store import load_model
from fervid.results import Analysis, Box, Face
from fervid.tracking.summary import PersonSummary, Stretch, Summary
from fervid.values import Distribution

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDTHS = [40, 50, 60, 70, 80, 120]


def make_console(width: int) -> Console:
    from rich.console import Console

    return Console(file=io.StringIO(), width=width, highlight=False, emoji=False)


def read_lines(console: Console) -> list[str]:
    """What was printed."""
    assert isinstance(console.file, io.StringIO)
    return check_lines(console.file.getvalue(), console.width)


def check_lines(text: str, width: int) -> list[str]:
    """Lines that all have room, and are whole."""
    from rich.cells import cell_len

    assert "…" not in text
    lines = text.splitlines()
    assert max(map(cell_len, lines)) <= width
    return lines


def make_face(*values: float) -> Face:
    probabilities, votes = Distribution(EMOTIONS, values), Distribution(VOTE_LABELS, [1 / 8] * 8)
    emotion = Emotion(probabilities.top)
    return Face(Box(1175, 1107, 1357, 1330), 0.9, emotion, probabilities[emotion], probabilities, votes)


@pytest.mark.parametrize("width", WIDTHS)
def test_faces(width: int) -> None:
    faces = (make_face(0, 0, 0, 0, 0, 1, 0), make_face(0.1, 0.605, 0.05, 0.05, 0.05, 0.05, 0.095))
    console = make_console(width)
    print_analysis(console, Analysis(faces, (4000, 3000), "m", "d", "new\nline\x1b[31m.jpg"))
    lines = read_lines(console)
    assert lines[0].startswith(r"new\nline\x1b[31m.jpg ")
    words = " ".join(lines).split()
    for word in (*EMOTIONS, "1", "2", "100%", "60%", "100.0%", "60.5%", "9.5%", "182×223", "1107"):
        assert word in words
    assert any("█" * 3 in line for line in lines)


@pytest.mark.parametrize("width", WIDTHS)
def test_people(width: int) -> None:
    disgust, surprise, neutral = Emotion.DISGUST, Emotion.SURPRISE, Emotion.NEUTRAL
    mean = Distribution(EMOTIONS, [1 / 7] * 7)
    transitions = {(disgust, surprise): 12, (surprise, disgust): 11}
    shares, longest = {disgust: 0.62, neutral: 0.2}, Stretch(surprise, 61.0, 3723.0)
    people = (
        PersonSummary(1, 0.0, 4923.0, 4000.0, 0.81, {surprise: 1.0}, 0.0, mean, {}, longest),
        PersonSummary(12, 61.0, 4800.0, 3723.0, 1.0, shares, 0.18, mean, transitions, longest),
    )
    console = make_console(width)
    print_summary(console, Summary(people, 0.0, 4923.0, 99, 0, "a\nb.mp4", "m"), "d")
    lines = read_lines(console)
    assert lines[0].startswith(r"a\nb.mp4 ")
    words = " ".join(lines).split()
    for word in ("#1", "#12", "100%", "62%", "18%", "(81%)", "1:02:03", "1:22:03", "23", "×12", "×11", "uncertain"):
        assert word in words
    assert sum("disgust → surprise ×12" in line for line in lines) == 1


@pytest.mark.parametrize("width", WIDTHS)
def test_a_batch(width: int) -> None:
    folder = "a_long_name_of_a_folder_of_scans"
    rows = tuple(
        GroupRow(group, name, 1_234_567, 45_678, 2_345_678, 21, (1_300_000, 0, 0, 0, 0, 1_045_000, 0))
        for group, name in (("all", ""), ("kind", "photo"), ("folder", f"/d/{folder}"), ("folder", "/d/in\nner"))
    )
    console = make_console(width)
    print_report(console, Report(Path("out"), RunManifest("/d", {}), 1, 0, rows, {}, ()))
    lines = read_lines(console)
    words = " ".join(lines).split()
    for word in ("1,234,567", "45,678", "2,345,678", "0%", "55%", "45%"):
        assert sum(word in found for found in words) >= 3, word
    assert {"photo", r"in\nner"} <= set(words)
    assert sum(folder[:12] in line for line in lines) == 1


@pytest.mark.parametrize("width", WIDTHS)
def test_a_model(width: int) -> None:
    done = CliRunner(env={"COLUMNS": str(width), "TERM": "xterm"}).invoke(app, ["models", "show", "small"])
    check_lines(done.stdout, width)
    assert load_model("small").sha256 in "".join(done.stdout.split())
    for word in ("GlobalAveragePool", "parameters", "278,960"):
        assert word in done.stdout.split()


def make_table(name_width: int | None = None) -> Table:
    from rich.table import Table

    table = Table("name", "say", title="Words", show_footer=True)
    table.columns[0].min_width, table.columns[0].overflow = name_width, "fold"
    table.columns[1].footer = "in all"
    table.add_row("  antidisestablishmentarian", "[bold]one two[/] three")
    table.add_row("b", "")
    return table


def test_lines_break_between_words_before_rows_are_stacked() -> None:
    console = make_console(40)
    print_fitting(console, [make_table()])
    assert [line[32:38].strip() for line in read_lines(console) if "a" in line] == ["say", "one", "in all"]
    console = make_console(34)
    print_fitting(console, [make_table()])
    assert read_lines(console) == [
        "Words", "", "name   antidisestablishmentarian", "say  one two three", "", "name b", "", "name", "say  in all",
        "",
    ]  # fmt: skip


def test_only_columns_that_say_so_are_folded() -> None:
    console = make_console(22)
    print_fitting(console, [make_table(8)])
    lines = read_lines(console)
    assert "one two" in "".join(lines)
    assert not any("antidisestablishmentarian" in line for line in lines)


def test_the_first_table_that_has_room_is_printed() -> None:
    from rich.table import Table

    console = make_console(20)
    print_fitting(console, (Table(*columns) for columns in (["wide" * 5] * 2, ["fits"], ["never seen"])))
    assert "fits" in "".join(read_lines(console))
    print_fitting(console, [])
