"""What detector and network said of a film so far, in a file: enough to go on as if there had been no interruption.

A journal is JSON lines. The first is its header: what was analysed and how. Each further line is a :class:`Batch`, and
what had been wrong with the film by then, which its rest does not tell. The trackers and smoothers that make results of
them are run again from the beginning, which takes no time; so no state of theirs is stored, and a resumed film cannot
differ from an uninterrupted one.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from fervid.detection.detector import Detection
from fervid.errors import OutputError, UsageError
from fervid.results import Box, Quality
from fervid.streaming.settings import describe_setting
from fervid.video.problems import Problem


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A group of frames, of which the detector looked at the last.

    Attributes:
        begins_scene: its first frame follows a cut.
        frames: (index, time in s) of each.
        detections: on the last one.
    """

    begins_scene: bool
    frames: tuple[tuple[int, float], ...]
    detections: tuple[Detection, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Groups whose faces went through the network together.

    Attributes:
        size: (width, height) of the frames, px.
        looks: the groups.
        qualities: of every face, frame by frame.
        probabilities: ``(faces, labels)`` float64.
        votes: ``(faces, 8)`` float64.
    """

    size: tuple[int, int]
    looks: tuple[Look, ...]
    qualities: tuple[Quality, ...]
    probabilities: NDArray[np.float64]
    votes: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """Plain lists; floats keep all their digits."""
        return {
            "size": list(self.size),
            "looks": [
                {
                    "scene": look.begins_scene,
                    "frames": [list(frame) for frame in look.frames],
                    "detections": [_list_detection(d) for d in look.detections],
                }
                for look in self.looks
            ],
            "qualities": [list(asdict(quality).values()) for quality in self.qualities],
            "probabilities": self.probabilities.tolist(),
            "votes": self.votes.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The batch that :meth:`to_dict` described, exactly."""
        faces = len(data["qualities"])
        return cls(
            size=(data["size"][0], data["size"][1]),
            looks=tuple(
                Look(
                    look["scene"],
                    tuple((index, time_s) for index, time_s in look["frames"]),
                    tuple(_read_detection(d) for d in look["detections"]),
                )
                for look in data["looks"]
            ),
            qualities=tuple(Quality(*values) for values in data["qualities"]),
            probabilities=np.array(data["probabilities"], dtype=np.float64).reshape(faces, -1 if faces else 0),
            votes=np.array(data["votes"], dtype=np.float64).reshape(faces, -1 if faces else 0),
        )

    @property
    def last_frame(self) -> tuple[int, float]:
        """Index and time of the last frame."""
        return self.looks[-1].frames[-1]


def _list_detection(detection: Detection) -> list[Any]:
    box, points = detection.box, detection.landmarks
    return [box.x1, box.y1, box.x2, box.y2, float(detection.score), None if points is None else points.tolist()]


def _read_detection(data: list[Any]) -> Detection:
    points = None if data[5] is None else np.array(data[5], dtype=np.float64)
    return Detection(Box(*data[:4]), data[4], points)


class Journal:
    """A journal on disk, open for more.

    Nothing is left of it when its ``with`` block ends and there is no batch in it. A line that was cut off when the
    computer went down is dropped with the next one written.

    Args:
        path: of the file.
        header: what is analysed and how; plain values.
        resume: go on with the file that is there; otherwise it is begun anew. The one that is there stays until the
            first batch of the new one, so that whoever forgot to resume can still do it.

    Attributes:
        path: of the file.
        is_empty: whether it holds no batch yet.
        problems: of the film, up to the last batch that was there when the journal was opened.

    Raises:
        UsageError: the file is of another film or of other settings, or not a journal.
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], *, resume: bool = False) -> None:
        self.path = path
        self.is_empty = True
        self.problems: tuple[Problem, ...] = ()
        self._stream: IO[bytes] | None = None
        self._place = path  # what is written: the path, or a part beside it until the first batch
        kept = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if resume and path.exists():
                kept, self.problems = _check(path, header)
            elif path.is_file():
                self._place = path.with_name(f".{os.urandom(8).hex()}.part")
            self._stream = self._place.open("r+b" if kept else "wb")
            self._stream.truncate(kept)
            self._stream.seek(kept)
        except OSError as error:
            self.close()
            raise OutputError.for_place(path, error) from None
        self._recorded = kept
        if not kept:
            self._write(dict(header))
        self.is_empty = next(iter(self), None) is None

    def __iter__(self) -> Iterator[Batch]:
        """The batches that were there when the journal was opened."""
        with self._place.open("rb") as stream:
            stream.readline()
            while stream.tell() < self._recorded:
                yield Batch.from_dict(json.loads(stream.readline()))

    def add(self, batch: Batch, problems: Sequence[Problem] = ()) -> None:
        """Append a batch, with what was wrong with the film up to it; it is on its way to the disk when this returns.

        Raises:
            OutputError: it cannot be written.
        """
        self._write({**batch.to_dict(), "problems": [astuple(problem) for problem in problems]})
        if self._place != self.path:
            self._take_place()
        self.is_empty = False

    def close(self) -> None:
        """Close the file; it stays."""
        if self._stream is not None:
            with contextlib.suppress(OSError):  # what a full disk refused was told when it was written
                self._stream.close()
            self._stream = None

    def remove(self) -> None:
        """The film is through: the journal is not needed any more."""
        self.close()
        self._place.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if self.is_empty:
            self._place.unlink(missing_ok=True)

    def _take_place(self) -> None:
        """Put the part where an older journal is; closed in between, as Windows moves no open file."""
        self.close()
        try:
            self._place.replace(self.path)
            self._stream = self.path.open("ab")
        except OSError as error:
            raise OutputError.for_place(self.path, error) from None
        self._place = self.path

    def _write(self, data: Mapping[str, Any]) -> None:
        if self._stream is None:
            raise UsageError(f"{self.path} is closed")
        try:
            self._stream.write(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
            self._stream.flush()
        except OSError as error:
            raise OutputError.for_place(self.path, error) from None


def is_resumable(path: Path, header: Mapping[str, Any]) -> bool:
    """Whether there is a journal under this header that holds a batch."""
    try:
        whole, _ = _check(path, header)
        with path.open("rb") as stream:
            return whole > len(stream.readline())
    except (OSError, UsageError):
        return False


def _check(path: Path, header: Mapping[str, Any]) -> tuple[int, tuple[Problem, ...]]:
    """How many bytes of a file are whole lines under this header, 0 for an empty one; and the last one's problems.

    Raises:
        UsageError: it has another header, or is no journal.
    """
    whole, problems = 0, []
    with path.open("rb") as stream:
        for number, line in enumerate(stream):
            if not line.endswith(b"\n"):
                break
            try:
                data = json.loads(line)
            except ValueError:
                if number:
                    break
                raise UsageError(f"{path} is no journal", advice="Remove it, or start without it.") from None
            if number == 0:
                _compare(data, json.loads(json.dumps(dict(header))), path)
            else:
                problems = data["problems"]
            whole += len(line)
    return whole, tuple(Problem(*values) for values in problems)


def _compare(found: Any, wanted: Mapping[str, Any], path: Path) -> None:
    if not isinstance(found, dict) or found.keys() != wanted.keys():
        raise UsageError(f"{path} is no journal of this version", advice="Start again without it.")
    for key, value in wanted.items():
        if found[key] != value:
            raise UsageError(
                f"the interrupted run had {describe_setting(key, found[key])}, "
                f"this one has {describe_setting(key, value)}",
                advice="Use the same film and settings, or start again without resuming.",
            )
