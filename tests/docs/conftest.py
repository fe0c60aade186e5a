"""A folder with everything that the examples of the pages speak of."""

from __future__ import annotations

import csv
import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import fervid
from fervid.datasets.faceset import SPLITS, VOTE_COLUMNS

ROWS = {"Training": 168, "PublicTest": 168, "PrivateTest": 28}


def draw_faces() -> tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]:
    """``(N, 48, 48)`` patterns under noise, one pattern per emotion; emotions; splits. Nobody's face."""
    rng = np.random.default_rng(7)
    coarse = rng.uniform(40, 215, (7, 6, 3))
    patterns = np.kron(np.concatenate([coarse, coarse[:, :, ::-1]], axis=2), np.ones((8, 8)))
    splits = [name for name in SPLITS for _ in range(ROWS[name])]
    emotions = np.arange(len(splits)) % 7
    images = np.clip(patterns[emotions] + rng.normal(0, 25, (len(splits), 48, 48)), 0, 255).astype(np.uint8)
    return images, emotions.astype(np.int64), splits


def write_faces(folder: Path) -> None:
    """Kaggle's ``fer2013.csv``, FER+'s ``fer2013new.csv``, and both as ``faces.parquet``."""
    from fervid.datasets.preparation import prepare_faces
    from fervid.datasets.sources import open_source

    images, emotions, splits = draw_faces()
    with (folder / "fer2013.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("emotion", "pixels", "Usage"))
        for image, emotion, split in zip(images, emotions, splits, strict=True):
            rows.writerow((emotion, " ".join(map(str, image.ravel())), split))
    # FER+ counts are in another order than the emotions: neutral, happy, surprise, sad, angry, disgust, fear.
    places = np.array([4, 5, 6, 1, 3, 2, 0])
    with (folder / "fer2013new.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("Usage", "Image name", *VOTE_COLUMNS.values()))
        for i, (emotion, split) in enumerate(zip(emotions, splits, strict=True)):
            votes = np.zeros(10, dtype=np.int64)
            votes[places[emotion]], votes[0] = 8, votes[0] + 2
            rows.writerow((split, f"fer{i:07d}.png", *votes))
    prepare_faces(open_source(folder / "fer2013.csv"), folder / "faces.parquet", votes=folder / "fer2013new.csv")


def write_film(path: Path, picture: NDArray[np.uint8]) -> None:
    """64 s with a frame every two; somebody moves slowly to the right."""
    with fervid.VideoWriter(path, frame_rate=1, preset="ultrafast", threads=1) as film:
        for second in range(0, 64, 2):
            film.write(np.roll(picture, second // 2, axis=1), float(second))


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tiny networks gain nothing from more, and on a busy machine the threads wait for each other."""
    if importlib.util.find_spec("torch") is not None:
        import torch

        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory, astronaut: Path, portrait: Path, tiny_recipe: str) -> Path:
    """Photos, a film, FER2013 in small, and recipes that train in a second."""
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("examples")
    picture = fervid.load_image(astronaut)
    fervid.save_image(folder / "photo.jpg", picture)
    fervid.save_image(folder / "team.jpg", np.concatenate([picture, fervid.load_image(portrait)[:512]], axis=1))
    (folder / "holiday").mkdir()
    shutil.copy(folder / "photo.jpg", folder / "holiday" / "beach.jpg")
    shutil.copy(portrait, folder / "holiday" / "harbour.jpg")
    fervid.save_image(folder / "holiday" / "sea.png", np.full((120, 160, 3), (40, 90, 160), dtype=np.uint8))
    write_film(folder / "lecture.mp4", picture[:384, 64:448])
    (folder / "archive" / "2026").mkdir(parents=True)
    shutil.copy(folder / "photo.jpg", folder / "archive" / "2026" / "one.jpg")
    shutil.copy(portrait, folder / "archive" / "two.jpg")
    (folder / "archive" / "broken.jpg").write_bytes(b"not a picture")
    write_faces(folder)
    faces = pq.read_table(folder / "faces.parquet")
    pq.write_table(faces.take(list(range(0, len(faces), 3))), folder / "own.parquet")  # few, as one's own are
    (folder / "runs").mkdir()
    (folder / "runs" / "base-2.toml").write_text(tiny_recipe.replace("tiny", "base-2"), encoding="utf-8")
    return folder


@pytest.fixture
def workplace(
    examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_curves: None, blank_figures: None
) -> Path:
    """A copy of the examples, the current folder, with nothing of this machine's user in reach."""
    folder = tmp_path / "work"
    shutil.copytree(examples, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("MPLBACKEND", "agg")
    return folder
