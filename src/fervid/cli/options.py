"""Options that several commands take: each is spelled once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import typer

from fervid.errors import UsageError


class Placement(StrEnum):
    """Choices of ``--emoji-placement``."""

    OVER = "over"
    BESIDE = "beside"


def check_detector(name: str) -> str:
    """Refuse a detector's name that nobody knows before anything is loaded."""
    from fervid.detection.selection import check_name

    return check_name(name)


def check_placement(placement: Placement, *, emoji: bool) -> None:
    """Refuse a place for emoji that nobody asked for."""
    if placement is not Placement.OVER and not emoji:
        raise UsageError("--emoji-placement says where emoji go, and none were asked for", advice="Add --emoji.")


def check_path(path: str | None) -> str | None:
    """Refuse an empty path, of a variable that is not set, say: as a path it would be the current folder."""
    if path == "":
        raise UsageError("a path is empty", advice="Give a file or a folder; . is the current folder.")
    return path


def check_output_folder(path: str | None) -> str | None:
    """Refuse what :func:`check_path` does, and ``-``, which is stdout wherever a file is written."""
    if path == "-":
        raise UsageError("a folder is not written to stdout", advice="Name a folder; ./- is one that is called so.")
    return check_path(path)


LabelsOption = Annotated[int, typer.Option("--labels", min=6, max=7, help="7 emotions, or 6: disgust counts as anger.")]
DetectorOption = Annotated[
    str,
    typer.Option(
        "--detector",
        callback=check_detector,
        help="faces, yunet, haar, or the path of a detector's .onnx file; auto is the first of the three that is here.",
    ),
]
MinFaceOption = Annotated[
    float,
    typer.Option("--min-face", metavar="PX", help="Height of the smallest face looked for; smaller takes longer."),
]
ModelOption = Annotated[str, typer.Option("--model", help="A model's name, or the path of an .onnx file.")]
ThreadsOption = Annotated[int | None, typer.Option("--threads", min=1, help="Threads; one per core if not given.")]
SmoothOption = Annotated[
    float,
    typer.Option("--smooth", min=0.0, metavar="SEC", help="Memory of the smoothed answers; 0 is off."),
]
JsonOption = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Save the figures as JSON; - is stdout, without tables.")
]
EmojiPlacementOption = Annotated[Placement, typer.Option("--emoji-placement", help="Emoji over the face or beside it.")]

SMOOTH_S: Final = 0.5  # fervid.tracking.smoothing.SMOOTH_S, which would load NumPy before the first option is read
