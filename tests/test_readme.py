"""README's Python runs as it stands, and its commands exist."""

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fervid.cli.app import app

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_python_of_the_readme_runs(
    astronaut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    shutil.copy(astronaut, tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    assert "happy" in capsys.readouterr().out
    assert (tmp_path / "out.jpg").is_file()


@pytest.mark.parametrize("command", re.findall(r"^\$ fervid (.+?)(?: +#.*| \|.*)?$", README, re.MULTILINE))
def test_the_commands_of_the_readme_know_their_options(command: str) -> None:
    words = command.split()
    verb = words[:2] if words[0] in ("data", "models") else words[:1]
    help_text = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [*verb, "--help"])
    assert help_text.exit_code == 0, help_text.output
    for option in re.findall(r"(?<!\S)--?[a-z][\w-]*", command):
        assert option in help_text.stdout, f"fervid {' '.join(verb)} has no {option}"
