"""Results in the shapes of other packages: rows of a table, pandas, supervision.

Everything is made from the JSON of a result (``to_dict()``), so that a stored result converts as a fresh one does, and
every surface shows the same digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fervid.emotions import EMOTIONS
from fervid.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    import pandas
    import supervision

COLUMNS: Final = (
    "source", "frame", "time_s", "face", "track", "x1", "y1", "x2", "y2", "score", "emotion", "confidence",
    *(f"p_{emotion}" for emotion in EMOTIONS),
    "model",
)  # fmt: skip
"""The columns of every table that fervid writes. What does not apply is empty: ``frame``, ``time_s`` and ``track`` of a
photo, ``emotion`` of an uncertain face, ``p_disgust`` with six labels. Of a smoothed film ``emotion`` and
``confidence`` are smoothed, the probabilities are those of the frame alone."""

UNCERTAIN: Final = "uncertain"
"""Class name of a face without a certain expression; its class is the one after :data:`fervid.EMOTIONS`."""

# Nullable types: whether a value is missing anywhere does not change what a column is.
_DTYPES: Final = {
    **dict.fromkeys(COLUMNS, "Float64"),
    **dict.fromkeys(("source", "emotion", "model"), "string"),
    **dict.fromkeys(("frame", "face", "track"), "Int64"),
}


def list_rows(data: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """One row per face with the values of :data:`COLUMNS`; None where there is none. A failure has no rows.

    Args:
        data: the JSON of an analysis, a frame or a failure.

    Raises:
        UsageError: it is of something else, such as a single face.
    """
    if "error" in data:
        return []
    if "faces" not in data:
        raise UsageError(
            f"the JSON has neither faces nor an error; it has {', '.join(map(str, data)) or 'nothing'}",
            advice="Give that of an analysis, a frame or a failure.",
        )
    source, frame, time_s, model = (data.get(key) for key in ("source", "frame", "time_s", "model"))
    return [
        (
            source, frame, time_s, index, face["track"], *face["box"], face["score"], face["emotion"],
            face["confidence"], *(face["probabilities"].get(str(emotion)) for emotion in EMOTIONS), model,
        )
        for index, face in enumerate(data["faces"])
    ]  # fmt: skip


def build_data_frame(rows: Iterable[tuple[Any, ...]]) -> pandas.DataFrame:
    """Rows of :func:`list_rows` as a table with the columns :data:`COLUMNS`, whose types depend on nothing.

    Texts are ``string``, whole numbers ``Int64``, others ``Float64``; what does not apply is missing (``pd.NA``).

    Raises:
        MissingExtraError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise MissingExtraError.for_extra("pandas", "pandas", "A data frame") from None
    return pandas.DataFrame(list(rows), columns=list(COLUMNS)).astype(_DTYPES)


def build_detections(data: Mapping[str, Any]) -> supervision.Detections:
    """The faces of one picture for supervision's annotators, zones and metrics.

    Args:
        data: the JSON of an analysis or a frame.

    Returns:
        Of N faces: ``xyxy`` ``(N, 4)`` float32 px; ``class_id`` ``(N,)`` the index of the expression in
        :data:`fervid.EMOTIONS` (with six labels as well), 7 for uncertain faces, and its name in
        ``data["class_name"]``; ``confidence`` ``(N,)`` of that expression; ``tracker_id`` ``(N,)`` in films, −1 for
        faces without a number, and None in photos; ``data["detector_score"]`` ``(N,)``; ``data["probabilities"]``
        ``(N, 7)`` in the order of :data:`fervid.EMOTIONS`, 0 for what the model does not know.

    Raises:
        MissingExtraError: supervision is not installed.
    """
    try:
        import supervision
    except ImportError:
        raise MissingExtraError.for_extra("supervision", "supervision", "sv.Detections") from None
    faces = data["faces"]
    names = [face["emotion"] or UNCERTAIN for face in faces]
    classes = [*map(str, EMOTIONS), UNCERTAIN]
    tracks = [-1 if face["track"] is None else face["track"] for face in faces]
    probabilities = [[face["probabilities"].get(str(emotion), 0.0) for emotion in EMOTIONS] for face in faces]
    return supervision.Detections(
        xyxy=np.array([face["box"] for face in faces], dtype=np.float32).reshape(-1, 4),
        confidence=np.array([face["confidence"] for face in faces], dtype=np.float32),
        class_id=np.array([classes.index(name) for name in names], dtype=np.int64),
        tracker_id=np.array(tracks, dtype=np.int64) if "frame" in data else None,
        data={
            "class_name": np.array(names, dtype=np.str_),
            "detector_score": np.array([face["score"] for face in faces], dtype=np.float32),
            "probabilities": np.array(probabilities, dtype=np.float32).reshape(-1, len(EMOTIONS)),
        },
    )
