"""What the pages take over from Python is current."""

from __future__ import annotations

import importlib.util
import json
import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import pytest

from fervid.emotions import VOTE_LABELS

FRONTEND = Path(__file__).parent.parent / "frontend"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """``frontend/generate.py``, which no package holds."""
    spec = importlib.util.spec_from_file_location("frontend_generate", FRONTEND / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_files_are_current(generate: ModuleType) -> None:
    for path, text in generate.build_files().items():
        assert path.read_text("utf-8") == text, f"{path} is stale; run: python frontend/generate.py"


def test_drawings_say_their_size(generate: ModuleType) -> None:
    """Firefox draws no other SVG onto a canvas."""
    drawings = {path.stem: text for path, text in generate.build_files().items() if path.parent.name == "emoji"}
    assert drawings.keys() == set(VOTE_LABELS)
    for text in drawings.values():
        root = ElementTree.fromstring(text)
        assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("200", "200", "-100 -100 200 200")


def test_nothing_stale_lies_among_the_generated_files(generate: ModuleType) -> None:
    there = {path for path in (FRONTEND / "src" / "generated").rglob("*") if path.is_file()}
    assert there <= set(generate.build_files())
    assert {path.stem for path in there if path.suffix == ".svg"} == set(VOTE_LABELS)


def test_check_names_a_stale_file(
    generate: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    monkeypatch.setattr("sys.argv", ["generate.py"])
    assert generate.main() == 0
    monkeypatch.setattr("sys.argv", ["generate.py", "--check"])
    assert generate.main() == 0
    (tmp_path / "src" / "generated" / "palette.css").write_text("stale")
    assert generate.main() == 1
    assert "palette.css" in capsys.readouterr().err


def test_the_lock_file_names_no_registry() -> None:
    packages = json.loads((FRONTEND / "package-lock.json").read_text("utf-8"))["packages"]
    assert len(packages) > 50
    assert not [name for name, entry in packages.items() if "resolved" in entry]


def test_the_lock_file_is_whole() -> None:
    """``npm install`` leaves out optional packages that a registry has not got; ``npm ci`` refuses such a file."""
    packages = json.loads((FRONTEND / "package-lock.json").read_text("utf-8"))["packages"]
    names = {name.rpartition("node_modules/")[2] for name in packages}
    wanted = {option for entry in packages.values() for option in entry.get("optionalDependencies", {})}
    assert wanted <= names
    unchecked = {name for name, entry in packages.items() if name and "integrity" not in entry}
    # The linter's binaries for systems that the registry at hand did not carry.
    assert all(name.startswith("node_modules/@biomejs/cli-") for name in unchecked)


@pytest.fixture(scope="module")
def hatch_build() -> ModuleType:
    """The build hook, where hatchling is."""
    pytest.importorskip("hatchling", reason="hatchling is in the build's environment alone")
    spec = importlib.util.spec_from_file_location("hatch_build", FRONTEND.parent / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_are_built_again_when_a_source_is_newer(hatch_build: ModuleType, tmp_path: Path) -> None:
    source, page = tmp_path / "frontend" / "src" / "main.tsx", tmp_path / hatch_build.STATIC / "index.html"
    for path in (source, page, tmp_path / "frontend" / "node_modules" / "new.js"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    os.utime(page, (2000, 2000))
    os.utime(source, (1000, 1000))
    assert hatch_build.is_current(tmp_path)
    os.utime(source, (3000, 3000))
    assert not hatch_build.is_current(tmp_path)
    page.unlink()
    assert not hatch_build.is_current(tmp_path)


def test_without_node_the_build_says_what_to_do(
    hatch_build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "frontend").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    hook = hatch_build.PagesHook(str(tmp_path), {}, None, None, str(tmp_path), "wheel")
    hook.initialize("editable", {})  # needs no pages
    with pytest.raises(SystemExit, match=r"there is no Node\.js"):
        hook.initialize("standard", {})
    (tmp_path / hatch_build.STATIC).mkdir(parents=True)
    (tmp_path / hatch_build.STATIC / "index.html").touch()
    (tmp_path / "PKG-INFO").touch()
    hook.initialize("standard", {})  # an sdist carries them
