"""A room in Redis: the names of its keys, and its people, sums and rows as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from fervid.web.rooms.aggregation import Person, Sums, Tally
from fervid.web.rooms.room import Record, Room, Row, build_rows

PREFIX: Final = "fervid:room:"
ROOMS: Final = "fervid:rooms"
"""The key of the list of all rooms."""

PARTS: Final = ("lock", "meta", "people", "sums", "rows", "marks", "hands", "hands_seen")
"""Of a room; each is a key."""


def name_key(room_id: str, part: str) -> str:
    """The key of a room's part; the braces keep those of one room together."""
    return f"{PREFIX}{{{room_id}}}:{part}"


def parse_rows(room: Room, texts: Sequence[str]) -> tuple[Row, ...]:
    """The rows of a session."""
    return build_rows(room, (Record(*json.loads(text)) for text in texts))


def parse_person(text: str) -> Person:
    """The person that :func:`format_person` wrote."""
    contributed, crowd, held_until, seen, gone = map(int, text.split(":"))
    return Person(contributed, crowd, held_until, seen, bool(gone))


def format_person(person: Person) -> str:
    """``contributed:crowd:held_until:seen:gone``, as the scripts read it."""
    return f"{person.contributed}:{person.crowd}:{person.held_until}:{person.seen}:{int(person.gone)}"


def parse_sums(fields: dict[str, str], options: int) -> Sums:
    """Running sums of so many options; ``CROWD:n`` is how many contributed, ``CROWD:0`` what the first option got."""
    crowds = {int(name.partition(":")[0]) for name in fields}
    return {
        crowd: Tally(
            int(fields.get(f"{crowd}:n", 0)), tuple(int(fields.get(f"{crowd}:{i}", 0)) for i in range(options))
        )
        for crowd in crowds
    }
