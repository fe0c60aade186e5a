from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest

from fervid.batch import remote
from fervid.batch.addresses import UnreachableError, is_lasting
from fervid.batch.listing import Item
from fervid.batch.manifest import RunManifest
from fervid.batch.remote import fetch, read_bytes
from fervid.batch.run import RunSummary
from fervid.batch.settings import Settings
from fervid.errors import InputError

fsspec = pytest.importorskip("fsspec")


class DroppedError(Exception):
    """As aiohttp and botocore have them: no OSError."""


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The store of ``memory://``, empty; attempts follow each other at once."""
    monkeypatch.setattr(remote, "WAITS_S", (0, 0))
    store = fsspec.filesystem("memory")
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


@pytest.fixture
def drop(memory: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, int]]:
    """Lets the store drop the next requests for files whose names hold a word; says how often each was asked for."""
    opened, asked, left = type(memory).open, dict[str, int](), dict[str, int]()

    def open_or_drop(self: Any, path: str, *arguments: Any, **options: Any) -> Any:
        asked[path] = asked.get(path, 0) + 1
        for word, count in left.items():
            if word in path and asked[path] <= count:
                raise DroppedError("connection reset")
        return opened(self, path, *arguments, **options)

    monkeypatch.setattr(type(memory), "open", open_or_drop)

    def let(word: str, times: int) -> dict[str, int]:
        left.clear()
        asked.clear()
        left[word] = times
        return asked

    return let


def test_what_fails_for_a_moment_is_tried_again(memory: Any, drop: Any) -> None:
    memory.pipe("/a.jpg", b"picture")
    item = Item("memory://a.jpg", "photo")
    for times in (0, 1, 2):
        asked = drop("a.jpg", times)
        assert read_bytes(item) == b"picture"
        assert list(asked.values()) == [times + 1]
    asked = drop("a.jpg", 3)
    with pytest.raises(UnreachableError, match=r"cannot read memory://a\.jpg \(connection reset\)"):
        read_bytes(item)
    assert list(asked.values()) == [3]


def test_what_breaks_off_is_taken_anew(memory: Any) -> None:
    memory.pipe("/a.jpg", b"picture")
    taken: list[bytes] = []

    def take(stream: IO[bytes]) -> int:
        taken.append(stream.read(3))
        if len(taken) < 3:
            raise ConnectionResetError
        return len(taken)

    assert fetch(Item("memory://a.jpg", "photo"), take) == 3
    assert taken == [b"pic"] * 3


def test_what_is_not_there_is_asked_for_once(memory: Any, drop: Any) -> None:
    asked = drop("nothing", 0)
    with pytest.raises(InputError, match=r"cannot read memory://gone\.jpg") as caught:
        read_bytes(Item("memory://gone.jpg", "photo"))
    assert not isinstance(caught.value, UnreachableError)
    assert list(asked.values()) == [1]


class HttpError(Exception):
    """As aiohttp's."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status}")
        self.status = status


class TimeoutOfHttpError(Exception):
    """As aiohttp's that nobody answered."""

    __module__ = "aiohttp.client_exceptions"


def raised_from(error: Exception, cause: Exception) -> Exception:
    """The first with the second as its cause."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "lasting"),
    [
        (FileNotFoundError(), True),
        (PermissionError(), True),
        (ConnectionResetError(), False),
        (TimeoutError(), False),
        (OSError("Forbidden: https://storage.googleapis.com/x"), True),
        (HttpError(500), False),
        (HttpError(403), True),
        (raised_from(FileNotFoundError("https://x"), HttpError(404)), True),
        (raised_from(FileNotFoundError("https://x"), HttpError(503)), False),
        (raised_from(FileNotFoundError("https://x"), TimeoutOfHttpError()), False),
    ],
)
def test_what_lasts(error: Exception, lasting: bool) -> None:
    assert is_lasting(error) == lasting


def test_an_address_that_does_not_answer_while_it_is_listed_is_left_to_the_next_run(
    memory: Any,
    tmp_path: Path,
    make_photos: Callable[..., Path],
    run: Callable[..., RunSummary],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory.put(str(make_photos(tmp_path / "photos", 3)), "/bucket", recursive=True)
    manifest = tmp_path / "list.csv"
    manifest.write_text("path\n" + "".join(f"memory://bucket/0000{n}.png\n" for n in range(3)))
    info = type(memory).info

    def refuse(self: Any, path: str, **options: Any) -> Any:
        if path.endswith("00001.png"):
            raise DroppedError("connection reset")
        return info(self, path, **options)

    with monkeypatch.context() as context:
        context.setattr(type(memory), "info", refuse)
        first = run(manifest, tmp_path / "out")
    assert (first.new.inputs, first.unreachable) == (2, 1)
    second = run(manifest, tmp_path / "out")
    assert (second.new.inputs, second.all.inputs, second.stale, second.unreachable) == (1, 3, 0, 0)


def test_a_long_film_that_does_not_answer_is_left_to_the_next_run(
    memory: Any,
    drop: Any,
    tmp_path: Path,
    make_film: Callable[..., Path],
    settings: Settings,
    run: Callable[..., RunSummary],
    read_tables: Any,
) -> None:
    make_film(tmp_path / "films" / "a.mp4", 6.0)
    make_film(tmp_path / "films" / "b.mp4", 6.0)
    memory.put(str(tmp_path / "films"), "/films", recursive=True)
    how = replace(settings, range_s=1.5)
    whole = run("memory://films", tmp_path / "whole", how=how)
    asked = drop("b.mp4", 0)
    run("memory://films", tmp_path / "counted", how=how)
    times = max(asked.values())
    assert times > 3  # once for its plan, once for each range

    answered = [True] + [False] * 3  # its plan, and then no more for one range
    opened = type(memory).open

    def open_or_drop(self: Any, path: str, *arguments: Any, **options: Any) -> Any:
        if "b.mp4" in path and answered and not answered.pop(0):
            raise DroppedError("connection reset")
        return opened(self, path, *arguments, **options)

    with pytest.MonkeyPatch.context() as context:
        context.setattr(type(memory), "open", open_or_drop)
        first = run("memory://films", tmp_path / "out", how=how)
    assert (first.new.inputs, first.unreachable) == (1, 1)
    second = run("memory://films", tmp_path / "out", how=how)
    assert (second.all.inputs, second.all.failed, second.unreachable) == (2, 0, 0)
    assert whole.all == second.all
    assert read_tables(tmp_path / "out") == read_tables(tmp_path / "whole")


def test_a_long_film_that_has_gone_since_it_was_planned_is_a_failure(
    memory: Any,
    tmp_path: Path,
    make_film: Callable[..., Path],
    settings: Settings,
    run: Callable[..., RunSummary],
    read_tables: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("a.mp4", "b.mp4"):
        make_film(tmp_path / "films" / name, 2.0)
    memory.put(str(tmp_path / "films"), "/films", recursive=True)
    asked: list[str] = []
    opened = type(memory).open

    def open_or_refuse(self: Any, path: str, *arguments: Any, **options: Any) -> Any:
        asked.append(path)
        if "a.mp4" in path and asked.count(path) > 2:  # its plan and its first range
            raise FileNotFoundError(path)
        return opened(self, path, *arguments, **options)

    monkeypatch.setattr(type(memory), "open", open_or_refuse)
    done = run("memory://films", tmp_path / "out", how=replace(settings, range_s=1.0))
    assert (done.all.inputs, done.all.failed, done.unreachable) == (2, 1, 0)
    (failure,) = read_tables(tmp_path / "out")["failures"]
    assert failure[1].endswith("a.mp4")
    assert failure[-2].startswith("cannot read memory:///films/a.mp4")


def test_inputs_that_do_not_answer_are_left_to_the_next_run(
    memory: Any,
    drop: Any,
    tmp_path: Path,
    make_photos: Callable[..., Path],
    make_film: Callable[..., Path],
    run: Callable[..., RunSummary],
    read_tables: Any,
) -> None:
    source = make_photos(tmp_path / "photos", 24)
    make_film(source / "film.mp4", 2.0)
    memory.put(str(source), "/bucket", recursive=True)
    whole = run("memory://bucket", tmp_path / "whole")
    assert (whole.all.inputs, whole.unreachable) == (25, 0)

    out = tmp_path / "out"
    drop("bucket/0000", 9)  # all photos of the first chunk
    first = run("memory://bucket", out)
    assert (first.new.inputs, first.new.failed, first.unreachable) == (15, 0, 10)
    manifest = RunManifest.read(out)
    assert manifest is not None
    assert not manifest.complete
    drop(".mp4", 0)
    drop("bucket/00003", 9)  # one of a chunk
    second = run("memory://bucket", out)
    assert (second.new.inputs, second.unreachable) == (9, 1)
    drop(".mp4", 0)
    third = run("memory://bucket", out)
    assert (third.new.inputs, third.all.inputs, third.all.failed, third.unreachable) == (1, 25, 0, 0)
    assert read_tables(out) == read_tables(tmp_path / "whole")
    manifest = RunManifest.read(out)
    assert manifest is not None
    assert manifest.complete

    drop(".mp4", 9)
    film = run("memory://bucket", tmp_path / "film")
    assert (film.new.inputs, film.unreachable) == (24, 1)
    drop(".mp4", 0)
    assert run("memory://bucket", tmp_path / "film").new.inputs == 1
