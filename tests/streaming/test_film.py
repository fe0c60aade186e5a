"""Films from the file to their frames, and how an interrupted one goes on."""

import dataclasses
import errno
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fervid.drawing.timeline import plot_timeline
from fervid.errors import InputError, OutputError, UsageError, VideoError
from fervid.reading import FaceReader
from fervid.results import Frame
from fervid.sinks.parquet import ParquetWriter
from fervid.sinks.table import CsvWriter, JsonLinesWriter
from fervid.streaming.film import FilmStream
from fervid.streaming.journal import Journal
from fervid.streaming.outputs import OutputPlan
from fervid.streaming.production import produce
from fervid.streaming.stream import FrameStream, StreamSettings
from fervid.video.probing import probe_video
from fervid.video.problems import Problem

from .conftest import ScriptedDetector, make_frames, read_number, two_people, write_film

MakeFilmStream = Callable[..., FilmStream]

SELECTIONS = [
    {},
    {"every_s": 0.1},
    {"every_s": 0.3, "start_s": 0.5},
    {"start_s": 0.77, "end_s": 3.1},
    {"start_s": 1.0, "end_s": 3.5, "every_s": 1 / 7},
]


@pytest.fixture
def open_film(make_reader: Callable[[], FaceReader]) -> MakeFilmStream:
    """A film read by the scripted detector."""

    def make(path: Path, *, smooth_s: float = 0.5, **selection: Any) -> FilmStream:
        settings = StreamSettings(min_face=10, smooth_s=smooth_s, sure_score=0.5)
        return FilmStream(path, make_reader(), ScriptedDetector(two_people), settings, **selection)

    return make


def describe(frames: Iterator[Frame] | list[Frame]) -> list[Any]:
    """Everything about frames, with all digits."""
    return [
        (
            frame.to_dict(),
            frame.time_s,
            [(f.box, f.score, f.probabilities, f.votes, f.smoothed, f.quality, f.confidence) for f in frame.faces],
        )
        for frame in frames
    ]


def record(film: FilmStream, path: Path, *, keep_images: bool = False) -> list[Any]:
    """Read a film to its end, and leave its journal."""
    with Journal(path, film.describe()) as journal:
        return describe([frame for frame, _ in film.read(journal, keep_images=keep_images)])


def resume(film: FilmStream, path: Path, *, keep_images: bool = False) -> list[Any]:
    """Go on with a journal; kept pictures must be those of their frames."""
    with Journal(path, film.describe(), resume=True) as journal:
        frames = []
        for frame, image in film.read(journal, keep_images=keep_images):
            assert (image is not None) == keep_images
            if image is not None:
                assert read_number(image) == frame.index
            frames.append(frame)
        return describe(frames)


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("keep_images", [False, True])
def test_a_film_goes_on_after_every_batch(
    selection: dict[str, float], keep_images: bool, film: Path, tmp_path: Path, open_film: MakeFilmStream
) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    expected = record(open_film(film, **selection), whole, keep_images=keep_images)
    lines = whole.read_bytes().splitlines(keepends=True)
    assert len(lines) > 1
    assert expected == describe(list(open_film(film, **selection)))
    for count in range(len(lines) + 1):
        part.unlink(missing_ok=True)
        part.write_bytes(b"".join(lines[:count]))
        assert resume(open_film(film, **selection), part, keep_images=keep_images) == expected, count
        assert part.read_bytes() == whole.read_bytes()


def test_a_journal_may_end_at_any_byte(tmp_path: Path, make_reader: Callable[[], FaceReader]) -> None:
    settings = StreamSettings(min_face=10, sure_score=0.5)

    def read(journal: Journal, keep_images: bool) -> list[Any]:
        detector = ScriptedDetector(two_people)
        stream = FrameStream(make_reader(), detector, settings, size=(160, 120), keep_images=keep_images)
        given = stream.read(make_frames(60, cuts=[33]), recorded=journal, record=journal.add)
        return describe([frame for frame, _ in given])

    whole, part, header = tmp_path / "whole", tmp_path / "part", {"journal": "test"}
    with Journal(whole, header) as journal:
        expected = read(journal, False)
    data = whole.read_bytes()
    lines = data.splitlines(keepends=True)
    for size in {0, 1, len(lines[0]) - 1, len(lines[0]), *range(0, len(data), len(data) // 12), len(data) - 1}:
        part.unlink(missing_ok=True)  # to write over a file makes some file systems wait for the disk
        part.write_bytes(data[:size])
        with Journal(part, header, resume=True) as journal:
            assert len(list(journal)) == max(0, data[:size].count(b"\n") - 1)
            assert read(journal, size % 2 == 0) == expected
        assert part.read_bytes() == data
    for size in range(0, len(data), 97):
        part.unlink(missing_ok=True)
        part.write_bytes(data[:size])
        with Journal(part, header, resume=True):
            kept = part.read_bytes()
        assert data.startswith(kept)
        assert kept.count(b"\n") == max(1, data[:size].count(b"\n"))
        assert kept.endswith(b"\n")


def test_it_may_be_interrupted_again_and_again(film: Path, tmp_path: Path, open_film: MakeFilmStream) -> None:
    expected = describe(list(open_film(film)))
    path, runs = tmp_path / "journal", 0
    while True:
        stream, seen = open_film(film), []
        with Journal(path, stream.describe(), resume=True) as journal:
            before = len(list(journal))
            frames = stream.read(journal, keep_images=runs % 2 == 1)
            for frame, _ in frames:
                seen.append(frame)
                if len(journal.path.read_bytes().splitlines()) > before + 2:
                    break
            frames.close()
        runs += 1
        if len(seen) == len(expected):
            break
    assert runs > 2
    assert describe(seen) == expected


def test_a_journal_with_pictures_goes_on_without_and_back(
    film: Path, tmp_path: Path, open_film: MakeFilmStream
) -> None:
    path = tmp_path / "journal"
    expected = record(open_film(film), path, keep_images=True)
    half = b"".join(path.read_bytes().splitlines(keepends=True)[:3])
    for keep_images in (False, True):
        path.write_bytes(half)
        assert resume(open_film(film), path, keep_images=keep_images) == expected


def test_what_is_recorded_is_not_looked_at_again(
    film: Path, tmp_path: Path, make_reader: Callable[[], FaceReader]
) -> None:
    settings = StreamSettings(min_face=10, sure_score=0.5)
    path = tmp_path / "journal"

    def read() -> ScriptedDetector:
        detector = ScriptedDetector(two_people)
        stream = FilmStream(film, make_reader(), detector, settings)
        with Journal(path, stream.describe(), resume=True) as journal:
            assert len(list(stream.read(journal))) == 100
        return detector

    first = read().looked
    assert read().looked == []
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-2]))
    again = read().looked
    assert again == first[-len(again) :]
    assert 0 < len(again) < len(first)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"smooth_s": 0.2}, "a smoothing of 0.2 s"),
        ({"start_s": 1.0}, "a start at 1 s"),
        ({"every_s": 0.5}, "a frame every 0.5 s"),
        ({"end_s": 3.0}, "an end at 3 s"),
    ],
)
def test_a_journal_of_other_settings_is_refused(
    change: dict[str, float], words: str, film: Path, tmp_path: Path, open_film: MakeFilmStream
) -> None:
    path = tmp_path / "journal"
    record(open_film(film), path)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=f"this one has {words}. Use the same film and settings"):
        Journal(path, open_film(film, **change).describe(), resume=True)
    assert path.read_bytes() == before


def test_a_journal_of_another_film_is_refused(film: Path, tmp_path: Path, open_film: MakeFilmStream) -> None:
    path = tmp_path / "journal"
    record(open_film(film), path)
    other = write_film(tmp_path / "other.mp4", 20)
    with pytest.raises(UsageError, match=r"film\.mp4.*other\.mp4"):
        Journal(path, open_film(other).describe(), resume=True)


def test_a_journal_of_an_earlier_version_is_refused(film: Path, tmp_path: Path, open_film: MakeFilmStream) -> None:
    """Version 1 did not cut tilted faces out upright, 2 looked at other frames, 3 did not say what was wrong."""
    path = tmp_path / "journal"
    record(open_film(film), path)
    path.write_text(path.read_text().replace("fervid-journal/4", "fervid-journal/1", 1))
    with pytest.raises(UsageError, match="fervid-journal/1"):
        Journal(path, open_film(film).describe(), resume=True)


@pytest.mark.parametrize("text", ["hello\n", "[1, 2]\n", '{"journal": 2}\n', '"x"\n'])
def test_a_file_that_is_no_journal_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_text(text)
    with pytest.raises(UsageError, match="no journal"):
        Journal(path, {"journal": 1, "film": "x"}, resume=True)
    assert path.read_text() == text


def test_a_journal_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        Journal(tmp_path, {"journal": 1})
    with Journal(tmp_path / "a", {"journal": 1}) as journal:
        pass
    with pytest.raises(UsageError, match="is closed"):
        journal._write({})
    journal.remove()
    assert not (tmp_path / "a").exists()


def test_a_journal_on_a_full_disk_says_so(tmp_path: Path) -> None:
    def fill() -> None:
        with Journal(tmp_path / "journal", {"journal": 1}) as journal:
            journal.close()
            journal._stream = Path("/dev/full").open("wb")  # noqa: SIM115  (the journal closes it, which fails again)
            journal._write({})

    with pytest.raises(OutputError, match="No space left"):
        fill()


def test_a_full_disk_is_told_of_the_file_it_met(
    film: Path, tmp_path: Path, open_film: MakeFilmStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    plan = OutputPlan(parquet=str(tmp_path / "a.parquet"), csv=str(tmp_path / "a.csv"), json=str(tmp_path / "a.jsonl"))
    for place, name in (
        (ParquetWriter, "_flush"),  # as late as the file is closed
        (ParquetWriter, "write"),
        (CsvWriter, "write"),
        (JsonLinesWriter, "write"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, fail)
            ending = {CsvWriter: "csv", JsonLinesWriter: "jsonl"}.get(place, "parquet")
            with pytest.raises(OutputError, match=rf"a\.{ending} \(No space left"):
                produce(open_film(film, end_s=0.5), plan)
        assert list(tmp_path.iterdir()) == []


def test_a_journal_holds_no_pictures(film: Path, tmp_path: Path, open_film: MakeFilmStream) -> None:
    path = tmp_path / "journal"
    record(open_film(film), path)
    header, *batches = (json.loads(line) for line in path.read_text().splitlines())
    assert header["film"] == "film.mp4"
    assert str(film.parent) not in path.read_text()
    keys = {"size", "looks", "qualities", "probabilities", "votes", "problems"}
    assert {key for batch in batches for key in batch} == keys


def test_a_film_can_be_read_again_and_left_anywhere(film: Path, open_film: MakeFilmStream) -> None:
    before = set(threading.enumerate())
    with open_film(film) as stream:
        for frame in stream:
            if frame.index == 3:
                break
        del frame
        assert [frame.index for frame in stream] == list(range(100))
        assert stream.problems == ()
        assert stream.info.size == (160, 120)
    assert set(threading.enumerate()) <= before


def test_the_frames_to_read_are_counted_ahead(film: Path, open_film: MakeFilmStream) -> None:
    for selection in SELECTIONS:
        stream = open_film(film, **selection)
        assert stream.count_frames() == pytest.approx(len(list(stream)), abs=1)


def test_a_coarse_reading_is_no_longer_than_the_film(film: Path, tmp_path: Path, open_film: MakeFilmStream) -> None:
    for selection, end_s in (({}, 4.0), ({"end_s": 3.5}, 3.5), ({"end_s": 9.0}, 4.0)):
        stream = open_film(film, every_s=1.5, **selection)
        assert stream.end_s == pytest.approx(end_s)
        made = produce(stream, OutputPlan(timeline=str(tmp_path / "t.json"), film=str(tmp_path / "a.mp4")))
        assert probe_video(tmp_path / "a.mp4").duration_s == pytest.approx(end_s, abs=2e-3)
        assert made.summary.seconds == pytest.approx(end_s)
        assert json.loads((tmp_path / "t.json").read_text())["seconds"] == pytest.approx(end_s)


def test_headers_that_cannot_be_true_are_not_believed(film: Path, open_film: MakeFilmStream) -> None:
    stream = open_film(film)
    assert stream.frame_rate == pytest.approx(25)
    stream._frames.info = dataclasses.replace(stream.info, frame_rate=30000.0)
    assert stream.frame_rate is None
    assert stream.count_frames() is None
    stream._frames.info = dataclasses.replace(stream.info, duration_s=None)
    assert stream.end_s is None


def test_a_truncated_film_gives_its_frames_and_says_so(film: Path, tmp_path: Path, open_film: MakeFilmStream) -> None:
    short = tmp_path / "short.mp4"
    short.write_bytes(film.read_bytes()[: film.stat().st_size * 2 // 3])
    stream = open_film(short)
    frames = list(stream)
    assert 20 < len(frames) < 100
    assert any(problem.kind == "incomplete" for problem in stream.problems)


def test_a_film_whose_name_is_no_utf8_is_made_everything_of(
    film: Path, tmp_path: Path, open_film: MakeFilmStream
) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4"))
    odd.write_bytes(film.read_bytes())
    names = {"csv": "a.csv", "json": "a.jsonl", "plot": "a.html", "timeline": "t.json", "summary": "s.json"}
    plan = OutputPlan(**{kind: str(tmp_path / name) for kind, name in names.items()})
    stream = open_film(odd, end_s=1.0)
    with Journal(tmp_path / "journal", stream.describe()) as journal:
        made = produce(stream, plan, journal)
    assert made.summary.source == str(tmp_path / r"caf\xe9.mp4")
    for path in plan.files:
        assert r"caf\xe9.mp4" in path.read_text(encoding="utf-8").replace("\\\\", "\\"), path
    plot_timeline(open_film(odd, end_s=1.0), tmp_path / "a.png")
    assert (tmp_path / "a.png").is_file()


def test_a_film_that_is_none_is_refused_at_once(tmp_path: Path, open_film: MakeFilmStream) -> None:
    (tmp_path / "a.mp4").write_text("hello")
    with pytest.raises(VideoError, match="not a film"):
        open_film(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="cannot open"):
        open_film(tmp_path / "b.mp4")
    with pytest.raises(UsageError):
        open_film(tmp_path / "a.mp4", every_s=-1)


def test_two_readings_do_not_end_each_other(film: Path, open_film: MakeFilmStream) -> None:
    stream = open_film(film)
    count, first, second = len(list(stream)), iter(stream), iter(stream)
    next(first), next(second)
    second.close()
    assert 1 + len(list(first)) == count


def test_a_film_that_was_resumed_is_read_from_its_begin_again(
    film: Path, tmp_path: Path, open_film: MakeFilmStream
) -> None:
    stream = open_film(film)
    record(stream, tmp_path / "journal")
    lines = (tmp_path / "journal").read_bytes().splitlines(keepends=True)
    (tmp_path / "journal").write_bytes(b"".join(lines[:3]))
    resumed = resume(stream, tmp_path / "journal")
    assert describe(list(stream)) == resumed


def test_of_a_resumed_film_the_part_that_met_more_of_a_problem_says_so(film: Path, open_film: MakeFilmStream) -> None:
    stream = open_film(film)
    list(stream)
    stream._earlier = (Problem("damaged", "1 packet", 1, 0.5), Problem("gap", "3 stretches", 3, 1.0))
    later = (Problem("damaged", "500 packets", 500, 2.0), Problem("gap", "1 stretch", 1, 3.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(stream._frames), "problems", property(lambda _: later))
        assert stream.problems == (Problem("damaged", "500 packets", 500, 0.5), Problem("gap", "3 stretches", 3, 1.0))


def test_a_pipe_is_no_film(tmp_path: Path, open_film: MakeFilmStream) -> None:
    os.mkfifo(tmp_path / "film.ts")
    with pytest.raises(UsageError, match="more than once"):
        open_film(tmp_path / "film.ts")
