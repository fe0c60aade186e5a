"""Pictures and data that several tests share."""

from __future__ import annotations

import importlib.util
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import hypothesis
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("fervid", deadline=None)
hypothesis.settings.load_profile("fervid")

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def portrait() -> Path:
    """Grace Hopper, as matplotlib ships her: one frontal face, 512×600 px."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"


@pytest.fixture(scope="session")
def astronaut() -> Path:
    """Eileen Collins, as scikit-image ships her: one smiling face, 512×512 px."""
    import skimage

    return Path(skimage.__file__).parent / "data" / "astronaut.png"


@pytest.fixture
def shared_data() -> Path:
    """The folder with FER2013 in Parquet; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("FERVID_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "fer2013.parquet").is_file():
        pytest.skip("FER2013 is not here; FERVID_TEST_DATA names its folder")
    return folder


@pytest.fixture
def yunet_folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with YuNet's files, named in FERVID_MODEL_DIR; skipped where it is absent."""
    folder = Path(os.environ.get("FERVID_TEST_MODELS", ROOT.parent / "shared" / "models"))
    if not any(folder.glob("face_detection_yunet_*.onnx")):
        pytest.skip("YuNet is not here; FERVID_TEST_MODELS names its folder")
    monkeypatch.setenv("FERVID_MODEL_DIR", str(folder))
    return folder


@pytest.fixture
def no_yunet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without YuNet: no named folder, an empty cache."""
    monkeypatch.delenv("FERVID_MODEL_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def six_labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a network that was trained on six labels, as ``fervid train --labels 6`` exports one; always happy."""
    pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper, save_model

    from fervid.emotions import EMOTIONS_WITHOUT_DISGUST, VOTE_LABELS, Emotion
    from fervid.models.spec import INPUT, LOGIT_OUTPUTS, ModelSpec

    spec = ModelSpec(
        name="six", version="1", labels=EMOTIONS_WITHOUT_DISGUST, size=8, crop=1.0, mean=128.0, std=64.0,
        temperature=1.0, votes_temperature=1.0, threshold=0.4, training_data="none", licence="Apache-2.0",
        recipe="none",
    )  # fmt: skip
    nodes = [
        helper.make_node("GlobalAveragePool", [INPUT], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["grey"]),
    ]
    weights, outputs = [], []
    for output, names in zip(LOGIT_OUTPUTS, (spec.labels, VOTE_LABELS), strict=True):
        logits = np.array([[4.0 * (name == Emotion.HAPPY) for name in names]], np.float32)
        weights += [
            numpy_helper.from_array(np.zeros_like(logits), f"{output}_weight"),
            numpy_helper.from_array(logits[0], f"{output}_bias"),
        ]
        nodes.append(helper.make_node("Gemm", ["grey", f"{output}_weight", f"{output}_bias"], [output]))
        outputs.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, len(names)]))
    faces = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, 1, spec.size, spec.size])
    graph = helper.make_graph(nodes, spec.name, [faces], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, spec.to_metadata())
    path = tmp_path_factory.mktemp("six") / "six.onnx"
    save_model(model, path)
    return path


@pytest.fixture
def rng() -> np.random.Generator:
    """Randomness that repeats."""
    return np.random.default_rng(2013)


@pytest.fixture
def gradient() -> NDArray[np.uint8]:
    """A picture in which every pixel says where it is: red grows to the right, green downwards."""
    y, x = np.mgrid[0:60, 0:90]
    return np.stack([x * 2, y * 4, np.full_like(x, 128)], axis=-1).astype(np.uint8)


@pytest.fixture(scope="session")
def load_script() -> Callable[[str], ModuleType]:
    """Loads a script of the project, which is no part of the package, by its path from the project's root."""

    def load(path: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def tiny_recipe() -> str:
    """What ``fervid train`` trains in a second: two epochs of a network called tiny."""
    return """
name = "tiny"
[input]
size = 20
[network]
stem = 8
widths = [8, 16]
depths = [1, 1]
[schedule]
stages = [{ epochs = 2, size = 16 }]
batch_size = 32
"""


@pytest.fixture(scope="module")
def no_curves() -> Iterator[None]:
    """Training leaves an empty file for its curves: to draw those of an epoch takes longer than a small epoch."""
    with pytest.MonkeyPatch.context() as patch:
        if importlib.util.find_spec("torch") is not None:
            for kind in ("expressions", "detection"):
                patch.setattr(
                    f"fervid.training.{kind}.loop.draw_curves", lambda _metrics, path, **_options: path.touch()
                )
        yield


@pytest.fixture
def blank_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports hold blank pictures: to draw the figures takes most of a report's time."""
    png = io.BytesIO()
    Image.new("L", (1, 1)).save(png, "PNG")
    blank = {"png": png.getvalue(), "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>'}
    for module in ("figures", "corruptionmap", "detection_report"):
        monkeypatch.setattr(f"fervid.evaluation.{module}.render", lambda *arguments: blank[arguments[-1]])


@pytest.fixture(scope="session")
def dots(load_script: Callable[[str], ModuleType]) -> ModuleType:
    """A detector that takes every red dot for a face, and pictures of dots: tests/dotdetector.py."""
    pytest.importorskip("onnx")
    return load_script("tests/dotdetector.py")
