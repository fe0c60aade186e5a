"""The command line without a process of its own: an interpreter takes longer to start than most verbs to run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from fervid.cli import app
from fervid.imaging import load_image, save_image


@pytest.fixture
def call_fervid(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., CompletedProcess[str]]:
    """Runs ``fervid`` with these arguments in this process, as the script does."""

    def call(*arguments: str | Path, cwd: Path | None = None) -> CompletedProcess[str]:
        words = ["fervid", *map(str, arguments)]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", words)
            patch.setenv("COLUMNS", "120")
            if cwd is not None:
                patch.chdir(cwd)
            capsys.readouterr()
            with pytest.raises(SystemExit) as end:
                app.main()
        status = end.value.code or 0
        assert isinstance(status, int)
        return CompletedProcess(words, status, *capsys.readouterr())

    return call


@pytest.fixture
def folder(tmp_path: Path, astronaut: Path) -> Path:
    """A folder with a good picture, one in a subfolder, an empty file and a text."""
    place = tmp_path / "photos"
    save_image(place / "a.png", load_image(astronaut))
    save_image(place / "inner" / "a.png", np.full((40, 40, 3), 99, dtype=np.uint8))
    (place / "bad.jpg").write_bytes(b"")
    (place / "notes.txt").write_text("not a picture")
    return place
