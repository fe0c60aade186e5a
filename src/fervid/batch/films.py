"""Films in ranges that several processes read, joined as if one had read them all.

What detector and network say of a frame depends on that frame alone, because batches ask the detector on every frame
that they read. So a range is recorded without knowing the ranges before it: every detection, sure or not, with the
network's answer. Everything that has a memory (cuts, tracks, numbers, smoothing) is computed from the records when all
are there, in one pass that takes no time. It does not know where the ranges met.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import math
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from fervid.batch.listing import Item, find_suffix
from fervid.batch.remote import fetch, locate_local
from fervid.batch.settings import Settings
from fervid.batch.tasks import Range
from fervid.detection.alignment import align
from fervid.detection.detector import rank_from_left
from fervid.detection.selection import create_detector
from fervid.errors import FervidError, InputError, MissingExtraError, ModelError, OutputError, UsageError
from fervid.files import write_atomically
from fervid.pipeline import Analyzer
from fervid.reading import FaceReader, PreparedFace
from fervid.results import Frame
from fervid.streaming.groups import GroupTracker
from fervid.streaming.journal import Batch, Look
from fervid.streaming.stream import UNSURE, FrameStream, StreamSettings, TimedImage, count_waiting, detect_reduced
from fervid.tracking.cuts import is_cut, make_thumbnail
from fervid.tracking.schedule import Schedule
from fervid.tracking.tracker import Tracker
from fervid.video.problems import Problem
from fervid.video.reading import VideoFrame, VideoReader

BATCH_FACES: Final = 16
BATCH_FRAMES: Final = 64
"""The network is asked when so many faces wait for it; a record has a line for so many frames at most."""

MOST_RANGES: Final = 10_000
"""Of one film; a damaged header may promise more hours than there are."""

_RECORDS: Final = ".films"
_COPIED: Final = 1 << 20
_ENDS: Final = frozenset({"ends", "empty", "error"})
"""What the last line of a record has one of, and no other line."""


@dataclass(frozen=True, slots=True)
class FilmFacts:
    """What a whole film's record says.

    Attributes:
        size: (width, height), px.
        problems: one sentence each.
    """

    size: tuple[int, int]
    problems: str | None


class FilmReader:
    """Records ranges of films, and joins the records.

    Args:
        analyzer: reads faces.
        settings: how.
    """

    def __init__(self, analyzer: Analyzer, settings: Settings) -> None:
        sure = analyzer.detector.score_threshold
        self._reader = FaceReader(analyzer.classifier, analyzer.labels)
        self._detector = create_detector(settings.detector, threads=analyzer.threads, score_threshold=sure * UNSURE)
        self._stream = StreamSettings(analyzer.min_face, settings.smooth_s, 0.0, sure)
        self._every_s = settings.every_s or None
        self._range_s = settings.range_s
        self._threads = analyzer.threads

    def plan_ranges(self, path: Path) -> list[Range]:
        """The ranges of a film, by the length that its headers say; the last one reaches to its end, whatever they say.

        Raises:
            InputError: it cannot be opened, is none, or has no video.
        """
        with VideoReader(path) as reader:
            duration_s = reader.info.duration_s
        step_s = self._range_s
        if self._every_s is not None:
            step_s = max(1, math.ceil(self._range_s / self._every_s)) * self._every_s
        count = 1 if duration_s is None else min(max(1, math.floor(duration_s / step_s)), MOST_RANGES)
        starts = [number * step_s for number in range(count)]
        return [Range(n, start, end) for n, (start, end) in enumerate(zip(starts, [*starts[1:], None], strict=True))]

    def record(self, path: Path, part: Range, target: Path) -> None:
        """Read a range and write its record; an error of the film is recorded as well.

        Raises:
            OSError: the record cannot be written.
            MemoryError: there is too little.
            OutputError: something else cannot be written.
            MissingExtraError: PyAV is not installed.
            ModelError: a model cannot be used.
        """
        with _open_record(target) as stream:
            try:
                self._record(path, part, stream)
            except (OSError, MemoryError, OutputError, MissingExtraError, ModelError):
                raise  # no fault of the film
            except UsageError:
                if part.number == 0:
                    raise
                _write(stream, {"empty": True})  # the headers promised more than there is
            except Exception as error:
                _write(stream, {"error": wrap_error(error).to_dict()})

    def _record(self, path: Path, part: Range, stream: IO[str]) -> None:
        first: NDArray[np.float32] | None = None
        last: NDArray[np.float32] | None = None
        looks: list[Look] = []
        prepared: list[PreparedFace] = []
        reader = VideoReader(path, start_s=part.start_s, end_s=part.end_s, every_s=self._every_s, threads=self._threads)
        size = reader.info.size

        def ask() -> None:
            prediction = self._reader.predict(prepared)
            qualities = tuple(face.quality for face in prepared)
            batch = Batch(size, tuple(looks), qualities, prediction.probabilities, prediction.votes)
            _write(stream, batch.to_dict())
            looks.clear()
            prepared.clear()

        with reader, contextlib.closing(iter(reader)) as frames:  # type: ignore[type-var]
            for frame in frames:
                thumbnail = make_thumbnail(frame.image)
                look, faces = self._look(frame, last is not None and is_cut(last, thumbnail))
                looks.append(look)
                prepared += faces
                first, last = thumbnail if first is None else first, thumbnail
                if len(prepared) >= BATCH_FACES or len(looks) >= BATCH_FRAMES:
                    ask()
            if looks:
                ask()
        ends = None if first is None or last is None else [first.tolist(), last.tolist()]
        _write(stream, {"ends": ends, "size": size, "problems": [astuple(p) for p in reader.problems]})

    def _look(self, frame: VideoFrame, begins_scene: bool) -> tuple[Look, list[PreparedFace]]:
        found = detect_reduced(self._detector, frame, self._stream.min_face)
        found.sort(key=rank_from_left)
        look = Look(begins_scene, ((frame.index, frame.time_s),), tuple(found))
        return look, [self._reader.prepare(frame.image, d, align(d, self._detector.framing)) for d in found]

    def join(self, records: list[Path], name: str) -> tuple[FilmFacts, Iterator[Frame]]:
        """The frames of a whole film, everybody with the number of their track.

        Args:
            records: of all ranges, in their order.
            name: what results call the film.

        Raises:
            FervidError: what went wrong with the film when it was read.
        """
        ends = [_read_end(record) for record in records]
        size: tuple[int, int] = tuple(ends[0]["size"])
        waiting = count_waiting(size)
        mirror = GroupTracker(Tracker(size, sure_score=self._stream.sure_score), Schedule(0.0, waiting))
        last: list[tuple[int, float]] = []

        def repeat() -> Iterator[Batch]:
            for batch in _chain(records, ends):
                last[:] = [batch.last_frame]
                yield _keep_tracked(batch, mirror)

        def finish() -> Iterator[TimedImage]:
            for index, time_s in last:
                yield VideoFrame(np.zeros((size[1], size[0], 3), dtype=np.uint8), index, time_s)

        stream = FrameStream(self._reader, self._detector, self._stream, size=size, source=name)
        frames = (frame for frame, _ in stream.read(finish(), recorded=repeat()))
        return FilmFacts(size, _merge_problems(ends)), frames


@contextlib.contextmanager
def fetch_film(item: Item) -> Iterator[Path]:
    """A film as a local file; a remote one is copied to a temporary file first.

    Raises:
        UnreachableError: it does not answer.
        InputError: it cannot be fetched.
        OutputError: there is no space for the copy.
    """
    if not item.is_remote:
        yield locate_local(item)
        return
    with tempfile.TemporaryDirectory(prefix="fervid-") as folder:
        path = Path(folder) / f"film{find_suffix(item.source)}"

        def copy(source: IO[bytes]) -> None:
            with path.open("wb") as target:
                try:
                    shutil.copyfileobj(source, target, _COPIED)
                except OSError as error:
                    if error.errno == errno.ENOSPC:  # no fault of the film
                        raise OutputError.for_place(folder, error) from None
                    raise

        fetch(item, copy)
        yield path


def wrap_error(error: Exception) -> FervidError:
    """The error itself, or, of one that nobody foresaw, that of a film over which it was raised."""
    if isinstance(error, FervidError):
        return error
    return InputError(
        f"reading it failed ({type(error).__name__}: {error})", advice="It is damaged in a way that no check finds."
    )


def write_error(target: Path, error: FervidError) -> None:
    """Record that a range cannot be read; when its film is joined, that becomes a failure.

    Raises:
        OSError: the record cannot be written.
    """
    with _open_record(target) as stream:
        _write(stream, {"error": error.to_dict()})


def is_recorded(record: Path) -> bool:
    """Whether the record of a range is there, and whole: a power cut may leave it empty or cut."""
    end: dict[str, Any] = {}
    try:
        with record.open(encoding="utf-8") as stream:
            for line in stream:
                end = json.loads(line)
    except (FileNotFoundError, ValueError):
        return False
    return not _ENDS.isdisjoint(end)


def locate_record(out: Path, item: Item, number: int) -> Path:
    """Where the record of a film's range lies until the film is joined."""
    return locate_records(out, item) / f"{number:06d}.jsonl"


def locate_records(out: Path, item: Item) -> Path:
    """The folder of a film's records."""
    return out / _RECORDS / item.id


def remove_records(out: Path) -> None:
    """Remove what is left of films' records: of one whose range ended processes, or of one that has changed since."""
    shutil.rmtree(out / _RECORDS, ignore_errors=True)


def _keep_tracked(batch: Batch, mirror: GroupTracker) -> Batch:
    """The batch without the answers for unsure detections that are nobody's, as one reading would have recorded it."""
    kept: list[int] = []
    start = 0
    for look in batch.looks:
        if look.begins_scene:
            mirror.cut()
        numbers = {id(detection): start + i for i, detection in enumerate(look.detections)}
        start += len(look.detections)
        (present,) = mirror.close(look.detections, [time_s for _, time_s in look.frames])
        kept += [numbers[id(s.detection)] for s in sorted(present, key=lambda s: rank_from_left(s.detection))]
    qualities = tuple(batch.qualities[i] for i in kept)
    return Batch(batch.size, batch.looks, qualities, batch.probabilities[kept], batch.votes[kept])


def _chain(records: list[Path], ends: list[dict[str, Any]]) -> Iterator[Batch]:
    """The batches of all ranges; the first frame of one is compared with the last of the one before."""
    before: NDArray[np.float32] | None = None
    for record, end in zip(records, ends, strict=True):
        if not end.get("ends"):
            continue
        first, last = (np.array(values, dtype=np.float32) for values in end["ends"])
        cut = before is not None and is_cut(before, first)
        before = last
        for number, data in enumerate(_read_lines(record)):
            batch = Batch.from_dict(data)
            if number == 0 and cut:
                look = batch.looks[0]
                looks = (Look(True, look.frames, look.detections), *batch.looks[1:])
                batch = Batch(batch.size, looks, batch.qualities, batch.probabilities, batch.votes)
            yield batch


def _read_lines(record: Path) -> Iterator[dict[str, Any]]:
    """All lines but the last one, which says how the range ended."""
    with record.open(encoding="utf-8") as stream:
        before: str | None = None
        for line in stream:
            if before is not None:
                yield json.loads(before)
            before = line


def _read_end(record: Path) -> dict[str, Any]:
    """The last line.

    Raises:
        FervidError: it is an error.
    """
    line = ""
    with record.open(encoding="utf-8") as stream:
        for line in stream:  # noqa: B007 - the last one is wanted
            pass
    end: dict[str, Any] = json.loads(line)
    if "error" in end:
        kinds = {kind.code: kind for kind in _walk_errors(FervidError)}
        found = end["error"]
        raise kinds[found["code"]](found["message"], advice=found["advice"])
    return end


def _walk_errors(kind: type[FervidError]) -> Iterator[type[FervidError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _walk_errors(child)


def _merge_problems(ends: list[dict[str, Any]]) -> str | None:
    """Every kind of problem once, as the first range that met it says it, and how many later ones met more of it.

    Counts of ranges cannot be added: some films are read from their beginning for each. What a later range first met at
    the same time is what the earlier one met, and maybe more.
    """
    found: dict[str, list[Problem]] = {}
    for values in itertools.chain.from_iterable(end.get("problems", ()) for end in ends):
        problem = Problem(*[*values, 1, None][:4])  # an older version kept kind and message alone
        met = found.setdefault(problem.kind, [])
        if met and met[0].time_s == problem.time_s:
            met[0] = max(met[0], problem, key=lambda one: one.count)
        else:
            met.append(problem)
    said = (
        first.message + (f" (met again in later ranges: {len(later):,})" if later else "")
        for first, *later in found.values()
    )
    return " · ".join(said) or None


@contextlib.contextmanager
def _open_record(target: Path) -> Iterator[IO[str]]:
    with write_atomically(target) as file, file.open("w", encoding="utf-8") as stream:
        yield stream


def _write(stream: IO[str], data: dict[str, Any]) -> None:
    stream.write(json.dumps(data, separators=(",", ":")) + "\n")
