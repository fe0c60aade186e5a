"""From the arguments of ``fervid image`` to the pictures they mean and the files they make."""

# ruff: noqa: PTH110, PTH112, PTH113
# Where a name is too long or a folder closed to us, pathlib's questions raise, and these are answered with no.

from __future__ import annotations

import glob
import os.path
from dataclasses import dataclass
from pathlib import Path

from fervid.errors import UsageError
from fervid.files import find_matches, walk_folders


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture to read.

    Attributes:
        source: its path.
        relative: where its results go below the output folder, without the file name.
    """

    source: Path
    relative: Path


def collect_pictures(arguments: list[str]) -> list[Picture]:
    """Expand folders (all their pictures, subfolders included) and globs, in a fixed order, each file once.

    Of several paths and links to one file the first is kept. A path that does not exist and a folder that cannot be
    listed are kept: reading them will fail and be reported like any other bad file.

    Raises:
        UsageError: a folder or a glob has no pictures, or an argument is empty.
    """
    from fervid.imaging import SUFFIXES

    pictures: dict[str, Picture] = {}
    for argument in arguments:
        if not argument:  # of a variable that is not set, say; as a path it would be the current folder
            raise UsageError("a path is empty", advice="Give a picture, a folder or a glob; . is the current folder.")
        path = Path(argument)
        if os.path.isdir(path):
            found = _search_folder(path)
            if not found:
                raise UsageError(
                    f"the folder {path} has no pictures", advice=f"Looked for {', '.join(sorted(SUFFIXES))}."
                )
        elif not os.path.exists(path) and glob.has_magic(argument) and "://" not in argument:
            # Of a file and its links the shortest path stays.
            matches = sorted(find_matches(argument), key=lambda name: (len(name), name), reverse=True)
            files = {os.path.realpath(match): match for match in matches}
            found = [Picture(Path(match), Path()) for match in sorted(files.values()) if os.path.isfile(match)]
            if not found:
                raise UsageError(f"nothing matches {argument}", advice="Check the pattern.")
        else:
            found = [Picture(path, Path())]
        for picture in found:
            pictures.setdefault(os.path.realpath(picture.source), picture)
    return list(pictures.values())


def _search_folder(top: Path) -> list[Picture]:
    """The pictures below a folder and the folders that cannot be listed, in the order of their paths."""
    from fervid.imaging import SUFFIXES

    found: list[Picture] = []

    def keep_closed(error: OSError) -> None:
        found.append(Picture(Path(error.filename), Path()))

    for folder, files in walk_folders(str(top), on_error=keep_closed):
        for path in (Path(folder, name) for name in files):
            # A path that cannot be looked at stays: reading it will say why.
            if path.suffix.lower() in SUFFIXES and (os.path.isfile(path) or not os.path.exists(path)):
                found.append(Picture(path, path.parent.relative_to(top)))
    return sorted(found, key=lambda picture: picture.source)


def plan_outputs(
    pictures: list[Picture], folder: Path, *, annotate: bool = False, emoji: bool = False, explain: bool = False
) -> list[dict[str, Path]]:
    """The files to make of each picture, by kind (``annotated``, ``emoji``, ``explained``); no two share a name.

    ``team.jpg`` becomes ``team.annotated.jpg``, ``team.emoji.jpg`` and ``team.explained.jpg`` in ``folder``; a second
    ``team`` becomes ``team-2``. Animations and formats that lose colours are written as PNG.

    Raises:
        UsageError: one of them is one of the pictures, or a picture is a pipe: it is read once, and to draw on it is
            to read it again.
    """
    asked = {"annotated": annotate, "emoji": emoji, "explained": explain}
    kinds = [kind for kind, wanted in asked.items() if wanted]
    for picture in pictures if kinds else ():
        source = picture.source  # a folder that cannot be listed will fail by itself
        if os.path.exists(source) and not (os.path.isfile(source) or os.path.isdir(source)):
            raise UsageError(
                f"{source} is no file, and cannot be read a second time to draw on it",
                advice="Save it first, or leave out --annotate, --emoji and --explain.",
            )
    plans: list[dict[str, Path]] = []
    taken: set[Path] = set()
    for picture in pictures:
        suffix = picture.source.suffix.lower()
        suffix = suffix if suffix in {".jpg", ".jpeg", ".png", ".webp"} else ".png"
        number = 1
        while True:
            stem = picture.source.stem if number == 1 else f"{picture.source.stem}-{number}"
            plan = {kind: folder / picture.relative / f"{stem}.{kind}{suffix}" for kind in kinds}
            if taken.isdisjoint(plan.values()):
                break
            number += 1
        taken.update(plan.values())
        plans.append(plan)
    sources = {os.path.realpath(picture.source) for picture in pictures} if taken else set()
    for path in sorted(taken):
        if os.path.realpath(path) in sources:
            raise UsageError(
                f"{path} would be overwritten while it is read",
                advice="Give another folder with -o, or leave that picture out.",
            )
    return plans
