"""FER2013 as folders of pictures.

=================================  ====================================================================================
layout                             splits
=================================  ====================================================================================
``train/angry/*.jpg``              by the folder (:data:`fervid.datasets.kagglecsv.SPLIT_NAMES`). Kaggle's release has
                                   ``train`` and ``test``, and ``test`` holds both test splits: names that start with
                                   ``PublicTest_`` or ``PrivateTest_`` say which, other pictures of ``test`` count as
                                   PrivateTest
``Training/angry/00000.png``       as ``fervid data export`` writes it: the number is the row, so the order comes back
``angry/Training_123.jpg``         by the name, else by the split that the caller gives
=================================  ====================================================================================

Pictures are 48×48; a colour picture is converted to grey. Folders may also be called 0–6, in FER2013's order, which is
noted.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fervid.datasets.faceset import SPLITS, FaceRow
from fervid.datasets.kagglecsv import SPLIT_NAMES, parse_label
from fervid.datasets.parquet import decode_face
from fervid.emotions import EMOTIONS, EMOTIONS_WITHOUT_DISGUST, parse_emotion
from fervid.errors import DatasetError, UsageError
from fervid.imaging import SUFFIXES

MANIFEST: Final = "fervid-export.json"
"""The file that marks a folder as made by ``fervid data export``."""

_PREFIX: Final = re.compile(rf"({'|'.join(SPLITS)})_")
_NUMBERS: Final = tuple(str(number) for number in range(len(EMOTIONS)))
_EXPECTED: Final = "Expected train/angry/*.jpg and so on, or a folder with fer2013.csv in it."


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file, the name of its split and the name of its emotion's folder."""

    path: Path
    split: str
    label: str


@dataclass(frozen=True, slots=True)
class PictureFolder:
    """The pictures that a folder holds, in the order in which they are read.

    Attributes:
        pictures: what will be read.
        is_export: ``fervid data export`` made it and it is whole, so that the rows are in the order of its source.
        notes: what a reader should know of how the folder was understood.
    """

    pictures: tuple[Picture, ...]
    is_export: bool
    notes: tuple[str, ...]


def list_pictures(folder: Path, split: str | None = None) -> PictureFolder:
    """Find the pictures of a folder and their splits, without opening them.

    Args:
        folder: with one folder per split and emotion, or one per emotion.
        split: the split of pictures whose folder and name say none.

    Raises:
        DatasetError: another layout, a folder that names no split, or an export that was interrupted.
        UsageError: ``split`` was given although the folders name the splits.
    """
    inner = _list_folders(folder)
    if any(path.name.lower() in SPLIT_NAMES for path in inner):
        if split is not None:
            raise UsageError(f"the folders in {folder} name the splits", advice="Leave --split out.")
        pictures, notes = _list_by_split(inner)
    elif any(_is_emotion(path.name) for path in inner):
        pictures, notes = _list_by_emotion(folder, inner, split)
    else:
        found = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
        raise DatasetError(f"{folder} is no layout of FER2013: it holds {found}", advice=_EXPECTED)
    if not pictures:
        raise DatasetError(f"{folder} has folders for FER2013, but no picture in them", advice=_EXPECTED)
    if any(picture.label in _NUMBERS for picture in pictures):
        order = ", ".join(f"{number} {emotion}" for number, emotion in zip(_NUMBERS, EMOTIONS, strict=True))
        notes.append(f"folders 0–6 are read in FER2013's order: {order}")
    is_export = (folder / MANIFEST).is_file() and _check_export(folder, pictures, notes)
    return PictureFolder(tuple(pictures), is_export, tuple(notes))


def iterate_pictures(folder: PictureFolder) -> Iterator[FaceRow | DatasetError]:
    """The faces of a folder, one by one; a bad one comes as its error, which names the file."""
    for picture in folder.pictures:
        where = str(picture.path)
        try:
            try:
                data = picture.path.read_bytes()
            except OSError as error:
                raise DatasetError(f"{where}: cannot be opened ({error.strerror})") from None
            yield FaceRow(
                decode_face(data, where),
                parse_label(picture.label, where),
                SPLITS.index(picture.split),
                where=where,
            )
        except DatasetError as error:
            yield error


def read_manifest(folder: Path) -> dict[str, object]:
    """What ``fervid data export`` noted about the folder. Raises DatasetError when the note is damaged."""
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is damaged ({error})", advice="Export to another folder.") from None
    if not isinstance(content, dict):
        raise DatasetError(f"{path} is damaged (no object)", advice="Export to another folder.")
    return content


def _check_export(folder: Path, pictures: list[Picture], notes: list[str]) -> bool:
    """Put the pictures of an export in order of their rows; whether they are those that were exported, all of them."""
    manifest = read_manifest(folder)
    if not manifest.get("complete"):
        raise DatasetError(
            f"{folder} is an export that was interrupted", advice="Run the same fervid data export again."
        )
    rows, labels = manifest.get("rows"), manifest.get("labels")
    if not isinstance(rows, int):
        raise DatasetError(f"{folder / MANIFEST} is damaged (rows: {rows!r})", advice="Export to another folder.")
    if labels == len(EMOTIONS_WITHOUT_DISGUST):
        notes.append(f"exported with {labels} labels: disgust counts as angry")
    pictures.sort(key=lambda picture: (not picture.path.stem.isdigit(), picture.path.stem.zfill(20)))
    numbers = {int(picture.path.stem) for picture in pictures if picture.path.stem.isdecimal()}
    present = sum(number < rows for number in numbers)
    if present < rows:
        notes.append(f"{present:,} of {rows:,} pictures are there")
    if present < len(pictures):
        notes.append(f"{len(pictures) - present:,} pictures are not of the export")
    return present == len(pictures) == rows


def _list_by_split(folders: list[Path]) -> tuple[list[Picture], list[str]]:
    pictures: list[Picture] = []
    notes: list[str] = []
    for outer in folders:
        if outer.name.lower() not in SPLIT_NAMES:
            raise DatasetError(
                f"{outer}: no split is called {outer.name!r}", advice=f"Splits are {', '.join(SPLIT_NAMES)}."
            )
        named = SPLIT_NAMES[outer.name.lower()]
        found = []
        for inner in _list_folders(outer):
            for path in _list_files(inner, notes):
                prefix = _PREFIX.match(path.name) if outer.name.lower() == "test" else None
                own = prefix.group(1) if prefix and prefix.group(1) != SPLITS[0] else named
                found.append(Picture(path, own, inner.name))
        count = sum(picture.split == named for picture in found)
        if count and outer.name not in SPLITS:
            notes.append(f"{outer.name}/: {count:,} pictures count as {named}")
        if count < len(found):
            notes.append(f"{outer.name}/: {len(found) - count:,} pictures are called PublicTest_… and count as such")
        pictures += found
    return pictures, notes


def _list_by_emotion(folder: Path, folders: list[Path], split: str | None) -> tuple[list[Picture], list[str]]:
    pictures: list[Picture] = []
    notes: list[str] = []
    for inner in folders:
        for path in _list_files(inner, notes):
            prefix = _PREFIX.match(path.name)
            own = prefix.group(1) if prefix else split
            if own is None:
                raise DatasetError(
                    f"{folder} names no splits (nor does {path.name})",
                    advice=f"Say which its pictures are with --split {'|'.join(SPLITS)}.",
                )
            pictures.append(Picture(path, own, inner.name))
    return pictures, notes


def _list_folders(folder: Path) -> list[Path]:
    """Folders inside, in order; hidden ones and what macOS adds to archives left out."""
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if e.is_dir() and not is_hidden(e.name)]
    return [folder / name for name in sorted(names)]


def is_hidden(name: str) -> bool:
    """Whether a file or folder of that name is hidden, or what macOS adds to archives."""
    return name.startswith((".", "__MACOSX"))


def _list_files(folder: Path, notes: list[str]) -> list[Path]:
    """Picture files inside, in order; notes how many others there are."""
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if not e.name.startswith(".") and not e.is_dir())
    pictures = [folder / name for name in names if Path(name).suffix.lower() in SUFFIXES]
    if len(pictures) < len(names):
        stray = next(name for name in names if Path(name).suffix.lower() not in SUFFIXES)
        notes.append(f"{folder}: {len(names) - len(pictures)} files are no pictures and were left out ({stray} …)")
    return pictures


def _is_emotion(name: str) -> bool:
    try:
        parse_emotion(name)
    except UsageError:
        return False
    return True
