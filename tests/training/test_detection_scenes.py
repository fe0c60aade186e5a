# ruff: noqa: E402  (torch is looked for before what needs it)
from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

from fervid.datasets.photos import find_split
from fervid.training.detection.config import DetectionConfig, LightConfig, SceneConfig
from fervid.training.detection.data import SceneLoader, load_training_photos
from fervid.training.detection.light import change_light, cover_faces
from fervid.training.detection.marks import Marks
from fervid.training.detection.scenes import Album, compose_scene

DARK = LightConfig(0, 0, 0, 0, 0, 0, 0, 0, 0)
"""No change of light at all."""


def make_config(recipe: dict[str, Any], **scenes: Any) -> DetectionConfig:
    config = DetectionConfig.from_dict(recipe)
    schedule = dataclasses.replace(config.schedule, size=192)
    return dataclasses.replace(config, schedule=schedule, light=DARK, scenes=SceneConfig(**scenes))


@pytest.mark.parametrize(
    "scenes",
    [
        {"people": 1.0, "heads": 0.0, "pasted": 0.0, "rotated": 0.0, "face_height": (30, 80)},
        {"people": 1.0, "heads": 0.0, "pasted": 0.0, "rotated": 1.0, "face_height": (30, 80)},
        {"people": 0.0, "heads": 0.0, "pasted": 1.0, "pasted_most": 1, "pasted_height": (30, 80)},
    ],
    ids=["tiles", "turned", "pasted"],
)
def test_marks_lie_on_what_they_mark(detector_recipe: Any, training_photos: Any, scenes: dict[str, Any]) -> None:
    config = make_config(detector_recipe(), **scenes)
    hardness = np.ones(len(training_photos.album.background))
    seen = 0
    for number in range(60):
        pixels, marks = compose_scene(training_photos.album, config, np.random.default_rng(number), hardness)
        assert pixels.shape == (192, 192, 3)
        assert pixels.dtype == np.uint8
        for box, points in zip(marks.boxes, marks.landmarks, strict=True):
            if (points < box[:2]).any() or (points > box[2:]).any() or box[3] - box[1] < 28:
                continue  # points beyond the edge of a tile show something else
            seen += 1
            for (x, y), channel in zip(points, (0, 0, 1, 2, 2), strict=True):  # red eyes, green nose, blue mouth
                colour = pixels[int(y), int(x)].astype(int)
                assert colour.argmax() == channel, (number, box, points)
                assert colour.max() > 1.5 * np.median(colour)
    assert seen > 25


def test_the_same_number_makes_the_same_scene(detector_recipe: Any, training_photos: Any) -> None:
    config = DetectionConfig.from_dict(detector_recipe())
    hardness = np.ones(len(training_photos.album.background))

    def make(seed: int) -> tuple[Any, Marks]:
        return compose_scene(training_photos.album, config, np.random.default_rng(seed), hardness)

    (one, marks), (two, same), (other, _) = make(1), make(1), make(2)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(marks.boxes, same.boxes)
    assert (one != other).any()


def test_scenes_do_without_any_kind(detector_recipe: Any, training_photos: Any) -> None:
    config = DetectionConfig.from_dict(detector_recipe())
    album = training_photos.album
    for part in (Album(album.people, [], []), Album([], album.heads, []), Album([], [], album.background)):
        for seed in range(8):
            hardness = np.ones(len(part.background))
            pixels, marks = compose_scene(part, config, np.random.default_rng(seed), hardness)
            assert pixels.shape == (96, 96, 3)
            assert part.people or part.heads or not len(marks.boxes)


def test_hard_backgrounds_are_shown_more_often(detector_recipe: Any, training_photos: Any) -> None:
    config = make_config(detector_recipe(), people=0.0, heads=0.0, pasted=0.0, grid=(1, 0, 0), rotated=0.0)
    album, hardness = training_photos.album, np.zeros(len(training_photos.album.background))
    hardness[2] = 1
    chosen = album.background[2].pixels
    low, high = chosen.reshape(-1, 3).min(axis=0), chosen.reshape(-1, 3).max(axis=0)
    other = dataclasses.replace(album, background=[album.background[2]])
    for seed in range(6):
        pixels, _ = compose_scene(album, config, np.random.default_rng(seed), hardness)
        alone, _ = compose_scene(other, config, np.random.default_rng(seed), np.ones(1))
        np.testing.assert_array_equal(pixels, alone)
        assert (pixels.reshape(-1, 3).max(axis=0) <= high).all()
        assert pixels.max() == 0 or (low > 0).all()


def test_how_many_processes_compose_changes_nothing(detector_recipe: Any, training_photos: Any) -> None:
    config = DetectionConfig.from_dict(detector_recipe())
    here = list(SceneLoader(training_photos.album, config, workers=0).iterate(1))
    elsewhere = list(SceneLoader(training_photos.album, config, workers=1).iterate(1))
    assert len(here) == len(elsewhere) == 2
    for one, two in zip(here, elsewhere, strict=True):
        assert (one.images == two.images).all()
        assert (one.boxes == two.boxes).all()
        assert one.images.shape == (8, 3, 96, 96)
        assert len(one.owners) == len(one.boxes) == len(one.landmarks) == len(one.scores)
        assert one.owners.max() < 8


def test_light_changes_levels_and_nothing_else(rng: np.random.Generator) -> None:
    pixels = np.asarray(np.tile(np.arange(96, dtype=np.uint8)[:, None, None] * 2, (1, 96, 3)))
    grey = change_light(pixels, dataclasses.replace(DARK, grey=1.0), rng)
    assert (grey[..., 0] == grey[..., 1]).all()
    np.testing.assert_array_equal(change_light(pixels, DARK, rng), pixels)
    for name in ("blur", "noise", "jpeg", "gamma", "tint"):
        changed = change_light(pixels, dataclasses.replace(DARK, **{name: 0.9 if name == "gamma" else 1.0}), rng)
        assert changed.shape == pixels.shape
        assert changed.dtype == np.uint8
        assert (changed != pixels).any(), name


def test_a_part_of_a_face_is_covered(rng: np.random.Generator) -> None:
    pixels = np.full((64, 64, 3), 200, dtype=np.uint8)
    box = np.array([[10, 10, 40, 50]], dtype=np.float32)
    marks = Marks(box, np.zeros((1, 5, 2), np.float32), np.ones(1, np.float32), np.zeros((0, 4), np.float32))
    shares = []
    for _ in range(30):
        covered = cover_faces(pixels.copy(), marks, dataclasses.replace(DARK, occluded=1.0), rng) != 200
        shares.append(covered.any(axis=2).sum() / (30 * 40))
    assert 0.02 < np.mean(shares) < 0.3
    assert max(shares) < 0.35


def test_decoys_cover_no_face_and_mark_none(detector_recipe: Any, training_photos: Any) -> None:
    hardness = np.ones(len(training_photos.album.background))
    changed = 0
    for number in range(30):
        scenes = []
        for decoys in (0.0, 1.0):
            options = {"people": 1.0, "heads": 0.0, "pasted": 0.0, "rotated": 0.0, "face_height": (30, 80)}
            config = make_config(detector_recipe(), **options, pasted_height=(20, 60), decoys=decoys)
            scenes.append(compose_scene(training_photos.album, config, np.random.default_rng(number), hardness))
        (plain, marks), (pixels, others) = scenes
        assert np.array_equal(marks.boxes, others.boxes)
        different = (plain != pixels).any(axis=2)
        changed += different.any()
        for box in marks.boxes.clip(0, 192).astype(int):
            inside = different[box[1] : box[3], box[0] : box[2]]
            assert not inside.size or inside.mean() < 0.25
    assert changed > 10


def test_photos_that_change_sides_are_other_photos(photo_rows: list[dict[str, Any]], tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    def write(name: str, number: int) -> str:
        """The photo of that number is held out."""
        rows = [dict(row) for row in photo_rows]
        held_out = next(row["group"] for row in rows if find_split(row["group"]) == "validation")
        rows[number]["group"] = held_out
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name)
        return load_training_photos(tmp_path / name).digest

    assert write("a.parquet", 0) != write("b.parquet", 4)
    assert write("a.parquet", 0) == write("c.parquet", 0)
