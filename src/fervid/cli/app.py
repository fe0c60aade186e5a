"""``fervid``: the verbs, and how an error becomes an exit status."""

from __future__ import annotations

import inspect
import io
import os
import re
import sys
from pathlib import Path

import typer

from fervid.cli.batch import batch_app
from fervid.cli.benchmark import benchmark
from fervid.cli.camera import camera
from fervid.cli.data import data_app
from fervid.cli.demo import demo
from fervid.cli.doctor import doctor
from fervid.cli.evaluate import evaluate
from fervid.cli.export import export
from fervid.cli.image import image
from fervid.cli.models import models_app
from fervid.cli.serve import serve
from fervid.cli.terminal import ERROR, INTERRUPTED, drop_stdout, exit_status, print_error
from fervid.cli.train import train
from fervid.cli.video import video
from fervid.errors import FervidError, InputError, OutputError

app = typer.Typer(
    name="fervid",
    help="Reads facial expressions. Data goes to stdout, progress and messages to stderr. "
    "Exit status: 0 ok, 1 error, 2 usage, 3 some inputs failed, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo)
app.command()(image)
app.command()(video)
app.command()(camera)
app.command()(serve)
app.add_typer(batch_app, name="batch")
app.add_typer(data_app, name="data")
app.command()(train)
app.command()(evaluate)
app.command()(export)
app.command()(benchmark)
app.add_typer(models_app, name="models")
app.command()(doctor)


def join_lines(verbs: typer.Typer) -> None:
    """Let a terminal break the lines of help: Typer keeps a docstring's own, except in its first paragraph."""
    for command in verbs.registered_commands:
        if command.callback is not None:
            text = command.help or command.callback.__doc__ or ""
            command.help = re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.cleandoc(text))
    for group in verbs.registered_groups:
        if group.typer_instance is not None:
            join_lines(group.typer_instance)


join_lines(app)


def show_version(value: bool) -> None:
    """Print the version and leave."""
    if value:
        import fervid

        typer.echo(f"fervid {fervid.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=show_version, is_eager=True, help="Show the version."),
) -> None:
    """Options that come before the verb."""


def main() -> None:
    """Run the command line; the entry point of the ``fervid`` script."""
    if sys.stderr is None:  # it is closed: print would write to stdout, and the next file would take its number
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for as long as there is something to say
    if isinstance(sys.stdout, io.TextIOWrapper):  # bars and emoji, where the terminal's encoding has none
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            app()
        finally:
            if sys.stdout is not None:  # it may be closed
                sys.stdout.flush()  # while a failure can still be told
    except FervidError as error:
        print_error(error)
        sys.exit(exit_status(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of stdout left, as `fervid … | head` does
        drop_stdout()
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        if error.errno is None:
            raise
        if error.filename is None:  # whoever writes a file explains its failures; what is left is stdout
            drop_stdout()
            print_error(OutputError.for_place("stdout", error))
            sys.exit(ERROR)
        # A path that cannot even be asked about: too long, or below a folder that is closed to us.
        print_error(
            InputError(f"cannot use {error.filename} ({error.strerror})", advice="Check the path and its permissions.")
        )
        sys.exit(ERROR)
