"""What the pages take over from Python is current."""

from __future__ import annotations

import importlib.util
import json
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
    assert all("integrity" in entry for name, entry in packages.items() if name)
