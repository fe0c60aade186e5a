"""Films that are damaged, cut short or none, and arguments that fit no film."""

import math
import re
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fervid.errors import InputError, MissingExtraError, SizeError, UsageError, VideoError
from fervid.video.probing import probe_video
from fervid.video.reading import VideoFrame, VideoReader
from fervid.video.writing import VideoWriter

MakeFilm = Callable[..., Path]
ReadNumber = Callable[[NDArray[np.uint8]], int]


FAST_VP9 = {"deadline": "realtime", "cpu-used": "8"}
KINDS: dict[str, dict[str, Any]] = {"motion.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"}}


def problems_of(path: Path, **options: Any) -> tuple[list[VideoFrame], dict[str, str]]:
    with VideoReader(path, **options) as reader:
        frames = list(reader)
    return frames, {problem.kind: problem.message for problem in reader.problems}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("film.mp4", {"container_options": {"movflags": "faststart"}}),
        ("film.mkv", {}),
        ("film.avi", {"codec": "mpeg4"}),
        ("film.webm", {"codec": "libvpx-vp9"}),
    ],
)
def test_a_truncated_film_gives_the_frames_that_are_there_and_says_so(
    name: str, options: dict[str, Any], make_film: MakeFilm, read_number: ReadNumber, tmp_path: Path
) -> None:
    speed = FAST_VP9 if name == "film.webm" else {}
    path = make_film(tmp_path / name, frames=200, **{**options, "options": {"g": "20", **speed}})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    frames, problems = problems_of(path)
    assert 60 < len(frames) < 180
    assert [read_number(frame.image) for frame in frames][:-1] == list(range(len(frames) - 1))
    assert "announces" in problems["incomplete"]
    named = re.search(r"at ([0-9.]+) s", problems["incomplete"])
    assert named is not None
    assert float(named[1]) == pytest.approx(frames[-1].time_s, abs=0.15)


def test_reading_on_after_a_damaged_place(make_film: MakeFilm, read_number: ReadNumber, tmp_path: Path) -> None:
    path = make_film(
        tmp_path / "film.mp4", frames=200, options={"g": "20"}, container_options={"movflags": "faststart"}
    )
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = np.random.default_rng(0).bytes(2000)
    path.write_bytes(data)
    frames, problems = problems_of(path)
    numbers = {frame.index: read_number(frame.image) for frame in frames}
    assert "damaged packet" in problems["damaged"]
    assert [numbers[i] for i in range(60)] == list(range(60))
    assert [numbers[i] for i in range(160, 200)] == list(range(160, 200))  # after the next key frame all is well
    times = [frame.time_s for frame in frames]
    assert times == sorted(set(times))
    assert times == pytest.approx([frame.index / 30 for frame in frames], abs=1e-5)


def test_a_hole_in_a_film_is_reported(make_film: MakeFilm, tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.webm", frames=200, codec="libvpx-vp9", options={**FAST_VP9, "g": "20"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    path.write_bytes(data)
    frames, problems = problems_of(path)
    assert 100 < len(frames) < 200
    assert "without frames" in problems["gap"]


def test_a_slow_film_has_no_holes(make_film: MakeFilm, tmp_path: Path) -> None:
    assert problems_of(make_film(tmp_path / "slow.mp4", rate=1, frames=5))[1] == {}


def test_a_film_without_timestamps(make_film: MakeFilm, read_number: ReadNumber, tmp_path: Path) -> None:
    path = make_film(tmp_path / "raw.h264", file_format="h264")
    frames, problems = problems_of(path)
    assert [read_number(frame.image) for frame in frames] == list(range(60))
    assert [frame.time_s for frame in frames] == pytest.approx([i / 25 for i in range(60)])
    assert "25 frames/s" in problems["untimed"]
    part, _ = problems_of(path, start_s=1.0, every_s=0.4)
    assert [frame.index for frame in part] == [25, 35, 45, 55]


def test_joined_recordings_run_on(make_film: MakeFilm, read_number: ReadNumber, tmp_path: Path) -> None:
    """As a camera writes them that starts a new clock, and another size, in the same file."""
    first = make_film(tmp_path / "1.ts", file_format="mpegts", frames=90)
    second = make_film(tmp_path / "2.ts", file_format="mpegts", frames=60, size=(320, 240))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    frames, problems = problems_of(joined)
    assert [read_number(frame.image) for frame in frames] == [*range(90), *range(60)]
    assert [frame.index for frame in frames] == list(range(150))
    assert [frame.time_s for frame in frames] == pytest.approx([i / 30 for i in range(150)], abs=0.1)
    assert {frame.image.shape for frame in frames} == {(120, 160, 3)}
    assert "1 jump of the timestamps, the first at" in problems["jump"]
    assert "160×120" in problems["resized"]


def test_joined_recordings_are_not_measured_by_one_clock(make_film: MakeFilm, tmp_path: Path) -> None:
    parts = [make_film(tmp_path / f"{s}.ts", file_format="mpegts", frames=45, first=30 * s) for s in (0, 5000)]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert (probe_video(joined).duration_s or 0) > 5000
    frames, problems = problems_of(joined)
    assert len(frames) == 90
    assert frames[-1].time_s == pytest.approx(89 / 30, abs=0.1)
    assert "incomplete" not in problems


@pytest.mark.parametrize("audio", [None, "aac"])
def test_a_film_trimmed_by_its_edit_list_is_whole(
    audio: str | None, make_film: MakeFilm, read_number: ReadNumber, tmp_path: Path
) -> None:
    """As phones trim: all packets stay in the file."""
    fast = {"movflags": "faststart"}
    path = make_film(tmp_path / "film.mp4", frames=90, options={"g": "30"}, container_options=fast, audio=audio)
    data = bytearray(path.read_bytes())
    ticks, video_ticks = (struct.unpack_from(">I", data, data.index(name) + 16)[0] for name in (b"mvhd", b"mdhd"))
    place = data.index(b"elst") + 12  # of the pictures' duration and, in ticks of their own, start
    (start,) = struct.unpack_from(">I", data, place + 4)
    struct.pack_into(">II", data, place, round(1.5 * ticks), start + round(1.2 * video_ticks))
    path.write_bytes(data)
    frames, problems = problems_of(path)
    assert [read_number(frame.image) for frame in frames] == list(range(36, 81))
    assert problems == {}
    with VideoReader(path, end_s=1.5) as reader:
        assert len(list(reader)) == 45
        assert not reader.is_cut
    path.write_bytes(data[: len(data) * 2 // 3])
    assert "announces 1.50 s" in problems_of(path)[1]["incomplete"]


def test_a_wild_timestamp_is_mended(make_film: MakeFilm, tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.flv", frames=90)
    data = bytearray(path.read_bytes())
    position, tags = 13, 0  # an FLV's tags: type, size (3), time in ms (3), its upper byte, stream (3), data, size (4)
    while position < len(data):
        size = int.from_bytes(data[position + 1 : position + 4], "big")
        tags += data[position] == 9
        if tags == 45:
            data[position + 7] = 0x7F  # 24 days later
            break
        position += 11 + size + 4
    path.write_bytes(data)
    frames, problems = problems_of(path)
    assert len(frames) >= 88
    assert [frame.time_s for frame in frames] == pytest.approx([i / 30 for i in range(len(frames))], abs=0.15)
    assert "2 jumps of the timestamps" in problems["jump"]


def write_song(path: Path, cover: bool) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream("libmp3lame" if cover else "aac", rate=44100, layout="mono")
        picture = container.add_stream("mjpeg", rate=1) if cover else None
        if picture is not None:
            picture.width, picture.height, picture.pix_fmt = 32, 32, "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic
            container.mux(picture.encode(av.VideoFrame(32, 32, "yuvj420p")))
            container.mux(picture.encode(None))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4410), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


NO_FILMS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty.mp4": (lambda path: path.touch(), "is empty"),
    "text.mp4": (lambda path: path.write_text("no film " * 100), "is not a film"),
    "text.txt": (lambda path: path.write_text("no film " * 100), "is no film"),
    "noise.avi": (lambda path: path.write_bytes(np.random.default_rng(0).bytes(9000)), "is not a film"),
    "picture.png": (lambda path: Image.new("RGB", (32, 32)).save(path), "is no film"),
    "picture.jpg": (lambda path: Image.new("RGB", (32, 32)).save(path), "is no film"),
    "song.m4a": (lambda path: write_song(path, cover=False), "no video stream (only: audio)"),
    "song.mp3": (lambda path: write_song(path, cover=True), "no video stream"),
    "list.m3u8": (lambda path: path.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n"), "film"),
}


@pytest.mark.parametrize("name", NO_FILMS)
def test_what_is_no_film(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    write, words = NO_FILMS[name]
    write(path)
    with pytest.raises(VideoError) as caught:
        VideoReader(path)
    assert words in str(caught.value)
    assert caught.value.advice
    assert caught.value.code == "input.video"


def test_an_mp4_without_its_index_is_told_from_other_files(films: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(films("film.mp4").read_bytes()[:3000])
    with pytest.raises(VideoError, match="without a readable index"):
        probe_video(path)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        VideoReader(tmp_path / "absent.mp4")
    with pytest.raises(InputError, match="is a folder"):
        VideoReader(tmp_path)
    with pytest.raises(InputError, match=r"https://example\.com/a\.mp4 is no file.*download it first"):
        VideoReader("https://example.com/a.mp4")


def test_names_that_mean_something_to_ffmpeg(films: Callable[[str], Path], tmp_path: Path) -> None:
    for name in ("http:x%03d#?.mp4", "-i.mp4", "fünf 5.mp4", "concat:a|b.mp4"):
        path = tmp_path / name
        path.write_bytes(films("film.mp4").read_bytes())
        assert probe_video(path).frame_count == 60


@pytest.mark.parametrize(
    "options",
    [
        {"start_s": -1},
        {"start_s": math.nan},
        {"end_s": 0},
        {"start_s": 1, "end_s": 1},
        {"every_s": 0},
        {"every_s": math.inf},
        {"threads": 0},
        {"prefetch": -1},
    ],
    ids=str,
)
def test_arguments_out_of_range(options: dict[str, Any], films: Callable[[str], Path]) -> None:
    with pytest.raises(UsageError):
        VideoReader(films("film.mp4"), **options)


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "motion.avi", "h264.avi"])
def test_a_start_behind_the_end(name: str, films: Callable[[str], Path]) -> None:
    with pytest.raises(UsageError, match=r"lies behind the last frame, 1\.97 s"):
        list(VideoReader(films(name), start_s=2.5))
    with pytest.raises(UsageError, match=r"lies behind the last frame, 1\.97 s"):
        list(VideoReader(films(name), start_s=2.5, end_s=2.6, every_s=0.1))
    assert list(VideoReader(films(name), start_s=0.01, end_s=0.02)) == []  # between two frames there is none


def test_too_many_pixels_are_refused(films: Callable[[str], Path]) -> None:
    with pytest.raises(SizeError, match="160×120") as caught:
        VideoReader(films("film.mp4"), max_pixels=160 * 120 - 1)
    assert "or in Python raise max_pixels" in caught.value.advice  # no command has an option for it
    assert len(list(VideoReader(films("film.mp4"), max_pixels=160 * 120))) == 60


def test_a_missing_pyav_is_named_with_its_extra(films: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = films("film.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r'pip install "fervid\[video\]"'):
        VideoReader(path)


def test_frames_closer_than_a_tick_are_written(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "film.mp4") as writer:
        for tick in (0, 3600, 3601, 3602, 7200):
            writer.write(np.zeros((32, 32, 3), np.uint8), tick / 90_000)
    assert len(list(VideoReader(tmp_path / "film.mp4"))) == 5


def test_sound_goes_on_over_a_jump(make_film: MakeFilm, tmp_path: Path) -> None:
    once = make_film(tmp_path / "once.ts", audio="aac").read_bytes()
    (tmp_path / "twice.ts").write_bytes(once + once)
    with VideoWriter(tmp_path / "copy.mp4", audio_from=tmp_path / "twice.ts") as writer:
        for frame in VideoReader(tmp_path / "twice.ts"):
            writer.write(frame.image, frame.time_s)
    with av.open(tmp_path / "copy.mp4") as container:
        sound = container.streams.audio[0]
        assert float(sound.duration * sound.time_base) > 3.5


@pytest.mark.parametrize("said", ["00:00:nan", "00:00:inf", "inf:00:00", "-9:00:00", "9999:00:00", "1:2"])
def test_a_length_that_no_film_can_have_is_unsaid(said: str, make_film: MakeFilm, tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mkv", frames=15)
    data = path.read_bytes()
    assert data.count(b"00:00:00.500000000") == 1  # the tag DURATION
    path.write_bytes(data.replace(b"00:00:00.500000000", said.encode().ljust(18)))
    assert probe_video(path).duration_s == pytest.approx(0.5)  # what the container says
    frames, problems = problems_of(path)
    assert (len(frames), problems) == (15, {})
