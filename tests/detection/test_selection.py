import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import fervid
from fervid.classification.classifier import Classifier
from fervid.detection import faces
from fervid.detection.selection import DETECTORS, choose_detector, create_detector
from fervid.errors import ContractError, MissingExtraError, ModelError, UnknownModelError
from fervid.models import store
from fervid.models.store import PublishedFile


@pytest.fixture
def no_bundled_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package without a detector of its own."""
    base = tuple(p for p in store.list_bundled() if p.kind != "detector")
    monkeypatch.setattr(store, "list_bundled", lambda: base)
    monkeypatch.setattr(faces, "list_bundled", lambda: base)


@pytest.fixture
def bundled_dots(dots: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PublishedFile:
    """A package whose detector ``faces`` finds red dots."""
    import hashlib

    data = dots.write_detector(tmp_path / "faces.onnx").read_bytes()
    entry = PublishedFile("faces", "detector", "faces.onnx", hashlib.sha256(data).hexdigest())
    known = (*(p for p in store.list_bundled() if p.kind != "detector"), entry)
    monkeypatch.setattr(store, "list_bundled", lambda: known)
    monkeypatch.setattr(faces, "list_bundled", lambda: known)
    monkeypatch.setattr(store, "BUNDLED", tmp_path)
    return entry


@pytest.fixture
def no_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without the extra haar."""
    monkeypatch.setitem(sys.modules, "cv2", None)


def test_auto_is_the_first_that_is_here(
    request: pytest.FixtureRequest, no_bundled_detector: None, no_yunet: None
) -> None:
    assert choose_detector() == create_detector().name == "haar"
    request.getfixturevalue("yunet_folder")
    assert choose_detector() == create_detector().name == "yunet"
    request.getfixturevalue("no_opencv")
    assert choose_detector() == "yunet"


def test_auto_is_faces_when_the_package_holds_it(bundled_dots: PublishedFile, yunet_folder: Path) -> None:
    assert choose_detector() == "faces"
    assert create_detector("auto").name == create_detector("faces").name == "faces"


def test_without_any_detector_the_ways_to_one_are_named(
    no_bundled_detector: None, no_yunet: None, no_opencv: None
) -> None:
    with pytest.raises(ModelError, match=r'fervid models pull yunet; or: pip install "fervid\[haar\]"'):
        create_detector()


def test_haar_without_opencv_says_the_pip_line(no_opencv: None) -> None:
    with pytest.raises(MissingExtraError, match=r'pip install "fervid\[haar\]"'):
        create_detector("haar")


def test_yunet_without_its_file_says_how_to_get_it(no_yunet: None) -> None:
    with pytest.raises(ModelError, match="fervid models pull yunet"):
        create_detector("yunet")


def test_a_path_is_a_detector(dots: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = dots.write_detector(tmp_path / "my-faces.onnx")
    analysis = fervid.Analyzer(detector=str(path), threads=1).analyze(dots.paint(400, 100, [(50, 50), (120, 40)]))
    assert analysis.detector == "my-faces"
    assert len(analysis.faces) == 2
    monkeypatch.chdir(tmp_path)
    assert create_detector("my-faces.onnx", score_threshold=0.2).score_threshold == 0.2
    with pytest.raises(UnknownModelError, match=r"your-faces\.onnx"):
        create_detector("your-faces.onnx")


def test_detectors_and_expression_networks_are_not_mixed_up(dots: ModuleType, bundled_dots: PublishedFile) -> None:
    with pytest.raises(ContractError, match="faces is no expression network; its task is detection"):
        Classifier("faces")
    with pytest.raises(ContractError, match="base is no face detector"):
        create_detector("base")
    with pytest.raises(ContractError, match="base is no face detector; its task is expression"):
        create_detector(str(Path(fervid.__file__).parent / "models" / "bundled" / "base.onnx"))


def test_an_unknown_detector_lists_the_known_ones() -> None:
    with pytest.raises(UnknownModelError, match=rf"'mtcnn'.*{', '.join(DETECTORS)}"):
        create_detector("mtcnn")


def test_everything_but_haar_works_without_opencv(dots: ModuleType, tmp_path: Path) -> None:
    """In a fresh process that cannot import cv2: API, drawing and the command line."""
    path = dots.write_detector(tmp_path / "dots.onnx")
    script = f"""
import sys
sys.modules["cv2"] = None
import numpy as np, fervid
image = np.full((120, 360, 3), 80, dtype=np.uint8)
image[40:56, 60:76] = (250, 0, 0)
analysis = fervid.Analyzer(detector={str(path)!r}, threads=1).analyze(image, evidence=True)
assert len(analysis.faces) == 1
for draw in (fervid.annotate, fervid.emojify, fervid.explain):
    assert draw(image, analysis).shape[2] == 3
fervid.save_image({str(tmp_path / "dot.png")!r}, image)
from fervid.cli.app import main
sys.argv = ["fervid", "image", {str(tmp_path / "dot.png")!r}, "--detector", {str(path)!r}, "--csv", "-"]
main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
