from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fervid.datasets.faceset import PRIVATE_TEST, PUBLIC_TEST, SPLITS, TRAINING, FaceSet
from fervid.datasets.photos import find_split

RECIPE: dict[str, Any] = {
    "name": "tiny",
    "seed": 3,
    "input": {"size": 20, "crop": 0.9},
    "network": {"stem": 8, "widths": [8, 8, 16], "depths": [1, 1, 1], "squeeze": 4, "dropout": 0.1, "drop_path": 0.1},
    "schedule": {
        "stages": [{"epochs": 1, "size": 16}, {"epochs": 2, "size": 20}],
        "batch_size": 32,
        "learning_rate": 0.05,
        "warmup_epochs": 0.5,
        "ema": 0.9,
    },
    "augmentation": {"scale": [0.9, 1.0], "shift": 0.03, "rotation": 4, "erase": 0.1},
}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tiny networks gain nothing from more, and on a busy machine the threads wait for each other."""
    if importlib.util.find_spec("torch") is not None:
        import torch

        torch.set_num_threads(1)


@pytest.fixture(scope="module", autouse=True)
def _no_curves(no_curves: None) -> None:
    """Of every run here."""


@pytest.fixture(scope="session")
def recipe() -> Callable[..., dict[str, Any]]:
    """A recipe that trains in a second; keywords replace top-level keys."""

    def make(**changes: Any) -> dict[str, Any]:
        return {**RECIPE, **changes}

    return make


@pytest.fixture(scope="session")
def make_faces() -> Callable[..., FaceSet]:
    """Faces that can be learned: each emotion is a symmetric pattern of its own under noise."""

    def make(training: int = 192, public: int = 256, private: int = 16, *, votes: bool = True) -> FaceSet:
        rng = np.random.default_rng(7)
        coarse = rng.uniform(40, 215, (7, 6, 3))
        patterns = np.kron(np.concatenate([coarse, coarse[:, :, ::-1]], axis=2), np.ones((8, 8)))
        counts = {TRAINING: training, PUBLIC_TEST: public, PRIVATE_TEST: private}
        splits = np.repeat([SPLITS.index(name) for name in counts], list(counts.values()))
        emotions = np.arange(len(splits)) % 7
        noisy = patterns[emotions] + rng.normal(0, 25, (len(splits), 48, 48))
        tally = np.zeros((len(splits), 10), dtype=np.int64)
        # FER+ counts are in another order than the emotions: neutral, happy, surprise, sad, angry, disgust, fear.
        tally[np.arange(len(splits)), np.array([4, 5, 6, 1, 3, 2, 0])[emotions]] = 8
        tally[:, 0] += 2
        return FaceSet(
            np.clip(noisy, 0, 255).astype(np.uint8),
            emotions.astype(np.int64),
            splits.astype(np.int64),
            tally if votes else None,
        )

    return make


@pytest.fixture(scope="session")
def make_network() -> Callable[..., Any]:
    """``(data, recipe)``: a network whose statistics have seen faces and whose heads have opinions."""

    def make(data: Any, recipe: dict[str, Any]) -> Any:
        import torch

        from fervid.training.expressions.config import TrainingConfig
        from fervid.training.expressions.network import ExpressionNetwork

        torch.manual_seed(1)
        config = TrainingConfig.from_dict(recipe)
        network = ExpressionNetwork(config.network, config.labels).train()
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if name.endswith(("norm2.weight", "head.weight")):
                    parameter.normal_(0, 0.5)
            for _ in range(10):
                network(data.validation_inputs)
        return network.eval()

    return make


DETECTOR: dict[str, Any] = {
    "task": "detection",
    "name": "tiny",
    "seed": 5,
    "network": {"stem": 4, "fine": 8, "middle": 8, "coarse": 16, "depths": [0, 0, 1, 1, 0]},
    "schedule": {
        "epochs": 2,
        "scenes": 16,
        "size": 96,
        "batch_size": 8,
        "warmup_epochs": 0.5,
        "ema": 0.9,
        "validate_every": 2,
    },
    "scenes": {"face_height": [16, 60], "pasted_height": [16, 60]},
}


@pytest.fixture(scope="session")
def detector_recipe() -> Callable[..., dict[str, Any]]:
    """A detector's recipe that trains in a second; keywords replace top-level keys."""

    def make(**changes: Any) -> dict[str, Any]:
        return {**DETECTOR, **changes}

    return make


def draw_person(
    draw: ImageDraw.ImageDraw, x: float, y: float, height: float
) -> tuple[list[float], NDArray[np.float64]]:
    """A face of an ellipse and five dots: red eyes, green nose, blue corners of the mouth. Its box and its points."""
    width = 0.8 * height
    box = [x, y, x + width, y + height]
    draw.ellipse(box, fill=(225, 190, 160), outline=(90, 60, 40))
    places = np.array([(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.33, 0.78), (0.67, 0.78)])
    points = np.array([x, y]) + places * np.array([width, height])
    colours = [(250, 0, 0)] * 2 + [(0, 250, 0)] + [(0, 0, 250)] * 2
    for (px, py), colour in zip(points, colours, strict=True):
        radius = 0.07 * height
        draw.ellipse([px - radius, py - radius, px + radius, py + radius], fill=colour)
    return box, points


@pytest.fixture(scope="session")
def photo_rows() -> list[dict[str, Any]]:
    """Rows of a file of photos, drawn: 20 of Training, 10 held out; people, heads and background."""
    rng = np.random.default_rng(11)
    groups: dict[str, list[str]] = {"training": [], "validation": []}
    number = 0
    while min(len(names) for names in groups.values()) < 20:
        groups[find_split(f"group-{number}")].append(f"group-{number}")
        number += 1
    rows = []
    for split, count in (("training", 20), ("validation", 10)):
        for i in range(count):
            kind = ("people", "people", "head", "background")[i % 4]
            size = (64, 64) if kind == "head" else (160, 120)
            noise = rng.integers(60, 140, (size[1] // 4, size[0] // 4, 3), dtype=np.uint8)
            image = Image.fromarray(noise).resize(size)
            draw = ImageDraw.Draw(image)
            places = {"people": [(10, 12, 40), (90, 30, 60)], "head": [(8, 3, 58)], "background": []}[kind]
            faces = [draw_person(draw, *place) for place in places]
            stream = io.BytesIO()
            image.save(stream, "PNG")
            rows.append(
                {
                    "image": stream.getvalue(),
                    "width": size[0],
                    "height": size[1],
                    "kind": kind,
                    "group": groups[split][i],
                    "boxes": [box for box, _ in faces],
                    "landmarks": [points.reshape(-1).tolist() for _, points in faces],
                    "scores": [0.9] * len(faces),
                    "ignore_boxes": [[120.0, 90, 150, 118]] if kind == "people" else [],
                }
            )
    return rows


@pytest.fixture(scope="session")
def photos_file(photo_rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of :func:`photo_rows`."""
    pa = pytest.importorskip("pyarrow", reason="photos are in Parquet: pip install 'fervid[data]'")
    parquet = pytest.importorskip("pyarrow.parquet")
    path: Path = tmp_path_factory.mktemp("photos") / "photos.parquet"
    parquet.write_table(pa.Table.from_pylist(photo_rows), path)
    return path


@pytest.fixture(scope="session")
def training_photos(photos_file: Path) -> Any:
    """What a detector's run learns from."""
    from fervid.training.detection.data import load_training_photos

    return load_training_photos(photos_file)


@pytest.fixture
def tiny_detector(training_photos: Any, detector_recipe: Any) -> Callable[[Path], Path]:
    """Makes the folder of a finished run, of a detector that was not trained."""

    def make(folder: Path) -> Path:
        import torch

        from fervid.training.detection.config import DetectionConfig
        from fervid.training.detection.export import export_onnx
        from fervid.training.detection.network import DetectionNetwork

        torch.manual_seed(1)
        config = DetectionConfig.from_dict(detector_recipe())
        export_onnx(DetectionNetwork(config.network).eval(), config, training_photos, folder / "tiny.onnx")
        (folder / "config.json").write_text(json.dumps(config.to_dict()), encoding="utf-8")
        (folder / "metrics.jsonl").write_text('{"epoch": 1}\n', encoding="utf-8")
        return folder

    return make
