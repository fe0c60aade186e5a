"""What a journal keeps: an older one, the detector's identity, and what was wrong with the film."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fervid.errors import OutputError, UsageError
from fervid.reading import FaceReader
from fervid.streaming.film import FilmStream
from fervid.streaming.journal import Batch, Journal, Look, is_resumable
from fervid.streaming.outputs import OutputPlan
from fervid.streaming.stream import StreamSettings
from fervid.video.problems import Problem

from .conftest import ScriptedDetector, two_people, write_film

HEADER = {"journal": "test", "film": "a.mp4"}
PROBLEM = Problem("damaged", "1 damaged packet, the first at 0.44 s", 1, 0.44)


def make_batch(index: int) -> Batch:
    """One frame that shows nobody."""
    look = Look(False, ((index, index / 25),), ())
    return Batch((160, 120), (look,), (), np.zeros((0, 0)), np.zeros((0, 0)))


def write_journal(path: Path, *indices: int) -> bytes:
    with Journal(path, HEADER) as journal:
        for index in indices:
            journal.add(make_batch(index))
    return path.read_bytes()


def list_frames(path: Path) -> list[int]:
    with Journal(path, HEADER, resume=True) as journal:
        return [batch.last_frame[0] for batch in journal]


def test_an_older_journal_stays_until_the_first_batch_of_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    before = write_journal(path, 0, 1, 2)
    with Journal(path, HEADER) as journal:
        assert list(journal) == []
    assert [file.name for file in tmp_path.iterdir()] == ["journal"]
    assert path.read_bytes() == before

    with pytest.raises(KeyboardInterrupt), Journal(path, {**HEADER, "film": "b.mp4"}):
        raise KeyboardInterrupt
    assert [file.name for file in tmp_path.iterdir()] == ["journal"]
    assert path.read_bytes() == before

    with Journal(path, HEADER) as journal:
        journal.add(make_batch(7))
        assert path.read_bytes() != before
        journal.add(make_batch(8))
    assert [file.name for file in tmp_path.iterdir()] == ["journal"]
    assert list_frames(path) == [7, 8]


def test_a_film_that_is_through_leaves_no_older_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    write_journal(path, 0)
    with Journal(path, HEADER) as journal:
        journal.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_taken_meanwhile_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    write_journal(path, 0)
    with Journal(path, HEADER) as journal:
        path.unlink()
        path.mkdir()
        with pytest.raises(OutputError, match=r"cannot write .*journal"):
            journal.add(make_batch(1))
    assert [file.name for file in tmp_path.iterdir()] == ["journal"]


def test_only_a_journal_of_the_same_film_and_settings_with_a_batch_can_be_resumed(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    assert not is_resumable(path, HEADER)
    data = write_journal(path, 0)
    assert is_resumable(path, HEADER)
    assert not is_resumable(path, {**HEADER, "film": "b.mp4"})
    for text in (b"", b"hello\n", data.splitlines(keepends=True)[0]):
        path.write_bytes(text)
        assert not is_resumable(path, HEADER)


@pytest.mark.parametrize("stem", ["a" * 235, "a" * 236, "a" * 251, "é" * 125])
def test_a_file_of_the_longest_name_has_a_journal_of_its_own(stem: str, tmp_path: Path) -> None:
    names = [f"{stem}.csv", f"{stem[:-1]}b.csv"]
    first, second = (OutputPlan(csv=str(tmp_path / name)).journal for name in names)
    assert first is not None
    assert first != second
    assert (first.name == f".{names[0]}.fervid-journal") == (len(stem) == 235)
    write_journal(first, 0)
    assert list_frames(first) == [0]


def test_problems_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, HEADER) as journal:
        journal.add(make_batch(0))
        journal.add(make_batch(1), [PROBLEM])
    with Journal(path, HEADER, resume=True) as journal:
        assert journal.problems == (PROBLEM,)


@dataclasses.dataclass
class NamedDetector(ScriptedDetector):
    """A detector that was read from a file."""

    identity: str = "script@000000000000"


def open_film(path: Path, reader: FaceReader, identity: str = NamedDetector.identity) -> FilmStream:
    settings = StreamSettings(min_face=10, sure_score=0.5)
    return FilmStream(path, reader, NamedDetector(two_people, identity=identity), settings)


def test_a_journal_of_another_detector_of_the_same_name_is_refused(
    film: Path, tmp_path: Path, make_reader: Callable[[], FaceReader]
) -> None:
    path = tmp_path / "journal"
    with Journal(path, open_film(film, make_reader()).describe()) as journal:
        journal.add(make_batch(0))
    other = open_film(film, make_reader(), "script@111111111111")
    with pytest.raises(UsageError, match=r"had the detector script@0{12}, this one has the detector script@1{12}"):
        Journal(path, other.describe(), resume=True)


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ({"every_s": None}, {"every_s": 0.5}, "had every frame, this one has a frame every 0.5 s"),
        ({"end_s": 3600.0}, {"end_s": None}, "had an end at 3,600 s, this one has no end"),
        ({"min_face": 32.0}, {"min_face": 40.5}, "had faces from 32 px, this one has faces from 40.5 px"),
        ({"bytes": "?"}, {"bytes": 12345}, r"had a film of \? bytes, this one has a film of 12,345 bytes"),
        ({"live": False}, {"live": True}, "had live 0, this one has live 1"),
    ],
)
def test_what_differs_is_said_in_words(before: Any, now: Any, words: str, tmp_path: Path) -> None:
    Journal(tmp_path / "journal", before).close()
    with pytest.raises(UsageError, match=f"the interrupted run {words}"):
        Journal(tmp_path / "journal", now, resume=True)


@pytest.mark.parametrize("keep_images", [False, True])
def test_a_resumed_film_says_what_was_wrong_before_the_interruption(
    keep_images: bool, tmp_path: Path, make_reader: Callable[[], FaceReader]
) -> None:
    film, path = damage(write_film(tmp_path / "film.mp4", 60)), tmp_path / "journal"

    def read(**options: Any) -> tuple[Problem, ...]:
        stream = open_film(film, make_reader())
        with Journal(path, stream.describe(), **options) as journal:
            for _ in stream.read(journal, keep_images=keep_images):
                pass
        return stream.problems

    problems = read()
    assert [(problem.kind, problem.count) for problem in problems] == [("damaged", 1)]
    header, *batches = path.read_bytes().splitlines(keepends=True)
    noted = [json.loads(batch)["problems"] for batch in batches]
    assert noted[-1] == [list(dataclasses.astuple(problems[0]))]
    path.write_bytes(b"".join([header, *batches[:-1]]))
    assert read(resume=True) == problems


def damage(path: Path) -> Path:
    """The film with nonsense for a packet of its first second."""
    import av

    with av.open(path) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][10]
        start, size = packet.pos, packet.size
    assert start is not None
    data = bytearray(path.read_bytes())
    data[start : start + size] = b"\xff" * size
    path.write_bytes(data)
    return path
