"""Photos with marked faces in Parquet: what a face detector learns from and is measured on.

One row is one photo. Anybody can write such a file:

=================  ===================  =========================================================================
column             type                 meaning
=================  ===================  =========================================================================
``image``          binary               an encoded picture (JPEG, PNG, WebP, …)
``width``          integer              of the upright picture, px
``height``         integer              of the upright picture, px
``boxes``          list of 4 numbers    x1, y1, x2, y2 of each face, px of the upright picture; empty for none
``landmarks``      list of 10 numbers   x, y of right eye, left eye, nose, right and left mouth corner of each face
                                        (the person's right), px; null, for all or for one, where unknown
``scores``         list of numbers      how sure each face is, 0–1
``ignore_boxes``   list of 4 numbers    doubtful faces: neither to be found nor to be missed
``kind``           text                 ``people``, ``head`` (one cut out) or ``background`` (nobody)
``source``         text                 where the photo came from; what the hold-out goes by
``group``          text                 photos that belong together, for sources that do not say so
=================  ===================  =========================================================================

The first four are needed. Without ``kind`` a photo with a box shows people and one without is background; without
``scores`` every face counts as certain. ::

    import pyarrow as pa, pyarrow.parquet as pq
    row = {"image": Path("team.jpg").read_bytes(), "width": 640, "height": 480, "boxes": [[10, 20, 60, 80]]}
    pq.write_table(pa.Table.from_pylist([row]), "photos.parquet")
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fervid.datasets.parquet import import_pyarrow, open_parquet
from fervid.datasets.table import describe_lack
from fervid.errors import DatasetError, FervidError, UsageError
from fervid.imaging import load_image

if TYPE_CHECKING:
    import pyarrow.parquet

Kind = Literal["people", "head", "background"]
Split = Literal["training", "validation"]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
SPLITS: Final[tuple[Split, ...]] = get_args(Split)

HELD_OUT: Final = 0.15
"""Share of the groups that is kept for validation."""

ROWS_PER_BATCH: Final = 64
"""Photos in memory at a time."""

SLACK: Final = 1.0
"""How far a box may leave the picture, px: rounding. What is outside is cut off."""

REQUIRED: Final = ("image", "width", "height", "boxes")
OPTIONAL: Final = ("landmarks", "scores", "ignore_boxes", "kind", "source", "group")

_SEED: Final = "52:"  # splits photos.parquet 15 : 85 in each kind and in faces, and no photo from another crop of it
_NEIGHBOURS: Final = 20  # photos of a numbered series that stay together
_ADVICE: Final = "fervid.datasets.photos describes the columns."


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPhoto:
    """One photo and its faces; arrays are read-only.

    Attributes:
        data: the encoded picture.
        size: (width, height) of the upright picture, px.
        kind: ``people``, ``head`` or ``background``.
        source: where it came from; empty when unknown.
        group: photos of one group are never split between training and validation.
        boxes: ``(N, 4)`` float64 x1, y1, x2, y2, px, inside the picture.
        landmarks: ``(N, 5, 2)`` float64 px; NaN where unknown.
        scores: ``(N,)`` float64, 0–1.
        ignore_boxes: ``(M, 4)`` float64, px: doubtful faces.
        where: file and row, as errors name it.
    """

    data: bytes
    size: tuple[int, int]
    kind: Kind
    source: str
    group: str
    boxes: NDArray[np.float64]
    landmarks: NDArray[np.float64]
    scores: NDArray[np.float64]
    ignore_boxes: NDArray[np.float64]
    where: str = ""

    @property
    def split(self) -> Split:
        """``training`` or ``validation``."""
        return find_split(self.group)

    def decode(self) -> NDArray[np.uint8]:
        """The picture, ``(H, W, 3)`` RGB uint8, upright.

        Raises:
            DatasetError: it cannot be decoded, or is of another size than the row says.
        """
        try:
            image = load_image(self.data)
        except FervidError as error:
            raise DatasetError(f"{self.where}: {error.message}", advice="Leave the row out.") from None
        if image.shape[1::-1] != self.size:
            message = (
                f"{self.where}: the picture has {image.shape[1]}×{image.shape[0]} px, not {self.size[0]}×{self.size[1]}"
            )
            raise DatasetError(message, advice="width, height and boxes are those of the upright picture.")
        return image


def find_split(group: str) -> Split:
    """Which split a group of photos is in: the same on every machine, whatever else the file holds."""
    digest = hashlib.blake2b((_SEED + group).encode(), digest_size=8).digest()
    return "validation" if int.from_bytes(digest, "big") < HELD_OUT * 2**64 else "training"


def find_group(source: str) -> str:
    """Photos that may show the same person, place or scene, by the name of the file they came from.

    - ``…/Ann_Lee_0003.jpg``, a name and up to four digits: a person or a series; all of that name in that folder.
    - ``…/0173.jpg``, up to four digits alone: a series in the order it was taken or collected; twenty neighbours.
    - ``…/000000012448.jpg``, five digits or more, with a name or without: an index of a large mixed collection;
      every photo for itself.
    - ``…/team-photo.jpg``, no number: an album; all of its folder.
    """
    place = PurePosixPath(source)
    match = re.fullmatch(r"(.*?)([0-9]+)", place.stem, flags=re.DOTALL)
    if match is None:
        return str(place.parent)
    name, number = match.groups()
    if len(number) > 4:
        return str(place.with_suffix(""))
    if any(letter.isalpha() for letter in name):
        return f"{place.parent}/{name}"
    return f"{place.parent}/{name}{int(number) // _NEIGHBOURS}"


def count_photos(path: str | Path) -> int:
    """Rows of a file of photos, all splits together.

    Raises:
        DatasetError: see :func:`iterate_photos`.
    """
    with _open_photos(path) as file:
        return int(file.metadata.num_rows)


def iterate_photos(
    path: str | Path,
    *,
    split: Split | None = None,
    kinds: Sequence[Kind] = KINDS,
    on_bad: Callable[[DatasetError], None] | None = None,
) -> Iterator[LabelledPhoto]:
    """The photos of a file, one by one, in its order, in bounded memory; pictures are not decoded yet.

    Args:
        path: a Parquet with the columns above.
        split: ``training`` or ``validation``; None for every photo.
        kinds: which to give.
        on_bad: called with the error of each row that cannot be right, which is then passed over; None raises it.

    Raises:
        DatasetError: no such file, not Parquet, damaged, a column is missing or of another type, or a row is wrong.
        UsageError: no such split or kind.
        MissingExtraError: pyarrow is not installed.
    """
    if split is not None and split not in SPLITS:
        raise UsageError(f"unknown split {split!r}", advice=f"Use one of: {', '.join(SPLITS)}.")
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise UsageError(f"unknown kind {unknown[0]!r}", advice=f"Use some of: {', '.join(KINDS)}.")
    with _open_photos(path):
        pass  # here, not at the first photo: a wrong path is an error at once
    return _iterate(path, split, frozenset(kinds), on_bad)


def _iterate(
    path: str | Path,
    split: Split | None,
    kinds: frozenset[Kind],
    on_bad: Callable[[DatasetError], None] | None,
) -> Iterator[LabelledPhoto]:
    with _open_photos(path) as file:
        for number, row in enumerate(_iterate_rows(file, str(path))):
            try:
                photo = _check_row(row, f"{path}, row {number}")
            except DatasetError as error:
                if on_bad is None:
                    raise
                on_bad(error)
                continue
            if photo.kind in kinds and split in (None, photo.split):
                yield photo


def _iterate_rows(file: pyarrow.parquet.ParquetFile, name: str) -> Iterator[dict[str, Any]]:
    pa = import_pyarrow()
    columns = [column for column in (*REQUIRED, *OPTIONAL) if column in file.schema_arrow.names]
    batches = file.iter_batches(batch_size=ROWS_PER_BATCH, columns=columns)
    number = 0
    while True:
        try:
            batch = next(batches, None)
            rows = None if batch is None else batch.to_pylist()
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            message = f"{name} is damaged from row {number} on ({error})"
            raise DatasetError(message, advice="Copy or write it again.") from None
        if rows is None:
            return
        yield from rows
        number += len(rows)


@contextmanager
def _open_photos(path: str | Path) -> Iterator[pyarrow.parquet.ParquetFile]:
    with open_parquet(path) as file:
        schema = file.schema_arrow
        missing = [column for column in REQUIRED if column not in schema.names]
        if missing:
            raise DatasetError(describe_lack(path, missing, schema.names), advice=_ADVICE)
        for column in (*REQUIRED, *OPTIONAL):
            if column in schema.names:
                _check_type(schema.field(column).type, column, str(path))
        yield file


def _check_type(kind: Any, column: str, name: str) -> None:
    types = import_pyarrow().types
    depth = {"boxes": 2, "landmarks": 2, "ignore_boxes": 2, "scores": 1}.get(column, 0)
    element = _find_element(kind, depth)
    if column == "image":
        right, wanted = types.is_binary(kind) or types.is_large_binary(kind), "binary (encoded pictures)"
    elif column in ("width", "height"):
        right, wanted = types.is_integer(kind), "an integer"
    elif depth:
        checks = (types.is_integer, types.is_floating, types.is_null)
        right = element is not None and any(check(element) for check in checks)
        wanted = "lists of " * depth + "numbers"
    else:
        text = kind.value_type if types.is_dictionary(kind) else kind
        right, wanted = types.is_string(text) or types.is_large_string(text) or types.is_null(text), "text"
    if not right:
        raise DatasetError(f"{name}: the column {column} is {kind}, not {wanted}", advice=_ADVICE)


def _find_element(kind: Any, depth: int) -> Any:
    """The type inside ``depth`` lists; null where no row holds any, None where there are fewer lists."""
    types = import_pyarrow().types
    for _ in range(depth):
        if types.is_null(kind):
            return kind
        if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
            return None
        kind = kind.value_type
    return kind


def _check_row(row: Mapping[str, Any], where: str) -> LabelledPhoto:
    if not row["image"]:
        raise DatasetError(f"{where}: there is no image", advice="Leave the row out.")
    width, height = row["width"] or 0, row["height"] or 0
    if width < 1 or height < 1:
        raise DatasetError(f"{where}: the size is {width}×{height}", advice="Give the upright picture's.")
    boxes = _check_boxes(row["boxes"], "boxes", width, height, where)
    n = len(boxes)
    scores = _to_array([None] * n if row.get("scores") is None else row["scores"], n, (), "scores", where, missing=1.0)
    if not ((scores >= 0) & (scores <= 1)).all():
        raise DatasetError(f"{where}: scores are {scores.tolist()}", advice="Scores lie in 0–1.")
    marks = [None] * n if row.get("landmarks") is None else row["landmarks"]
    landmarks = _to_array(marks, n, (10,), "landmarks", where, missing=np.nan).reshape(n, 5, 2)
    kind = row.get("kind") or ("people" if n else "background")
    if kind not in KINDS:
        raise DatasetError(f"{where}: kind is {kind!r}", advice=f"Kinds are {', '.join(KINDS)}.")
    if kind == "background" and n:
        raise DatasetError(f"{where}: background with {n} boxes", advice="Background shows nobody.")
    source = row.get("source") or ""
    photo = LabelledPhoto(
        data=row["image"],
        size=(width, height),
        kind=kind,
        source=source,
        group=row.get("group") or (find_group(source) if source else hashlib.sha256(row["image"]).hexdigest()),
        boxes=boxes,
        landmarks=landmarks,
        scores=scores,
        ignore_boxes=_check_boxes(row.get("ignore_boxes"), "ignore_boxes", width, height, where),
        where=where,
    )
    for array in (photo.boxes, photo.landmarks, photo.scores, photo.ignore_boxes):
        array.flags.writeable = False
    return photo


def _check_boxes(values: Any, name: str, width: int, height: int, where: str) -> NDArray[np.float64]:
    values = [] if values is None else values
    boxes = _to_array(values, len(values), (4,), name, where)
    clipped = np.clip(boxes, 0, np.array([width, height, width, height]))
    for box, inside in zip(boxes.tolist(), clipped.tolist(), strict=True):
        if min(box[:2]) < -SLACK or box[2] > width + SLACK or box[3] > height + SLACK:
            message = f"{where}: {name} holds {box}, outside the picture of {width}×{height} px"
            raise DatasetError(message, advice="Cut boxes off at the picture's border; give x1, y1, x2, y2.")
        if inside[2] <= inside[0] or inside[3] <= inside[1]:
            raise DatasetError(f"{where}: {name} holds {box}, which is empty", advice="Give x1, y1, x2, y2.")
    return np.asarray(clipped, dtype=np.float64)


def _to_array(
    values: Sequence[Any], n: int, shape: tuple[int, ...], name: str, where: str, *, missing: float | None = None
) -> NDArray[np.float64]:
    """``(n, *shape)`` of finite numbers; ``missing`` in the place of a value that is None."""
    if len(values) != n:
        raise DatasetError(f"{where}: {n} boxes but {len(values)} {name}", advice="Give one per box, or null.")
    array = np.empty((n, *shape), dtype=np.float64)
    for i, value in enumerate(values):
        if value is None and missing is not None:
            array[i] = missing
            continue
        numbers = np.array(np.nan if value is None else value, dtype=np.float64)
        if numbers.shape != shape or not np.isfinite(numbers).all():
            wanted = f"{shape[0]} finite numbers" if shape else "a finite number"
            raise DatasetError(f"{where}: {name} holds {value}, not {wanted}", advice=_ADVICE)
        array[i] = numbers
    return array
