"""``POST /images``: what comes back, what is refused, what happens when many ask."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from fervid.errors import SizeError
from fervid.imaging import load_image, save_image
from fervid.pipeline import Analyzer
from fervid.web import images, workers
from fervid.web.app import create_app
from fervid.web.schemas import ImageAnswer
from fervid.web.settings import API, Settings

IMAGES = f"{API}/images"


@pytest.fixture(scope="module")
def picture(astronaut: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("pictures") / "astronaut.jpg"
    save_image(path, load_image(astronaut))
    return path.read_bytes()


def post(client: TestClient, content: bytes, kind: str = "image/jpeg", **query: object) -> httpx.Response:
    return client.post(IMAGES, content=content, headers={"Content-Type": kind}, params=query)


def check_code(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_the_answer_is_that_of_python(web_client: TestClient, picture: bytes) -> None:
    expected = Analyzer().analyze(picture).to_dict()
    answer = post(web_client, picture)
    assert answer.status_code == 200
    assert answer.json() == expected
    assert web_client.post(IMAGES, files={"image": ("a.jpg", picture, "image/jpeg")}).json() == expected
    assert post(web_client, picture, "application/octet-stream").json() == expected
    assert expected["faces"][0]["emotion"] == "happy"


def test_options_are_those_of_python(web_client: TestClient, picture: bytes) -> None:
    expected = Analyzer(labels=6, min_face=60).analyze(picture, evidence=True).to_dict()
    answer = post(web_client, picture, labels=6, min_face=60, evidence=True).json()
    assert answer == expected
    assert "evidence" in answer["faces"][0]
    ImageAnswer.model_validate(answer)


@pytest.mark.parametrize("drawing", ["boxes", "emoji", "explain"])
def test_a_drawing_comes_back_when_asked_for(web_client: TestClient, picture: bytes, drawing: str) -> None:
    answer = post(web_client, picture, annotated=drawing).json()
    assert answer["annotated"]["media_type"] == "image/jpeg"
    drawn = load_image(base64.b64decode(answer["annotated"]["data"]))
    original = load_image(picture)
    assert drawn.shape[1] == original.shape[1]
    difference = np.abs(drawn[: len(original)].astype(int) - original).mean()
    assert 0.5 < difference < 60
    assert "evidence" not in answer["faces"][0]


def test_nobody_there_is_an_empty_list(web_client: TestClient) -> None:
    target = io.BytesIO()
    from PIL import Image

    Image.new("RGB", (80, 60), "white").save(target, "PNG")
    answer = post(web_client, target.getvalue(), "image/png", annotated="boxes")
    assert answer.json()["faces"] == []
    assert answer.json()["size"] == [80, 60]


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"no picture", "image/jpeg", 422, "input.image"),
        (b"", "image/jpeg", 422, "input.image"),
        (b"{}", "application/json", 415, "web.media_type"),
        (b"x", "", 415, "web.media_type"),
        (b"garbage", "multipart/form-data; boundary=x", 400, "web.request"),
        (b"garbage", "multipart/form-data", 400, "web.request"),
        (b"--x--\r\n", "multipart/form-data; boundary=x", 422, "usage"),
        (b"a" * 3_100_000, "image/jpeg", 413, "web.too_large"),
    ],
)
def test_wrong_bodies_are_explained(web_client: TestClient, content: bytes, kind: str, status: int, code: str) -> None:
    check_code(post(web_client, content, kind), status, code)


@pytest.mark.parametrize(
    "query",
    [{"labels": 5}, {"labels": "x"}, {"min_face": 0}, {"min_face": "nan"}, {"min_face": "inf"}, {"annotated": "all"}],
)
def test_wrong_options_are_explained(web_client: TestClient, picture: bytes, query: dict[str, object]) -> None:
    answer = post(web_client, picture, **query)
    check_code(answer, 422, "usage")
    assert next(iter(query)) in answer.json()["error"]["message"]


def test_a_cut_picture_is_an_error_and_a_later_one_is_read(web_client: TestClient, picture: bytes) -> None:
    check_code(post(web_client, picture[: len(picture) // 2]), 422, "input.image")
    assert post(web_client, picture).status_code == 200


def test_too_many_pixels_are_refused_before_they_are_decoded(web_client: TestClient) -> None:
    from PIL import Image

    target = io.BytesIO()
    Image.new("1", (5000, 5000)).save(target, "PNG")
    assert len(target.getvalue()) < 10_000
    check_code(post(web_client, target.getvalue(), "image/png"), 413, "input.size")


def test_a_picture_of_more_pixels_than_all_workers_may_decode_is_read_alone(
    web_client: TestClient, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes: list[bool] = []
    run_for = workers.Workers.run_for

    async def note(self: workers.Workers, request: Any, work: Any, *, alone: bool = False) -> Any:
        lanes.append(alone)
        return await run_for(self, request, work, alone=alone)

    monkeypatch.setattr(workers.Workers, "run_for", note)
    expected = post(web_client, picture).json()
    assert lanes == [False]
    monkeypatch.setattr(images, "SHARED_PIXELS", 512 * 512 - 1)
    assert post(web_client, picture).json() == expected
    assert lanes == [False, False, True]


@pytest.mark.parametrize("kind", ["image/png", "multipart/form-data; boundary=x"])
def test_bytes_are_counted_while_they_come(web_client: TestClient, kind: str) -> None:
    def send() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        for _ in range(50):
            yield b"x" * 100_000

    check_code(web_client.post(IMAGES, content=send(), headers={"Content-Type": kind}), 413, "web.too_large")


def test_a_name_of_the_client_is_no_path(web_client: TestClient, picture: bytes, tmp_path: Path) -> None:
    name = str(tmp_path / "stolen.jpg")
    answer = web_client.post(IMAGES, files={"image": (name, picture, "image/jpeg")})
    assert answer.status_code == 200
    assert not list(tmp_path.iterdir())
    assert name not in answer.text


def test_a_picture_is_nowhere_but_in_memory(
    web_client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither in a file with a name nor in one without."""
    import tempfile

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a file is made")

    from PIL import Image

    monkeypatch.setattr(tempfile, "_mkstemp_inner", refuse)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises((AssertionError, OSError)), tempfile.TemporaryFile():
        pass
    target = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (800, 900, 3), dtype=np.uint8)).save(target, "PNG")
    assert len(target.getvalue()) > 2_000_000
    assert post(web_client, target.getvalue(), "image/png").json()["size"] == [900, 800]
    answer = web_client.post(IMAGES, files={"image": ("a.png", target.getvalue(), "image/png")})
    assert answer.json()["size"] == [900, 800]


def test_a_field_that_is_no_file_is_explained(web_client: TestClient) -> None:
    check_code(web_client.post(IMAGES, data={"image": "x"}, files={"other": b"x"}), 422, "usage")


def test_twenty_uploads_at_once_are_all_answered(
    web_client: TestClient, start_server: Callable[..., int], picture: bytes, tmp_path: Path
) -> None:
    port = start_server(create_app(Settings(data_dir=tmp_path, workers=2)))
    expected = web_client.post(IMAGES, files={"image": picture}).json()

    def upload(_: int) -> httpx.Response:
        return httpx.post(f"http://127.0.0.1:{port}{IMAGES}", files={"image": picture}, timeout=60)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(upload, range(20)))
    assert [answer.status_code for answer in answers] == [200] * 20
    assert all(answer.json() == expected for answer in answers)


@pytest.mark.parametrize("scarce", ["places", "memory"])
def test_one_client_takes_no_more_than_half_of_what_is_scarce(
    start_server: Callable[..., int], picture: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scarce: str
) -> None:
    go_on, read = threading.Event(), threading.Semaphore(0)

    def read_slowly(*_: object) -> bytes:
        read.release()
        assert go_on.wait(60)
        return b"{}"

    def upload(_: int) -> httpx.Response:
        return httpx.post(f"http://127.0.0.1:{port}{IMAGES}", files={"image": picture}, timeout=60)

    monkeypatch.setattr(images, "_read", read_slowly)
    settings = Settings(data_dir=tmp_path, workers=2)
    if scarce == "places":
        monkeypatch.setattr(workers, "QUEUE_PER_WORKER", 1)
    else:
        monkeypatch.setattr(images, "PICTURE_BYTES", 0)
        settings = Settings(data_dir=tmp_path, workers=2, max_upload_mb=len(picture) / 0.9e6)
    port = start_server(create_app(settings))
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(upload, range(2))
        for _ in range(2):
            assert read.acquire(timeout=60)
        refused = upload(2)
        go_on.set()
        assert [answer.status_code for answer in answers] == [200, 200]
    check_code(refused, 429, "web.too_many")
    reason = "2 pictures are waiting for this address" if scarce == "places" else "MB of pictures are on their way"
    assert f"{reason} already" in refused.text


def test_one_client_cannot_send_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "PICTURE_BURST", 3.0)
    monkeypatch.setattr(images, "PICTURE_RATE", 0.001)
    with TestClient(create_app(Settings(data_dir=tmp_path)), base_url="http://127.0.0.1") as client:
        assert [post(client, b"").status_code for _ in range(4)] == [422, 422, 422, 429]
        refused = post(client, b"")
    check_code(refused, 429, "web.too_many")
    assert int(refused.headers["Retry-After"]) > 900


def test_what_is_read_again_alone_and_what_is_not(
    web_client: TestClient, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[SizeError | bytes] = []
    lanes: list[bool] = []

    async def answer(self: workers.Workers, request: Any, work: Any, *, alone: bool = False) -> bytes:
        lanes.append(alone)
        said = answers.pop(0)
        if isinstance(said, bytes):
            return said
        raise said

    def make(pixels: int) -> SizeError:
        error = SizeError("too large")
        error.pixels = pixels
        return error

    monkeypatch.setattr(workers.Workers, "run_for", answer)
    for pixels, status, expected in ((0, 413, [False]), (10**9, 413, [False, False]), (1_000_000, 200, [False, True])):
        answers[:], lanes[:] = [make(pixels), b"{}" if status == 200 else make(pixels)], []
        assert post(web_client, picture).status_code == status
        assert lanes == expected
