"""The sound of a film that is written is that of its source, in step with the picture."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from fervid.errors import OutputError
from fervid.video.audio import AudioCopy
from fervid.video.probing import probe_video
from fervid.video.reading import VideoReader
from fervid.video.writing import VideoWriter

MakeFilm = Callable[..., Path]
CopyFilm = Callable[..., VideoWriter]
DrawNumber = Callable[..., NDArray[np.uint8]]
ReadNumber = Callable[[NDArray[np.uint8]], int]
HearTones = Callable[[Path], list[float]]


SOUNDS: dict[str, dict[str, Any]] = {
    "aac.mp4": {"audio": "aac"},
    "aac.mkv": {"audio": "aac"},
    "mp3.mp4": {"audio": "libmp3lame"},
    "opus.mkv": {"audio": "libopus", "audio_rate": 48000},
    "pcm.mov": {"audio": "pcm_s16le", "audio_layout": "mono"},
    "flac.mkv": {"audio": "flac"},
    "ac3.mkv": {"audio": "ac3", "audio_rate": 48000, "audio_layout": "5.1"},
}


@pytest.mark.parametrize("part", [{}, {"start_s": 0.9, "end_s": 2.2}], ids=["whole", "part"])
@pytest.mark.parametrize("name", SOUNDS)
def test_sound_stays_in_step(
    name: str,
    part: dict[str, float],
    make_film: MakeFilm,
    copy_film: CopyFilm,
    read_number: ReadNumber,
    hear_tones: HearTones,
    tmp_path: Path,
) -> None:
    source = make_film(tmp_path / name, frames=90, **SOUNDS[name])
    writer = copy_film(source, tmp_path / "film.mp4", **part)
    assert writer.problems == ()
    start, end = part.get("start_s", 0.0), part.get("end_s", 3.0)
    frames = list(VideoReader(writer.path))
    assert [read_number(frame.image) for frame in frames] == list(range(round(start * 30), round(end * 30)))
    assert [frame.time_s for frame in frames] == pytest.approx([i / 30 for i in range(len(frames))], abs=2e-3)
    tones = [tone - start for tone in (0.0, 1.0, 2.0) if start <= tone < end]
    assert hear_tones(writer.path) == pytest.approx(tones, abs=0.015)
    info = probe_video(writer.path)
    copied = {"aac": "aac", "libmp3lame": "mp3", "libopus": "opus"}
    assert info.audio_codec == copied.get(SOUNDS[name]["audio"], "aac")
    with av.open(writer.path) as container:
        stream = container.streams.audio[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(end - start, abs=0.1)
        assert stream.codec_context.layout.nb_channels == (1 if SOUNDS[name].get("audio_layout") == "mono" else 2)


def test_sound_of_a_transport_stream(
    make_film: MakeFilm, copy_film: CopyFilm, hear_tones: HearTones, tmp_path: Path
) -> None:
    source = make_film(tmp_path / "film.ts", file_format="mpegts", frames=90, first=150, audio="aac")
    writer = copy_film(source, tmp_path / "film.mp4", start_s=0.9)
    before, after = next(iter(VideoReader(source, start_s=0.9))), next(iter(VideoReader(writer.path)))
    with av.open(source) as container:
        clock = container.start_time / 1_000_000
    # Tones of the source begin at whole seconds of its own clock.
    expected = [tone - clock - 0.9 for tone in hear_tones(source) if tone - clock > 0.9]
    heard = [tone - after.time_s + (before.time_s - 0.9) for tone in hear_tones(writer.path)]
    assert heard == pytest.approx(expected, abs=0.015)


@pytest.mark.parametrize(("audio", "start_s"), [("aac", 0.0), ("aac", 4.5), ("ac3", 4.5)])
def test_sound_of_joined_recordings(
    audio: str,
    start_s: float,
    make_film: MakeFilm,
    copy_film: CopyFilm,
    read_number: ReadNumber,
    hear_tones: HearTones,
    tmp_path: Path,
) -> None:
    """The sound of each part is a little longer than its pictures; that must not add up."""
    once = make_film(tmp_path / "once.ts", frames=50, audio=audio, audio_rate=48000).read_bytes()
    (tmp_path / "joined.ts").write_bytes(once * 5)
    writer = copy_film(tmp_path / "joined.ts", tmp_path / "film.mp4", **({"start_s": start_s} if start_s else {}))
    expected = [f.time_s for f in VideoReader(writer.path) if read_number(f.image) in (0, 30)]
    assert len(expected) == (10 if start_s == 0 else 4)
    assert hear_tones(writer.path) == pytest.approx(expected, abs=0.035)
    assert writer.problems == ()


def test_copied_sound_is_the_same_bytes(make_film: MakeFilm, copy_film: CopyFilm, tmp_path: Path) -> None:
    source = make_film(tmp_path / "source.mp4", audio="aac")
    copy_film(source, tmp_path / "film.mp4")

    def read_sound(path: Path) -> list[bytes]:
        with av.open(path) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    assert read_sound(tmp_path / "film.mp4") == read_sound(source)


def test_a_silent_source_gives_a_silent_film(make_film: MakeFilm, copy_film: CopyFilm, tmp_path: Path) -> None:
    writer = copy_film(make_film(tmp_path / "source.mp4"), tmp_path / "film.mp4")
    assert probe_video(writer.path).audio_codec is None
    assert writer.problems == ()


def test_sampled_frames_keep_the_sound(
    make_film: MakeFilm, copy_film: CopyFilm, hear_tones: HearTones, tmp_path: Path
) -> None:
    source = make_film(tmp_path / "source.mp4", frames=90, audio="aac")
    with VideoReader(source, every_s=0.5) as reader, VideoWriter(tmp_path / "film.mp4", audio_from=source) as writer:
        for frame in reader:
            writer.write(frame.image, frame.time_s)
    assert [frame.time_s for frame in VideoReader(writer.path)] == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5], abs=1e-3)
    assert hear_tones(writer.path) == pytest.approx([0, 1, 2], abs=0.015)
    assert probe_video(writer.path).duration_s == pytest.approx(3.0, abs=0.01)


def test_damaged_sound_does_not_stop_the_picture(make_film: MakeFilm, copy_film: CopyFilm, tmp_path: Path) -> None:
    source = make_film(tmp_path / "source.mkv", frames=90, audio="flac", codec="ffv1", size=(32, 24))
    data = bytearray(source.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = np.random.default_rng(1).bytes(4000)
    source.write_bytes(data)
    writer = copy_film(source, tmp_path / "film.mp4")
    assert probe_video(writer.path).audio_codec
    assert len(list(VideoReader(writer.path))) > 40


def test_mp3_too_slow_for_an_mp4_becomes_aac(
    make_film: MakeFilm, copy_film: CopyFilm, hear_tones: HearTones, tmp_path: Path
) -> None:
    for rate, codec in ((11025, "aac"), (16000, "mp3")):  # webcams of old
        sound = {"audio": "libmp3lame", "audio_rate": rate, "audio_layout": "mono"}
        source = make_film(tmp_path / f"{rate}.avi", frames=45, codec="mpeg4", **sound)
        writer = copy_film(source, tmp_path / f"{rate}.mp4")
        assert writer.problems == ()
        assert probe_video(writer.path).audio_codec == codec
        assert hear_tones(writer.path) == pytest.approx(hear_tones(source), abs=0.015)


def test_sound_may_change_its_layout_and_rate(
    draw_number: DrawNumber,
    sound_tone: Callable[..., av.AudioFrame],
    copy_film: CopyFilm,
    hear_tones: HearTones,
    tmp_path: Path,
) -> None:
    source = tmp_path / "film.ts"
    with av.open(source, "w") as container:
        video = container.add_stream("mpeg2video", rate=30)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        sound = container.add_stream("ac3", rate=48000, layout="5.1")
        for part, (layout, rate) in enumerate((("5.1", 48000), ("stereo", 48000), ("mono", 44100))):
            encoder = av.CodecContext.create("ac3", "w")
            encoder.layout, encoder.sample_rate, encoder.format = layout, rate, "fltp"
            encoder.bit_rate, encoder.time_base = 192_000, Fraction(1, rate)
            for number in range(30 * part, 30 * part + 30):
                frame = av.VideoFrame.from_ndarray(draw_number(number), "rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 30)
                container.mux(video.encode(frame))
                for packet in encoder.encode(sound_tone(number, 30, rate, layout)):
                    packet.stream = sound
                    container.mux(packet)
        container.mux(video.encode(None))
    writer = copy_film(source, tmp_path / "film.mp4")
    assert writer.problems == ()
    assert np.diff(hear_tones(writer.path)) == pytest.approx([1, 1], abs=0.03)
    with av.open(writer.path) as container:
        stream = container.streams.audio[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("fault", ["made", "written"])
def test_sound_that_ffmpeg_refuses_ends_and_the_picture_goes_on(
    fault: str, make_film: MakeFilm, copy_film: CopyFilm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_film(tmp_path / "source.mkv", frames=60, audio="flac")
    encode = AudioCopy._encode
    calls: list[int] = []

    def spoil(self: AudioCopy, frame: av.AudioFrame | None) -> list[Any]:
        calls.append(1)
        packets = encode(self, frame)
        if len(calls) > 9:
            if fault == "made":
                raise ValueError("it cannot be made")
            for packet in packets:
                packet.pts = packet.dts = 0  # MP4 takes no time twice
        return packets

    monkeypatch.setattr(AudioCopy, "_encode", spoil)
    writer = copy_film(source, tmp_path / "film.mp4")
    (problem,) = writer.problems
    assert problem.message.startswith("the sound is incomplete: it ends at ")
    assert str(tmp_path) not in problem.message
    assert len(list(VideoReader(writer.path))) == 60
    assert probe_video(writer.path).audio_codec


def test_a_full_disk_is_no_fault_of_the_sound(
    make_film: MakeFilm, copy_film: CopyFilm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: AudioCopy, frame: object) -> None:
        raise av.error.OSError(28, "No space left on device")

    source = make_film(tmp_path / "source.mkv", frames=30, audio="flac")
    monkeypatch.setattr(AudioCopy, "_encode", fail)
    with pytest.raises(OutputError, match="No space left"):
        copy_film(source, tmp_path / "film.mp4")
