"""The host as an attacker: sees every row, knows who contributed when, adds and subtracts as they like.

Everybody's contribution is a vector with a one at their own place, so that a published sum *is* the set of people in
it, and a linear combination of rows says whom it is about.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fervid.web.rooms.aggregation import (
    Ledger,
    Person,
    Rules,
    Sums,
    Tally,
    Values,
    close_bucket,
    place_contribution,
)

PEOPLE = 16
RULES = Rules(min_group=5, hold=7)

Bucket = dict[int, str]
"""What people do in a bucket: ``contribute``, ``leave`` (after that), ``quit`` (before it); the rest are silent."""

ACTIONS = st.sampled_from(["contribute"] * 12 + ["silent", "leave", "quit"])
SESSIONS = st.lists(
    st.lists(ACTIONS, min_size=PEOPLE, max_size=PEOPLE).map(lambda actions: dict(enumerate(actions))),
    min_size=1,
    max_size=24,
)
Publish = Callable[[list[Bucket], Callable[[int], Values], Rules], list[Values | None]]


def publish(session: list[Bucket], value: Callable[[int], Values], rules: Rules) -> list[Values | None]:
    """The sums that are shown of a session."""
    ledger, rng, shown = Ledger(), random.Random(7), []
    for bucket, actions in enumerate(session):
        people, sums = dict(ledger.people), Sums()
        for number, action in actions.items():
            name = str(number)
            if action in ("contribute", "leave"):
                person = replace(people.get(name, Person()), gone=False, seen=bucket)
                _, crowd = place_contribution(person, bucket)
                if crowd is not None:
                    sums[crowd] = sums.get(crowd, Tally(0, (0,) * len(value(number)))).add(value(number))
                people[name] = replace(person, contributed=bucket)
            if action in ("leave", "quit") and name in people:
                people[name] = replace(people[name], gone=True)
        ledger = replace(ledger, people=people)
        closing = close_bucket(ledger, sums, bucket + 1, rules, rng)
        ledger = closing.ledger
        shown.append(None if closing.tally is None else closing.tally.counts)
    return shown


def publish_naively(session: list[Bucket], value: Callable[[int], Values], rules: Rules) -> list[Values | None]:
    """What a server without crowds shows: the sum of everybody, when they are enough."""
    shown: list[Values | None] = []
    for actions in session:
        there = [n for n, action in actions.items() if action in ("contribute", "leave")]
        total = tuple(sum(column) for column in zip(*(value(n) for n in there), strict=True))
        shown.append(total if len(there) >= rules.min_group else None)
    return shown


def own_place(number: int) -> Values:
    return tuple(int(number == place) for place in range(PEOPLE))


def list_windows(session: list[Bucket], how: Publish) -> list[NDArray[np.int64]]:
    """The rows of any ``hold`` buckets in a row, as sets of people: (rows, people)."""
    shown = how(session, own_place, RULES)
    windows = [[r for r in shown[i : i + RULES.hold] if r is not None] for i in range(len(shown))]
    return [np.array(window) for window in windows if window]


def find_singled_out(rows: NDArray[np.int64], accomplices: set[int]) -> set[int]:
    """People whose own contribution is a linear combination of rows, once the accomplices' are taken out."""
    others = [n for n in range(rows.shape[1]) if n not in accomplices]
    known = rows[:, others]
    rank = np.linalg.matrix_rank(known)
    unit = np.eye(len(others), dtype=np.int64)
    return {n for i, n in enumerate(others) if np.linalg.matrix_rank(np.vstack([known, unit[i]])) == rank}


@settings(max_examples=60, deadline=None)
@given(SESSIONS, st.sets(st.integers(0, PEOPLE - 1), max_size=RULES.min_group - 2))
def test_nobody_is_singled_out_by_any_combination_of_rows(session: list[Bucket], accomplices: set[int]):
    for rows in list_windows(session, publish):
        assert find_singled_out(rows, accomplices) == set()


@settings(max_examples=60, deadline=None)
@given(SESSIONS)
def test_rows_are_about_whole_crowds(session: list[Bucket]):
    """People who are in the same rows cannot be told apart; there are always at least ``min_group`` of them."""
    for rows in list_windows(session, publish):
        sizes: dict[tuple[int, ...], int] = {}
        for column in rows.T.tolist():
            sizes[tuple(column)] = sizes.get(tuple(column), 0) + 1
        assert all(size >= RULES.min_group for column, size in sizes.items() if any(column))


@settings(max_examples=60, deadline=None)
@given(SESSIONS, st.data())
def test_rows_are_the_same_when_two_of_a_crowd_change_places(session: list[Bucket], data: Any):
    """Whatever the rows are used for, by whomever: nothing in them depends on who of a crowd said what."""
    session = session[: RULES.hold]
    rows = list_windows(session, publish)
    columns = rows[0].T.tolist() if rows else []
    pairs = [(a, b) for a in range(len(columns)) for b in range(a) if columns[a] == columns[b] and any(columns[a])]
    if not pairs:
        return
    first, second = data.draw(st.sampled_from(pairs))
    choices = data.draw(st.lists(st.integers(0, 3), min_size=PEOPLE, max_size=PEOPLE))
    swapped = list(choices)
    swapped[first], swapped[second] = choices[second], choices[first]

    def one_hot(number: int, of: list[int]) -> Values:
        return tuple(int(of[number] == option) for option in range(4))

    assert publish(session, lambda n: one_hot(n, choices), RULES) == publish(
        session, lambda n: one_hot(n, swapped), RULES
    )


def test_the_attack_has_teeth():
    """The same attacker finds people where only a minimum is asked for."""
    everybody = dict.fromkeys(range(6), "contribute")
    session: list[Bucket] = [everybody, {**everybody, 5: "silent"}]
    assert find_singled_out(list_windows(session, publish_naively)[0], set()) == {5}
    assert find_singled_out(list_windows(session, publish)[0], set()) == set()


def test_the_naive_rule_of_differences_does_not_hold_either():
    """Five came, then five and the one left: no two rows that follow each other differ by fewer than five."""
    first, second = dict.fromkeys(range(6), "contribute"), dict.fromkeys(range(11), "contribute")
    third = dict.fromkeys(range(5), "contribute")
    session: list[Bucket] = [first, second, third]
    assert find_singled_out(list_windows(session, publish_naively)[0], set()) == {5}
    assert find_singled_out(list_windows(session, publish)[0], set()) == set()


def test_whoever_fills_all_places_but_one_learns_the_last():
    """No rule on sums can prevent it; the documentation says so."""
    session: list[Bucket] = [dict.fromkeys(range(5), "contribute")]
    assert find_singled_out(list_windows(session, publish)[0], {0, 1, 2, 3}) == {4}
    assert find_singled_out(list_windows(session, publish)[0], {0, 1, 2}) == set()


@pytest.mark.parametrize("left", range(8))
def test_rows_come_back_after_somebody_left(left: int):
    """The protection is no refusal: with enough people the room goes on."""
    everybody = dict.fromkeys(range(8), "contribute")
    session: list[Bucket] = [
        everybody,
        {**everybody, left: "quit"},
        *[{n: a for n, a in everybody.items() if n != left} for _ in range(RULES.hold + 1)],
    ]
    shown = publish(session, own_place, RULES)
    assert shown[0] is not None
    assert sum(shown[-1] or ()) == 7


def test_a_long_session_with_little_change():
    """As a lecture is: most rows change by a person or two. The attack would find many people of a naive server's."""
    rng = random.Random(11)
    there = set(range(9))
    session: list[Bucket] = []
    for _ in range(300):
        leaving = {n for n in there if rng.random() < 0.01}
        there |= {n for n in range(PEOPLE) if rng.random() < 0.02}
        session.append({n: "quit" if n in leaving else "contribute" for n in there})
        there -= leaving
    windows = list_windows(session, publish)
    assert sum(len(np.unique(rows, axis=0)) > 1 for rows in windows) > 30
    assert all(find_singled_out(rows, {0, 1, 2}) == set() for rows in windows)
    naive = [find_singled_out(rows, set()) for rows in list_windows(session, publish_naively)]
    assert sum(bool(found) for found in naive) > 150
