import struct
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from fervid.errors import FervidError, InputError, MissingExtraError, OutputError, UsageError, VideoError
from fervid.video.probing import probe_video
from fervid.video.reading import VideoReader
from fervid.video.writing import VideoWriter

MakeFilm = Callable[..., Path]
DrawNumber = Callable[..., NDArray[np.uint8]]
ReadNumber = Callable[[NDArray[np.uint8]], int]
CopyFilm = Callable[..., VideoWriter]


def list_atoms(data: bytes) -> list[str]:
    """Names of an MP4's outermost boxes, in their order."""
    names, position = [], 0
    while position < len(data):
        size, name = struct.unpack(">I4s", data[position : position + 8])
        names.append(name.decode())
        position += size if size > 1 else struct.unpack(">Q", data[position + 8 : position + 16])[0]
    return names


def test_the_film_is_what_browsers_play(draw_number: DrawNumber, tmp_path: Path) -> None:
    path = tmp_path / "new" / "film.mp4"
    with VideoWriter(path, frame_rate=25) as writer:
        for number in range(60):
            writer.write(draw_number(number), number / 25)
        assert not path.exists()
    assert writer.encoder == "libx264"
    assert writer.problems == ()
    atoms = list_atoms(path.read_bytes())
    assert atoms.index("moov") < atoms.index("mdat")  # plays while it loads
    with av.open(path) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt, stream.profile) == ("h264", "yuv420p", "High")
        assert (stream.codec_context.colorspace, stream.codec_context.color_range) == (1, 1)
        keys = [packet.pts * stream.time_base for packet in container.demux(stream) if packet.is_keyframe]
        assert np.diff([float(key) for key in keys]).max() <= 2
    assert [child.name for child in path.parent.iterdir()] == ["film.mp4"]


def test_times_survive(draw_number: DrawNumber, read_number: ReadNumber, tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.1001, 0.11, 0.45, 0.5, 0.9, 0.95]
    with VideoWriter(tmp_path / "film.mp4") as writer:
        for number, time in enumerate(times):
            writer.write(draw_number(number), time)
    frames = list(VideoReader(tmp_path / "film.mp4"))
    assert [read_number(frame.image) for frame in frames] == list(range(8))
    assert [frame.time_s for frame in frames] == pytest.approx(times, abs=2e-5)
    data = (tmp_path / "film.mp4").read_bytes()
    header = data.index(b"mvhd")
    ticks, duration = struct.unpack(">II", data[header + 16 : header + 24])
    assert duration / ticks == pytest.approx(1.0, abs=1e-3)  # the last frame is shown as long as the one before


def test_a_film_begins_with_its_first_frame(draw_number: DrawNumber, tmp_path: Path) -> None:
    for start, first in ((None, 0.0), (9.5, 0.5)):
        path = tmp_path / f"{start}.mp4"
        with VideoWriter(path, start_s=start) as writer:
            for number in range(5):
                writer.write(draw_number(number), 10 + number / 30)
        assert next(iter(VideoReader(path))).time_s == pytest.approx(0.0)
        with av.open(path) as container:
            stream = container.streams.video[0]
            assert stream.start_time * stream.time_base == pytest.approx(first, abs=1e-3)


def test_a_start_between_two_ticks_of_the_sources_clock(
    make_film: MakeFilm, copy_film: CopyFilm, tmp_path: Path
) -> None:
    source = make_film(tmp_path / "film.mkv", frames=10)  # whole milliseconds: its second frame is at 0.033 s
    copy_film(source, tmp_path / "copy.mp4", start_s=1 / 30)
    times = [frame.time_s for frame in VideoReader(tmp_path / "copy.mp4")]
    assert times == pytest.approx(np.arange(9) / 30, abs=2e-3)
    with VideoWriter(tmp_path / "late.mp4", start_s=0.1) as writer:
        with pytest.raises(UsageError, match="does not come after"):
            writer.write(np.zeros((32, 32, 3), np.uint8), 0.09)
        writer.write(np.zeros((32, 32, 3), np.uint8), 0.1)


def test_a_frame_an_hour_is_a_film_too(make_film: MakeFilm, copy_film: CopyFilm, tmp_path: Path) -> None:
    source = make_film(tmp_path / "film.mkv", frames=4, rate=Fraction(1, 3600), times=[0, 3600, 7200, 10800])
    rate = probe_video(source).frame_rate
    assert rate is not None
    assert rate < 1 / 2002
    copy_film(source, tmp_path / "copy.mp4")
    assert [frame.time_s for frame in VideoReader(tmp_path / "copy.mp4")] == [0, 3600, 7200, 10800]


def test_frames_that_are_hours_apart_are_repeated_each_hour(tmp_path: Path) -> None:
    """What an MP4 can hold is the sum of several steps, for encoders reorder frames."""
    times = [0, 0.1, 9 * 3600, 18 * 3600, 18 * 3600 + 0.1]
    with VideoWriter(tmp_path / "film.mp4") as writer:
        for number, time in enumerate(times):
            writer.write(np.full((32, 32, 3), 50 * number, np.uint8), time)
    frames = list(VideoReader(tmp_path / "film.mp4"))
    steps = np.diff([frame.time_s for frame in frames])
    assert steps.max() == pytest.approx(3600)
    greys = [round(float(frame.image.mean()) / 50) for frame in frames]
    assert [frames[greys.index(number)].time_s for number in range(5)] == pytest.approx(times, abs=2e-3)
    assert greys == sorted(greys)


@pytest.mark.parametrize(("until_s", "seconds"), [(None, 3.0), (2.5, 2.5), (9.0, 3.0), (0.0, 2.1)])
def test_the_last_frame_ends_with_the_source(until_s: float | None, seconds: float, tmp_path: Path) -> None:
    with VideoWriter(
        tmp_path / "film.mp4", frame_rate=10, start_s=1.0, shown_until_s=until_s and 1 + until_s
    ) as writer:
        for time in (1, 2, 3):
            writer.write(np.zeros((32, 32, 3), np.uint8), time)
    assert probe_video(tmp_path / "film.mp4").duration_s == pytest.approx(seconds, abs=2e-3)


def test_colours_survive(tmp_path: Path) -> None:
    colours = [
        (200, 30, 30),
        (30, 200, 30),
        (30, 30, 200),
        (250, 220, 180),
        (0, 0, 0),
        (255, 255, 255),
        (128, 128, 128),
    ]
    picture = np.repeat(np.repeat(np.array([colours], np.uint8), 64, axis=0), 32, axis=1)
    with VideoWriter(tmp_path / "film.mp4", quality=10) as writer:
        for number in range(5):
            writer.write(picture, number / 30)
    for frame in VideoReader(tmp_path / "film.mp4"):
        for index, colour in enumerate(colours):
            assert frame.image[16:48, 32 * index + 8 : 32 * index + 24].mean(axis=(0, 1)) == pytest.approx(
                colour, abs=4
            )


@pytest.mark.parametrize("size", [(161, 121), (160, 121), (161, 120), (1, 1), (17, 3)])
def test_odd_sizes_grow_by_a_pixel(size: tuple[int, int], tmp_path: Path) -> None:
    width, height = size
    picture = np.full((height, width, 3), 200, np.uint8)
    with VideoWriter(tmp_path / "film.mp4") as writer:
        for number in range(3):
            writer.write(picture, number / 30)
    frames = list(VideoReader(tmp_path / "film.mp4"))
    assert len(frames) == 3
    assert frames[0].image.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(frames[0].image.astype(int) - 200).max() < 8  # no black edge


def test_the_callers_picture_is_neither_kept_nor_changed(
    draw_number: DrawNumber, read_number: ReadNumber, tmp_path: Path
) -> None:
    picture = np.empty((120, 160, 3), np.uint8)
    with VideoWriter(tmp_path / "film.mp4") as writer:
        for number in range(10):
            picture[:] = draw_number(number)
            writer.write(picture, number / 30)
            assert (picture == draw_number(number)).all()
            picture[:] = 0
    assert [read_number(frame.image) for frame in VideoReader(tmp_path / "film.mp4")] == list(range(10))


def test_views_and_frozen_pictures_are_taken(draw_number: DrawNumber, read_number: ReadNumber, tmp_path: Path) -> None:
    frozen = np.ascontiguousarray(draw_number(5)[:, ::-1])
    frozen.flags.writeable = False
    with VideoWriter(tmp_path / "film.mp4") as writer:
        writer.write(frozen[:, ::-1], 0.0)
    assert [read_number(frame.image) for frame in VideoReader(tmp_path / "film.mp4")] == [5]


# Whole or not at all


def test_an_error_leaves_what_was_there(draw_number: DrawNumber, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"before")
    writer = VideoWriter(path)

    def write_and_stop() -> None:
        with writer:
            for number in range(40):
                writer.write(draw_number(number), number / 30)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_stop()
    assert path.read_bytes() == b"before"
    assert [child.name for child in tmp_path.iterdir()] == ["film.mp4"]
    with pytest.raises(UsageError, match="finished"):
        writer.write(draw_number(0), 99.0)


def test_close_and_discard_can_be_called_again(draw_number: DrawNumber, tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "film.mp4")
    writer.write(draw_number(0), 0.0)
    writer.close()
    writer.close()
    writer.discard()
    assert len(list(VideoReader(tmp_path / "film.mp4"))) == 1
    dropped = VideoWriter(tmp_path / "other.mp4")
    dropped.discard()
    dropped.close()
    assert [child.name for child in tmp_path.iterdir()] == ["film.mp4"]


def test_a_forgotten_writer_leaves_nothing(draw_number: DrawNumber, tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "film.mp4")
    writer.write(draw_number(0), 0.0)
    del writer
    assert list(tmp_path.iterdir()) == []


def test_no_frames_no_film(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no frame was written"), VideoWriter(tmp_path / "film.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told(draw_number: DrawNumber, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object, frame: object) -> None:
        raise av.error.OSError(28, "No space left on device")

    monkeypatch.setattr(VideoWriter, "_push", fail)
    with pytest.raises(OutputError, match="No space left"), VideoWriter(tmp_path / "film.mp4") as writer:
        writer.write(draw_number(0), 0.0)
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        VideoWriter(tmp_path / "file" / "film.mp4")


def test_wrong_arguments(make_film: MakeFilm, tmp_path: Path) -> None:
    source = make_film(tmp_path / "source.mp4", frames=2)
    for options in ({"path": "film.avi"}, {"path": "film"}, {"quality": 52}, {"quality": -1}, {"frame_rate": 0}):
        with pytest.raises(UsageError):
            VideoWriter(**{"path": tmp_path / "film.mp4", **options})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="overwritten"):
        VideoWriter(source, audio_from=source)
    with (
        pytest.raises(InputError, match="No such file"),
        VideoWriter(tmp_path / "film.mp4", audio_from=tmp_path / "absent.mp4") as writer,
    ):
        writer.write(np.zeros((32, 32, 3), np.uint8), 0.0)
    assert [child.name for child in tmp_path.iterdir()] == ["source.mp4"]


@pytest.mark.parametrize(
    ("picture", "time"),
    [
        (np.zeros((32, 48, 3), np.uint8), 1.0),
        (np.zeros((32, 32, 4), np.uint8), 1.0),
        (np.zeros((32, 32), np.uint8), 1.0),
        (np.zeros((32, 32, 3), np.float32), 1.0),
        (np.zeros((32, 32, 3), np.uint8), 0.5),
        (np.zeros((32, 32, 3), np.uint8), 0.2),
        (np.zeros((32, 32, 3), np.uint8), -1.0),
        (np.zeros((32, 32, 3), np.uint8), 4e4),
    ],
    ids=["size", "channels", "grey", "dtype", "same time", "earlier", "before the start", "eleven hours later"],
)
def test_frames_that_do_not_fit(picture: NDArray[Any], time: float, tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "film.mp4", start_s=0.0)
    writer.write(np.zeros((32, 32, 3), np.uint8), 0.5)
    with pytest.raises(UsageError):
        writer.write(picture, time)
    writer.write(np.zeros((32, 32, 3), np.uint8), 2.0)  # the film is none the worse for it
    writer.close()
    assert len(list(VideoReader(tmp_path / "film.mp4"))) == 2


def test_other_encoders(
    draw_number: DrawNumber, read_number: ReadNumber, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = av.codec.Codec

    def hide(*hidden: str) -> Callable[[str, str], av.codec.Codec]:
        def find(name: str, mode: str) -> av.codec.Codec:
            if name in hidden:
                raise ValueError(name)
            return real(name, mode)

        return find

    monkeypatch.setattr(av.codec, "Codec", hide("libx264", "libopenh264"))
    with VideoWriter(tmp_path / "film.mp4") as writer:
        for number in range(20):
            writer.write(draw_number(number), number / 30)
    assert writer.encoder == "mpeg4"
    assert "browsers will not play" in writer.problems[0].message
    assert [read_number(frame.image) for frame in VideoReader(tmp_path / "film.mp4")] == list(range(20))
    monkeypatch.setattr(av.codec, "Codec", hide("libx264", "libopenh264", "mpeg4"))
    with pytest.raises(VideoError, match="cannot encode films"):
        VideoWriter(tmp_path / "other.mp4")


def test_a_missing_pyav_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r'pip install "fervid\[video\]"'):
        VideoWriter(tmp_path / "film.mp4")


def test_errors_of_the_encoder_are_fervids(tmp_path: Path) -> None:
    with pytest.raises(FervidError, match="cannot encode"), VideoWriter(tmp_path / "film.mp4") as writer:
        writer.write(np.zeros((2, 20_000, 3), np.uint8), 0.0)
    assert list(tmp_path.iterdir()) == []
