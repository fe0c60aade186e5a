"""Many pictures: their order, the bad ones among them, and what hands them out."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from fervid.detection.detector import Detection
from fervid.detection.framing import Framing
from fervid.errors import ImageError, UsageError
from fervid.imaging import save_image
from fervid.pipeline import Analyzer
from fervid.results import Analysis, Box, Failure


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(detector="haar", threads=1)


class StubDetector:
    """Finds the same face everywhere."""

    name = "stub"
    framing = Framing(1.0, 0.0, 0.0)

    def detect(self, image: NDArray[np.uint8], *, min_face: float) -> list[Detection]:
        assert image.shape[0] >= min_face
        return [Detection(Box(20, 5, 50, 35), 0.9)]


@pytest.fixture
def mixed(tmp_path: Path, astronaut: Path, portrait: Path) -> list[str]:
    """Seven sources: good, empty, good, absent, a folder, without a face, good."""
    (tmp_path / "empty.jpg").write_bytes(b"")
    save_image(tmp_path / "plain.png", np.full((50, 50, 3), 99, dtype=np.uint8))
    names = [astronaut, tmp_path / "empty.jpg", portrait, tmp_path / "absent.jpg", tmp_path, tmp_path / "plain.png"]
    return [str(name) for name in names] + [str(astronaut)]


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_map_keeps_the_order_and_the_good_ones(analyzer: Analyzer, mixed: list[str], batch_size: int) -> None:
    results = list(analyzer.map(mixed, batch_size=batch_size))
    assert [result.source for result in results] == mixed
    assert [isinstance(result, Failure) for result in results] == [False, True, False, True, True, False, False]
    assert isinstance(results[1], Failure)
    assert isinstance(results[1].error, ImageError)
    for result in results:
        if isinstance(result, Analysis):
            alone = analyzer.analyze(result.source or "")
            assert [f.emotion for f in result.faces] == [f.emotion for f in alone.faces]
            for face, other in zip(result.faces, alone.faces, strict=True):
                assert face.probabilities.array == pytest.approx(other.probabilities.array, abs=1e-5)


def test_map_reads_no_further_than_its_batch(analyzer: Analyzer, astronaut: Path) -> None:
    taken: list[int] = []

    def sources() -> Iterator[Path]:
        for i in range(100):
            taken.append(i)
            yield astronaut

    results = analyzer.map(sources(), batch_size=2)
    next(results)
    assert len(taken) == 2
    results.close()  # type: ignore[attr-defined]


def test_map_takes_the_same_object_with_one_picture_after_another(rng: np.random.Generator) -> None:
    frames = rng.integers(0, 256, (3, 40, 80, 3), dtype=np.uint8)
    film, buffer = io.BytesIO(), np.empty_like(frames[0])
    Image.fromarray(frames[0]).save(
        film, "WEBP", save_all=True, append_images=map(Image.fromarray, frames[1:]), lossless=True
    )

    def refill() -> Iterator[NDArray[np.uint8]]:
        for frame in frames:
            buffer[:] = frame
            yield buffer

    reader = Analyzer(detector=StubDetector(), threads=2)
    expected = list(reader.map(frames))
    assert expected[0] != expected[1] != expected[2]
    assert list(reader.map(refill())) == expected
    assert list(reader.map(ImageSequence.Iterator(Image.open(film)))) == expected


def test_what_sources_raise_comes_after_the_answers_to_what_they_gave(astronaut: Path) -> None:
    def sources() -> Iterator[Any]:
        yield astronaut
        yield np.zeros((9, 9))
        raise LookupError("no more")

    results = Analyzer(detector=StubDetector(), threads=1).map(sources(), batch_size=8)
    assert isinstance(next(results), Analysis)
    failure = next(results)
    assert isinstance(failure, Failure)
    assert failure.source == "ndarray"
    with pytest.raises(LookupError, match="no more"):
        next(results)


@pytest.mark.parametrize(
    "one",
    [
        "photo.jpg", Path("photo.jpg"), b"photo", bytearray(b"photo"), memoryview(b"photo"), Image.new("RGB", (9, 9)),
        np.zeros((9, 9), np.uint8), *(np.zeros((9, 9, channels), np.uint8) for channels in (1, 3, 4)),
    ],
    ids=lambda one: f"{type(one).__name__}{getattr(one, 'shape', '')}",
)  # fmt: skip
def test_a_single_picture_is_not_read_as_many(analyzer: Analyzer, one: Any) -> None:
    for verb in (analyzer.map, analyzer.classify):
        with pytest.raises(UsageError, match=f"{verb.__name__} reads many pictures, and was given one"):
            list(verb(one))


def test_a_stack_of_pictures_is_many(analyzer: Analyzer) -> None:
    grey = np.zeros((5, 48, 48), np.uint8)
    for stack in (grey, grey[..., None], np.repeat(grey[..., None], 3, axis=3)):
        assert len(analyzer.classify(stack)) == 5  # type: ignore[arg-type]
        assert len(list(analyzer.map(stack))) == 5


def test_map_gives_the_same_evidence(analyzer: Analyzer, mixed: list[str]) -> None:
    results = list(analyzer.map(mixed, batch_size=3, evidence=True))
    assert [isinstance(result, Failure) for result in results] == [False, True, False, True, True, False, False]
    for result in results:
        if isinstance(result, Analysis):
            alone = analyzer.analyze(result.source or "", evidence=True)
            for face, other in zip(result.faces, alone.faces, strict=True):
                assert face.evidence is not None
                assert other.evidence is not None
                assert face.evidence.maps == pytest.approx(other.evidence.maps, abs=1e-3)
                assert face.evidence.square == other.evidence.square
