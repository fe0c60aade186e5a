import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fervid.imaging import load_image
from fervid.tracking.cuts import CutDetector, make_thumbnail


def frame(path: Path, x: float = 0.0, zoom: float = 1.0) -> NDArray[np.uint8]:
    """A 16:9 frame of a picture, moved by a share of its width."""
    picture = Image.fromarray(load_image(path))
    width = picture.width * 0.8 / zoom
    left, top = picture.width * (0.1 + x) + (picture.width * 0.8 - width) / 2, picture.height * 0.1
    return np.asarray(picture.resize((320, 180), box=(left, top, left + width, top + width * 9 / 16)))


def is_cut(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    detector = CutDetector()
    assert not detector.detect(first)
    return detector.detect(second)


def test_another_scene_is_a_cut(portrait: Path, astronaut: Path) -> None:
    a, b = frame(portrait), frame(astronaut)
    assert is_cut(a, b)
    assert is_cut(b, a)
    assert is_cut(a, np.full_like(a, 255))


def test_the_same_scene_is_none(portrait: Path, astronaut: Path, rng: np.random.Generator) -> None:
    for path in (portrait, astronaut):
        a = frame(path)
        noisy = np.clip(a + rng.normal(0, 25, a.shape), 0, 255).astype(np.uint8)
        flash = np.clip(a.astype(int) + 80, 0, 255).astype(np.uint8)
        covered = a.copy()
        covered[:, 60:170] = 30
        for b in (a, frame(path, x=0.05), frame(path, zoom=1.08), noisy, flash, covered, (a * 0.6).astype(np.uint8)):
            assert not is_cut(a, b)


def test_black_borders_do_not_hide_a_cut(portrait: Path, astronaut: Path) -> None:
    a, b = frame(portrait).copy(), frame(astronaut).copy()
    for picture in (a, b):
        picture[:40] = picture[-40:] = 0
    assert is_cut(a, b)


def test_a_film_has_one_cut(portrait: Path, astronaut: Path) -> None:
    detector = CutDetector()
    frames = [frame(portrait, x=0.002 * i) for i in range(20)] + [frame(astronaut, x=0.002 * i) for i in range(20)]
    assert [i for i, picture in enumerate(frames) if detector.detect(picture)] == [20]


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 400, 3), (720, 1280, 3), (1081, 607, 3)])
def test_any_size_makes_a_thumbnail(shape: tuple[int, int, int]) -> None:
    image = np.zeros(shape, dtype=np.uint8)
    image[: shape[0] // 2] = 200
    thumbnail = make_thumbnail(image)
    assert thumbnail.shape == (9, 16)
    if shape[0] > 9:
        assert thumbnail[0].max() == 200
        assert thumbnail[-1].max() == 0


def test_photos_cut_and_moved(shared_data: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    if not (shared_data / "photos.parquet").is_file():
        pytest.skip("the photos are not here")
    table = parquet.ParquetFile(shared_data / "photos.parquet").read_row_group(0, columns=["image", "width", "height"])
    photos = [
        np.asarray(Image.open(io.BytesIO(row["image"])).convert("RGB").resize((416, 234)))
        for row in table.to_pylist()[:120]
        if row["width"] > row["height"]
    ]
    cuts = [is_cut(a[:, :380], b[:, :380]) for a, b in itertools.pairwise(photos)]
    moves = [is_cut(a[:, :-20], a[:, 20:]) for a in photos]
    assert len(cuts) > 30
    assert np.mean(cuts) > 0.9
    assert np.mean(moves) < 0.03
