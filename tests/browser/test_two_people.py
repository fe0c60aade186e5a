"""Live with two people in the picture."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps

COUNT_DARK = """() => {
    const canvas = document.querySelector(".live-stage canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4)
        count += data[i] === 22 && data[i + 1] === 24 && data[i + 2] === 29 && data[i + 3] === 255;
    return count;
}"""
"""Pixels of the overlay in the palette's ink."""


@pytest.fixture(scope="module")
def film_of_two(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    """The portrait beside its mirror image, 640 × 480, as Chromium's camera plays it."""
    with Image.open(astronaut) as picture:
        portrait = picture.convert("RGB").crop((80, 0, 380, 450)).resize((320, 480))
    frame = Image.new("RGB", (640, 480))
    frame.paste(portrait, (0, 0))
    frame.paste(ImageOps.mirror(portrait), (320, 0))
    path = tmp_path_factory.mktemp("two") / "two.mjpeg"
    with path.open("wb") as stream:
        for _ in range(30):
            frame.save(stream, "JPEG", quality=90)
    return path


def test_one_is_chosen_and_the_other_stays_readable(launch: Any, site: Any, film_of_two: Path) -> None:
    camera = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film_of_two}")
    with launch(*camera) as browser:
        page = browser.new_page(permissions=["camera"], viewport={"width": 1280, "height": 900})
        page.set_default_timeout(120_000)  # for networks on a busy machine
        page.goto(f"{site.address}/live")
        page.get_by_role("button", name="Start the camera").click()
        people = page.locator(".live-people button")
        people.nth(2).wait_for()
        counts = []
        for _ in range(20):  # on a busy machine the frames' labels come later than the list
            counts.append(page.evaluate(COUNT_DARK))
            page.wait_for_timeout(100)
        most = max(counts) + 500
        assert page.get_by_text("· everybody").is_visible()
        people.nth(1).click()
        page.get_by_text(re.compile(r"· person \d")).wait_for()
        assert people.nth(1).get_attribute("aria-pressed") == "true"
        page.get_by_role("list", name="Shares now").wait_for()
        page.wait_for_function(f"() => ({COUNT_DARK})() > {most}")  # the other's label is light on dark now
        people.nth(0).click()
        page.get_by_text("· everybody").wait_for()
        page.wait_for_function(f"() => ({COUNT_DARK})() < {most}")
