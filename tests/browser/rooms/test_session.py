"""Rooms in real browsers: a host, an audience, and what the server hears of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

BUCKET_S = 1.5
HOLD_S = 20.0
WAIT_MS = 60_000
AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def serve(serve_site: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Servers whose buckets are over in a moment."""
    service = pytest.importorskip("fervid.web.rooms.service", reason="the extra web is not installed")
    quick = partial(service.Rooms, bucket_s=BUCKET_S, hold_s=HOLD_S)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fervid.web.app.Rooms", quick)
        yield lambda **options: serve_site(tmp_path_factory.mktemp("rooms"), **options)


@pytest.fixture(scope="module")
def rooms(serve: Any) -> Iterator[Any]:
    with serve() as site:
        yield site


@pytest.fixture(scope="module")
def browser(launch: Any, film: Path) -> Iterator[Any]:
    camera = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}")
    with launch(*camera) as browser:
        yield browser


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    """Complaints of any page fail the test."""
    context = browser.new_context(permissions=["camera"], viewport={"width": 1280, "height": 800})
    context.set_default_timeout(WAIT_MS)
    complaints: list[str] = []
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("console", lambda note: complaints.append(note.text) if "Content Security" in note.text else None)
    yield context
    context.close()
    assert complaints == []


def make_room(context: Any, site: Any, **fields: Any) -> tuple[dict[str, Any], Any]:
    """A room, and its host's page."""
    body = {"title": "Graphs", **fields}
    room = context.request.post(f"{site.address}/api/v1/rooms", data=body).json()
    page = context.new_page()
    page.goto(site.address + room["host_path"])
    page.get_by_role("heading", name="Graphs").wait_for()
    return room, page


def join(context: Any, site: Any, room: dict[str, Any]) -> Any:
    """A participant's page, in the room."""
    page = context.new_page()
    page.goto(site.address + room["join_path"])
    page.get_by_role("button", name="Agree and join").click()
    page.get_by_role("button", name="Leave").wait_for()
    return page


def see(page: Any, text: str) -> None:
    """Wait until the page itself, not what it tells screen readers, has a text."""
    page.locator("main").get_by_text(text).first.wait_for()


def list_said(site: Any, kind: str) -> list[str]:
    """The messages of a kind that reached the server, to the letter."""
    texts = [str(message) for path, message in site.traffic.messages if "/ws/rooms/" in path]
    return [text for text in texts if json.loads(text)["type"] == kind]


def count_pixels(page: Any, colour: str) -> int:
    """Pixels of the chart that have the colour of an option."""
    return int(
        page.evaluate(
            """(name) => {
            const canvas = document.querySelector(".room-chart canvas");
            const wanted = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
            const probe = document.createElement("canvas").getContext("2d");
            probe.fillStyle = wanted;
            probe.fillRect(0, 0, 1, 1);
            const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let count = 0;
            for (let i = 0; i < data.length; i += 4)
                count += data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] === 255;
            return count;
        }""",
            f"--option-{colour}",
        )
    )


def test_a_host_and_six_participants(context: Any, rooms: Any) -> None:
    room, host = make_room(context, rooms)
    see(host, "Nobody is here yet")
    people = []
    for _ in range(4):
        people.append(join(context, rooms, room))
        people[-1].keyboard.press("1")
    see(host, "4 people are here")
    see(people[0], "You are counted. Sums are shown once 5 or more can be added up together.")
    host.wait_for_timeout(3000 * BUCKET_S)
    assert host.get_by_text("Waiting for at least 5 people").first.is_visible()
    assert host.locator(".room-chart").count() == 0
    assert host.get_by_test_id("lost").count() == 0

    people.append(join(context, rooms, room))
    people[-1].get_by_role("button", name="fine").click()
    host.get_by_test_id("lost").wait_for()
    see(host, "of 5 are lost")
    for page in people[:4]:
        page.keyboard.press("1")  # what they said first may have lapsed on a busy machine
    host.get_by_test_id("lost").filter(has_text="4").wait_for()
    assert count_pixels(host, "lost") > 100
    assert count_pixels(host, "speed_up") == 0
    see(host, "38–96 %")  # Wilson's interval of 4 of 5
    see(people[0], "You are counted, in sums of at least 5 people.")

    people.append(join(context, rooms, room))
    see(host, "1 more person is waiting until enough are new.")

    people[0].get_by_label("Raise your hand, by name").fill("Ada")
    people[0].get_by_role("button", name="Raise").click()
    host.get_by_role("button", name="Lower Ada's hand").click()
    see(host, "Nobody has raised a hand.")
    people[0].get_by_label("Raise your hand, by name").wait_for()
    people[0].get_by_role("button", name="Raise").click()
    see(host, "Ada")
    people[0].get_by_role("button", name="Lower it").click()
    see(host, "Nobody has raised a hand.")

    host.get_by_label("What begins now").fill("Trees")
    host.get_by_role("button", name="Mark now").click()
    see(host, "Trees")

    people[1].get_by_role("button", name="Leave").click()
    see(people[1], "You have left")
    see(host, "Somebody left or fell silent")
    host.get_by_test_id("lost").wait_for()  # the others, with the sixth, once the change was waited out
    see(host, "of 5 are lost")

    host.get_by_role("button", name="End", exact=True).click()
    host.get_by_role("button", name="End it").click()
    see(host, "The room has ended.")
    for page in people[2:]:
        see(page, "The room has ended")
    with host.expect_download() as saving:
        host.get_by_role("button", name="CSV").click()
    lines = Path(saving.value.path()).read_text().splitlines()
    assert saving.value.suggested_filename == "fervid-graphs.csv"
    assert any("Trees" in line for line in lines)
    assert not any("Ada" in line for line in lines)

    host.get_by_role("button", name="Delete").click()
    host.get_by_role("button", name="Delete it").click()
    see(host, "Nothing of it is left on the server")
    people[0].goto(rooms.address + room["join_path"])
    see(people[0], "There is no such room")


def test_the_consent_page_shows_what_is_sent_to_the_letter(context: Any, rooms: Any) -> None:
    room, _ = make_room(context, rooms)
    page = context.new_page()
    page.goto(rooms.address + room["join_path"])
    page.get_by_role("button", name="lost").click()
    shown = [text.inner_text() for text in page.locator(".letter-text").all()]
    assert shown[0] == '{"type":"pulse","choice":"lost"}'
    rooms.traffic.clear()
    page.get_by_role("button", name="No, thanks").click()
    see(page, "You did not join")
    page.wait_for_timeout(1000 * BUCKET_S)
    assert list_said(rooms, "join") == []
    page.get_by_role("button", name="Look again").click()
    page.get_by_role("button", name="Agree and join").click()
    page.get_by_role("button", name="lost").click()
    page.get_by_text("What was sent last").click()
    page.get_by_text('{"type":"pulse","choice":"lost"}').wait_for()
    assert list_said(rooms, "join") == [shown[1]]
    assert set(list_said(rooms, "pulse")) <= {'{"type":"pulse","choice":null}', shown[0]}
    assert {json.loads(str(m))["type"] for _, m in rooms.traffic.messages} <= {"join", "pulse"}


def test_whoever_pauses_sends_nothing_and_comes_back(context: Any, rooms: Any) -> None:
    room, _ = make_room(context, rooms)
    page = join(context, rooms, room)
    page.get_by_role("button", name="fine").click()
    page.get_by_text("What was sent last").click()
    page.get_by_text('{"type":"pulse","choice":"fine"}').wait_for()
    page.get_by_role("button", name="Pause").click()
    see(page, "Paused. Nothing is sent.")
    rooms.traffic.clear()
    page.wait_for_timeout(2500 * BUCKET_S)
    assert list_said(rooms, "pulse") == []
    page.get_by_role("button", name="Resume").click()
    page.wait_for_timeout(2000 * BUCKET_S)
    assert '{"type":"pulse","choice":"fine"}' in list_said(rooms, "pulse")


def test_a_lost_connection_is_said_and_comes_back_as_the_same_participant(context: Any, rooms: Any) -> None:
    room, host = make_room(context, rooms)
    ends: list[tuple[Any, Any]] = []

    def relay(socket: Any) -> None:
        if len(ends) in (1, 2):
            ends.append((socket, None))
            socket.close(code=1012)  # the server is being restarted
        else:
            ends.append((socket, socket.connect_to_server()))

    page = context.new_page()
    page.route_web_socket("**/ws/rooms/*", relay)
    rooms.traffic.clear()
    page.goto(rooms.address + room["join_path"])
    page.get_by_role("button", name="Agree and join").click()
    page.get_by_label("Raise your hand, by name").fill("Ada")
    page.get_by_role("button", name="Raise").click()
    see(host, "Ada")
    for end in ends[0]:
        end.close(code=3000)  # browsers may say no code of a server
    see(page, "The connection is lost.")
    see(host, "Nobody has raised a hand.")
    page.locator(".room-notice").wait_for(state="detached")
    assert len(ends) == 4
    see(host, "Ada")
    see(page, "Your hand is up")
    joins = list_said(rooms, "join")
    assert len(joins) == 2
    assert len(set(joins)) == 1


@pytest.mark.xfail(strict=False, reason="open: at times Tab does not lead into the question whether to delete")
def test_by_keyboard_alone(context: Any, rooms: Any) -> None:
    page = context.new_page()
    page.goto(f"{rooms.address}/rooms")
    page.get_by_role("button", name="Make the room").wait_for()
    tab_to(page, "Pace")
    page.keyboard.press("ArrowDown")
    tab_to(page, "Title")
    page.keyboard.type("Monday")
    page.keyboard.press("Enter")
    page.get_by_text("It is shown once.").wait_for()
    code = page.locator(".join-code [aria-hidden]").inner_text()
    tab_to(page, "Open the host's page")
    page.keyboard.press("Enter")
    see(page, "Nobody is here yet")
    assert "#" not in page.url, "the key does not stay where an audience can read it"
    page.reload()
    see(page, "Nobody is here yet")

    guest = context.new_page()
    guest.goto(f"{rooms.address}/join")
    guest.get_by_label("Code").wait_for()
    tab_to(guest, "Code")
    guest.keyboard.type(code.lower())
    guest.keyboard.press("Enter")
    guest.get_by_role("heading", name="Monday").wait_for()
    tab_to(guest, "Agree and join")
    guest.keyboard.press("Enter")
    guest.get_by_role("button", name="happy").wait_for()
    guest.keyboard.press("4")
    assert guest.get_by_role("button", name="happy").get_attribute("aria-pressed") == "true"
    tab_to(guest, "Your name", also="Raise your hand, by name")
    guest.keyboard.type("Ada 4")
    assert guest.get_by_role("button", name="happy").get_attribute("aria-pressed") == "true"
    guest.keyboard.press("Enter")
    page.get_by_role("button", name="Lower Ada 4's hand").wait_for()
    tab_to(page, "Lower Ada 4's hand")
    page.keyboard.press("Enter")
    guest.get_by_label("Raise your hand, by name").wait_for()
    guest.keyboard.press("0")
    tab_to(guest, "Leave")
    guest.keyboard.press("Enter")
    see(guest, "You have left")
    tab_to(page, "Delete")
    page.keyboard.press("Enter")
    tab_to(page, "Delete it")
    page.keyboard.press("Enter")
    see(page, "Nothing of it is left on the server")


def tab_to(page: Any, name: str, *, also: str = "") -> None:
    """Press Tab until what has the focus is called so."""
    for _ in range(80):
        called = page.evaluate("""() => {
            const element = document.activeElement;
            const label = element.labels?.[0]?.querySelector(".field-name, .kind-title") ?? element.labels?.[0];
            return element.ariaLabel ?? label?.textContent ?? element.textContent;
        }""")
        if called and called.strip() in (name, also):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not lead to {name}")


def test_expression_rooms_are_refused_in_the_servers_own_words(context: Any, rooms: Any) -> None:
    page = context.new_page()
    page.goto(f"{rooms.address}/rooms")
    page.get_by_label("Expressions").check()
    rules = context.request.get(f"{rooms.address}/api/v1/rooms/rules").json()
    see(page, rules["kinds"]["expressions"]["error"]["advice"])
    assert page.get_by_role("button", name="Make the room").is_disabled()


def test_counts_alone_leave_a_participant_whose_camera_is_read(context: Any, serve: Any) -> None:
    with serve(allow_expression_rooms=True, statement="A test") as site:
        room, _ = make_room(context, site, kind="expressions")
        page = context.new_page()
        page.goto(site.address + room["join_path"])
        page.get_by_role("button", name="Agree and join").wait_for()
        site.traffic.clear()
        page.get_by_role("button", name="Try it with your camera").click()
        page.get_by_text("Reads as happy").wait_for(timeout=2 * WAIT_MS)
        see(page, "So far: happy")
        assert site.traffic.messages == []
        page.get_by_role("button", name="Agree and join").click()
        page.get_by_text("It goes in").first.wait_for()
        page.wait_for_timeout(4000 * BUCKET_S)
        said = list_said(site, "expressions")
        assert any(json.loads(text)["counts"].get("happy") for text in said)
        for text in said:
            message = json.loads(text)
            assert message.keys() == {"type", "counts"}
            assert sum(message["counts"].values()) <= 5
        assert {json.loads(str(m))["type"] for _, m in site.traffic.messages} == {"join", "expressions"}
        assert sum(count for _, _, count in site.traffic.requests) == 0, "nothing was posted"
        page.get_by_role("button", name="Pause").click()
        see(page, "the camera is off")
        assert page.locator("video").count() == 0
        page.get_by_role("button", name="Leave").click()
        see(page, "You have left")


def test_the_chart_and_the_report_have_the_same_colours(context: Any, rooms: Any) -> None:
    from fervid.web.rooms.charts import choose_colour

    _, page = make_room(context, rooms)
    for option in ("lost", "slow_down", "fine", "speed_up"):
        value = page.evaluate(
            "(name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()", f"--option-{option}"
        )
        assert value == choose_colour(option)


@pytest.mark.xfail(strict=False, reason="open: in the dark axe finds a button of the ended room too pale")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_and_fit_a_phone(context: Any, rooms: Any, scheme: str) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: cd frontend && npm ci")
    room, host = make_room(context, rooms)
    people = [join(context, rooms, room) for _ in range(5)]
    people[0].keyboard.press("2")
    people[0].get_by_label("Raise your hand, by name").fill("Ada")
    people[0].get_by_role("button", name="Raise").click()
    see(host, "Ada")
    host.get_by_test_id("lost").wait_for()
    people[1].get_by_role("button", name="Leave").click()
    people[2].get_by_role("button", name="Pause").click()
    people[3].goto(rooms.address + room["join_path"])
    see(people[3], "You are about to join")
    people[4].goto(f"{rooms.address}/rooms")
    people[4].get_by_label("Expressions").check()
    host.get_by_text("as a table").click()
    for page in (host, *people):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # colours at rest
        page.set_viewport_size({"width": 360, "height": 740})
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, page.url
        page.evaluate(AXE.read_text())
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        serious = [
            (v["id"], [n["html"] for n in v["nodes"]])
            for v in found["violations"]
            if v["impact"] in ("serious", "critical")
        ]
        assert serious == [], page.url
