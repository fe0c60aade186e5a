from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fervid.detection import faces
from fervid.detection.detector import Detection, Detector, identify
from fervid.detection.haar import HaarDetector
from fervid.detection.selection import create_detector
from fervid.errors import ModelError
from fervid.geometry import boxes_to_array, intersection_over_union
from fervid.imaging import load_image
from fervid.results import Box

FACES = {"portrait": Box(165, 110, 370, 330), "astronaut": Box(175, 65, 272, 172)}
"""Forehead to chin of the two portraits, marked by hand."""


@pytest.fixture(params=["haar", "yunet", "faces"])
def detector(request: pytest.FixtureRequest) -> Detector:
    if request.param == "yunet":
        request.getfixturevalue("yunet_folder")
    if request.param == "faces" and not faces.is_available():
        pytest.skip("the package holds no detector of its own yet")
    return create_detector(request.param)


def overlap(detection: Detection, box: Box) -> float:
    return float(intersection_over_union(boxes_to_array([detection.box]), boxes_to_array([box]))[0, 0])


@pytest.mark.parametrize("name", FACES)
def test_the_face_of_a_portrait_is_found_once(detector: Detector, name: str, request: pytest.FixtureRequest) -> None:
    found = detector.detect(load_image(request.getfixturevalue(name)), min_face=20)
    assert len(found) == 1
    assert overlap(found[0], FACES[name]) > 0.55
    assert 0.3 < found[0].score <= 1
    framed = Detection(detector.framing.apply(found[0].box), 1.0)
    assert overlap(framed, FACES[name]) > 0.6


@pytest.mark.parametrize("factor", [0.5, 2.0, 5.0])
def test_boxes_scale_with_the_picture(detector: Detector, astronaut: Path, factor: float) -> None:
    picture = Image.open(astronaut)
    size = round(picture.width * factor), round(picture.height * factor)
    found = detector.detect(np.asarray(picture.convert("RGB").resize(size)), min_face=20 * factor)
    box = FACES["astronaut"]
    scaled = Box(box.x1 * factor, box.y1 * factor, box.x2 * factor, box.y2 * factor)
    assert max(overlap(detection, scaled) for detection in found) > 0.5


def test_small_faces_are_left_out_on_request(detector: Detector, astronaut: Path) -> None:
    assert detector.detect(load_image(astronaut), min_face=150) == []


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 700, 3), (700, 2, 3), (32, 32, 3), (480, 640, 3)])
def test_pictures_without_a_face_give_an_empty_list(detector: Detector, shape: tuple[int, ...]) -> None:
    assert detector.detect(np.full(shape, 127, dtype=np.uint8), min_face=20) == []


@pytest.mark.parametrize("name", ["haar", "yunet", "faces"])
def test_weaker_hits_come_on_request(name: str, astronaut: Path, request: pytest.FixtureRequest) -> None:
    if name == "yunet":
        request.getfixturevalue("yunet_folder")
    image = load_image(astronaut)
    usual, weak = create_detector(name), create_detector(name, score_threshold=0.01)
    assert 0.01 == weak.score_threshold < usual.score_threshold
    found = weak.detect(image, min_face=20)
    strong = boxes_to_array([d.box for d in found if d.score >= usual.score_threshold])
    assert strong == pytest.approx(boxes_to_array([d.box for d in usual.detect(image, min_face=20)]), abs=1e-6)
    assert len(found) > 1
    assert create_detector(name, score_threshold=1.0).detect(image, min_face=20) == []


def test_two_faces_are_found_wherever_they_stand(detector: Detector, astronaut: Path) -> None:
    one = load_image(astronaut)[:300, 50:400]
    canvas = np.full((500, 900, 3), 90, dtype=np.uint8)
    canvas[10:310, 20:370] = one
    canvas[180:480, 520:870] = one[:, ::-1]
    found = sorted(detector.detect(canvas, min_face=20), key=lambda d: d.box.x1)
    assert len(found) == 2
    assert found[0].box.x2 < 370
    assert found[1].box.x1 > 520


def test_a_detector_is_thread_safe(detector: Detector, astronaut: Path) -> None:
    image = load_image(astronaut)
    expected = [d.box for d in detector.detect(image, min_face=20)]
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: detector.detect(image, min_face=20), range(8)):
            assert [d.box for d in found] == expected


def test_yunet_gives_the_five_points_where_they_are(yunet_folder: Path, astronaut: Path) -> None:
    points = create_detector("yunet").detect(load_image(astronaut), min_face=20)[0].landmarks
    assert points is not None
    right_eye, left_eye, nose, right_mouth, left_mouth = points
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


def test_both_yunet_files_see_the_same(
    yunet_folder: Path, astronaut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = []
    for file in sorted(yunet_folder.glob("face_detection_yunet_*.onnx")):
        folder = tmp_path / file.stem
        folder.mkdir()
        (folder / file.name).symlink_to(file)
        monkeypatch.setenv("FERVID_MODEL_DIR", str(folder))
        boxes.append(create_detector("yunet").detect(load_image(astronaut), min_face=20)[0])
    assert len(boxes) == 2
    assert overlap(boxes[0], boxes[1].box) > 0.97


def test_an_opencv_without_cascades_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    monkeypatch.delattr(cv2, "data")
    with pytest.raises(ModelError, match="opencv-python-headless<5"):
        HaarDetector()


def test_haar_gives_no_face_lower_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cv2")
    detector = HaarDetector(score_threshold=0.0)

    class Cascade:
        @staticmethod
        def detectMultiScale3(*_: object, minSize: tuple[int, int], **__: object) -> tuple[list[list[int]], ...]:  # noqa: N802, N803
            return [[0, 0, *minSize]], [[0]], [[200]]

    monkeypatch.setattr(detector, "_cascade", Cascade())
    for min_face in (20.0, 25.5, 26.0, 33.0):  # 20.4 px of the picture reduced to 1600 px are 21
        (found,) = detector.detect(np.zeros((1000, 2000, 3), dtype=np.uint8), min_face=min_face)
        assert found.box.height >= min_face


def test_haar_says_whose_cascade_it_is() -> None:
    """Another version of OpenCV may bring another cascade: half a film by each would not be told apart by the name."""
    cv2 = pytest.importorskip("cv2")
    assert identify(HaarDetector()) == f"haar@opencv-{cv2.__version__}"
