"""Photo and Film in a real browser: what people do there, by keyboard too, and what axe says of every page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

SLOW_MS = 60_000
"""A network on a busy machine."""


@pytest.fixture(scope="module")
def browser(launch: Callable[..., AbstractContextManager[Browser]]) -> Iterator[Browser]:
    with launch() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a phone's width; the test fails when the console holds an error, such as one of the policy."""
    with open_page(browser, 360) as page:
        yield page


class open_page:  # noqa: N801  (a context manager that reads as a verb)
    """A page of that width whose console must stay free of errors."""

    def __init__(self, browser: Browser, width: int, scheme: str = "light") -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
        )
        self.complaints: list[str] = []

    def __enter__(self) -> Page:
        page = self.context.new_page()
        page.set_default_timeout(SLOW_MS)
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def __exit__(self, kind: object, *_: object) -> None:
        self.context.close()
        if kind is None:
            assert not [text for text in self.complaints if "422" not in text]


@pytest.fixture(scope="module")
def portrait_film(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    """Three seconds with one face, which is away in the last."""
    pytest.importorskip("av", reason="the extra video is not installed")
    from fervid.video.writing import VideoWriter

    with Image.open(astronaut) as picture:
        there = np.asarray(picture.convert("RGB").resize((320, 320)))
    path = tmp_path_factory.mktemp("film") / "portrait.mp4"
    with VideoWriter(path, frame_rate=10) as writer:
        for index in range(30):
            writer.write(there if index < 20 else np.full_like(there, 90), index / 10)
    return path


def begin_later(route: Route) -> None:
    """Answers with what would have been read of the film, had its first readable frame been at 1.5 s."""
    times = {"start_s", "end_s", "first_s", "last_s"}
    answer = route.fetch()
    late = json.loads(
        answer.text(),
        object_hook=lambda found: {name: value + 1.5 if name in times else value for name, value in found.items()},
    )
    route.fulfill(response=answer, json=late)


def is_wider_than_window(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def test_a_photo_is_read_explained_and_saved(site: Any, page: Page, astronaut: Path) -> None:
    page.goto(f"{site.address}/photo")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose photos").click()
    chooser.value.set_files(astronaut)
    page.get_by_role("heading", name="1 face").wait_for()
    frame = page.get_by_role("button", name=re.compile(r"^Face 1: happy \d+ %"))
    box, picture = frame.bounding_box(), page.get_by_role("img", name="astronaut.png").bounding_box()
    assert box is not None
    assert picture is not None
    middle = (box["x"] + box["width"] / 2 - picture["x"]) / picture["width"]
    assert middle == pytest.approx(226 / 512, abs=0.03)

    page.get_by_text("How ten people would vote").click()
    assert page.get_by_role("list", name="Shares of the votes").get_by_text("contempt").is_visible()

    page.get_by_text("Evidence", exact=True).first.click()
    page.get_by_role("button", name="sad").click()
    tinted = page.evaluate(
        "() => { const c = document.querySelector('.stage-evidence');"
        " const p = c.getContext('2d').getImageData(226, 115, 1, 1).data; return p[3]; }"
    )
    assert tinted == 255

    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    rows = download.value.path().read_text("utf-8").splitlines()
    assert download.value.suggested_filename == "astronaut.csv"
    assert rows[1].startswith("astronaut.png,,,0,,")
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON").click()
    assert json.loads(download.value.path().read_text("utf-8"))["schema"] == "fervid/1"
    with page.expect_download() as download:
        page.get_by_role("button", name="Annotated").click()
    with Image.open(download.value.path()) as annotated:
        assert annotated.format == "JPEG"
        assert annotated.width >= 512


def test_what_is_no_picture_is_said_with_advice(site: Any, page: Page, tmp_path: Path, astronaut: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("words")
    page.goto(f"{site.address}/photo")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose photos").click()
    chooser.value.set_files([tmp_path / "bad.jpg", tmp_path / "notes.txt", astronaut])
    alert = page.get_by_role("alert").filter(has_text="Try again")
    alert.wait_for()
    assert page.get_by_text("1 file is no picture: notes.txt").is_visible()
    page.get_by_role("button", name=re.compile(r"^astronaut\.png, 1 face: happy")).click()  # the others go on
    page.get_by_role("heading", name="1 face").wait_for()


def test_photo_by_keyboard_alone(site: Any, browser: Browser) -> None:
    with open_page(browser, 1280) as page:
        page.goto(f"{site.address}/photo")
        page.get_by_role("button", name="Try a sample").wait_for()

        def tab_to(name: str) -> None:
            for _ in range(40):
                page.keyboard.press("Tab")
                label = "a => a.getAttribute('aria-label') || a.closest('label')?.innerText || a.innerText || ''"
                if name in page.evaluate(f"({label})(document.activeElement)"):
                    return
            raise AssertionError(f"{name} is not reached")

        tab_to("Skip to the page")
        tab_to("Try a sample")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="1 face").wait_for()
        tab_to("Faces")
        page.keyboard.press("ArrowRight")
        page.get_by_text("speaks against the expression").wait_for()
        tab_to("Face 1: happy")
        page.keyboard.press("Enter")
        assert page.get_by_role("button", name="Face 1").get_attribute("aria-pressed") == "true"


def test_a_film_is_read_scrubbed_and_deleted(
    site: Any, browser: Browser, portrait_film: Path, find_problems: Callable[[Page], list[str]]
) -> None:
    with open_page(browser, 1280) as page:
        page.route(re.compile(r"/files/(timeline|summary)\.json$"), begin_later)
        page.goto(f"{site.address}/film")
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Choose a film").click()
        chooser.value.set_files(portrait_film)
        page.wait_for_url(re.compile(r"/film/[0-9a-f]+$"))
        page.get_by_role("heading", name="portrait.mp4").wait_for()
        slider = page.get_by_role("slider", name="Time in the film")
        slider.wait_for()
        page.wait_for_function("() => document.querySelector('video').readyState > 0")

        place = slider.bounding_box()
        assert place is not None
        page.mouse.click(place["x"] + place["width"] / 2, place["y"] + 10)
        page.wait_for_function("() => Math.abs(document.querySelector('video').currentTime - 1.5) < 0.1")
        assert (slider.get_attribute("aria-valuetext") or "").startswith("0:03.")  # of the film, which begins at 1.5 s
        assert "Person 1: happy" in (slider.get_attribute("aria-valuetext") or "")
        slider.press("ArrowRight")
        page.wait_for_function("() => document.querySelector('video').currentTime > 2.4")
        assert "Person 1 is not seen" in (slider.get_attribute("aria-valuetext") or "")
        slider.press("Home")
        page.wait_for_function("() => document.querySelector('video').currentTime === 0")
        page.get_by_role("button", name=re.compile("^happy, .*: go to 0:02$")).click()
        page.wait_for_function("() => document.querySelector('video').currentTime < 0.1")
        assert not find_problems(page)

        with page.expect_download() as download:
            page.get_by_role("link", name=re.compile("^CSV")).click()
        assert download.value.path().read_text("utf-8").count("happy") >= 15
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        page.wait_for_url(f"{site.address}/film")
        page.get_by_role("heading", name="Drop a film here").or_(page.get_by_text("Drop a film here")).first.wait_for()
        assert not page.get_by_role("link", name="portrait.mp4").count()


def test_what_is_no_film_is_said_with_advice(site: Any, page: Page, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no film at all")
    page.goto(f"{site.address}/film")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a film").click()
    chooser.value.set_files(tmp_path / "bad.mp4")
    alert = page.get_by_role("alert").filter(has_text="bad.mp4")
    alert.wait_for()
    alert.get_by_role("button", name="Dismiss").click()
    assert not page.get_by_role("alert").count()


def test_a_page_that_is_not_there(site: Any, page: Page) -> None:
    page.goto(f"{site.address}/photo")
    page.evaluate("history.pushState(null, '', '/nowhere'); dispatchEvent(new PopStateEvent('popstate'))")
    page.get_by_role("heading", name="There is no such page").wait_for()
    page.get_by_role("link", name="To the start").click()
    page.get_by_role("heading", level=1, name=re.compile("Reads facial expressions")).wait_for()
    assert page.title() == "fervid"


def test_the_theme_is_the_reader_s_choice(site: Any, browser: Browser) -> None:
    with open_page(browser, 1280, "dark") as page:
        page.goto(site.address)
        page.get_by_role("button", name="Use the light theme").click()
        page.reload()
        page.get_by_role("button", name="Use the dark theme").wait_for()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(251, 250, 248)"


LOOKS = [(360, "light"), (1280, "dark"), (1280, "light"), (360, "dark")]
PAGES = ["/", "/photo", "/film", "/live", "/rooms", "/join"]


# The first two looks by turns, as the pages have their colours in common; the others are slow.
@pytest.mark.parametrize(
    ("address", "width", "scheme"),
    [
        pytest.param(page, *look, marks=() if number == k % 2 else pytest.mark.slow)
        for k, page in enumerate(PAGES)
        for number, look in enumerate(LOOKS)
    ],
)
def test_axe_finds_no_serious_problem(
    site: Any, browser: Browser, address: str, width: int, scheme: str, find_problems: Callable[[Page], list[str]]
) -> None:
    with open_page(browser, width, scheme) as page:
        page.goto(f"{site.address}{address}")
        page.get_by_role("heading", level=1).wait_for()
        if address == "/photo":
            page.get_by_role("button", name="Try a sample").click()
            page.get_by_role("heading", name="1 face").wait_for()
        assert not find_problems(page)
        assert not is_wider_than_window(page)
