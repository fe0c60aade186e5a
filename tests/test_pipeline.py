import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import fervid
from fervid.detection.alignment import MEAN_POINTS
from fervid.detection.detector import Detection
from fervid.detection.framing import Framing
from fervid.detection.selection import choose_detector, create_detector
from fervid.errors import ContractError, ImageError, InputError, ModelError, SizeError, UsageError
from fervid.geometry import square_box
from fervid.imaging import load_image, save_image
from fervid.models.store import BUNDLED
from fervid.pipeline import Analyzer
from fervid.results import Box


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(detector="haar", threads=1)


@pytest.mark.parametrize("detector", ["haar", "yunet"])
def test_the_astronaut_is_happy(detector: str, astronaut: Path, request: pytest.FixtureRequest) -> None:
    if detector == "yunet":
        request.getfixturevalue("yunet_folder")
    analysis = Analyzer(detector=detector).analyze(astronaut)
    assert len(analysis.faces) == 1
    face = analysis.faces[0]
    assert face.emotion is fervid.Emotion.HAPPY
    assert face.confidence == face.probabilities["happy"] > 0.5
    assert analysis.size == (512, 512)
    assert analysis.detector == detector
    assert analysis.model.startswith("base@")
    assert analysis.source == str(astronaut)
    assert set(analysis.timings_ms) == {"load", "detect", "prepare", "classify"}
    assert (face.landmarks is not None) == (detector == "yunet")


def test_the_admirals_face_is_found(portrait: Path, no_yunet: None) -> None:
    analysis = fervid.analyze(portrait)
    assert len(analysis.faces) == 1
    assert analysis.detector == choose_detector()


def test_a_second_analysis_gives_identical_json(astronaut: Path) -> None:
    texts = [json.dumps(Analyzer(detector="haar").analyze(astronaut).to_dict()) for _ in range(2)]
    assert texts[0] == texts[1]


def test_six_labels_add_disgust_to_anger(analyzer: Analyzer, astronaut: Path) -> None:
    seven = analyzer.analyze(astronaut).faces[0].probabilities
    six = Analyzer(detector="haar", labels=6).analyze(astronaut).faces[0].probabilities
    assert list(six) == ["angry", "fear", "happy", "sad", "surprise", "neutral"]
    assert six["angry"] == pytest.approx(seven["angry"] + seven["disgust"])
    assert six["happy"] == pytest.approx(seven["happy"])


def test_derived_analyzers_share_the_networks(analyzer: Analyzer, astronaut: Path) -> None:
    derived = analyzer.derive(labels=6, min_face=30, max_pixels=512 * 512)
    assert derived.classifier is analyzer.classifier
    assert derived.detector is analyzer.detector
    assert derived.analyze(astronaut) == Analyzer(detector="haar", labels=6, min_face=30).analyze(astronaut)
    assert len(analyzer.analyze(astronaut).faces[0].probabilities) == 7
    assert derived.derive().analyze(astronaut) == derived.analyze(astronaut)
    with pytest.raises(UsageError, match="min_face is 0"):
        analyzer.derive(min_face=0)
    with pytest.raises(UsageError, match="min_face is inf"):
        analyzer.derive(min_face=math.inf)
    with pytest.raises(SizeError):
        analyzer.derive(max_pixels=100).analyze(astronaut)


def test_derived_analyzers_share_the_detector_of_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def create(*arguments: Any, **options: Any) -> Any:
        made.append(options)
        return create_detector(*arguments, **options)

    monkeypatch.setattr("fervid.pipeline.create_detector", create)
    analyzer = Analyzer("small", threads=1)
    for labels in (7, 6, 6):
        assert list(analyzer.derive(labels=labels).stream([])) == []  # type: ignore[arg-type]
    assert len(made) == 2
    assert made[1]["score_threshold"] == pytest.approx(0.6 * analyzer.detector.score_threshold)


def test_a_chip_given_with_its_own_box_scores_like_the_chip(analyzer: Analyzer, astronaut: Path) -> None:
    image = load_image(astronaut)
    square = square_box(222, 118, 96)
    chip = image[70:166, 174:270]
    by_box = analyzer.analyze(image, boxes=[square]).faces[0]
    by_chip = analyzer.classify([chip])[0]
    assert by_box.probabilities.array == pytest.approx(by_chip.probabilities.array, abs=1e-6)
    assert by_box.votes.array == pytest.approx(by_chip.votes.array, abs=1e-6)
    assert by_box.box == square
    assert by_chip.box == Box(0, 0, 96, 96)
    assert by_chip.score == by_box.score == 1


def test_faces_are_not_stretched(analyzer: Analyzer, astronaut: Path) -> None:
    image = load_image(astronaut)
    given = Box(182, 54, 262, 182)  # 80×128: the area of a square of 101.2 px
    face, same = analyzer.analyze(image, boxes=[given, square_box(222, 118, math.sqrt(80 * 128))]).faces
    assert face.box == given
    assert face.probabilities == same.probabilities
    assert face.quality == same.quality
    wide, tall, middle = analyzer.classify([image[70:166, 154:290], image[50:186, 174:270], image[70:166, 174:270]])
    assert wide.probabilities == tall.probabilities == middle.probabilities
    assert wide.box == Box(0, 0, 136, 96)
    with pytest.raises(ImageError, match=r"square in the middle of the box -100, 0, 10, 10 is outside the picture"):
        analyzer.analyze(image, boxes=[(-100, 0, 10, 10)])
    with pytest.raises(ImageError, match=r"empty box \(0×40 px\)"):
        analyzer.analyze(image, boxes=[(10, 0, 10, 40)])


def test_what_the_framing_is_said_to_be_is_what_was_measured() -> None:
    right, left, _, *mouth = np.array(MEAN_POINTS)
    said = " ".join((Analyzer.classify.__doc__ or "").split())
    eyes, apart, lips = (
        round(100 * share) for share in ((right + left)[1] / 2, left[0] - right[0], np.mean(mouth, 0)[1])
    )
    assert f"eyes at {eyes} % of its height and {apart} % of its side apart, the mouth at {lips} %" in said


def test_classify_takes_every_kind_of_picture(analyzer: Analyzer, rng: np.random.Generator, tmp_path: Path) -> None:
    grey = rng.integers(0, 256, (48, 48), dtype=np.uint8)
    save_image(tmp_path / "face.png", grey)
    faces = analyzer.classify([grey, np.repeat(grey[:, :, None], 3, axis=2), tmp_path / "face.png"])
    assert len(faces) == 3
    for face in faces[1:]:
        assert face.probabilities.array == pytest.approx(faces[0].probabilities.array, abs=1e-4)
    assert analyzer.classify([]) == ()


def test_nobody_there_is_an_empty_tuple(analyzer: Analyzer) -> None:
    assert analyzer.analyze(np.zeros((1, 1, 3), dtype=np.uint8)).faces == ()
    assert analyzer.analyze(np.full((200, 300, 3), 80, dtype=np.uint8)).faces == ()


class StubDetector:
    """Finds the same faces everywhere, right to left."""

    name = "stub"
    framing = Framing(1.0, 0.0, 0.0)

    def detect(self, image: NDArray[np.uint8], *, min_face: float) -> list[Detection]:
        assert image.shape[0] >= min_face
        return [Detection(Box(x, 5, x + 30, 35), 0.9) for x in (60, 0, -20)]


def test_faces_come_from_left_to_right_and_may_leave_the_picture(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (40, 80, 3), dtype=np.uint8)
    faces = Analyzer(detector=StubDetector()).analyze(image).faces
    assert [face.box.x1 for face in faces] == [-20, 0, 60]


def test_low_confidence_is_uncertain(analyzer: Analyzer) -> None:
    threshold = analyzer.classifier.spec.threshold
    noise = np.random.default_rng(1).integers(0, 256, (60, 48, 48), dtype=np.uint8)
    faces = analyzer.classify(list(noise) + [np.full((48, 48), grey, dtype=np.uint8) for grey in (0, 128, 255)])
    for face in faces:
        assert (face.emotion is None) == (face.confidence < threshold)
        assert face.confidence == max(face.probabilities.values())
    assert any(face.emotion is None for face in faces)


def test_boxes_that_are_given_were_found_by_no_detector(analyzer: Analyzer) -> None:
    image = np.zeros((60, 60, 3), np.uint8)
    assert analyzer.analyze(image, boxes=[Box(5, 5, 50, 50)]).detector == "given"
    assert analyzer.analyze(image).detector == "haar"


@pytest.mark.parametrize(
    "boxes",
    [[(5, 5, 50, 50)], [[5.0, 5.0, 50.0, 50.0]], np.array([[5, 5, 50, 50]]), (np.array([5, 5, 50, 50], np.float32),)],
)
def test_boxes_are_also_rows_of_four_numbers(analyzer: Analyzer, boxes: Any) -> None:
    image = np.zeros((60, 60, 3), np.uint8)
    (face,) = analyzer.analyze(image, boxes=boxes).faces
    assert face.box == Box(5, 5, 50, 50)


@pytest.mark.parametrize(
    "boxes",
    [5, Box(5, 5, 50, 50), (5, 5, 50, 50), [(5, 5, 50)], [(5, 5, 50, None)], ["face"], [None], np.zeros((1, 5))],
)
def test_what_is_no_box_is_refused(analyzer: Analyzer, boxes: Any) -> None:
    with pytest.raises(UsageError, match="is no ") as caught:
        analyzer.analyze(np.zeros((60, 60, 3), np.uint8), boxes=boxes)
    assert "x1, y1, x2, y2" in caught.value.advice


@pytest.mark.parametrize("box", [(-50, -50, -10, -10), (60, 0, 90, 30), (0, 40, 30, 70), (-9, 0, 0, 9)])
def test_boxes_outside_the_picture_are_refused(analyzer: Analyzer, box: tuple[float, ...]) -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    with pytest.raises(ImageError, match=r"is outside the picture \(60×40 px\)"):
        analyzer.analyze(image, boxes=[box])
    assert len(analyzer.analyze(image, boxes=[(-50, -50, 1, 1)]).faces) == 1


def test_an_analyzer_is_thread_safe(analyzer: Analyzer, astronaut: Path, portrait: Path) -> None:
    expected = {path: analyzer.analyze(path) for path in (astronaut, portrait)}
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(analyzer.analyze, [astronaut, portrait] * 4):
            assert result == expected[Path(result.source or "")]


def test_wrong_options_are_refused() -> None:
    with pytest.raises(UsageError, match="5 labels"):
        Analyzer(labels=5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="threads is 0"):
        Analyzer(threads=0)
    for min_face in (0, math.inf, math.nan):
        with pytest.raises(UsageError, match="min_face"):
            Analyzer(min_face=min_face)
    with pytest.raises(ModelError, match="'absent'"):
        Analyzer("absent")


def test_bad_input_is_an_input_error(analyzer: Analyzer, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        analyzer.analyze(tmp_path / "absent.jpg")
    with pytest.raises(UsageError, match="batch_size"):
        next(analyzer.map([], batch_size=0))


def test_a_detector_may_be_the_path_of_its_file(astronaut: Path) -> None:
    path = BUNDLED / "faces.onnx"
    by_name = fervid.analyze(astronaut, model="small", detector=path, labels=6, min_face=30)
    for analysis in (Analyzer(detector=path).analyze(astronaut), by_name):
        assert analysis.detector == "faces"
        assert len(analysis.faces) == 1
    assert by_name.model.startswith("small@")
    assert len(by_name.faces[0].probabilities) == 6
    assert fervid.analyze(astronaut, detector=path, min_face=400).faces == ()


def test_scores_of_numpy_become_json() -> None:
    class Scored(StubDetector):
        def detect(self, image: NDArray[np.uint8], *, min_face: float) -> list[Detection]:
            found = super().detect(image, min_face=min_face)
            return [Detection(d.box, np.float32(0.75)) for d in found]  # type: ignore[arg-type]

    analysis = Analyzer(detector=Scored()).analyze(np.zeros((60, 90, 3), np.uint8))
    assert [face["score"] for face in json.loads(json.dumps(analysis.to_dict()))["faces"]] == [0.75] * 3


def test_the_five_lines_of_the_readme(astronaut: Path, tmp_path: Path) -> None:
    analysis = fervid.analyze(astronaut)
    picture = fervid.load_image(astronaut)
    annotated = fervid.annotate(picture, analysis)
    fervid.save_image(tmp_path / "out.jpg", annotated)
    assert (annotated != picture).any()
    assert (fervid.emojify(picture, analysis) != picture).any()
    assert fervid.emoji(analysis.faces[0].probabilities).startswith("<svg")


def test_evidence_comes_only_when_asked_for_and_changes_nothing_else(analyzer: Analyzer, astronaut: Path) -> None:
    plain, explained = analyzer.analyze(astronaut), analyzer.analyze(astronaut, evidence=True)
    assert plain.faces[0].evidence is None
    assert "evidence" not in json.dumps(plain.to_dict())
    evidence = explained.faces[0].evidence
    assert evidence is not None
    assert evidence.labels == fervid.EMOTIONS
    table = explained.to_dict()
    del table["faces"][0]["evidence"]
    assert table == plain.to_dict()
    assert fervid.analyze(astronaut, detector="haar", evidence=True).faces[0].evidence == evidence


def test_the_astronauts_mouth_speaks_for_happy(analyzer: Analyzer, astronaut: Path) -> None:
    square = square_box(222, 118, 96)
    evidence = analyzer.analyze(astronaut, boxes=[square], evidence=True).faces[0].evidence
    assert evidence is not None
    crop = analyzer.classifier.spec.crop
    assert evidence.square.centre == pytest.approx(square.centre)
    assert evidence.square.width == pytest.approx(crop * square.width)
    happy = evidence["happy"]
    rows = happy.shape[0] // 3
    assert happy[-2 * rows :].mean() > 2 * happy[:rows].mean() > 0
    assert all(evidence[emotion].mean() < 0 for emotion in fervid.EMOTIONS if emotion != "happy")


def test_a_mirrored_portrait_has_mirrored_evidence(analyzer: Analyzer, portrait: Path) -> None:
    picture = load_image(portrait)
    square = analyzer.analyze(picture, evidence=True).faces[0].evidence
    assert square is not None
    box = square.square
    width = picture.shape[1]
    mirrored_box = Box(width - box.x2, box.y1, width - box.x1, box.y2)
    straight = analyzer.analyze(picture, boxes=[box], evidence=True).faces[0]
    mirrored = analyzer.analyze(picture[:, ::-1], boxes=[mirrored_box], evidence=True).faces[0]
    assert straight.evidence is not None
    assert mirrored.evidence is not None
    top = straight.probabilities.top
    ours, theirs = straight.evidence[top], mirrored.evidence[top][:, ::-1]
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.8


def test_evidence_agrees_with_the_answer(analyzer: Analyzer) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (6, 48, 48), dtype=np.uint8)
    for labels in (7, 6):
        reader = Analyzer(detector="haar", labels=labels, threads=1)  # type: ignore[arg-type]
        for image in noise:
            face = reader.analyze(image, boxes=[Box(0, 0, 48, 48)], evidence=True).faces[0]
            assert face.evidence is not None
            assert face.evidence.labels == tuple(face.probabilities)
            means = face.evidence.maps.mean(axis=(1, 2))
            assert np.corrcoef(means, np.log(face.probabilities.array))[0, 1] > 0.8


@pytest.mark.parametrize("angle", [-25, 25])
def test_a_tilted_face_is_read_as_if_it_were_upright(angle: int, astronaut: Path, portrait: Path) -> None:
    reader = Analyzer(detector="faces", threads=1)
    gains = []
    for path in (astronaut, portrait):
        picture = Image.open(path).convert("RGB")
        turned = np.asarray(picture.rotate(-angle, Image.Resampling.BICUBIC))
        upright, tilted = (
            max(reader.analyze(image, evidence=True).faces, key=lambda face: face.box.area)
            for image in (picture, turned)
        )
        assert tilted.evidence is not None
        assert tilted.evidence.angle_deg == pytest.approx(angle, abs=12)
        assert tilted.emotion is upright.emotion
        side = tilted.evidence.square.width / reader.classifier.spec.crop
        plain = reader.analyze(turned, boxes=[square_box(*tilted.evidence.square.centre, side)]).faces[0]
        truth = upright.probabilities.array
        gains.append(np.abs(plain.probabilities.array - truth).sum() - np.abs(tilted.probabilities.array - truth).sum())
    assert sum(gains) > 0.05


def test_boxes_of_ones_own_stay_upright(astronaut: Path, analyzer: Analyzer) -> None:
    face = analyzer.analyze(astronaut, boxes=[square_box(222, 118, 96)], evidence=True).faces[0]
    assert face.evidence is not None
    assert face.evidence.angle_deg == 0


def test_a_model_without_evidence_says_so(analyzer: Analyzer, astronaut: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyzer.classifier, "explainable", False)
    assert analyzer.analyze(astronaut).faces
    with pytest.raises(ContractError, match="emotion_evidence"):
        analyzer.analyze(astronaut, evidence=True)
    with pytest.raises(ContractError):
        next(analyzer.map([astronaut], evidence=True))


def test_the_explained_portrait(analyzer: Analyzer, astronaut: Path) -> None:
    picture = load_image(astronaut)
    explained = fervid.explain(picture, analyzer.analyze(picture, evidence=True))
    redder = explained.astype(int) - picture
    assert redder[130:155, 205:240, 0].mean() > redder[130:155, 205:240, 2].mean() + 20  # the mouth is warm
    assert not redder[400:].any()
