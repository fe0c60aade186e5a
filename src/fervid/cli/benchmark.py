"""``fervid benchmark``: how fast the models are on this machine, and how much of it they use."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated

import typer

from fervid.cli.layout import print_fitting
from fervid.cli.options import JsonOption
from fervid.cli.outputs import make_places, take_steps
from fervid.cli.terminal import format_command, print_note, show_progress, stdout, write_output
from fervid.errors import escape_bytes
from fervid.files import check_destinations

if TYPE_CHECKING:
    from rich.table import Table

    from fervid.evaluation.speed.records import Benchmark
    from fervid.evaluation.speed.sheets import Sheet


def benchmark(
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="A model's name, or the path of an .onnx file; repeatable. All bundled if none."),
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="For each figure, at least; 2 if not given.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A look within seconds, not worth quoting.")] = False,
    peers: Annotated[
        bool,
        typer.Option(
            "--peers", help="Also time fer, deepface and EmotiEffLib where installed; they may fetch weights."
        ),
    ] = False,
    json_file: JsonOption = None,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE.md", help="Also save a dated page of Markdown.")
    ] = None,
) -> None:
    """Measure latency, faces per second, cold start and memory, against this machine's matrix product peak."""
    from fervid.evaluation.speed.benchmark import run_benchmark
    from fervid.evaluation.speed.machine import describe_machine
    from fervid.evaluation.speed.rounds import QUICK, Effort
    from fervid.evaluation.speed.sheets import format_page

    places = {name: place for name, place in (("--json", json_file), ("-o", output)) if place is not None}
    check_destinations(places, tables=(), media=(), sources=model or ())
    make_places(json_file, output)
    effort = QUICK if quick else Effort()
    if seconds is not None:
        effort = dataclasses.replace(effort, seconds=seconds)
    machine = describe_machine()
    if machine.warning:
        print_note(f"warning: {machine.warning}")
    with show_progress("measuring", "steps") as advance:
        result = run_benchmark(model or (), effort, machine=machine, peers=peers, on_progress=advance)
    for warning in result.warnings:
        if warning != machine.warning:
            print_note(f"warning: {warning}")

    def write_page(place: str) -> None:
        write_output(place, format_page(result, describe_command(model or [], seconds, quick, peers)))
        if place != "-":
            print_note(f"saved {place}")

    steps = [] if "-" in (json_file, output) else [lambda: print_benchmark(result)]
    if output is not None:
        steps.append(lambda: write_page(output))
    if json_file is not None:
        text = json.dumps(result.to_dict(), indent=2, ensure_ascii=False) + "\n"
        steps.append(lambda: write_output(json_file, text))
    take_steps(*steps)


def describe_command(models: list[str], seconds: float | None, quick: bool, peers: bool) -> str:
    """The command that measures the same again, as a page can hold it."""
    words = ["fervid", "benchmark"]
    for model in models:
        words += ["--model", model]
    words += ["--quick"] * quick + ["--peers"] * peers
    words += [] if seconds is None else ["--seconds", f"{seconds:g}"]
    return escape_bytes(format_command(words))


def print_benchmark(result: Benchmark) -> None:
    """Machine and tables on stdout."""
    from fervid.evaluation.speed.sheets import tabulate

    console = stdout()
    models = ", ".join(model.identity for model in result.models)
    console.print(f"{result.machine.describe()}; {models}", markup=False)
    for sheet in tabulate(result):
        console.print()
        console.print(sheet.title, style="bold", markup=False)
        print_fitting(console, [_build_table(sheet)])
        console.print(sheet.note, style="dim", markup=False)


def _build_table(sheet: Sheet) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for i, heading in enumerate(sheet.headings):
        left = i < sheet.left
        table.add_column(escape(heading), justify="left" if left else "right", overflow="fold", no_wrap=not left)
    for i, row in enumerate(sheet.rows):
        if sheet.grouped and i and row[0] != sheet.rows[i - 1][0]:
            table.add_section()
        table.add_row(*map(escape, row))
    return table
