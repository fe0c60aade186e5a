"""REST of rooms, and what protects it."""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fastapi.testclient import TestClient

from fervid.errors import UsageError
from fervid.web.app import create_app
from fervid.web.database.engine import Database
from fervid.web.database.statements import StatementStore
from fervid.web.rooms import codes, service
from fervid.web.rooms.service import Rooms
from fervid.web.settings import API, Settings

ROOMS = f"{API}/rooms"
STATEMENT = "An experiment with adult volunteers outside work and school; consent of each is on paper."


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(data_dir=tmp_path, min_group=4)), base_url="http://127.0.0.1") as running:
        yield running


def make_room(client: TestClient, **body: Any) -> dict[str, Any]:
    answer = client.post(ROOMS, json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def bear(room: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {room['key']}"}


def test_a_room_is_made_and_its_secrets_told_once(client: TestClient):
    made = make_room(client, title=" Graphs ")
    room = made["room"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", made["key"])
    assert re.fullmatch(r"[A-HJKMNP-Z2-9]{6}", room["code"])
    assert made["host_path"] == f"/rooms/host/{room['id']}#{made['key']}"
    assert made["join_path"] == f"/join/{room['code']}"
    assert (room["title"], room["kind"], room["question"]) == ("Graphs", "pulse", "pace")
    assert room["options"] == ["lost", "slow_down", "fine", "speed_up", "none"]
    assert (room["min_group"], room["bucket_s"], room["hold_s"], room["ended"]) == (4, 10, 300, False)
    snapshot = client.get(f"{ROOMS}/{room['id']}", headers=bear(made))
    assert snapshot.json()["room"] == room
    assert (snapshot.json()["present"], snapshot.json()["rows"]) == (0, [])
    for text in (snapshot.text, client.get(f"{ROOMS}/join/{room['code']}").text):
        assert made["key"] not in text
        assert codes.hash_key(made["key"]) not in text


def test_the_mood_as_people_say_it(client: TestClient):
    room = make_room(client, question="mood")["room"]
    assert room["options"] == ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "none"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"min_group": 3}, "min_group is 3"),
        ({"min_group": 51}, "min_group is 51"),
        ({"min_group": 2}, "min_group is 2"),
        ({"min_group": -1}, "min_group is -1"),
        ({"kind": "poll"}, "kind"),
        ({"question": "name"}, "question"),
        ({"title": "x" * 81}, "title"),
        ({"title": "a\u0007"}, "title"),
        ({"owner": "Ada"}, "owner"),
    ],
)
def test_what_no_room_can_be(client: TestClient, body: dict[str, Any], words: str):
    answer = client.post(ROOMS, json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "usage"
    assert words in answer.json()["error"]["message"]


@pytest.mark.parametrize("group", [2, 3, 51])
def test_a_group_that_is_refused_hears_of_this_servers_least(client: TestClient, group: int):
    answer = client.post(ROOMS, json={"min_group": group})
    assert answer.json()["error"]["advice"] == "Use 4 to 50."


def test_one_address_makes_no_more_than_its_share_of_rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(service, "MAX_ROOMS", 12)
    with TestClient(create_app(Settings(data_dir=tmp_path)), base_url="http://127.0.0.1") as client:
        answers = [client.post(ROOMS, json={}) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
        assert 7.9 * 3600 < int(answers[-1].headers["Retry-After"]) <= 8 * 3600


def test_codes_are_found_however_they_are_typed(client: TestClient):
    room = make_room(client)["room"]
    code = room["code"]
    for typed in (code, code.lower(), f"{code[:3]}-{code[3:]}", f" {code[:3]} {code[3:]}"):
        assert client.get(f"{ROOMS}/join/{typed}").json() == {"room": room}


def test_wrong_codes_are_slowed_and_right_ones_are_not(client: TestClient):
    code = make_room(client)["room"]["code"]
    for _ in range(100):
        assert client.get(f"{ROOMS}/join/{code}").status_code == 200
    answers = [client.get(f"{ROOMS}/join/AAAAAA") for _ in range(25)]
    assert [a.status_code for a in answers[:20]] == [404] * 20
    assert answers[0].json()["error"]["code"] == "room.unknown"
    assert answers[-1].status_code == 429
    assert answers[-1].json()["error"]["code"] == "web.too_many"
    assert int(answers[-1].headers["Retry-After"]) >= 1


def test_only_the_host_sees_and_does(client: TestClient):
    made, other = make_room(client), make_room(client)
    path = f"{ROOMS}/{made['room']['id']}"
    calls = [
        ("GET", ""),
        ("GET", "/qr.svg"),
        ("POST", "/marks"),
        ("DELETE", "/hands/x"),
        ("POST", "/end"),
        ("DELETE", ""),
        ("GET", "/export.csv"),
        ("GET", "/report.html"),
    ]
    for method, part in calls:
        answer = client.request(method, f"{path}{part}", json={"text": "x"} if part == "/marks" else None)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "room.key"), (method, part)
    for method, part in calls:
        answer = client.request(
            method, f"{path}{part}", json={"text": "x"} if part == "/marks" else None, headers=bear(other)
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "room.key"), (method, part)
    assert client.get(f"{ROOMS}/unknown", headers=bear(made)).json()["error"]["code"] == "room.unknown"


def test_the_host_lowers_a_hand_which_may_be_down_already(client: TestClient) -> None:
    made = make_room(client)
    room, path = made["room"], f"{ROOMS}/{made['room']['id']}"

    def list_hands() -> list[dict[str, Any]]:
        return list(client.get(path, headers=bear(made)).json()["hands"])

    def wait_for_hand(browser: Any) -> Any:
        while (message := browser.receive_json())["type"] != "hand":
            assert message["type"] != "error", message
        return message["hand"]

    with client.websocket_connect(f"ws://127.0.0.1/ws/rooms/{room['id']}") as ada:
        ada.send_json({"type": "join", "code": room["code"], "token": f"{'ada':_<16}"})
        ada.send_json({"type": "hand", "name": "Ada"})
        hand = wait_for_hand(ada)
        assert list_hands() == [hand]
        for _ in range(2):
            answer = client.delete(f"{path}/hands/{hand['id']}", headers=bear(made))
            assert (answer.status_code, answer.content) == (204, b"")
            assert list_hands() == []
        assert wait_for_hand(ada) is None


def test_marks_end_and_deletion(client: TestClient):
    made = make_room(client)
    path = f"{ROOMS}/{made['room']['id']}"
    mark = client.post(f"{path}/marks", json={"text": " new topic "}, headers=bear(made))
    assert mark.status_code == 201
    assert mark.json()["mark"]["text"] == "new topic"
    assert client.post(f"{path}/marks", json={"text": " "}, headers=bear(made)).status_code == 422
    ended = client.post(f"{path}/end", headers=bear(made))
    assert ended.json()["room"] == {**made["room"], "ended": True, "code": None}
    assert client.get(f"{ROOMS}/join/{made['room']['code']}").status_code == 404
    late = client.post(f"{path}/marks", json={"text": "late"}, headers=bear(made))
    assert (late.status_code, late.json()["error"]["code"]) == (409, "room.ended")
    closed = client.get(f"{path}/qr.svg", headers=bear(made))
    assert (closed.status_code, closed.json()["error"]["code"]) == (409, "room.ended")
    assert client.get(path, headers=bear(made)).json()["marks"] == [mark.json()["mark"]]
    gone = client.delete(path, headers=bear(made))
    assert (gone.status_code, gone.content) == (204, b"")
    assert client.get(path, headers=bear(made)).status_code == 404


def test_the_qr_code_leads_to_the_join_page(client: TestClient):
    made = make_room(client)
    answer = client.get(f"{ROOMS}/{made['room']['id']}/qr.svg", headers=bear(made))
    assert answer.headers["content-type"] == "image/svg+xml"
    root = ET.fromstring(answer.text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    import segno

    expected = segno.make(f"http://127.0.0.1/join/{made['room']['code']}", error="m", micro=False)
    assert find_path(answer.text) == find_path(expected.svg_inline(border=4))
    assert find_path(answer.text) != find_path(segno.make("http://127.0.0.1/join/AAAAAA").svg_inline(border=4))


def find_path(svg: str) -> str:
    """The dark modules; the light ground comes first."""
    return str(re.findall(r' d="([^"]+)"', svg)[-1])


def test_exports_are_files(client: TestClient):
    made = make_room(client, title='Über "Bäume"/..\\')
    path = f"{ROOMS}/{made['room']['id']}"
    table = client.get(f"{path}/export.csv", headers=bear(made))
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert table.headers["content-disposition"] == 'attachment; filename="fervid-ber-b-ume.csv"'
    assert next(csv.reader(io.StringIO(table.text)))[:3] == ["start_s", "end_s", "contributors"]
    page = client.get(f"{path}/report.html", headers=bear(made))
    assert page.headers["content-disposition"].endswith('.html"')
    assert "Über &quot;Bäume&quot;" in page.text


def test_expression_rooms_are_refused_with_the_reason(client: TestClient):
    answer = client.post(ROOMS, json={"kind": "expressions"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "room.expressions")
    assert "Art. 5(1)(f)" in answer.json()["error"]["advice"]
    assert "--allow-expression-rooms" in answer.json()["error"]["advice"]
    rules = client.get(f"{ROOMS}/rules").json()
    assert rules["kinds"]["pulse"] == {"allowed": True}
    assert rules["kinds"]["expressions"] == {"allowed": False, "error": answer.json()["error"]}
    assert (rules["min_group"], rules["bucket_s"], rules["steps"]) == (4, 10, 5)


def test_expression_rooms_need_a_statement(tmp_path: Path):
    with pytest.raises(UsageError, match="without a statement"):
        Rooms(Settings(data_dir=tmp_path, allow_expression_rooms=True, statement=" "))


def test_the_statement_is_recorded_before_any_expression_room(tmp_path: Path):
    settings = Settings(data_dir=tmp_path, allow_expression_rooms=True, statement=STATEMENT)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        room = make_room(client, kind="expressions")["room"]
        assert (room["question"], room["steps"]) == (None, 5)
        assert client.get(f"{ROOMS}/rules").json()["kinds"]["expressions"] == {"allowed": True}
    with Database(settings.database_url) as database:
        assert [s.text for s in StatementStore(database).list()] == [STATEMENT]


def test_rooms_are_not_made_by_the_thousand(client: TestClient):
    statuses = [client.post(ROOMS, json={}).status_code for _ in range(22)]
    assert statuses == [201] * 20 + [429] * 2
