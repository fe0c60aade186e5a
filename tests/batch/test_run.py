"""A run from its source to its tables: what is read, what is left out, what is refused."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fervid.batch.local import LocalEngine
from fervid.batch.locks import hold_lock
from fervid.batch.run import Progress, RunSummary, run_batch
from fervid.batch.settings import Settings
from fervid.batch.summary import summarise
from fervid.batch.tables import Counts, check_free, remove_damaged, remove_leftovers
from fervid.errors import ContractError, MissingExtraError, OutputError, UsageError
from fervid.models.store import BUNDLED
from fervid.sinks.table import COLUMNS

Run = Callable[..., RunSummary]
Photos = Callable[..., Path]


def test_every_photo_is_read_once_and_corrupt_ones_are_failures(
    tmp_path: Path, make_photos: Photos, run: Run, read_tables: Any
) -> None:
    source = make_photos(tmp_path / "photos", 200, corrupt=100)
    seen: list[Progress] = []
    done = run(source, tmp_path / "out", chunk=32, report=seen.append)
    dots = sum(number % 3 for number in range(200) if number % 100 != 50)
    assert done.new == done.all == Counts(200, 2, dots)
    tables = read_tables(tmp_path / "out")
    assert [len(tables[name]) for name in ("inputs", "failures", "faces")] == [200, 2, dots]
    assert {row[1] for row in tables["failures"]} == {str(source / "00050.png"), str(source / "00150.png")}
    assert {row[5] for row in tables["failures"]} == {"input.image"}
    assert (seen[0], seen[-1]) == (Progress(0, 200), Progress(200, 200))
    manifest = json.loads((tmp_path / "out" / "run.json").read_text())
    assert manifest["complete"] is True
    assert manifest["counts"] == {"inputs": 200, "failed": 2, "faces": dots}
    assert manifest["settings"]["model"].startswith("small@")
    assert manifest["settings"]["detector"].startswith("dots@")
    assert manifest["versions"]["fervid"]


def test_rows_have_the_fixed_columns_and_the_sources_facts(
    tmp_path: Path, make_photos: Photos, run: Run, settings: Settings
) -> None:
    import pyarrow.parquet as pq

    from fervid.pipeline import Analyzer
    from fervid.sinks.table import list_rows

    source = make_photos(tmp_path / "photos", 3)
    run(source, tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "faces")
    assert tuple(table.column_names) == (*COLUMNS, "input", "bytes", "modified", "width", "height", "kind")
    path = source / "00002.png"
    rows = [row for row in table.to_pylist() if row["source"] == str(path)]
    expected = list_rows(Analyzer(settings.model, settings.detector, threads=1).analyze(path))
    for row, values in zip(rows, expected, strict=True):
        found = [row[column] for column in COLUMNS]
        assert [v for v in found if not isinstance(v, float)] == [v for v in values if not isinstance(v, float)]
        assert [v for v in found if isinstance(v, float)] == pytest.approx(
            [v for v in values if isinstance(v, float)], abs=2e-6
        )
        assert (row["width"], row["height"], row["kind"]) == (144, 96, "photo")
        assert row["bytes"] == path.stat().st_size
        assert row["modified"].timestamp() == pytest.approx(path.stat().st_mtime, abs=1e-5)


def test_a_second_run_does_only_what_is_missing(
    tmp_path: Path, make_photos: Photos, run: Run, read_tables: Any
) -> None:
    source, out = make_photos(tmp_path / "photos", 45), tmp_path / "out"
    run(source, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    assert run(source, out).new == Counts()
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")} == before
    make_photos(source / "more", 7)  # in the middle of the order, and in chunks that are done
    (source / "00000a.png").write_bytes((source / "00001.png").read_bytes())
    assert run(source, out).new.inputs == 8
    fresh = tmp_path / "fresh"
    run(source, fresh)
    assert read_tables(out) == read_tables(fresh)


def test_an_unfinished_run_resumes_to_the_rows_of_an_uninterrupted_one(
    tmp_path: Path, make_photos: Photos, run: Run, read_tables: Any, settings: Settings
) -> None:
    source, out = make_photos(tmp_path / "photos", 60, corrupt=20), tmp_path / "out"

    class StopError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.done >= 20:
            raise StopError

    with pytest.raises(StopError):
        run(source, out, report=stop)
    assert json.loads((out / "run.json").read_text())["complete"] is False
    first = next((out / "inputs").glob("*.parquet"))
    first.unlink()  # as if the driver had died before the last file of a chunk
    (out / "faces" / "kind=photo" / ".half.parquet.1.part").write_bytes(b"half")
    assert run(source, out).new.inputs == 50
    run(source, tmp_path / "whole")
    assert read_tables(out) == read_tables(tmp_path / "whole")
    assert not list(out.rglob("*.part"))
    assert not list(out.glob(".plan*"))


def test_a_changed_file_is_read_again_and_said(tmp_path: Path, make_photos: Photos, run: Run) -> None:
    source, out = make_photos(tmp_path / "photos", 12), tmp_path / "out"
    run(source, out)
    os.utime(source / "00003.png", (1, 1))
    done = run(source, out)
    assert (done.new.inputs, done.stale) == (1, 1)


def test_other_settings_are_refused_and_named(
    tmp_path: Path, make_photos: Photos, run: Run, settings: Settings
) -> None:
    source, out = make_photos(tmp_path / "photos", 3), tmp_path / "out"
    run(source, out)
    other = dataclasses.replace(settings, min_face=40.0, model="base", every_s=0)
    model = "the model small@.*, this one has the model base@.*"
    face = "faces from 20 px, this one has faces from 40 px"
    every = "a frame every 0.5 s, this one has every frame"
    with pytest.raises(UsageError, match=rf"was begun with {model}; with {face}; with {every}\."):
        run(source, out, how=other)
    with pytest.raises(UsageError, match="source"):
        run(make_photos(tmp_path / "others", 3), out)
    assert run(source, out).all.inputs == 3


def test_a_network_of_six_labels_is_refused_before_anything_is_written(
    tmp_path: Path, make_photos: Photos, run: Run, settings: Settings, six_labels: Path
) -> None:
    source, out = make_photos(tmp_path / "photos", 3), tmp_path / "out"
    seven = dataclasses.replace(settings, model=str(six_labels))
    with pytest.raises(UsageError, match=r"six@.* was trained on six labels") as caught:
        run(source, out, how=seven)
    assert "--labels 6" in caught.value.advice
    assert not out.exists()
    assert run(source, out, how=dataclasses.replace(seven, labels=6)).all == Counts(3, 0, 3)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"min_face": 0.0}, UsageError, "min_face is 0"),
        ({"min_face": float("nan")}, UsageError, "min_face is nan"),
        ({"detector": "base"}, ContractError, "base is no face detector"),
        ({"detector": str(BUNDLED / "small.onnx")}, ContractError, "small"),
    ],
)
def test_settings_that_no_worker_takes_are_refused_before_anything_is_written(
    tmp_path: Path,
    make_photos: Photos,
    run: Run,
    settings: Settings,
    changes: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    source, out = make_photos(tmp_path / "photos", 1), tmp_path / "out"
    with pytest.raises(error, match=message):
        run(source, out, how=dataclasses.replace(settings, **changes))
    assert not out.exists()


def test_models_are_found_from_every_folder(
    tmp_path: Path, settings: Settings, detector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.onnx").write_bytes((BUNDLED / "small.onnx").read_bytes())
    monkeypatch.chdir(tmp_path)
    mine = Settings(model="./mine.onnx", detector=os.path.relpath(detector)).resolve()
    assert (mine.model, mine.detector) == (str(tmp_path / "mine.onnx"), detector)
    assert mine.identity.startswith("mine@")
    named = Settings(model="small", detector="faces").resolve()
    assert (named.model, named.detector) == ("small", "faces")


@pytest.mark.parametrize("folder", ["inputs", "failures", "faces/kind=photo"])
def test_tables_of_something_else_are_left_alone(tmp_path: Path, make_photos: Photos, run: Run, folder: str) -> None:
    source, out = make_photos(tmp_path / "photos", 2), tmp_path / "project"
    mine = out / folder / "mine.parquet"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"of somebody else")
    with pytest.raises(UsageError, match=rf"{folder} holds tables of something else"):
        run(source, out)
    assert mine.read_bytes() == b"of somebody else"
    assert not (out / "run.json").exists()


def test_tables_of_somebody_else_beside_those_of_a_run_stay(tmp_path: Path, make_photos: Photos, run: Run) -> None:
    source, out = make_photos(tmp_path / "photos", 2), tmp_path / "out"
    run(source, out)
    mine = [out / folder / "mine.parquet" for folder in ("inputs", "failures", "faces/kind=photo")]
    for file in mine:
        file.write_bytes(b"of somebody else")
    make_photos(source / "more", 2)
    done = run(source, out)
    assert (done.new.inputs, done.all.inputs) == (2, 4)
    pytest.importorskip("duckdb")
    assert summarise(out).total.inputs == 4
    assert [file.read_bytes() for file in mine] == [b"of somebody else"] * 3


def test_a_folder_that_cannot_be_listed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inputs").mkdir()

    def refuse(_: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    for look in (check_free, remove_damaged, remove_leftovers):
        with pytest.raises(OutputError, match=r"cannot (look into|clean) .* \(Permission denied\)"):
            look(tmp_path)


def test_a_run_that_does_not_begin_removes_nothing(tmp_path: Path, run: Run) -> None:
    half = tmp_path / "out" / "inputs" / "download.part"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no photos or films"):
        run(tmp_path / "empty", tmp_path / "out")
    assert half.exists()


def test_a_run_leaves_nothing_that_is_not_done(tmp_path: Path, make_photos: Photos, run: Run) -> None:
    source, out = make_photos(tmp_path / "photos", 20), tmp_path / "out"

    def leave(progress: Progress) -> None:  # as workers that are killed
        (out / "faces" / "kind=photo").mkdir(parents=True, exist_ok=True)
        (out / "faces" / "kind=photo" / "0123456789abcdef.parquet").write_bytes(b"rows")
        (out / "faces" / "kind=photo" / ".0123.part").write_bytes(b"rows")
        (out / "faces" / "kind=photo" / "download.part").write_bytes(b"of somebody else")
        (out / ".films" / "0123456789abcdef").mkdir(parents=True, exist_ok=True)

    run(source, out, report=leave)
    assert {file.stem for file in out.rglob("*.parquet")} == {file.stem for file in out.glob("inputs/*")}
    assert [file.name for file in out.rglob("*.part")] == ["download.part"]
    assert not (out / ".films").exists()


def test_a_run_that_goes_on_says_what_is_done_from_its_beginning(tmp_path: Path, make_photos: Photos, run: Run) -> None:
    source, out = make_photos(tmp_path / "photos", 3), tmp_path / "out"
    first = run(source, out)
    make_photos(source / "more", 3)
    seen: list[Any] = []
    run(source, out, report=lambda _: seen.append(json.loads((out / "run.json").read_text())))
    assert seen[0]["counts"] == first.all._asdict()
    assert seen[0]["ended"] is None


def test_odd_names_survive(tmp_path: Path, make_photos: Photos, run: Run, read_tables: Any) -> None:
    source = make_photos(tmp_path / "photos", 2)
    picture = (source / "00001.png").read_bytes()
    names = ["ünï cødé 😀 %20 #?.png", "a" * 251 + ".png", "quote ' \" \n new line.png", "[glob]*.png"]
    for name in names:
        (source / name).write_bytes(picture)
    broken = os.fsencode(source) + b"/latin-\xe9.png"
    with open(broken, "wb") as stream:  # noqa: PTH123 - a name that is no text
        stream.write(picture)
    deep = source
    for _ in range(6):
        deep = deep / ("d" * 200)
    deep.mkdir(parents=True)
    (deep / "deep.png").write_bytes(picture)
    assert run(source, tmp_path / "out").all == Counts(8, 0, 1 + 4 + 1 + 1)
    found = {row[1] for row in read_tables(tmp_path / "out")["inputs"]}
    assert found >= {str(source / name) for name in names} | {str(source / "latin-\\xe9.png"), str(deep / "deep.png")}
    assert run(source, tmp_path / "out").new == Counts()


def test_an_empty_source_leaves_nothing(tmp_path: Path, run: Run) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no picture")
    with pytest.raises(UsageError, match="no photos or films"):
        run(tmp_path / "empty", tmp_path / "out")
    assert not (tmp_path / "out" / "run.json").exists()
    for source in ("nowhere", "no*where", "nosuch://place"):
        with pytest.raises(UsageError):
            run(tmp_path / source if "://" not in source else source, tmp_path / "out")


def test_an_unwritable_target_is_refused(tmp_path: Path, make_photos: Photos, run: Run) -> None:
    source = make_photos(tmp_path / "photos", 1)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        run(source, tmp_path / "file")
    with pytest.raises(OutputError, match="cannot write"):
        run(source, tmp_path / "file" / "below")


def test_two_runs_do_not_share_a_folder(tmp_path: Path, make_photos: Photos, run: Run) -> None:
    source, out = make_photos(tmp_path / "photos", 1), tmp_path / "out"
    with hold_lock(out), pytest.raises(UsageError, match="another run"):
        run(source, out)
    run(source, out)


def test_a_file_system_without_locks_is_said(
    tmp_path: Path, make_photos: Photos, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(OutputError, match=r"cannot lock .*out.* \(No locks available\)"):
        run(make_photos(tmp_path / "photos", 1), tmp_path / "out")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], capture_output=True, check=False
    ) if sys.platform == "linux" and os.geteuid() == 0 else None  # fmt: skip
    if mounted is None or mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_stops_the_run_which_goes_on_with_more_space(
    tmp_path: Path, small_disk: Path, make_photos: Photos, run: Run, read_tables: Any
) -> None:
    source, out = make_photos(tmp_path / "photos", 60), small_disk / "out"
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(150_000))
    with pytest.raises(OutputError, match="No space left"):
        run(source, out, chunk=2)
    kept = len(list((out / "inputs").glob("*.parquet")))
    assert 0 < kept < 30
    assert not list(out.rglob("*.part"))
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    assert run(source, out, chunk=2).new.inputs == 60 - 2 * kept
    run(source, tmp_path / "whole")
    assert read_tables(out) == read_tables(tmp_path / "whole")


def test_without_the_extra_the_pip_line_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_photos: Photos, settings: Settings
) -> None:
    source = make_photos(tmp_path / "photos", 1)
    find = __import__("importlib.util").util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "pyarrow" else find(name))

    def refuse(_: Settings) -> LocalEngine:
        raise AssertionError

    with pytest.raises(MissingExtraError) as caught:
        run_batch(str(source), tmp_path / "out", settings, refuse)
    assert 'pip install "fervid[batch]"' in caught.value.advice
