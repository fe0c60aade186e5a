"""Small archives of dots, which a detector without training takes for faces, and what is in a result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fervid.batch.local import LocalEngine
from fervid.batch.run import RunSummary, run_batch
from fervid.batch.settings import Settings
from fervid.imaging import save_image

pytest.importorskip("pyarrow")

Read = Callable[[Path], dict[str, list[tuple[Any, ...]]]]


@pytest.fixture(scope="session")
def detector(dots: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of the detector."""
    return str(dots.write_detector(tmp_path_factory.mktemp("detector") / "dots.onnx"))


@pytest.fixture
def settings(detector: str) -> Settings:
    return Settings(model="small", detector=detector)


@pytest.fixture
def make_photos(dots: ModuleType) -> Callable[..., Path]:
    """Writes photos with none, one or two dots, every hundredth of them corrupt, into a folder."""

    def make(folder: Path, count: int, *, corrupt: int = 0) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            path = folder / f"{number:05d}.png"
            if corrupt and number % corrupt == corrupt // 2:
                path.write_bytes(b"\x89PNG\r\n" + bytes(number % 50))
                continue
            centres = [(40, 44), (104, 60)][: number % 3]
            image = dots.paint(144, 96, centres)
            image[80:, :, 2] = number % 200
            save_image(path, image)
        return folder

    return make


@pytest.fixture
def run(settings: Settings) -> Iterator[Callable[..., RunSummary]]:
    """Runs a batch in this process, or with workers."""
    engines: list[LocalEngine] = []

    def go(source: object, out: Path, *, how: Settings = settings, workers: int = 0, **options: Any) -> RunSummary:
        def open_engine(resolved: Settings) -> LocalEngine:
            engines.append(LocalEngine(resolved, out, workers=workers, threads=1))
            return engines[-1]

        return run_batch(str(source), out, how, open_engine, **{"chunk": 10, **options})

    yield go
    for engine in engines:
        engine.close()


@pytest.fixture
def read_tables() -> Read:
    """All rows of a result, in an order that does not depend on its parts."""
    import pyarrow.parquet as pq

    def read(out: Path) -> dict[str, list[tuple[Any, ...]]]:
        tables = {}
        for name in ("faces", "inputs", "failures"):
            table = pq.read_table(out / name)
            rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
            tables[name] = sorted(rows, key=repr)
        return tables

    return read


@pytest.fixture(scope="session")
def make_film(dots: ModuleType) -> Callable[..., Path]:
    """Writes a film of dots that walk, come, hide and go, with a cut."""
    pytest.importorskip("av")
    from fervid.video.writing import VideoWriter

    def make(path: Path, seconds: float = 12.0, rate: float = 10.0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with VideoWriter(path, frame_rate=rate, quality=10) as writer:
            for number in range(round(seconds * rate)):
                time_s = number / rate
                centres = [(24 + round(9 * time_s) % 130, 40)]
                if not 4.1 <= time_s % 8 < 4.7:
                    centres.append((140 - round(5 * time_s) % 110, 88))
                image = dots.paint(176, 128, centres)
                if time_s >= 0.6 * seconds:  # another scene
                    image[:, ::2] //= 2
                    image[:30] = 200 - image[:30] // 2
                    image[100:, 20:90] = (10, 180, 40)
                writer.write(np.ascontiguousarray(image), time_s)
        return path

    return make
