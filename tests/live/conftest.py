"""A camera's film with one red square for a face, a detector that finds it, and screens to show it on."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fervid.detection.detector import Detection
from fervid.detection.framing import Framing
from fervid.live.window import Window
from fervid.results import Box
from fervid.video.writing import VideoWriter

SIZE = (240, 160)
SIDE = 60
REDNESS = 90


class SquareDetector:
    """Takes the red square for a face."""

    name = "squares"
    score_threshold = 0.5
    framing = Framing(1.0, 0.0, 0.0)

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, image: NDArray[np.uint8], *, min_face: float) -> list[Detection]:
        self.calls += 1
        assert min_face > 0
        red = image[:, :, 0].astype(int) - image[:, :, 1]
        rows, columns = np.nonzero(red > REDNESS)
        if len(rows) < 100:
            return []
        box = Box(float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
        return [Detection(box, 0.9)]


def paint(x: int, y: int = 50) -> NDArray[np.uint8]:
    image = np.full((SIZE[1], SIZE[0], 3), 120, dtype=np.uint8)
    image[y : y + SIDE, x : x + SIDE] = (220, 20, 20)
    return image


@pytest.fixture
def make_square_film(tmp_path: Path) -> Callable[..., Path]:
    """``(frames=60, rate=30, speed=1.0)``: the square walks from the left, ``speed`` px a frame."""

    def make(frames: int = 60, rate: int = 30, speed: float = 1.0) -> Path:
        path = tmp_path / "square.mp4"
        with VideoWriter(path, frame_rate=rate, threads=1) as writer:
            for i in range(frames):
                writer.write(paint(20 + round(i * speed) % 140), i / rate)
        return path

    return make


@pytest.fixture
def quiet_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """SDL's screen that shows nothing."""
    pytest.importorskip("sdl2dll")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


@pytest.fixture(scope="session")
def x_display() -> Iterator[str]:
    """A virtual X screen; tests that need it are skipped where there is no Xvfb."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed (Debian: xvfb)")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "800x600x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        with os.fdopen(reading) as stream:
            number = stream.readline().strip()
        assert number, "Xvfb did not start"
        try:
            yield f":{number}"
        finally:
            server.terminate()


@pytest.fixture
def press() -> Callable[..., None]:
    """``(letter, repeat=False)``: push a key."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import sdl2

    def push(key: str, *, repeat: bool = False) -> None:
        event: Any = sdl2.SDL_Event()
        event.type = sdl2.SDL_QUIT if key == "close" else sdl2.SDL_KEYDOWN
        if key != "close":
            event.key.keysym.sym = sdl2.SDLK_ESCAPE if key == "escape" else ord(key)
            event.key.repeat = int(repeat)
        sdl2.SDL_PushEvent(ctypes.byref(event))

    return push


def read_pixels(window: Window) -> NDArray[np.uint8]:
    """What the window shows, ``(H, W, 3)``."""
    width, height = window.size
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    sdl = window._sdl
    done = sdl.SDL_RenderReadPixels(
        window._renderer, None, sdl.SDL_PIXELFORMAT_RGB24, pixels.ctypes.data_as(ctypes.c_void_p), 3 * width
    )
    assert done == 0, sdl.SDL_GetError()
    return pixels


@pytest.fixture
def look() -> Callable[[Window], NDArray[np.uint8]]:
    """The window's pixels."""
    return read_pixels


def list_threads() -> set[str]:
    return {t.name for t in threading.enumerate() if t.name.startswith("fervid-")}


@pytest.fixture(autouse=True)
def no_threads_are_left() -> Iterator[None]:
    before = list_threads()  # of servers that other tests keep in this process
    yield
    assert not list_threads() - before


@pytest.fixture
def squares() -> type[SquareDetector]:
    """The detector."""
    return SquareDetector
