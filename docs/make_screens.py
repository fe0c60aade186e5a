"""Make the pictures of the web app: ``python docs/make_screens.py``, with built pages, Playwright and a Chromium.

The faces are Eileen Collins, as scikit-image ships her, and Grace Hopper, as matplotlib does (NASA, US Navy; public
domain). Everything runs on this machine: a server with its own folder, and a browser whose camera plays a film. The
room's buckets are shorter than the published 10 s, its nine people are scripted.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal
from unittest.mock import patch

import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from fervid.video.writing import VideoWriter
from fervid.web.app import create_app
from fervid.web.rooms.service import Rooms
from fervid.web.server import Server, describe_address, open_socket
from fervid.web.settings import Settings

IMAGES: Final = Path(__file__).parent / "images"
CHROMIUM: Final = os.environ.get("FERVID_TEST_CHROMIUM") or shutil.which("chromium") or "chromium-browser"
COLLINS: Final = Path(skimage.__file__).parent / "data" / "astronaut.png"
HOPPER: Final = Path(str(find_spec("matplotlib").origin)).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"  # type: ignore[union-attr]
WAIT_MS: Final = 120_000
BUCKET_S: Final = 2.0
IS_FRAMED: Final = """() => {
    const canvas = document.querySelector(".live-stage canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 3; i < data.length; i += 4) count += data[i] > 200;
    return count > 2000;
}"""
"""Whether frames are over the camera's picture."""
PACE: Final = "FFFFFFFFSFFFFFSSSLSSLLLSLLSSLFSFFFFFFUFFUUFFFF"
"""What the room does, bucket by bucket: most are fine, some are lost, then an example helps."""


def main() -> None:
    """All pictures, into ``docs/images``."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_photo(place / "portraits.jpg")
        write_film(place / "portraits.mp4")
        write_camera(place / "camera.mjpeg")
        with open_site(place / "data") as address, open_browser(place / "camera.mjpeg") as browser:
            picture_start_and_photo(browser, address, place / "portraits.jpg")
            picture_film(browser, address, place / "portraits.mp4")
            picture_live(browser, address)
            picture_consent(browser, address)
        with open_site(place / "rooms", BUCKET_S) as address, open_browser(place / "camera.mjpeg") as browser:
            picture_room(browser, address)


@contextmanager
def open_site(data_dir: Path, bucket_s: float = 10.0) -> Iterator[str]:
    """The web app on a free port; the block has its address."""
    settings = Settings(port=0, data_dir=data_dir, workers=1)
    listener = open_socket(settings)
    is_ready = threading.Event()
    with patch("fervid.web.app.Rooms", partial(Rooms, bucket_s=bucket_s)):
        server = Server(settings, create_app(settings), is_ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    is_ready.wait(60)
    try:
        yield describe_address(settings, listener)
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


@contextmanager
def open_browser(camera: Path) -> Iterator[Browser]:
    """A Chromium whose camera plays ``camera``."""
    quiet = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
    film = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-sync", *quiet, *film]
        )
        try:
            yield browser
        finally:
            browser.close()


def open_page(
    browser: Browser, address: str, *, width: int = 1280, height: int = 800, scheme: Literal["light", "dark"] = "light"
) -> Page:
    """A page as wide as a desk's or a phone's, which may use the camera."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=1 if width > 600 else 2,
        color_scheme=scheme,
        reduced_motion="reduce",
        permissions=["camera"],
        locale="en-GB",
    )
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.goto(address)
    return page


def picture_start_and_photo(browser: Browser, address: str, photo: Path) -> None:
    """The start, in light; a photo that was read, in light and dark."""
    page = open_page(browser, address, height=712)
    page.get_by_role("heading", level=1).wait_for()
    save(page, "web-home.png")
    page.context.close()
    scheme: Literal["light", "dark"]
    for scheme, name in (("light", "web-photo.jpg"), ("dark", "web-photo-dark.jpg")):
        page = open_page(browser, f"{address}/photo", height=900, scheme=scheme)
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Choose photos").click()
        chooser.value.set_files(photo)
        page.get_by_role("heading", name=re.compile(r"^\d+ faces?$")).wait_for()
        page.evaluate("scrollTo(0, 0)")
        save(page, name)
        page.context.close()


def picture_film(browser: Browser, address: str, film: Path) -> None:
    """A film beside its timeline."""
    page = open_page(browser, f"{address}/film", height=884)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a film").click()
    chooser.value.set_files(film)
    page.wait_for_url(re.compile(r"/film/[0-9a-f]+$"))
    slider = page.get_by_role("slider", name="Time in the film")
    slider.wait_for()
    page.wait_for_function("document.querySelector('video').readyState > 1")
    place = slider.bounding_box() or {"x": 0, "y": 0, "width": 0}
    page.mouse.click(place["x"] + place["width"] / 2, place["y"] + 10)
    page.wait_for_timeout(1500)
    page.evaluate("scrollTo(0, 0)")
    save(page, "web-film.jpg")
    page.context.close()


def picture_live(browser: Browser, address: str) -> None:
    """The camera, on a desk and on a phone."""
    for width, height, name in ((1280, 880, "web-live.jpg"), (360, 740, "web-live-phone.jpg")):
        page = open_page(browser, f"{address}/live", width=width, height=height)
        page.get_by_role("button", name="Start the camera").click()
        page.locator(".live-people button").nth(2).wait_for()
        page.wait_for_timeout(25_000)  # the chart has a course
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_function(IS_FRAMED)
        save(page, name)
        page.context.close()


def picture_consent(browser: Browser, address: str) -> None:
    """What a participant agrees to."""
    page = open_page(browser, f"{address}/rooms", width=360, height=740)
    made = page.request.post(f"{address}/api/v1/rooms", data={"title": "Induction", "question": "pace"}).json()
    page.goto(f"{address}{made['join_path']}")
    page.get_by_role("button", name="Agree and join").wait_for()
    page.get_by_role("button", name="slow down").click()
    save(page, "web-consent-phone.png")
    page.context.close()


def picture_room(browser: Browser, address: str) -> None:
    """A room: one who takes part, and the host."""
    host = open_page(browser, f"{address}/rooms", height=1000)
    made = host.request.post(f"{address}/api/v1/rooms", data={"title": "Induction", "question": "pace"}).json()
    guest = open_page(browser, f"{address}{made['join_path']}", width=360, height=740)
    guest.get_by_role("button", name="Agree and join").click()
    guest.get_by_role("button", name="fine").click()
    host.goto(f"{address}{made['host_path']}")
    host.get_by_role("heading", name="Induction").wait_for()
    audience = threading.Thread(target=lambda: asyncio.run(fill_room(address, made["room"])), daemon=True)
    audience.start()
    mark = host.get_by_label("What begins now")
    for wait_s, text in ((6, "The idea"), (24, "A proof"), (30, "An example")):
        host.wait_for_timeout(1000 * wait_s)
        mark.fill(text)
        host.get_by_role("button", name="Mark now").click()
    host.wait_for_timeout(6_000)
    host.evaluate("scrollTo(0, 0)")
    host.mouse.move(0, 0)
    save(host, "web-room.png")
    guest.get_by_text("You are counted, in sums").wait_for()
    save(guest, "web-room-phone.png")
    host.context.close()
    guest.context.close()


async def fill_room(address: str, room: dict[str, Any]) -> None:
    """Eight people who answer for as long as the server is there."""
    with suppress(ConnectionClosed):  # the server stops first
        await asyncio.gather(*(take_part(address, room, number) for number in range(8)))


async def take_part(address: str, room: dict[str, Any], number: int) -> None:
    """One of them: their answers follow the room's, each in their own time; the third raises a hand."""
    names = {"F": "fine", "S": "slow_down", "L": "lost", "U": "speed_up"}
    site = address.replace("http://", "ws://")
    async with connect(f"{site}/ws/rooms/{room['id']}", origin=address) as socket:  # type: ignore[arg-type]
        await socket.send(json.dumps({"type": "join", "code": room["code"], "token": f"scripted-person-{number:04}"}))
        first = None
        async for text in socket:
            message = json.loads(text)
            if message["type"] not in ("welcome", "bucket"):
                continue
            first = message["bucket"] if first is None else first
            step = min(message["bucket"] - first, len(PACE) - 1)
            late = max(step - (number * 5) % 8, 0)
            choice = names[PACE[late]] if number else "fine"
            await asyncio.sleep(0.1)
            await socket.send(json.dumps({"type": "pulse", "choice": choice}))
            if number == 2 and step == 20:
                await socket.send(json.dumps({"type": "hand", "name": "Ada"}))


def save(page: Page, name: str) -> None:
    """What the window shows: a PNG of 256 colours, or a JPEG where there are photos."""
    page.wait_for_timeout(200)
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        picture = shot.convert("RGB")
    if name.endswith(".png"):
        picture.quantize(256, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)
    else:
        picture.save(IMAGES / name, quality=82, optimize=True, progressive=True)
    print(f"{name}: {(IMAGES / name).stat().st_size / 1000:.0f} kB", flush=True)


def cut_portrait(path: Path, width: int, height: int, zoom: float = 1.0, shift: float = 0.0) -> NDArray[np.uint8]:
    """A portrait, (height, width, 3) in RGB: its upper middle, nearer by ``zoom``, ``shift`` of its width aside."""
    with Image.open(path) as picture:
        portrait = picture.convert("RGB")
    middle, scale = (0.44, zoom) if path == COLLINS else (0.5, 0.9 * zoom)
    reach = min(portrait.width / max(scale, 1), portrait.height * width / height / scale)
    left = min(max((middle + shift) * portrait.width - reach / 2, 0), portrait.width - reach)
    high = reach * height / width
    top = 0.02 * portrait.height
    area = (left, top, left + reach, min(top + high, portrait.height))
    return np.asarray(portrait.resize((width, height), Image.Resampling.LANCZOS, box=area))


def join_portraits(width: int, height: int, t: float) -> NDArray[np.uint8]:
    """Both beside each other, as in a call, moving a little with the time ``t`` in s."""
    sway = [0.03 * np.sin(0.7 * t), 0.03 * np.sin(0.5 * t + 2)]
    zoom = [1.3 + 0.08 * np.sin(0.4 * t), 1.25 + 0.08 * np.sin(0.3 * t + 1)]
    halves = [cut_portrait(path, width // 2 - 2, height, zoom[k], sway[k]) for k, path in enumerate((COLLINS, HOPPER))]
    gap = np.full((height, 4, 3), 20, dtype=np.uint8)
    return np.concatenate([halves[0], gap, halves[1]], axis=1)


def write_photo(path: Path) -> None:
    """Both, as a photo."""
    Image.fromarray(join_portraits(1024, 640, 4.5)).save(path, quality=92)


def write_film(path: Path) -> None:
    """24 s: one, both, the other."""
    with VideoWriter(path, frame_rate=10) as writer:
        for index in range(240):
            t = index / 10
            zoom, shift = 1.25 + 0.2 * np.sin(0.5 * t), 0.03 * np.sin(0.8 * t)
            if 8 <= t < 16:
                frame = join_portraits(640, 400, t)
            else:
                portrait, nearness = (COLLINS, zoom) if t < 8 else (HOPPER, 0.9 * zoom)
                frame = cut_portrait(portrait, 640, 400, nearness, shift)
            writer.write(frame, t)


def write_camera(path: Path) -> None:
    """Both, there and back again, as Chromium's camera plays them over and over."""
    with path.open("wb") as stream:
        for index in range(100):
            frame = io.BytesIO()
            Image.fromarray(join_portraits(640, 480, 3 - 3 * np.cos(2 * np.pi * index / 100))).save(
                frame, "JPEG", quality=88
            )
            stream.write(frame.getvalue())


if __name__ == "__main__":
    main()
