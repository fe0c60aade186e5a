"""Rows, their CSV and the page that stands alone."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("fastapi")

from fervid.emotions import EMOTIONS
from fervid.web.rooms.aggregation import Closing, Ledger, Tally
from fervid.web.rooms.charts import MOST_BINS, average_shares, collect_bins, draw_lost, draw_people, draw_shares
from fervid.web.rooms.report import build_report, cut_sections, format_csv
from fervid.web.rooms.room import Mark, Record, Room, Row, build_row, make_record, spread_choice, spread_counts
from fervid.web.rooms.store import Contents


def make_room(kind: Any = "pulse", question: Any = "pace", title: str = "Graphs") -> Room:
    return Room("r" * 16, "0" * 64, "K7PM3Q", kind, question, title, 5, 1_700_000_000.0, 1_700_086_400.0)


PACE, MOOD, EXPRESSIONS = make_room(), make_room(question="mood"), make_room("expressions", None)


def make_row(bucket: int, *counts: int, room: Room = PACE, withheld: int = 0) -> Row:
    people = sum(counts) // room.steps
    tally = Tally(people, counts) if counts else None
    record = make_record(bucket, Closing(Ledger(), tally, withheld, "few" if withheld else None, None))
    assert record is not None
    return build_row(room, Record(*json.loads(json.dumps(record))))  # as Redis keeps it


ROWS = (
    make_row(0, withheld=3),
    make_row(1, 1, 0, 4, 0, 0),
    make_row(2, 3, 0, 2, 0, 0),
    make_row(3, 2, 1, 5, 1, 1, withheld=2),
)
MARKS = (Mark("a", 21.5, "new topic"), Mark("b", 25.0, "=cmd|' /C calc'!A0"))
CONTENTS = Contents(ROWS, MARKS, (), 5)


def test_choices_and_counts_are_one_kind_of_vector():
    assert spread_choice(PACE, "slow_down") == (0, 1, 0, 0, 0)
    assert spread_choice(PACE, None) == (0, 0, 0, 0, 1)
    assert spread_choice(MOOD, "happy") == (0, 0, 0, 1, 0, 0, 0, 0)
    assert spread_counts(EXPRESSIONS, {"happy": 3, "neutral": 1}) == (0, 0, 0, 3, 0, 0, 1, 1)
    assert spread_counts(EXPRESSIONS, {}) == (0, 0, 0, 0, 0, 0, 0, 5)


@pytest.mark.parametrize("counts", [{"happy": 6}, {"happy": 3, "sad": 3}, {"none": 1}, {"contempt": 1}, {"happy": -1}])
def test_counts_that_cannot_be(counts: dict[str, int]):
    with pytest.raises(ValueError, match=r".+"):
        spread_counts(EXPRESSIONS, counts)


@pytest.mark.parametrize("choice", ["none", "happy", "LOST"])
def test_choices_that_cannot_be(choice: str):
    with pytest.raises(ValueError, match=choice):
        spread_choice(PACE, choice)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.sampled_from([str(e) for e in EMOTIONS]), max_size=5), min_size=5, max_size=30))
def test_shares_sum_to_one_and_lie_in_their_intervals(everybody: list[list[str]]):
    values = [spread_counts(EXPRESSIONS, Counter(samples)) for samples in everybody]
    assert all(sum(v) == 5 for v in values)
    row = make_row(0, *(sum(column) for column in zip(*values, strict=True)), room=EXPRESSIONS)
    assert row.contributors == len(everybody)
    assert row.shares is not None
    assert row.intervals is not None
    assert sum(row.shares.values()) == pytest.approx(1, abs=5e-4)
    assert all(low - 1e-4 <= row.shares[o] <= high + 1e-4 for o, (low, high) in row.intervals.items())
    assert row.lost is None


def test_a_row_says_how_many_are_lost():
    assert ROWS[2].lost == 3
    assert ROWS[2].shares == {"lost": 0.6, "slow_down": 0, "fine": 0.4, "speed_up": 0, "none": 0}
    assert (ROWS[0].contributors, ROWS[0].withheld, ROWS[0].shares, ROWS[0].lost) == (0, 3, None, None)
    assert make_record(0, Closing(Ledger(), None, 0, None, None)) is None


def test_the_table_has_every_bucket_and_every_mark():
    lines = list(csv.DictReader(io.StringIO(format_csv(PACE, CONTENTS))))
    assert [line["start_s"] for line in lines] == ["0.0", "10.0", "20.0", "21.5", "25.0", "30.0"]
    assert (lines[0]["contributors"], lines[0]["why"], lines[0]["share_lost"]) == ("0", "few", "")
    assert (lines[2]["lost"], lines[2]["share_lost"]) == ("3", "0.6")
    assert float(lines[2]["low_lost"]) < 0.6 < float(lines[2]["high_lost"])
    assert lines[3]["mark"] == "new topic"
    assert lines[4]["mark"].startswith("'=")  # a spreadsheet runs nothing


def test_bins_are_few_and_keep_the_sums():
    rows = [make_row(b, b % 3, 0, 5 - b % 3, 0, 0) for b in range(1000)]
    bins = collect_bins(rows)
    assert len(bins) <= MOST_BINS
    assert (bins[0].start_s, bins[-1].end_s) == (0.0, 10_000.0)
    assert bins[0].shares == average_shares(rows[:6])[0]
    assert collect_bins([]) == []


def test_means_weigh_people():
    shares, people = average_shares([make_row(0, 5, 0, 0, 0, 0), make_row(1, 0, 0, 15, 0, 0), make_row(2, withheld=2)])
    assert shares is not None
    assert (shares["lost"], shares["fine"], people) == (0.25, 0.75, 10.0)


def test_sections_go_from_mark_to_mark():
    sections = cut_sections(ROWS, MARKS)
    assert [(s.name, s.start_s, s.end_s) for s in sections] == [
        ("from the beginning", 0.0, 21.5),
        ("1 new topic", 21.5, 25.0),
        ("2 =cmd|' /C calc'!A0", 25.0, 40.0),
    ]
    assert [len(s.rows) for s in sections] == [3, 0, 1]
    assert [s.name for s in cut_sections(ROWS, [Mark("a", 0.0, "now"), Mark("b", 99.0, "late")])] == ["1 now"]


class Elements(HTMLParser):
    """What stands in a page, and whether every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("room", [PACE, MOOD, EXPRESSIONS], ids=["pace", "mood", "expressions"])
def test_the_report_stands_alone(room: Room):
    rows = tuple(make_row(b, *[room.steps * (1 + b)] * len(room.options), room=room) for b in range(3))
    page = build_report(room, Contents((*rows, make_row(3, withheld=3)), MARKS, (), 5))
    elements = Elements()
    elements.feed(page)
    assert elements.open == []
    assert not {"script", "link", "img", "iframe", "object"} & set(elements.tags)
    assert not [value for name, value in elements.attributes if name in ("src", "href", "srcset", "action")]
    assert set(re.findall(r"https?://[^\s\"<]+", page)) == {"http://www.w3.org/2000/svg"}
    assert not [name for name, _ in elements.attributes if name.startswith("on")]
    assert elements.tags.count("svg") == (3 if room is PACE else 2)
    assert ("expression is not an emotion" in page) == (room is EXPRESSIONS)


def test_the_report_of_nobody():
    assert "Nobody answered" in build_report(PACE, Contents((), (), (), 0))


def test_words_of_people_are_words():
    room = make_room(title="<script>alert(1)</script>")
    marks = (Mark("a", 15.0, "<b onclick=x>&"),)
    page = build_report(room, Contents(ROWS, marks, (), 5))
    elements = Elements()
    elements.feed(page)
    assert "script" not in elements.tags
    assert "<b onclick" not in page
    assert "&lt;b onclick=x&gt;&amp;" in page


def test_charts_show_what_is_there_and_hatch_what_is_not():
    svg = draw_shares(PACE, ROWS, MARKS)
    assert svg.count('class="hidden"') == 1
    assert svg.count("new topic") == 1
    # The third bucket: 60 % lost of 240 units.
    assert re.search(r'height="144\.2" style="fill:#ee5000"', svg)
    lost = draw_lost(ROWS, MARKS)
    assert [group.count("<rect") for group in lost.split("<g ")] == [1, 3, 3]  # hatched, intervals, shares
    assert draw_people(ROWS).count('class="people"') == 4
