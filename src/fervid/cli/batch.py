"""``fervid batch``: archives of photos and films to Parquet, and what is in the result."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from fervid.cli.options import SMOOTH_S, DetectorOption, LabelsOption, MinFaceOption, ModelOption, SmoothOption
from fervid.cli.terminal import ERROR, SOME_FAILED, print_note, show_progress, stdout, write_output
from fervid.cli.video import stop_on_terminate
from fervid.errors import FervidError, UsageError
from fervid.files import check_destinations
from fervid.wording import count_nouns

if TYPE_CHECKING:
    from fervid.batch.cluster import RayEngine
    from fervid.batch.local import LocalEngine
    from fervid.batch.run import Progress, RunSummary
    from fervid.batch.settings import Settings
    from fervid.emotions import LabelCount

_CHUNK = 500  # fervid.batch.run.CHUNK, and what follows likewise: NumPy would be loaded before the first option is read
_EVERY_S = 0.5
_RANGE_S = 600.0

_DEFAULT = "run"


class _BatchGroup(typer.core.TyperGroup):
    """``fervid batch SRC`` is ``fervid batch run SRC``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)


batch_app = typer.Typer(
    cls=_BatchGroup,
    help="Read an archive of photos and films: fervid batch SRC --out DIR. Goes on where it stopped.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class EngineName(StrEnum):
    """Choices of ``--engine``."""

    LOCAL = "local"
    RAY = "ray"


@batch_app.command()
def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SRC",
            help="Folder, glob, manifest (.csv or .parquet with a column path) or address (s3://…, gs://…).",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the results; a second run goes on.")],
    engine: Annotated[EngineName, typer.Option(help="Processes of this machine, or Ray.")] = EngineName.LOCAL,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes, or actors; one per core if not given. 0: none beside this one."),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1, help="Threads of each worker; if not given, the workers share the cores, and Ray's have one each."
        ),
    ] = None,
    address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Ray cluster; auto is the one that runs here.")
    ] = None,
    gpus: Annotated[float, typer.Option(min=0.0, help="Share of a GPU that each Ray actor is given.")] = 0.0,
    chunk: Annotated[
        int,
        typer.Option(min=1, help="Photos that are written together; what an interruption costs each worker at most."),
    ] = _CHUNK,
    every: Annotated[
        float, typer.Option(min=0.0, metavar="SEC", help="Read one frame of a film in so many seconds; 0: every one.")
    ] = _EVERY_S,
    smooth: SmoothOption = SMOOTH_S,
    range_s: Annotated[
        float,
        typer.Option(
            "--range", min=1.0, metavar="SEC", help="Films of two such lengths or more are shared among the workers."
        ),
    ] = _RANGE_S,
    labels: LabelsOption = 7,
    detector: DetectorOption = "auto",
    min_face: MinFaceOption = 20.0,
    model: ModelOption = "base",
) -> None:
    """Read every photo and film of SRC, and write tables of faces, inputs and failures to DIR.

    The same command goes on after an interruption and does only what is missing. Inputs that cannot be read are listed
    in DIR/failures and do not stop the others (exit status 3). What does not answer, an address or a disc, is left to
    the next run.
    """
    if engine is EngineName.LOCAL and (address is not None or gpus):
        raise UsageError("--address and --gpus belong to Ray", advice="Add --engine ray.")
    if engine is EngineName.RAY and workers == 0:
        raise UsageError("Ray works with actors, not in this process", advice="Give 1 worker or more.")
    from fervid.batch.run import run_batch
    from fervid.batch.settings import Settings

    settings = Settings(
        model=model,
        detector=detector,
        labels=cast("LabelCount", labels),
        min_face=min_face,
        every_s=every,
        smooth_s=smooth,
        range_s=range_s,
    )
    with stop_on_terminate(), show_progress("Reading", "inputs") as advance:

        def open_engine(resolved: Settings) -> LocalEngine | RayEngine:
            if engine is EngineName.RAY:
                from fervid.batch.cluster import RayEngine

                return RayEngine(resolved, out, address=address, workers=workers, threads=threads or 1, gpus=gpus)
            from fervid.batch.local import LocalEngine

            count = (os.cpu_count() or 1) if workers is None else workers
            return LocalEngine(resolved, out, workers=count, threads=threads)

        def report(progress: Progress) -> None:
            advance(progress.done + progress.ranges_done, progress.total + progress.ranges)

        try:
            summary = run_batch(source, out, settings, open_engine, chunk=chunk, report=report)
        except (KeyboardInterrupt, FervidError) as error:
            if isinstance(error, KeyboardInterrupt) or not isinstance(error, UsageError):
                print_note("stopped; the same command goes on from there")
            raise
    _conclude(summary, out)


def _conclude(summary: RunSummary, out: Path) -> None:
    """Say what was done; the exit status says whether some of it failed."""
    new, everything = summary.new, summary.all
    known, failed = everything.inputs - new.inputs, everything.failed - new.failed
    print_note(
        f"{count_nouns(new.inputs, 'input')} read, {count_nouns(new.faces, 'row')} of faces, {new.failed:,} failed"
        + (f"; {known:,} were done before" if known else "")
        + (f", {failed:,} of them failed" if failed else "")
    )
    if summary.unreachable:
        unread = count_nouns(summary.unreachable, "input")
        print_note(f"{unread} could not be read this time; the same command tries them again")
    if summary.stale:
        print_note(f"{summary.stale:,} inputs have changed or gone since they were read; their rows stay")
    print_note(f"saved {out}; fervid batch report {out} says what is in it")
    if everything.failed or summary.unreachable:
        none_read = not summary.unreachable and everything.failed == everything.inputs
        raise typer.Exit(ERROR if none_read else SOME_FAILED)


@batch_app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run.")],
    csv_file: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Save the figures as CSV; - is stdout.")
    ] = None,
    html_file: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="Save a page with charts; - is stdout.")
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, help="Folders and sources that are listed, those of most faces first.")
    ] = 20,
) -> None:
    """Say what is in the result of a run: counts, shares by folder, hour and source, failures."""
    places = {name: place for name, place in (("--csv", csv_file), ("--html", html_file)) if place is not None}
    check_destinations(places, tables=(), media=())
    from fervid.batch.summary import summarise

    found = summarise(folder, top=top)
    if csv_file is not None:
        from fervid.batch.csvreport import build_csv

        write_output(csv_file, build_csv(found))
    if html_file is not None:
        from fervid.batch.page import build_report

        write_output(html_file, build_report(found))
    if "-" not in (csv_file, html_file):
        from fervid.cli.batchtables import print_report

        print_report(stdout(), found)
