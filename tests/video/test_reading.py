import math
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fervid.video import decoding
from fervid.video.probing import probe_video
from fervid.video.reading import FilmFrame, VideoReader

MakeFilm = Callable[..., Path]
ReadNumber = Callable[[NDArray[np.uint8]], int]

FAST_VP9 = {"deadline": "realtime", "cpu-used": "8"}
OPEN_GOP = {"x264-params": "open-gop=1:keyint=24:min-keyint=24:bframes=3:b-pyramid=normal"}
OPEN_GOP_HEVC = {"x265-params": "log-level=none:open-gop=1:keyint=24:min-keyint=24:bframes=4:scenecut=0"}

KINDS: dict[str, dict[str, Any]] = {
    "film.mp4": {},
    "film.mov": {"codec": "qtrle", "pix_fmt": "rgb24"},
    "film.mkv": {},
    "film.ts": {"file_format": "mpegts"},
    "film.flv": {},
    "film.webm": {"codec": "libvpx-vp9", "options": FAST_VP9},
    "vp8.webm": {"codec": "libvpx", "options": FAST_VP9},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"bf": "2", "g": "24"}},
    "h264.avi": {},
    "motion.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "raw.avi": {"codec": "rawvideo", "pix_fmt": "bgr24"},
    "film.wmv": {"codec": "wmv2"},
    "film.gif": {"codec": "gif", "pix_fmt": "rgb8", "rate": 20},
    "film.apng": {"codec": "apng", "pix_fmt": "rgb24", "file_format": "apng"},
    "fragments.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "open.mp4": {"options": OPEN_GOP, "frames": 120},
    "open.mkv": {"options": OPEN_GOP, "frames": 120},
    "hevc.mp4": {"codec": "libx265", "options": OPEN_GOP_HEVC, "frames": 120},
    "sparse.mp4": {"frames": 120, "options": {"g": "50", "bf": "3"}},
}


def read_all(path: Path, **options: Any) -> list[FilmFrame]:
    with VideoReader(path, **options) as reader:
        frames = list(reader)
        assert reader.problems == ()
    return frames


@pytest.mark.parametrize("name", KINDS)
def test_every_frame_has_its_number_and_its_time(
    name: str, films: Callable[[str], Path], read_number: ReadNumber
) -> None:
    rate = KINDS[name].get("rate", 30)
    frames = read_all(films(name))
    assert [frame.index for frame in frames] == list(range(KINDS[name].get("frames", 60)))
    assert [read_number(frame.image) for frame in frames] == [frame.index for frame in frames]
    assert [frame.time_s for frame in frames] == pytest.approx([frame.index / rate for frame in frames], abs=6e-4)
    assert all(frame.image.shape == (120, 160, 3) and frame.image.dtype == np.uint8 for frame in frames)
    assert all(frame.image.flags.c_contiguous and frame.image.flags.writeable for frame in frames)


@pytest.mark.parametrize(
    "part",
    [
        {"every_s": 0.2},
        {"every_s": 1.0},
        {"every_s": 0.01},
        {"every_s": 0.9, "threads": 1},
        {"start_s": 1.0},
        {"start_s": 0.73, "end_s": 1.31},
        {"start_s": 0.5, "every_s": 0.37, "prefetch": 0},
        {"start_s": 1.5, "end_s": 1.51},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", [name for name in KINDS if not name.endswith("apng")])
def test_a_part_is_what_the_whole_would_give(
    name: str, part: dict[str, float], films: Callable[[str], Path], read_number: ReadNumber
) -> None:
    """Whatever is skipped, seeked over or never decoded."""
    start, end, every = part.get("start_s", 0.0), part.get("end_s", math.inf), part.get("every_s")
    wanted, last = [], -1
    for index in range(KINDS[name].get("frames", 60)):
        time = Fraction(index) / KINDS[name].get("rate", 30)
        if not Fraction(str(start)) <= time < (math.inf if end == math.inf else Fraction(str(end))):
            continue
        interval = math.floor((time - Fraction(str(start))) / Fraction(str(every))) if every else index
        if interval > last:
            wanted.append(index)
            last = interval
    frames = read_all(films(name), **part)
    assert [frame.index for frame in frames] == wanted
    assert [read_number(frame.image) for frame in frames] == wanted


@pytest.fixture
def own_priority() -> Iterator[None]:
    """SVT-AV1 makes a process of root a real-time one, with all that it starts; this makes it ordinary again."""
    yield
    if hasattr(os, "sched_setscheduler"):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@pytest.mark.usefixtures("own_priority")
@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.ts", "h264.avi", "raw.avi"])
@pytest.mark.parametrize("every_s", [None, 0.9, 5.0])
def test_whether_frames_come_after_the_end(name: str, every_s: float | None, films: Callable[[str], Path]) -> None:
    for end_s, is_cut in ((None, False), (3.0, False), (1.97, False), (1.95, True), (1.0, True)):
        with VideoReader(films(name), end_s=end_s, every_s=every_s) as reader:
            assert list(reader)
            assert reader.is_cut is is_cut, end_s


@pytest.mark.parametrize("codec", ["libsvtav1", "libvpx-vp9"])
def test_codecs_that_cannot_skip_lose_nothing(
    codec: str, make_film: MakeFilm, read_number: ReadNumber, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = FAST_VP9 if "vpx" in codec else {"preset": "12"}
    path = make_film(tmp_path / "film.mkv", codec=codec, options={**options, "g": "24"}, frames=90)
    for part, wanted in (({"every_s": 0.5}, [0, 15, 30, 45, 60, 75]), ({"start_s": 1.5, "end_s": 1.6}, [45, 46, 47])):
        frames = read_all(path, **part)
        assert [read_number(frame.image) for frame in frames] == [frame.index for frame in frames] == wanted


def test_variable_frame_rate_keeps_its_times(make_film: MakeFilm, read_number: ReadNumber, tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.1, 0.11, 0.45, 0.5, 0.9, 0.95]
    path = make_film(tmp_path / "vfr.mp4", times=times, frames=len(times))
    frames = read_all(path)
    assert [frame.time_s for frame in frames] == pytest.approx(times, abs=1e-5)
    sampled = read_all(path, every_s=0.2)
    assert [read_number(frame.image) for frame in sampled] == [0, 4, 6]


def test_times_of_ntsc_do_not_drift(make_film: MakeFilm, tmp_path: Path) -> None:
    path = make_film(tmp_path / "ntsc.mp4", rate=Fraction(30000, 1001), frames=300, options={"preset": "ultrafast"})
    frames = read_all(path)
    assert frames[299].time_s == pytest.approx(299 * 1001 / 30000, abs=1e-9)  # 299 / 29 would be 10.31
    assert probe_video(path).frame_rate == pytest.approx(29.97, abs=1e-3)


@pytest.mark.parametrize(("rate", "frames"), [(1, 4), (240, 100)])
def test_slow_and_fast_films(rate: int, frames: int, make_film: MakeFilm, tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", rate=rate, frames=frames)
    assert [frame.time_s for frame in read_all(path)] == pytest.approx([i / rate for i in range(frames)], abs=1e-6)
    assert probe_video(path).frame_rate == rate


def test_a_transport_stream_starts_at_zero(make_film: MakeFilm, tmp_path: Path) -> None:
    """Although its clock shows 1.4 s or 5 s there."""
    path = make_film(tmp_path / "late.ts", file_format="mpegts", first=150)
    with av.open(path) as container:
        assert container.start_time > 4_000_000
    assert [frame.time_s for frame in read_all(path)][:2] == pytest.approx([0, 1 / 30], abs=1e-5)
    assert read_all(path, start_s=1.0)[0].index == 30


def test_a_picture_that_starts_after_the_sound_keeps_its_distance(make_film: MakeFilm, tmp_path: Path) -> None:
    path = make_film(tmp_path / "delayed.mp4", first=15, audio="aac")
    assert read_all(path)[0].time_s == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("name", ["film.mp4", "mpeg4.avi", "delayed.mp4", "delayed.ts", "late.ts"])
def test_headers_say_when_the_video_begins_and_ends(name: str, make_film: MakeFilm, tmp_path: Path) -> None:
    """So that nothing lasts longer than the film, as an answer for the last frame of few."""
    options = {"delayed.mp4": {"audio": "aac"}, "delayed.ts": {"audio": "aac", "file_format": "mpegts"}}
    first = 0 if name in KINDS else 15
    path = make_film(tmp_path / name, frames=30, first=first, **KINDS.get(name, options.get(name, {})))
    info, frames = probe_video(path), read_all(path)
    assert info.start_s == pytest.approx(frames[0].time_s, abs=1e-3)
    assert info.start_s == pytest.approx(0.5 if name in options else 0, abs=0.03)
    assert info.duration_s is not None
    assert info.start_s + info.duration_s == pytest.approx(frames[-1].time_s + 1 / 30, abs=1e-3)


UNIT = 1 << 16
MATRICES = {
    # (stored from upright, the matrix that brings it upright again): p' = a p + c q, q' = b p + d q
    "as it is": (lambda image: image, (UNIT, 0, 0, UNIT)),
    "clockwise": (lambda image: np.rot90(image, 1), (0, UNIT, -UNIT, 0)),
    "upside down": (lambda image: np.rot90(image, 2), (-UNIT, 0, 0, -UNIT)),
    "counter-clockwise": (lambda image: np.rot90(image, -1), (0, -UNIT, UNIT, 0)),
    "mirrored": (lambda image: image[:, ::-1], (-UNIT, 0, 0, UNIT)),
    "flipped": (lambda image: image[::-1], (UNIT, 0, 0, -UNIT)),
    "transposed": (lambda image: image.transpose(1, 0, 2), (0, UNIT, UNIT, 0)),
    "transversed": (lambda image: image[::-1, ::-1].transpose(1, 0, 2), (0, -UNIT, -UNIT, 0)),
}


@pytest.mark.parametrize("turn", MATRICES)
def test_rotated_and_mirrored_films_come_upright(
    turn: str, make_film: MakeFilm, draw_number: Callable[..., NDArray[np.uint8]], tmp_path: Path
) -> None:
    store, (a, b, c, d) = MATRICES[turn]
    size = (160, 120) if b == 0 else (120, 160)
    path = make_film(
        tmp_path / "film.mp4",
        frames=5,
        size=size,
        turn=store,
        matrix=(a, b, 0, c, d, 0, 0, 0, 1 << 30),
        options={"crf": "5"},
    )
    info = probe_video(path)
    assert info.size == (160, 120)
    for frame in read_all(path):
        difference = frame.image.astype(float) - draw_number(frame.index)
        assert np.abs(difference).mean() < 6
        assert frame.image.flags.c_contiguous
        small = frame.reduce(100, 75).astype(float)
        assert np.abs(small - np.asarray(Image.fromarray(frame.image).resize((100, 75)))).mean() < 6


def test_oblong_pixels_become_square(make_film: MakeFilm, tmp_path: Path) -> None:
    path = make_film(tmp_path / "dvd.mp4", frames=3, aspect=Fraction(4, 3))
    assert probe_video(path).size == (213, 120)
    assert {frame.image.shape for frame in read_all(path)} == {(120, 213, 3)}


def test_odd_sizes(make_film: MakeFilm, read_number: ReadNumber, tmp_path: Path) -> None:
    path = make_film(tmp_path / "odd.mkv", codec="ffv1", size=(161, 121), frames=4)
    frames = read_all(path)
    assert [read_number(frame.image) for frame in frames] == [0, 1, 2, 3]
    assert frames[0].image.shape == (121, 161, 3)


def test_colours_are_the_ones_that_were_stored(make_film: MakeFilm, draw_number: Any, tmp_path: Path) -> None:
    path = make_film(tmp_path / "colours.mp4", frames=3, options={"crf": "1"}, pix_fmt="yuv444p")
    for frame in read_all(path):
        assert np.abs(frame.image.astype(float) - draw_number(frame.index)).mean() < 3


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    pictures = [Image.new("RGBA", (32, 24), (0, 0, 0, 0)) for _ in range(3)]
    for number, picture in enumerate(pictures):
        picture.paste((255, 0, 0, 255), (0, 0, 8 + 4 * number, 24))
    path = tmp_path / "clear.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 300, 100], disposal=2)
    frames = read_all(path)
    assert [frame.time_s for frame in frames] == pytest.approx([0.0, 0.1, 0.4])
    for number, frame in enumerate(frames):
        assert (frame.image[:, : 8 + 4 * number] == (255, 0, 0)).all()
        assert (frame.image[:, 8 + 4 * number :] == 255).all()
        assert np.abs(frame.reduce(16, 12)[6, [1, 14]].astype(int) - ((255, 0, 0), (255, 255, 255))).max() < 8


def test_a_film_of_one_frame(make_film: MakeFilm, tmp_path: Path) -> None:
    path = make_film(tmp_path / "one.mp4", frames=1)
    frames = read_all(path)
    assert [(frame.index, frame.time_s) for frame in frames] == [(0, 0.0)]
    assert len(read_all(path, every_s=10.0)) == 1


def test_facts(make_film: MakeFilm, tmp_path: Path) -> None:
    info = probe_video(make_film(tmp_path / "film.mp4", audio="aac"))
    assert (info.size, info.codec, info.frame_count, info.audio_codec) == (
        (160, 120),
        "h264",
        60,
        "aac",
    )
    assert info.duration_s == pytest.approx(2.0)
    assert info.frame_rate == 30
    assert "mp4" in info.container
    silent = probe_video(make_film(tmp_path / "film.mkv"))
    assert (silent.audio_codec, silent.frame_count) == (None, None)
    assert silent.duration_s == pytest.approx(2.0, abs=0.05)


# What is not decoded


def count_decoded(path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> int:
    orders: list[bool] = []
    decode_one = decoding._Decoder._decode_one
    monkeypatch.setattr(
        decoding._Decoder, "_decode_one", lambda self, order: (orders.append(order.wanted), decode_one(self, order))[1]
    )
    list(VideoReader(path, prefetch=0, **options))
    monkeypatch.undo()
    return len(orders)


def test_only_what_is_needed_is_decoded(make_film: MakeFilm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_film(tmp_path / "film.mp4", frames=300, options={"g": "30", "bf": "2", "preset": "ultrafast"})
    assert count_decoded(path, monkeypatch) == 300
    assert count_decoded(path, monkeypatch, start_s=9.0) <= 31
    assert count_decoded(path, monkeypatch, start_s=3.0, end_s=3.1) <= 8
    assert count_decoded(path, monkeypatch, every_s=1.0) <= 25  # key frames and their like
    matroska = make_film(tmp_path / "film.mkv", frames=300, options={"g": "30", "bf": "2", "preset": "ultrafast"})
    assert count_decoded(matroska, monkeypatch, start_s=9.0) <= 31
    still = make_film(tmp_path / "film.avi", frames=300, codec="mjpeg", pix_fmt="yuvj420p")
    assert count_decoded(still, monkeypatch, every_s=1.0) == 10


def test_frames_that_nothing_refers_to_are_not_decoded(
    films: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    choose = decoding._Decoder._choose

    def count(self: decoding._Decoder, frames: Any) -> Any:
        for frame in frames:
            decoded.append(frame.pts)
            yield from choose(self, [frame])

    monkeypatch.setattr(decoding._Decoder, "_choose", count)
    list(VideoReader(films("sparse.mp4"), prefetch=0, every_s=0.3))
    assert 0 < len(decoded) < 90  # of 120


def test_the_frames_after_an_interruption_are_the_same(films: Callable[[str], Path]) -> None:
    whole = [(frame.index, frame.time_s) for frame in read_all(films("sparse.mp4"), start_s=0.1, every_s=0.3)]
    rest = [(frame.index, frame.time_s) for frame in read_all(films("sparse.mp4"), start_s=0.1 + 5 * 0.3, every_s=0.3)]
    assert rest == whole[5:]


def test_packets_without_times_cost_no_picture(make_film: MakeFilm, read_number: ReadNumber, tmp_path: Path) -> None:
    """A transport stream may give one time to several pictures."""
    raw = make_film(tmp_path / "raw.h264", options={"bf": "0", "g": "30"})
    with av.open(raw) as source, av.open(tmp_path / "film.ts", "w") as target:
        units = [bytes(packet) for packet in source.demux(video=0) if packet.size]
        stream = target.add_stream_from_template(source.streams.video[0])
        for first in range(0, len(units), 3):
            packet = av.Packet(b"".join(units[first : first + 3]))
            packet.stream, packet.time_base = stream, Fraction(1, 90_000)
            packet.pts = packet.dts = 3000 * first + 9000
            target.mux(packet)
    parts: list[tuple[dict[str, float], range]] = [
        ({}, range(60)),
        ({"every_s": 0.3}, range(0, 60, 9)),
        ({"start_s": 0.7, "end_s": 1.2}, range(21, 36)),
    ]
    for part, wanted in parts:
        frames = list(VideoReader(tmp_path / "film.ts", **part))
        assert [read_number(f.image) for f in frames] == [f.index for f in frames] == list(wanted)


@pytest.mark.parametrize("codec", ["mpeg4", "mjpeg"])
def test_an_avi_may_leave_places_empty(codec: str, tmp_path: Path) -> None:
    numbers = [*range(10), *range(30, 40)]
    with av.open(tmp_path / "film.avi", "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in numbers:
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 6 * number, np.uint8), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    reader = VideoReader(tmp_path / "film.avi")
    assert [frame.time_s for frame in reader] == pytest.approx([number / 25 for number in numbers])
    assert {problem.kind for problem in reader.problems} == {"gap"}
