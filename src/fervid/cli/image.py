"""``fervid image``: pictures in, expressions out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol, cast

import typer

from fervid.cli.inputs import collect_pictures, plan_outputs
from fervid.cli.options import (
    DetectorOption,
    EmojiPlacementOption,
    LabelsOption,
    MinFaceOption,
    ModelOption,
    Placement,
    ThreadsOption,
    check_placement,
)
from fervid.cli.terminal import ERROR, SOME_FAILED, print_note, show_progress, stdout
from fervid.wording import count_nouns

if TYPE_CHECKING:
    from fervid.emotions import LabelCount
    from fervid.results import Analysis, Failure


class Writer(Protocol):
    """Takes one result after another."""

    def write(self, result: Analysis | Failure) -> None:
        """Add one result."""


class PlacedWriter:
    """A writer that says itself where it failed: the files that are open around it would take the blame.

    Args:
        place: a file, or ``-`` for stdout.
        writer: writes to it.
    """

    def __init__(self, place: str, writer: Writer) -> None:
        self.place = place
        self.writer = writer

    def write(self, result: Analysis | Failure) -> None:
        """Add one result. Raises OutputError."""
        from fervid.files import explain_failures

        with explain_failures(self.place):
            self.writer.write(result)


def image(
    paths: Annotated[list[str], typer.Argument(metavar="PATH…", help="Pictures, folders of pictures, or globs.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the pictures that are made.")] = Path(),
    annotate: Annotated[bool, typer.Option("--annotate", help="Save each picture with its faces marked.")] = False,
    emoji: Annotated[bool, typer.Option("--emoji", help="Save each picture with an emoji per face.")] = False,
    emoji_placement: EmojiPlacementOption = Placement.OVER,
    explain: Annotated[
        bool, typer.Option("--explain", help="Save each picture with what in a face speaks for its expression.")
    ] = False,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Save JSON, one object per line; - is stdout.")
    ] = None,
    csv_file: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Save CSV, one row per face; - is stdout.")
    ] = None,
    labels: LabelsOption = 7,
    detector: DetectorOption = "auto",
    min_face: MinFaceOption = 20.0,
    model: ModelOption = "base",
    threads: ThreadsOption = None,
) -> None:
    """Find every face in pictures and read its expression.

    Without --json - or --csv - a table is printed. Pictures that cannot be read are listed at the end and do not stop
    the others (exit status 3).
    """
    check_placement(emoji_placement, emoji=emoji)
    check_tables(json_file, csv_file)  # before anything is looked for: --csv *.jpg names pictures
    pictures = collect_pictures(paths)
    check_tables(json_file, csv_file, [picture.source for picture in pictures])
    outputs = plan_outputs(pictures, output, annotate=annotate, emoji=emoji, explain=explain)

    from fervid.pipeline import Analyzer

    analyzer = Analyzer(model, detector, labels=cast("LabelCount", labels), threads=threads, min_face=min_face)
    to_stdout = "-" in (json_file, csv_file)
    failures: list[Failure] = []
    with (
        open_writers(json_file, csv_file) as writers,
        show_progress("Reading", "pictures", beside_data=True) as advance,
    ):
        results = analyzer.map([p.source for p in pictures], batch_size=16, evidence=explain)
        for done, result in enumerate(results, start=1):
            for writer in writers:
                writer.write(result)
            failure = _save_or_print(result, outputs[done - 1], emoji_placement, show=not to_stdout)
            if failure is not None:
                failures.append(failure)
            advance(done, len(pictures))
    if failures:
        print_note(f"{len(failures):,} of {count_nouns(len(pictures), 'picture')} failed:")
        for failure in failures:
            print_note(f"  {failure.error}")
        raise typer.Exit(ERROR if len(failures) == len(pictures) else SOME_FAILED)


def _save_or_print(
    result: Analysis | Failure, outputs: dict[str, Path], placement: Placement, *, show: bool
) -> Failure | None:
    """Print one result and save its pictures; the failure, if it is one or saving fails."""
    from fervid.cli.tables import print_analysis
    from fervid.errors import FervidError
    from fervid.files import STDOUT, explain_failures
    from fervid.results import Failure

    if isinstance(result, Failure):
        return result
    if show:
        with explain_failures(STDOUT):
            print_analysis(stdout(), result)
    try:
        save_pictures(result, outputs, placement)
    except FervidError as error:
        return Failure(str(result.source), error)
    return None


def save_pictures(analysis: Analysis, outputs: dict[str, Path], placement: Placement = Placement.OVER) -> None:
    """Write the annotated, emoji and explained versions of an analysed file that ``outputs`` asks for; say where."""
    if not outputs:
        return
    from fervid.drawing.annotation import annotate
    from fervid.drawing.emojification import emojify
    from fervid.drawing.evidence import explain
    from fervid.imaging import load_image, save_image

    picture = load_image(str(analysis.source))
    for kind, path in outputs.items():
        if kind == "annotated":
            save_image(path, annotate(picture, analysis))
        elif kind == "explained":
            save_image(path, explain(picture, analysis))
        else:
            save_image(path, emojify(picture, analysis, placement=placement.value))
        print_note(f"saved {path}")


def check_tables(json_file: str | None, csv_file: str | None, sources: Sequence[Path] = ()) -> None:
    """Refuse files that would be lost. Raises UsageError like :func:`fervid.files.check_destinations`."""
    from fervid.files import check_destinations
    from fervid.imaging import SUFFIXES

    places = {name: place for name, place in (("--json", json_file), ("--csv", csv_file)) if place is not None}
    check_destinations(places, tables=places.keys(), media=SUFFIXES, sources=sources)


@contextlib.contextmanager
def open_writers(json_file: str | None, csv_file: str | None) -> Iterator[list[Writer]]:
    """Writers for the asked files; files appear when the block ends without an error, ``-`` is stdout."""
    from fervid.files import STDOUT, open_text
    from fervid.sinks.table import CsvWriter, JsonLinesWriter

    asked = [
        (place, kind) for place, kind in ((json_file, JsonLinesWriter), (csv_file, CsvWriter)) if place is not None
    ]
    with contextlib.ExitStack() as stack:
        writers: list[Writer] = []
        for place, kind in sorted(asked, key=lambda pair: pair[0] == STDOUT):  # innermost, where whoever flushes it is
            writers.append(PlacedWriter(place, kind(stack.enter_context(open_text(place)))))
        yield writers
