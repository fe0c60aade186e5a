"""The window: on SDL's screen that shows nothing, and on a real X screen where there is Xvfb."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fervid.errors import DisplayError, MissingExtraError
from fervid.live.window import QUIT, Window

Look = Callable[[Window], NDArray[np.uint8]]


def make_picture(width: int = 480, height: int = 320) -> NDArray[np.uint8]:
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    picture[:, : width // 2] = (200, 30, 60)
    picture[: height // 2, width // 2 :] = (10, 180, 90)
    return picture


def test_the_window_shows_the_picture(quiet_screen: None, look: Look) -> None:
    with Window("test", (480, 320)) as window:
        assert window.driver == "dummy"
        assert window.size == (480, 320)
        window.show(make_picture())
        assert (look(window) == make_picture()).all()


def test_a_picture_of_another_shape_stands_in_the_middle(quiet_screen: None, look: Look) -> None:
    with Window("test", (480, 320)) as window:
        window.show(make_picture())
        window.show(np.full((320, 320, 3), 250, dtype=np.uint8))
        pixels = look(window)
        assert (pixels[:, 80:400] == 250).all()
        assert pixels[:, :79].max() < 40
        assert pixels[:, 401:].max() < 40
        window.show(np.full((40, 60, 3), 99, dtype=np.uint8)[:, ::-1])  # smaller, not contiguous
        assert (look(window) == 99).all()


def test_keys_are_heard_once(quiet_screen: None, press: Callable[..., None]) -> None:
    with Window("test", (480, 320)) as window:
        window.poll()
        assert window.poll() == []
        for key in ("e", "m", "q", "escape", "close"):
            press(key)
        press("e", repeat=True)
        assert window.poll() == ["e", "m", QUIT, QUIT, QUIT]
        assert window.poll() == []


def test_windows_can_follow_one_another_and_be_closed_twice(quiet_screen: None, look: Look) -> None:
    for _ in range(2):
        with Window("test", (480, 320)) as window:
            window.toggle_full_screen()
            assert window.size > (480, 320)
            window.toggle_full_screen()
            assert window.size == (480, 320)
            window.show(make_picture())
        window.close()


@pytest.mark.parametrize("driver", ["x11", None], ids=["X11", "whatever SDL finds"])
def test_without_a_screen_the_error_says_what_to_do(driver: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sdl2dll")
    if driver is None:
        monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
        monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")  # where Wayland's socket would be
        if Path("/dev/dri").exists():
            pytest.skip("SDL may draw on this machine's screen without a session")
    else:
        monkeypatch.setenv("SDL_VIDEODRIVER", driver)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(DisplayError, match="no screen") as caught:
        Window("test", (480, 320))
    assert "--no-window" in caught.value.advice
    if sys.platform.startswith("linux"):
        assert "DISPLAY" in caught.value.advice


@pytest.mark.parametrize("module", ["sdl2", "sdl2dll"])
def test_without_sdl_the_extra_is_named(module: str) -> None:
    code = f"""
import sys
sys.modules["{module}"] = None
import ctypes.util
ctypes.util.find_library = lambda name: None  # nor on the system
from fervid.live.window import load_sdl
try:
    load_sdl()
except ImportError as error:
    print(type(error).__name__, error)
"""
    environment = {k: v for k, v in os.environ.items() if k != "PYSDL2_DLL_PATH"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert MissingExtraError.__name__ in done.stdout
    assert 'pip install "fervid[camera]"' in done.stdout


def test_loading_sdl_is_silent() -> None:
    pytest.importorskip("sdl2dll")
    code = "from fervid.live.window import load_sdl; load_sdl()"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


def test_the_screen_itself_shows_the_picture(x_display: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an X server would send to a monitor, read back by FFmpeg."""
    av = pytest.importorskip("av")
    pytest.importorskip("sdl2dll")
    monkeypatch.setenv("SDL_VIDEODRIVER", "x11")
    monkeypatch.setenv("DISPLAY", x_display)
    with Window("test", (480, 320)) as window:
        assert window.driver == "x11"
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            window.poll()
            window.show(make_picture())
            with av.open(x_display, format="x11grab", options={"video_size": "800x600", "draw_mouse": "0"}) as screen:
                pixels = next(screen.decode(video=0)).to_ndarray(format="rgb24")
            rows, columns = np.nonzero((np.abs(pixels.astype(int) - (200, 30, 60)) < 8).all(axis=2))
            if len(rows) == 240 * 320:
                break
            time.sleep(0.05)
        top, left = rows.min(), columns.min()
        shown = pixels[top : top + 320, left : left + 480].astype(int)
        assert np.abs(shown - make_picture()).max() <= 8
