"""What people of a room read when something is in the way: every screen, on a phone too."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

SCREENS = os.environ.get("FERVID_TEST_SCREENS")
"""A folder for pictures of what these tests see."""


@pytest.fixture
def look(scheme: str, find_problems: Any) -> Callable[[Any, str], None]:
    """Whether a page is wide enough for what it says, and accessible, on a phone and on a desk."""

    def judge(page: Any, name: str) -> None:
        for width, height in ((360, 740), (1280, 800)):
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(100)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert find_problems(page) == []
            if SCREENS:
                page.screenshot(path=Path(SCREENS) / f"{name}-{width}-{scheme}.png")

    return judge


def test_a_lost_connection_is_said_and_comes_back_as_the_same_participant(
    context: Any, rooms: Any, make_room: Any, list_said: Any, see: Any
) -> None:
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


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_a_full_room_lets_somebody_in_when_another_leaves(
    context: Any, rooms: Any, monkeypatch: pytest.MonkeyPatch, look: Any, make_room: Any, join: Any, see: Any
) -> None:
    service = pytest.importorskip("fervid.web.rooms.service")
    monkeypatch.setattr(service, "Room", partial(service.Room, max_participants=2))
    room, _ = make_room(context, rooms)
    people = [join(rooms, room) for _ in range(2)]
    late = context.new_page()
    late.goto(rooms.address + room["join_path"])
    late.get_by_role("button", name="Agree and join").click()
    late.get_by_role("heading", name="The room is full").wait_for()
    see(late, "2 participants are there, which is all the room holds.")
    look(late, "full")
    late.get_by_role("button", name="Try again").click()
    late.get_by_role("heading", name="The room is full").wait_for()
    people[0].get_by_role("button", name="Leave").click()
    see(people[0], "You have left")
    late.get_by_role("button", name="Try again").click()
    late.get_by_role("button", name="Leave").wait_for()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_whoever_guesses_too_often_is_told_how_long_to_wait(
    context: Any, serve: Any, look: Any, make_room: Any, see: Any
) -> None:
    with serve() as site:
        room, _ = make_room(context, site)
        wrong = "222222" if room["room"]["code"] != "222222" else "333333"
        page = context.new_page()
        page.goto(f"{site.address}/join/{wrong}")
        page.get_by_role("heading", name="There is no such room").wait_for()
        look(page, "unknown")
        refused = page.get_by_role("heading", name="Too many tries")
        while not refused.is_visible():  # a page that takes long to open finds that somebody may try again
            answer = None
            while answer is None or answer.status == 404:
                answer = context.request.get(f"{site.address}/api/v1/rooms/join/{wrong}")
            assert answer.status == 429
            page.goto(site.address + room["join_path"])
            refused.or_(page.get_by_text("You are about to join")).wait_for()
        see(page, "Try again in")
        assert page.get_by_role("button", name="Try again").count() == 0
        look(page, "too-many")
        page.get_by_role("button", name="Try again").click()
        see(page, "You are about to join")


def test_a_host_link_is_taken_in_the_tab_of_its_own_page(context: Any, rooms: Any, make_room: Any) -> None:
    """Only what is behind # changes then, and the browser loads nothing."""
    room, _ = make_room(context, rooms)
    page = context.new_page()
    page.goto(rooms.address + room["host_path"].partition("#")[0])
    page.get_by_role("heading", name="This address has no key").wait_for()
    page.goto(rooms.address + room["host_path"])
    page.get_by_role("heading", name="Graphs").wait_for()
    assert page.evaluate("location.hash") == ""


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_a_host_reads_that_the_connection_is_lost_and_keeps_what_was_shown(
    context: Any, rooms: Any, look: Any, make_room: Any, join: Any, see: Any
) -> None:
    room, host = make_room(context, rooms)
    ends: list[Any] = []
    is_away = False

    def relay(socket: Any) -> None:
        if is_away:
            socket.close(code=1012)
        else:
            ends.extend((socket, socket.connect_to_server()))

    host.route_web_socket("**/ws/rooms/*/host", relay)
    host.reload()
    people = [join(rooms, room) for _ in range(5)]
    host.get_by_test_id("lost").wait_for()
    is_away = True
    for end in ends:
        end.close(code=3000)
    see(host, "The connection is lost.")
    see(host, "What is shown is what was last heard; participants are still counted.")
    assert host.get_by_test_id("lost").is_visible()
    look(host, "lost-host")
    host.get_by_label("What begins now").fill("Trees")
    host.get_by_role("button", name="Mark now").click()
    see(host, "The connection is lost")
    is_away = False
    host.locator(".room-notice").wait_for(state="detached")
    people[0].get_by_label("Raise your hand, by name").fill("Ada")
    people[0].get_by_role("button", name="Raise").click()
    see(host, "Ada")


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_an_ended_room_can_be_saved_and_not_joined(
    context: Any, rooms: Any, look: Any, make_room: Any, join: Any, see: Any
) -> None:
    room, host = make_room(context, rooms)
    inside = join(rooms, room)
    reading = context.new_page()
    reading.goto(rooms.address + room["join_path"])
    reading.get_by_role("button", name="Agree and join").wait_for()
    host.get_by_role("button", name="End", exact=True).click()
    look(host, "question")
    host.get_by_role("button", name="End it").click()
    see(host, "The room has ended.")
    look(host, "ended-host")
    inside.get_by_role("heading", name="The room has ended").wait_for()
    look(inside, "ended")
    reading.get_by_role("button", name="Agree and join").click()
    reading.get_by_role("heading", name="The room has ended").wait_for()
    host.reload()
    see(host, "The room has ended.")
    assert host.get_by_role("button", name="End", exact=True).count() == 0
    assert host.get_by_role("button", name="Mark now").count() == 0
    with host.expect_download() as saving:
        host.get_by_role("button", name="Report").click()
    assert "Graphs" in saving.value.path().read_text()


def test_a_server_that_does_not_answer_is_asked_again(
    context: Any, rooms: Any, look: Any, make_room: Any, see: Any
) -> None:
    room, _ = make_room(context, rooms)
    page = context.new_page()
    page.route("**/api/v1/rooms/join/*", lambda route: route.abort())
    page.goto(rooms.address + room["join_path"])
    page.get_by_role("heading", name="The server does not answer").wait_for()
    look(page, "away")
    page.unroute("**/api/v1/rooms/join/*")
    page.get_by_role("button", name="Try again").click()
    see(page, "You are about to join")
