"""A detector's figures: what counts as found, what as false and what for nothing, and how sure the figures are.

Faces are bright discs on dark ground; the detectors know the discs or are told what to answer.
"""

import io
import itertools
import json
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fervid.datasets.photos import LabelledPhoto, iterate_photos
from fervid.detection.detector import Detection
from fervid.detection.faces import FacesDetector
from fervid.detection.framing import Framing
from fervid.detection.selection import create_detector
from fervid.errors import DatasetError, UsageError
from fervid.evaluation.detection import CURVE_FROM, evaluate_detector
from fervid.evaluation.detection_reading import KEPT, find_faces
from fervid.pipeline import DEFAULT_MIN_FACE
from fervid.results import Box


def spread(box):
    """Five points inside a box, the eyes 0.4 of its height apart."""
    x1, y1, x2, y2 = box
    shares = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
    return np.array([x1, y1]) + shares * np.array([x2 - x1, y2 - y1])


def make_photo(*faces, kind=None, ignored=(), size=(200, 150), landmarks=True):
    """A photo with a disc in each box."""
    image = Image.new("L", size, 20)
    draw = ImageDraw.Draw(image)
    for x1, y1, x2, y2 in faces:
        draw.ellipse((x1, y1, x2 - 1, y2 - 1), fill=230)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    boxes = np.array(faces, dtype=np.float64).reshape(-1, 4)
    points = np.array([spread(box) for box in boxes]).reshape(-1, 5, 2)
    return LabelledPhoto(
        data=stream.getvalue(),
        size=size,
        kind=kind or ("people" if faces else "background"),
        source="",
        group="",
        boxes=boxes,
        landmarks=points if landmarks else np.full_like(points, np.nan),
        scores=np.ones(len(boxes)),
        ignore_boxes=np.array(ignored, dtype=np.float64).reshape(-1, 4),
        where="photos, row 7",
    )


class Teller:
    """Answers, photo by photo, what the test says: (box, score) or (box, score, landmarks); asked again, the same."""

    name = "teller"
    framing = Framing(1.0, 0.0, 0.0)

    def __init__(self, *answers, score_threshold=0.0):
        self.answers = iter(answers)
        self.score_threshold = score_threshold
        self.asked = []
        self.image = self.answer = None

    def detect(self, image, *, min_face):
        self.asked.append((image.shape, min_face))
        if image is not self.image:
            self.image, self.answer = image, next(self.answers)
        return [Detection(Box(*box), score, *landmarks) for box, score, *landmarks in self.answer]


class DiscDetector:
    """Finds bright discs that do not touch; the score grows with the size, the points lie right for squares."""

    name = "discs"
    framing = Framing(1.0, 0.0, 0.0)
    score_threshold = 0.1

    def detect(self, image, *, min_face):
        import cv2

        mask = (image[:, :, 0] > 128).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        boxes = [(x, y, x + width, y + height) for x, y, width, height, _ in stats[1:].tolist() if height >= min_face]
        return [Detection(Box(*b), min(1.0, (b[3] - b[1]) / 100), spread(np.array(b, dtype=float))) for b in boxes]


def measure(photos, *answers, **options):
    return evaluate_detector(Teller(*answers), photos, **options)


def test_who_finds_every_disc_has_full_marks():
    photos = [make_photo((10, 10, 50, 50), (60, 10, 90, 40)), make_photo((20, 20, 120, 120), kind="head"), make_photo()]
    evaluation = evaluate_detector(DiscDetector(), photos)
    for figures in (evaluation.overall, *evaluation.kinds.values()):
        assert figures.recall.value == figures.precision.value == figures.average_precision == 1
    assert evaluation.overall.recall.n == 3
    assert evaluation.photos == {"people": 1, "head": 1, "background": 1}
    assert set(evaluation.kinds) == {"people", "head"}
    assert evaluation.background.clean.value == 1
    assert evaluation.background.alarms.value == 0
    assert evaluation.overall.landmarks.median == pytest.approx(0, abs=0.01)
    assert evaluation.strict == (1, 0.3)
    assert evaluation.latency_ms > 0


def test_counts_what_is_found_missed_and_false():
    photos = [
        make_photo((10, 10, 40, 40), (60, 10, 90, 40)),
        make_photo((10, 10, 40, 40)),
        make_photo(),
    ]
    answers = (
        [((11, 11, 41, 41), 0.9), ((100, 100, 130, 130), 0.4)],
        [((10, 10, 40, 40), 0.7), ((12, 10, 42, 40), 0.6)],  # the same face twice
        [((50, 50, 90, 90), 0.2)],
    )
    figures = measure(photos, *answers).overall
    assert (figures.recall.value, figures.recall.n) == (pytest.approx(2 / 3), 3)
    assert (figures.precision.value, figures.precision.n) == (0.4, 5)
    at_half = measure(photos, *answers, threshold=0.5)
    assert at_half.overall.precision.value == pytest.approx(2 / 3)
    assert at_half.overall.average_precision == figures.average_precision == pytest.approx(2 / 3)
    assert at_half.background.clean.value == 1
    assert measure(photos, *answers).background.clean.value == 0


def test_bands_go_by_the_marked_height():
    heights = [12, 19.9, 20, 31, 32, 63, 64, 127, 128, 300]
    photos = [make_photo((0, 0, h, h), size=(400, 400)) for h in heights]
    evaluation = measure(photos, *([((0, 0, h, h), 0.9)] for h in heights))
    assert [(band.low, band.high, band.recall.n) for band in evaluation.bands] == [
        (12, 20, 2), (20, 32, 2), (32, 64, 2), (64, 128, 2), (128, None, 2),
    ]  # fmt: skip
    assert evaluation.overall.recall.n == 8
    coarse = measure(photos, *([] for _ in heights), min_face=40)
    assert [(band.low, band.high) for band in coarse.bands] == [(40, 64), (64, 128), (128, None)]
    assert (coarse.overall.low, coarse.overall.recall.n) == (40, 5)
    assert coarse.overall.recall.value == 0
    assert coarse.overall.precision is None


def test_small_and_doubtful_ones_count_for_nothing():
    photo = make_photo((10, 10, 40, 40), (60, 10, 78, 28), (100, 10, 108, 18), ignored=[(60, 60, 90, 90)])
    answer = [
        ((10, 10, 40, 40), 0.9),
        ((58, 8, 79, 29), 0.8),  # 21 px high, of a face of 18
        ((100, 10, 108, 18), 0.7),  # of a face that is too small to be measured
        ((60, 60, 90, 90), 0.6),  # doubtful
        ((62, 60, 92, 90), 0.6),  # doubtful, again
        ((150, 100, 160, 110), 0.5),  # nobody, but too small to be measured
        ((150, 50, 165, 65), 0.4),  # nobody, 15 px high
    ]
    evaluation = measure([photo], answer)
    assert (evaluation.overall.recall.n, evaluation.overall.precision.n) == (1, 1)
    assert evaluation.overall.precision.value == 1
    small = evaluation.bands[0]
    assert (small.recall.value, small.recall.n) == (1, 1)
    assert (small.precision.value, small.precision.n) == (0.5, 2)


def test_boxes_are_cut_off_at_the_border_as_marked_ones_are():
    photo = make_photo((0, 0, 60, 60))
    assert measure([photo], [((-40, -40, 60, 60), 0.9)]).overall.recall.value == 1


@pytest.mark.parametrize(("min_face", "heights"), [(12, [DEFAULT_MIN_FACE, 12]), (20, [20]), (40, [40])])
def test_the_detector_is_asked_as_the_product_asks_and_again_for_smaller_faces(min_face, heights):
    teller = Teller([])
    evaluate_detector(teller, [make_photo((0, 0, 30, 30))], min_face=min_face)
    assert teller.asked == [((150, 200, 3), KEPT * height) for height in heights]


def test_only_the_band_of_smaller_faces_is_of_the_reading_for_them():
    small, large, wrong = (10, 10, 25, 25), (60, 10, 90, 40), (100, 100, 130, 130)

    class Moody(Teller):
        def detect(self, image, *, min_face):
            shown = [(large, 0.9)] if image.max() > 128 else []
            self.image, self.answer = image, shown if min_face >= 16 else [(small, 0.8), (wrong, 0.7)]
            return super().detect(image, min_face=min_face)

    evaluation = evaluate_detector(Moody(), [make_photo(small, large), make_photo()])
    assert (evaluation.overall.recall.value, evaluation.overall.precision.value) == (1, 1)
    assert evaluation.kinds["people"] == evaluation.overall
    assert [None if band.recall is None else band.recall.value for band in evaluation.bands] == [1, 1, None, None, None]
    assert evaluation.strict == (1, 0.9)
    assert evaluation.background.clean.value == 1


def test_a_network_reads_the_picture_that_the_product_shows_it(dots, tmp_path):
    detector = FacesDetector(dots.write_detector(tmp_path / "dots.onnx"), threads=1)
    image = dots.paint(350, 100, [(50, 50)])
    (usual,) = detector.detect(image, min_face=20)
    (found,) = find_faces(detector, image, 20)
    assert (found.box, found.score) == (usual.box, usual.score), "boxes are 24 px high: asked for 16 px, it enlarges"
    assert detector.detect(image, min_face=25) == []
    assert [face.box for face in find_faces(detector, image, 25)] == [usual.box], "a little low is not missed"
    assert find_faces(detector, image, 31) == []


def test_landmarks_are_measured_on_faces_seen_from_the_front():
    frontal, side = (10, 10, 60, 60), (100, 10, 150, 60)
    photo = make_photo(frontal, side)
    points = photo.landmarks.copy()
    points[1, 0, 0] = points[1, 1, 0] - 5  # the eyes 0.1 of the height apart
    photo = replace(photo, landmarks=points)
    answer = [(frontal, 0.9, points[0] + [3, 4]), (side, 0.9, points[1])]
    marks = measure([photo], answer).overall.landmarks
    assert (marks.n, marks.profiles) == (1, 1)
    assert marks.median == marks.p90 == pytest.approx(5 / 20)  # 5 px off, the eyes 20 px apart
    assert measure([photo], [(frontal, 0.9)]).overall.landmarks is None
    assert measure([make_photo(frontal, landmarks=False)], [answer[0]]).overall.landmarks is None


def test_without_a_face_there_is_no_recall():
    evaluation = measure([make_photo()], [((10, 10, 60, 60), 0.5)])
    assert evaluation.overall.recall is evaluation.overall.average_precision is evaluation.strict is None
    assert evaluation.overall.precision.value == 0
    assert evaluation.curve == ()
    assert evaluation.kinds == {}
    assert measure([make_photo((0, 0, 30, 30))], []).background is None


def test_the_curve_runs_from_the_detectors_threshold_to_one():
    photos = [make_photo((10, 10, 40, 40)), make_photo((10, 10, 40, 40))]
    answers = [((10, 10, 40, 40), 0.9)], [((10, 10, 40, 40), 0.5), ((100, 10, 140, 50), 0.6)]
    curve = evaluate_detector(Teller(*answers, score_threshold=0.3), photos).curve
    assert [point.threshold for point in curve] == pytest.approx(np.arange(30, 101) / 100)
    by_threshold = {point.threshold: (point.recall, point.precision) for point in curve}
    assert by_threshold[0.5] == (1, pytest.approx(2 / 3))
    assert by_threshold[0.55] == (0.5, 0.5)
    assert by_threshold[0.9] == (0.5, 1)
    assert by_threshold[0.95] == (0, None)


def test_intervals_come_from_photos_not_from_faces():
    crowd = [(x, y, x + 20, y + 20) for x in range(0, 180, 20) for y in range(0, 140, 20)]
    found, missed = make_photo(*crowd), make_photo(*crowd)
    photos = [found, missed] * 4
    answers = [[(box, 0.9) for box in crowd], []] * 4
    recall = measure(photos, *answers).overall.recall
    assert recall.value == 0.5
    assert recall.n == 8 * len(crowd)
    assert recall.high - recall.low > 0.5  # eight photos; as many single faces would give less than 0.1


def test_progress_and_bad_pictures():
    good, bad = make_photo((0, 0, 30, 30)), replace(make_photo((0, 0, 30, 30)), data=b"x")
    steps, errors = [], []
    answers = [[((0, 0, 30, 30), 1.0)]] * 2
    evaluation = measure(
        [good, bad, good], *answers, on_progress=lambda *step: steps.append(step), on_bad=errors.append
    )
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert [str(error)[:13] for error in errors] == ["photos, row 7"]
    assert (evaluation.skipped, evaluation.photos["people"]) == (1, 2)
    steps.clear()
    measure(iter([good]), *answers, on_progress=lambda *step: steps.append(step))
    assert steps == [(1, None)]
    with pytest.raises(DatasetError, match="photos, row 7: the data is not a picture"):
        measure([bad], [])
    with pytest.raises(DatasetError, match="there is no photo to measure on"):
        measure([bad], [], on_bad=errors.append)


def test_refuses_thresholds_that_the_detector_cannot_show():
    with pytest.raises(UsageError, match=r"a threshold of 0.2 with a detector that answers from 0.3 on"):
        evaluate_detector(Teller(score_threshold=0.3), [make_photo()], threshold=0.2)
    with pytest.raises(UsageError, match="a smallest face of 0 px"):
        measure([make_photo()], [], min_face=0)


def test_json_holds_the_figures_and_keeps_times_apart():
    photos = [make_photo((10, 10, 40, 40)), make_photo()]
    answers = [((10, 10, 40, 40), 0.9, spread((10, 10, 40, 40)))], []
    first, second = measure(photos, *answers), measure(photos, *answers)
    assert first == second  # whatever the time
    data = json.loads(json.dumps(first.to_dict(), allow_nan=False))
    assert data["schema"] == "fervid-detection/1"
    assert data["detector"] == data["identity"] == "teller"  # which was read from no file
    assert data["overall"]["recall"] == {"value": 1.0, "low": 0.206549, "high": 1.0, "n": 1}  # Wilson's
    assert data["overall"]["landmarks"] == {"n": 1, "median": 0.0, "p90": 0.0, "profiles": 0}
    assert data["kinds"]["people"] == data["overall"]
    assert data["recall_at_precision"] == {"precision": 0.97, "recall": 1.0, "threshold": 0.9}
    assert data["background"]["alarms_per_photo"]["value"] == 0
    assert len(data["curve"]) == 101
    assert set(data["informative"]) == {"latency_ms_p50"}
    assert "latency" not in json.dumps({key: value for key, value in data.items() if key != "informative"})
    moved = replace(photos[0], boxes=photos[0].boxes + 1)
    assert measure([moved, photos[1]], *answers).data != first.data


def test_latency_is_the_detectors_alone(monkeypatch):
    def delay(method, seconds):
        return lambda *arguments, **options: time.sleep(seconds) or method(*arguments, **options)

    monkeypatch.setattr(DiscDetector, "detect", delay(DiscDetector.detect, 0.02))
    monkeypatch.setattr(LabelledPhoto, "decode", delay(LabelledPhoto.decode, 0.2))
    assert 20 <= evaluate_detector(DiscDetector(), [make_photo()] * 3).latency_ms < 200


@pytest.mark.parametrize("name", ["haar", "yunet"])
def test_real_detectors_on_real_photos(name, shared_data, yunet_folder):
    path = shared_data / "photos.parquet"
    if not path.is_file():
        pytest.skip("photos.parquet is not here")
    heads = itertools.islice(iterate_photos(path, split="validation", kinds=["head"]), 25)
    background = itertools.islice(iterate_photos(path, split="validation", kinds=["background"]), 25)
    threshold = create_detector(name).score_threshold
    detector = create_detector(name, threads=1, score_threshold=CURVE_FROM)
    evaluation = evaluate_detector(detector, itertools.chain(heads, background), threshold=threshold)
    assert (evaluation.detector, evaluation.threshold, evaluation.floor) == (name, threshold, CURVE_FROM)
    assert evaluation.overall.recall.value > 0.85
    assert evaluation.overall.precision.value > 0.9
    assert evaluation.background.clean.value > 0.9
    assert (evaluation.overall.landmarks is None) == (name == "haar")
    assert evaluation.curve[0].recall >= evaluation.overall.recall.value
