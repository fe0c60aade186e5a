"""Where a network's detections land in pictures of any size; the network finds red dots (tests/dotdetector.py)."""

import dataclasses
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from fervid.detection import decoding, network
from fervid.detection.decoding import average_cells, decode
from fervid.detection.detector import Detection
from fervid.detection.faces import FacesDetector
from fervid.errors import ContractError
from fervid.geometry import intersection_over_union


def centres(found: list[Detection]) -> NDArray[np.float64]:
    """``(N, 2)``, from left to right."""
    return np.array(sorted(d.box.centre for d in found), dtype=np.float64).reshape(-1, 2)


def test_decoding_one_cell_by_hand() -> None:
    strides = (8, 16, 32)
    outputs: dict[str, NDArray[np.float32]] = {}
    for stride in strides:
        cells = (64 // stride) * (96 // stride)
        for kind, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            outputs[f"{kind}_{stride}"] = np.zeros((1, cells, width), dtype=np.float32)
    cell = 2 * 12 + 3  # third row, fourth column of the 12×8 grid
    outputs["cls_8"][0, cell], outputs["obj_8"][0, cell] = 0.81, 0.64
    outputs["bbox_8"][0, cell] = [0.5, 0.25, np.log(2), np.log(3)]
    outputs["kps_8"][0, cell] = np.arange(10) / 10
    boxes, scores, landmarks = decode(outputs, 96, 64, strides)
    assert len(boxes) == 96 + 24 + 6
    assert scores[cell] == pytest.approx(0.72)
    assert boxes[cell] == pytest.approx([28 - 8, 18 - 12, 28 + 8, 18 + 12])
    assert landmarks[cell, 0] == pytest.approx([24, 16.8])
    assert np.delete(scores, cell).max() == 0
    for threshold, n in ((0.7, 1), (0.73, 0)):
        some = decode(outputs, 96, 64, strides, score_threshold=threshold)
        assert [len(part) for part in some] == [n] * 3
    assert decode(outputs, 96, 64, strides, score_threshold=0.7)[0][0] == pytest.approx(boxes[cell])


def test_cells_that_agree_say_together_where_a_face_is() -> None:
    boxes = np.array([[0, 0, 40, 40], [2, 2, 42, 42], [4, 0, 44, 40], [30, 0, 70, 40], [5, 5, 5, 5]], dtype=np.float64)
    landmarks = boxes[:, None, :2] + np.arange(10).reshape(1, 5, 2)
    scores = np.array([0.9, 0.6, 0.1, 0.8, 0.5])
    found, points = average_cells(boxes, scores, landmarks, [0, 3, 4])
    shift = 2 * 0.36 / (0.81 + 0.36)  # the third is not heard: 0.1 is below the floor
    assert found == pytest.approx(np.array([[shift, shift, 40 + shift, 40 + shift], boxes[3], boxes[4]]))
    assert points[0] == pytest.approx(landmarks[0] + shift)
    weak, _ = average_cells(boxes, scores * 0.1, landmarks, [0, 3, 4])
    assert weak[0] == pytest.approx(boxes[0]), "cells below a kept one that is itself below the floor are not heard"
    nobody, nothing = average_cells(boxes, scores, landmarks, [])
    assert (nobody.shape, nothing.shape) == ((0, 4), (0, 5, 2))


def test_many_faces_among_many_cells_are_averaged_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    corners = rng.uniform(0, 60, (300, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(20, 40, (300, 2))], axis=1)
    landmarks, scores = rng.uniform(0, 100, (300, 5, 2)), rng.uniform(0, 1, 300)
    kept = rng.permutation(300)[:50].tolist()
    whole = average_cells(boxes, scores, landmarks, kept)
    compared: list[int] = []

    def compare(some: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
        compared.append(len(some) * len(others))
        return intersection_over_union(some, others)

    monkeypatch.setattr(decoding, "intersection_over_union", compare)
    for pairs in (1, 2_200, 15_000):
        compared.clear()
        monkeypatch.setattr(decoding, "PAIRS", pairs)
        for part, same in zip(average_cells(boxes, scores, landmarks, kept), whole, strict=True):
            np.testing.assert_allclose(part, same, rtol=1e-13)
        assert sum(compared) == 50 * 300
        assert max(compared) <= max(pairs, 300)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_a_detector_follows_its_file(dots: ModuleType, tmp_path: Path, order: str) -> None:
    spec = dataclasses.replace(dots.SPEC, colour_order=order)
    detector = FacesDetector(dots.write_detector(tmp_path / "mine.onnx", spec), threads=1)
    assert (detector.name, detector.score_threshold) == ("mine", 0.7)
    assert dataclasses.astuple(detector.framing) == spec.framing
    (found,) = detector.detect(dots.paint(400, 120, [(60, 44)]), min_face=20)
    assert found.score == pytest.approx(1, abs=0.01)
    assert found.box.width == found.box.height == pytest.approx(dots.FACE)
    assert found.box.centre == pytest.approx((60, 44), abs=8)
    assert found.landmarks is not None
    corner = np.array(found.box.centre) - 4
    assert found.landmarks[2] == pytest.approx(corner + np.array([0.4, 0.5]) * 8)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("size", [None, 320])
def test_a_detector_can_take_pixels_as_they_are(dots: ModuleType, tmp_path: Path, order: str, size: int | None) -> None:
    spec = dataclasses.replace(dots.SPEC, colour_order=order, layout="pixels", mean=0.0, std=1.0)
    detector = FacesDetector(dots.write_detector(tmp_path / "mine.onnx", spec, size=size), threads=1)
    for width, height in ((400, 120), (320, 320)):
        image = dots.paint(width, height, [(60, 44), (300, 100)])
        for picture in (image, np.asfortranarray(image)):
            assert centres(detector.detect(picture, min_face=20)) == pytest.approx(
                np.array([(60, 44), (300, 100)]), abs=8
            )


def test_a_file_whose_input_is_not_what_its_spec_says_is_refused(dots: ModuleType, tmp_path: Path) -> None:
    spec = dataclasses.replace(dots.SPEC, layout="pixels", mean=0.0, std=1.0)
    path = dots.write_detector(tmp_path / "mine.onnx", dots.SPEC, metadata=spec.to_metadata())
    with pytest.raises(ContractError, match=r"mine takes image \[1, 3, .*tensor\(float\)") as caught:
        FacesDetector(path, threads=1)
    assert caught.value.advice == "A detector of pixels takes one (1, H, W, 3) uint8."


@pytest.mark.parametrize("size", [None, 320])
@pytest.mark.parametrize("shape", [(300, 200), (1300, 70), (320, 40), (2000, 1500)])
def test_every_dot_is_found_once_where_it_is(
    dots: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int], size: int | None
) -> None:
    monkeypatch.setattr(network, "TILE", 640)
    detector = FacesDetector(dots.write_detector(tmp_path / "dots.onnx", size=size), threads=1)
    width, height = shape
    grid = [(x, y) for x in range(16, width - 8, 61) for y in range(16, height - 8, 67)]
    found = centres(detector.detect(dots.paint(width, height, grid), min_face=20))
    assert len(found) == len(grid)
    assert np.abs(found[:, None] - np.array(grid)[None]).max(axis=2).min(axis=0).max() <= 8


def test_a_seam_neither_hides_nor_doubles_a_face(
    dots: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "TILE", 320)
    detector = FacesDetector(dots.write_detector(tmp_path / "dots.onnx"), threads=1)
    (first, *_) = detector.plan(600, 300, min_face=20)
    assert len(first.tiles) == 2
    for x in range(first.tiles[1].x1 - 20, first.tiles[0].x2 + 20, 3):
        found = detector.detect(dots.paint(600, 300, [(x, 150)]), min_face=20)
        assert len(found) == 1, x
        assert found[0].box.centre == pytest.approx((x, 150), abs=8)


def test_what_a_coarser_pass_sees_below_the_networks_reach_does_not_count(dots: ModuleType, tmp_path: Path) -> None:
    spec = dataclasses.replace(dots.SPEC, smallest_face=40.0, largest_face=320.0)  # a dot's box is lower than that
    detector = FacesDetector(dots.write_detector(tmp_path / "dots.onnx", spec), threads=1)
    image = dots.paint(320, 320, [(100, 160)])
    fine, coarse = detector.plan(320, 320, min_face=40)
    (found,) = detector.read(image, [fine, coarse], least=16)
    assert found.box.height < spec.smallest_face
    unseeing = dataclasses.replace(coarse, tiles=())
    assert detector.read(image, [unseeing, fine], least=16) == []  # what showed the dot is not the first any more


def test_small_dots_come_with_a_smaller_min_face(dots: ModuleType, tmp_path: Path) -> None:
    detector = FacesDetector(dots.write_detector(tmp_path / "dots.onnx"), threads=1)
    image = np.full((100, 350, 3), 80, dtype=np.uint8)
    image[44:53, 60:69] = (250, 0, 0)
    assert detector.detect(image, min_face=20) == []
    (found,) = detector.detect(image, min_face=10)
    assert found.box.height == pytest.approx(dots.FACE / 2, rel=0.01)
    assert found.box.centre == pytest.approx((64.5, 48.5), abs=4)
    assert detector.detect(dots.paint(350, 100, [(50, 50)]), min_face=40) == [], "the box is 24 px high"


def test_a_detail_inside_a_larger_face_is_no_face() -> None:
    boxes = np.array([[0, 0, 100, 100], [20, 30, 40, 50], [80, 80, 130, 130]], dtype=np.float64)
    scores = np.array([0.9, 0.8, 0.7])
    assert network.suppress_overlaps(boxes, scores, 0.3, containment=network.CONTAINMENT) == [0, 2]


def test_files_that_are_no_detector_are_refused(dots: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"bare carries no fervid\.spec"):
        FacesDetector(dots.write_detector(tmp_path / "bare.onnx", metadata={}))
    with pytest.raises(ContractError, match="short lacks the outputs kps_32"):
        FacesDetector(dots.write_detector(tmp_path / "short.onnx", drop=("kps_32",)))
    with pytest.raises(ContractError, match="base is no face detector; its task is expression"):
        FacesDetector("base")
