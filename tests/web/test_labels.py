"""A server whose networks were trained on six labels: it answers with six, whatever is asked for."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fastapi.testclient import TestClient

from fervid.emotions import EMOTIONS_WITHOUT_DISGUST
from fervid.pipeline import Analyzer
from fervid.web.app import create_app
from fervid.web.films.worker import ReadTask, Reporter, read
from fervid.web.images import encode_jpeg
from fervid.web.settings import API, Settings


@pytest.fixture(scope="module")
def settings(dots: ModuleType, six_labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder, six = tmp_path_factory.mktemp("server"), str(six_labels)
    detector = str(dots.write_detector(folder / "dots.onnx"))
    return Settings(data_dir=folder, model=six, video_model=six, detector=detector, workers=1)


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8642") as client:
        yield client


@pytest.fixture(scope="module")
def picture(dots: ModuleType) -> bytes:
    return encode_jpeg(dots.paint(320, 240, [(160, 120)]))


@pytest.mark.parametrize("query", [{}, {"labels": 7}, {"labels": 6}])
def test_photos(client: TestClient, picture: bytes, query: dict[str, int]) -> None:
    answer = client.post(f"{API}/images", content=picture, headers={"Content-Type": "image/jpeg"}, params=query)
    assert answer.status_code == 200, answer.text
    assert tuple(answer.json()["faces"][0]["probabilities"]) == EMOTIONS_WITHOUT_DISGUST


@pytest.mark.parametrize("start", [{}, {"labels": 7}, {"labels": 6}])
def test_cameras(client: TestClient, picture: bytes, start: dict[str, int]) -> None:
    with client.websocket_connect("ws://127.0.0.1:8642/ws/live") as connection:
        connection.send_json({"type": "start", **start})
        connection.send_bytes(picture)
        answer = connection.receive_json()
    assert tuple(answer["frame"]["faces"][0]["probabilities"]) == EMOTIONS_WITHOUT_DISGUST


@pytest.mark.parametrize("model", ["six", "small"])
@pytest.mark.parametrize("labels", [7, 6])
def test_films(settings: Settings, model: str, labels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class BegunError(Exception):
        pass

    def begin(analyzer: Analyzer, *_: Any, **__: Any) -> None:
        raise BegunError(len(analyzer.labels))

    monkeypatch.setattr(Analyzer, "video", begin)
    values: dict[str, Any] = dict.fromkeys(field.name for field in fields(ReadTask))
    values |= {"model": settings.model if model == "six" else model, "detector": settings.detector}
    values |= {"threads": 1, "max_pixels": settings.max_pixels, "labels": labels}
    with pytest.raises(BegunError) as caught:
        read(ReadTask(**values), Reporter(io.StringIO()))
    assert caught.value.args == (6 if model == "six" else labels,)
