"""``fervid batch``: from the command to the tables and the report."""

from __future__ import annotations

import csv
import errno
import io
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from fervid.cli.app import app
from fervid.errors import UsageError
from fervid.imaging import save_image

for module in ("pyarrow", "duckdb"):
    pytest.importorskip(module)

runner = CliRunner(env={"COLUMNS": "160", "NO_COLOR": "1"})


@pytest.fixture(scope="session")
def detector(dots: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(dots.write_detector(tmp_path_factory.mktemp("detector") / "dots.onnx"))


@pytest.fixture
def archive(tmp_path: Path, dots: ModuleType) -> Path:
    """Eleven photos of two dots, and a corrupt one."""
    for number in range(11):
        save_image(tmp_path / "archive" / f"{number:02d}.png", dots.paint(144, 96, [(40, 44), (104, 60)]))
    (tmp_path / "archive" / "bad.jpg").write_bytes(b"bad")
    return tmp_path / "archive"


def test_a_folder_becomes_tables_and_a_report(tmp_path: Path, archive: Path, detector: str) -> None:
    out = str(tmp_path / "out")
    command = ["batch", str(archive), "--out", out, "--workers", "0", "--model", "small", "--detector", detector]
    done = runner.invoke(app, command)
    assert done.exit_code == 3, done.output
    assert "12 inputs read, 22 rows of faces, 1 failed" in done.stderr
    assert done.stdout == ""
    again = runner.invoke(app, ["batch", "run", *command[1:]])
    assert again.exit_code == 3
    assert "0 inputs read" in again.stderr
    assert "12 were done before, 1 of them failed" in again.stderr

    report = runner.invoke(app, ["batch", "report", out])
    assert report.exit_code == 0, report.output
    assert "12 inputs, 1 failed, 0 without a face; 22 rows of faces" in report.stdout
    assert "input.image × 1" in report.stdout
    rows = list(csv.DictReader(io.StringIO(runner.invoke(app, ["batch", "report", out, "--csv", "-"]).stdout)))
    assert rows[0]["faces"] == "22"
    page = tmp_path / "report.html"
    assert runner.invoke(app, ["batch", "report", out, "--html", str(page)]).exit_code == 0
    assert "<h2>Folders</h2>" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "options",
    [["--address", "auto"], ["--gpus", "1"], ["--engine", "ray", "--workers", "0"], ["--min-face", "30"]],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, archive: Path, detector: str, options: list[str]) -> None:
    command = ["batch", str(archive), "--out", str(tmp_path / "out"), "--model", "small", "--detector", detector]
    runner.invoke(app, [*command, "--workers", "0"])
    done = runner.invoke(app, [*command, *options])
    assert isinstance(done.exception, UsageError)


def test_what_is_left_to_the_next_run_is_no_error(
    tmp_path: Path, archive: Path, detector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("fervid.imaging._decode", refuse)
    command = ["batch", str(archive), "--out", str(tmp_path / "out"), "--workers", "0", "--model", "small"]
    done = runner.invoke(app, [*command, "--detector", detector])
    assert done.exit_code == 3, done.output
    assert "12 inputs could not be read this time; the same command tries them again" in done.stderr


@pytest.mark.slow
def test_ctrl_c_ends_cleanly_and_the_same_command_goes_on(tmp_path: Path, archive: Path, detector: str) -> None:
    for number in range(300):
        (archive / f"more{number}.png").write_bytes((archive / "00.png").read_bytes())
    out = tmp_path / "out"
    command = [
        sys.executable, "-m", "fervid", "batch", str(archive), "--out", str(out), "--chunk", "2", "--workers", "2",
        "--model", "small", "--detector", detector,
    ]  # fmt: skip
    hears = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # also where the tests run in a shell's background
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=hears)
    deadline = time.monotonic() + 60
    while not list(out.glob("inputs/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the driver and its workers
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "the same command goes on" in said
    assert "Traceback" not in said
    assert not list(out.rglob("*.part"))
    assert not list(out.glob(".plan*"))
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 3, again.stderr
    done = runner.invoke(app, ["batch", "report", str(out), "--csv", "-"])
    assert "all,,312,1,622," in done.stdout
