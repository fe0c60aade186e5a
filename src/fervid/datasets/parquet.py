"""Faces in Parquet: the one format that training and evaluation read.

Columns: ``image`` (an encoded 48×48 grey picture), ``emotion`` (0–6), ``Usage`` (FER2013's split) and, when FER+ was
joined, its ten counts as ``votes_*``.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fervid.datasets.faceset import FACE_SIZE, SPLITS, VOTE_COLUMNS, FaceSet
from fervid.emotions import EMOTIONS
from fervid.errors import DatasetError, MissingExtraError

if TYPE_CHECKING:
    import pyarrow.parquet

ROWS_PER_GROUP = 2048
"""Rows in memory at a time, when reading and when writing."""

VOTE_COLUMN_NAMES = tuple(f"votes_{name}" for name in VOTE_COLUMNS.values())


def import_pyarrow() -> Any:
    """pyarrow with its parquet module, or the error that says how to install it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError.for_extra("data", "pyarrow", "Parquet") from None
    return pyarrow


def read_faces(path: str | Path, *, progress: Callable[[int, int], None] | None = None) -> FaceSet:
    """Read a whole Parquet of faces into memory (2.3 kB a face).

    Args:
        path: the file, as written by ``fervid data prepare``.
        progress: called with (rows done, rows in all) after each group of rows.

    Raises:
        DatasetError: no such file, not Parquet, a column is missing, or a row cannot be a face of FER2013.
        MissingExtraError: pyarrow is not installed.
    """
    with open_parquet(path) as source:
        total = source.metadata.num_rows
        parts: list[FaceSet] = []
        done = 0
        for part in iterate_faces(source, str(path)):
            parts.append(part)
            done += len(part)
            if progress is not None:
                progress(done, total)
    if not parts:
        raise DatasetError(f"{path} has no rows", advice="Prepare it again with: fervid data prepare SRC -o FILE.")
    votes = None if parts[0].votes is None else np.concatenate([p.votes for p in parts if p.votes is not None])
    return FaceSet(
        np.concatenate([p.images for p in parts]),
        np.concatenate([p.emotions for p in parts]),
        np.concatenate([p.splits for p in parts]),
        votes,
    )


def open_parquet(path: str | Path) -> pyarrow.parquet.ParquetFile:
    """Open a Parquet and check that it has the columns of a face set.

    Raises:
        DatasetError: no such file, not Parquet, or a column is missing.
        MissingExtraError: pyarrow is not installed.
    """
    pa = import_pyarrow()
    advice = "Prepare one with: fervid data prepare SRC -o FILE."
    try:
        source = pa.parquet.ParquetFile(path)
    except FileNotFoundError:
        raise DatasetError(f"there is no file {path}", advice=advice) from None
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path} is not a readable Parquet file ({error})", advice=advice) from None
    columns = source.schema_arrow.names
    missing = [name for name in ("image", "emotion", "Usage") if name not in columns]
    if missing:
        source.close()
        raise DatasetError(f"{path} lacks the column {', '.join(missing)}; it has {', '.join(columns)}", advice=advice)
    return source


def iterate_faces(source: pyarrow.parquet.ParquetFile, name: str) -> Iterator[FaceSet]:
    """The rows of an open Parquet in groups, each checked. ``name`` stands for the file in errors."""
    has_votes = all(column in source.schema_arrow.names for column in VOTE_COLUMN_NAMES)
    columns = ["image", "emotion", "Usage", *(VOTE_COLUMN_NAMES if has_votes else ())]
    row = 0
    for batch in source.iter_batches(batch_size=ROWS_PER_GROUP, columns=columns):
        images = np.stack([decode_face(b, f"{name}, row {row + i}") for i, b in enumerate(batch["image"].to_pylist())])
        emotions = np.array([-1 if e is None else e for e in batch["emotion"].to_pylist()], dtype=np.int64)
        usages = batch["Usage"].to_pylist()
        for i, (emotion, usage) in enumerate(zip(emotions, usages, strict=True)):
            if not 0 <= emotion < len(EMOTIONS):
                raise DatasetError(f"{name}, row {row + i}: emotion is {emotion}", advice="Labels run from 0 to 6.")
            if usage not in SPLITS:
                raise DatasetError(
                    f"{name}, row {row + i}: Usage is {usage!r}", advice=f"Splits are {', '.join(SPLITS)}."
                )
        splits = np.array([SPLITS.index(usage) for usage in usages], dtype=np.int64)
        votes = None
        if has_votes:
            votes = np.stack([np.array(batch[c].to_pylist(), dtype=np.int64) for c in VOTE_COLUMN_NAMES], axis=1)
        yield FaceSet(images, emotions, splits, votes)
        row += len(images)


def decode_face(data: bytes | None, where: str) -> NDArray[np.uint8]:
    """One encoded face as ``(48, 48)`` uint8 grey.

    Raises:
        DatasetError: no picture, or not 48×48; ``where`` names the row.
    """
    try:
        with Image.open(io.BytesIO(data or b"")) as picture:
            pixels = np.asarray(picture.convert("L"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{where}: the image cannot be decoded ({error})") from None
    if pixels.shape != (FACE_SIZE, FACE_SIZE):
        height, width = pixels.shape
        raise DatasetError(f"{where}: the image is {width}×{height}", advice="Faces are 48×48.")
    return pixels
