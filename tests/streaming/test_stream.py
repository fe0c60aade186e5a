"""Who is on which frame, when, and what is let go of."""

import gc
import json
import threading
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fervid.detection.alignment import align, choose_angle
from fervid.detection.detector import Detection
from fervid.errors import UsageError, VideoError
from fervid.reading import FaceReader
from fervid.results import Box, Frame
from fervid.streaming.journal import Batch, Look
from fervid.streaming.stream import MAX_WAITING, FrameStream, StreamSettings, TimedImage, count_waiting, detect_reduced

from .conftest import ScriptedDetector, TimedArray, draw, face_at, make_frames, two_people

MakeReader = Callable[[], FaceReader]


def read_all(
    reader: FaceReader,
    detector: Any,
    frames: Any,
    *,
    live: bool = False,
    detect_s: float = 0.25,
    smooth_s: float = 0.5,
) -> list[Frame]:
    settings = StreamSettings(
        min_face=10, smooth_s=smooth_s, detect_s=detect_s, sure_score=detector.score_threshold, live=live
    )
    return [frame for frame, _ in FrameStream(reader, detector, settings, size=(160, 120)).read(frames)]


def tilt(face: Detection, degrees: float) -> Detection:
    """The same face with its points turned clockwise."""
    assert face.landmarks is not None
    middle = complex(*face.box.centre)
    points = (face.landmarks @ np.array([1, 1j]) - middle) * np.exp(1j * np.radians(degrees)) + middle
    return Detection(face.box, face.score, np.stack([points.real, points.imag], axis=1))


def follow(frames: list[Frame]) -> dict[int | None, dict[int, Any]]:
    """Track to frame number to face."""
    tracks: dict[int | None, dict[int, Any]] = defaultdict(dict)
    for frame in frames:
        for face in frame.faces:
            assert frame.index not in tracks[face.track_id], "a track twice on one frame"
            tracks[face.track_id][frame.index] = face
    return dict(tracks)


def test_every_frame_comes_once_in_its_order(make_reader: MakeReader) -> None:
    frames = read_all(make_reader(), ScriptedDetector(two_people), make_frames(100))
    assert [frame.index for frame in frames] == list(range(100))
    assert [frame.time_s for frame in frames] == [n / 25 for n in range(100)]
    assert {frame.size for frame in frames} == {(160, 120)}


def test_numbers_last_through_occlusions_and_misses(make_reader: MakeReader) -> None:
    tracks = follow(read_all(make_reader(), ScriptedDetector(two_people), make_frames(100)))
    assert set(tracks) == {1, 2}
    assert min(tracks[1]) == 0
    assert max(tracks[1]) == 99
    assert 20 <= min(tracks[2]) <= 26
    assert not any(n in tracks[1] for n in range(36, 41))


def test_faces_lie_on_their_way_between_sightings(make_reader: MakeReader) -> None:
    detector = ScriptedDetector(lambda n: [face_at(10 + n, 30 + 0.5 * n)])
    tracks = follow(read_all(make_reader(), detector, make_frames(100)))
    assert set(tracks) == {1}
    assert len(tracks[1]) == 100
    assert len(detector.looked) < 50
    for number, face in tracks[1].items():
        expected = face_at(10 + number, 30 + 0.5 * number)
        assert face.box.x1 == pytest.approx(expected.box.x1, abs=1e-9)
        assert face.box.y2 == pytest.approx(expected.box.y2, abs=1e-9)
        assert np.abs(face.landmarks - expected.landmarks).max() < 1e-9


def test_the_detector_looks_often_enough(make_reader: MakeReader) -> None:
    detector = ScriptedDetector(lambda _: [face_at(40, 40)])
    read_all(make_reader(), detector, make_frames(100), detect_s=0.2)
    assert max(np.diff(detector.looked)) == 5
    every = ScriptedDetector(lambda _: [face_at(40, 40)])
    read_all(make_reader(), every, make_frames(30), detect_s=0)
    assert every.looked == list(range(30))


def test_a_cut_ends_everybody(make_reader: MakeReader) -> None:
    detector = ScriptedDetector(lambda _: [face_at(40, 40)])  # at the same place in all scenes
    tracks = follow(read_all(make_reader(), detector, make_frames(90, cuts=[33, 64])))
    assert {t: (min(faces), max(faces)) for t, faces in tracks.items()} == {1: (0, 32), 2: (33, 63), 3: (64, 89)}


@pytest.mark.parametrize("live", [False, True])
def test_a_picture_of_another_size_is_another_scene(live: bool, make_reader: MakeReader) -> None:
    """Who stands at the right is not between two places of pictures of different sizes."""

    def feed() -> Iterator[TimedImage]:
        for number in range(60):
            yield TimedArray(draw(number, size=(160, 120) if number < 33 else (320, 240)), number, number / 25)

    def people(number: int) -> list[Detection]:
        return [face_at(100, 60) if number < 33 else face_at(200, 120, 48)]

    frames = read_all(make_reader(), ScriptedDetector(people), feed(), live=live)
    assert [frame.size for frame in frames] == [(160, 120)] * 33 + [(320, 240)] * 27
    lefts = {(frame.size, round(face.box.x1, 6)) for frame in frames for face in frame.faces}
    assert lefts == {((160, 120), 100.0), ((320, 240), 200.0)}
    assert follow(frames)[2].keys() <= set(range(33, 60))


def test_a_person_has_the_number_from_the_first_sighting_on(make_reader: MakeReader) -> None:
    detector = ScriptedDetector(lambda n: [face_at(40, 40)] if n >= 10 else [])
    tracks = follow(read_all(make_reader(), detector, make_frames(60)))
    assert set(tracks) == {1}
    live = follow(read_all(make_reader(), ScriptedDetector(detector.people), make_frames(60), live=True))
    assert None in live, "a live frame cannot wait until a newcomer has a number"
    assert set(live) == {None, 1}


def test_a_flicker_gets_no_number(make_reader: MakeReader) -> None:
    detector = ScriptedDetector(lambda n: [face_at(40, 40)] if n == 8 else [])
    tracks = follow(read_all(make_reader(), detector, make_frames(40), detect_s=0))
    assert {track: list(faces) for track, faces in tracks.items()} == {None: [8]}


def test_unsure_detections_extend_but_do_not_begin(make_reader: MakeReader) -> None:
    def people(number: int) -> list[Detection]:
        return [face_at(40, 40, score=0.9 if number < 25 else 0.35), face_at(100, 60, score=0.35)]

    tracks = follow(read_all(make_reader(), ScriptedDetector(people), make_frames(50), detect_s=0))
    assert set(tracks) == {1}
    assert len(tracks[1]) == 50


def test_live_frames_are_answered_at_once(make_reader: MakeReader) -> None:
    given: list[int] = []

    def feed() -> Iterator[TimedImage]:
        for frame in make_frames(60):
            given.append(frame.index)
            yield frame

    settings = StreamSettings(min_face=10, live=True)
    stream = FrameStream(make_reader(), ScriptedDetector(two_people), settings, keep_images=True)
    for frame, image in stream.read(feed()):
        assert given[-1] == frame.index
        assert image is not None
    assert len(given) == 60


def test_live_streams_have_no_journal(make_reader: MakeReader) -> None:
    stream = FrameStream(make_reader(), ScriptedDetector(two_people), StreamSettings(min_face=10, live=True))
    with pytest.raises(UsageError, match="no journal"):
        next(stream.read(make_frames(5), record=lambda _: None))


@pytest.mark.parametrize(("seconds", "people"), [(1.5, {1}), (600.0, {1, 2})])
def test_after_a_pause_of_a_live_stream_somebody_else_is_there(
    seconds: float, people: set[int], make_reader: MakeReader
) -> None:
    frames = [TimedArray(draw(n), n, n / 25 + (seconds if n >= 30 else 0.0)) for n in range(60)]
    detector = ScriptedDetector(lambda n: [face_at(40 if n < 30 else 60, 40)])
    assert set(follow(read_all(make_reader(), detector, frames, live=True))) - {None} == people


def test_live_frames_that_always_come_seldom_have_no_pauses(make_reader: MakeReader) -> None:
    detector = ScriptedDetector(lambda _: [face_at(40, 40)])
    tracks = follow(read_all(make_reader(), detector, make_frames(10, rate=0.2), live=True))
    assert list(tracks[1]) == list(range(1, 10))


def test_who_leaves_a_live_picture_has_left(make_reader: MakeReader) -> None:
    detector = ScriptedDetector(lambda n: [face_at(60 + 3 * n, 40)] if n < 28 else [face_at(136, 40)] if n > 50 else [])
    stream = FrameStream(make_reader(), detector, StreamSettings(min_face=10, live=True))
    assert set(follow([frame for frame, _ in stream.read(make_frames(80))])) - {None} == {1, 2}


def test_live_faces_move_on_between_looks(make_reader: MakeReader) -> None:
    detector = ScriptedDetector(lambda n: [face_at(10 + n, 40)])
    tracks = follow(read_all(make_reader(), detector, make_frames(100), live=True))
    assert len(detector.looked) < 60
    assert len(tracks[1]) > 90
    late = {n: face for n, face in tracks[1].items() if n > 20 and n not in detector.looked}
    assert max(abs(face.box.x1 - 10 - n) for n, face in late.items()) < 3


def test_live_faces_stay_tilted_between_looks(make_reader: MakeReader) -> None:
    detector = ScriptedDetector(lambda n: [tilt(face_at(10 + n, 40), 25)])
    tracks = follow(read_all(make_reader(), detector, make_frames(100), live=True))
    assert len(detector.looked) < 60
    assert all(choose_angle(face.landmarks) == pytest.approx(25, abs=2) for face in tracks[1].values())


@pytest.mark.parametrize("degrees", [0.0, 25.0])
def test_answers_belong_to_their_faces(degrees: float, make_reader: MakeReader) -> None:
    """Batches of several frames are taken apart again: each face has the answer of its own crop."""
    reader = make_reader()
    detector = ScriptedDetector(lambda n: [tilt(face, degrees) for face in two_people(n)])
    frames = read_all(reader, detector, make_frames(80), smooth_s=0)
    assert max(reader.classifier.asked) > 8  # type: ignore[attr-defined]
    images = {frame.index: frame.image for frame in make_frames(80)}
    for frame in frames:
        for face in frame.faces:
            found = Detection(face.box, 1.0, face.landmarks)
            square = align(found, detector.framing)
            assert (square.angle_deg == 0) == (degrees == 0)
            prepared = reader.prepare(images[frame.index], found, square)
            alone = reader.predict([prepared]).probabilities[0]
            assert np.abs(face.probabilities.array - alone).max() < 1e-6
            assert face.quality is not None
            assert face.quality.sharpness == pytest.approx(prepared.quality.sharpness)


def test_faces_stand_from_left_to_right(make_reader: MakeReader) -> None:
    detector = ScriptedDetector(lambda n: [face_at(120 - n, 30), face_at(10 + n, 80), face_at(60, 20, 18)])
    for frame in read_all(make_reader(), detector, make_frames(100)):
        lefts = [face.box.x1 for face in frame.faces]
        assert lefts == sorted(lefts)
        assert len(lefts) == 3


def test_smoothing_leaves_the_raw_answers(make_reader: MakeReader) -> None:
    smooth = read_all(make_reader(), ScriptedDetector(two_people), make_frames(60))
    raw = read_all(make_reader(), ScriptedDetector(two_people), make_frames(60), smooth_s=0)
    for a, b in zip(smooth, raw, strict=True):
        assert [f.probabilities for f in a.faces] == [f.probabilities for f in b.faces]
        assert all(f.smoothed is not None for f in a.faces)
        assert all(f.smoothed is None for f in b.faces)


@pytest.mark.parametrize("keep", [True, False])
def test_images_are_kept_only_when_asked_for(keep: bool, make_reader: MakeReader) -> None:
    alive: set[int] = set()
    most = 0

    class Watched(np.ndarray):
        """An array that a finalizer can watch."""

    def feed() -> Iterator[TimedImage]:
        nonlocal most
        for number in range(400):
            image = draw(number).view(Watched)
            alive.add(number)
            weakref.finalize(image, alive.discard, number)
            most = max(most, len(alive))
            yield TimedArray(image, number, number / 25)

    detector = ScriptedDetector(lambda _: [face_at(30, 40)])
    stream = FrameStream(make_reader(), detector, StreamSettings(min_face=10), keep_images=keep)
    for frame, image in stream.read(feed()):
        if keep:
            assert image is not None
            assert (image == draw(frame.index)).all()
        else:
            assert image is None
    assert most <= (8 if keep else 1) * (MAX_WAITING + 2)


@pytest.mark.parametrize("live", [False, True])
def test_stopping_early_leaves_no_thread(live: bool, make_reader: MakeReader) -> None:
    before = set(threading.enumerate())
    settings = StreamSettings(min_face=10, live=live)
    frames = FrameStream(make_reader(), ScriptedDetector(two_people), settings).read(make_frames(1000))
    for _ in range(5):
        next(frames)
    frames.close()
    assert set(threading.enumerate()) <= before  # what another test left may end meanwhile
    forgotten = FrameStream(make_reader(), ScriptedDetector(two_people), settings).read(make_frames(1000))
    next(forgotten)
    del forgotten
    gc.collect()
    assert set(threading.enumerate()) <= before


def test_errors_of_the_film_come_after_its_good_frames(make_reader: MakeReader) -> None:
    def feed() -> Iterator[TimedImage]:
        yield from make_frames(50)
        raise VideoError("the disk is gone")

    seen: list[int] = []
    settings = StreamSettings(min_face=10)
    with pytest.raises(VideoError, match="the disk is gone"):  # noqa: PT012
        for frame, _ in FrameStream(make_reader(), ScriptedDetector(two_people), settings).read(feed()):
            seen.append(frame.index)
    assert seen == list(range(len(seen)))
    assert len(seen) >= 50 - MAX_WAITING


def test_errors_of_the_detector_travel(make_reader: MakeReader) -> None:
    def people(number: int) -> list[Detection]:
        if number > 20:
            raise RuntimeError("the network broke")
        return []

    before = set(threading.enumerate())  # of the test runner, and servers that other tests keep in this process
    with pytest.raises(RuntimeError, match="the network broke"):
        read_all(make_reader(), ScriptedDetector(people), make_frames(60))
    assert set(threading.enumerate()) <= before


def test_frames_must_come_in_their_order(make_reader: MakeReader) -> None:
    frames = [TimedArray(draw(n), n, time_s) for n, time_s in enumerate([0.0, 1.0, 0.5])]
    with pytest.raises(UsageError, match=r"0\.5 s after 1\.0 s"):
        read_all(make_reader(), ScriptedDetector(two_people), frames, detect_s=0)


@pytest.mark.parametrize("live", [False, True])
def test_frames_at_one_time_are_refused(live: bool, make_reader: MakeReader) -> None:
    frames = [TimedArray(draw(n), n, min(n, 50) / 25) for n in range(80)]
    with pytest.raises(UsageError, match=r"2\.0 s after 2\.0 s"):
        read_all(make_reader(), ScriptedDetector(lambda _: [face_at(20, 30)]), frames, live=live)


@pytest.mark.parametrize("image", [draw(0)[..., 0], draw(0) / 255, np.dstack([draw(0)] * 2)[..., :4]])
def test_frames_that_are_no_pictures_are_refused(image: NDArray[Any], make_reader: MakeReader) -> None:
    with pytest.raises(UsageError, match=r"frame 0 is (uint8|float64) \(120, 160"):
        read_all(make_reader(), ScriptedDetector(two_people), [TimedArray(image, 0, 0.0)])


def test_pictures_are_searched_at_the_scale_that_their_smallest_faces_need() -> None:
    sizes: list[tuple[int, ...]] = []

    class Squares(ScriptedDetector):
        """Finds the white square, and notes how large the picture was."""

        def detect(self, image: NDArray[np.uint8], *, min_face: float) -> list[Detection]:
            sizes.append((*image.shape[:2], round(min_face)))
            rows, columns = np.nonzero(image[..., 0] > 128)
            box = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            return [Detection(box, 0.9, np.array([box.centre] * 5))]

    image = np.zeros((720, 1280, 3), dtype=np.uint8)
    image[300:400, 640:740] = 255
    for min_face, expected in [
        (20, (720, 1280, 20)),
        (24, (720, 1280, 24)),
        (40, (360, 640, 20)),
        (64, (225, 400, 20)),
    ]:
        (found,) = detect_reduced(Squares(two_people), TimedArray(image, 0, 0.0), min_face)
        assert sizes[-1] == expected
        edges = (found.box.x1, found.box.y1, found.box.x2, found.box.y2)
        assert edges == pytest.approx((640, 300, 740, 400), abs=min_face / 20)
        assert found.landmarks is not None
        assert np.abs(found.landmarks - (690, 350)).max() <= min_face / 20


def test_fewer_large_frames_wait() -> None:
    assert count_waiting(None) == count_waiting((1280, 720)) == MAX_WAITING
    assert 4 < count_waiting((1920, 1080)) < MAX_WAITING
    assert count_waiting((7680, 4320)) == 4


def test_no_frames_give_no_frames(make_reader: MakeReader) -> None:
    assert read_all(make_reader(), ScriptedDetector(two_people), iter(())) == []


def test_a_batch_without_faces_comes_back() -> None:
    batch = Batch((4, 4), (Look(False, ((0, 0.0),), ()),), (), np.zeros((0, 7)), np.zeros((0, 8)))
    assert Batch.from_dict(json.loads(json.dumps(batch.to_dict()))).to_dict() == batch.to_dict()
