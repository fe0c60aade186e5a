"""Labelled faces in Hugging Face's manner: rows with ``image`` and ``label``, from ``datasets`` or from anywhere.

Nothing of that library is imported. What the numbers of ``label`` mean is read from the data set's own names, never
guessed: many data sets have the expressions in the order of the alphabet, FER2013 has them in its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fervid.datasets.faceset import FACE_SIZE, SPLITS, FaceRow, FaceSet
from fervid.datasets.kagglecsv import SPLIT_NAMES, parse_label
from fervid.datasets.parquet import ROWS_PER_GROUP, SIZE_ADVICE, import_pyarrow, open_parquet
from fervid.errors import DatasetError, InputError, UsageError
from fervid.geometry import central_square
from fervid.imaging import crop_resize, load_image

if TYPE_CHECKING:
    import pyarrow.parquet

_NUMBER: Final = re.compile(r"[0-9]{1,9}")

Rows = Iterable[Mapping[str, Any]]
"""Rows by column name: a ``datasets.Dataset``, streamed or not, a list of dicts, a generator."""


def read_rows(
    rows: Rows | Mapping[str, Rows],
    *,
    split: str | None = None,
    image: str = "image",
    label: str = "label",
    names: Sequence[str] | None = None,
    resize: bool = False,
) -> FaceSet:
    """Read labelled faces into memory, for ``evaluate_model`` and training; see :func:`iterate_rows`.

    Raises:
        DatasetError: a row is wrong; the message names it. Or there is none.
        UsageError: no such split, or the rows name none.
    """
    found = []
    for row in iterate_rows(rows, split=split, image=image, label=label, names=names, resize=resize):
        if isinstance(row, DatasetError):
            raise row
        found.append(row)
    if not found:
        raise DatasetError("the data set has no rows", advice="Check which of its splits was loaded.")
    return FaceSet.from_rows(found)


def iterate_rows(
    rows: Rows | Mapping[str, Rows],
    *,
    split: str | None = None,
    image: str = "image",
    label: str = "label",
    names: Sequence[str] | None = None,
    resize: bool = False,
) -> Iterator[FaceRow | DatasetError]:
    """The faces of a data set, one by one; a bad row comes as its error, which names it.

    ``write_faces(path, keep_good(iterate_rows(…), None))``, with :func:`fervid.datasets.parquet.write_faces` and
    :func:`fervid.datasets.preparation.keep_good`, writes the Parquet that ``fervid train`` reads.

    Args:
        rows: of one split, or several by name, as ``datasets.load_dataset`` gives them.
        split: the split of all rows, one of :data:`fervid.datasets.faceset.SPLITS`; None takes the name that several
            come by, or that a ``datasets.Dataset`` has. ``train``, ``validation`` and ``test`` are known.
        image: the column of pictures: whatever :func:`fervid.load_image` reads, or ``{"bytes": …, "path": …}``.
        label: the column of labels: names, or numbers (in digits, as text, too) that ``names`` or the data set's own
            ``ClassLabel`` names; digits name nothing.
        names: what the numbers mean, from 0 on; for FER2013's own order give :data:`fervid.EMOTIONS`.
        resize: bring pictures of another size to 48×48 by :func:`fervid.imaging.crop_resize` (their central square),
            instead of refusing them.

    Raises:
        UsageError: no such split, or the rows name none.
    """
    if split is not None and split not in SPLITS:
        raise UsageError(f"unknown split {split!r}", advice=f"Use one of: {', '.join(SPLITS)}.")
    if isinstance(rows, Mapping):
        if split is not None:
            raise UsageError("the data set names its splits", advice="Leave split out, or give one of its parts.")
        parts = [(part, _name_split(key), key) for key, part in rows.items()]
    else:
        own = getattr(rows, "split", None)
        parts = [(rows, split or _name_split(None if own is None else str(own)), "rows")]
    return _iterate_parts(parts, image, label, names, None if resize else "Faces are 48×48; resize=True makes them.")


def _iterate_parts(
    parts: Sequence[tuple[Rows, str, str]],
    image: str,
    label: str,
    names: Sequence[str] | None,
    size_advice: str | None,
) -> Iterator[FaceRow | DatasetError]:
    """The rows of parts: their rows, split and title. ``size_advice`` as in :func:`_read_face`."""
    for rows, split, title in parts:
        known = names if names is not None else _find_names(rows, label)
        for number, row in enumerate(rows):
            where = f"{title}, row {number}"
            try:
                if missing := [column for column in (image, label) if column not in row]:
                    raise DatasetError(
                        f"{where}: no column {' and '.join(missing)}; it has {', '.join(map(str, row))}",
                        advice="Say which they are with image= and label=.",
                    )
                pixels = _read_face(row[image], where, size_advice)
                emotion = _read_label(row[label], known, where)
                yield FaceRow(pixels, emotion, SPLITS.index(split), where=where)
            except DatasetError as error:
                yield error


def is_hub_parquet(file: pyarrow.parquet.ParquetFile) -> bool:
    """Whether an open Parquet has ``image`` and ``label`` as those of Hugging Face's hub have."""
    schema = file.schema_arrow
    types = import_pyarrow().types
    if "emotion" in schema.names or not {"image", "label"} <= set(schema.names):
        return False
    return bool(types.is_struct(schema.field("image").type) or types.is_binary(schema.field("image").type))


def iterate_hub_parquet(path: Path, split: str | None) -> Iterator[FaceRow | DatasetError]:
    """The faces of a Parquet of Hugging Face's hub; a bad row comes as its error.

    Args:
        path: the file; ``train-00000-of-00001.parquet`` says its split.
        split: of all rows; None takes the file's name.

    Raises:
        DatasetError: the file is damaged.
        UsageError: nothing says which split it is.
    """
    pa = import_pyarrow()
    named = split or _name_split(path.stem)

    def read() -> Iterator[dict[str, Any]]:
        with open_parquet(path) as file:
            try:
                for batch in file.iter_batches(batch_size=ROWS_PER_GROUP, columns=["image", "label"]):
                    yield from batch.to_pylist()
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                raise DatasetError(f"{path} is damaged ({error})", advice="Download it again.") from None

    with open_parquet(path) as file:
        metadata = file.schema_arrow.metadata or {}
    try:
        names = json.loads(metadata[b"huggingface"])["info"]["features"]["label"]["names"]
    except (KeyError, TypeError, ValueError):
        names = None
    return _iterate_parts([(read(), named, str(path))], "image", "label", names, SIZE_ADVICE)


def _name_split(text: str | None) -> str:
    """FER2013's name of a split: ``train``, ``train[:10%]`` and ``train-00000-of-00003`` are Training."""
    words = re.match(r"[A-Za-z]+(?=$|[\[-])", text or "")
    if words is None or words[0].lower() not in SPLIT_NAMES:
        said = "the rows name no split" if text is None else f"{text!r} names no split of FER2013"
        raise UsageError(said, advice=f"Say which it is, one of: {', '.join(SPLITS)}.")
    return SPLIT_NAMES[words[0].lower()]


def _find_names(rows: Rows, label: str) -> Sequence[str] | None:
    """The names of a ``ClassLabel`` column; None where there are none."""
    features = getattr(rows, "features", None)
    names = getattr(features[label], "names", None) if features and label in features else None
    return names if isinstance(names, Sequence) else None


def _read_label(value: Any, names: Sequence[str] | None, where: str) -> int:
    if isinstance(value, str) and not _is_number(value):
        return parse_label(value, where)
    if isinstance(value, bool) or not isinstance(value, int | np.integer | str):
        raise DatasetError(f"{where}: the label is {value!r}", advice="Labels are names or whole numbers.")
    number = int(value)
    if names is not None and not 0 <= number < len(names):
        raise DatasetError(f"{where}: the label is {value}", advice=f"There are {len(names)} names, from 0 on.")
    name = None if names is None else str(names[number])
    if name is None or _is_number(name):
        raise DatasetError(
            f"{where}: nothing says what the label {value} means",
            advice="Give the names in their order with names=; FER2013's own order is fervid.EMOTIONS.",
        )
    return parse_label(name, where)


def _is_number(text: str) -> bool:
    """Whether a label or the name of a class is a number in digits, as of folders called 0…7: it names nothing."""
    return _NUMBER.fullmatch(text.strip()) is not None


def _read_face(value: Any, where: str, size_advice: str | None) -> NDArray[np.uint8]:
    """``(48, 48)`` uint8 grey; a picture of another size is refused with that advice, or resized where it is None."""
    from PIL import Image

    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if value is None:
        raise DatasetError(f"{where}: there is no image")
    try:
        picture = load_image(value)
    except InputError as error:
        raise DatasetError(f"{where}: {error.message}", advice=error.advice) from None
    height, width = picture.shape[:2]
    if (height, width) == (FACE_SIZE, FACE_SIZE):
        return np.asarray(Image.fromarray(picture).convert("L"))
    if size_advice is not None:
        raise DatasetError(f"{where}: the image is {width}×{height}", advice=size_advice)
    return np.round(crop_resize(picture, central_square(width, height), FACE_SIZE)).astype(np.uint8)
