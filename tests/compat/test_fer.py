"""The shapes that fer 25.10.3 documents (its README) and gives (its detect_emotions and top_emotion)."""

import base64
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import fervid
from fervid.compat.fer import FER, DetectedFace
from fervid.errors import ImageError, SizeError, UsageError

NAMES = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


@pytest.fixture(scope="module")
def detector() -> FER:
    return FER(analyzer=fervid.Analyzer(detector="faces", threads=1))


@pytest.fixture(scope="module")
def bgr(astronaut: Path) -> NDArray[np.uint8]:
    """As cv2.imread would give it."""
    return np.ascontiguousarray(fervid.load_image(astronaut)[..., ::-1])


def check_shape(found: list[DetectedFace], height: int, width: int) -> None:
    assert type(found) is list
    for face in found:
        assert list(face) == ["box", "emotions"]
        x, y, w, h = face["box"]
        assert all(type(value) is int for value in face["box"])
        assert 0 <= x < x + w <= width
        assert 0 <= y < y + h <= height
        assert list(face["emotions"]) == NAMES
        assert all(type(score) is float and round(score, 2) == score for score in face["emotions"].values())
        assert sum(face["emotions"].values()) == pytest.approx(1, abs=0.04)


def test_a_bgr_picture_gives_what_fer_documents(detector: FER, bgr: NDArray[np.uint8]) -> None:
    found = detector.detect_emotions(bgr)
    check_shape(found, 512, 512)
    (face,) = found
    assert face["emotions"]["happy"] == max(face["emotions"].values())
    x, y, w, h = face["box"]
    assert x < 225 < x + w  # her nose
    assert y < 120 < y + h
    assert detector.emotions == found
    assert detector.top_emotion(bgr) == ("happy", face["emotions"]["happy"])


def test_it_is_what_fervid_answers(detector: FER, bgr: NDArray[np.uint8], astronaut: Path) -> None:
    analysis = fervid.Analyzer(detector="faces", threads=1, min_face=50).analyze(astronaut)
    (face,) = detector.detect_emotions(bgr)
    assert face["emotions"] == {str(k): round(v, 2) for k, v in analysis.faces[0].probabilities.items()}
    box = analysis.faces[0].box
    assert face["box"] == pytest.approx([box.x1, box.y1, box.width, box.height], abs=1)


def test_colours_are_in_opencvs_order(detector: FER) -> None:
    class Recorder:
        name, score_threshold = "recorder", 0.5
        framing = detector._analyzer.detector.framing
        seen: NDArray[np.uint8] | None = None

        def detect(self, image: NDArray[np.uint8], **_: float) -> list[fervid.Face]:
            self.seen = image
            return []

    recorder = Recorder()
    blue = np.zeros((8, 8, 3), dtype=np.uint8)
    blue[..., 0] = 255
    FER(analyzer=fervid.Analyzer(detector=recorder, threads=1)).detect_emotions(blue)
    assert recorder.seen is not None
    assert recorder.seen[0, 0].tolist() == [0, 0, 255]
    opaque = np.dstack([blue, np.full((8, 8), 255, dtype=np.uint8)])
    FER(analyzer=fervid.Analyzer(detector=recorder, threads=1)).detect_emotions(opaque)
    assert recorder.seen[0, 0].tolist() == [0, 0, 255]


def test_paths_data_texts_and_grey_arrays_read_alike(detector: FER, bgr: NDArray[np.uint8], astronaut: Path) -> None:
    expected = detector.detect_emotions(bgr)
    assert detector.detect_emotions(str(astronaut)) == expected
    text = "data:image/png;base64," + base64.b64encode(astronaut.read_bytes()).decode()
    assert detector.detect_emotions(text) == expected
    grey = detector.detect_emotions(np.asarray(bgr.mean(axis=2), dtype=np.uint8))
    assert grey[0]["box"] == pytest.approx(expected[0]["box"], abs=8)


def test_nobody_is_an_empty_list_and_two_nones(detector: FER) -> None:
    empty = np.full((120, 160, 3), 200, dtype=np.uint8)
    assert detector.detect_emotions(empty) == []
    assert detector.top_emotion(empty) == (None, None)
    assert detector.find_faces(empty) == []
    assert detector.batch_detect_emotions([]) == []
    assert detector.batch_detect_emotions([empty, empty]) == [[], []]
    assert detector.detect_emotions(empty, face_rectangles=[]) == []


def test_two_faces_come_from_left_to_right(detector: FER, bgr: NDArray[np.uint8]) -> None:
    both = np.concatenate([bgr, bgr], axis=1)
    found = detector.detect_emotions(both)
    check_shape(found, 512, 1024)
    assert len(found) == 2
    assert found[1]["box"][0] - found[0]["box"][0] == pytest.approx(512, abs=4)
    assert detector.top_emotion(both)[0] == "happy"


def test_faces_that_were_found_are_read_where_they_are(detector: FER, bgr: NDArray[np.uint8]) -> None:
    rectangles = detector.find_faces(bgr)
    assert [face["box"] for face in detector.detect_emotions(bgr)] == rectangles
    for given in (rectangles, np.array(rectangles, dtype=np.int32), [tuple(rectangles[0])]):
        found = detector.detect_emotions(bgr, face_rectangles=given)
        check_shape(found, 512, 512)
        assert found[0]["box"] == rectangles[0]
        assert max(found[0]["emotions"], key=lambda name: found[0]["emotions"][name]) == "happy"
    with pytest.raises(UsageError, match="no rectangle"):
        detector.detect_emotions(bgr, face_rectangles=[(1, 2, 0, 4)])


def test_the_box_cuts_the_picture_it_was_found_in(detector: FER, bgr: NDArray[np.uint8]) -> None:
    part = bgr[:, 190:]  # her face stands half outside
    found = detector.detect_emotions(part)
    assert len(found) == 1
    for face in found:
        x, y, w, h = face["box"]
        assert part[y : y + h, x : x + w].shape == (h, w, 3)


def test_small_faces_are_left_out_as_asked(bgr: NDArray[np.uint8]) -> None:
    analyzer = fervid.Analyzer(detector="faces", threads=1)
    assert FER(min_face_size=400, analyzer=analyzer).detect_emotions(bgr) == []
    assert analyzer.min_face == 20


def test_pictures_may_be_as_large_as_the_analyzer_allows(
    bgr: NDArray[np.uint8], astronaut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyzer = fervid.Analyzer(detector="faces", threads=1)
    text = "data:image/png;base64," + base64.b64encode(astronaut.read_bytes()).decode()
    for source in (bgr, str(astronaut), text):
        with pytest.raises(SizeError):
            FER(analyzer=analyzer.derive(max_pixels=1000)).detect_emotions(source)
    # load_image's own limit is no matter.
    monkeypatch.setattr("fervid.imaging.load_image.__kwdefaults__", {"max_pixels": 1000})
    assert len(FER(analyzer=analyzer).find_faces(bgr)) == 1


def test_what_has_no_effect_is_said_and_what_is_wrong_is_refused() -> None:
    analyzer = fervid.Analyzer(detector="faces", threads=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FER(None, False, False, True, 1.1, 50, 5, (10, 10), analyzer=analyzer)
    with pytest.warns(UserWarning, match=r"^mtcnn, scale_factor: no effect"):
        FER(mtcnn=True, scale_factor=1.2, analyzer=analyzer)
    wrong = [{"scale_factor": 1.0}, {"min_face_size": 0}, {"min_neighbors": -1}, {"offsets": (1, 2, 3)}]
    for arguments in wrong:
        with pytest.raises(ValueError, match=next(iter(arguments))):
            FER(**arguments, analyzer=analyzer)


@pytest.mark.parametrize(
    "source", [None, 7, "data:image/png;base64,@@", "data:image/png;base64,é", "https://example.org/a.png"]
)
def test_what_is_no_picture_is_an_error_of_fervids(detector: FER, source: object) -> None:
    with pytest.raises(ImageError):
        detector.detect_emotions(source)  # type: ignore[arg-type]
