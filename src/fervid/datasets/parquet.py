"""Faces in Parquet: the one format that training and evaluation read.

Columns: ``image`` (an encoded 48×48 grey picture), ``emotion`` (0–6), ``Usage`` (FER2013's split) and, when FER+ was
joined, its ten counts as ``votes_*``.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from fervid.datasets.faceset import FACE_SIZE, SPLITS, VOTE_COLUMNS, FaceRow, FaceSet
from fervid.datasets.table import describe_lack
from fervid.emotions import EMOTIONS
from fervid.errors import DatasetError, MissingExtraError, OutputError
from fervid.files import write_atomically
from fervid.imaging import lay_over_white, turn_upright

if TYPE_CHECKING:
    import pyarrow.parquet

ROWS_PER_GROUP: Final = 2048
"""Rows in memory at a time, when reading and when writing."""

VOTE_COLUMN_NAMES: Final = tuple(f"votes_{name}" for name in VOTE_COLUMNS.values())

MAX_VOTES: Final = 127
"""The most votes that a column (int8) can count."""

SIZE_ADVICE: Final = (
    "Resize them to 48×48 first, or in Python: iterate_rows(…, resize=True) of fervid.datasets.huggingface, "
    "whose help shows how to write them."
)
"""What to do about pictures of another size than FER2013's faces, where nothing resizes them."""

_FORMATS: Final = ("PNG", "WEBP", "JPEG", "BMP", "GIF", "TIFF")


def import_pyarrow() -> Any:
    """Import pyarrow with its parquet module, or raise the error that says how to install it."""
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
    with open_faces(path) as source:
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


@contextmanager
def open_parquet(path: str | Path, *, advice: str = "Check the path.") -> Iterator[pyarrow.parquet.ParquetFile]:
    """Open a Parquet, whatever its columns are.

    Raises:
        DatasetError: no such file, or not Parquet; with this advice.
        MissingExtraError: pyarrow is not installed.
    """
    pa = import_pyarrow()
    with ExitStack() as stack:
        try:
            # pyarrow opens no path with bytes that are no UTF-8.
            stream = stack.enter_context(Path(path).open("rb"))
            file = stack.enter_context(pa.parquet.ParquetFile(stream))
        except FileNotFoundError:
            raise DatasetError(f"there is no file {path}", advice=advice) from None
        except (pa.ArrowException, OSError) as error:
            raise DatasetError(f"{path} is not a readable Parquet file ({error})", advice=advice) from None
        yield file


@contextmanager
def open_faces(path: str | Path) -> Iterator[pyarrow.parquet.ParquetFile]:
    """Open a Parquet and check that it has the columns of a face set.

    Raises:
        DatasetError: no such file, not Parquet, or a column is missing or of another type.
        MissingExtraError: pyarrow is not installed.
    """
    advice = "Prepare one with: fervid data prepare SRC -o FILE."
    with open_parquet(path, advice=advice) as source:
        types, schema = import_pyarrow().types, source.schema_arrow
        missing = [name for name in ("image", "emotion", "Usage") if name not in schema.names]
        if missing:
            raise DatasetError(describe_lack(path, missing, schema.names), advice=advice)
        for name, is_right, wanted in (
            ("image", _is_binary, "binary (encoded pictures)"),
            ("emotion", types.is_integer, "an integer"),
            ("Usage", _is_text, "text"),
            *((name, types.is_integer, "an integer") for name in VOTE_COLUMN_NAMES if name in schema.names),
        ):
            kind = schema.field(name).type
            if not is_right(kind):
                raise DatasetError(f"{path}: the column {name} is {kind}, not {wanted}", advice=advice)
        yield source


def iterate_faces(source: pyarrow.parquet.ParquetFile, name: str) -> Iterator[FaceSet]:
    """The rows of an open Parquet in groups, each checked. ``name`` stands for the file in errors.

    Raises:
        DatasetError: a row is no face of FER2013; the message names it.
    """
    rows = iterate_parquet(source, name)
    while group := list(islice(rows, ROWS_PER_GROUP)):
        for row in group:
            if isinstance(row, DatasetError):
                raise row
        yield FaceSet.from_rows([row for row in group if isinstance(row, FaceRow)])


def iterate_parquet(source: pyarrow.parquet.ParquetFile, name: str) -> Iterator[FaceRow | DatasetError]:
    """The rows of an open Parquet, one by one; a bad row comes as its error. ``name`` stands for the file in errors.

    A face of which some vote count is null was not voted on: all its counts are 0.

    Raises:
        DatasetError: the file is damaged, so that no further row can be read.
    """
    pa = import_pyarrow()
    has_votes = all(column in source.schema_arrow.names for column in VOTE_COLUMN_NAMES)
    columns = ["image", "emotion", "Usage", *(VOTE_COLUMN_NAMES if has_votes else ())]
    number = 0
    batches = source.iter_batches(batch_size=ROWS_PER_GROUP, columns=columns)
    while True:
        try:
            batch = next(batches, None)
            values = None if batch is None else [batch[column].to_pylist() for column in columns]
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise DatasetError(
                f"{name} is damaged from row {number} on ({error})", advice="Prepare or copy it again."
            ) from None
        if values is None:
            return
        for data, emotion, usage, *counts in zip(*values, strict=True):
            yield _check_row(data, emotion, usage, tuple(counts), f"{name}, row {number}")
            number += 1


def write_faces(path: str | Path, rows: Iterable[FaceRow]) -> NDArray[np.int64]:
    """Write rows to a Parquet as they come, in bounded memory; the file appears whole or not at all.

    Pictures are stored as PNG, which is lossless. Vote columns are written when the first row has votes.

    Returns:
        ``(3, 7)`` rows written, by split and emotion.

    Raises:
        DatasetError: there are no rows, or some have votes and some have none.
        OutputError: the file cannot be written.
        MissingExtraError: pyarrow is not installed.
    """
    pa = import_pyarrow()
    stream = iter(rows)
    first = next(stream, None)
    if first is None:
        raise DatasetError("there is no good row to write", advice="Check the source.")
    has_votes = first.votes is not None
    fields = [("image", pa.binary()), ("emotion", pa.int8()), ("Usage", pa.string())]
    schema = pa.schema([*fields, *((name, pa.int8()) for name in VOTE_COLUMN_NAMES if has_votes)])
    compression = {field.name: "none" if field.name == "image" else "zstd" for field in schema}
    texts = [name for name in schema.names if name != "image"]
    stream = chain([first], stream)
    counts = np.zeros((len(SPLITS), len(EMOTIONS)), dtype=np.int64)
    try:
        with (
            write_atomically(path) as part,
            part.open("wb") as file,  # pyarrow opens no path with bytes that are no UTF-8
            pa.parquet.ParquetWriter(file, schema, compression=compression, use_dictionary=texts) as writer,
        ):
            while group := list(islice(stream, ROWS_PER_GROUP)):
                writer.write_batch(pa.record_batch(_columns(group, has_votes), schema=schema))
                for row in group:
                    counts[row.split, row.emotion] += 1
    except OSError as error:
        raise OutputError.for_place(path, error) from None
    return counts


def decode_face(data: bytes | None, where: str) -> NDArray[np.uint8]:
    """One encoded face as ``(48, 48)`` uint8 grey, upright and over white, as :func:`.imaging.load_image` reads it.

    Raises:
        DatasetError: no picture, or not 48×48 of 8 bits; ``where`` names the row.
    """
    try:
        with Image.open(io.BytesIO(data or b""), formats=_FORMATS) as picture:
            size, mode = picture.size, picture.mode
            fits = size == (FACE_SIZE, FACE_SIZE) and not mode.startswith(("I", "F"))
            pixels = _make_grey(picture) if fits else None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, ZeroDivisionError) as error:
        # Pillow's decoders raise all of these on damaged data.
        reason = "it is empty" if not data else f"{len(data)} bytes of no known format"
        if not isinstance(error, UnidentifiedImageError):
            reason = str(error)
        raise DatasetError(f"{where}: the image cannot be decoded ({reason})") from None
    except Image.DecompressionBombError:
        raise DatasetError(f"{where}: the image is far too large", advice="Faces are 48×48.") from None
    if size != (FACE_SIZE, FACE_SIZE):
        raise DatasetError(f"{where}: the image is {size[0]}×{size[1]}", advice=SIZE_ADVICE)
    if pixels is None:
        raise DatasetError(f"{where}: the image has more than 8 bits a pixel ({mode})", advice="Save it as 8-bit grey.")
    return pixels


def encode_face(image: NDArray[np.uint8]) -> bytes:
    """``(48, 48)`` uint8 grey as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def _make_grey(picture: Image.Image) -> NDArray[np.uint8]:
    picture.load()  # damaged pixels show here; turning forgives what is wrong with the EXIF
    upright = turn_upright(picture)
    opaque = lay_over_white(upright) if upright.has_transparency_data else upright
    return np.asarray(opaque.convert("L"))


def _check_row(
    data: bytes | None, emotion: int | None, usage: str | None, counts: tuple[int | None, ...], where: str
) -> FaceRow | DatasetError:
    if emotion is None or not 0 <= emotion < len(EMOTIONS):
        return DatasetError(f"{where}: emotion is {emotion}", advice="Labels run from 0 to 6.")
    if usage not in SPLITS:
        return DatasetError(f"{where}: Usage is {usage!r}", advice=f"Splits are {', '.join(SPLITS)}.")
    votes = tuple(0 if None in counts else count or 0 for count in counts)
    if not all(0 <= count <= MAX_VOTES for count in votes):
        return DatasetError(f"{where}: the votes are {votes}", advice=f"Counts run from 0 to {MAX_VOTES}.")
    try:
        return FaceRow(decode_face(data, where), emotion, SPLITS.index(usage), votes or None, where)
    except DatasetError as error:
        return error


def _columns(rows: list[FaceRow], has_votes: bool) -> list[list[Any]]:
    columns: list[list[Any]] = [
        [encode_face(row.image) for row in rows],
        [row.emotion for row in rows],
        [SPLITS[row.split] for row in rows],
    ]
    if any((row.votes is not None) != has_votes for row in rows):
        raise DatasetError("some rows have votes and some have none", advice="Join votes to all rows, or to none.")
    if has_votes:
        columns += [list(counts) for counts in zip(*(row.votes or () for row in rows), strict=True)]
    return columns


def _is_binary(kind: Any) -> bool:
    types = import_pyarrow().types
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _is_text(kind: Any) -> bool:
    types = import_pyarrow().types
    value = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(value) or types.is_large_string(value))
