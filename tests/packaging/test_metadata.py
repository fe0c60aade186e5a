"""What the package says of itself is so, and is said once."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import fervid

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSIONS = ["3.11", "3.12", "3.13"]


def test_the_version_stands_in_one_place() -> None:
    assert PROJECT["dynamic"] == ["version"]
    assert "version" not in PROJECT
    said = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "src").rglob("*.py")
        if re.search(rf"['\"]{re.escape(fervid.__version__)}['\"]", path.read_text(encoding="utf-8"))
    ]
    assert said == ["src/fervid/__init__.py"]


def test_the_classifiers_exist_and_fit() -> None:
    trove = pytest.importorskip("trove_classifiers", reason="hatchling brings the list of classifiers")
    classifiers = PROJECT["classifiers"]
    assert set(classifiers) <= set(trove.classifiers)
    assert classifiers == sorted(classifiers)
    pythons = re.findall(r"Python :: (3\.\d+)", "\n".join(classifiers))
    assert pythons == VERSIONS
    assert PROJECT["requires-python"] == f">={VERSIONS[0]}"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(f"python{version}" in makefile for version in VERSIONS)
    assert "Python 3.11, 3.12 or 3.13" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_metadata_is_complete() -> None:
    for field in ("description", "readme", "license", "license-files", "authors", "keywords", "classifiers", "scripts"):
        assert PROJECT[field]
    assert all((ROOT / name).is_file() for name in [PROJECT["readme"], *PROJECT["license-files"]])
    assert len(PROJECT["description"]) <= 120
    assert (ROOT / "src" / "fervid" / "py.typed").is_file()


def test_every_extra_is_said_where_users_read() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
    named = {name for names in re.findall(r"fervid\[([\w,]+)\]", text) for name in names.split(",")}
    extras = set(PROJECT["optional-dependencies"])
    assert named <= extras, "the documentation names an extra that there is not"
    assert extras - {"dev", "docs"} <= named | set(re.findall(r"extra `(\w+)`", text))


def test_dev_brings_every_extra() -> None:
    extras = PROJECT["optional-dependencies"]
    brought, waiting = set(), ["dev"]
    while waiting:
        inner = re.findall(r"fervid\[([\w,]+)\]", "\n".join(extras[waiting.pop()]))
        new = {name for names in inner for name in names.split(",")} - brought
        brought |= new
        waiting += new
    assert brought >= set(extras) - {"dev"}
