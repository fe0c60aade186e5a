"""Links of README and docs: those within the project lead somewhere, those to the world go where we meant."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parent.parent.parent
WRITTEN = {ROOT / "docs" / "reference" / name for name in ("cli", "generated")}
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.parent not in WRITTEN),
    *sorted((ROOT / "src" / "fervid" / "models" / "bundled").glob("*.md")),
]
HOSTS = {
    "arxiv.org", "doi.org", "github.com", "keepachangelog.com", "semver.org",
    "www.contributor-covenant.org", "127.0.0.1", "fervid.example.org", "192.168.1.20",
}  # fmt: skip
"""Every host that a link names: nothing is fetched here, so a new one is a decision."""


def strip_code(text: str) -> str:
    """A page without its blocks and its code."""
    return re.sub(r"`[^`\n]+`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub and MyST make it."""
    return re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = strip_code(page.read_text(encoding="utf-8"))
    missing = []
    for target in re.findall(r"\]\(\s*<?([^)>\s]+)", text) + re.findall(r"<(https?://[^>]+)>", text):
        parts = urlsplit(target)
        if parts.scheme:
            if parts.hostname not in HOSTS or (parts.scheme != "https" and parts.hostname != "127.0.0.1"):
                missing.append(target)
            continue
        file = (page.parent / parts.path if parts.path else page).resolve()
        if file.parent in WRITTEN:  # every build writes these pages, and says which of their links lead nowhere
            continue
        if not file.exists():
            missing.append(target)
        elif parts.fragment and file.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            if parts.fragment not in map(slug, headings):
                missing.append(target)
    assert missing == []
