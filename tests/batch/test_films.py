"""Films that several tasks read are as if one had read them."""

from __future__ import annotations

import dataclasses
import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fervid.batch import films, remote
from fervid.batch.films import FilmReader, fetch_film
from fervid.batch.listing import Item
from fervid.batch.run import RunSummary
from fervid.batch.settings import Settings
from fervid.batch.tables import list_columns
from fervid.batch.tasks import Range
from fervid.errors import FervidError, InputError, MissingExtraError, ModelError, OutputError
from fervid.pipeline import Analyzer
from fervid.sinks.table import COLUMNS, list_rows

Run = Callable[..., RunSummary]
Film = Callable[..., Path]


def faces_of(tables: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of faces in the order of the film."""
    frame, face = list_columns("faces").index("frame"), list_columns("faces").index("face")
    return sorted(tables["faces"], key=lambda row: (row[frame], row[face]))


@pytest.mark.parametrize("every_s", [0.5, 0.3, 0.0])
def test_a_film_in_ranges_is_the_film_in_one(
    tmp_path: Path, make_film: Film, run: Run, read_tables: Any, settings: Settings, every_s: float
) -> None:
    film = make_film(tmp_path / "film.mp4")
    whole = dataclasses.replace(settings, every_s=every_s)
    one, many = tmp_path / "one", tmp_path / "many"
    run(film, one, how=whole)
    run(film, many, how=dataclasses.replace(whole, range_s=2.5))
    first, second = faces_of(read_tables(one)), faces_of(read_tables(many))
    assert len(first) == len(second) > 20
    for a, b in zip(first, second, strict=True):
        assert [v for v in a if not isinstance(v, float)] == [v for v in b if not isinstance(v, float)]
        # How many faces the network reads at once may change the last digit.
        assert [v for v in a if isinstance(v, float)] == pytest.approx([v for v in b if isinstance(v, float)], abs=2e-6)
    assert read_tables(one)["inputs"] == read_tables(many)["inputs"]
    assert not list(many.glob(".films/*"))
    tracks = {row[list_columns("faces").index("track")] for row in first}
    assert tracks >= {1, 2, 3, 4}  # two people, again after the cut


def test_rows_are_those_of_the_analyzer(
    tmp_path: Path, make_film: Film, run: Run, read_tables: Any, settings: Settings
) -> None:
    film = make_film(tmp_path / "film.mp4")
    run(film, tmp_path / "out", how=dataclasses.replace(settings, range_s=3.0))
    found = [row[: len(COLUMNS)] for row in faces_of(read_tables(tmp_path / "out"))]
    analyzer = Analyzer(settings.model, settings.detector, threads=1)
    expected = [row for frame in analyzer.video(film, every_s=settings.every_s) for row in list_rows(frame)]
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert [v for v in a if not isinstance(v, float)] == [v for v in b if not isinstance(v, float)]
        assert [v for v in a if isinstance(v, float)] == pytest.approx([v for v in b if isinstance(v, float)], abs=2e-6)


def test_ranges_meet_between_the_intervals(
    tmp_path: Path, make_film: Film, detector: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = make_film(tmp_path / "film.mp4")
    how = dataclasses.replace(settings, every_s=0.7, range_s=3.0)
    reader = FilmReader(Analyzer("small", detector, threads=1), how)
    ranges = reader.plan_ranges(film)
    assert [part.number for part in ranges] == [0, 1, 2]
    assert [part.start_s for part in ranges] == pytest.approx([0, 3.5, 7.0])
    assert [part.end_s for part in ranges] == [ranges[1].start_s, ranges[2].start_s, None]
    assert len(FilmReader(Analyzer("small", detector, threads=1), settings).plan_ranges(film)) == 1
    monkeypatch.setattr(films, "MOST_RANGES", 2)  # of headers that promise years
    assert reader.plan_ranges(film) == [ranges[0], ranges[1]._replace(end_s=None)]


def test_recorded_ranges_are_not_read_again(
    tmp_path: Path, make_film: Film, run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = make_film(tmp_path / "films" / "film.mp4").parent, tmp_path / "out"
    how = dataclasses.replace(settings, range_s=2.0)
    record, read = FilmReader.record, list[int]()

    def stop_at(number: int | None) -> None:
        def recorded(self: FilmReader, path: Path, part: Any, target: Path) -> None:
            if part.number == number:
                raise KeyboardInterrupt
            read.append(part.number)
            record(self, path, part, target)

        monkeypatch.setattr(FilmReader, "record", recorded)

    stop_at(3)
    with pytest.raises(KeyboardInterrupt):
        run(source, out, how=how)
    assert read == [0, 1, 2]
    next(out.glob(".films/*/000001.jsonl")).write_text("")  # as a power cut leaves it
    stop_at(None)
    done = run(source, out, how=how)
    assert read == [0, 1, 2, 1, 3, 4, 5]
    assert done.all.inputs == 1


def test_bad_films_are_failures_beside_photos(
    tmp_path: Path, make_film: Film, make_photos: Callable[..., Path], run: Run, read_tables: Any, settings: Settings
) -> None:
    source = make_photos(tmp_path / "mixed", 4)
    film = make_film(source / "good.mp4", 6.0)
    (source / "cut.mp4").write_bytes(film.read_bytes()[:2000])
    (source / "empty.mov").write_bytes(b"")
    done = run(source, tmp_path / "out", how=dataclasses.replace(settings, range_s=2.0))
    assert (done.all.inputs, done.all.failed) == (7, 2)
    tables = read_tables(tmp_path / "out")
    assert {Path(row[1]).name for row in tables["failures"]} == {"cut.mp4", "empty.mov"}
    columns = list_columns("inputs")
    good = next(row for row in tables["inputs"] if row[1].endswith("good.mp4"))
    assert good[columns.index("problems")] is None
    assert good[columns.index("frames")] == 12
    assert good[columns.index("width")] == 176


def test_an_error_of_a_range_is_the_films(
    tmp_path: Path, make_film: Film, run: Run, read_tables: Any, settings: Settings
) -> None:
    source, out = make_film(tmp_path / "films" / "film.mp4").parent, tmp_path / "out"
    how = dataclasses.replace(settings, range_s=4.0)

    def stop(progress: Any) -> None:
        if progress.ranges_done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(source, out, how=how, report=stop)
    records = sorted(out.glob(".films/*/*.jsonl"))
    assert len(records) == 2
    error = {"code": "input.video", "message": "no frame can be decoded", "advice": "Copy it again."}
    records[1].write_text(json.dumps({"error": error}) + "\n")
    done = run(source, out, how=how)
    assert (done.all.inputs, done.all.failed) == (1, 1)
    assert read_tables(out)["failures"][0][-3:] == tuple(error.values())


@pytest.mark.parametrize(
    ("method", "range_s"), [("_record", 600.0), ("_record", 1.0), ("plan_ranges", 600.0), ("join", 1.0)]
)
def test_what_nobody_foresaw_fails_one_film(
    tmp_path: Path,
    make_film: Film,
    run: Run,
    read_tables: Any,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    range_s: float,
) -> None:
    for name in ("a.mp4", "b.mp4"):
        make_film(tmp_path / "films" / name, 2.0)
    real = getattr(FilmReader, method)

    def surprise(self: FilmReader, path: Any, *rest: Any) -> Any:
        if "a.mp4" in f"{path} {rest}":
            raise RuntimeError("no such thing")
        return real(self, path, *rest)

    monkeypatch.setattr(FilmReader, method, surprise)
    out = tmp_path / "out"
    done = run(tmp_path / "films", out, how=dataclasses.replace(settings, range_s=range_s))
    assert (done.all.inputs, done.all.failed) == (2, 1)
    (failure,) = read_tables(out)["failures"]
    assert failure[1].endswith("a.mp4")
    assert failure[-3:-1] == ("input", "reading it failed (RuntimeError: no such thing)")
    assert not list(out.glob(".films/*"))


def test_problems_of_ranges_are_told_once() -> None:
    ends = [
        {"problems": [["untimed", "no times", 1, None], ["damaged", "2 packets", 2, 3.5]]},
        {"problems": [["untimed", "no times", 1, None], ["damaged", "3 packets", 3, 3.5]]},  # read from its beginning
        {"problems": [["damaged", "1 packet", 1, 8.0], ["gap", "a gap"]]},  # as an older version kept it
        {"empty": True},
    ]
    assert films._merge_problems(ends) == "no times · 3 packets (met again in later ranges: 1) · a gap"
    assert films._merge_problems([{"problems": []}]) is None


@pytest.mark.parametrize("kind", [MissingExtraError, ModelError, OutputError])
def test_what_is_no_fault_of_the_film_is_not_recorded(
    kind: type[FervidError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise kind("it is not here")

    monkeypatch.setattr(FilmReader, "_record", fail)
    with pytest.raises(kind):
        FilmReader.__new__(FilmReader).record(tmp_path / "film.mp4", Range(0, 0.0, None), tmp_path / "0.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_the_copy_of_a_film_has_its_ending() -> None:
    memory = pytest.importorskip("fsspec").filesystem("memory")
    memory.pipe("/film.mp4", b"film")
    with fetch_film(Item("simplecache::memory://film.mp4", "film")) as path:
        assert path.name == "film.mp4"
    memory.store.clear()


def test_a_film_that_shows_nobody_has_no_rows_and_is_no_failure(
    tmp_path: Path, run: Callable[..., RunSummary], read_tables: Any
) -> None:
    pytest.importorskip("av")
    from fervid.video.writing import VideoWriter

    (tmp_path / "films").mkdir()
    with VideoWriter(tmp_path / "films" / "sea.mp4", frame_rate=5) as writer:
        for number in range(20):
            writer.write(np.full((96, 128, 3), (40, 90, 160), dtype=np.uint8), number / 5)
    done = run(tmp_path / "films", tmp_path / "out")
    assert (done.all.inputs, done.all.failed, done.all.faces) == (1, 0, 0)
    assert read_tables(tmp_path / "out")["failures"] == []


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, OutputError), (errno.ECONNRESET, InputError)])
def test_a_full_disk_is_no_fault_of_a_remote_film(
    monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(number, "it breaks off")

    memory = pytest.importorskip("fsspec").filesystem("memory")
    memory.pipe("/film.mp4", b"film")
    monkeypatch.setattr(remote, "WAITS_S", (0, 0))
    monkeypatch.setattr("shutil.copyfileobj", fail)
    with pytest.raises(kind, match="it breaks off"), fetch_film(Item("memory://film.mp4", "film")):
        pass
