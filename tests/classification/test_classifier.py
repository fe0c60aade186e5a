from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image, ImageFilter

from fervid.classification.calibration import restrict_votes, softmax
from fervid.classification.classifier import Classifier
from fervid.classification.preprocess import preprocess
from fervid.classification.quality import measure_quality
from fervid.emotions import EMOTIONS
from fervid.errors import ContractError, UsageError
from fervid.geometry import Square, central_box, square_box
from fervid.imaging import load_image


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier("base", threads=1)


@pytest.fixture(scope="module")
def chips() -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (5, 48, 48), dtype=np.uint8))


def test_answers_are_distributions(classifier: Classifier, chips: list[np.ndarray]) -> None:
    prediction = classifier.predict(chips)
    assert prediction.probabilities.shape == (5, 7)
    assert prediction.votes.shape == (5, 8)
    for part in (prediction.probabilities, prediction.votes, prediction.label_probabilities):
        assert part.sum(axis=1) == pytest.approx(np.ones(5))
        assert part.min() >= 0
    assert classifier.spec.labels == EMOTIONS


def test_the_answer_is_the_mean_of_both_heads(classifier: Classifier, chips: list[np.ndarray]) -> None:
    prediction, share = classifier.predict(chips), classifier.spec.blend
    assert 0 < share < 1
    votes = prediction.votes[:, :7] / prediction.votes[:, :7].sum(axis=1, keepdims=True)
    blended = (1 - share) * prediction.label_probabilities + share * votes
    assert prediction.probabilities == pytest.approx(blended, abs=1e-9)


def test_six_labels_count_votes_for_disgust_as_anger() -> None:
    votes = np.array([[0.1, 0.2, 0.0, 0.0, 0.0, 0.0, 0.2, 0.5]])  # half of them for contempt, which is no answer
    assert restrict_votes(votes, 7) == pytest.approx(np.array([[0.2, 0.4, 0, 0, 0, 0, 0.4]]), abs=1e-9)
    assert restrict_votes(votes, 6) == pytest.approx(np.array([[0.6, 0, 0, 0, 0, 0.4]]), abs=1e-9)
    only_contempt = np.eye(8)[[7]]
    assert restrict_votes(only_contempt, 7) == pytest.approx(np.full((1, 7), 1 / 7))


def test_maps_have_the_logits_as_means(classifier: Classifier, astronaut: Path) -> None:
    image = load_image(astronaut)
    inputs = preprocess(image, [Square(square_box(222, 118, 96)), Square(square_box(222, 140, 120))], classifier.spec)
    maps = classifier.map_evidence(inputs)
    labels, votes = classifier.run(inputs)
    assert maps.labels.shape[:2] == (2, 7)
    assert maps.votes.shape[:2] == (2, 8)
    assert maps.labels.shape[2:] == maps.votes.shape[2:]
    assert min(maps.labels.shape[2:]) >= 3
    assert maps.labels.mean(axis=(2, 3)) == pytest.approx(labels / classifier.spec.temperature, abs=1e-4)
    assert maps.votes.mean(axis=(2, 3)) == pytest.approx(votes / classifier.spec.votes_temperature, abs=1e-4)
    in_ones = classifier.map_evidence(inputs, batch_size=1)
    assert in_ones.votes == pytest.approx(maps.votes, abs=1e-4)
    assert len(classifier.map_evidence(inputs[:0]).labels) == 0


def test_the_batch_changes_nothing(classifier: Classifier, chips: list[np.ndarray]) -> None:
    together = classifier.predict(chips).probabilities
    in_twos = classifier.predict(chips, batch_size=2).probabilities
    assert in_twos == pytest.approx(together, abs=1e-6)


def test_no_faces_give_empty_answers(classifier: Classifier) -> None:
    prediction = classifier.predict([])
    assert prediction.probabilities.shape == (0, 7)
    assert prediction.votes.shape == (0, 8)


def test_grey_and_rgb_of_the_same_face_are_the_same(classifier: Classifier, chips: list[np.ndarray]) -> None:
    rgb = [np.repeat(chip[:, :, None], 3, axis=2) for chip in chips]
    assert classifier.predict(rgb).probabilities == pytest.approx(classifier.predict(chips).probabilities, abs=1e-4)


def test_a_face_inside_a_picture_scores_like_its_chip(classifier: Classifier, astronaut: Path) -> None:
    image = load_image(astronaut)
    square = square_box(222, 118, 96)
    chip = image[70:166, 174:270]
    inside = classifier.predict([image], [Square(square)]).probabilities
    alone = classifier.predict([chip]).probabilities
    assert inside == pytest.approx(alone, abs=1e-6)


def test_a_tilted_face_is_shown_upright(classifier: Classifier, astronaut: Path) -> None:
    image, box = load_image(astronaut), square_box(222, 118, 96)
    upright = preprocess(image, [Square(box)], classifier.spec)
    for angle in (-35.0, 25.0):
        turned = np.asarray(Image.fromarray(image).rotate(-angle, Image.Resampling.BICUBIC, center=box.centre))
        shown, tilted = preprocess(turned, [Square(box, angle), Square(box)], classifier.spec)
        assert np.abs(shown - upright[0]).mean() < 0.2 * np.abs(tilted - upright[0]).mean()


def test_of_a_picture_the_central_square_is_read(classifier: Classifier) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (48, 80), dtype=np.uint8)
    whole, middle = (classifier.predict([image]) for image in (picture, picture[:, 16:64]))
    assert whole.probabilities.tolist() == middle.probabilities.tolist()


@pytest.mark.parametrize("batch_size", [0, -1])
def test_batches_of_nothing_are_refused(classifier: Classifier, chips: list[np.ndarray], batch_size: int) -> None:
    with pytest.raises(UsageError, match=f"batch_size is {batch_size}"):
        classifier.predict(chips, batch_size=batch_size)


def test_squares_must_match_the_pictures(classifier: Classifier, chips: list[np.ndarray]) -> None:
    with pytest.raises(UsageError, match="1 squares for 5 pictures"):
        classifier.predict(chips, [Square(central_box(48, 48))])


def test_preprocessing_is_the_central_crop_normalised(classifier: Classifier, chips: list[np.ndarray]) -> None:
    spec = classifier.spec
    inputs = preprocess(chips[0], [Square(central_box(48, 48))], spec)
    margin = round((48 - 48 * spec.crop) / 2)
    assert spec.size == 48 - 2 * margin, "base sees FER2013's own pixels"
    expected = (chips[0][margin : 48 - margin, margin : 48 - margin] - spec.mean) / spec.std
    assert inputs[0, 0] == pytest.approx(expected, abs=1e-5)


def test_another_projects_model_is_refused(yunet_folder: Path) -> None:
    with pytest.raises(ContractError, match=r"face_detection_yunet_2023mar carries no fervid\.spec"):
        Classifier(yunet_folder / "face_detection_yunet_2023mar.onnx")


def test_a_file_that_claims_too_much_is_refused(classifier: Classifier, dots: ModuleType, tmp_path: Path) -> None:
    path = dots.write_detector(tmp_path / "liar.onnx", metadata=classifier.spec.to_metadata())
    with pytest.raises(ContractError, match=r"liar has the inputs \['image'\].*emotion_logits"):
        Classifier(path)


def test_softmax_with_a_temperature() -> None:
    logits = np.array([[0.0, np.log(4.0)], [1000.0, 0.0]])
    assert softmax(logits) == pytest.approx(np.array([[0.2, 0.8], [1.0, 0.0]]))
    assert softmax(logits, 2.0)[0] == pytest.approx([1 / 3, 2 / 3])


def test_blur_lowers_sharpness_and_landmarks_tell_the_pose(astronaut: Path) -> None:
    image = load_image(astronaut)
    square = Square(square_box(222, 118, 96))
    sharp = measure_quality(image, square)
    blurred = measure_quality(np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(4))), square)
    assert sharp.size_px == 96
    assert blurred.sharpness < sharp.sharpness / 2
    assert sharp.roll_deg is None
    points = np.array([[0, 0], [10, 10], [5, 5], [0, 20], [10, 20]], dtype=np.float64)
    posed = measure_quality(image, square, points)
    assert posed.roll_deg == pytest.approx(45)
    assert posed.yaw == pytest.approx(0)
    points[2] = [10, 10]
    assert measure_quality(image, square, points).yaw == pytest.approx(0.5)
    tilted = np.asarray(Image.fromarray(image).rotate(-20, Image.Resampling.BICUBIC, center=square.box.centre))
    upright = measure_quality(tilted, Square(square.box, 20))
    assert upright.sharpness == pytest.approx(sharp.sharpness, rel=0.15)
    same_eyes = np.zeros((5, 2))
    assert measure_quality(image, square, same_eyes).roll_deg is None
