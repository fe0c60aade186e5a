"""Frames in, frames with everybody's expression out.

Three steps overlap: whoever makes the frames (a decoder that reads ahead), a thread that finds the faces, and the
consumer's own thread, in which the network reads the faces of several frames at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fervid.detection.alignment import align
from fervid.detection.detector import Detection, Detector, rank_from_left
from fervid.detection.resizing import resize
from fervid.errors import UsageError
from fervid.reading import FaceReader, PreparedFace
from fervid.results import Box, Face, Frame, Quality
from fervid.streaming.groups import GroupTracker, Sighting
from fervid.streaming.journal import Batch, Look
from fervid.tracking.cuts import CutDetector
from fervid.tracking.schedule import Schedule
from fervid.tracking.smoothing import SMOOTH_S, Smoother
from fervid.tracking.tracker import Tracker
from fervid.tracking.waiting import hold_undecided
from fervid.video.prefetching import Prefetcher
from fervid.video.reading import FilmFrame

DETECT_S: Final = 0.35
"""The detector looks at a film at least this often, s: who comes is noticed that late at most."""

LIVE_DETECT_S: Final = 0.25
"""And at a camera, where faces between looks are guessed from those before alone, s."""

UNSURE: Final = 0.6
"""Detections of this share of the detector's threshold may extend a track (ByteTrack's second step)."""

MAX_WAITING: Final = 16
MIN_WAITING: Final = 4
WAITING_BYTES: Final = 64_000_000
"""Frames that may wait for the detector, and for the network after it: as many as this memory holds within limits."""

EASY_FACE: Final = 20.0
"""Height of a face that every detector finds, px."""
WORTHWHILE: Final = 0.8
"""Pictures are reduced for the detector to this share of their width at most, or not at all."""

BATCH_FACES: Final = 16
"""The network is asked when so many faces wait for it, or as many frames as may wait."""


class TimedImage(Protocol):
    """A frame as :class:`fervid.video.reading.VideoReader` gives it."""

    @property
    def image(self) -> NDArray[np.uint8]:
        """``(H, W, 3)`` RGB."""

    @property
    def index(self) -> int:
        """From 0."""

    @property
    def time_s(self) -> float:
        """Later than the one before."""


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How a film is read.

    Attributes:
        min_face: height of the smallest face box looked for, px; the larger, the smaller the picture that is searched.
        smooth_s: memory of the smoothed answers, s; 0 leaves every frame's own.
        detect_s: the detector looks at least this often, s; 0 is every frame.
        sure_score: of the detections that may begin a track.
        live: every frame is answered before the next one is looked at.
    """

    min_face: float
    smooth_s: float = SMOOTH_S
    detect_s: float = DETECT_S
    sure_score: float = 0.0
    live: bool = False


@dataclass(slots=True, eq=False)
class _Group:
    """Frames up to one that the detector has looked at."""

    look: Look
    sightings: list[list[Sighting]]
    prepared: list[list[PreparedFace]]
    images: list[NDArray[np.uint8] | None]
    size: tuple[int, int]


class _Face(NamedTuple):
    """A face that the network has read."""

    sighting: Sighting
    quality: Quality
    probabilities: NDArray[np.float64]
    votes: NDArray[np.float64]


@dataclass(slots=True, eq=False)
class _Answered:
    """One frame whose faces the network has read; only their numbers may still be open."""

    index: int
    time_s: float
    size: tuple[int, int]
    image: NDArray[np.uint8] | None
    faces: list[_Face] = field(default_factory=list)


class FrameStream:
    """Reads one film or camera.

    Args:
        reader: reads faces.
        detector: finds them; it should report detections down to :data:`UNSURE` of ``settings.sure_score``.
        settings: how.
        size: (width, height) of the frames, px, if known: who leaves the picture has left. Live frames say it.
        source: what results say of where they come from.
        keep_images: give the frames' pictures too; otherwise they are forgotten as early as possible.
    """

    def __init__(
        self,
        reader: FaceReader,
        detector: Detector,
        settings: StreamSettings,
        *,
        size: tuple[int, int] | None = None,
        source: str | None = None,
        keep_images: bool = False,
    ) -> None:
        self._reader = reader
        self._detector = detector
        self._settings = settings
        self._source = source
        self._keep_images = keep_images
        tracker = Tracker(size, sure_score=settings.sure_score)
        self._waiting = count_waiting(size)
        self._groups = GroupTracker(tracker, Schedule(settings.detect_s, self._waiting))
        self._smoother = Smoother(reader.classifier.spec.threshold, settings.smooth_s)
        self._cuts = CutDetector()

    def read(
        self,
        frames: Iterable[TimedImage],
        *,
        recorded: Iterable[Batch] = (),
        record: Callable[[Batch], None] | None = None,
    ) -> Generator[tuple[Frame, NDArray[np.uint8] | None]]:
        """The frames in their order, each as soon as it is decided who is on it. To be called once.

        Args:
            frames: the film; frames that cannot be read are simply not there.
            recorded: batches of an interrupted run. ``frames`` must begin at the last of their frames or before it;
                where pictures are kept at their first.
            record: is given every new batch.

        Yields:
            A frame, and its picture if they are kept.

        Raises:
            UsageError: a live stream is to be recorded or repeated; a frame is no picture, or no later than the last.
        """
        live = self._settings.live
        if live and (record is not None or recorded):
            raise UsageError("a live stream has no journal", advice="Read it as a film.")
        answered = self._answer(frames, recorded, record)
        tracked = ((item, [face.sighting.track for face in item.faces]) for item in answered)
        for item, _ in tracked if live else hold_undecided(tracked):
            yield self._finish(item), item.image

    def _answer(
        self, frames: Iterable[TimedImage], recorded: Iterable[Batch], record: Callable[[Batch], None] | None
    ) -> Iterator[_Answered]:
        remaining, last = iter(frames), -1
        for batch in recorded:
            groups = [self._repeat(look, batch.size) for look in batch.looks]
            last = batch.last_frame[0]
            if self._keep_images:
                for group in groups:
                    group.images = [self._skip_to(remaining, index) for index, _ in group.look.frames]
            yield from self._conclude(groups, batch.qualities, batch.probabilities, batch.votes)
        if last >= 0 and not self._keep_images:
            self._skip_to(remaining, last)
        found = self._find(remaining)
        if self._settings.live:
            for group in found:
                yield from self._ask([group], record)
            return
        with Prefetcher(_gather(found, self._waiting), 2) as batches:
            for groups in batches:
                yield from self._ask(groups, record)

    def _skip_to(self, frames: Iterator[TimedImage], index: int) -> NDArray[np.uint8]:
        """The picture of a frame that was read before; the next one is compared with it to notice a cut."""
        for frame in frames:
            if frame.index == index:
                self._cuts.detect(frame.image)
                return frame.image
            if frame.index > index:
                break
        raise UsageError(f"frame {index} of the interrupted run is not in the film", advice="Start from the beginning.")

    def _find(self, frames: Iterator[TimedImage]) -> Iterator[_Group]:
        waiting: list[TimedImage] = []
        begins_scene = False
        last_s, step_s = -math.inf, math.inf
        live, tracker = self._settings.live, self._groups.tracker
        for frame in frames:
            _check_frame(frame, last_s)
            before_s, step_s, last_s = step_s, frame.time_s - last_s, frame.time_s
            # After a pause somebody else may be there; where pictures always come so seldom, there is none.
            paused = live and step_s > max(tracker.lost_s, 2 * before_s)
            if live:
                tracker.size = (frame.image.shape[1], frame.image.shape[0])
            if self._cuts.detect(frame.image) or paused:
                if waiting:
                    yield self._close(waiting, begins_scene)
                    waiting = []
                begins_scene = True
                self._groups.cut()
            if waiting and isinstance(waiting[-1], FilmFrame):  # only the last of a group may be looked at
                waiting[-1] = waiting[-1].detach()
            waiting.append(frame)
            if self._groups.is_due(frame.time_s):
                yield self._close(waiting, begins_scene)
            elif live:
                look = Look(False, _list_frames(waiting), ())
                yield self._prepare(look, waiting, [self._groups.predict(frame.time_s)])
            else:
                continue
            waiting, begins_scene = [], False
        if waiting:
            yield self._close(waiting, begins_scene)

    def _close(self, frames: list[TimedImage], begins_scene: bool) -> _Group:
        """Look at the last of the frames, and place everybody on all of them."""
        detections = detect_reduced(self._detector, frames[-1], self._settings.min_face)
        look = Look(begins_scene, _list_frames(frames), tuple(detections))
        sightings = self._groups.close(detections, [frame.time_s for frame in frames])
        return self._prepare(look, frames, sightings)

    def _prepare(self, look: Look, frames: list[TimedImage], sightings: list[list[Sighting]]) -> _Group:
        """Cut the faces out, so that the pictures can be forgotten."""
        framing = self._detector.framing
        prepared = []
        for frame, present in zip(frames, sightings, strict=True):
            present.sort(key=lambda sighting: rank_from_left(sighting.detection))
            prepared.append(
                [self._reader.prepare(frame.image, s.detection, align(s.detection, framing)) for s in present]
            )
        height, width = frames[-1].image.shape[:2]
        images = [frame.image if self._keep_images else None for frame in frames]
        return _Group(look, sightings, prepared, images, (width, height))

    def _repeat(self, look: Look, size: tuple[int, int]) -> _Group:
        """What :meth:`_find` made of a group, without its pictures."""
        if look.begins_scene:
            self._groups.cut()
        for _, time_s in look.frames:
            self._groups.is_due(time_s)
        sightings = self._groups.close(look.detections, [time_s for _, time_s in look.frames])
        for present in sightings:
            present.sort(key=lambda sighting: rank_from_left(sighting.detection))
        return _Group(look, sightings, [], [None] * len(look.frames), size)

    def _ask(self, groups: list[_Group], record: Callable[[Batch], None] | None) -> Iterator[_Answered]:
        """Let the network read all faces of some groups."""
        prepared = [face for group in groups for faces in group.prepared for face in faces]
        prediction = self._reader.predict(prepared)
        qualities = tuple(face.quality for face in prepared)
        if record is not None:
            looks = tuple(group.look for group in groups)
            record(Batch(groups[-1].size, looks, qualities, prediction.probabilities, prediction.votes))
        return self._conclude(groups, qualities, prediction.probabilities, prediction.votes)

    def _conclude(
        self,
        groups: Sequence[_Group],
        qualities: Sequence[Quality],
        probabilities: NDArray[np.float64],
        votes: NDArray[np.float64],
    ) -> Iterator[_Answered]:
        """Give every frame its faces' answers, which come in the order of the faces."""
        face = 0
        for group in groups:
            for i, (index, time_s) in enumerate(group.look.frames):
                item = _Answered(index, time_s, group.size, group.images[i])
                for sighting in group.sightings[i]:
                    item.faces.append(_Face(sighting, qualities[face], probabilities[face], votes[face]))
                    face += 1
                yield item

    def _finish(self, item: _Answered) -> Frame:
        faces = [self._make_face(*face) for face in item.faces]
        return Frame(
            faces=self._smoother.smooth(faces, item.time_s),
            size=item.size,
            model=self._reader.classifier.identity,
            detector=self._detector.name,
            source=self._source,
            index=item.index,
            time_s=item.time_s,
        )

    def _make_face(
        self, sighting: Sighting, quality: Quality, probabilities: NDArray[np.float64], votes: NDArray[np.float64]
    ) -> Face:
        detection, track = sighting.detection, sighting.track
        track_id = None if track is None else track.id
        return self._reader.make_face(detection, quality, probabilities, votes, track_id=track_id)


def detect_reduced(detector: Detector, frame: TimedImage, min_face: float) -> list[Detection]:
    """Look for faces at the scale that the smallest ones wanted need; in px of the frame as it is.

    On photos a detector reads what is there at full size, for the last small face. A film shows everybody often.
    """
    height, width = frame.image.shape[:2]
    factor = EASY_FACE / min_face
    if factor > WORTHWHILE:
        return detector.detect(frame.image, min_face=min_face)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = frame.reduce(*size) if isinstance(frame, FilmFrame) else resize(frame.image, *size)
    across, down = width / small.shape[1], height / small.shape[0]
    found = []
    for detection in detector.detect(small, min_face=min_face / down):
        box, points = detection.box, detection.landmarks
        scaled = Box(box.x1 * across, box.y1 * down, box.x2 * across, box.y2 * down)
        found.append(Detection(scaled, detection.score, None if points is None else points * (across, down)))
    return found


def count_waiting(size: tuple[int, int] | None) -> int:
    """How many frames of that (width, height), px, may wait; resumed films need the same number as before."""
    if size is None:
        return MAX_WAITING
    return min(MAX_WAITING, max(MIN_WAITING, WAITING_BYTES // (3 * size[0] * size[1])))


def _gather(groups: Iterable[_Group], most_frames: int) -> Iterator[list[_Group]]:
    """Groups until they have enough faces or frames for the network."""
    batch: list[_Group] = []
    faces = frames = 0
    try:
        for group in groups:
            batch.append(group)
            faces += sum(map(len, group.prepared))
            frames += len(group.prepared)
            if faces >= BATCH_FACES or frames >= most_frames:
                yield batch
                batch, faces, frames = [], 0, 0
    except Exception:  # of the film or the detector: what came before is good
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _check_frame(frame: TimedImage, last_s: float) -> None:
    """Refuse what would be misread, or end in an error of NumPy's far away."""
    image = frame.image
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise UsageError(f"frame {frame.index} is {image.dtype} {image.shape}", advice="Give (H, W, 3) uint8 RGB.")
    if not last_s < frame.time_s < math.inf:
        raise UsageError(f"a frame at {frame.time_s} s after {last_s} s", advice="Give frames in their order.")


def _list_frames(frames: Sequence[TimedImage]) -> tuple[tuple[int, float], ...]:
    return tuple((frame.index, frame.time_s) for frame in frames)
