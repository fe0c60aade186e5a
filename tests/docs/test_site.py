"""The site builds without a warning and asks no other host for anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.importorskip("sphinx", reason="the documentation is built by Sphinx: pip install 'fervid[docs]'")

ROOT = Path(__file__).parent.parent.parent
AXE_OPTIONS = "{ resultTypes: ['violations'], rules: { 'definition-list': { enabled: false } } }"
"""Sphinx itself writes long signatures as lists without terms."""
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages, made as ``make docs`` makes them."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--nitpicky", "--quiet"]
    done = subprocess.run(
        [*command, "-d", str(folder / "doctrees"), str(ROOT / "docs"), str(folder / "html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder / "html"


class Loads(HTMLParser):
    """Addresses that a browser fetches by itself when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(values.get("href", ""))
        elif tag == "link" and values.get("rel") not in ("canonical", "next", "prev", "index", "search", "author"):
            self.found.append(values.get("href", ""))
        else:
            self.found += [values[name] for name in ("src", "srcset", "data", "poster", "action") if name in values]


def read_loads(page: Path) -> Loads:
    loads = Loads()
    loads.feed(page.read_text(encoding="utf-8"))
    return loads


def test_pages_ask_no_other_host(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        foreign = [address for address in read_loads(page).found if re.match(r"(?:[a-z]+:)?//", address)]
        assert foreign == [], page.relative_to(site)


def test_styles_and_scripts_ask_no_other_host(site: Path) -> None:
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.findall(r"(?:url\(|@import\s)\s*[\"']?(?:https?:)?//", text), style.name
    for script in site.rglob("*.js"):
        text = script.read_text(encoding="utf-8")
        assert not re.findall(r"(?:fetch|import|importScripts)\(\s*[\"'`](?:https?:)?//", text), script.name


def test_links_between_pages_lead_to_a_page_and_a_place_on_it(site: Path) -> None:
    identities: dict[Path, set[str]] = {}
    missing = []
    for page in site.rglob("*.html"):
        for link in read_loads(page).links:
            if re.match(r"[a-z]+:", link) or not link:
                continue
            address, _, anchor = link.partition("#")
            target = (page.parent / address).resolve() if address else page.resolve()
            if not target.exists():
                missing.append((page.name, link))
            elif anchor and target.suffix == ".html":
                if target not in identities:
                    identities[target] = set(re.findall(r'\bid="([^"]+)"', target.read_text(encoding="utf-8")))
                if anchor not in identities[target]:
                    missing.append((page.name, link))
    assert missing == []


def test_every_verb_option_name_and_column_has_its_place(site: Path) -> None:
    from typer.main import get_command

    import fervid
    from fervid.cli.app import app
    from fervid.exchange import COLUMNS

    for name, verb in get_command(app).commands.items():
        page = (site / "reference" / "cli" / f"{name}.html").read_text(encoding="utf-8")
        for command in getattr(verb, "commands", {"": verb}).values():
            options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
            missing = [name for p in options for name in p.opts if f">{name}</span>" not in page]
            assert missing == [], name
    python = "".join(page.read_text(encoding="utf-8") for page in (site / "reference" / "python").glob("*.html"))
    missing = [name for name in fervid.__all__ if f'id="fervid.{name}"' not in python and name != "__version__"]
    assert missing == []
    formats = (site / "reference" / "formats.html").read_text(encoding="utf-8")
    assert all(f">{column}</span>" in formats for column in COLUMNS)


LOOKED_AT = ["index", "start", "tutorials/train", "reference/cli/serve", "reference/rest", "reference/python/results"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium without a network of its own."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = os.environ.get("FERVID_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no Chromium; Debian's package is chromium")
    quiet = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu", *quiet])
        try:
            yield browser
        finally:
            browser.close()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The site, served on a free port of this machine as ``make docs-serve`` does."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=site)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(10)


def test_a_browser_asks_nobody_and_search_finds(address: str, browser: Browser) -> None:
    page = browser.new_page()
    asked: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    for name in LOOKED_AT:
        page.goto(f"{address}/{name}.html")
    page.goto(f"{address}/search.html?q=uncertain")
    page.wait_for_selector("#search-results ul.search li a")
    assert page.locator("#search-results li").count() > 3
    assert len(asked) > 20
    page.wait_for_load_state("networkidle")
    assert [url for url in asked if not url.startswith((f"{address}/", "data:"))] == []
    assert problems == []


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_axe_finds_no_serious_problem(address: str, browser: Browser, scheme: Literal["light", "dark"]) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: cd frontend && npm ci")
    page = browser.new_page(color_scheme=scheme, viewport={"width": 390, "height": 844})
    for name in LOOKED_AT:
        page.goto(f"{address}/{name}.html")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, f"{name} is wider than a phone"
        page.evaluate(AXE.read_text("utf-8"))
        found: dict[str, Any] = page.evaluate(f"() => axe.run(document, {AXE_OPTIONS})")
        serious = [
            f"{violation['id']}: {node['html'][:160]}"
            for violation in found["violations"]
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]
        assert serious == [], name
