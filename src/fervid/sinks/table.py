"""Results as CSV, with columns that never change, and as JSON lines."""

from __future__ import annotations

import csv
import json
from typing import IO, Any, Final

from fervid.emotions import EMOTIONS
from fervid.results import Analysis, Failure, Frame

COLUMNS: Final = (
    "source", "frame", "time_s", "face", "track", "x1", "y1", "x2", "y2", "score", "emotion", "confidence",
    *(f"p_{emotion}" for emotion in EMOTIONS),
    "model",
)  # fmt: skip
"""The columns of every CSV that fervid writes. What does not apply is empty: ``frame``, ``time_s`` and ``track`` of a
photo, ``emotion`` of an uncertain face, ``p_disgust`` with six labels. Of a smoothed film ``emotion`` and
``confidence`` are smoothed, the probabilities are those of the frame alone."""


def list_rows(result: Analysis | Failure) -> list[tuple[Any, ...]]:
    """One row per face with the values of :data:`COLUMNS`; None where there is none. A failure has no rows."""
    if isinstance(result, Failure):
        return []
    frame, time_s = (result.index, round(result.time_s, 6)) if isinstance(result, Frame) else (None, None)
    rows = []
    for index, face in enumerate(result.faces):
        data = face.to_dict()
        probabilities = (data["probabilities"].get(str(emotion)) for emotion in EMOTIONS)
        rows.append(
            (
                result.source, frame, time_s, index, face.track_id, *data["box"], data["score"], data["emotion"],
                data["confidence"], *probabilities, result.model,
            )
        )  # fmt: skip
    return rows


class CsvWriter:
    """Writes the header at once and a row per face; a picture without faces gives no row.

    Args:
        stream: a text stream opened with ``newline=""``.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._writer = csv.writer(stream, lineterminator="\n")
        self._writer.writerow(COLUMNS)

    def write(self, result: Analysis | Failure) -> None:
        """Add the rows of one result; a failure gives none."""
        self._writer.writerows(list_rows(result))


class JsonLinesWriter:
    """Writes one compact JSON object per result, failures included, each on a line of its own.

    Args:
        stream: a text stream.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, result: Analysis | Failure) -> None:
        """Add one line."""
        self._stream.write(json.dumps(result.to_dict(), ensure_ascii=False) + "\n")
