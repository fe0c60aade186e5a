"""Model cards say from which state of the code their model comes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from fervid.errors import ConfigError

ROOT = Path(__file__).parents[2]
CARD = "# Model card: `small`\n\n## Training\n\n- Data: faces.\n- Published in commit\n  `0123456`.\n- int8: yes.\n"

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not here")


@pytest.fixture
def script(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("runs/publish.py")


@pytest.fixture
def run(script: ModuleType, tmp_path: Path) -> Path:
    """A finished run, whose model is the package's."""
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(ROOT / script.BUNDLED / "small.onnx", folder)
    (folder / "config.json").write_text(json.dumps({"name": "small"}), encoding="utf-8")
    (folder / "metrics.jsonl").write_text('{"epoch": 1}\n', encoding="utf-8")
    return folder


@pytest.fixture
def card(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That of ``small``, in a project of its own, which git does not know yet."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)  # a hook's would name the project that is tested
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    path: Path = tmp_path / "root" / script.BUNDLED / "small.md"
    path.parent.mkdir(parents=True)
    path.write_text(CARD, encoding="utf-8")
    (tmp_path / "root" / "code.py").write_text("1\n", encoding="utf-8")
    return path


def commit(root: Path) -> str:
    """Commit all that is there; the short hash."""
    who = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost")
    for command in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", "all"), ("rev-parse", "--short", "HEAD")):
        done = subprocess.run(["git", "-C", root, *command], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_card_names_the_commit_that_its_model_comes_from(
    script: ModuleType, run: Path, card: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    state = commit(root)
    for _ in range(2):  # what was published before it changes no code
        script.publish(run, root=root)
        signed = CARD.replace("in commit\n  `0123456`", f"by the code of commit `{state}`")
        assert card.read_text(encoding="utf-8") == signed
    (root / "code.py").write_text("2\n", encoding="utf-8")
    script.publish(run, root=root)
    assert f"- Published by the code of commit `{state}`, with uncommitted changes.\n- int8" in card.read_text("utf-8")


def test_a_card_that_cannot_say_it_is_refused(script: ModuleType, run: Path, card: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    with pytest.raises(ConfigError, match="git does not say which commit is checked out"):
        script.publish(run, root=root)
    card.write_text(CARD.replace("- Published", "- Made"), encoding="utf-8")
    commit(root)
    with pytest.raises(ConfigError, match=r'small.md has 0 lines that begin with "- Published "'):
        script.publish(run, root=root)
    assert not card.with_name("small.onnx").exists()


def test_every_card_says_where_its_model_comes_from(script: ModuleType) -> None:
    cards = sorted((ROOT / script.BUNDLED).glob("*.md"))
    assert cards
    for path in cards:
        assert len(script.PUBLISHED.findall(path.read_text(encoding="utf-8"))) == 1, path
