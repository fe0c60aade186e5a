"""``/models``: the files that browsers load, byte for byte."""

from __future__ import annotations

import hashlib

import pytest
from fastapi.testclient import TestClient

from fervid.models.store import list_bundled, load_model
from fervid.web.settings import API

MODELS = f"{API}/models"


def test_the_list_names_every_bundled_model(web_client: TestClient) -> None:
    rows = web_client.get(MODELS).json()["models"]
    assert [row["name"] for row in rows] == [published.name for published in list_bundled()]
    assert {row["name"] for row in rows if row["default"]} == {"base", "small", "faces"}
    assert {row["task"] for row in rows} == {"expression", "detection"}
    for row in rows:
        assert row["identity"] == f"{row['name']}@{row['sha256'][:12]}"
        assert len(web_client.get(row["file_url"]).content) == row["bytes"]
        assert web_client.get(row["card_url"]).text.startswith("#")


def test_a_file_is_the_published_one(web_client: TestClient) -> None:
    answer = web_client.get(f"{MODELS}/base/file")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert hashlib.sha256(answer.content).hexdigest() == load_model("base").sha256
    assert answer.headers["ETag"] == f'"{load_model("base").sha256}"'
    assert answer.headers["Cache-Control"] == "no-cache"


def test_a_file_under_its_digest_is_kept_for_ever(web_client: TestClient) -> None:
    url = next(row["file_url"] for row in web_client.get(MODELS).json()["models"] if row["name"] == "faces")
    assert "immutable" in web_client.get(url).headers["Cache-Control"]
    assert web_client.get(f"{MODELS}/faces/file", params={"sha256": "0" * 64}).headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("prefix", ["", "W/", '"other", '])
def test_a_client_that_has_the_file_gets_nothing(web_client: TestClient, prefix: str) -> None:
    tag = f'{prefix}"{load_model("faces").sha256}"'
    answer = web_client.get(f"{MODELS}/faces/file", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content) == (304, b"")
    assert web_client.get(f"{MODELS}/faces/file", headers={"If-None-Match": '"other"'}).status_code == 200


def test_head_says_how_large_it_is(web_client: TestClient) -> None:
    answer = web_client.head(f"{MODELS}/faces/file")
    assert answer.content == b""
    assert int(answer.headers["Content-Length"]) == len(load_model("faces").data)


def test_the_spec_is_that_of_the_file(web_client: TestClient) -> None:
    spec = web_client.get(f"{MODELS}/base").json()["spec"]
    assert len(spec["labels"]) == 7
    assert spec["kernel"] == "triangle"
    assert web_client.get(f"{MODELS}/faces").json()["spec"]["task"] == "detection"


@pytest.mark.parametrize("name", ["yunet", "nothing", "..", "%2e%2e", "base.onnx", "manifest.json", "..%2fbase", "%00"])
@pytest.mark.parametrize("rest", ["", "/file", "/card"])
def test_nothing_but_bundled_models_is_served(web_client: TestClient, name: str, rest: str) -> None:
    answer = web_client.get(f"{MODELS}/{name}{rest}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] in ("model.unknown", "web.not_found")
