"""``fervid demo``: the first thing a newcomer runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fervid.cli.image import save_pictures
from fervid.cli.terminal import stdout


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the pictures that are made.")] = Path(
        "fervid-demo"
    ),
) -> None:
    """Read the expression of a real portrait that is on every install, and save what was seen."""
    from fervid.cli.tables import print_analysis
    from fervid.pipeline import Analyzer
    from fervid.portrait import find_portrait

    analysis = Analyzer().analyze(find_portrait())
    print_analysis(stdout(), analysis)
    save_pictures(
        analysis, {"annotated": output / "grace_hopper.annotated.jpg", "emoji": output / "grace_hopper.emoji.jpg"}
    )
    stdout().print("Try your own: [bold]fervid image photo.jpg --annotate --emoji[/]")
