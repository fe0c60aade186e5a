"""Where faces come from: a format is recognised from the path, and said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from fervid.datasets.faceset import SPLITS, FaceRow
from fervid.datasets.folder import is_hidden, iterate_pictures, list_pictures
from fervid.datasets.huggingface import is_hub_parquet, iterate_hub_parquet
from fervid.datasets.kagglecsv import SPLIT_NAMES, find_csv_split, iterate_csv
from fervid.datasets.parquet import iterate_parquet, open_faces, open_parquet
from fervid.datasets.table import count_records, open_table
from fervid.errors import DatasetError, UsageError

_WHOLE_FILES: Final = ("fer2013.csv", "icml_face_data.csv")
_ARCHIVES: Final = {b"PK\x03\x04": "zip", b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"7z\xbc\xaf": "7z"}


@dataclass(frozen=True, slots=True)
class Source:
    """Something that faces can be read from.

    Attributes:
        path: the file or folder that is read.
        description: which format it was recognised as.
        total: rows that it has, bad ones included; blank lines of a CSV count.
        in_order: whether its rows are in the order of their original, so that FER+ votes can be joined.
        notes: what a reader should know of how it was understood.
        iterate: starts reading; a bad row comes as its error.
    """

    path: Path
    description: str
    total: int
    in_order: bool
    notes: tuple[str, ...]
    iterate: Callable[[], Iterator[FaceRow | DatasetError]]


def open_source(path: str | Path, *, split: str | None = None) -> Source:
    """Recognise what ``path`` holds: Kaggle's CSV, its pictures in folders, or Parquet, fervid's or Hugging Face's.

    Folders are looked at first for ``fer2013.csv`` or ``icml_face_data.csv``, then for ``train.csv`` and others that
    are called as splits are (:data:`fervid.datasets.kagglecsv.SPLIT_NAMES`), then for folders that are called as splits
    or emotions are. A folder with nothing but one folder in it stands for that one.

    Args:
        path: a file or a folder.
        split: one of :data:`fervid.datasets.faceset.SPLITS`, for a source that names no splits.

    Raises:
        DatasetError: nothing there, or none of these formats.
        UsageError: no such split, or the source names its own.
        MissingExtraError: it is Parquet, and pyarrow is not installed.
    """
    if split is not None and split not in SPLITS:
        raise UsageError(f"unknown split {split!r}", advice=f"Use one of: {', '.join(SPLITS)}.")
    place = Path(path)
    try:
        if place.is_dir():
            return _open_folder(place, split)
        with place.open("rb") as file:
            magic = file.read(8)
    except FileNotFoundError:
        raise DatasetError(f"there is no file or folder {place}", advice="Check the path.") from None
    except OSError as error:
        raise DatasetError(f"cannot open {place} ({error.strerror})", advice="Check its permissions.") from None
    if magic.startswith(b"PAR1"):
        return _open_parquet(place, split)
    for start, name in _ARCHIVES.items():
        if magic.startswith(start):
            raise DatasetError(f"{place} is a {name} archive", advice="Unpack it, and give what was in it.")
    return _open_csv(place, split)


def _open_csv(path: Path, split: str | None, notes: tuple[str, ...] = ()) -> Source:
    table = open_table(path)
    named = find_csv_split(table, split)
    if named is not None:
        notes = (f"{path.name} has no column Usage: all its rows count as {named}", *notes)
    return Source(
        path=path,
        description=f"Kaggle's CSV ({', '.join(table.columns)})",
        total=count_records(path),
        in_order=True,
        notes=notes,
        iterate=lambda: iterate_csv(table, named),
    )


def _open_parquet(path: Path, split: str | None) -> Source:
    with open_parquet(path) as file:
        of_hub, total = is_hub_parquet(file), file.metadata.num_rows
    if of_hub:
        iterate_hub_parquet(path, split)  # what says no split says so now
        return Source(path, "Parquet (image, label)", total, False, (), lambda: iterate_hub_parquet(path, split))
    if split is not None:
        raise UsageError(f"{path} names the split of each row", advice="Leave --split out.")
    with open_faces(path):
        pass  # a Parquet of something else says so now

    def iterate() -> Iterator[FaceRow | DatasetError]:
        with open_faces(path) as file:
            yield from iterate_parquet(file, str(path))

    return Source(path, "Parquet", total, True, (), iterate)


def _open_folder(folder: Path, split: str | None) -> Source:
    names = {entry.name.lower(): entry for entry in sorted(folder.iterdir()) if not is_hidden(entry.name)}
    for name in _WHOLE_FILES:
        if name in names:
            others = [other for other in names if other.endswith(".csv") and other != name]
            return _open_csv(names[name], split, (f"beside it, not read: {', '.join(others)}",) if others else ())
    files = [names[f"{stem}.csv"] for stem in SPLIT_NAMES if f"{stem}.csv" in names]
    if "train.csv" in names or (files and not any(entry.is_dir() for entry in names.values())):
        tables_and_folders = [entry for name, entry in names.items() if entry.is_dir() or name.endswith(".csv")]
        return _open_files(folder, files, split, [entry for entry in tables_and_folders if entry not in files])
    if len(names) == 1 and next(iter(names.values())).is_dir():
        only = next(iter(names.values()))
        # A lone "train" or "angry" is a layout; a lone "archive" or "images" wraps one.
        try:
            pictures = list_pictures(folder, split)
        except DatasetError:
            return _open_folder(only, split)
    else:
        pictures = list_pictures(folder, split)
    return Source(
        path=folder,
        description="folders that fervid exported" if pictures.is_export else "folders of pictures",
        total=len(pictures.pictures),
        in_order=pictures.is_export,
        notes=pictures.notes,
        iterate=lambda: iterate_pictures(pictures),
    )


def _open_files(folder: Path, files: list[Path], split: str | None, others: list[Path]) -> Source:
    """CSVs that are called as splits are, in the order of FER2013's; ``others`` lie beside them.

    One without labels, as the competition's ``test.csv``, is passed over if another has some.
    """
    labelled = [file for file in files if open_table(file).find("emotion") is not None] or files[:1]
    if len(labelled) > 1 and split is not None:
        raise UsageError(
            f"the files in {folder} name the splits", advice="Leave --split out, or give one of the files."
        )
    parts = [_open_csv(file, split) for file in labelled]
    notes = [note for part in parts for note in part.notes]
    notes += [f"{file.name} is not read: it has no labels" for file in files if file not in labelled]
    notes += [f"beside it, not read: {', '.join(other.name for other in others)}"] if others else []
    return Source(
        path=parts[0].path if len(parts) == 1 else folder,
        description=parts[0].description if len(parts) == 1 else f"CSV ({', '.join(file.name for file in labelled)})",
        total=sum(part.total for part in parts),
        in_order=True,
        notes=tuple(notes),
        iterate=lambda: chain.from_iterable(part.iterate() for part in parts),
    )
