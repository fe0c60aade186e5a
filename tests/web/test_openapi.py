"""The API keeps what its description promises, whatever is sent."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fervid.web import limits
from fervid.web.app import create_app
from fervid.web.schemas import ErrorAnswer
from fervid.web.security import HEADERS
from fervid.web.settings import API, Settings

EXAMPLES = 5
"""Of each operation; more take long and find little."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """The app without limits of rate: the fuzzer would meet nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits.RateLimiter, "check", lambda *_: None)
        yield create_app(Settings(data_dir=tmp_path_factory.mktemp("data"), max_upload_mb=1, max_pixels=1_000_000))


@pytest.fixture(scope="module")
def address(app: FastAPI, open_server: Callable[..., AbstractContextManager[int]]) -> Iterator[str]:
    with open_server(app) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def document(client: httpx.Client) -> dict[str, Any]:
    document: dict[str, Any] = client.get(f"{API}/openapi.json").json()
    return document


def test_whatever_is_sent_is_answered_as_described(document: dict[str, Any], address: str) -> None:
    count = 0
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = result.ok()
        if operation.path.endswith("/events"):  # a stream that does not end
            continue

        @given(case=operation.as_strategy())
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def check(case: Any) -> None:
            case.call_and_validate(base_url=address, checks=CHECKS, timeout=60)

        check()
        count += 1
    assert count >= 15


def test_every_address_says_what_errors_look_like(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in ("get", "post", "put", "patch", "delete"):
                assert "default" in operation["responses"], f"{method} {path}"
                reference = operation["responses"]["default"]["content"]["application/json"]["schema"]["$ref"]
                assert reference == "#/components/schemas/ErrorAnswer"
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_operations_have_names_of_their_own_and_words(document: dict[str, Any]) -> None:
    operations = [o for item in document["paths"].values() for o in item.values() if isinstance(o, dict)]
    names = Counter(operation["operationId"] for operation in operations)
    assert max(names.values()) == 1
    assert all(operation.get("description") for operation in operations)


def test_other_methods_are_refused_in_the_one_shape(client: httpx.Client, document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        address = re.sub(r"\{[^}]*\}", "x", path)
        for method in {"get", "post", "put", "patch", "delete"} - set(item):
            answer = client.request(method, address)
            assert 400 <= answer.status_code < 500, f"{method} {path}"
            assert answer.status_code != 405 or item.keys() >= {m.lower() for m in answer.headers["Allow"].split(", ")}
            ErrorAnswer.model_validate(answer.json())


@pytest.mark.parametrize("place", ["/", "/nowhere", f"{API}/health", f"{API}/docs", f"{API}/models/x"])
def test_every_answer_has_the_headers(client: httpx.Client, place: str) -> None:
    answer = client.get(place)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "Cache-Control" in answer.headers
    assert "Set-Cookie" not in answer.headers


class Page(HTMLParser):
    """Collects what a strict policy would block, links, and what they lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.blocked: list[str] = []
        self.links: list[str] = []
        self.identities: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.blocked += [tag] if tag in ("script", "style", "iframe") else []
        self.blocked += [name for name in values if name == "style" or name.startswith("on")]
        self.links += [values[name] or "" for name in ("href", "src") if name in values]
        self.identities += [values["id"] or ""] if "id" in values else []
        self.open += [tag] if tag not in ("meta", "link", "br") else []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_for_people_obeys_the_policy(client: httpx.Client, document: dict[str, Any]) -> None:
    answer = client.get(f"{API}/docs")
    page = Page(answer.text)
    assert page.blocked == []
    assert page.open == []
    assert max(Counter(page.identities).values()) == 1
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.identities
        else:
            assert link.startswith("/")
            assert client.get(link).status_code == 200
    for path in document["paths"]:
        assert path in answer.text
    assert client.get(f"{API}/docs.css").headers["Content-Type"].startswith("text/css")


def test_nothing_in_the_pages_is_of_another_host(client: httpx.Client) -> None:
    style = client.get(f"{API}/docs.css").text
    assert "url(" not in style
    assert "@import" not in style
    assert "http" not in re.sub(
        r"https://nodejs.org", "", (Path(__file__).parents[2] / "src/fervid/web/apidocs.py").read_text()
    )


def test_answers_are_utf8_json(client: httpx.Client) -> None:
    answer = client.get(f"{API}/models/x")
    assert json.loads(answer.content.decode("utf-8"))["error"]["message"] == "there is no model 'x'"
