"""Trouble of the machine is no failure of a photo or film, and what nobody foresaw fails one photo, not the run."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fervid import pipeline
from fervid.batch import photos, remote
from fervid.batch import run as running
from fervid.batch.addresses import UnreachableError
from fervid.batch.films import FilmReader
from fervid.batch.listing import Item, list_inputs
from fervid.batch.run import RunSummary
from fervid.batch.settings import Settings
from fervid.batch.tables import Chunk
from fervid.errors import FervidError, InputError, MissingExtraError, UsageError
from fervid.imaging import load_image
from fervid.pipeline import Analyzer

Photos = Callable[..., Path]
Run = Callable[..., RunSummary]


@pytest.fixture
def after_listing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Does something when everything is listed and nothing is read yet."""

    def arrange(happen: Callable[[], None]) -> None:
        def listed(source: str) -> Any:
            items = list(list_inputs(source))
            happen()
            return iter(items)

        monkeypatch.setattr(running, "list_inputs", listed)

    return arrange


def test_files_that_this_machine_does_not_see_are_left_to_the_next_run(
    tmp_path: Path, make_photos: Photos, make_film: Photos, run: Run, after_listing: Any
) -> None:
    source, away, out = make_photos(tmp_path / "photos", 4), tmp_path / "away", tmp_path / "out"
    make_film(source / "film.mp4", 1.0)
    after_listing(lambda: source.rename(away))
    first = run(source, out)
    assert (first.new.inputs, first.unreachable) == (0, 5)
    away.rename(source)
    after_listing(lambda: None)
    second = run(source, out)
    assert (second.all.inputs, second.all.failed, second.unreachable, second.stale) == (5, 0, 0, 0)


@pytest.mark.parametrize(
    ("number", "failed"), [(errno.EIO, 0), (errno.ESTALE, 0), (errno.ENOTCONN, 0), (errno.EACCES, 1)]
)
def test_what_a_disc_says_while_a_photo_or_film_is_opened(
    tmp_path: Path, make_photos: Photos, run: Run, monkeypatch: pytest.MonkeyPatch, number: int, failed: int
) -> None:
    source, opened = make_photos(tmp_path / "photos", 3), Path.open
    (source / "00003.mp4").write_bytes(b"film")
    broken = ("00001.png", "00003.mp4")

    def refuse(self: Path, *arguments: Any, **options: Any) -> Any:
        if self.name in broken:
            raise OSError(number, os.strerror(number))
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    done = run(source, tmp_path / "out")
    # The film is read by others, who find that it is none.
    assert (done.new.inputs, done.new.failed, done.unreachable) == (2 + 2 * failed, 2 * failed, 2 - 2 * failed)


def test_a_disc_that_breaks_off_within_a_photo_is_asked_again(
    tmp_path: Path, make_photos: Photos, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(_: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    source = make_photos(tmp_path / "photos", 1)
    with monkeypatch.context() as context:
        context.setattr("PIL.ImageFile.ImageFile.load", break_off)
        assert run(source, tmp_path / "out").unreachable == 1
        with pytest.raises(InputError, match=r"cannot read .*00000\.png \(Input/output error\)"):
            load_image(source / "00000.png")
    assert run(source, tmp_path / "out").all.inputs == 1


def test_what_was_never_there_is_a_failure(tmp_path: Path, run: Run) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("path\ngone.jpg\ngone.mp4\n")
    done = run(manifest, tmp_path / "out")
    assert (done.all.inputs, done.all.failed, done.unreachable) == (2, 2, 0)


def test_a_folder_on_a_disc_that_does_not_answer_is_left_to_the_next_run(
    tmp_path: Path, make_photos: Photos, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, scan = make_photos(tmp_path / "photos", 1), os.scandir
    make_photos(source / "share", 2)

    def refuse(folder: Any) -> Any:
        if str(folder).endswith("share"):
            raise OSError(errno.ESTALE, "Stale file handle")
        return scan(folder)

    with monkeypatch.context() as context:
        context.setattr("os.scandir", refuse)
        first = run(source, tmp_path / "out")
    assert (first.all.inputs, first.all.failed, first.unreachable) == (1, 0, 1)
    second = run(source, tmp_path / "out")
    assert (second.all.inputs, second.stale, second.unreachable) == (3, 0, 0)


def test_a_disc_that_did_not_answer_when_it_was_listed_is_not_asked_again(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"film")
    item = Item(str(tmp_path / "film.mp4"), "film", answers=False)
    with pytest.raises(UnreachableError, match="did not answer"):
        remote.locate_local(item)


@pytest.mark.parametrize("kind", [MissingExtraError, UsageError])
def test_what_would_fail_with_every_address_stops_the_run(
    kind: type[FervidError], tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Item) -> bytes:
        raise kind("s3:// needs another package")

    monkeypatch.setattr(photos, "read_bytes", fail)
    analyzer, chunk = Analyzer(settings.model, settings.detector, threads=1), Chunk(tmp_path, "a", "photo")
    with pytest.raises(kind, match="another package"):
        photos.read_photos(analyzer, [Item("s3://bucket/a.jpg", "photo", 1)], chunk)
    chunk.discard()


@pytest.fixture
def surprise(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets an error be raised over photos whose names hold a word."""

    def arrange(word: str, error: Exception) -> None:
        load = pipeline.load_image

        def fail(source: Any, **options: Any) -> Any:
            if word in str(source):
                raise error
            return load(source, **options)

        monkeypatch.setattr(pipeline, "load_image", fail)

    return arrange


def test_what_nobody_foresaw_fails_one_photo(
    tmp_path: Path, make_photos: Photos, run: Run, read_tables: Any, surprise: Any
) -> None:
    source, out = make_photos(tmp_path / "photos", 7), tmp_path / "out"
    surprise("00004.png", RuntimeError("no such thing"))
    done = run(source, out)
    assert (done.all.inputs, done.all.failed, done.unreachable) == (7, 1, 0)
    tables = read_tables(out)
    (failure,) = tables["failures"]
    assert failure[1].endswith("00004.png")
    assert failure[-3:-1] == ("input", "reading it failed (RuntimeError: no such thing)")
    assert len(tables["faces"]) == sum(number % 3 for number in range(7) if number != 4)
    assert len(list(out.glob("inputs/*.parquet"))) == 1


def test_a_photo_for_which_memory_is_short_is_left_to_the_next_run(
    tmp_path: Path, make_photos: Photos, run: Run, surprise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = make_photos(tmp_path / "photos", 4), tmp_path / "out"
    surprise("00002.png", MemoryError())
    first = run(source, out)
    assert (first.all.inputs, first.all.failed, first.unreachable) == (3, 0, 1)
    monkeypatch.undo()
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: (_ for _ in ()).throw(MemoryError()))
    assert run(source, out).unreachable == 1  # as the decoder says it
    monkeypatch.undo()
    assert run(source, out).all == (4, 0, 0 + 1 + 2 + 0)


def test_a_film_for_which_memory_is_short_is_left_to_the_next_run(
    tmp_path: Path, make_film: Photos, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = make_film(tmp_path / "films" / "film.mp4", 1.0).parent, tmp_path / "out"

    def fail(*_: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as context:
        context.setattr(FilmReader, "_record", fail)
        first = run(source, out)
    assert (first.all.inputs, first.unreachable) == (0, 1)
    second = run(source, out)
    assert (second.all.inputs, second.all.failed) == (1, 0)
