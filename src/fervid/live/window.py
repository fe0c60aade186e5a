"""A window that shows pictures and hears keys, with SDL, which comes in a wheel (extra ``camera``).

SDL must be used by one thread; on some systems that must be the main thread.
"""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from fervid.errors import DisplayError, MissingExtraError

QUIT: Final = "quit"
"""What :meth:`Window.poll` says when the window was closed."""

_SHARE: Final = 0.85
"""The most of the screen's width and height that a new window takes."""
_SMALLEST: Final = (480, 320)
_BACKGROUND: Final = (22, 24, 29, 255)
_UNSEEN: Final = {"offscreen", "dummy", "evdev"}
"""SDL's ways to draw for nobody, which it falls back on where there is no screen; SDL_VIDEODRIVER asks for them."""


class Window:
    """A resizable window.

    Args:
        title: what it is called.
        size: (width, height) wanted, in units of the desktop; less on a small screen.

    Attributes:
        driver: SDL's name of how it reaches the screen, such as ``x11`` or ``wayland``.

    Raises:
        MissingExtraError: SDL is not installed (extra ``camera``).
        DisplayError: there is no screen, or it refuses.
    """

    def __init__(self, title: str, size: tuple[int, int]) -> None:
        self._sdl = sdl = load_sdl()
        self._window: Any = None
        self._renderer: Any = None
        self._texture: Any = None
        self._texture_size = (0, 0)
        self._keys: dict[int, str] = {sdl.SDLK_ESCAPE: QUIT, sdl.SDLK_q: QUIT}
        # Other programs' windows would lose their shadows; and Ctrl-C stays with whoever handles it.
        for hint in (b"SDL_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR=0", b"SDL_NO_SIGNAL_HANDLERS=1"):
            sdl.SDL_SetHint(*hint.split(b"="))
        if sdl.SDL_InitSubSystem(sdl.SDL_INIT_VIDEO) != 0:
            raise self._fail()
        try:
            self.driver = sdl.SDL_GetCurrentVideoDriver().decode()
            if self.driver in _UNSEEN and not os.environ.get("SDL_VIDEODRIVER"):
                raise self._fail(f"SDL found only {self.driver}")
            self._open(title, self._fit(size))
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of what it shows, px of the screen."""
        width, height = ctypes.c_int(), ctypes.c_int()
        self._sdl.SDL_GetRendererOutputSize(self._renderer, ctypes.byref(width), ctypes.byref(height))
        return max(1, width.value), max(1, height.value)

    def show(self, image: NDArray[np.uint8]) -> None:
        """Show a ``(H, W, 3)`` uint8 RGB picture, as large as fits, in the middle.

        Raises:
            DisplayError: the screen has gone.
        """
        sdl = self._sdl
        height, width = image.shape[:2]
        if self._texture_size != (width, height):
            if self._texture is not None:
                sdl.SDL_DestroyTexture(self._texture)
            self._texture = sdl.SDL_CreateTexture(
                self._renderer, sdl.SDL_PIXELFORMAT_RGB24, sdl.SDL_TEXTUREACCESS_STREAMING, width, height
            )
            if not self._texture:
                raise self._fail()
            self._texture_size = (width, height)
        pixels = np.ascontiguousarray(image)
        if sdl.SDL_UpdateTexture(self._texture, None, pixels.ctypes.data_as(ctypes.c_void_p), 3 * width) != 0:
            raise self._fail()
        columns, rows = self.size
        scale = min(columns / width, rows / height)
        shown = (round(width * scale), round(height * scale))
        place = sdl.SDL_Rect((columns - shown[0]) // 2, (rows - shown[1]) // 2, *shown)
        sdl.SDL_SetRenderDrawColor(self._renderer, *_BACKGROUND)
        sdl.SDL_RenderClear(self._renderer)
        sdl.SDL_RenderCopy(self._renderer, self._texture, None, ctypes.byref(place))
        sdl.SDL_RenderPresent(self._renderer)

    def poll(self) -> list[str]:
        """Keys that were pressed since the last call, as letters; :data:`QUIT` for q, Esc and a closed window."""
        sdl, event, pressed = self._sdl, self._sdl.SDL_Event(), []
        while sdl.SDL_PollEvent(ctypes.byref(event)):
            if event.type == sdl.SDL_QUIT:
                pressed.append(QUIT)
            elif event.type == sdl.SDL_KEYDOWN and not event.key.repeat:
                code = event.key.keysym.sym
                pressed.append(self._keys.get(code) or (chr(code) if 32 <= code < 127 else ""))
        return [key for key in pressed if key]

    def toggle_full_screen(self) -> None:
        """Fill the screen, or stop doing so."""
        full = self._sdl.SDL_WINDOW_FULLSCREEN_DESKTOP
        is_full = self._sdl.SDL_GetWindowFlags(self._window) & full == full
        self._sdl.SDL_SetWindowFullscreen(self._window, 0 if is_full else full)

    def close(self) -> None:
        """Take the window away."""
        sdl = self._sdl
        for thing, destroy in (
            (self._texture, sdl.SDL_DestroyTexture),
            (self._renderer, sdl.SDL_DestroyRenderer),
            (self._window, sdl.SDL_DestroyWindow),
        ):
            if thing:
                destroy(thing)
        if self._sdl.SDL_WasInit(sdl.SDL_INIT_VIDEO):
            sdl.SDL_QuitSubSystem(sdl.SDL_INIT_VIDEO)
        self._texture = self._renderer = self._window = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fit(self, size: tuple[int, int]) -> tuple[int, int]:
        """``size`` shrunk to the screen."""
        bounds = self._sdl.SDL_Rect()
        if self._sdl.SDL_GetDisplayUsableBounds(0, ctypes.byref(bounds)) != 0 or bounds.w <= 0 or bounds.h <= 0:
            return size
        scale = min(1.0, _SHARE * bounds.w / size[0], _SHARE * bounds.h / size[1])
        return round(size[0] * scale), round(size[1] * scale)

    def _open(self, title: str, size: tuple[int, int]) -> None:
        sdl = self._sdl
        middle = sdl.SDL_WINDOWPOS_CENTERED
        flags = sdl.SDL_WINDOW_RESIZABLE | sdl.SDL_WINDOW_ALLOW_HIGHDPI
        sdl.SDL_SetHint(b"SDL_RENDER_SCALE_QUALITY", b"linear")
        self._window = sdl.SDL_CreateWindow(title.encode(), middle, middle, *size, flags)
        if not self._window:
            raise self._fail()
        sdl.SDL_SetWindowMinimumSize(self._window, *_SMALLEST)
        for flags in (sdl.SDL_RENDERER_ACCELERATED | sdl.SDL_RENDERER_PRESENTVSYNC, sdl.SDL_RENDERER_SOFTWARE):
            self._renderer = sdl.SDL_CreateRenderer(self._window, -1, flags)
            if self._renderer:
                return
        raise self._fail()

    def _fail(self, reason: str = "") -> DisplayError:
        reason = reason or self._sdl.SDL_GetError().decode(errors="replace") or "no reason given"
        here = (
            "This session has no DISPLAY. "
            if sys.platform.startswith("linux") and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ)
            else ""
        )
        return DisplayError(
            f"there is no screen to show a window on ({reason})",
            advice=f"{here}Read without a window: fervid camera --no-window --csv FILE (or -o film.mp4); "
            "or record a film elsewhere and read it with fervid video.",
        )


def load_sdl() -> Any:
    """The module of SDL's functions.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it announces which SDL it uses
            import sdl2
    except ImportError:  # also when the bindings are there and SDL itself is not
        raise MissingExtraError.for_extra("camera", "SDL (pysdl2, pysdl2-dll)", "A window") from None
    return sdl2
