"""A host, an audience, and a server whose buckets are over in a moment."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

BUCKET_S = 1.5
HOLD_S = 20.0
WAIT_MS = 60_000


@pytest.fixture(scope="module")
def serve(serve_site: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Starts servers of quick buckets, with settings."""
    service = pytest.importorskip("fervid.web.rooms.service", reason="the extra web is not installed")
    quick = partial(service.Rooms, bucket_s=BUCKET_S, hold_s=HOLD_S)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fervid.web.app.Rooms", quick)
        yield lambda **options: serve_site(tmp_path_factory.mktemp("rooms"), **options)


@pytest.fixture(scope="module")
def rooms(serve: Any) -> Iterator[Any]:
    """A server of rooms."""
    with serve() as site:
        yield site


@pytest.fixture
def open_context(browser: Any, scheme: str) -> Iterator[Callable[[], Any]]:
    """Opens browsers that know nothing of each other; complaints of any page fail the test."""
    complaints: list[str] = []
    with ExitStack() as stack:

        def open_another() -> Any:
            context = browser.new_context(
                permissions=["camera"],
                viewport={"width": 1280, "height": 800},
                color_scheme=scheme,
                reduced_motion="reduce",
            )
            stack.callback(context.close)
            context.set_default_timeout(WAIT_MS)
            context.on("weberror", lambda error: complaints.append(str(error.error)))
            context.on(
                "console", lambda note: complaints.append(note.text) if "Content Security" in note.text else None
            )
            return context

        yield open_another
    assert complaints == []


@pytest.fixture
def context(open_context: Callable[[], Any]) -> Any:
    """A browser."""
    return open_context()


@pytest.fixture(scope="session")
def make_room() -> Callable[..., tuple[dict[str, Any], Any]]:
    """Makes a room; it, and its host's page."""

    def make(context: Any, site: Any, **fields: Any) -> tuple[dict[str, Any], Any]:
        body = {"title": "Graphs", **fields}
        room = context.request.post(f"{site.address}/api/v1/rooms", data=body).json()
        page = context.new_page()
        page.goto(site.address + room["host_path"])
        page.get_by_role("heading", name="Graphs").wait_for()
        return room, page

    return make


@pytest.fixture
def join(open_context: Callable[[], Any]) -> Callable[[Any, dict[str, Any]], Any]:
    """Lets a participant in; their page. One browser is one participant, so each has one of their own."""

    def let_in(site: Any, room: dict[str, Any]) -> Any:
        page = open_context().new_page()
        page.goto(site.address + room["join_path"])
        page.get_by_role("button", name="Agree and join").click()
        page.get_by_role("button", name="Leave").wait_for()
        return page

    return let_in


@pytest.fixture(scope="session")
def see() -> Callable[[Any, str], None]:
    """Waits until the page itself, not what it tells screen readers, has a text."""
    return lambda page, text: page.locator("main").get_by_text(text).first.wait_for()


@pytest.fixture(scope="session")
def wait_buckets() -> Callable[[Any, float], None]:
    """Waits so many buckets on a page."""
    return lambda page, count: page.wait_for_timeout(1000 * BUCKET_S * count)


@pytest.fixture(scope="session")
def list_said() -> Callable[[Any, str], list[str]]:
    """The messages of a kind that reached a server, to the letter."""

    def list_messages(site: Any, kind: str) -> list[str]:
        texts = [str(message) for path, message in site.traffic.messages if "/ws/rooms/" in path]
        return [text for text in texts if json.loads(text)["type"] == kind]

    return list_messages
