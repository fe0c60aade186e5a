"""The files beside README say what is so."""

import re
from pathlib import Path

import yaml

import fervid

ROOT = Path(__file__).parent.parent


def test_scripts_that_contributing_names_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    scripts = re.findall(r"\b[\w/.-]+\.(?:py|sh|toml)\b", text)
    assert len(scripts) > 5
    missing = [name for name in scripts if not ((ROOT / name).exists() or (ROOT / "src" / "fervid" / name).exists())]
    assert missing == []


def test_the_citation_is_of_this_version_and_licence() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == fervid.__version__
    assert citation["license"] == "Apache-2.0"
    assert citation["authors"]


def test_the_changelog_knows_the_version() -> None:
    assert fervid.__version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_hooks_fetch_nothing() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    for repo in hooks["repos"]:
        assert repo["repo"] == "local"
        assert all(hook["language"] == "system" for hook in repo["hooks"])
        assert all(hook["entry"].startswith(".venv/bin/") for hook in repo["hooks"])
