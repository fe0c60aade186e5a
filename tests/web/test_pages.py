"""The built front end, and what stands in its place where it has not been built."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from fervid.web import apidocs
from fervid.web.errors import install_error_handlers
from fervid.web.pages import PAGES, Pages, create_router, install_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>fervid</title>")
    (folder / "assets" / "index-Ab12.js").write_text("console.log('whole')")
    (folder / "assets" / "index-Ab12.js.gz").write_bytes(gzip.compress(b"console.log('whole')"))
    (folder / "assets" / "ort-9.wasm").write_bytes(b"\0asm")
    (folder / "favicon.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
def client(folder: Path) -> TestClient:
    app = FastAPI()
    install_error_handlers(app)
    pages = Pages(folder)

    @app.post("/api/v1/things")
    async def post_thing() -> None:
        return None

    app.include_router(apidocs.create_router(app))
    app.include_router(create_router(pages))
    install_files(app, pages)
    return TestClient(app)


@pytest.mark.parametrize("address", PAGES)
def test_every_page_of_the_front_end_is_its_one_page(client: TestClient, address: str) -> None:
    answer = client.get(address.replace("{", "").replace("}", ""))
    assert answer.status_code == 200
    assert answer.text == "<!doctype html><title>fervid</title>"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert client.head("/").headers["Content-Length"] == str(len(answer.content))


@pytest.mark.parametrize("accepted", ["gzip, br", "identity"])
def test_what_the_package_carries_packed_comes_as_browsers_read_it(
    folder: Path, client: TestClient, accepted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "assets" / "ort-7.wasm.xz").write_bytes(lzma.compress(b"\0asm packed"))
    answer = client.get("/assets/ort-7.wasm", headers={"Accept-Encoding": accepted})
    assert answer.content == b"\0asm packed"
    assert answer.headers["Content-Type"] == "application/wasm"
    assert answer.headers.get("Content-Encoding") == ("gzip" if "gzip" in accepted else None)
    assert "immutable" in answer.headers["Cache-Control"]
    assert client.get("/assets/ort-8.wasm").status_code == 404
    monkeypatch.delattr(lzma, "decompress")  # made once: nobody fills the memory by asking often
    monkeypatch.delattr(gzip, "decompress")
    again = client.get("/assets/ort-7.wasm", headers={"Accept-Encoding": accepted})
    assert (again.status_code, again.headers["Content-Length"]) == (200, answer.headers["Content-Length"])


def test_hashed_assets_are_kept_for_ever_and_others_are_not(client: TestClient) -> None:
    answer = client.get("/assets/ort-9.wasm")
    assert answer.headers["Content-Type"] == "application/wasm"
    assert "immutable" in answer.headers["Cache-Control"]
    assert client.get("/favicon.svg").headers["Cache-Control"] == "no-cache"
    assert client.get("/favicon.svg").headers["Content-Type"] == "image/svg+xml"


def test_compressed_files_go_to_those_who_take_them(client: TestClient) -> None:
    answer = client.get("/assets/index-Ab12.js", headers={"Accept-Encoding": "br;q=1, gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.text == "console.log('whole')"
    plain = client.get("/assets/index-Ab12.js", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert plain.text == answer.text
    assert plain.headers["Vary"] == answer.headers["Vary"] == "Accept-Encoding"


def test_a_part_of_a_file_that_is_none_is_the_one_error(folder: Path, client: TestClient) -> None:
    assert client.get("/assets/ort-9.wasm", headers={"Range": "bytes=1-2"}).content == b"as"
    for address, sought, status, code in (
        ("/", "bytes=nonsense", 400, "web.request"),
        ("/assets/ort-9.wasm", "bytes=9-", 416, "web.range"),
    ):
        answer = client.get(address, headers={"Range": sought})
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    (folder / "assets" / "ort-9.wasm").unlink()  # a build that has not come to its end
    answer = client.get("/assets/ort-9.wasm")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "web.not_found")


@pytest.mark.parametrize(
    "address",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/assets/../../secret.txt",
        "//etc/passwd",
    ],
)
def test_no_address_leads_out_of_the_folder(client: TestClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 404
    assert "secret" not in answer.text.replace("secret.txt", "")


def test_unknown_addresses_have_the_one_error_or_a_page(client: TestClient) -> None:
    assert client.get("/nothing").json()["error"]["code"] == "web.not_found"
    page = client.get("/nothing", headers={"Accept": "text/html,*/*"})
    assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    api = client.get("/api/v1/nothing", headers={"Accept": "text/html"})
    assert (api.status_code, api.json()["error"]["code"]) == (404, "web.not_found")
    assert client.post("/nothing").json()["error"]["code"] == "web.not_found"
    assert client.get("/api/v1/things").json()["error"]["code"] == "web.method"


def test_without_built_pages_it_is_said_what_to_run(folder: Path, client: TestClient) -> None:
    (folder / "index.html").rename(folder / "away.html")
    answer = client.get("/film")
    assert answer.status_code == 200
    for words in ("make serve", "npm ci", "npm run build", "/api/v1/docs"):
        assert words in answer.text
    assert "<script" not in answer.text
    assert "style=" not in answer.text
    assert client.get("/assets/ort-9.wasm").status_code == 404
    (folder / "away.html").rename(folder / "index.html")  # a build while the server runs
    assert client.get("/assets/ort-9.wasm").status_code == 200


def test_a_new_build_is_noticed(folder: Path, client: TestClient) -> None:
    assert client.get("/assets/new-1.js").status_code == 404
    (folder / "assets" / "new-1.js").write_text("1")
    (folder / "index.html").write_text("<!doctype html><title>new</title>")
    assert client.get("/assets/new-1.js").text == "1"
    assert "new" in client.get("/").text
