"""The site builds without a warning and asks no other host for anything."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("sphinx")

ROOT = Path(__file__).parent.parent.parent


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


def test_every_verb_option_and_column_has_its_place(site: Path) -> None:
    from typer.main import get_command

    from fervid.cli.app import app
    from fervid.exchange import COLUMNS

    for name, verb in get_command(app).commands.items():
        page = (site / "reference" / "cli" / f"{name}.html").read_text(encoding="utf-8")
        for command in getattr(verb, "commands", {"": verb}).values():
            options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
            missing = [name for p in options for name in p.opts if f">{name}</span>" not in page]
            assert missing == [], name
    formats = (site / "reference" / "formats.html").read_text(encoding="utf-8")
    assert all(f">{column}</span>" in formats for column in COLUMNS)
