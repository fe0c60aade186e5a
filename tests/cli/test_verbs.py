"""``demo``, ``models``, ``doctor`` and the top of the command line."""

import io
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

import fervid
from fervid.cli import app as app_module
from fervid.cli.app import app
from fervid.cli.doctor import EXTRAS, RUNTIME
from fervid.cli.filmtable import format_seconds
from fervid.cli.tables import draw_bar
from fervid.cli.terminal import escape_controls, format_command, print_error, print_note, show_progress, stdout
from fervid.errors import ImageError, UsageError
from fervid.imaging import load_image
from fervid.models import store
from fervid.models.store import PublishedFile, list_bundled

runner = CliRunner(env={"COLUMNS": "140", "NO_COLOR": "1"})


def test_demo_prints_a_table_and_saves_two_pictures(tmp_path: Path, no_yunet: None) -> None:
    done = runner.invoke(app, ["demo", "-o", str(tmp_path / "demo")])
    assert done.exit_code == 0, done.output
    assert "1 face" in done.stdout
    for label in fervid.EMOTIONS:
        assert label in done.stdout
    for kind in ("annotated", "emoji"):
        path = tmp_path / "demo" / f"grace_hopper.{kind}.jpg"
        assert f"saved {path}" in done.stderr
        assert load_image(path).shape == (600, 512, 3)


def test_models_list_names_everything_known(no_yunet: None) -> None:
    done = runner.invoke(app, ["models", "list"])
    assert done.exit_code == 0
    for name in ("base", "yunet", "in the package", "fervid models pull yunet"):
        assert name in done.stdout


def test_models_show_adds_up(no_yunet: None) -> None:
    done = runner.invoke(app, ["models", "show", "base"])
    assert done.exit_code == 0, done.output
    assert "Conv" in done.stdout
    from fervid.models.runtime import create_session, read_metadata
    from fervid.models.spec import layers_from_metadata
    from fervid.models.store import load_model

    layers = layers_from_metadata(read_metadata(create_session(load_model("base"), threads=1)))
    assert f"{sum(layer.parameters for layer in layers):,}" in done.stdout
    for layer in layers:
        assert layer.name in done.stdout


def test_models_show_of_another_projects_file(yunet_folder: Path) -> None:
    done = runner.invoke(app, ["models", "show", "yunet"])
    assert done.exit_code == 0, done.output
    assert "input" in done.stdout
    assert "no fervid spec" in done.stderr


def test_models_verify_passes_and_names_what_was_changed(
    no_yunet: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done = runner.invoke(app, ["models", "verify"])
    assert done.exit_code == 0, done.output
    assert all(f"ok      {entry.name}" in done.stdout for entry in list_bundled())
    (tmp_path / "tiny.onnx").write_bytes(b"changed")
    monkeypatch.setattr(store, "EXTERNAL", (PublishedFile("tiny", "detector", "tiny.onnx", "0" * 64, "file:///x"),))
    monkeypatch.setenv("FERVID_MODEL_DIR", str(tmp_path))
    done = runner.invoke(app, ["models", "verify", "tiny"])
    assert done.exit_code == 1
    assert "broken  tiny" in done.stdout
    assert "model.integrity" in done.stderr


def test_doctor_finds_a_sound_installation() -> None:
    done = runner.invoke(app, ["doctor", "--json", "-"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["ok"] is True
    states = {check["check"]: check["state"] for check in report["checks"]}
    assert states["onnxruntime"] == states["model base"] == states["a portrait"] == "ok"
    assert "Everything needed works" in runner.invoke(app, ["doctor"]).stdout


def test_doctor_says_what_is_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for entry in list_bundled():
        data = b"changed" if entry.name == "base" else (store.BUNDLED / entry.file_name).read_bytes()
        (tmp_path / entry.file_name).write_bytes(data)
    monkeypatch.setattr(store, "BUNDLED", tmp_path)
    done = runner.invoke(app, ["doctor", "--json", "-"])
    assert done.exit_code == 1
    broken = [check["check"] for check in json.loads(done.stdout)["checks"] if check["state"] == "broken"]
    assert broken == ["model base", "a portrait"]


@pytest.mark.parametrize(("version", "words"), [("1.31.1", "1.31.1 cannot be imported"), (None, "not installed")])
def test_doctor_says_which_package_is_broken(version: str | None, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # its import fails
    monkeypatch.setattr("fervid.cli.doctor.find_version", lambda name: version if name == "onnxruntime" else "1.0")
    done = runner.invoke(app, ["doctor", "--json", "-"])
    assert done.exit_code == 1
    broken = {row["check"]: row["detail"] for row in json.loads(done.stdout)["checks"] if row["state"] == "broken"}
    assert list(broken) == ["onnxruntime", "a portrait"]
    assert words in broken["onnxruntime"]


def test_doctor_knows_every_requirement_and_every_extra() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]

    def list_packages(lines: list[str]) -> set[str]:
        found = set()
        for line in lines:
            if inner := re.match(r"fervid\[(.+)\]", line):
                found |= {package for extra in inner[1].split(",") for package in list_packages(extras[extra])}
            else:
                found.add(re.split(r"[\[<>=!~ ]", line)[0])
        return found

    assert set(RUNTIME) == list_packages(project["dependencies"])
    for_users = extras.keys() - {"docs", "dev"}
    expected = {extra: list_packages(extras[extra]) for extra in for_users}
    assert {extra: set(packages) for extra, packages in EXTRAS.items()} == expected


def test_version_and_help() -> None:
    assert runner.invoke(app, ["--version"]).stdout == f"fervid {fervid.__version__}\n"
    overview = runner.invoke(app, ["--help"]).stdout
    for verb in ("demo", "image", "data", "train", "evaluate", "models", "doctor"):
        assert verb in overview


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_notes_and_data_do_not_stand_in_the_line_of_a_progress_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for beside_data in (False, True):
        screen = Screen()
        monkeypatch.setattr(sys, "stdout", screen)
        monkeypatch.setattr(sys, "stderr", screen)
        with show_progress("Reading", "pictures", beside_data=beside_data) as advance:
            advance(1, 2)
            print_note("saved a.jpg")
        assert ("Reading" in screen.getvalue()) is not beside_data
        assert "saved a.jpg" in [line.rpartition("\x1b[2K")[2] for line in screen.getvalue().splitlines()]


def test_terminals_break_the_lines_of_help() -> None:
    wide = runner.invoke(app, ["batch", "run", "--help"], env={"COLUMNS": "300"}).stdout
    assert "does only what is missing. Inputs that cannot be read are listed in DIR/failures and do not stop" in wide


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ImageError("it is broken", advice="Mend it."), 1),
        (UsageError("no such thing"), 2),
        (PermissionError(13, "Permission denied", "closed/a.jpg"), 1),
    ],
)
def test_an_error_becomes_words_and_a_status(
    error: Exception, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(app_module, "app", fail)
    with pytest.raises(SystemExit) as stop:
        app_module.main()
    assert stop.value.code == status
    out, err = capsys.readouterr()
    assert out == ""
    assert (error.filename if isinstance(error, OSError) else str(error).split(".")[0]) in err


def test_a_full_stdout_is_told_in_words() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "fervid", "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "error (output): cannot write stdout (No space left on device)"
    assert len(done.stderr.splitlines()) == 2


def test_a_name_is_printed_as_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    name = "scan:b:2 [bold]x[/nonsense].jpg"
    print_error(ImageError(f"cannot open {name}", advice=f"Look at {name}."))
    stdout().print(name, markup=False)
    screen = Screen()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    with show_progress(f"Fetching {name}") as advance:
        advance(1, 2)
    out, err = capsys.readouterr()
    assert out == f"{name}\n"
    assert err == f"error (input.image): cannot open {name}\n  Look at {name}.\n"
    assert f"Fetching {name}" in screen.getvalue()


def test_nothing_in_a_name_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode(b"a\xe9\n\x1b[2J\r\x07.jpg") + "\u2028\x9b é😊"
    assert escape_controls(name) == r"a\xe9\n\x1b[2J\r\x07.jpg\u2028\x9b é😊"
    print_note(f"saved {name}")
    print_error(ImageError(f"cannot open {name}", advice=f"Look at {name}."))
    lines = capsys.readouterr().err.split("\n")
    assert [line[:11] for line in lines] == [r"saved a\xe9", "error (inpu", "  Look at a", ""]


@pytest.mark.parametrize(("share", "text"), [(0, ""), (1, "████████"), (0.5, "████"), (1 / 64, "▏"), (0.3, "██▍")])
def test_bars_are_drawn_in_eighths(share: float, text: str) -> None:
    assert draw_bar(share, 8) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.21, "4.2 s"), (59.94, "59.9 s"), (59.97, "1:00"), (64.4, "1:04"), (3723, "1:02:03")]
)
def test_time_is_told_in_seconds_below_a_minute(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


def test_a_command_is_quoted_as_the_systems_shell_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["fervid", "train", "my runs/tiny.toml", "-o", "it's"]
    assert format_command(words) == """fervid train 'my runs/tiny.toml' -o 'it'"'"'s'"""
    with monkeypatch.context() as patch:
        patch.setattr(os, "name", "nt")
        line = format_command(words)
    assert line == """fervid train "my runs/tiny.toml" -o it's"""
