"""Faces as pictures: one folder per split and emotion, as image-folder loaders read them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.datasets.faceset import SPLITS
from fervid.datasets.folder import MANIFEST, read_manifest
from fervid.datasets.parquet import encode_face, iterate_parquet, open_faces
from fervid.emotions import EMOTIONS, Emotion, emotions_for
from fervid.errors import DatasetError, OutputError, UsageError
from fervid.files import write_atomically

FORMATS: Final = ("png", "jpg")
"""``png`` keeps every pixel; ``jpg`` is what Kaggle's folders hold, and does not."""

JPEG_QUALITY: Final = 95


@dataclass(frozen=True, slots=True)
class Export:
    """What an export did: pictures written now, and pictures kept from an earlier run that was interrupted."""

    written: int
    kept: int


def export_faces(
    source: str | Path,
    folder: str | Path,
    *,
    image_format: str = "png",
    labels: int = 7,
    replace: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Export:
    """Write every face of a Parquet to ``folder/SPLIT/EMOTION/ROW.FORMAT``, as ``Training/angry/00000.png``.

    ROW is the row in the Parquet, so that its order can be had back. Votes are not exported. Each picture appears
    whole or not at all, and a note (:data:`fervid.datasets.folder.MANIFEST`) says what the folder was made of: run
    again, an interrupted export goes on where it stopped.

    Args:
        source: a prepared Parquet.
        folder: absent, empty, or an export of the same.
        image_format: ``png`` or ``jpg`` (quality 95).
        labels: 7, or 6 to put disgust into anger's folder.
        replace: remove the pictures of an export of something else that is in ``folder``.
        progress: called with (rows done, rows in all) now and then.

    Raises:
        UsageError: unknown format or number of labels, or a folder that holds anything else.
        OutputError: the folder cannot be written.
        DatasetError: the source is not readable, or has a bad row.
    """
    if image_format not in FORMATS:
        raise UsageError(f"cannot export to {image_format!r}", advice=f"Use one of: {', '.join(FORMATS)}.")
    emotions = emotions_for(labels)
    target = Path(folder)
    with open_faces(source) as file:
        total = file.metadata.num_rows
        note: dict[str, object] = {
            "schema": "fervid-export/1",
            "source_sha256": _hash_file(Path(source)),
            "rows": total,
            "format": image_format,
            "labels": labels,
        }
        written = kept = 0
        try:
            _claim_folder(target, note, replace=replace)
            for number, row in enumerate(iterate_parquet(file, str(source))):
                if isinstance(row, DatasetError):
                    raise row
                emotion = EMOTIONS[row.emotion]
                name = emotion if emotion in emotions else Emotion.ANGRY
                path = target / SPLITS[row.split] / name / f"{number:05d}.{image_format}"
                if path.exists():
                    kept += 1
                else:
                    with write_atomically(path) as part:
                        part.write_bytes(_encode(row.image, image_format))
                    written += 1
                if progress is not None and ((number + 1) % 50 == 0 or number + 1 == total):
                    progress(number + 1, total)
            _write_note(target, {**note, "complete": True})
        except OSError as error:
            raise OutputError.for_place(target, error) from None
    return Export(written, kept)


def _claim_folder(folder: Path, note: dict[str, object], *, replace: bool) -> None:
    """Make sure that ``folder`` holds nothing but what this export would write, and leave a note in it."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", advice="Give a folder.")
    if (folder / MANIFEST).is_file():
        old = read_manifest(folder)
        if {key: old.get(key) for key in note} != note:
            if not replace:
                differing = ", ".join(key for key in note if old.get(key) != note[key])
                raise UsageError(
                    f"{folder} is an export of something else (other {differing})",
                    advice="Give another folder, or --force to replace the pictures in it.",
                )
            _write_note(folder, {**old, "complete": False})  # what an interruption leaves of it is no whole
            _remove_pictures(folder)
    elif folder.is_dir() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} is not empty and was not made by fervid data export", advice="Give a new or an empty folder."
        )
    for part in folder.glob("*/*/.*.part"):  # what a killed run left
        part.unlink()
    _write_note(folder, {**note, "complete": False})


def _remove_pictures(folder: Path) -> None:
    for split in SPLITS:
        for emotion in EMOTIONS:
            for path in (folder / split / emotion).glob("*"):
                if path.stem.isdigit() and path.suffix[1:] in FORMATS:
                    path.unlink()


def _write_note(folder: Path, note: dict[str, object]) -> None:
    with write_atomically(folder / MANIFEST) as part:
        part.write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")


def _encode(image: NDArray[np.uint8], image_format: str) -> bytes:
    from PIL import Image

    if image_format == "png":
        return encode_face(image)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
