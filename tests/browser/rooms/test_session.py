"""Rooms in real browsers: a host, an audience, and what the server hears of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def test_a_host_and_six_participants(
    context: Any, rooms: Any, make_room: Any, join: Any, count_pixels: Any, see: Any, wait_buckets: Any
) -> None:
    room, host = make_room(context, rooms)
    see(host, "Nobody is here yet")
    people = []
    for _ in range(4):
        people.append(join(rooms, room))
        people[-1].get_by_role("button", name="lost").press("1")
    see(host, "4 people are here")
    see(people[0], "You are counted. Sums are shown once 5 or more can be added up together.")
    wait_buckets(host, 3)
    assert host.get_by_text("Waiting for at least 5 people").first.is_visible()
    assert host.locator(".room-chart").count() == 0
    assert host.get_by_test_id("lost").count() == 0

    people.append(join(rooms, room))
    people[-1].get_by_role("button", name="fine").click()
    host.get_by_test_id("lost").wait_for()
    see(host, "of 5 are lost")
    for page in people[:4]:
        page.get_by_role("button", name="lost").press("1")  # what they said first may have lapsed on a busy machine
    host.get_by_test_id("lost").filter(has_text="4").wait_for()
    assert count_pixels(host, ".room-chart canvas", "--option-lost") > 100
    assert count_pixels(host, ".room-chart canvas", "--option-speed_up") == 0
    see(host, "38–96 %")  # Wilson's interval of 4 of 5
    see(people[0], "You are counted, in sums of at least 5 people.")

    people.append(join(rooms, room))
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


def test_the_consent_page_shows_what_is_sent_to_the_letter(
    context: Any, rooms: Any, make_room: Any, list_said: Any, see: Any, wait_buckets: Any
) -> None:
    room, _ = make_room(context, rooms)
    page = context.new_page()
    page.goto(rooms.address + room["join_path"])
    page.get_by_role("button", name="lost").click()
    shown = [text.inner_text() for text in page.locator(".letter-text").all()]
    assert shown[0] == '{"type":"pulse","choice":"lost"}'
    rooms.traffic.clear()
    page.get_by_role("button", name="No, thanks").click()
    see(page, "You did not join")
    wait_buckets(page, 1)
    assert list_said(rooms, "join") == []
    page.get_by_role("button", name="Look again").click()
    page.get_by_role("button", name="Agree and join").click()
    page.get_by_role("button", name="lost").click()
    page.get_by_text("What was sent last").click()
    page.get_by_text('{"type":"pulse","choice":"lost"}').wait_for()
    assert list_said(rooms, "join") == [shown[1]]
    assert set(list_said(rooms, "pulse")) <= {'{"type":"pulse","choice":null}', shown[0]}
    assert {json.loads(str(m))["type"] for _, m in rooms.traffic.messages} <= {"join", "pulse"}


def test_whoever_pauses_sends_nothing_and_comes_back(
    context: Any, rooms: Any, make_room: Any, join: Any, list_said: Any, see: Any, wait_buckets: Any
) -> None:
    room, _ = make_room(context, rooms)
    page = join(rooms, room)
    page.get_by_role("button", name="fine").click()
    page.get_by_text("What was sent last").click()
    page.get_by_text('{"type":"pulse","choice":"fine"}').wait_for()
    page.get_by_role("button", name="Pause").click()
    see(page, "Paused. No answers are sent.")
    rooms.traffic.clear()
    wait_buckets(page, 2.5)
    assert list_said(rooms, "pulse") == []
    page.get_by_role("button", name="Resume").click()
    wait_buckets(page, 2)
    assert '{"type":"pulse","choice":"fine"}' in list_said(rooms, "pulse")


def test_by_keyboard_alone(context: Any, rooms: Any, tab_to: Any, see: Any) -> None:
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
    assert guest.get_by_role("button", name="happy").get_attribute("aria-pressed") == "false", "the focus is elsewhere"
    tab_to(guest, "happy4")  # and its key
    guest.keyboard.press("4")
    assert guest.get_by_role("button", name="happy").get_attribute("aria-pressed") == "true"
    tab_to(guest, "Your name", "Raise your hand, by name")
    guest.keyboard.type("Ada 4")
    assert guest.get_by_role("button", name="happy").get_attribute("aria-pressed") == "true"
    guest.keyboard.press("Enter")
    page.get_by_role("button", name="Lower Ada 4's hand").wait_for()
    tab_to(page, "Lower Ada 4's hand")
    page.keyboard.press("Enter")
    guest.get_by_label("Raise your hand, by name").wait_for()
    tab_to(guest, "happy", "happy4")  # with its key, should the answer have lapsed
    guest.keyboard.press("0")
    assert guest.get_by_role("button", name="happy").get_attribute("aria-pressed") == "false"
    tab_to(guest, "Leave")
    guest.keyboard.press("Enter")
    see(guest, "You have left")
    tab_to(page, "Delete")
    page.keyboard.press("Enter")
    tab_to(page, "Delete it")
    page.keyboard.press("Enter")
    see(page, "Nothing of it is left on the server")


def test_expression_rooms_are_refused_in_the_servers_own_words(context: Any, rooms: Any, see: Any) -> None:
    page = context.new_page()
    page.goto(f"{rooms.address}/rooms")
    page.get_by_label("Expressions").check()
    rules = context.request.get(f"{rooms.address}/api/v1/rooms/rules").json()
    see(page, rules["kinds"]["expressions"]["error"]["advice"])
    assert page.get_by_role("button", name="Make the room").is_disabled()


def test_counts_alone_leave_a_participant_whose_camera_is_read(
    context: Any, serve: Any, make_room: Any, list_said: Any, see: Any, wait_buckets: Any
) -> None:
    with serve(allow_expression_rooms=True, statement="A test") as site:
        room, _ = make_room(context, site, kind="expressions")
        page = context.new_page()
        page.goto(site.address + room["join_path"])
        page.get_by_role("button", name="Agree and join").wait_for()
        site.traffic.clear()
        page.get_by_role("button", name="Try it with your camera").click()
        page.get_by_text("Reads as happy").wait_for(timeout=120_000)
        see(page, "So far: happy")
        assert site.traffic.messages == []
        page.get_by_role("button", name="Agree and join").click()
        page.get_by_text("It goes in").first.wait_for()
        wait_buckets(page, 4)
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


def test_the_chart_and_the_report_have_the_same_colours(context: Any, rooms: Any, make_room: Any) -> None:
    from fervid.web.rooms.charts import choose_colour

    _, page = make_room(context, rooms)
    for option in ("lost", "slow_down", "fine", "speed_up"):
        value = page.evaluate(
            "(name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()", f"--option-{option}"
        )
        assert value == choose_colour(option)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_and_fit_a_phone(
    context: Any, rooms: Any, scheme: str, find_problems: Any, make_room: Any, join: Any, see: Any
) -> None:
    room, host = make_room(context, rooms)
    people = [join(rooms, room) for _ in range(5)]
    people[0].get_by_role("button", name="slow down").press("2")
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
        page.set_viewport_size({"width": 360, "height": 740})
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, page.url
        assert find_problems(page) == [], page.url
