"""Networks of one's own: six labels instead of seven, and files that are written anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import fervid
from fervid.emotions import EMOTIONS, EMOTIONS_WITHOUT_DISGUST
from fervid.errors import UnknownModelError, UsageError
from fervid.models.store import BUNDLED
from fervid.pipeline import Analyzer


def test_a_network_of_six_labels_says_how_to_use_it(six_labels: Path) -> None:
    analyzer = Analyzer(six_labels, "faces", labels=6, threads=1)
    asked: list[Callable[[], object]] = [
        lambda: Analyzer(six_labels, "faces", threads=1),
        lambda: analyzer.derive(labels=7),
    ]
    for ask in asked:
        with pytest.raises(UsageError, match=r"six@\w+ was trained on six labels") as caught:
            ask()
        assert "--labels 6" in caught.value.advice
        assert "labels=6" in caught.value.advice


def test_labels_may_be_those_that_the_network_knows(six_labels: Path) -> None:
    for model, labels in ((six_labels, EMOTIONS_WITHOUT_DISGUST), ("small", EMOTIONS)):
        analyzer = Analyzer(model, "faces", labels=None, threads=1)
        assert tuple(analyzer.classify([np.zeros((48, 48), np.uint8)])[0].probabilities) == labels


def test_files_that_were_written_anew_are_loaded_anew(six_labels: Path, dots: ModuleType, tmp_path: Path) -> None:
    model, detector = tmp_path / "mine.onnx", tmp_path / "eyes.onnx"
    picture = dots.paint(144, 96, [(72, 48)])
    dots.write_detector(detector)
    model.write_bytes((BUNDLED / "small.onnx").read_bytes())
    first = fervid.analyze(picture, model=model, detector=detector, labels=6)
    assert fervid.analyze(picture, model=model, detector=detector, labels=6) == first
    model.write_bytes(six_labels.read_bytes())
    second = fervid.analyze(picture, model=model, detector=detector, labels=6)
    assert second.model != first.model
    detector.write_bytes((BUNDLED / "faces.onnx").read_bytes())
    third = fervid.analyze(picture, model=model, detector=detector, labels=6)
    assert (len(second.faces), len(third.faces)) == (1, 0)
    model.unlink()
    with pytest.raises(UnknownModelError, match=r"cannot read the model .*mine\.onnx"):
        fervid.analyze(picture, model=model, detector=detector, labels=6)


def test_an_unchanged_file_is_loaded_once(six_labels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Analyzer] = []

    def create(*arguments: object, **options: object) -> Analyzer:
        made.append(Analyzer(*arguments, **options))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr("fervid.pipeline.Analyzer", create)
    for _ in range(3):
        fervid.analyze(np.zeros((40, 40, 3), np.uint8), model=six_labels, detector="faces", labels=6, min_face=21)
    assert len(made) == 1
