"""``fervid data``: prepare a dataset, write it out as pictures, look for what is wrong with it."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fervid.cli.layout import print_fitting
from fervid.cli.options import JsonOption, check_output_folder, check_path
from fervid.cli.terminal import print_note, show_progress, stdout, write_output
from fervid.errors import UsageError
from fervid.files import check_destinations
from fervid.wording import count_nouns

if TYPE_CHECKING:
    from rich.table import Table

    from fervid.datasets.audit import Audit

data_app = typer.Typer(
    help="Prepare FER2013, export it as pictures, audit it.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class PictureFormat(StrEnum):
    """Choices of ``--format``."""

    PNG = "png"
    JPG = "jpg"


class Split(StrEnum):
    """Choices of ``--split``."""

    TRAINING = "Training"
    PUBLIC_TEST = "PublicTest"
    PRIVATE_TEST = "PrivateTest"


_ENDINGS: Final = (".parquet", ".pq")

FacesArgument = Annotated[Path, typer.Argument(metavar="FACES.PARQUET", help="As fervid data prepare writes it.")]


@data_app.command()
def prepare(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SRC",
            callback=check_path,
            help="fer2013.csv, train.csv, a folder of pictures (train/angry/*.jpg), or a Parquet.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The Parquet to write.")],
    votes: Annotated[
        Path | None, typer.Option("--votes", metavar="FILE", help="FER+'s fer2013new.csv, joined row by row.")
    ] = None,
    split: Annotated[Split | None, typer.Option("--split", help="The split of all rows, where SRC names none.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Pass over bad rows and count them.")] = False,
) -> None:
    """Check every face of SRC and write them to one Parquet, which train and evaluate read.

    The first bad row stops it, and nothing is written; with --skip-bad, bad rows are listed and the exit status is 0.
    """
    from fervid.datasets.preparation import prepare_faces
    from fervid.datasets.sources import open_source

    if str(output) == "-":
        raise UsageError("a Parquet is not written to stdout", advice="Name a file with -o.")
    if output.suffix.lower() not in _ENDINGS:
        raise UsageError(f"no Parquet ends like {output}", advice=f"Use one of {', '.join(_ENDINGS)}.")
    read: list[str | Path] = [source] if votes is None else [source, votes]
    check_destinations({"-o": str(output)}, tables=(), media=(), sources=read)
    found = open_source(source, split=split)
    print_note(f"reading {found.path} as {found.description}")
    for note in found.notes:
        print_note(f"  {note}")
    with show_progress("preparing", "faces") as advance:
        prepared = prepare_faces(found, output, votes=votes, skip_bad=skip_bad, progress=advance)
    print_note(f"wrote {output}: {count_nouns(prepared.rows, 'face')}{' with votes' if votes else ''}")
    skipped = prepared.skipped
    if skipped.count:
        print_note(f"skipped {skipped.count:,} bad rows:")
        for error in skipped.errors:
            print_note(f"  {error}")
        if skipped.count > len(skipped.errors):
            print_note(f"  … and {skipped.count - len(skipped.errors):,} more")


@data_app.command()
def export(
    source: FacesArgument,
    folder: Annotated[
        str,
        typer.Argument(
            metavar="DIR", callback=check_output_folder, help="Absent, empty, or an export of the same faces."
        ),
    ],
    image_format: Annotated[
        PictureFormat, typer.Option("--format", help="png keeps every pixel, jpg does not.")
    ] = PictureFormat.PNG,
    labels: Annotated[int, typer.Option("--labels", min=6, max=7, help="6 puts disgust into anger's folder.")] = 7,
    force: Annotated[bool, typer.Option("--force", help="Replace the pictures of another export in DIR.")] = False,
) -> None:
    """Write each face to DIR/SPLIT/EMOTION/ROW.png, as Training/angry/00000.png.

    Run again after an interruption, it goes on where it stopped.
    """
    from fervid.datasets.export import export_faces

    with show_progress("exporting", "faces") as advance:
        done = export_faces(source, folder, image_format=image_format, labels=labels, replace=force, progress=advance)
    kept = f", {done.kept:,} were there" if done.kept else ""
    print_note(f"wrote {count_nouns(done.written, 'picture')} to {folder}{kept}")


@data_app.command()
def audit(
    source: FacesArgument,
    labels: Annotated[int, typer.Option("--labels", min=6, max=7, help="6 counts disgust as anger.")] = 7,
    json_file: JsonOption = None,
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="FILE.png", help="Draw them as one picture.")
    ] = None,
) -> None:
    """Class balance, duplicates, leaks into the tests, blank faces, and how far FER+ agrees with the labels."""
    from fervid.datasets.audit import audit_faces
    from fervid.datasets.parquet import read_faces
    from fervid.errors import escape_bytes
    from fervid.results import SCHEMA

    if figure is not None and figure.suffix.lower() != ".png":
        raise UsageError(f"the figure is a PNG, not {figure.name}", advice="Give --figure FILE.png.")
    places = {"--json": json_file, "--figure": None if figure is None else str(figure)}
    named = {name: place for name, place in places.items() if place is not None}
    check_destinations(named, tables=(), media=(), sources=[source])
    with show_progress("reading", "faces") as advance:
        faces = read_faces(source, progress=advance)
    with show_progress("looking for twins", "splits") as advance:
        findings = audit_faces(faces, labels=labels, progress=advance)
    name = escape_bytes(source.name)
    if json_file is not None:
        content = {"schema": SCHEMA, "source": name, **findings.to_dict()}
        write_output(json_file, json.dumps(content, indent=2) + "\n")
    if figure is not None:
        _write_figure(figure, findings, name)
        print_note(f"wrote {figure}")
    if json_file != "-":
        console = stdout()
        for table in _tabulate(findings):
            print_fitting(console, [table])


def _write_figure(path: Path, findings: Audit, name: str) -> None:
    from fervid.datasets.auditfigure import draw_audit
    from fervid.files import write_file

    write_file(path, draw_audit(findings, name))


def _tabulate(findings: Audit) -> list[Table]:
    from fervid.datasets.faceset import SPLITS

    counts = findings.counts[[SPLITS.index(split) for split in findings.splits]]
    balance = _make_table("Class balance", "emotion", [*findings.splits, "all"])
    totals = [*counts.sum(axis=1), counts.sum()]
    for place, emotion in enumerate(findings.emotions):
        column = [*counts[:, place], counts[:, place].sum()]
        shares = zip(column, totals, strict=True)
        balance.add_row(str(emotion), *(f"{n:,} [dim]{n / total:6.1%}[/]" for n, total in shares))
    balance.add_section()
    balance.add_row("all", *(f"{total:,} [dim]{1:6.1%}[/]" for total in totals))

    duplicates = _make_table(
        "Equal pixels, and blank faces", "inside", ["groups", "faces", "surplus", "label conflicts", "blank"]
    )
    for split, found in (*findings.duplicates_within.items(), ("all", findings.duplicates)):
        blank = findings.blanks.get(split, sum(findings.blanks.values()))
        numbers = (found.groups, found.faces, found.surplus, found.conflicts, blank)
        duplicates.add_row(split, *(f"{n:,}" for n in numbers))
    tables = [balance, duplicates]
    if findings.overlaps:
        columns = ["also in", "faces", "labelled otherwise there"]
        overlaps = _make_table("Faces that stand in two splits", "split", columns)
        for overlap in findings.overlaps:
            overlaps.add_row(overlap.split, overlap.other, f"{overlap.faces:,}", f"{overlap.conflicts:,}")
        tables.append(overlaps)
    if findings.leaks:
        columns = ["official", "exact twin", "any twin", "de-duplicated", "strict"]
        leaks = _make_table("Test faces seen in Training", "split", columns)
        for leak in findings.leaks:
            seen = (leak.faces, leak.exact, leak.near, leak.faces - leak.exact, leak.faces - leak.near)
            leaks.add_row(leak.split, *(f"{n:,}" for n in seen))
        tables.append(leaks)
    if findings.agreements:
        columns = ["faces", "with a majority", "agreeing", "of those", "of all"]
        agreement = _make_table("FER+ majority and label", "split", columns)
        for votes in findings.agreements:
            share = "–" if votes.share is None else f"{votes.share:.1%}"
            counted = (votes.faces, votes.decided, votes.agreeing)
            agreement.add_row(votes.split, *(f"{n:,}" for n in counted), share, f"{votes.agreeing / votes.faces:.1%}")
        tables.append(agreement)
    return tables


def _make_table(title: str, first: str, columns: list[str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, title_style="bold", title_justify="left")
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table
