"""A loop over a film can be left, closed and begun again anywhere."""

import gc
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fervid.video.reading import VideoReader

MakeFilm = Callable[..., Path]
ReadNumber = Callable[[NDArray[np.uint8]], int]


KINDS: dict[str, dict[str, Any]] = {"film.gif": {"codec": "gif", "pix_fmt": "rgb8", "rate": 20}}


def count_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def count_threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts what Linux lists")
@pytest.mark.parametrize("prefetch", [0, 1, 4])
def test_a_loop_that_is_left_leaves_nothing_behind(prefetch: int, films: Callable[[str], Path]) -> None:
    for frame in VideoReader(films("film.mp4"), prefetch=prefetch):
        assert frame.index == 0
        break
    del frame
    gc.disable()  # what is left to the collector is left behind
    try:
        files, threads = count_files(), count_threads()
        for _ in range(5):
            for frame in VideoReader(films("film.mp4"), prefetch=prefetch):
                if frame.index == 3:
                    break
            with VideoReader(films("film.mkv"), prefetch=prefetch, every_s=0.5) as reader:
                iterator = iter(reader)
                next(iterator)
            del iterator
        assert count_files() <= files
        deadline = time.monotonic() + 10
        while count_threads() > threads and time.monotonic() < deadline:  # a joined thread is listed a moment longer
            time.sleep(0.01)
        assert count_threads() <= threads
    finally:
        gc.enable()


def test_close_ends_the_loop(films: Callable[[str], Path]) -> None:
    reader = VideoReader(films("film.mp4"))
    seen = []
    for frame in reader:
        seen.append(frame.index)
        reader.close()
    assert seen == [0]


def test_a_film_can_be_read_again(films: Callable[[str], Path]) -> None:
    with VideoReader(films("film.mp4"), start_s=1.0) as reader:
        first = [frame.index for frame in reader]
        assert [frame.index for frame in reader] == first == list(range(30, 60))


@pytest.mark.parametrize("name", ["film.mov", "film.gif", "film.mp4"])
def test_what_is_done_to_a_frame_does_not_reach_the_next(
    name: str, films: Callable[[str], Path], read_number: ReadNumber
) -> None:
    kept = []
    for frame in VideoReader(films(name), prefetch=0):
        kept.append(read_number(frame.image))
        frame.image[:] = 0
    assert kept == list(range(60))


def test_two_readings_at_once(films: Callable[[str], Path]) -> None:
    with VideoReader(films("film.mp4")) as reader:
        assert [(a.index, b.index) for a, b in zip(reader, reader, strict=True)] == [(i, i) for i in range(60)]


def test_an_error_while_decoding_reaches_the_loop(
    films: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object, frame: object) -> None:
        raise MemoryError("no room for a frame")

    monkeypatch.setattr("fervid.video.pixels.FrameConverter.convert", fail)
    with pytest.raises(MemoryError, match="no room"):
        list(VideoReader(films("film.mp4")))


def test_importing_the_reader_does_not_load_pyav() -> None:
    code = "import sys, fervid.video.reading, fervid.video.writing; print('av' in sys.modules, 'cv2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
