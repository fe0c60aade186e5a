"""The Live page with a camera that plays a film: what it shows, and what leaves it."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

WAIT_MS = 120_000
"""For networks on a busy machine."""


@pytest.fixture
def context(browser: Any, scheme: str) -> Iterator[Any]:
    context = browser.new_context(
        permissions=["camera"], viewport={"width": 1280, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    context.set_default_timeout(WAIT_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: Any, site: Any) -> Any:
    page = context.new_page()
    site.traffic.clear()
    page.goto(f"{site.address}/live")
    page.get_by_role("heading", name="Live").wait_for()
    return page


def collect_complaints(page: Any) -> list[str]:
    """What the page's console will complain of: errors, broken policies."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def start(page: Any) -> None:
    page.get_by_role("button", name="Start the camera").click()
    page.locator(".live-now strong").wait_for()


def count_drawn(page: Any) -> int:
    """Pixels of the overlay that are not transparent."""
    return int(
        page.evaluate("""() => {
            const canvas = document.querySelector(".live-stage canvas");
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let count = 0;
            for (let i = 3; i < data.length; i += 4) count += data[i] > 0;
            return count;
        }""")
    )


def test_a_face_gets_a_frame_and_a_label_and_no_picture_leaves_the_page(page: Any, site: Any) -> None:
    complaints = collect_complaints(page)
    assert page.evaluate("document.querySelector('video').srcObject") is None, "the camera waits to be asked for"
    start(page)
    page.locator(".live-now strong").filter(has_text="happy").wait_for()
    page.get_by_test_id("means").filter(has_text="WebAssembly").wait_for()
    page.wait_for_function("() => document.querySelector('.live-summary').textContent.includes('happy')")
    wait_until(page, lambda: count_drawn(page) > 1000)  # a slow machine's answers are shown for a moment only
    page.wait_for_timeout(2000)
    page.get_by_test_id("pace").filter(has_text=re.compile(r"· (?!0(\.0)? )[\d.]+ readings/s")).wait_for()
    assert "This page reads the picture. Nothing leaves it." in page.locator(".live-facts").inner_text()
    assert complaints == []
    # The policy lets a page talk to its own server alone, and that one has noted everything.
    paths = {path for _, path, _ in site.traffic.requests}
    assert "/api/v1/models" in paths
    assert any(path.endswith(".wasm") for path in paths)
    assert {method for method, _, _ in site.traffic.requests} <= {"GET", "HEAD"}
    assert sum(sent for _, _, sent in site.traffic.requests) == 0
    assert site.traffic.messages == []
    assert max(len(path) for path in paths) < 100, "nor in addresses"


def wait_until(page: Any, is_true: Callable[[], bool], seconds: float = 60) -> None:
    for _ in range(int(seconds * 5)):
        if is_true():
            return
        page.wait_for_timeout(200)
    assert is_true()


def test_emoji_mirror_pause_and_stop(page: Any) -> None:
    start(page)
    wait_until(page, lambda: count_drawn(page) > 0)
    framed = count_drawn(page)
    page.get_by_text("Emoji", exact=True).click()
    wait_until(page, lambda: count_drawn(page) > 2 * framed)  # a whole head is covered
    mirror = page.get_by_role("button", name="Mirror")
    assert mirror.get_attribute("aria-pressed") == "true"
    mirror.click()
    assert mirror.get_attribute("aria-pressed") == "false"
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Paused", exact=True).wait_for()
    before = page.evaluate("document.querySelector('video').currentTime")
    page.wait_for_timeout(600)
    assert page.evaluate("document.querySelector('video').currentTime") == before
    page.get_by_role("button", name="Go on").click()
    page.wait_for_function("(t) => document.querySelector('video').currentTime > t + 0.2", arg=before)
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Start the camera").wait_for()
    assert page.evaluate("document.querySelector('video').srcObject") is None


def test_numbers_are_recorded_in_the_page_and_saved_as_csv(page: Any, tmp_path: Path) -> None:
    start(page)
    page.get_by_role("button", name="Record numbers").click()
    page.get_by_role("button", name=re.compile(r"CSV, ([2-9]|\d\d+) rows")).wait_for()
    page.get_by_role("button", name="Stop recording").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    path = tmp_path / "live.csv"
    download.value.save_as(path)
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) >= 2
    assert rows[-1]["emotion"] == "happy"
    assert float(rows[0]["time_s"]) == 0
    assert sum(float(value) for name, value in rows[0].items() if name.startswith("p_")) == pytest.approx(1, abs=1e-4)
    assert float(rows[0]["x1"]) < float(rows[0]["x2"]) <= 700


def test_without_simd_the_server_reads_once_whoever_is_seen_says_so(context: Any, site: Any) -> None:
    context.add_init_script("WebAssembly.validate = () => false;")
    page = context.new_page()
    site.traffic.clear()
    page.goto(f"{site.address}/live")
    page.get_by_role("button", name="Start the camera").click()
    offer = page.get_by_role("button", name="Send pictures to the server")
    offer.wait_for()
    assert "SIMD" in page.get_by_role("alert").inner_text()
    page.wait_for_timeout(1000)
    assert site.traffic.messages == []
    offer.click()
    page.locator(".live-now strong").filter(has_text="happy").wait_for()
    notice = page.locator(".notice-caution").inner_text()
    assert "Pictures now go to this server" in notice
    assert "SIMD" in notice
    assert page.get_by_text("Nothing leaves it").count() == 0
    assert any(isinstance(message, bytes) and message[:2] == b"\xff\xd8" for _, message in site.traffic.messages)


def test_networks_that_cannot_be_fetched_are_a_reason_to_ask(context: Any, site: Any) -> None:
    context.route("**/api/v1/models/*/file*", lambda route: route.fulfill(status=200, body=b"no network"))
    page = context.new_page()
    page.goto(f"{site.address}/live")
    page.get_by_role("button", name="Start the camera").click()
    page.get_by_role("button", name="Send pictures to the server").wait_for()
    said = page.get_by_role("alert").inner_text()
    assert "The networks could not be loaded: the file of" in said
    assert "is not the published one" in said
    assert "This browser" not in said
    context.unroute("**/api/v1/models/*/file*")
    page.get_by_role("button", name="Try again").click()
    page.locator(".live-now strong").wait_for()
    page.get_by_text("Nothing leaves it").wait_for()


def test_what_was_recorded_can_be_saved_when_the_camera_is_off(page: Any) -> None:
    start(page)
    page.get_by_role("button", name="Record numbers").click()
    page.get_by_role("button", name="CSV").wait_for()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_text("What was recorded is still here.").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert download.value.path().read_text("utf-8").count("\n") >= 2


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("NotAllowedError", "The camera was refused."),
        ("NotFoundError", "No camera was found."),
        ("NotReadableError", "The camera is in use."),
    ],
)
def test_why_there_is_no_camera_is_said_with_advice(
    browser: Any, site: Any, reason: str, said: str, find_problems: Any
) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    context.add_init_script(
        f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '{reason}'));"
    )
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{site.address}/live")
    page.get_by_role("button", name="Start the camera").click()
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert said in alert.inner_text()
    assert alert.get_by_role("button", name="Try again").is_visible()
    assert find_problems(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()


def test_a_lost_camera_is_explained(page: Any) -> None:
    start(page)
    page.evaluate("""() => {
        const [track] = document.querySelector("video").srcObject.getVideoTracks();
        track.stop();
        track.dispatchEvent(new Event("ended"));
    }""")
    page.get_by_role("alert").wait_for()
    assert "The camera is lost" in page.get_by_role("alert").inner_text()
    page.get_by_role("button", name="Try again").click()
    page.locator(".live-now strong").wait_for()


def test_an_insecure_page_says_why_and_what_to_do(browser: Any, site: Any) -> None:
    context = browser.new_context()
    context.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false });")
    page = context.new_page()
    page.goto(f"{site.address}/live")
    page.get_by_text("Browsers give a camera only to secure pages").wait_for()
    text = page.locator(".notice-caution").inner_text()
    assert "localhost" in text
    assert "--ssl-certfile" in text
    assert page.get_by_role("button", name="Start the camera").count() == 0
    context.close()


def test_by_keyboard_alone(page: Any, tab_to: Any) -> None:
    tab_to(page, "Start the camera")
    page.keyboard.press("Enter")
    page.locator(".live-now strong").wait_for()
    tab_to(page, "Pause")
    page.keyboard.press("Space")
    page.get_by_text("Paused", exact=True).wait_for()
    assert page.evaluate("document.activeElement.textContent").strip() == "Go on", "the focus stays"
    page.keyboard.press("Enter")
    page.get_by_text("Paused", exact=True).wait_for(state="detached")
    tab_to(page, "Frames")
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("radio", name="Emoji").is_checked()
    tab_to(page, "Mirror")
    page.keyboard.press("Enter")
    assert page.get_by_role("button", name="Mirror").get_attribute("aria-pressed") == "false"
    tab_to(page, "Record numbers")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Stop recording").wait_for()
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.textContent").strip() == "Stop"
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Start the camera").wait_for()
    assert page.evaluate("document.querySelector('video').srcObject") is None


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_axe_finds_nothing_serious_while_the_camera_runs(page: Any, scheme: str, find_problems: Any) -> None:
    start(page)
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(500)
        assert find_problems(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_chart_follows_the_theme(page: Any, count_pixels: Any) -> None:
    start(page)
    for theme in ("dark", "light"):
        wait_until(page, lambda: count_pixels(page, ".live-chart canvas", "--line") > 100)
        page.get_by_role("button", name="Pause").or_(page.get_by_role("button", name="Go on")).click()
        page.get_by_role("button", name=f"Use the {theme} theme").click()
    wait_until(page, lambda: count_pixels(page, ".live-chart canvas", "--line") > 100)
