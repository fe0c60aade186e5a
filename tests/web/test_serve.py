"""``fervid serve``: how it starts, what it says, how it ends."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import math
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fervid.cli import serve as command
from fervid.cli.app import app
from fervid.cli.camera import camera
from fervid.cli.video import video
from fervid.errors import MissingExtraError, UsageError
from fervid.web.database.engine import Database
from fervid.web.films import worker
from fervid.web.films.jobs import FilmOptions
from fervid.web.live import LIVE_MIN_FACE
from fervid.web.server import MOST_FILES, describe_address, open_socket, raise_file_limit
from fervid.web.settings import FILM_PIXELS, Settings

NO_ORIGINS = (
    "http://[::1", "https://x:99999", "https://x:abc", "https://u:p@x", "https://x?y", "https://x#y", "ws://x", "https://",
)  # fmt: skip
FERVID = (sys.executable, "-m", "fervid")


@contextmanager
def run_serve(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """The process once it answers, its address, and the lines it has said."""
    environment = {**os.environ, "FERVID_DATA_DIR": str(folder / "data"), "NO_COLOR": "1"}
    process = subprocess.Popen(
        [*FERVID, "serve", "--port", "0", "--workers", "1", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line.rstrip())
            if found := re.search(r"fervid is at (https?://\S+) ", line):
                yield process, found[1], lines
                return
        pytest.fail("\n".join(lines))
    finally:
        process.kill()
        process.communicate()


def ask(address: str, context: ssl.SSLContext | None = None) -> bytes:
    with urllib.request.urlopen(f"{address}/api/v1/health", timeout=60, context=context) as answer:
        data: bytes = answer.read()
    return data


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_it_says_one_line_and_a_signal_ends_it(tmp_path: Path, number: signal.Signals, status: int) -> None:
    with run_serve(tmp_path) as (process, address, lines):
        assert b'"ok"' in ask(address)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert len(lines) == 1
    assert "Ctrl-C" in lines[0]
    assert (out, err) == ("", "")
    assert process.returncode == status


def test_with_a_certificate_it_speaks_https(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not here, so there is no certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    kind = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, *kind, *names, *files], check=True, capture_output=True)
    arguments = ("--ssl-certfile", str(certificate), "--ssl-keyfile", str(key))
    with run_serve(tmp_path, *arguments) as (_, address, _):
        assert address.startswith("https://127.0.0.1:")
        assert b'"ok"' in ask(address, ssl.create_default_context(cafile=certificate))


def test_a_wider_bind_is_warned_of(tmp_path: Path) -> None:
    with run_serve(tmp_path, "--host", "0.0.0.0") as (_, address, lines):
        assert address.startswith("http://localhost:")
    assert len(lines) == 2
    for words in ("Other machines", "HTTPS", "docs/serving.md"):
        assert words in lines[0]


def test_a_port_in_use_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run([*FERVID, "serve", "--port", str(port)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"port {port} of 127.0.0.1 is in use" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_certificate_is_said(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    done = subprocess.run(
        [*FERVID, "serve", "--port", "0", "--data-dir", str(tmp_path), "--ssl-certfile", str(tmp_path / "cert.pem")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "cert.pem" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("module", command.MODULES)
def test_without_the_extra_the_pip_line_is_given(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else find(name))
    result = CliRunner().invoke(app, ["serve"])
    assert isinstance(result.exception, MissingExtraError)
    assert 'pip install "fervid[web]"' in str(result.exception)
    assert module in str(result.exception)


def test_help_names_every_setting() -> None:
    done = subprocess.run(
        [*FERVID, "serve", "--help"], capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "120"}
    )
    for words in ("--host", "--port", "--origin", "--ssl-certfile", "--workers", "--data-dir", "--max-film-mb"):
        assert words in done.stdout
    for field in Settings.__dataclass_fields__:
        assert f"FERVID_{field.upper()}" in done.stdout, field


@pytest.mark.parametrize("way", ["options", "variables"])
def test_every_option_and_every_variable_reaches_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    files = [tmp_path / "certificate.pem", tmp_path / "key.pem"]
    for file in files:
        file.touch()
    wanted: dict[str, Any] = {
        "host": "192.0.2.7", "port": 8000, "model": "a.onnx", "video_model": "b.onnx", "detector": "haar", "threads": 2,
        "workers": 3, "data_dir": tmp_path / "data", "database_url": "postgresql://a@b/c", "redis_url": "redis://d/1",
        "allow_expression_rooms": True, "statement": "volunteers", "min_group": 4, "room_hours": 6.5,
        "max_upload_mb": 7.5, "max_pixels": 9999, "max_film_mb": 10.5, "max_film_s": 11.5, "film_jobs": 12,
        "film_hours": 13.5, "origins": ("https://a.example", "http://b.example:8"),
        "ssl_certfile": files[0], "ssl_keyfile": files[1],
    }  # fmt: skip
    names = {"origins": "origin", "database_url": "database", "redis_url": "redis"}
    arguments, variables = [], {}
    for field, value in wanted.items():
        option = f"--{names.get(field, field).replace('_', '-')}"
        values = value if isinstance(value, tuple) else (value,)
        arguments += [option] if value is True else [word for each in values for word in (option, str(each))]
        variables[f"FERVID_{field.upper()}"] = " ".join(map(str, values))
    for name in variables:  # of whoever runs the tests
        monkeypatch.delenv(name, raising=False)
    found: list[Settings] = []
    monkeypatch.setattr("fervid.web.server.serve", lambda settings, **_: found.append(settings))
    if way == "options":
        done = CliRunner().invoke(app, ["serve", *arguments])
    else:
        done = CliRunner(env=variables).invoke(app, ["serve"])
    assert done.exit_code == 0, done.output
    assert [dataclasses.asdict(settings) for settings in found] == [wanted]
    assert all(field.default != wanted[field.name] for field in dataclasses.fields(Settings))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"port": 70000}, "port"),
        ({"workers": -1}, "workers"),
        ({"threads": 0}, "threads"),
        ({"max_pixels": 4095}, "max_pixels"),
        ({"min_group": 2}, "min_group"),
        ({"max_film_s": 0}, "--max-film-s"),
        ({"max_film_s": math.inf}, "--max-film-s"),
        ({"film_hours": 100_000_000}, "--film-hours"),
        ({"film_hours": math.nan}, "--film-hours"),
        ({"room_hours": math.inf}, "--room-hours"),
        ({"max_film_mb": math.inf}, "--max-film-mb"),
        ({"max_upload_mb": math.inf}, "--max-upload-mb"),
        ({"origins": ("example.org",)}, "origin"),
        ({"origins": ("https://example.org/path",)}, "origin"),
        ({"origins": ("javascript://example.org",)}, "origin"),
        *(({"origins": (origin,)}, "origin") for origin in NO_ORIGINS),
        ({"ssl_keyfile": Path("key.pem")}, "certificate"),
        ({"ssl_certfile": Path("no-such-file.pem")}, "no-such-file.pem"),
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Settings(**wrong)  # type: ignore[arg-type]


def test_the_database_lies_in_the_data_folder_whatever_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "what?%25#x"
    Database(Settings(data_dir=folder).database_url).close()
    assert (folder / "fervid.sqlite3").is_file()
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 4096), (4096, 4096)),
        ((1024, 1_000_000), (MOST_FILES, 1_000_000)),
        ((1024, -1), (MOST_FILES, -1)),
        ((100_000, 1_000_000), None),
        ((-1, -1), None),
    ],
)
def test_it_may_open_as_many_files_as_the_system_allows(
    monkeypatch: pytest.MonkeyPatch, before: tuple[int, int], after: tuple[int, int] | None
) -> None:
    resource = pytest.importorskip("resource")
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "RLIM_INFINITY", -1)
    monkeypatch.setattr(resource, "getrlimit", lambda _: before)
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: told.append(limits))
    raise_file_limit()
    assert told == ([] if after is None else [after])


def test_films_and_cameras_are_read_as_by_the_command_line() -> None:
    by_verb = {verb: inspect.signature(verb).parameters for verb in (video, camera)}
    assert by_verb[video]["min_face"].default == worker.MIN_FACE
    assert by_verb[camera]["min_face"].default == LIVE_MIN_FACE
    assert {parameters["model"].default for parameters in by_verb.values()} == {Settings().video_model}
    assert {parameters["smooth"].default for parameters in by_verb.values()} == {FilmOptions().smooth_s}


def test_settings_fill_in_what_follows(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path}/fervid.sqlite3"
    assert settings.workers >= 1
    assert settings.is_loopback
    assert settings.film_pixels == FILM_PIXELS < settings.max_pixels
    assert Settings(max_pixels=5000).film_pixels == 5000
    assert not Settings(host="0.0.0.0").is_loopback
    assert Settings(host="::1").is_loopback


def test_an_address_of_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"cannot listen on 192\.0\.2\.1"):
        open_socket(Settings(host="192.0.2.1", port=0))

    def find_nothing(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", find_nothing)
    with pytest.raises(UsageError, match="'nowhere' is no address"):
        open_socket(Settings(host="nowhere"))


def test_the_address_can_be_opened() -> None:
    for host, shown in (("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "localhost")):
        with open_socket(Settings(host=host, port=0)) as listener:
            port = listener.getsockname()[1]
            assert describe_address(Settings(), listener) == f"http://{shown}:{port}"
