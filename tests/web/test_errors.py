"""One error shape on every route, and who is answered at all."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

import fervid.web.errors
from fervid.errors import FervidError
from fervid.models.store import load_model

pytest.importorskip("fastapi")

from fastapi import WebSocket
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from fervid.web.app import create_app
from fervid.web.errors import TooManyError, WebError, explain_validation
from fervid.web.security import HEADERS
from fervid.web.settings import API, Settings


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    app = create_app(Settings(data_dir=tmp_path_factory.mktemp("data"), origins=("HTTPS://Fervid.example.org/",)))

    @app.get("/fails", include_in_schema=False)
    async def fail() -> None:
        raise RuntimeError("secret of /home/somebody")

    @app.get("/fails-known", include_in_schema=False)
    async def fail_known() -> None:
        raise FervidError("cannot read /home/somebody")

    @app.get("/many", include_in_schema=False)
    async def refuse() -> None:
        raise TooManyError("much", retry_after_s=2.5)

    @app.websocket("/ws/refuses")
    async def refuse_socket(websocket: WebSocket) -> None:
        raise TooManyError("much")

    @app.websocket("/ws/ends")
    async def end_socket(websocket: WebSocket) -> None:
        await websocket.accept()
        raise TooManyError("much")

    @app.websocket("/ws/fails")
    async def fail_socket(websocket: WebSocket) -> None:
        await websocket.accept()
        raise RuntimeError("secret of /home/somebody")

    with TestClient(app, base_url="http://127.0.0.1:8642", raise_server_exceptions=False) as client:
        yield client


def check_error(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status
    assert set(answer.json()) == {"schema", "error"}
    assert answer.json()["schema"] == "fervid/1"
    assert set(answer.json()["error"]) == {"code", "message", "advice"}
    assert answer.json()["error"]["code"] == code
    assert "somebody" not in answer.text
    for name, value in HEADERS.items():
        assert answer.headers[name] == value


def test_health_says_what_answers(tmp_path: Path) -> None:
    limits: dict[str, Any] = {"max_upload_mb": 1.5, "max_pixels": 5000, "max_film_mb": 3.5, "max_film_s": 4.5}
    settings = Settings(data_dir=tmp_path, model="small", video_model="base", detector="haar", **limits)
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8642") as client:
        answer = client.get(f"{API}/health")
    assert answer.status_code == 200
    found = answer.json()
    assert (found.pop("status"), found.pop("version")) == ("ok", fervid.__version__)
    assert found.pop("model") == load_model("small").identity
    assert found.pop("video_model") == load_model("base").identity
    assert found.pop("detector") == "haar"
    assert 0 <= found.pop("uptime_s") < 600
    assert found == {"limits": limits}
    assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"


def test_every_error_has_the_one_shape(client: TestClient) -> None:
    check_error(client.get("/nowhere"), 404, "web.not_found")
    check_error(client.post(f"{API}/health"), 405, "web.method")
    assert client.post(f"{API}/health").headers["Allow"] == "GET"
    check_error(client.get("/fails"), 500, "web.internal")
    check_error(client.get("/fails-known"), 500, "web.internal")
    check_error(client.get("/many"), 429, "web.too_many")
    assert client.get("/many").headers["Retry-After"] == "3"


def test_a_body_that_is_no_json_is_said_to_be_none(client: TestClient) -> None:
    answer = client.post(f"{API}/rooms", content="{bad", headers={"Content-Type": "application/json"})
    check_error(answer, 422, "usage")
    assert answer.json()["error"]["message"] == "the body is no JSON"


@pytest.mark.parametrize(
    ("loc", "message", "text"),
    [
        (("body", "title"), "String should have at most 80 characters", "body.title: string should have at most 80"),
        (("query", "id"), "UUID input should be a string", "query.id: UUID input should be a string"),
        ((), "Input should be an object", "input should be an object"),
    ],
)
def test_problems_of_a_request_are_told_in_a_sentence(loc: tuple[str, ...], message: str, text: str) -> None:
    problem = {"type": "any", "loc": loc, "msg": message}
    assert explain_validation([problem]).message.startswith(text)
    assert explain_validation([{"type": "json_invalid", "loc": (), "msg": "x"}]).message == "the message is no JSON"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8642", "", "127.0.0.1.evil.example", "192.168.1.5", "a@b"]
)
def test_unknown_hosts_are_refused_on_loopback(client: TestClient, host: str) -> None:
    check_error(client.get(f"{API}/health", headers={"Host": host}), 403, "web.forbidden")


@pytest.mark.parametrize("host", ["localhost", "localhost:8642", "127.0.0.1", "[::1]:8642", "fervid.example.org"])
def test_own_hosts_are_answered(client: TestClient, host: str) -> None:
    assert client.get(f"{API}/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "http://127.0.0.1:8643", "http://127.0.0.1:8642.evil.example", "file://"]
)
def test_foreign_origins_change_nothing(client: TestClient, origin: str) -> None:
    check_error(client.post(f"{API}/health", headers={"Origin": origin}), 403, "web.origin")
    assert client.get(f"{API}/health", headers={"Origin": origin}).status_code == 200


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8642", "https://fervid.example.org"])
def test_own_origins_are_let_in(client: TestClient, origin: str) -> None:
    check_error(client.post(f"{API}/health", headers={"Origin": origin}), 405, "web.method")


def test_a_wider_bind_knows_addresses_but_no_foreign_names(tmp_path: Path) -> None:
    app = create_app(Settings(host="0.0.0.0", data_dir=tmp_path))
    with TestClient(app) as client:
        assert client.get(f"{API}/health", headers={"Host": "192.168.1.5:8642"}).status_code == 200
        check_error(client.get(f"{API}/health", headers={"Host": "evil.example"}), 403, "web.forbidden")


@pytest.mark.parametrize(
    ("path", "status", "code"), [("/ws/refuses", 429, "web.too_many"), ("/ws/nothing", 404, "web.not_found")]
)
def test_a_socket_that_is_refused_says_why(client: TestClient, path: str, status: int, code: str) -> None:
    with pytest.raises(WebSocketDenialResponse) as caught, client.websocket_connect(f"ws://127.0.0.1:8642{path}"):
        pass
    check_error(caught.value, status, code)


def test_an_open_socket_says_why_it_ends(client: TestClient) -> None:
    with client.websocket_connect("ws://127.0.0.1:8642/ws/ends") as connection:
        assert connection.receive_json()["error"]["code"] == "web.too_many"
        with pytest.raises(WebSocketDisconnect) as caught:
            connection.receive_json()
    assert caught.value.code == 1008


def test_a_socket_that_fails_tells_nothing(client: TestClient) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as caught,
        client.websocket_connect("ws://127.0.0.1:8642/ws/fails") as connection,
    ):
        connection.receive_json()
    assert (caught.value.code, caught.value.reason) == (1011, "web.internal")


def test_a_client_that_goes_while_it_sends_is_no_failure(
    start_server: Callable[..., int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = start_server(create_app(Settings(data_dir=tmp_path, workers=1)))
    for kind in (b"image/png", b"multipart/form-data; boundary=x"):
        with socket.create_connection(("127.0.0.1", port)) as leaving:
            head = b"POST /api/v1/images HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\nContent-Type: " + kind
            leaving.sendall(head + b"\r\n\r\n--x")
    assert httpx.get(f"http://127.0.0.1:{port}{API}/health").status_code == 200
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


def all_errors() -> list[type[WebError]]:
    return [e for e in vars(fervid.web.errors).values() if isinstance(e, type) and issubclass(e, WebError)]


@pytest.mark.parametrize("kind", all_errors())
def test_the_docstring_draws_every_error(kind: type[WebError]) -> None:
    assert fervid.web.errors.__doc__ is not None
    line = next(line for line in fervid.web.errors.__doc__.splitlines() if f" {kind.__name__} " in line)
    if kind is not WebError:
        assert kind.code in line
        assert str(kind.status) in line
    error = pickle.loads(pickle.dumps(kind("what", advice="do")))
    assert (type(error), error.message, error.advice) == (kind, "what", "do")
