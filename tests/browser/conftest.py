"""The web app and a real browser: Debian's Chromium, driven by Playwright, with a camera that plays a film."""

from __future__ import annotations

import io
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CHROMIUM = os.environ.get("FERVID_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PAGES = os.environ.get("FERVID_TEST_PAGES")
"""A folder of built pages to test instead of the package's."""

AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"


@dataclass
class Traffic:
    """Everything that a browser sent to a server."""

    requests: list[tuple[str, str, int]] = field(default_factory=list)
    messages: list[tuple[str, bytes | str]] = field(default_factory=list)

    def clear(self) -> None:
        self.requests.clear()
        self.messages.clear()


class Recorder:
    """An app that notes what comes in: method, address and bytes of requests, messages of WebSockets."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.traffic = Traffic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        traffic, number = self.traffic, -1
        if scope["type"] == "http":
            number = len(traffic.requests)
            traffic.requests.append((scope["method"], scope["path"], 0))

        async def note() -> Message:
            message = await receive()
            if message["type"] == "http.request" and number < len(traffic.requests):
                method, path, count = traffic.requests[number]
                traffic.requests[number] = method, path, count + len(message.get("body", b""))
            elif message["type"] == "websocket.receive":
                traffic.messages.append((scope["path"], message.get("bytes") or message.get("text") or ""))
            return message

        await self._app(scope, note, send)


@dataclass(frozen=True)
class Site:
    """A running server."""

    address: str
    traffic: Traffic
    pages: Path


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The web app with its built pages, on a free port of this machine."""
    with open_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="session")
def serve_site() -> Callable[..., AbstractContextManager[Site]]:
    """Starts another web app, with a data folder and settings: the block has it."""
    return open_site


@contextmanager
def open_site(data_dir: Path, **options: Any) -> Iterator[Site]:
    """The web app with its built pages and ``options`` as its settings."""
    pytest.importorskip("fastapi", reason="the extra web is not installed")
    from fervid.web import pages
    from fervid.web.app import create_app
    from fervid.web.server import Server, describe_address, open_socket
    from fervid.web.settings import Settings

    folder = Path(PAGES) if PAGES else pages.STATIC
    if not (folder / "index.html").is_file():
        pytest.skip("the pages are not built: cd frontend && npm ci && npm run build")
    settings = Settings(port=0, data_dir=data_dir, workers=1, **options)
    listener = open_socket(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages.Pages.__init__, "__defaults__", (folder,))
        recorder = Recorder(create_app(settings))
    is_ready = threading.Event()
    server = Server(settings, recorder, is_ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert is_ready.wait(60)
    yield Site(describe_address(settings, listener), recorder.traffic, folder)
    server.should_exit = True
    thread.join(20)
    listener.close()


@pytest.fixture(scope="session")
def launch() -> Callable[..., AbstractContextManager[Browser]]:
    """Starts a browser, with arguments: the block has it."""
    return open_browser


@contextmanager
def open_browser(*arguments: str) -> Iterator[Browser]:
    """A Chromium that asks nobody and talks to nobody."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium; Debian's package is chromium")
    quiet = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-sync", *quiet, *arguments]
        )
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    """Four seconds of a slow pan over the portrait, 640 × 480, as Chromium's camera plays it."""
    with Image.open(astronaut) as picture:
        portrait = picture.convert("RGB").resize((800, 800))
    path = tmp_path_factory.mktemp("camera") / "pan.mjpeg"
    with path.open("wb") as stream:
        for k in range(120):
            share = 0.5 - 0.5 * np.cos(2 * np.pi * k / 120)
            x, y = round(20 + 120 * share), round(60 * share)
            frame = io.BytesIO()
            portrait.crop((x, y, x + 640, y + 480)).save(frame, "JPEG", quality=90)
            stream.write(frame.getvalue())
    return path


@pytest.fixture
def scheme() -> str:
    """What pages are shown in from their beginning: Chromium tells a page that is open already of another scheme at
    once, and colours itself later.
    """
    return "light"


@pytest.fixture(scope="session")
def find_problems() -> Callable[[Page], list[str]]:
    """What axe finds serious on a page."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: cd frontend && npm ci")
    source = AXE.read_text("utf-8")

    def find(page: Page) -> list[str]:
        page.evaluate(source)  # not a script element, which the policy refuses
        found: dict[str, Any] = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
        return [
            f"{violation['id']}: {node['html'][:160]}"
            for violation in found["violations"]
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]

    return find


@pytest.fixture(scope="session")
def count_pixels() -> Callable[[Page, str, str], int]:
    """Pixels of a canvas that have the colour that a CSS variable has now."""

    def count(page: Page, canvas: str, variable: str) -> int:
        return int(
            page.evaluate(
                """([selector, variable]) => {
                const canvas = document.querySelector(selector);
                const element = document.createElement("span");
                element.style.color = `var(${variable})`;
                document.body.append(element);
                const probe = document.createElement("canvas").getContext("2d");
                probe.fillStyle = getComputedStyle(element).color;
                element.remove();
                probe.fillRect(0, 0, 1, 1);
                const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
                const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                let count = 0;
                for (let i = 0; i < data.length; i += 4)
                    count += data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] === 255;
                return count;
            }""",
                [canvas, variable],
            )
        )

    return count


@pytest.fixture(scope="session")
def tab_to() -> Callable[..., None]:
    """Presses Tab until what has the focus is called so."""

    def press(page: Page, *names: str) -> None:
        for _ in range(80):
            called = page.evaluate("""() => {
                const element = document.activeElement;
                const label = element.labels?.[0]?.querySelector(".field-name, .kind-title") ?? element.labels?.[0];
                return element.ariaLabel ?? label?.textContent ?? element.textContent;
            }""")
            if called and called.strip() in names:
                return
            page.keyboard.press("Tab")
        pytest.fail(f"Tab does not lead to {names[0]}")

    return press


@pytest.fixture(scope="module")
def browser(launch: Any, film: Path) -> Iterator[Any]:
    """One whose camera shows a film of a portrait."""
    camera = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}")
    with launch(*camera) as browser:
        yield browser
