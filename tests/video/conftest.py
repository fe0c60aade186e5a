"""Films made on the spot: every frame carries its number as sixteen black and white squares along its upper edge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from fervid.video.probing import probe_video
from fervid.video.reading import VideoReader
from fervid.video.writing import VideoWriter

DrawNumber = Callable[..., NDArray[np.uint8]]
ReadNumber = Callable[[NDArray[np.uint8]], int]
MakeFilm = Callable[..., Path]

WIDTH, HEIGHT = 160, 120


def _draw_number(number: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([x * 255 // width, y * 255 // height, np.full_like(x, number * 7 % 256)], axis=-1).astype(np.uint8)
    side = width // 16
    for bit in range(16):
        image[: height // 6, bit * side : (bit + 1) * side] = 255 if number >> bit & 1 else 0
    return image


def _read_number(image: NDArray[np.uint8]) -> int:
    height, width = image.shape[:2]
    side = width // 16
    strip = image[height // 24 : height // 8].mean(axis=(0, 2))
    return sum(
        1 << bit for bit in range(16) if strip[bit * side + side // 4 : (bit + 1) * side - side // 4].mean() > 127
    )


@pytest.fixture(scope="session")
def draw_number() -> DrawNumber:
    """``(number, width, height)`` to a picture that carries the number."""
    return _draw_number


@pytest.fixture(scope="session")
def read_number() -> ReadNumber:
    """The number that an upright picture carries."""
    return _read_number


@pytest.fixture(scope="session")
def make_film() -> MakeFilm:
    """Encodes a film: ``(path, frames=60, rate=30, codec="libx264", …)`` to its path; see the code for the rest."""
    return _make_film


def _make_film(
    path: Path,
    *,
    frames: int = 60,
    rate: int | Fraction = 30,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    pix_fmt: str = "yuv420p",
    file_format: str | None = None,
    container_options: dict[str, str] | None = None,
    times: Sequence[float] | None = None,
    first: int = 0,
    matrix: Sequence[int] | None = None,
    turn: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None,
    aspect: Fraction | None = None,
    audio: str | None = None,
    audio_rate: int = 44100,
    audio_layout: str = "stereo",
) -> Path:
    """A film of ``frames`` frames, ``rate`` a second from frame number ``first`` on, or at ``times``.

    ``matrix`` is the display matrix, ``turn`` what is done to each picture before it is stored, ``aspect`` the shape of
    a pixel; with ``audio`` (a codec) a tone of 0.1 s sounds at each full second.
    """
    tick = 1 / Fraction(rate) if times is None else Fraction(1, 60_000)
    with av.open(path, "w", format=file_format, options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.codec_context.thread_count = 1
        if times is not None:
            stream.codec_context.time_base = tick
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if matrix is not None:
            stream.set_display_matrix(matrix)
        sound = None if audio is None else container.add_stream(audio, rate=audio_rate, layout=audio_layout)
        for number in range(frames):
            picture = _draw_number(number, *(size if turn is None else (WIDTH, HEIGHT)))
            picture = picture if turn is None else np.ascontiguousarray(turn(picture))
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = number + first if times is None else round(times[number] / tick)
            frame.time_base = tick
            container.mux(stream.encode(frame))
            if sound is not None:
                container.mux(sound.encode(_sound_tone(number, int(rate), audio_rate, audio_layout)))
        container.mux(stream.encode(None))
        if sound is not None:
            container.mux(sound.encode(None))
    return path


def _sound_tone(number: int, rate: int, audio_rate: int, layout: str) -> av.AudioFrame:
    count = audio_rate // rate
    time = (np.arange(count) + number * count) / audio_rate
    wave = (np.sin(2 * np.pi * 880 * time) * (time % 1 < 0.1) * 0.5).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(
        np.stack([wave] * av.AudioLayout(layout).nb_channels), format="fltp", layout=layout
    )
    frame.sample_rate = audio_rate
    frame.pts, frame.time_base = number * count, Fraction(1, audio_rate)
    return frame


@pytest.fixture(scope="session")
def sound_tone() -> Callable[..., av.AudioFrame]:
    """``(number, rate, audio_rate, layout)`` to the sound of a frame: a tone of 0.1 s at each full second."""
    return _sound_tone


@pytest.fixture(scope="session")
def copy_film() -> Callable[..., VideoWriter]:
    """``(source, target, start_s=…, end_s=…)``: the way of an annotated film, without annotating."""

    def copy(source: Path, target: Path, **part: Any) -> VideoWriter:
        rate = probe_video(source).frame_rate
        with (
            VideoReader(source, **part) as reader,
            VideoWriter(target, audio_from=source, frame_rate=rate, threads=1, **part) as writer,
        ):
            for frame in reader:
                writer.write(frame.image, frame.time_s)
        return writer

    return copy


@pytest.fixture(scope="session")
def hear_tones() -> Callable[[Path], list[float]]:
    """When, in seconds of the file's clock, a tone begins."""

    def hear(path: Path) -> list[float]:
        onsets: list[float] = []
        last = -1.0
        with av.open(path) as container:
            for frame in container.decode(audio=0):
                wave: NDArray[Any] = np.abs(frame.to_ndarray()[0].astype(np.float64))
                wave /= 32768 if frame.format.name.startswith("s16") else 1
                for sample in np.flatnonzero(wave > 0.2):
                    now = float(frame.pts * frame.time_base) + float(sample) / frame.sample_rate
                    if now - last > 0.5:
                        onsets.append(now)
                    last = now
        return onsets

    return hear


@pytest.fixture(scope="module")
def films(
    request: pytest.FixtureRequest, make_film: MakeFilm, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Films by their names, of the kinds that the module's ``KINDS`` says, each made when it is first asked for."""
    folder = tmp_path_factory.mktemp("films")

    def get(name: str) -> Path:
        path = folder / name
        return path if path.exists() else make_film(path, **request.module.KINDS.get(name, {}))

    return get
