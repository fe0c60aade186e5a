"""FER2013 as Kaggle hands it out in CSV.

===================  ==========================  ==================================================
file                 columns                     splits
===================  ==========================  ==================================================
fer2013.csv          emotion, pixels, Usage      all three, named by each row
icml_face_data.csv   emotion, Usage, pixels      the same rows; its header has leading blanks
train.csv            emotion, pixels             Training, by its name
test.csv             pixels                      none: the competition kept the labels back
===================  ==========================  ==================================================

Columns are found by the header. A file without ``Usage`` belongs to the split that its name says
(:data:`SPLIT_NAMES`) or that the caller gives; anything else is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.datasets.faceset import FACE_SIZE, PRIVATE_TEST, PUBLIC_TEST, SPLITS, TRAINING, FaceRow
from fervid.datasets.table import Table
from fervid.emotions import EMOTIONS, parse_emotion
from fervid.errors import DatasetError, UsageError

SPLIT_NAMES: Final[dict[str, str]] = {
    "train": TRAINING,
    "training": TRAINING,
    "publictest": PUBLIC_TEST,
    "val": PUBLIC_TEST,
    "valid": PUBLIC_TEST,
    "validation": PUBLIC_TEST,
    "privatetest": PRIVATE_TEST,
    "test": PRIVATE_TEST,
}
"""What a file or a folder of that name (in lower case) holds."""

_PIXELS: Final = FACE_SIZE * FACE_SIZE
_LEVELS: Final = {str(value): value for value in range(256)}


def find_csv_split(table: Table, split: str | None) -> str | None:
    """The split of all rows of a CSV, or None when each row names its own.

    Args:
        table: the opened CSV.
        split: one of :data:`fervid.datasets.faceset.SPLITS` for a file that names none.

    Raises:
        DatasetError: it is no CSV of FER2013, has no labels, or names no split.
        UsageError: ``split`` was given although the rows name theirs.
    """
    header = ", ".join(column[:40] for column in table.columns[:12])
    if table.find("pixels") is None:
        votes = table.find("NF") is not None
        raise DatasetError(
            f"{table.path} has no column pixels; its first line is: {header}",
            advice="This is FER+'s vote file: give it with --votes, and fer2013.csv as the source."
            if votes
            else "FER2013's CSV starts with the line: emotion,pixels,Usage.",
        )
    if table.find("emotion") is None:
        raise DatasetError(
            f"{table.path} has no labels (its columns are {header})",
            advice="The competition kept the labels of test.csv back; use fer2013.csv or icml_face_data.csv.",
        )
    if table.find("Usage") is not None:
        if split is not None:
            raise UsageError(f"{table.path} names the split of each row", advice="Leave --split out.")
        return None
    named = split or SPLIT_NAMES.get(table.path.stem.lower())
    if named is None:
        raise DatasetError(
            f"{table.path} has no column Usage, and its name says no split",
            advice=f"Say which its rows are with --split {'|'.join(SPLITS)}.",
        )
    return named


def iterate_csv(table: Table, split: str | None) -> Iterator[FaceRow | DatasetError]:
    """The rows of a CSV, one by one; a bad row comes as its error, which names file and line.

    ``split`` is what :func:`find_csv_split` answered.
    """
    emotion_at, pixels_at, usage_at = table.index("emotion"), table.index("pixels"), table.find("Usage")
    for line, record in table.records():
        if isinstance(record, DatasetError):
            yield record
            continue
        where = f"{table.path}, line {line}"
        try:
            usage = split if usage_at is None else record[usage_at]
            yield FaceRow(
                parse_pixels(record[pixels_at], where),
                parse_label(record[emotion_at], where),
                parse_split(usage or "", where),
                where=where,
            )
        except DatasetError as error:
            yield error


def parse_pixels(text: str, where: str) -> NDArray[np.uint8]:
    """2,304 grey levels, row by row, as ``(48, 48)`` uint8.

    Raises:
        DatasetError: another number of them, or one that is no whole number of 0–255.
    """
    words = text.split()
    if len(words) != _PIXELS:
        raise DatasetError(f"{where}: {len(words):,} pixels, not {_PIXELS:,}", advice="Faces are 48×48.")
    try:
        levels = bytes(map(_LEVELS.__getitem__, words))
    except KeyError:
        index = next(i for i, word in enumerate(words) if word not in _LEVELS)
        raise DatasetError(
            f"{where}: pixel {index} is {words[index][:20]!r}", advice="Pixels are whole numbers of 0–255."
        ) from None
    return np.frombuffer(levels, dtype=np.uint8).reshape(FACE_SIZE, FACE_SIZE)


def parse_label(text: str, where: str) -> int:
    """The index into :data:`fervid.emotions.EMOTIONS` that a label means. Raises DatasetError on an unknown one."""
    try:
        return EMOTIONS.index(parse_emotion(text))
    except UsageError as error:
        raise DatasetError(f"{where}: unknown label {text[:40]!r}", advice=error.advice) from None


def parse_split(text: str, where: str) -> int:
    """The index into SPLITS that an official name means. Raises DatasetError on an unknown one."""
    if text not in SPLITS:
        raise DatasetError(f"{where}: unknown split {text[:40]!r}", advice=f"Splits are {', '.join(SPLITS)}.")
    return SPLITS.index(text)
